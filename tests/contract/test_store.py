"""What every Store promises: once, all or none, the newest, and exactly until its time."""

import asyncio
from datetime import timedelta

import pytest
import redis.asyncio
from storing import HOUR, NOW, Clock, event, newest, put, under

from hookrack.errors import Code, Unavailable
from hookrack.model import Duplicate, Expired, Placement, Stored
from hookrack.stores.redis import RedisStore


async def test_an_entry_says_all_about_its_event(store: RedisStore) -> None:
    """An entry carries the event's bytes, type, flow and times, as they were given."""
    data = b'{"b":  1,\n "a": 12345678901234567890123, "a": "\\u00fc"}'
    one = event(data, at=NOW - 500)
    await put(store, under(one, "erp"))
    entry = await store.get("acme", "erp")
    assert entry is not None
    assert (entry.event_id, entry.webhook_key, entry.account) == (one.id, "erp", "acme")
    assert (entry.flow, entry.content_type, entry.data) == ("orders", "application/json", data)
    assert (entry.received_at, entry.stored_at) == (NOW - 500, NOW)
    assert entry.expires_at == NOW - 500 + 3_600_000
    assert entry.cursor


async def test_an_event_is_under_all_of_its_keys(store: RedisStore) -> None:
    """One event appears under each of its keys, up to a thousand."""
    one = event()
    names = [f"key-{number}" for number in range(1000)]
    await put(store, under(one, *names))
    found = await asyncio.gather(*(newest(store, name) for name in names))
    assert set(found) == {one.id}


async def test_all_bytes_survive(store: RedisStore) -> None:
    """A payload of any bytes comes back as it was, the empty one too."""
    for data in (bytes(range(256)) * 40, b""):
        one = event(data, content_type="application/octet-stream")
        await put(store, under(one, "erp"))
        entry = await store.get("acme", "erp")
        assert entry is not None
        assert entry.data == data


async def test_a_redelivery_changes_nothing(store: RedisStore) -> None:
    """Storing an event again is answered as such, and what came later stays the newest."""
    first, second = event(at=NOW - 20), event(at=NOW - 10)
    await put(store, under(first, "erp"), under(second, "erp"))
    assert await store.put("acme", [under(first, "erp", "crm")]) == [Stored(first.id, again=True)]
    assert await newest(store) == second.id
    assert await newest(store, "crm") is None


async def test_the_same_event_twice_in_one_batch_is_stored_once(store: RedisStore) -> None:
    """A batch that holds an event twice stores it once."""
    one = event()
    found = await store.put("acme", [under(one, "erp"), under(one, "erp")])
    assert found == [Stored(one.id), Stored(one.id, again=True)]


async def test_newest_is_by_the_time_of_receipt(store: RedisStore) -> None:
    """An event received earlier but stored later never replaces a newer one."""
    newer, older = event(at=NOW - 10), event(at=NOW - 1000)
    await put(store, under(newer, "erp"))
    await put(store, under(older, "erp"))
    assert await newest(store) == newer.id


async def test_ties_go_to_the_one_stored_last(store: RedisStore) -> None:
    """Of two events received in the same millisecond the one stored last is the newest."""
    first, second = event(at=NOW - 5), event(at=NOW - 5)
    await put(store, under(first, "erp"))
    await put(store, under(second, "erp"))
    assert await newest(store) == second.id


async def test_ties_among_late_arrivals_go_to_the_one_stored_last(
    store: RedisStore, clock: Clock
) -> None:
    """Of late arrivals from the same millisecond the last one wins, however short it lives."""
    top, first, second = event(), event(at=NOW - 5), event(at=NOW - 5)
    await put(store, under(top, "erp", ttl=timedelta(milliseconds=1)))
    await put(store, under(first, "erp"), under(second, "erp", ttl=timedelta(seconds=1)))
    clock.forward(timedelta(milliseconds=1))
    assert await newest(store) == second.id
    clock.forward(timedelta(seconds=1))
    assert await newest(store) == first.id


async def test_when_the_newest_is_gone_the_next_one_shows(store: RedisStore, clock: Clock) -> None:
    """A late arrival is the newest as soon as the entries received after it have expired."""
    early, late = event(at=NOW - 2000), event(at=NOW - 1000)
    top = event(at=NOW)
    await put(store, under(early, "erp"))
    await put(store, under(top, "erp", ttl=timedelta(seconds=1)))
    await put(store, under(late, "erp"))
    assert await newest(store) == top.id
    clock.forward(timedelta(seconds=1))
    assert await newest(store) == late.id


async def test_an_entry_is_there_until_its_time_and_not_after(
    store: RedisStore, clock: Clock
) -> None:
    """An entry is shown until the last millisecond before `expiresAt`, and never from then on."""
    await put(store, under(event(at=NOW - 400), "erp", ttl=timedelta(seconds=1)))
    clock.now = NOW + 599
    assert await newest(store) is not None
    clock.now = NOW + 600
    assert await newest(store) is None


async def test_each_key_has_its_own_time(store: RedisStore, clock: Clock) -> None:
    """Under one key an event can be gone while it still stands under another."""
    one = event()
    places = Placement(one, (("erp", timedelta(seconds=1)), ("audit", timedelta(days=7))))
    await put(store, places)
    clock.forward(timedelta(days=6))
    assert await newest(store, "erp") is None
    assert await newest(store, "audit") == one.id


async def test_a_key_whose_time_is_up_is_left_out(store: RedisStore) -> None:
    """An event that waited too long in the queue is stored only where it still has time."""
    one = event(at=NOW - 5000)
    places = Placement(one, (("erp", timedelta(seconds=5)), ("audit", timedelta(seconds=6))))
    await put(store, places)
    assert await newest(store, "erp") is None
    assert await newest(store, "audit") == one.id


async def test_an_event_with_no_time_left_is_expired(store: RedisStore) -> None:
    """An event whose every key is out of time ends as expired, and stays so."""
    one = event(at=NOW - 5000)
    late = under(one, "erp", ttl=timedelta(seconds=5))
    assert await store.put("acme", [late]) == [Expired(one.id)]
    assert await store.put("acme", [under(one, "erp", ttl=HOUR)]) == [Stored(one.id, again=True)]
    assert await newest(store) is None


async def test_a_time_of_receipt_in_the_future_is_set_to_now(store: RedisStore) -> None:
    """A sender's clock that runs ahead can't hold the top of a key."""
    ahead, honest = event(at=NOW + 3_600_000), event(at=NOW)
    await put(store, under(ahead, "erp"))
    await put(store, under(honest, "erp"))
    assert await newest(store) == honest.id


async def test_a_dedupe_id_is_stored_once(store: RedisStore) -> None:
    """Of two events of a flow with one dedupe id the second is a duplicate of the first."""
    first, second = event(dedupe_id="d-1"), event(dedupe_id="d-1")
    assert await store.put("acme", [under(first, "erp"), under(second, "erp")]) == [
        Stored(first.id),
        Duplicate(second.id, first.id),
    ]
    third = event(dedupe_id="d-1")
    assert await store.put("acme", [under(third, "erp")]) == [Duplicate(third.id, first.id)]
    assert await newest(store) == first.id


async def test_a_dedupe_id_counts_in_its_flow_only(store: RedisStore) -> None:
    """The same dedupe id in another flow is another event."""
    await put(store, under(event(dedupe_id="d-1"), "erp"))
    await put(store, under(event(dedupe_id="d-1", flow="payments"), "erp"))


async def test_accounts_are_apart(store: RedisStore) -> None:
    """A key of one account shows nothing of another's."""
    await put(store, under(event(), "erp"))
    assert await store.get("other", "erp") is None


async def test_many_gets_at_once_are_each_answered(store: RedisStore) -> None:
    """Gets that are asked for together get each their own entry."""
    ids = {}
    for number in range(200):
        one = event(b"%d" % number)
        ids[f"key-{number}"] = one.id
        await put(store, under(one, f"key-{number}"))
    names = [*ids, "nothing", *ids]
    found = await asyncio.gather(*(newest(store, name) for name in names))
    assert found == [ids.get(name) for name in names]


async def test_a_get_that_is_cancelled_disturbs_no_other(store: RedisStore) -> None:
    """A reader that goes away doesn't take the answers of the others with it."""
    one = event()
    await put(store, under(one, "erp"))
    gone = asyncio.create_task(newest(store))
    stays = asyncio.create_task(newest(store))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == one.id


async def test_expired_entries_never_pile_up(
    store: RedisStore, clock: Clock, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A key that is written for ever and never read stays small."""
    for _ in range(40):
        batch = [under(event(at=clock.now), "erp", ttl=timedelta(seconds=1)) for _ in range(50)]
        await put(store, *batch)
        clock.forward(timedelta(seconds=2))
    assert await direct.zcard(f"{prefix}{{acme}}:k:erp") < 500


@pytest.mark.parametrize("late", [False, True])
async def test_references_stay_for_the_longest_of_their_times(
    store: RedisStore, clock: Clock, direct: "redis.asyncio.Redis", prefix: str, late: bool
) -> None:
    """A key's set goes 5 minutes after the last of its entries, in whatever order they came."""
    seconds, _ = await direct.time()
    clock.now = now = seconds * 1000
    await put(store, *([under(event(at=now), "erp")] if late else []))
    longest = 0
    for hours in (2, 3, 1):
        ttls = [timedelta(hours=hours, minutes=more) for more in (0, 6)]
        await put(store, *(under(event(at=now - 1), "erp", ttl=ttl) for ttl in ttls))
        longest = max(longest, now - 1 + (hours * 60 + 6 + 5) * 60_000)
        for kind in "on" if late else "k":
            name = f"{prefix}{{acme}}:{kind}:erp"
            assert await direct.pexpiretime(name) == longest


async def test_a_live_entry_is_found_below_many_expired_ones(
    store: RedisStore, clock: Clock
) -> None:
    """However many newer entries have expired, a get finds the one that lives."""
    lives = event(at=NOW - 1)
    await put(store, under(lives, "erp"))
    for _ in range(10):
        short = [under(event(), "erp", ttl=timedelta(seconds=1)) for _ in range(60)]
        await put(store, *short)
    clock.forward(timedelta(minutes=1))
    assert await newest(store) == lives.id


async def test_a_reference_without_its_payload_is_passed_over(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """If a payload is gone, a get shows the next entry and never an empty one."""
    older, newer = event(at=NOW - 1), event()
    await put(store, under(older, "erp"), under(newer, "erp"))
    await direct.delete(f"{prefix}{{acme}}:p:{newer.id}")
    assert await newest(store) == older.id


async def test_a_corrupt_payload_is_never_served(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A payload that fails its checksum is an error, not an answer."""
    one = event(b'{"amount": 100}')
    await put(store, under(one, "erp"))
    name = f"{prefix}{{acme}}:p:{one.id}"
    await direct.setrange(name, await direct.strlen(name) - 2, b"9")
    with pytest.raises(Unavailable, match="checksum"):
        await store.get("acme", "erp")


async def test_scripts_are_sent_again_where_they_are_unknown(
    store: RedisStore, forgetful: None
) -> None:
    """A restarted engine has lost its scripts; the store notices nothing of it."""
    del forgetful
    await put(store, under(event(), "erp"))
    assert await newest(store) is not None


async def test_a_full_store_takes_all_of_a_batch_or_nothing(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Out of memory is STORE_FULL, with nothing half-stored, and it heals with the memory."""
    limit = (await direct.config_get("maxmemory"))["maxmemory"]
    assert limit is not None
    one = event(b'"%b"' % (b"x" * 100_000))
    await direct.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable) as caught:
            await store.put("acme", [under(one, "erp", "crm")])
    finally:
        await direct.config_set("maxmemory", limit)
    assert caught.value.code is Code.STORE_FULL
    assert [key async for key in direct.scan_iter(match=f"{prefix}{{acme}}*")] == []
    await put(store, under(one, "erp", "crm"))


async def test_cursors_grow_and_carry_the_epoch(store: RedisStore) -> None:
    """Cursors of one account's entries grow as they are stored."""
    cursors = []
    for _ in range(3):
        await put(store, under(event(), "erp"))
        entry = await store.get("acme", "erp")
        assert entry is not None
        cursors.append(entry.cursor)
    assert cursors == sorted(set(cursors))
    assert len({cursor[:8] for cursor in cursors}) == 1
