"""No account's backlog holds up the others: lanes, and shares of a scarce queue."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import redis.asyncio
from harness import wait_until
from queueing import Consumer, bodies, bury, envelope, send

from hookrack._redis import Pipe
from hookrack.door_ports import MemoryUse
from hookrack.errors import Code, Limited, Unavailable
from hookrack.heads import read_head
from hookrack.ports import LetterFilter
from hookrack.queues.redis_dead_letters import RedisDeadLetters
from hookrack.queues.redis_keys import PARTITIONS, bulk_of, partition_of
from hookrack.queues.redis_lanes import WAITING, Line
from hookrack.queues.redis_memory import RedisMemory
from hookrack.queues.redis_streams import RedisStreams

MIB = 1024 * 1024
NO_WAIT = timedelta(0)
NOISY = "acme"
BODY = b"x" * 20_000


def neighbour(of: str, *, number: int = 0) -> str:
    """An account that shares the lane of another, and its bulk lane, too."""
    names = (f"n{each}" for each in range(10_000))
    lanes = (partition_of(of), bulk_of(of))
    found = [name for name in names if (partition_of(name), bulk_of(name)) == lanes]
    return found[number]


async def flood(queue: RedisStreams, count: int, *, account: str = NOISY) -> None:
    """Send so many of one account."""
    sends = (queue.send(account, b"%d" % number) for number in range(count))
    await asyncio.gather(*sends)


async def test_a_backlog_stands_before_nobody_else(consumer: Consumer) -> None:
    """Nine quiet accounts, those of the same lane too, behind a backlog of 5,000: each comes within
    a bounded number of envelopes, whatever the backlog is.
    """
    edge, worker = consumer("edge"), consumer("worker")
    await flood(edge, 5_000)
    quiet = [neighbour(NOISY, number=number) for number in range(3)]
    quiet += [f"quiet-{number}" for number in range(6)]
    for name in quiet:
        await send(edge, envelope(account=name), account=name)
    handed, came = 0, set[str | None]()
    while len(came) < len(quiet):
        found = [read_head(body) for body in await bodies(worker)]
        handed += len(found)
        came |= {head.account for head in found if head}
        assert found, f"{set(quiet) - came} never came"
    assert handed <= 2 * WAITING + 200


async def test_everything_comes_once(consumer: Consumer) -> None:
    """What was sent by many lanes is handed over whole, and nothing of it twice."""
    edge, worker = consumer("edge"), consumer("worker")
    await flood(edge, 1_000)
    found = Counter[bytes]()
    while some := await bodies(worker):
        found.update(some)
    assert found == Counter(b"%d" % number for number in range(1_000))


async def test_the_shared_lane_is_open_again_once_its_share_has_left(
    consumer: Consumer, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """An account that fell behind goes by its own lane again when a worker has taken what was
    there.
    """
    edge, worker = consumer("edge"), consumer("worker")
    shared, bulk = (f"{prefix}{{q}}:s:{lane(NOISY)}" for lane in (partition_of, bulk_of))
    await flood(edge, WAITING + 50)
    assert (await direct.xlen(shared), await direct.xlen(bulk)) == (WAITING, 50)
    while found := await worker.receive(100, wait=NO_WAIT):
        await worker.ack(found)
    await edge._lanes.look()
    await edge.send(NOISY, b"x")
    assert (await direct.xlen(shared), await direct.xlen(bulk)) == (1, 0)


async def test_redriven_letters_go_behind(
    queue: RedisStreams, pipe: Pipe, prefix: str, direct: "redis.asyncio.Redis"
) -> None:
    """However many letters are redriven, they stand before no other account's events."""
    letters = RedisDeadLetters(pipe, prefix=prefix)
    await bury(queue, *(envelope() for _ in range(5)))
    page = await letters.page(LetterFilter(), limit=10)
    assert await letters.redrive(page.letters) == 5
    assert await direct.xlen(f"{prefix}{{q}}:s:{bulk_of('acme')}") == 5
    assert len(await bodies(queue)) == 5


async def test_found_and_purged_in_either_lane(consumer: Consumer) -> None:
    """An event behind a backlog is found, and goes with its account; a neighbour's stays."""
    queue, other = consumer("one"), neighbour(NOISY)
    names = [f"e{number}" for number in range(WAITING + 10)]
    for name in names:
        await queue.send(NOISY, envelope(name))
    await queue.send(other, envelope("other", account=other))
    for name in (names[0], names[-1]):
        found = await queue.find(NOISY, name)
        assert found is not None
        assert found.status == "queued"
    assert await queue.purge(NOISY) == len(names)
    assert await queue.find(other, "other") is not None


class Small(RedisMemory):
    """An engine of 10 MiB as far as the memory tells: there is room for 3 MiB in the queue."""

    async def read(self) -> MemoryUse:
        """What is queued is as it is."""
        use = await super().read()
        return MemoryUse(0, 10 * MIB, 0, 10 * MIB, use.queued)


async def fill(queue: RedisStreams) -> tuple[int, Exception]:
    """Send of the noisy one until it is refused: how many bytes, and how."""
    for number in range(1_000):
        try:
            await queue.send(NOISY, BODY)
        except (Limited, Unavailable) as exc:
            return number * len(BODY), exc
    pytest.fail("it is never refused")


@pytest.fixture
async def scarce(pipe: Pipe, url: str, prefix: str) -> AsyncIterator[RedisStreams]:
    """A queue of which all comes to 3 MiB."""
    memory = Small(pipe, prefix=prefix)
    await memory.refresh()
    lease = timedelta(seconds=30)
    made = RedisStreams(pipe, url=url, prefix=prefix, consumer="one", lease=lease, headroom=memory)
    yield made
    await made.close()


async def test_who_has_more_than_a_share_waits_and_the_others_go_on(scarce: RedisStreams) -> None:
    """The noisy one hears 429, with a time to come back, at some 70 % of the room; nine quiet ones
    are let in as before; and once its backlog is worked off it is, too.
    """
    await scarce.send("quiet-0", b"first")
    sent, refused = await fill(scarce)
    assert isinstance(refused, Limited)
    assert refused.code is Code.RATE_LIMITED
    assert refused.retry_after >= 10
    assert 0.55 < sent / (3 * MIB) < 0.75
    for quiet in range(9):
        await scarce.send(f"quiet-{quiet}", BODY)
    with pytest.raises(Limited):
        await scarce.send(NOISY, BODY, reserve=False)
    while found := await scarce.receive(100, wait=NO_WAIT):
        await scarce.ack(found)
    await wait_until(lambda: _let_in(scarce), what="room again")


async def _let_in(queue: RedisStreams) -> bool:
    try:
        await queue.send(NOISY, BODY)
    except Limited:
        return False
    return True


async def test_an_only_account_may_have_it_all(scarce: RedisStreams) -> None:
    """Where nobody else sends there is nobody to leave room for: it ends with STORE_FULL."""
    sent, refused = await fill(scarce)
    assert isinstance(refused, Unavailable)
    assert refused.code is Code.STORE_FULL
    assert 0.85 < sent / (3 * MIB) <= 1


def test_a_line_knows_what_is_left() -> None:
    """What was sent up to an id leaves with it; however long the backlog, the books stay small."""
    line = Line(PARTITIONS)
    for number in range(10_000):
        line.begin(10)
        line.sent((number, 0), 10, look=number)
    assert (line.count, line.size) == (10_000, 100_000)
    assert len(line._chunks) == 128
    line.settle((4_999, 7))
    assert 5_000 <= line.count <= 5_200
    line.begin(10)
    line.drop(10)
    line.settle((9_999, 0))
    assert (line.count, line.size) == (0, 0)
