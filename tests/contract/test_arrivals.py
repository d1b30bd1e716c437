"""The Arrivals port: who waits is woken by what is stored, once, soon, and through cuts."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
import redis.asyncio
from harness import wait_until
from storing import event, put, put_some, under

from hookrack._redis import Pipe
from hookrack.errors import Code, Unavailable
from hookrack.readers import Leases, Watch
from hookrack.stores.redis import RedisStore
from hookrack.stores.redis_arrivals import RedisArrivals
from leasing import receipts, release, take

LONG = timedelta(seconds=20)
SHORT = timedelta(milliseconds=50)
Make = Callable[..., RedisArrivals]


@pytest.fixture
async def make(url: str, prefix: str) -> AsyncIterator[Make]:
    """Makes the arrivals of one process each."""
    made: list[RedisArrivals] = []

    def one(**more: object) -> RedisArrivals:
        line = Pipe(url)
        line.connect()
        made.append(RedisArrivals(line, url=url, prefix=prefix, **{"limit": 20_000} | more))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for each in made:
        await each.close()


@pytest.fixture
async def arrivals(make: Make) -> RedisArrivals:
    """Those of one process."""
    return make()


async def woken(watch: Watch) -> bool:
    """Whether a watch wakes soon because something came."""
    return await watch.wait(LONG) and watch.woke


async def asleep(watch: Watch) -> bool:
    """Whether a watch sleeps for a moment."""
    return await watch.wait(SHORT) and not watch.woke


async def test_what_is_stored_wakes_who_waits(store: RedisStore, arrivals: RedisArrivals) -> None:
    """Everybody who waits for the key wakes, nobody else does."""
    erp = [await arrivals.watch("acme", "erp", wait=LONG) for _ in range(3)]
    others = [
        await arrivals.watch("acme", "crm", wait=LONG),
        await arrivals.watch("kairos", "erp", wait=LONG),
    ]
    await put(store, under(event(), "audit", "erp"))
    assert all(await asyncio.gather(*map(woken, erp)))
    assert all(await asyncio.gather(*map(asleep, others)))
    assert all(await asyncio.gather(*map(asleep, erp)))


async def test_what_comes_between_two_waits_is_not_missed(
    store: RedisStore, arrivals: RedisArrivals
) -> None:
    """A watch notes what comes while nobody waits on it."""
    watch, other = [await arrivals.watch("acme", "erp", wait=LONG) for _ in range(2)]
    await put_some(store, 1)
    assert await woken(other)
    assert await woken(watch)
    assert await asleep(watch)


async def test_a_wait_ends(arrivals: RedisArrivals) -> None:
    """At the end of its time a watch says so, and is forgotten."""
    watch = await arrivals.watch("acme", "erp", wait=SHORT)
    assert not await watch.wait()
    assert not watch.over
    assert arrivals.waiting == 0


async def test_a_wait_is_ended(arrivals: RedisArrivals) -> None:
    """Who stops a watch ends its wait at once; so does the server that stops, for all."""
    watch = await arrivals.watch("acme", "erp", wait=LONG)
    waiting = asyncio.create_task(watch.wait())
    await asyncio.sleep(0)
    watch.stop()
    assert not await waiting
    assert watch.over
    watch.close()
    last = await arrivals.watch("acme", "erp", wait=LONG)
    arrivals.stop()
    assert not await last.wait()
    assert last.over
    assert not await (await arrivals.watch("acme", "erp", wait=LONG)).wait()


async def test_who_waits_needs_no_task(store: RedisStore, arrivals: RedisArrivals) -> None:
    """A call is made once: when something comes, after the time named, at the end, at a stop."""
    calls: list[str] = []
    watch = await arrivals.watch("acme", "erp", wait=LONG)
    assert watch.then(lambda: calls.append("came"))
    await put_some(store, 2)
    await wait_until(lambda: bool(calls), what="the call")
    assert watch.awake()
    assert watch.woke
    assert watch.then(lambda: calls.append("late"), at_most=SHORT)
    await wait_until(lambda: "late" in calls, what="the second call")
    assert watch.awake()
    assert watch.then(lambda: calls.append("over"))
    watch.stop()
    assert not watch.awake()
    assert not watch.then(lambda: calls.append("never"))
    watch.close()
    short = await arrivals.watch("acme", "erp", wait=SHORT)
    assert short.then(lambda: calls.append("end"))
    await wait_until(lambda: "end" in calls, what="the end")
    assert not short.awake()
    assert calls == ["came", "late", "over", "end"]


async def test_there_are_only_so_many(make: Make) -> None:
    """One above the limit is refused with a time to come back; one that leaves makes room."""
    arrivals = make(limit=2)
    first, _ = [await arrivals.watch("acme", "erp", wait=LONG) for _ in range(2)]
    with pytest.raises(Unavailable) as caught:
        await arrivals.watch("acme", "erp", wait=LONG)
    assert caught.value.code is Code.TOO_MANY_WAITERS
    assert caught.value.retry_after >= 1
    first.close()
    first.close()
    await arrivals.watch("acme", "erp", wait=LONG)
    assert arrivals.waiting == 2


async def test_leases_wake_those_who_lease(
    store: RedisStore, leases: Leases, arrivals: RedisArrivals
) -> None:
    """What is given back wakes who waits to lease, not who waits to read; so does an ack in order,
    and a redrive.
    """
    await put_some(store, 2)
    reader = await arrivals.watch("acme", "erp", wait=LONG)
    leaser = await arrivals.watch("acme", "erp", wait=LONG, leases=True)
    held = receipts(await take(leases, 1, ordered=True))
    await release(leases, held)
    assert await woken(leaser)
    (held_again,) = await take(leases, 1, ordered=True)
    await leases.ack("acme", "erp", group="g", receipts=[held_again.receipt])
    assert await woken(leaser)
    await release(leases, receipts(await take(leases, 1)))
    assert await woken(leaser)
    assert await take(leases, 1, max_attempts=1) == []
    assert await leases.redrive("acme", "erp", group="g") == 1
    assert await woken(leaser)
    assert await asleep(reader)


async def test_an_ack_out_of_order_wakes_nobody(
    store: RedisStore, leases: Leases, arrivals: RedisArrivals
) -> None:
    """Where nobody ever read in order, an ack makes nothing available."""
    await put_some(store, 2)
    leaser = await arrivals.watch("acme", "erp", wait=LONG, leases=True)
    await leases.ack("acme", "erp", group="g", receipts=receipts(await take(leases, 1)))
    assert await asleep(leaser)


async def test_one_line_serves_all(
    arrivals: RedisArrivals, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A thousand readers are one subscribed connection, and one channel for each account."""
    for number in range(1000):
        await arrivals.watch(f"a{number % 2}", f"k{number}", wait=LONG)
    channels = [f"{prefix}{{a{number}}}:new" for number in range(2)]
    assert [count for _, count in await direct.pubsub_numsub(*channels)] == [1, 1]
    lines = [each for each in await direct.client_list() if int(each["sub"]) >= 2]
    assert len(lines) == 1


async def test_a_cut_line_is_found_again(
    store: RedisStore, arrivals: RedisArrivals, direct: "redis.asyncio.Redis"
) -> None:
    """After a cut everybody looks for himself, and is woken again by what is stored later."""
    watches = [await arrivals.watch("acme", key, wait=LONG) for key in ("erp", "crm")]
    for each in await direct.client_list():
        if int(each["sub"]):
            await direct.client_kill_filter(_id=each["id"])
    assert all(await asyncio.gather(*map(woken, watches)))
    await put_some(store, 1)
    assert await woken(watches[0])


async def test_a_lost_message_is_made_up_for(
    make: Make, store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """What is stored without a word wakes who waits all the same, by two looks at the sequence;
    as long as nothing is lost, nobody is woken by them.
    """
    arrivals = make(recheck=timedelta(milliseconds=20))
    await put_some(store, 1, "crm")
    watch = await arrivals.watch("acme", "erp", wait=LONG)
    assert await watch.wait(SHORT * 4)
    assert not watch.woke
    await direct.incr(f"{prefix}{{acme}}:seq")
    assert await woken(watch)
    assert await watch.wait(SHORT * 4)
    assert not watch.woke


async def test_channels_without_readers_are_left(
    make: Make, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """When nobody waits any more the subscription ends, and with it every look at the store."""
    arrivals = make(recheck=timedelta(milliseconds=20))
    watch = await arrivals.watch("acme", "erp", wait=LONG)
    channel = f"{prefix}{{acme}}:new"

    async def count() -> int:
        ((_, found),) = await direct.pubsub_numsub(channel)
        return int(found)

    assert await count() == 1
    watch.close()

    async def left() -> bool:
        return await count() == 0

    await wait_until(left, what="the end of the subscription")
    again = await arrivals.watch("acme", "erp", wait=LONG)
    assert await count() == 1
    again.close()


async def test_a_reader_costs_little(make: Make) -> None:
    """A watch that waits takes less than half a KB, or 2 KB with a task that waits for it."""
    arrivals = make()
    await arrivals.watch("acme", "warm", wait=LONG)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        watches = [await arrivals.watch("acme", f"k{n}", wait=LONG) for n in range(1000)]
        bare, _ = tracemalloc.get_traced_memory()
        waits = [asyncio.ensure_future(watch.wait()) for watch in watches]
        await asyncio.sleep(0)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (bare - before) / 1000 <= 512
    assert (after - before) / 1000 <= 2048
    for watch in watches:
        watch.close()
    assert not any(await asyncio.gather(*waits))


async def test_a_store_that_is_away_refuses_to_be_waited_for(short_path_url: str) -> None:
    """Nobody waits for what can't tell him anything."""
    line = Pipe(short_path_url)
    arrivals = RedisArrivals(line, url=short_path_url, prefix="t:", limit=1)
    with pytest.raises(Unavailable):
        await arrivals.watch("acme", "erp", wait=LONG)
    assert arrivals.waiting == 0
    await arrivals.close()


@pytest.fixture
def short_path_url() -> str:
    """Where no engine listens."""
    return "redis://127.0.0.1:1"
