"""What a Store promises about quotas: it counts exactly, and what is too much is never stored."""

import asyncio
from datetime import timedelta

import pytest
import redis.asyncio
from storing import HOUR, Clock, event, ids, page, put, under

from hookrack._redis import Pipe
from hookrack.entries import DirectSet, FlowTimes, Times
from hookrack.errors import Code, Limited
from hookrack.model import Dead, Duplicate, Expired, Outcome, Stored, new_event_id
from hookrack.quotas import Quotas, Usage
from hookrack.stores.redis import RedisStore

HEAD = 26 + len("orders") + len("application/json")  # what an event counts for besides its data
KIB = b'"' + b"x" * 1_022 + b'"'
GRACE = timedelta(minutes=6)  # more than what anything stays after its end


async def put_one(
    store: RedisStore, quotas: Quotas, *keys: str, ttl: timedelta = HOUR, **more: object
) -> Outcome:
    """Store a KiB of acme under quotas."""
    one = under(event(KIB, **more), *keys, ttl=ttl)  # type: ignore[arg-type]
    return (await store.put("acme", [one], quotas=quotas))[0]


def direct_set(*keys: str) -> DirectSet:
    """A direct set of acme."""
    return DirectSet(new_event_id(1), keys, HOUR, "application/json", KIB)


async def test_usage_is_what_is_alive(store: RedisStore, clock: Clock) -> None:
    """An event counts once however many keys it is under, a key once however many events."""
    assert await store.usage("acme") == Usage(0, 0)
    await put_one(store, Quotas(), "a", "b", ttl=HOUR)
    await put_one(store, Quotas(), "b", "c", ttl=HOUR * 2)
    size = HEAD + len(KIB)
    assert await store.usage("acme", ["a", "d", "e"]) == Usage(3, 2 * size, 2)
    assert await store.usage("kairos") == Usage(0, 0)
    clock.forward(HOUR + GRACE)
    assert await store.usage("acme", ["a"]) == Usage(2, size, 1)
    clock.forward(HOUR)
    assert await store.usage("acme") == Usage(0, 0)


async def test_what_is_stored_is_at_most_what_may_be(store: RedisStore, clock: Clock) -> None:
    """The event too much is dead, with the reason and nothing of it kept; room comes with time."""
    size = HEAD + len(KIB)
    quotas = Quotas(stored_bytes=3 * size)
    placements = [under(event(KIB, id=f"e{number}"), "erp") for number in range(5)]
    found = await store.put("acme", placements, quotas=quotas)
    assert found[:3] == [Stored("e0"), Stored("e1"), Stored("e2")]
    for one in found[3:]:
        assert isinstance(one, Dead)
        assert (one.reason, one.account, one.flow) == (Code.QUOTA_EXCEEDED, "acme", "orders")
        assert str(3 * size) in one.detail
    assert ids(await page(store)) == ["e0", "e1", "e2"]
    assert await store.life("acme", "e3") is None
    assert (await store.usage("acme")).stored_bytes == 3 * size
    clock.forward(HOUR + GRACE)
    assert await put_one(store, quotas, "erp", id="e3", at=clock.now) == Stored("e3")


async def test_keys_are_bounded_and_known_ones_stay_open(store: RedisStore, clock: Clock) -> None:
    """At the bound no new key is taken, known ones are; a key that ends makes room."""
    quotas = Quotas(keys=3)
    assert isinstance(await put_one(store, quotas, "a", ttl=HOUR / 2), Stored)
    assert isinstance(await put_one(store, quotas, "b", "c"), Stored)
    over = await put_one(store, quotas, "a", "d")
    assert isinstance(over, Dead)
    assert over.reason is Code.QUOTA_EXCEEDED
    assert isinstance(await put_one(store, quotas, "a", "c", ttl=HOUR / 2), Stored)
    clock.forward(HOUR / 2)
    assert isinstance(await put_one(store, quotas, "d", at=clock.now), Stored)
    assert isinstance(await put_one(store, quotas, "a", at=clock.now), Dead)
    assert (await store.usage("acme")).keys == 3


async def test_a_batch_counts_as_it_goes(store: RedisStore) -> None:
    """Of one batch each sees what those before it have taken, and a refused one takes nothing."""
    names = (("a",), ("b", "c"), ("a",), ("d", "e"), ("e",), ("f",))
    batch = [under(event(id=f"e{place}"), *keys) for place, keys in enumerate(names)]
    found = await store.put("acme", batch, quotas=Quotas(keys=4))
    assert [type(each) for each in found] == [Stored, Stored, Stored, Dead, Stored, Dead]
    assert (await store.usage("acme")).keys == 4
    assert ids(await page(store, "e")) == ["e4"]


async def test_a_key_of_a_refused_event_counts_once_one_is_stored(
    store: RedisStore, clock: Clock
) -> None:
    """A key that is over stays so where an event is refused: what is stored next brings it back."""
    await put_one(store, Quotas(), "a")
    clock.forward(HOUR)
    assert (await store.usage("acme")).keys == 0
    batch = [under(event(data, at=clock.now), "a") for data in (KIB + KIB, b"1")]
    found = await store.put("acme", batch, quotas=Quotas(stored_bytes=2 * len(KIB)))
    assert [type(each) for each in found] == [Dead, Stored]
    assert (await store.usage("acme")).keys == 1


async def test_bounds_hold_for_what_was_stored_without_any(store: RedisStore, clock: Clock) -> None:
    """Quotas that come later count what was stored before them, less what is over by then."""
    size = HEAD + len(KIB)
    for number in range(3):
        await put_one(store, Quotas(), f"k{number}", ttl=HOUR * (number + 1))
    assert isinstance(await put_one(store, Quotas(stored_bytes=4 * size - 1), "k1"), Dead)
    assert isinstance(await put_one(store, Quotas(keys=3), "new"), Dead)
    clock.forward(HOUR + GRACE)
    quotas = Quotas(keys=3, stored_bytes=3 * size)
    assert isinstance(await put_one(store, quotas, "new", at=clock.now), Stored)
    assert isinstance(await put_one(store, quotas, "new", at=clock.now), Dead)
    assert await store.usage("acme") == Usage(3, 3 * size)


async def test_what_adds_nothing_is_no_matter_of_quotas(store: RedisStore) -> None:
    """Redeliveries, duplicates and what is over are what they are without quotas."""
    one = under(event(id="e1", dedupe_id="d"), "erp")
    await put(store, one)
    twin = under(event(id="e2", dedupe_id="d"), "crm")
    late = under(event(id="e3"), "crm", ttl=timedelta(0))
    found = await store.put("acme", [one, twin, late], quotas=Quotas(keys=1, stored_bytes=1))
    assert found == [Stored("e1", again=True), Duplicate("e2", "e1"), Expired("e3")]


async def test_a_direct_set_is_refused(store: RedisStore) -> None:
    """Who sets hears of it, and when to come back."""
    with pytest.raises(Limited) as caught:
        await store.set_direct("acme", direct_set("a", "b"), quotas=Quotas(keys=1))
    assert (caught.value.code, caught.value.retry_after) == (Code.QUOTA_EXCEEDED, 60)
    with pytest.raises(Limited, match="bytes"):
        await store.set_direct("acme", direct_set("a"), quotas=Quotas(stored_bytes=1_000))
    await store.set_direct("acme", direct_set("a"), quotas=Quotas(keys=1, stored_bytes=2_000))


async def test_what_is_purged_makes_room(store: RedisStore) -> None:
    """Keys leave with their last entry, bytes with the event's last key; on an early end, too."""
    await put_one(store, Quotas(), "a", "b", id="e1")
    await put_one(store, Quotas(), "b", id="e2")
    size = HEAD + len(KIB)
    await store.delete("acme", "a")
    assert await store.usage("acme") == Usage(1, 2 * size)
    await store.delete("acme", "b", event_id="e1")
    assert await store.usage("acme") == Usage(1, size)
    await store.delete("acme", "b")
    assert await store.usage("acme") == Usage(0, 0)
    await put_one(store, Quotas(), "a", id="e3")
    await store.purge_account("acme")
    assert await store.usage("acme") == Usage(0, 0)


async def test_new_times_move_what_is_counted(store: RedisStore, clock: Clock) -> None:
    """An event that ends sooner makes room sooner, one that ends later keeps its for longer."""
    await put_one(store, Quotas(), "a", "b", ttl=HOUR)
    times = FlowTimes(HOUR / 2, {"b": HOUR * 3})
    await store.retime("acme", Times(HOUR * 9, {"orders": times}, others=False))
    clock.forward(HOUR / 2)
    assert (await store.usage("acme")).keys == 1
    clock.forward(HOUR * 2)
    assert await store.usage("acme") == Usage(1, HEAD + len(KIB))
    times = FlowTimes(HOUR, {})
    await store.retime("acme", Times(HOUR * 9, {"orders": times}, others=False))
    assert await store.usage("acme") == Usage(0, 0)


async def test_many_keys_over_are_forgotten_by_the_way(
    store: RedisStore, clock: Clock, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """An account whose keys are ever new ones has a list of those alive, not of all there were."""
    for _ in range(30):
        names = [f"k{clock.now}-{number}" for number in range(20)]
        await put(store, under(event(at=clock.now), *names, ttl=timedelta(seconds=20)))
        clock.forward(timedelta(seconds=15))
    assert await direct.zcard(f"{prefix}{{acme}}:y") <= 80
    assert await direct.hlen(f"{prefix}{{acme}}:b") <= 10


async def test_processes_share_a_quota_to_the_byte(url: str, prefix: str) -> None:
    """However many put at the same time, no more is stored than may be, and no less."""
    size = HEAD + len(KIB)
    quotas = Quotas(stored_bytes=50 * size + 1, keys=1_000)
    pipes = [Pipe(url) for _ in range(4)]
    for each in pipes:
        each.connect()
    stores = [await RedisStore.open(each, prefix=prefix) for each in pipes]
    now = (await pipes[0].call(b"TIME"))[0]
    puts = (
        put_one(stores[number % 4], quotas, f"k{number}", at=int(now) * 1000)
        for number in range(120)
    )
    found = await asyncio.gather(*puts)
    assert [type(each) for each in found].count(Stored) == 50
    assert await stores[0].usage("acme") == Usage(50, 50 * size)
    for store in stores:
        await store.close()
