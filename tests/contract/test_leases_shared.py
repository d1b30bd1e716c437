"""Many readers of one group at the same time, by the engine's own clock."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from storing import event, under

from hookrack._redis import Pipe
from hookrack.readers import Leased
from hookrack.stores.redis import RedisStore
from hookrack.stores.redis_leases import RedisLeases
from leasing import ack, receipts, take

READERS = 16
ENTRIES = int(os.environ.get("HOOKRACK_LEASES", "5000"))
LONG = timedelta(hours=1)
SHORT = timedelta(milliseconds=40)


@pytest.fixture
async def sharing(url: str, prefix: str) -> AsyncIterator[tuple[RedisStore, list[RedisLeases]]]:
    """A store by the engine's clock, and readers on connections of their own."""
    lines = [Pipe(url) for _ in range(READERS + 1)]
    for line in lines:
        line.connect()
    store = await RedisStore.open(lines[0], prefix=prefix)
    yield store, [RedisLeases(each, prefix=prefix, epoch=store.epoch) for each in lines[1:]]
    for line in lines:
        await line.close()


async def fill(store: RedisStore, count: int) -> None:
    """Store so many entries under `erp`."""
    for at in range(0, count, 50):
        await store.put("acme", [under(event(b"1"), "erp") for _ in range(min(50, count - at))])


async def test_nobody_gets_what_another_holds(
    sharing: tuple[RedisStore, list[RedisLeases]],
) -> None:
    """Readers that lease at the same time get each entry once between them."""
    store, readers = sharing
    await fill(store, ENTRIES)
    handed: Counter[str] = Counter()

    async def read(leases: RedisLeases) -> None:
        while held := await take(leases, 7):
            handed.update(each.entry.event_id for each in held)
            assert await ack(leases, receipts(held)) == len(held)

    await asyncio.gather(*map(read, readers))
    assert len(handed) == ENTRIES
    assert set(handed.values()) == {1}


async def test_any_number_is_held_at_the_same_time(
    sharing: tuple[RedisStore, list[RedisLeases]],
) -> None:
    """All entries are held at once, each by one reader; nothing is left to lease, all is acked."""
    store, readers = sharing
    await fill(store, ENTRIES)

    async def hold(leases: RedisLeases) -> list[Leased]:
        mine: list[Leased] = []
        while held := await take(leases, 100, span=LONG):
            mine += held
        return mine

    shares = await asyncio.gather(*map(hold, readers))
    held = {each.entry.event_id for mine in shares for each in mine}
    assert len(held) == sum(map(len, shares)) == ENTRIES
    (group,) = await readers[0].groups("acme", "erp")
    assert (group.held, group.returned) == (ENTRIES, 0)
    for leases, mine in zip(readers, shares, strict=True):
        given = receipts(mine)
        for at in range(0, len(given), 1000):
            some = given[at : at + 1000]
            assert await ack(leases, some) == len(some)
    assert await take(readers[0], 1) == []


async def test_short_leases_are_not_held_twice(
    sharing: tuple[RedisStore, list[RedisLeases]],
) -> None:
    """With leases that end all the time, one goes out again only once the one before has ended."""
    store, readers = sharing
    await fill(store, 300)
    until: dict[str, int] = {}
    acked: set[str] = set()
    again = 0

    async def read(leases: RedisLeases) -> None:
        nonlocal again
        while len(acked) < 300:
            for each in await take(leases, 3, span=SHORT):
                name = each.entry.event_id
                assert name not in acked
                again += each.attempt > 1
                began = each.until - SHORT // timedelta(milliseconds=1)
                assert began >= until.get(name, 0)
                until[name] = each.until
                if each.attempt > 1 and await ack(leases, [each.receipt]):
                    acked.add(name)

    await asyncio.wait_for(asyncio.gather(*map(read, readers)), 30)
    assert again >= 300
