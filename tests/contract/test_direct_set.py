"""Direct sets: received when stored, under all keys or none, and once for each id."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
import redis.asyncio
from storing import HOUR, NOW, Clock, event, newest, put, put_some, told, under

from hookrack.entries import DirectSet, Written
from hookrack.errors import Code, Rejected, Unavailable
from hookrack.model import DEDUPE_WINDOW, Stored
from hookrack.stores.redis import RedisStore
from hookrack.telemetry import metrics

SECOND = timedelta(seconds=1)
_NUMBERS = count()


def direct_set(*keys: str, data: bytes = b'{"n": 1}', **more: object) -> DirectSet:
    """A direct set of JSON, with an event id of its own."""
    fields: dict[str, object] = {
        "event_id": f"direct-{next(_NUMBERS)}",
        "keys": keys or ("erp",),
        "ttl": HOUR,
        "content_type": "application/json",
        "data": data,
    }
    return DirectSet(**(fields | more))  # type: ignore[arg-type]


async def refused(store: RedisStore, direct: DirectSet) -> None:
    """A direct set that is a conflict, is counted as one, and stores nothing."""
    before, counted = await told(store), sum(metrics.DEDUPE_CONFLICTS.values.values())
    with pytest.raises(Rejected) as caught:
        await store.set_direct("acme", direct)
    assert caught.value.code is Code.ID_CONFLICT
    assert caught.value.problem.status == 409
    assert await told(store) == before
    assert sum(metrics.DEDUPE_CONFLICTS.values.values()) == counted + 1


async def test_a_set_is_answered_with_its_entries(store: RedisStore) -> None:
    """The answer has for each key the entry that get gives."""
    written = await store.set_direct("acme", direct_set("erp", "crm"))
    assert not written.again
    for entry in written.entries:
        assert entry == await store.get("acme", entry.webhook_key)
    entry = written.entries[0]
    assert [each.webhook_key for each in written.entries] == ["erp", "crm"]
    assert (entry.flow, entry.received_at, entry.stored_at) == (None, NOW, NOW)
    assert entry.expires_at == NOW + 3_600_000


async def test_a_set_is_the_newest_and_the_last(store: RedisStore) -> None:
    """What is set is read back at once, whatever came before; its cursor is its place."""
    await put_some(store, 3)
    first = await store.set_direct("acme", direct_set())
    second = await store.set_direct("acme", direct_set())
    assert await newest(store) == second.entries[0].event_id
    assert (await told(store))[-2:] == [first.entries[0].event_id, second.entries[0].event_id]
    assert first.entries[0].cursor < second.entries[0].cursor


async def test_a_set_under_a_thousand_keys(store: RedisStore) -> None:
    """A set appears under all of a thousand keys."""
    names = [f"key-{number}" for number in range(1000)]
    written = await store.set_direct("acme", direct_set(*names))
    found = await store.get_many("acme", names, max_bytes=2**30)
    assert [found.entries[name] for name in names] == list(written.entries)


async def test_bytes_and_their_type_survive(store: RedisStore) -> None:
    """Data of any type comes back as it was, the empty one too."""
    for data in (bytes(range(256)), b""):
        direct = direct_set(data=data, content_type="text/plain; charset=utf-8")
        await store.set_direct("acme", direct)
        entry = await store.get("acme", "erp")
        assert entry is not None
        assert (entry.data, entry.content_type) == (data, direct.content_type)


async def test_the_same_id_again_is_the_first_one(store: RedisStore, clock: Clock) -> None:
    """The same set with the same id, in whatever order of keys and for how long, is stored once."""
    direct = direct_set("erp", "crm", dedupe_id="o-1")
    first = await store.set_direct("acme", direct)
    clock.forward(SECOND)
    again = await store.set_direct("acme", replace(direct, event_id="another"))
    assert again == Written(first.entries, again=True)
    turned = replace(direct, event_id="third", keys=("crm", "erp"), ttl=5 * HOUR)
    assert (await store.set_direct("acme", turned)).entries == first.entries[::-1]
    assert await told(store) == [first.entries[0].event_id]
    assert await store.life("acme", "another") is None


async def test_the_same_id_for_something_else_is_a_conflict(store: RedisStore) -> None:
    """Other data, type or keys under a known id are refused."""
    direct = direct_set("erp", "crm", dedupe_id="o-1")
    await store.set_direct("acme", direct)
    for change in (
        *({"data": b'{"n":1}'}, {"data": b""}, {"content_type": "text/plain"}),
        *({"keys": ("erp",)}, {"keys": ("erp", "crm", "audit")}, {"keys": ("erp", "audit")}),
    ):
        await refused(store, replace(direct, event_id="other", **change))
    assert await newest(store, "audit") is None


async def test_keys_type_and_data_don_t_run_into_each_other(store: RedisStore) -> None:
    """What one part loses and the next one gains is still something else."""
    await store.set_direct(
        "acme", direct_set("a", data=b"xtext/plain", content_type="text/x", dedupe_id="1")
    )
    await refused(store, direct_set("a", data=b"text/plain", content_type="text/xx", dedupe_id="1"))
    await store.set_direct("acme", direct_set("a", "b", dedupe_id="2"))
    await refused(store, direct_set("ab", dedupe_id="2"))


async def test_ids_of_direct_sets_are_their_own(store: RedisStore) -> None:
    """A flow's dedupe id says nothing about a direct set's, nor one account's about another's."""
    await put(store, under(event(dedupe_id="o-1"), "erp"))
    direct = direct_set(dedupe_id="o-1")
    assert not (await store.set_direct("acme", direct)).again
    assert not (await store.set_direct("kairos", direct)).again
    later = event(dedupe_id="o-2")
    await store.set_direct("acme", direct_set(dedupe_id="o-2"))
    assert await store.put("acme", [under(later, "erp")]) == [Stored(later.id)]


async def test_an_id_is_known_for_its_window(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Ids are known for 96 h from the first use, however short the event's own time was."""
    await store.set_direct("acme", direct_set(dedupe_id="o-1", ttl=SECOND))
    marks = [name async for name in direct.scan_iter(match=f"{prefix}{{acme}}:d:*")]
    assert len(marks) == 1
    left = DEDUPE_WINDOW / timedelta(milliseconds=1) - await direct.pttl(marks[0])
    assert 0 <= left < 10_000


async def test_the_first_one_is_told_even_when_it_is_gone(
    store: RedisStore, clock: Clock, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """An id whose event was purged, or has expired and been forgotten, gets the same answer."""
    purged, expired = direct_set(dedupe_id="o-1"), direct_set(dedupe_id="o-2", ttl=SECOND)
    first = [await store.set_direct("acme", each) for each in (purged, expired)]
    await store.delete("acme", "erp", event_id=purged.event_id)
    clock.forward(SECOND)
    await direct.delete(f"{prefix}{{acme}}:l:{expired.event_id}")
    again = [
        await store.set_direct("acme", replace(each, event_id="new")) for each in (purged, expired)
    ]
    assert [each.entries for each in again] == [each.entries for each in first]
    assert all(each.again for each in again)
    assert await told(store) == []


async def test_of_many_at_once_one_is_stored(store: RedisStore) -> None:
    """The same id set many times at once is one event, and all are told so."""
    sets = [direct_set(dedupe_id="o-1") for _ in range(20)]
    written = await asyncio.gather(*(store.set_direct("acme", each) for each in sets))
    assert len({each.entries for each in written}) == 1
    assert [each.again for each in written].count(False) == 1
    assert len(await told(store)) == 1


async def test_without_an_id_each_set_is_an_event(store: RedisStore) -> None:
    """The same data set twice are two events; an event id that is taken is refused."""
    direct = direct_set()
    await store.set_direct("acme", direct)
    await store.set_direct("acme", direct_set())
    assert len(await told(store)) == 2
    await refused(store, direct)


async def test_a_clock_that_was_set_back_changes_nothing_stored(
    store: RedisStore, clock: Clock
) -> None:
    """A set by a store clock behind the newest entry is received earlier: last, not newest."""
    await store.set_direct("acme", direct_set())
    clock.forward(-SECOND)
    written = await store.set_direct("acme", direct_set())
    assert written.entries[0].received_at == NOW - 1000
    assert await newest(store) != written.entries[0].event_id
    assert (await told(store))[-1] == written.entries[0].event_id


async def test_a_full_store_takes_all_or_nothing(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Out of memory is STORE_FULL, the id isn't used up, and a known one is still answered."""
    known = direct_set(dedupe_id="o-1")
    await store.set_direct("acme", known)
    names = {name async for name in direct.scan_iter(match=f"{prefix}{{acme}}*")}
    limit = (await direct.config_get("maxmemory"))["maxmemory"]
    assert limit is not None
    fresh = direct_set("crm", dedupe_id="o-2")
    await direct.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable) as caught:
            await store.set_direct("acme", fresh)
        assert (await store.set_direct("acme", replace(known, event_id="new"))).again
    finally:
        await direct.config_set("maxmemory", limit)
    assert caught.value.code is Code.STORE_FULL
    assert {name async for name in direct.scan_iter(match=f"{prefix}{{acme}}*")} == names
    assert not (await store.set_direct("acme", fresh)).again
