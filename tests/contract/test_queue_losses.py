"""What a Queue does about workers that are lost: leases come back, and a killer takes no others."""

from datetime import timedelta
from pathlib import Path

import pytest
import redis.asyncio
from queueing import Consumer, bodies, failed, receive, send

import hookrack.queues
from hookrack._redis import Pipe, Script
from hookrack.model import Delivery
from hookrack.queues.redis_keys import BULK, GROUP, PARTITIONS, partition_of
from hookrack.queues.redis_streams import ALONE_AFTER, RedisStreams

NO_WAIT = timedelta(0)


async def lose(queue: RedisStreams, *, times: int = 1) -> None:
    """Lease all that is there and lose the worker, so many times over."""
    for _ in range(times):
        while await queue.receive(1000, wait=NO_WAIT):
            pass
        await queue.recover()


async def test_giving_back_counts_no_crash(consumer: Consumer) -> None:
    """What a worker gives back comes to the next one at once, as if it had never been leased."""
    one, two = consumer("one"), consumer("two")
    await send(one, b"a", b"b")
    assert len(await bodies(one)) == 2
    assert await one.give_back() == 2
    found = await two.receive(10, wait=NO_WAIT)
    assert [(each.attempts, each.crashes) for each in found] == [(0, 0), (0, 0)]
    assert await one.give_back() == 0


async def test_giving_back_leaves_a_retry_its_delay(queue: RedisStreams) -> None:
    """A failed envelope that waits for its next attempt waits on when its worker stops."""
    await send(queue, b"a")
    (delivery,) = await queue.receive(10, wait=NO_WAIT)
    await queue.retry([failed(delivery)], delay=timedelta(seconds=60))
    assert await queue.give_back() == 1
    await queue.recover()
    assert await bodies(queue) == []


async def test_a_worker_that_stops_twenty_times_harms_nothing(queue: RedisStreams) -> None:
    """However often an envelope is given back, it isn't suspected of anything."""
    await send(queue, b"a", b"b")
    for _ in range(20):
        assert len(await bodies(queue)) == 2
        await queue.give_back()
        await queue.recover()
    assert [each.crashes for each in await queue.receive(10, wait=NO_WAIT)] == [0, 0]


async def test_many_leases_come_back(queue: RedisStreams) -> None:
    """However many leases a lost worker held, all of them come back."""
    for place in range(1050):
        await send(queue, b"%d" % place, account=f"account-{place % 3}")
    while await bodies(queue, 1000):
        pass
    assert await queue.recover() == 1050


async def test_extending_does_not_put_off_a_retry(
    queue: RedisStreams, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A batch that is extended while one of it waits for its next attempt doesn't delay that."""
    await send(queue, b"a")
    (delivery,) = await queue.receive(10, wait=NO_WAIT)
    await queue.retry([failed(delivery)], delay=timedelta(seconds=1))
    await queue.extend([delivery])
    partition, _, entry = delivery.receipt.partition(":")
    (pending,) = await direct.xpending_range(f"{prefix}{{q}}:s:{partition}", GROUP, entry, entry, 1)
    assert int(pending["time_since_delivered"]) > 25_000
    (again,) = await receive(queue)
    assert again.attempts == 1


async def test_large_batches_are_settled_whole(queue: RedisStreams) -> None:
    """A batch of more than one script's share is settled to the last."""
    await send(queue, *[b"%d" % place for place in range(350)])
    batch = await queue.receive(1000, wait=NO_WAIT)
    assert len(batch) == 350
    assert await queue.retry([failed(each) for each in batch[:150]], delay=NO_WAIT) == 150
    assert await queue.bury([failed(each) for each in batch[150:280]]) == 130
    assert await queue.ack(batch[280:]) == 70
    assert (await queue.stats()).depth == 150


async def test_a_suspect_comes_alone(queue: RedisStreams) -> None:
    """What was lost with its worker twice is handed over by itself, one after the other."""
    await send(queue, *[b"%d" % place for place in range(25)])
    await send(queue, *[b"other %d" % place for place in range(25)], account="other")
    await lose(queue, times=ALONE_AFTER - 1)
    found = await queue.receive(100, wait=NO_WAIT)
    assert len(found) > 1
    assert {each.crashes for each in found} == {ALONE_AFTER - 1}
    await queue.recover()
    await lose(queue)
    seen: list[Delivery] = []
    while batch := await queue.receive(100, wait=NO_WAIT):
        if any(each.crashes >= ALONE_AFTER for each in batch):
            assert len(batch) == 1
        seen += batch
        assert await queue.ack(batch) == len(batch)
    assert len({each.body for each in seen}) == 50
    assert (await queue.stats()).depth == 0


async def test_only_one_suspect_is_out_at_a_time(consumer: Consumer) -> None:
    """While one worker tries a suspect no other gets one, so a kill counts against one alone; what
    isn't suspected goes on meanwhile.
    """
    one, two = consumer("one"), consumer("two")
    await send(one, b"killer", b"innocent")
    await lose(one, times=ALONE_AFTER)
    assert await bodies(one) == [b"killer"]
    await send(two, b"fresh")
    await two.recover()
    assert await bodies(two) == [b"fresh"]
    assert await bodies(one) == []
    for _ in range(5):
        await one.recover()
        assert await bodies(one) == [b"killer"]
    await one.recover()
    await one.bury([failed(each) for each in await one.receive(10, wait=NO_WAIT)])
    (innocent,) = await receive(one)
    assert (innocent.body, innocent.crashes) == (b"innocent", ALONE_AFTER)


async def test_a_suspect_that_failed_holds_up_no_other(consumer: Consumer) -> None:
    """A suspect that waits for its next attempt isn't being tried: the next one may be."""
    one, two = consumer("one"), consumer("two")
    await send(one, b"a", b"b")
    await lose(one, times=ALONE_AFTER)
    (first,) = await one.receive(10, wait=NO_WAIT)
    await one.retry([failed(first)], delay=timedelta(seconds=60))
    await two.recover()
    assert [each.body for each in await receive(two)] == [b"b"]


async def test_only_consumers_without_leases_are_forgotten(
    consumer: Consumer, pipe: Pipe, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Consumers of processes long gone are cleaned up, but none that still holds a lease."""
    idle, holder, asking = consumer("idle"), consumer("holder"), consumer("asking")
    streams = [f"{prefix}{{q}}:s:{place}" for place in range(PARTITIONS + BULK)]
    stream = streams[partition_of("acme")]
    await send(idle, b"a", b"b")
    await idle.ack(await idle.receive(1, wait=NO_WAIT))
    assert len(await bodies(holder)) == 1
    await bodies(asking)
    folder = Path(hookrack.queues.__file__).parent
    sweep = Script(folder / "sweep.lua")
    assert await sweep.run(pipe, streams, [GROUP, "asking", 60_000]) == 0
    assert await sweep.run(pipe, streams, [GROUP, "asking", 0]) > 0
    left = {each["name"] for each in await direct.xinfo_consumers(stream, GROUP)}
    assert b"holder" in left
    assert b"idle" not in left
    assert (await asking.stats()).in_flight == 1


@pytest.mark.parametrize("how", ["recover", "give_back"])
async def test_there_may_be_nothing_to_take_back(queue: RedisStreams, how: str) -> None:
    """The very first worker, before any group, finds nothing to take back."""
    assert await getattr(queue, how)() == 0
