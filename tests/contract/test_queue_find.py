"""Where a Queue says an event is: still queued, dead, or nowhere that it looked."""

import json
import time
from datetime import timedelta

import pytest
import redis.asyncio
from queueing import bury, envelope, send

from hookrack._redis import Pipe
from hookrack.model import new_event_id
from hookrack.ports import LetterFilter
from hookrack.queues.redis_dead_letters import RedisDeadLetters
from hookrack.queues.redis_find import ENTRIES, NEWEST
from hookrack.queues.redis_keys import partition_of
from hookrack.queues.redis_streams import RedisStreams

NO_WAIT = timedelta(0)
FOREIGN = "Jm5kEEtPIAMF4Zw="


def now() -> int:
    """The time in milliseconds."""
    return time.time_ns() // 1_000_000


async def status_of(queue: RedisStreams, account: str, event_id: str) -> str | None:
    """What the queue says that an event is."""
    found = await queue.find(account, event_id)
    return None if found is None else found.status


async def test_what_is_found_says_its_flow_and_its_time(queue: RedisStreams) -> None:
    """Queued or dead, the flow and the time of receipt are those of the envelope."""
    for each, settle in ((new_event_id(now()), send), (new_event_id(now()), bury)):
        await settle(queue, body := envelope(each))
        found, said = await queue.find("acme", each), json.loads(body)
        assert found is not None
        assert (found.flow, found.received_at) == (said["flow"], said["receivedAt"])


async def test_a_queued_event_is_found_until_it_is_settled(queue: RedisStreams) -> None:
    """An event is queued from its 202 until its ack, leased or not."""
    own = new_event_id(now())
    await send(queue, envelope(), envelope(own), envelope())
    assert await status_of(queue, "acme", own) == "queued"
    batch = await queue.receive(10, wait=NO_WAIT)
    assert await status_of(queue, "acme", own) == "queued"
    await queue.ack(batch)
    assert await queue.find("acme", own) is None


async def test_a_dead_event_is_found(queue: RedisStreams) -> None:
    """An event that was buried is a dead letter."""
    own = new_event_id(now())
    await bury(queue, envelope(own))
    assert await status_of(queue, "acme", own) == "deadLetter"
    assert await queue.find("kairos", own) is None


async def test_another_accounts_event_is_not_found(queue: RedisStreams) -> None:
    """Only the account whose event it is finds it, even in the same partition."""
    same = next(
        name
        for name in (f"acme-{number}" for number in range(100))
        if partition_of(name) == partition_of("acme")
    )
    own = new_event_id(now())
    await send(queue, envelope(own))
    assert await queue.find(same, own) is None
    await send(queue, envelope(own, account=same), account=same)
    assert await status_of(queue, same, own) == "queued"


async def test_what_only_quotes_an_id_is_not_that_event(queue: RedisStreams) -> None:
    """An event whose data has the id of another isn't taken for it."""
    own = new_event_id(now())
    quoting = [envelope(data=b'{"id":"%b"}' % own.encode()) for _ in range(5)]
    await send(queue, *quoting)
    assert await queue.find("acme", own) is None
    await send(queue, envelope(own))
    assert await status_of(queue, "acme", own) == "queued"


async def test_a_queue_in_front_of_it_hides_nothing(queue: RedisStreams, pipe: Pipe) -> None:
    """An event in the middle of a long queue is found by the time in its id."""
    stream = f"{queue._keys.streams[partition_of('acme')]}"
    at = now() - 3_600_000
    own = new_event_id(at + 1_500)
    for step in range(3_000):
        body = envelope(own) if step == 1_520 else b"other"
        await pipe.call(b"XADD", stream, f"{at + step}-1", b"e", body)
    assert await status_of(queue, "acme", own) == "queued"


@pytest.mark.parametrize("skew", [-2_500, 0, 9_000])
async def test_clocks_may_differ(queue: RedisStreams, pipe: Pipe, skew: int) -> None:
    """An event is found though the queue's clock is a little behind, or the event was held up."""
    stream = queue._keys.streams[partition_of("acme")]
    at = now() - 3_600_000
    own = new_event_id(at)
    await pipe.call(b"XADD", stream, f"{at + skew}-0", b"e", envelope(own))
    for step in range(ENTRIES * NEWEST + 10):
        await pipe.call(b"XADD", stream, f"{at + 100_000 + step}-0", b"e", b"newer")
    assert await status_of(queue, "acme", own) == "queued"


async def test_a_foreign_id_is_looked_for_among_the_newest(
    queue: RedisStreams, direct: "redis.asyncio.Redis"
) -> None:
    """An id without a time is found among the newest entries, and no further back."""
    body = envelope(FOREIGN)
    assert await queue.find("acme", FOREIGN) is None
    await send(queue, body)
    assert await status_of(queue, "acme", FOREIGN) == "queued"
    stream = queue._keys.streams[partition_of("acme")]
    async with direct.pipeline(transaction=False) as many:
        for _ in range(ENTRIES * NEWEST):
            many.xadd(stream, {"e": b"newer"})
        await many.execute()
    assert await queue.find("acme", FOREIGN) is None


async def test_a_redriven_event_is_found_however_old_it_is(
    queue: RedisStreams, pipe: Pipe, prefix: str
) -> None:
    """After a redrive an event is queued again, far from the time in its id; then stored, it is
    found no longer.
    """
    letters = RedisDeadLetters(pipe, prefix=prefix)
    old = [new_event_id(now() - 86_400_000), FOREIGN]
    await bury(queue, *(envelope(each) for each in old))
    await letters.redrive((await letters.page(LetterFilter(), limit=10)).letters)
    await send(queue, *[b"newer"] * (ENTRIES * NEWEST))
    for each in old:
        assert await status_of(queue, "acme", each) == "queued"
        assert await queue.find("kairos", each) is None
    while batch := await queue.receive(1000, wait=NO_WAIT):
        await queue.ack(batch)
    for each in old:
        assert await queue.find("acme", each) is None


async def test_large_envelopes_are_looked_at_in_small_portions(queue: RedisStreams) -> None:
    """An event among large ones is found all the same."""
    own = new_event_id(now())
    await send(queue, *[envelope(data=b'"%b"' % (b"x" * 700_000)) for _ in range(6)])
    await send(queue, envelope(own))
    assert await status_of(queue, "acme", own) == "queued"
