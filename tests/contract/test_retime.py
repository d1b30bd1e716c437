"""New times to live for what is stored: exact, either way, and never back from the dead."""

from collections.abc import Mapping
from datetime import timedelta

import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storing import HOUR, NOW, Clock, event, newest, page, put, put_some, told, under

from hookrack.entries import DirectSet, FlowTimes, LifeStatus, Retimed, Times
from hookrack.model import Placement
from hookrack.readers import Leases
from hookrack.stores.redis import RedisStore
from leasing import SPAN, ack, names, receipts, take

MS = timedelta(milliseconds=1)
MONTH = timedelta(days=30)


def times(
    ttl: timedelta,
    *,
    most: timedelta = MONTH,
    others: bool = False,
    keys: Mapping[str, timedelta] | None = None,
) -> Times:
    """The flow `orders` with a time to live, and perhaps keys with others."""
    return Times(most=most, flows={"orders": FlowTimes(ttl, keys or {})}, others=others)


async def test_a_longer_time_is_exact(store: RedisStore, clock: Clock) -> None:
    """Entries live until receipt plus the new time, on time or late, and not a millisecond more."""
    on_time, late = event(at=NOW), event(at=NOW - 500)
    await put(store, under(on_time, "erp"), under(late, "erp"))
    assert await store.retime("acme", times(HOUR * 5)) == Retimed(2, 0, 0)
    clock.forward(HOUR * 5 - timedelta(milliseconds=501))
    assert await told(store) == [on_time.id, late.id]
    clock.forward(MS)
    assert await told(store) == [on_time.id]
    clock.forward(timedelta(milliseconds=499))
    assert await newest(store) == on_time.id
    clock.forward(MS)
    assert await newest(store) is None


async def test_a_shorter_time_is_exact(store: RedisStore, clock: Clock) -> None:
    """What has lived longer than the new time ends at once, the rest when its time comes."""
    await put_some(store, 1)
    clock.forward(HOUR / 2)
    (young,) = await put_some(store, 1, at=clock.now)
    assert await store.retime("acme", times(HOUR / 2)) == Retimed(1, 1, 0)
    assert await told(store) == [young]
    clock.forward(HOUR / 2 - MS)
    assert await told(store) == [young]
    clock.forward(MS)
    assert await told(store) == []


async def test_what_is_over_stays_over(store: RedisStore, clock: Clock) -> None:
    """Expired or purged: a longer time brings nothing back, in this key or another."""
    (old,) = await put_some(store, 1, "erp", "crm")
    clock.forward(HOUR / 2)
    (purged, stays) = await put_some(store, 2, "erp", at=clock.now)
    await store.delete("acme", "erp", event_id=purged)
    clock.forward(HOUR / 2)
    assert await store.retime("acme", times(HOUR * 9)) == Retimed(1, 0, 0)
    assert await told(store) == [stays]
    assert await told(store, "crm") == []
    found = await store.life("acme", old)
    assert found is not None
    assert found.status is LifeStatus.EXPIRED


async def test_each_key_has_its_time(store: RedisStore, clock: Clock) -> None:
    """A key with a time of its own takes that; lives tell the new ends."""
    one = event()
    await put(store, under(one, "erp", "audit"))
    asked = times(HOUR * 2, keys={"audit": HOUR * 3})
    assert await store.retime("acme", asked) == Retimed(2, 0, 0)
    found = await store.life("acme", one.id)
    assert found is not None
    ends = {key: (end - NOW) / 3_600_000 for key, end in found.keys}
    assert ends == {"erp": 2, "audit": 3}
    for key, hours in ends.items():
        entry = await store.get("acme", key)
        assert entry is not None
        assert entry.expires_at == clock.now + hours * 3_600_000


async def test_an_event_keeps_its_own_time(store: RedisStore, clock: Clock) -> None:
    """Unless that is above the most that the account allows."""
    own = event(ttl=HOUR)
    await put(store, under(own, "erp"), under(event(flow="other"), "crm"))
    assert await store.retime("acme", times(HOUR * 5)) == Retimed(0, 0, 1)
    clock.forward(HOUR - MS)
    assert await told(store) == [own.id]
    asked = times(HOUR * 5, most=HOUR - MS, others=True)
    assert await store.retime("acme", asked) == Retimed(0, 2, 0)
    assert await told(store) == await told(store, "crm") == []


async def test_direct_sets_have_the_accounts_time(store: RedisStore) -> None:
    """Those whose caller named a time keep it."""
    for own in (True, False):
        await store.set_direct(
            "acme", DirectSet(f"d-{own}", ("erp",), HOUR, "text/plain", b"x", own_ttl=own)
        )
    asked = Times(most=MONTH, flows={"": FlowTimes(HOUR * 2, {})}, others=True)
    assert await store.retime("acme", asked) == Retimed(1, 0, 1)
    found = (await page(store)).entries
    assert [each.expires_at - each.stored_at for each in found] == [3_600_000, 7_200_000]


async def test_repeating_it_changes_nothing(store: RedisStore) -> None:
    """After a crash in between the same call goes on; complete, it finds nothing to do."""
    for _ in range(5):
        await put(store, *(under(event(), "erp", "crm") for _ in range(60)))
    stored = await told(store)
    assert await store.retime("acme", times(HOUR * 2)) == Retimed(600, 0, 0)
    assert await store.retime("acme", times(HOUR * 2)) == Retimed(0, 0, 600)
    assert await told(store) == stored
    assert await store.delete("acme", "erp") == 300


async def test_other_accounts_and_flows_are_left(store: RedisStore, clock: Clock) -> None:
    """Nothing changes for whom it isn't meant."""
    await put(store, under(event(flow="other"), "erp"))
    await store.put("kairos", [under(event(account="kairos"), "erp")])
    assert await store.retime("acme", times(MS * 5)) == Retimed(0, 0, 0)
    assert await store.retime("nobody", times(MS * 5)) == Retimed(0, 0, 0)
    clock.forward(HOUR - MS)
    assert len(await told(store)) == 1
    assert await store.get("kairos", "erp") is not None


async def test_wide_events_go_in_steps(store: RedisStore) -> None:
    """An event under a thousand keys is a step of its own."""
    keys = [f"k{number}" for number in range(1000)]
    for _ in range(3):
        await put(store, under(event(), *keys))
    assert await store.retime("acme", times(HOUR * 2)) == Retimed(3000, 0, 0)


async def test_redis_keeps_it_as_long(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Payload, references and life stay in Redis for the longer time, and leave after a shorter."""
    ids = await put_some(store, 1)
    ids += await put_some(store, 1, at=NOW - 7)
    await store.retime("acme", times(HOUR * 5))
    tag = f"{prefix}{{acme}}:"
    for name in (f"p:{ids[0]}", f"p:{ids[1]}", "k:erp", "o:erp", "n:erp"):
        stays = await direct.pexpiretime(tag + name)
        assert NOW + 5 * 3_600_000 - 7 < stays <= NOW + 5 * 3_600_000 + 300_000, name
    await store.retime("acme", times(MS))
    assert [name async for name in direct.scan_iter(match=f"{tag}p:*")] == [
        f"{tag}p:{ids[0]}".encode()
    ]


async def test_leases_live_as_long_as_their_entries(
    store: RedisStore, leases: Leases, clock: Clock, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """What was acked stays acked, and what is held stays held, when entries get more time."""
    stored = await put_some(store, 2)
    held = await take(leases, 2)
    await ack(leases, receipts(held)[:1])
    await store.retime("acme", times(HOUR * 9))
    tag = f"{prefix}{{acme}}:"
    stays = await direct.pttl(f"{tag}k:erp")
    for name in ("g:erp", "h:g:erp", "w:g:erp"):
        assert await direct.pttl(tag + name) >= stays - 1000
    assert await take(leases, 9) == []
    clock.forward(SPAN)
    assert names(await take(leases, 9)) == stored[1:]


SPANS = st.sampled_from([1, 400, 1_000, 60_000])


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    puts=st.lists(st.tuples(SPANS, st.sampled_from([0, 3, 300]), st.booleans()), max_size=8),
    waits=st.lists(st.sampled_from([0, 1, 399, 700]), min_size=3, max_size=3),
    asks=st.lists(SPANS, min_size=3, max_size=3),
)
async def test_as_if_it_had_been_so_from_the_start(
    store: RedisStore,
    clock: Clock,
    puts: list[tuple[int, int, bool]],
    waits: list[int],
    asks: list[int],
) -> None:
    """Whatever was stored and asked: what is alive ends at receipt plus the last time asked for."""
    await store.purge_account("acme")
    ends: dict[str, tuple[int, bool]] = {}
    for ttl, age, own in puts:
        one = event(at=clock.now - age, ttl=ttl * MS if own else None)
        await store.put("acme", [Placement(one, (("erp", ttl * MS),))])
        if ttl > age:
            ends[one.id] = (one.received_at + ttl, own)
    for wait, ttl in zip(waits, asks, strict=True):
        clock.forward(wait * MS)
        before = {each.event_id: each for each in (await page(store)).entries}
        assert set(before) == {each for each, (end, _) in ends.items() if end > clock.now}
        await store.retime("acme", times(ttl * MS))
        for name, entry in before.items():
            end, own = ends[name]
            ends[name] = (end if own else entry.received_at + ttl, own)
        found = {each.event_id: each.expires_at for each in (await page(store)).entries}
        expected = {name: ends[name][0] for name in before if ends[name][0] > clock.now}
        assert found == expected
        ends = {name: ends[name] for name in expected}
