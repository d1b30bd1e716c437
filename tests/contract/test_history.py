"""A key's history: storing order, pages, cursors; a reader that follows misses nothing."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import redis.asyncio
from storing import (
    HOUR,
    NOW,
    PLENTY,
    Clock,
    event,
    follow,
    ids,
    page,
    put,
    put_some,
    told,
    under,
)

from hookrack._redis import Pipe
from hookrack.errors import Code, Rejected, Unavailable
from hookrack.model import Event
from hookrack.stores.redis import RedisStore

SECOND = timedelta(seconds=1)


async def put_mixed(store: RedisStore, count: int, *, seed: int = 7) -> list[str]:
    """Events with times of receipt all over the last second, one by one; ids in storing order."""
    chance = random.Random(seed)
    stored = []
    for number in range(count):
        one = event(b"%d" % number, at=NOW - chance.choice((0, 0, 1, 5, 400, 999)))
        await put(store, under(one, "erp"))
        stored.append(one.id)
    return stored


async def refused(store: RedisStore, cursor: str, account: str = "acme") -> str:
    """Why a cursor is refused."""
    with pytest.raises(Rejected) as caught:
        await store.history(account, "erp", after=cursor, limit=10, max_bytes=PLENTY)
    assert caught.value.code is Code.CURSOR_INVALID
    assert caught.value.problem.status == 410
    return caught.value.detail


async def test_entries_come_in_storing_order(store: RedisStore) -> None:
    """Late arrivals and ties stand where they were stored, not where they were received."""
    stored = await put_mixed(store, 60)
    assert await told(store) == stored


async def test_a_history_has_whole_entries(store: RedisStore) -> None:
    """What stands in a history is the entry that get would give, cursor and all."""
    await put(store, under(event(b'{"a":  1}', at=NOW - 7), "erp", "crm"))
    (entry,) = (await page(store)).entries
    assert entry == await store.get("acme", "erp")
    (other,) = (await page(store, "crm")).entries
    assert (other.webhook_key, other.cursor) == ("crm", entry.cursor)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 59, 60, 61])
async def test_small_pages_make_up_the_large_one(store: RedisStore, limit: int) -> None:
    """However small the pages are, following them gives all entries once and in order."""
    stored = await put_mixed(store, 60)
    assert await follow(store, limit=limit) == stored


async def test_more_says_whether_something_follows(store: RedisStore) -> None:
    """A page that ends with the last entry says so, a page before it says the contrary."""
    stored = await put_some(store, 4)
    full = await page(store, limit=4)
    assert (ids(full), full.more) == (stored, False)
    part = await page(store, limit=3)
    assert (ids(part), part.more) == (stored[:3], True)
    rest = await page(store, after=part.cursor)
    assert (ids(rest), rest.more) == (stored[3:], False)
    assert rest.cursor == rest.entries[-1].cursor


async def test_more_does_not_count_the_dead(store: RedisStore, clock: Clock) -> None:
    """Expired entries behind a page are nothing that follows."""
    (lives,) = await put_some(store, 1)
    await put(store, *(under(event(), "erp", ttl=SECOND) for _ in range(5)))
    clock.forward(SECOND)
    found = await page(store, limit=1)
    assert (ids(found), found.more) == ([lives], False)


async def test_an_empty_page_keeps_its_cursor(store: RedisStore) -> None:
    """With nothing new the cursor stays, and what is stored then follows it."""
    await put_some(store, 2)
    end = (await page(store)).cursor
    again = await page(store, after=end)
    assert (again.entries, again.cursor, again.more) == ((), end, False)
    later = await put_some(store, 2)
    assert await follow(store, after=end) == later


async def test_a_cursor_from_nothing_means_from_here_on(store: RedisStore) -> None:
    """A page of a key that has no entry gives a cursor that later entries follow."""
    fresh = await page(store)
    assert (fresh.entries, fresh.more) == ((), False)
    await put_some(store, 3, "crm")
    begin = await page(store)
    stored = await put_some(store, 3)
    assert await follow(store, after=begin.cursor) == stored
    assert await follow(store, after=fresh.cursor) == stored


async def test_a_cursor_from_nothing_skips_what_was_before(store: RedisStore, clock: Clock) -> None:
    """From here on: what had expired, and under other keys what was stored before, isn't told."""
    await put(store, under(event(), "crm"), under(event(), "erp", ttl=SECOND))
    clock.forward(SECOND)
    here = (await page(store)).cursor
    (later,) = await put_some(store, 1, "erp", "crm")
    assert await follow(store, after=here) == [later]
    assert await follow(store, "crm", after=here) == [later]


async def test_a_cursor_of_another_key_is_the_same_place(store: RedisStore) -> None:
    """Cursors are places in the order of an account: under another key what follows is told."""
    await put_some(store, 2, "crm")
    entry = await store.get("acme", "crm")
    assert entry is not None
    later = await put_some(store, 2, "erp", "audit")
    assert await follow(store, "erp", after=entry.cursor) == later
    assert await follow(store, "audit", after=entry.cursor) == later
    assert await follow(store, "crm", after=entry.cursor) == []


async def test_entries_that_expire_between_pages_are_passed_over(
    store: RedisStore, clock: Clock
) -> None:
    """What dies while a reader pages is left out; the rest is told once, from either set."""
    lives: list[str] = []
    dies: list[str] = []
    for number in range(40):
        one = event(at=NOW - number % 3)
        await put(store, under(one, "erp", ttl=SECOND if number % 2 else HOUR))
        (dies if number % 2 else lives).append(one.id)
    first = await page(store, limit=10)
    assert ids(first) == [each for pair in zip(lives[:5], dies[:5], strict=True) for each in pair]
    clock.forward(SECOND)
    assert await follow(store, after=first.cursor, limit=3) == lives[5:]
    assert await told(store) == lives


async def test_the_cursor_of_an_expired_entry_still_holds(store: RedisStore, clock: Clock) -> None:
    """A reader whose last entry has expired, or was purged, goes on from its place."""
    await put(store, under(event(), "erp", ttl=SECOND))
    (purged,) = await put_some(store, 1)
    first, second = (await page(store)).entries
    later = await put_some(store, 3)
    clock.forward(SECOND)
    assert await store.delete("acme", "erp", event_id=purged) == 1
    assert await follow(store, after=first.cursor) == later
    assert await follow(store, after=second.cursor) == later


async def test_a_page_stops_at_its_bytes(store: RedisStore) -> None:
    """A page holds as many entries as its bytes allow, and says that more follow."""
    for _ in range(10):
        await put(store, under(event(b'"%b"' % (b"x" * 10_000)), "erp"))
    found = await page(store, max_bytes=35_000)
    assert (len(found.entries), found.more) == (3, True)
    total = len(found.entries)
    while found.more:
        found = await page(store, max_bytes=35_000, after=found.cursor)
        total += len(found.entries)
    assert total == 10


async def test_a_page_has_at_least_one_entry(store: RedisStore) -> None:
    """An entry larger than the whole page comes alone."""
    stored = []
    for size in (10, 50_000, 10):
        one = event(b'"%b"' % (b"x" * size))
        await put(store, under(one, "erp"))
        stored.append(one.id)
    first = await page(store, max_bytes=1)
    second = await page(store, max_bytes=1, after=first.cursor)
    third = await page(store, max_bytes=1, after=second.cursor)
    assert [ids(each) for each in (first, second, third)] == [[each] for each in stored]
    assert [each.more for each in (first, second, third)] == [True, True, False]


async def test_since_begins_with_what_was_stored_then(store: RedisStore, clock: Clock) -> None:
    """A reader without a cursor begins at a time: that of storing, not that of receipt."""
    await put_some(store, 2)
    clock.forward(SECOND)
    late = await put_some(store, 2, at=NOW - 500)
    clock.forward(SECOND)
    last = await put_some(store, 2, at=NOW + 2000)
    assert ids(await page(store, since=NOW + 1)) == late + last
    assert ids(await page(store, since=NOW + 1000)) == late + last
    assert ids(await page(store, since=NOW + 1001)) == last
    assert len(await told(store)) == len(ids(await page(store, since=NOW))) == 6
    assert len(ids(await page(store, since=0))) == 6


async def test_since_a_time_to_come_means_from_here_on(store: RedisStore, clock: Clock) -> None:
    """A reader whose clock runs ahead asks from a time to come; he misses nothing for it."""
    await put_some(store, 2)
    ahead = await page(store, since=NOW + 3_600_000)
    assert (ahead.entries, ahead.more) == ((), False)
    clock.forward(SECOND)
    later = await put_some(store, 2)
    assert await follow(store, after=ahead.cursor) == later
    assert (await page(store, since=2**62)).entries == ()


async def test_of_cursor_and_time_the_later_place_counts(store: RedisStore, clock: Clock) -> None:
    """With both, entries follow the cursor and were stored at the time or later."""
    await put_some(store, 2)
    early = (await page(store, limit=1)).cursor
    clock.forward(SECOND)
    stored = await put_some(store, 2)
    assert ids(await page(store, after=early, since=NOW + 1000)) == stored
    last = (await page(store)).cursor
    assert (await page(store, after=last, since=NOW)).entries == ()


async def test_the_order_holds_when_the_clock_goes_back(store: RedisStore, clock: Clock) -> None:
    """A store whose clock was set back goes on behind its last entry; `since` leaves none out."""
    before = await put_some(store, 3)
    end = (await page(store)).cursor
    clock.forward(-timedelta(minutes=10))
    after = await put_some(store, 3, at=clock.now)
    assert await told(store) == before + after
    assert await follow(store, after=end) == after
    assert set(ids(await page(store, since=clock.now))) >= set(after)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "A" * 18, "!" * 18, "A" * 17 + "B", "A" * 4000, "ä" * 18, "_" * 18, "A" * 19],
)
async def test_what_is_no_cursor_is_refused(store: RedisStore, cursor: str) -> None:
    """Garbage is told from a place, whatever it is."""
    await put_some(store, 1)
    await refused(store, cursor)


async def test_a_cursor_from_before_a_restore_is_refused(
    store: RedisStore, pipe: Pipe, prefix: str, clock: Clock
) -> None:
    """A restored store has a new epoch, in which old places mean nothing."""
    await put_some(store, 1)
    old = (await page(store)).cursor
    restored = RedisStore(pipe, prefix=prefix, epoch=b"newone", now=clock)
    assert "restore" in await refused(restored, old)
    assert len((await page(restored, since=NOW)).entries) == 1


async def test_a_cursor_of_another_account_is_refused(store: RedisStore) -> None:
    """A place in one account's order is none in another's."""
    await put_some(store, 1)
    assert "account" in await refused(store, (await page(store)).cursor, account="kairos")


async def test_histories_are_apart(store: RedisStore) -> None:
    """A history shows nothing of another key or another account."""
    await put_some(store, 3)
    assert await told(store, "crm") == []
    assert (await store.history("kairos", "erp", limit=10, max_bytes=PLENTY)).entries == ()


async def test_thousands_of_dead_are_passed_and_cleared(
    store: RedisStore, clock: Clock, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Expired references in any number hide no live one, and one reading clears away most."""
    lives = [event(), event(at=NOW - 2), event()]
    await put(store, *(under(one, "erp", ttl=SECOND * 1.01) for one in lives[:2]))
    for batch in range(50):
        at = NOW - batch % 2
        short = [under(event(at=at), "erp", ttl=SECOND) for _ in range(64)]
        short += [under(event(at=NOW - 1), "erp", ttl=SECOND)]
        await put(store, *short)
    await put(store, under(lives[2], "erp"))
    clock.forward(SECOND)
    assert await told(store) == [one.id for one in lives]
    tag = f"{prefix}{{acme}}"
    ordered, others, by_receipt = [await direct.zcard(f"{tag}:{each}:erp") for each in "kon"]
    assert ordered + others < 3 + 256
    assert others == by_receipt
    assert await told(store) == [one.id for one in lives]


async def test_a_reference_without_its_payload_is_left_out(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """If a payload is gone, its entry is passed over."""
    stored = await put_some(store, 3)
    await direct.delete(f"{prefix}{{acme}}:p:{stored[1]}")
    assert await follow(store, limit=1) == [stored[0], stored[2]]


async def test_a_corrupt_payload_is_named(
    store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A history stops at a payload that fails its checksum, by name; purged, it goes on."""
    stored = await put_some(store, 3)
    await direct.setrange(f"{prefix}{{acme}}:p:{stored[1]}", 60, b"?")
    with pytest.raises(Unavailable, match=stored[1]):
        await told(store)
    await store.delete("acme", "erp", event_id=stored[1])
    assert await told(store) == [stored[0], stored[2]]


async def test_scripts_are_sent_again_where_they_are_unknown(
    store: RedisStore, forgetful: None
) -> None:
    """A restarted engine has lost its scripts; a reader notices nothing of it."""
    del forgetful
    stored = await put_some(store, 2)
    assert await told(store) == stored


@pytest.fixture
async def writers(url: str, prefix: str) -> AsyncIterator[list[RedisStore]]:
    """Three stores on connections of their own, by the server's clock."""
    stores = []
    for _ in range(3):
        line = Pipe(url)
        line.connect()
        stores.append(await RedisStore.open(line, prefix=prefix))
    yield stores
    for each in stores:
        await each.close()


async def test_a_follower_misses_nothing_and_sees_nothing_twice(
    writers: list[RedisStore],
) -> None:
    """While writers store on time and late, a reader that follows gets each entry just once."""
    reader, *others = writers
    chance = random.Random(11)
    written: list[str] = []
    begin = (await page(reader)).cursor

    def fresh() -> Event:
        """An event of now, or of up to 50 ms ago."""
        return event(at=time.time_ns() // 1_000_000 - chance.choice((0, 0, 0, 3, 50)))

    async def write(store: RedisStore) -> None:
        for _ in range(150):
            batch = [fresh() for _ in range(chance.choice((1, 1, 5)))]
            await put(store, *(under(one, "erp") for one in batch))
            written.extend(one.id for one in batch)
            await asyncio.sleep(0)

    async def read(limit: int) -> list[str]:
        found: list[str] = []
        after = begin
        while True:
            done = writing.done()
            one = await page(reader, after=after, limit=limit)
            found += ids(one)
            after = one.cursor
            if done and not one.more:
                return found
            await asyncio.sleep(0)

    writing = asyncio.gather(*(write(store) for store in others))
    small, large = await asyncio.gather(read(3), read(100))
    await writing
    assert small == large == await told(reader)
    assert len(small) == len(set(small)) == len(written)
    assert set(small) == set(written)
