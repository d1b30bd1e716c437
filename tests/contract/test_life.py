"""An event's life: what became of it, under which keys, and until when."""

from datetime import timedelta

import redis.asyncio
from storing import HOUR, NOW, Clock, event, put, put_some, under

from hookrack.entries import DirectSet, Life, LifeStatus
from hookrack.model import Duplicate, Placement
from hookrack.stores.redis import RedisStore

SECOND = timedelta(seconds=1)
HOUR_MS = 3_600_000


async def test_a_stored_event_names_its_keys(store: RedisStore, clock: Clock) -> None:
    """The life of a stored event has its times, and each key with its own."""
    one = event(at=NOW - 500)
    clock.forward(SECOND)
    await put(store, Placement(one, (("erp", HOUR), ("audit", timedelta(days=7)))))
    assert await store.life("acme", one.id) == Life(
        event_id=one.id,
        account="acme",
        flow="orders",
        status=LifeStatus.STORED,
        received_at=NOW - 500,
        stored_at=NOW + 1000,
        keys=(("erp", NOW - 500 + HOUR_MS), ("audit", NOW - 500 + 7 * 24 * HOUR_MS)),
    )


async def test_a_duplicate_names_its_original(store: RedisStore) -> None:
    """The life of a duplicate says of what; the original's is its own."""
    first, second = event(dedupe_id="d-1"), event(at=NOW - 1, dedupe_id="d-1")
    await put(store, under(first, "erp"))
    await store.put("acme", [under(second, "erp")])
    assert await store.life("acme", second.id) == Life(
        event_id=second.id,
        account="acme",
        flow="orders",
        status=LifeStatus.DUPLICATE,
        received_at=NOW - 1,
        duplicate_of=first.id,
    )
    life = await store.life("acme", first.id)
    assert life is not None
    assert (life.status, life.duplicate_of) == (LifeStatus.STORED, None)
    assert life.duplicates == 1


async def test_an_event_counts_its_duplicates_once_each(store: RedisStore) -> None:
    """Each duplicate counts once, however often it is delivered, also in the first one's batch."""
    first, *others = (event(dedupe_id="d-1") for _ in range(4))
    await store.put("acme", [under(each, "erp") for each in (first, others[0])])
    for each in (others[1], others[1], others[0], others[2], first):
        await store.put("acme", [under(each, "erp")])
    life = await store.life("acme", first.id)
    assert life is not None
    assert (life.duplicates, life.keys) == (3, (("erp", NOW + HOUR_MS),))


async def test_a_purged_event_still_counts(store: RedisStore) -> None:
    """What was purged stays the event that others are duplicates of."""
    first, second, third = (event(dedupe_id="d-1") for _ in range(3))
    await put(store, under(first, "erp", "crm"))
    await store.put("acme", [under(second, "erp")])
    await store.delete("acme", "erp")
    await store.delete("acme", "crm")
    await store.put("acme", [under(third, "erp")])
    life = await store.life("acme", first.id)
    assert life is not None
    assert (life.status, life.duplicates) == (LifeStatus.PURGED, 2)


async def test_a_first_event_nobody_tells_of_any_more(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A dedupe id can outlive the life of its event; its duplicates are duplicates all the same."""
    first, second = event(dedupe_id="d-1"), event(dedupe_id="d-1")
    await put(store, under(first, "erp"))
    await direct.delete(f"{prefix}{{acme}}:l:{first.id}")
    assert await store.put("acme", [under(second, "erp")]) == [Duplicate(second.id, first.id)]
    assert await store.life("acme", first.id) is None


async def test_an_event_that_came_too_late_is_expired(store: RedisStore) -> None:
    """The life of an event that was never stored says so."""
    one = event(at=NOW - 5000)
    await store.put("acme", [under(one, "erp", ttl=SECOND)])
    assert await store.life("acme", one.id) == Life(
        event_id=one.id,
        account="acme",
        flow="orders",
        status=LifeStatus.EXPIRED,
        received_at=NOW - 5000,
    )


async def test_a_key_that_was_out_of_time_is_not_named(store: RedisStore) -> None:
    """Only keys under which the event was stored are its keys."""
    one = event(at=NOW - 5000)
    await put(store, Placement(one, (("erp", SECOND), ("audit", HOUR))))
    life = await store.life("acme", one.id)
    assert life is not None
    assert life.keys == (("audit", NOW - 5000 + HOUR_MS),)


async def test_a_stored_event_expires_with_its_last_key(store: RedisStore, clock: Clock) -> None:
    """An event is stored until the time of its last key is up, and expired from then on."""
    one = event()
    await put(store, Placement(one, (("erp", SECOND), ("audit", 2 * SECOND))))
    seen = []
    for moment in (0, 1999, 2000, 100_000):
        clock.now = NOW + moment
        life = await store.life("acme", one.id)
        assert life is not None
        seen.append(life.status.value)
        assert (life.stored_at, len(life.keys)) == (NOW, 2)
    assert seen == ["stored", "stored", "expired", "expired"]


async def test_a_purged_event_has_no_key(store: RedisStore, clock: Clock) -> None:
    """The life of a purged event has its times still, and stays purged."""
    (one,) = await put_some(store, 1)
    await store.delete("acme", "erp", event_id=one)
    for _ in range(2):
        assert await store.life("acme", one) == Life(
            event_id=one,
            account="acme",
            flow="orders",
            status=LifeStatus.PURGED,
            received_at=NOW,
            stored_at=NOW,
        )
        clock.forward(2 * HOUR)


async def test_a_direct_set_has_no_flow(store: RedisStore) -> None:
    """The life of a direct set names no flow."""
    await store.set_direct("acme", DirectSet("direct-1", ("erp",), HOUR, "text/plain", b"x"))
    life = await store.life("acme", "direct-1")
    assert life is not None
    assert (life.flow, life.status) == (None, LifeStatus.STORED)
    assert life.keys == (("erp", NOW + HOUR_MS),)


async def test_an_unknown_event_has_no_life(store: RedisStore) -> None:
    """Of an event that the store hasn't seen, or another account's, it knows nothing."""
    (one,) = await put_some(store, 1)
    assert await store.life("acme", "unknown") is None
    assert await store.life("kairos", one) is None


async def test_the_longest_names_fit(store: RedisStore) -> None:
    """Keys, flows and ids of the greatest length are kept whole."""
    key, flow, event_id = "k" * 128, "f" * 63, "e" * 64
    names = [key, *(f"{number:0128}" for number in range(999))]
    first = event(id=event_id, flow=flow, dedupe_id="d-1")
    await put(store, under(first, *names))
    life = await store.life("acme", event_id)
    assert life is not None
    assert (life.flow, [name for name, _ in life.keys]) == (flow, names)
    second = event(flow=flow, dedupe_id="d-1")
    await store.put("acme", [under(second, key)])
    copy = await store.life("acme", second.id)
    assert copy is not None
    assert copy.duplicate_of == event_id


async def test_the_server_s_own_clock_judges(
    store: RedisStore, prefix: str, direct: "redis.asyncio.Redis"
) -> None:
    """Without a test's clock it is the server's that says whether a life is over."""
    own = RedisStore(store._pipe, prefix=prefix, epoch=b"")
    one = event(at=1)
    await own.put("acme", [under(one, "erp", ttl=timedelta(days=36_500))])
    life = await own.life("acme", one.id)
    assert life is not None
    assert life.status is LifeStatus.STORED
    seconds, _ = await direct.time()
    assert life.stored_at is not None
    assert abs(life.stored_at - seconds * 1000) < 10_000
