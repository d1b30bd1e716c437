"""Purging: one event or all under a key, for good; and a whole account."""

import asyncio
from datetime import timedelta

import pytest
import redis.asyncio
from storing import (
    HOUR,
    NOW,
    PLENTY,
    Clock,
    event,
    newest,
    put,
    put_some,
    told,
    under,
)

from hookrack._redis import Pipe
from hookrack.entries import AccountPurge, DirectSet, LifeStatus
from hookrack.errors import Code, Unavailable
from hookrack.model import Event, Placement, Stored
from hookrack.stores.redis import RedisStore

SECOND = timedelta(seconds=1)


async def names_of(direct: "redis.asyncio.Redis", prefix: str, account: str = "acme") -> set[str]:
    """What stands in Redis of an account, without what begins all of it."""
    tag = f"{prefix}{{{account}}}:"
    found = [raw async for raw in direct.scan_iter(match=f"{tag}*", count=1000)]
    return {raw.decode().removeprefix(tag) for raw in found}


async def status(store: RedisStore, event_id: str) -> LifeStatus:
    """What became of an event of acme."""
    life = await store.life("acme", event_id)
    assert life is not None
    return life.status


async def test_one_is_purged_and_the_others_stay(store: RedisStore) -> None:
    """An event that is purged from under a key is gone there, and only it."""
    first, second, third = await put_some(store, 3)
    assert await store.delete("acme", "erp", event_id=second) == 1
    assert await told(store) == [first, third]
    assert await store.delete("acme", "erp", event_id=third) == 1
    assert await newest(store) == first


async def test_under_its_other_keys_it_remains(store: RedisStore) -> None:
    """Purging looks at one key; the payload goes with the last of them."""
    (one,) = await put_some(store, 1, "erp", "crm")
    assert await store.delete("acme", "erp", event_id=one) == 1
    assert await newest(store) is None
    assert await newest(store, "crm") == one
    life = await store.life("acme", one)
    assert life is not None
    assert (life.status, life.keys) == (LifeStatus.STORED, (("crm", NOW + 3_600_000),))
    assert await store.delete("acme", "crm", event_id=one) == 1
    assert await status(store, one) is LifeStatus.PURGED


async def test_the_payload_goes_with_the_last_key(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """What nobody can read any more takes no memory but its life."""
    (one,) = await put_some(store, 1, "erp", "crm")
    await store.delete("acme", "erp", event_id=one)
    assert f"p:{one}" in await names_of(direct, prefix)
    await store.delete("acme", "crm", event_id=one)
    assert await names_of(direct, prefix) == {"seq", f"l:{one}"}


async def test_the_payload_goes_though_a_key_has_expired(
    store: RedisStore, clock: Clock, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A key whose time is up holds no payload."""
    one = event()
    await put(store, Placement(one, (("erp", SECOND), ("audit", HOUR))))
    clock.forward(SECOND)
    assert await store.delete("acme", "audit", event_id=one.id) == 1
    assert f"p:{one.id}" not in await names_of(direct, prefix)
    assert await status(store, one.id) is LifeStatus.PURGED


async def test_what_is_not_there_is_not_purged(store: RedisStore, clock: Clock) -> None:
    """Unknown, purged before, under another key, expired: nothing is counted."""
    one, other = (await put_some(store, 1))[0], (await put_some(store, 1, "crm"))[0]
    assert await store.delete("acme", "erp", event_id="unknown") == 0
    assert await store.delete("acme", "erp", event_id=other) == 0
    assert await store.delete("kairos", "erp", event_id=one) == 0
    assert await store.delete("acme", "erp", event_id=one) == 1
    assert await store.delete("acme", "erp", event_id=one) == 0
    assert await store.delete("acme", "nothing") == 0
    clock.forward(HOUR)
    assert await store.delete("acme", "crm", event_id=other) == 0
    assert await store.delete("acme", "crm") == 0
    assert await status(store, other) is LifeStatus.EXPIRED


async def test_a_purged_event_stays_purged(store: RedisStore) -> None:
    """A redelivery of what was purged, from one key or from all, brings nothing back."""
    one, other = event(), event()
    await put(store, under(one, "erp"), under(other, "erp", "crm"))
    await store.delete("acme", "erp", event_id=one.id)
    await store.delete("acme", "erp", event_id=other.id)
    again = await store.put("acme", [under(one, "erp"), under(other, "erp", "crm")])
    assert again == [Stored(one.id, again=True), Stored(other.id, again=True)]
    assert await told(store) == []
    assert await told(store, "crm") == [other.id]


async def test_a_purged_event_is_known_as_long_as_it_would_have_been(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """The life of a purged event stays until its time would have been up, and 24 h more."""
    one = event()
    await put(store, under(one, "erp", ttl=timedelta(days=7)))
    before = await direct.pttl(f"{prefix}{{acme}}:l:{one.id}")
    await store.delete("acme", "erp", event_id=one.id)
    after = await direct.pttl(f"{prefix}{{acme}}:l:{one.id}")
    assert 0 <= before - after < 10_000
    assert before > 8 * 24 * 3_600_000 - 10_000


async def test_late_arrivals_are_purged_from_both_sets(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A late arrival that was the newest can be purged, and leaves nothing behind."""
    (top,) = await put_some(store, 1)
    (late,) = await put_some(store, 1, at=NOW - 10)
    (later,) = await put_some(store, 1, at=NOW - 20)
    assert await store.delete("acme", "erp", event_id=top) == 1
    assert await newest(store) == late
    assert await store.delete("acme", "erp", event_id=late) == 1
    assert await newest(store) == later
    assert await store.delete("acme", "erp") == 1
    assert await names_of(direct, prefix) == {"seq", f"l:{top}", f"l:{late}", f"l:{later}"}


async def test_after_a_purge_newer_and_older_events_find_their_place(store: RedisStore) -> None:
    """What is stored after the newest was purged is ordered among those that are left."""
    (old,) = await put_some(store, 1, at=NOW - 100)
    (top,) = await put_some(store, 1)
    await store.delete("acme", "erp", event_id=top)
    (between,) = await put_some(store, 1, at=NOW - 50)
    assert await newest(store) == between
    (late,) = await put_some(store, 1, at=NOW - 70)
    assert await newest(store) == between
    assert await told(store) == [old, between, late]


async def test_all_under_a_key_are_purged(store: RedisStore, clock: Clock) -> None:
    """Purging a key counts the live entries, leaves other keys alone, and can be repeated."""
    await put(store, *(under(event(), "erp", ttl=SECOND) for _ in range(7)))
    clock.forward(SECOND)
    for _ in range(4):
        at = clock.now
        both = [under(event(at=at - n % 3), "erp", "crm") for n in range(50)]
        only = [under(event(at=at - n % 3), "erp") for n in range(50)]
        await put(store, *both, *only)
    assert await store.delete("acme", "erp") == 400
    assert await told(store) == []
    assert len(await told(store, "crm")) == 200
    assert await store.delete("acme", "erp") == 0
    later = await put_some(store, 2)
    assert await told(store) == later


async def test_a_purge_takes_what_was_there_when_it_began(store: RedisStore) -> None:
    """What is stored while a purge is at work stays, so that a purge ends whoever writes."""
    for _ in range(10):
        await put(store, *(under(event(), "erp") for _ in range(64)))
    assert await store.delete("acme", "crm") == 0
    purging = asyncio.create_task(store.delete("acme", "erp"))
    await asyncio.sleep(0)
    later = await put_some(store, 2)
    assert await purging == 640
    assert await told(store) == later


async def test_an_event_under_a_thousand_keys_is_purged_from_each(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """However many keys an event is under, each purge takes it from one; the last takes all."""
    names = [f"key-{number}" for number in range(1000)]
    (one,) = await put_some(store, 1, *names)
    for name in names[:-1]:
        assert await store.delete("acme", name, event_id=one) == 1
    life = await store.life("acme", one)
    assert life is not None
    assert [key for key, _ in life.keys] == names[-1:]
    assert await newest(store, names[-1]) == one
    assert await store.delete("acme", names[-1]) == 1
    assert await names_of(direct, prefix) == {"seq", f"l:{one}"}


async def test_pages_of_wide_events_are_purged(store: RedisStore) -> None:
    """A key whose events are under a thousand keys each is purged in more and smaller steps."""
    names = [f"key-{number:04}" for number in range(1000)]
    for _ in range(30):
        await put_some(store, 1, "erp", *names[1:])
    assert await store.delete("acme", "erp") == 30
    assert len(await told(store, names[1])) == 30


async def test_a_full_store_can_be_purged(store: RedisStore, direct: "redis.asyncio.Redis") -> None:
    """Purging is how a full store is emptied, so it works when nothing can be stored."""
    stored = await put_some(store, 3, "erp", "crm")
    limit = (await direct.config_get("maxmemory"))["maxmemory"]
    assert limit is not None
    await direct.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable) as caught:
            await put_some(store, 1)
        assert caught.value.code is Code.STORE_FULL
        assert await store.delete("acme", "erp", event_id=stored[0]) == 1
        assert await store.delete("acme", "crm") == 3
        assert await told(store) == stored[1:]
    finally:
        await direct.config_set("maxmemory", limit)
    assert await status(store, stored[0]) is LifeStatus.PURGED


async def test_an_account_goes_whole_and_alone(
    store: RedisStore, clock: Clock, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Deleting an account leaves its place in the order, and every other account as it was."""
    await put(store, *(under(event(at=NOW - n), "erp", "crm") for n in range(3)))
    await put(store, under(event(dedupe_id="d-1"), "erp"))
    await put(store, under(event(), "erp", ttl=SECOND))
    await store.set_direct(
        "acme", DirectSet("direct-1", ("audit",), HOUR, "text/plain", b"x", dedupe_id="d-1")
    )
    for account in ("acme2", "acm", "kairos"):
        await store.put(account, [under(other(account), "erp")])
    before = {each: await names_of(direct, prefix, each) for each in ("acme2", "acm", "kairos")}
    clock.forward(SECOND)
    place = await direct.get(f"{prefix}{{acme}}:seq")
    assert await store.purge_account("acme") == AccountPurge(entries=8, events=6)
    assert await names_of(direct, prefix) == {"seq"}
    assert await direct.get(f"{prefix}{{acme}}:seq") == place
    for each, names in before.items():
        assert await names_of(direct, prefix, each) == names
    assert await store.purge_account("acme") == AccountPurge(entries=0, events=0)


def other(account: str) -> Event:
    """An event of another account."""
    return event(account=account)


async def test_an_account_with_thousands_of_entries_goes(store: RedisStore) -> None:
    """More references than one look takes are counted all the same."""
    for _ in range(40):
        await put(store, *(under(event(), "erp") for _ in range(64)))
    assert await store.purge_account("acme") == AccountPurge(entries=2560, events=2560)


async def test_a_prefix_of_any_letters_is_no_pattern(pipe: Pipe, prefix: str) -> None:
    """A prefix with letters that mean something in patterns deletes its own keys only."""
    odd = RedisStore(pipe, prefix=f"{prefix}a*[b]?\\:", epoch=b"")
    wide = RedisStore(pipe, prefix=f"{prefix}axxb?\\:", epoch=b"")
    for each in (odd, wide):
        now = event(at=1)
        await each.put("acme", [under(now, "erp", ttl=timedelta(days=36_500))])
    assert await odd.purge_account("acme") == AccountPurge(entries=1, events=1)
    assert (await wide.history("acme", "erp", limit=1, max_bytes=PLENTY)).entries
