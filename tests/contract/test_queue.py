"""What Redis Streams promise beyond `test_queue_anywhere.py`: order, counts, turns, bounds."""

import asyncio
import json
from datetime import timedelta

import pytest
import redis.asyncio
from queueing import Consumer, bodies, failed, receive, send

from hookrack.errors import Code, Unavailable
from hookrack.model import Delivery
from hookrack.ports import Failure
from hookrack.queues.redis_keys import GROUP
from hookrack.queues.redis_streams import BATCH_BYTES, RedisStreams

NO_WAIT = timedelta(0)
SHORT = timedelta(seconds=1)


async def test_what_is_sent_is_received_byte_for_byte(queue: RedisStreams) -> None:
    """An envelope comes out of the queue as it went in, whatever its bytes."""
    sent = [b"{}", bytes(range(256)), b"x" * 300_000]
    await send(queue, *sent)
    assert sorted(await bodies(queue)) == sorted(sent)


async def test_what_was_sent_before_any_worker_came_is_received(queue: RedisStreams) -> None:
    """Envelopes wait for the first worker ever."""
    await send(queue, b"early")
    assert await bodies(queue) == [b"early"]


async def test_one_accounts_events_come_in_the_order_they_were_sent(queue: RedisStreams) -> None:
    """Envelopes of one account are handed over first in, first out."""
    sent = [b"%d" % number for number in range(50)]
    await send(queue, *sent)
    assert await bodies(queue) == sent


async def test_a_lease_that_ends_hands_the_envelope_over_again(consumer: Consumer) -> None:
    """What a lost worker held comes to another one, counted as a crash and not as an attempt."""
    lost, next_one = consumer("lost", lease=SHORT), consumer("next", lease=SHORT)
    await send(lost, b"a")
    assert await bodies(lost) == [b"a"]
    (delivery,) = await receive(next_one)
    assert (delivery.body, delivery.attempts, delivery.crashes) == (b"a", 0, 1)


async def test_extending_keeps_the_lease(
    consumer: Consumer, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A slow worker that extends its lease keeps the envelope, and no count grows by it."""
    slow = consumer("slow")
    await send(slow, b"a")
    (delivery,) = await slow.receive(10, wait=NO_WAIT)
    stream = f"{prefix}{{q}}:s:{delivery.receipt[0]}"
    entry = delivery.receipt[2:]
    await direct.xclaim(stream, GROUP, "slow", 0, [entry], idle=29_000, justid=True)
    assert await slow.extend([delivery]) == 1
    (pending,) = await direct.xpending_range(stream, GROUP, "-", "+", 1)
    assert int(pending["time_since_delivered"]) < 25_000
    assert pending["times_delivered"] == 1


async def test_a_retry_comes_back_after_its_delay_one_attempt_older(queue: RedisStreams) -> None:
    """A retried envelope is hidden for its delay and then counts one attempt more."""
    await send(queue, b"a")
    (first,) = await queue.receive(10, wait=NO_WAIT)
    assert await queue.retry([failed(first)], delay=timedelta(milliseconds=300)) == 1
    assert await bodies(queue) == []
    (second,) = await receive(queue)
    assert (second.body, second.attempts, second.crashes) == (b"a", 1, 0)
    await queue.retry([failed(second)], delay=NO_WAIT)
    (third,) = await receive(queue)
    assert third.attempts == 2


async def test_a_delay_longer_than_the_lease_is_kept(consumer: Consumer) -> None:
    """A retry's delay may be longer than a lease lasts."""
    queue = consumer(lease=SHORT)
    await send(queue, b"a")
    (first,) = await queue.receive(10, wait=NO_WAIT)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await queue.retry([failed(first)], delay=timedelta(seconds=2.5))
    (second,) = await receive(queue)
    assert loop.time() - began >= 2.4
    assert second.attempts == 1


async def test_an_outage_spends_no_attempt(queue: RedisStreams) -> None:
    """A retry for a failure that is nobody's fault leaves the count of attempts alone."""
    await send(queue, b"a")
    (first,) = await queue.receive(10, wait=NO_WAIT)
    await queue.retry([failed(first, spends_attempt=False)], delay=NO_WAIT)
    (second,) = await receive(queue)
    assert second.attempts == 0


async def test_a_buried_envelope_is_a_dead_letter_with_its_reason(
    queue: RedisStreams, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Burying takes the envelope off the queue and keeps it, whole, with why and when."""
    await send(queue, b"\x00no envelope")
    (delivery,) = await queue.receive(10, wait=NO_WAIT)
    dead = Failure(delivery, Code.ENVELOPE_INVALID, "expected {", event_id=None)
    assert await queue.bury([dead]) == 1
    assert (await queue.stats()).depth == 0
    letter = f"{prefix}{{q}}:dl:{delivery.receipt.replace(':', '-')}"
    assert await direct.zcard(f"{prefix}{{q}}:dl") == 1
    kept = await direct.hgetall(letter)
    record = json.loads(kept[b"record"])
    assert kept[b"envelope"] == b"\x00no envelope"
    assert (record["reason"], record["detail"]) == ("ENVELOPE_INVALID", "expected {")
    assert record["attempts"] == 1
    assert record["firstFailedAt"] == record["lastFailedAt"]


async def test_recover_takes_back_what_this_consumer_left(consumer: Consumer) -> None:
    """A worker that starts again under its name gets at once what it held when it died."""
    await send(consumer("one"), *[b"%d" % number for number in range(120)])
    assert len(await bodies(consumer("one"), 100)) == 100
    again = consumer("one")
    assert await again.recover() == 100
    found: list[Delivery] = []
    while more := await again.receive(50, wait=NO_WAIT):
        found += more
    assert len({delivery.body for delivery in found}) == 120
    assert sum(delivery.crashes for delivery in found) == 100


async def test_accounts_take_turns(queue: RedisStreams) -> None:
    """One account's burst doesn't hold up another's single event."""
    await send(queue, *[b"burst"] * 500, account="loud")
    await send(queue, b"quiet", account="quiet")
    assert b"quiet" in await bodies(queue, 10)


async def test_a_batch_is_bounded_by_bytes(queue: RedisStreams) -> None:
    """A batch ends when its bytes are used up, but carries at least one envelope."""
    await send(queue, *[b"x" * (BATCH_BYTES // 2)] * 5)
    assert [len(batch) for batch in [await bodies(queue) for _ in range(3)]] == [2, 2, 1]
    await send(queue, b"x" * (BATCH_BYTES * 2))
    assert len(await bodies(queue)) == 1


async def test_returned_batches_are_bounded_by_bytes_too(consumer: Consumer) -> None:
    """What comes back after a crash comes in batches of the same bounds, and all of it comes."""
    await send(consumer("one"), *[b"x" * (BATCH_BYTES // 2)] * 5)
    while await bodies(consumer("one")):
        pass
    again = consumer("one")
    await again.recover()
    sizes = [len(await bodies(again)) for _ in range(4)]
    assert sum(sizes) == 5
    assert max(sizes) <= 2


async def test_a_lost_group_is_made_again_and_loses_nothing(
    queue: RedisStreams, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """If an operator destroys the consumer group, what isn't acked is handed over again."""
    await send(queue, b"a", b"b")
    first, _ = await queue.receive(10, wait=NO_WAIT)
    await queue.ack([first])
    for partition in range(8):
        await direct.xgroup_destroy(f"{prefix}{{q}}:s:{partition}", GROUP)
    assert await bodies(queue) == [b"b"]


async def test_an_entry_that_somebody_deleted_is_forgotten(
    consumer: Consumer, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A leased entry whose stream entry is gone doesn't come back for ever."""
    one = consumer("one")
    await send(one, b"a")
    (delivery,) = await one.receive(10, wait=NO_WAIT)
    await direct.xdel(f"{prefix}{{q}}:s:{delivery.receipt[0]}", delivery.receipt[2:])
    again = consumer("one")
    await again.recover()
    assert await bodies(again) == []
    assert (await again.stats()).in_flight == 0


async def test_stats_tell_depth_leases_and_age(queue: RedisStreams) -> None:
    """Stats say how many envelopes are kept, how many are leased, and how old the oldest is."""
    empty = await queue.stats()
    assert (empty.depth, empty.in_flight, empty.oldest_age) == (0, 0, timedelta(0))
    await send(queue, b"a", b"b", b"c")
    await queue.receive(2, wait=NO_WAIT)
    stats = await queue.stats()
    assert (stats.depth, stats.in_flight) == (3, 2)
    assert stats.oldest_age is not None
    assert timedelta(0) <= stats.oldest_age < timedelta(minutes=1)


async def test_a_full_engine_keeps_nothing_it_can_not_keep(
    queue: RedisStreams, direct: "redis.asyncio.Redis"
) -> None:
    """Out of memory, a send is refused as STORE_FULL; acks still work, so that it drains."""
    await bodies(queue)
    await send(queue, b"a")
    limit = (await direct.config_get("maxmemory"))["maxmemory"]
    assert limit is not None
    await direct.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable) as caught:
            await send(queue, b"b")
        found = await queue.receive(10, wait=NO_WAIT)
        assert await queue.ack(found) == 1
    finally:
        await direct.config_set("maxmemory", limit)
    assert caught.value.code is Code.STORE_FULL
    assert await bodies(queue) == []
