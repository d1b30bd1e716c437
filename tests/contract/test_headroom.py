"""What Headroom promises: sends stop while there is room to work off what is in; then it heals."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import redis.asyncio
from harness import wait_until
from queueing import bury, envelope, send

from hookrack._redis import Pipe
from hookrack.door_ports import MemoryUse
from hookrack.errors import Code, Unavailable
from hookrack.ports import LetterFilter
from hookrack.queues.redis_dead_letters import RedisDeadLetters
from hookrack.queues.redis_memory import OVERHEAD, REFRESH, RETRY_SECONDS, RedisMemory
from hookrack.queues.redis_streams import RedisStreams

MIB = 1024 * 1024
Limits = Callable[[int], AbstractAsyncContextManager[None]]


class Told(RedisMemory):
    """A memory whose figures are what the test says, and which knows how often it was asked."""

    use = MemoryUse(0, 0, 0, 0, 0)
    asked = 0

    async def read(self) -> MemoryUse:
        """The test's figures."""
        self.asked += 1
        return self.use


@pytest.fixture
async def memory(pipe: Pipe, prefix: str) -> RedisMemory:
    """The memory of the engine under test."""
    return RedisMemory(pipe, prefix=prefix)


@pytest.fixture
def limits(direct: "redis.asyncio.Redis") -> Limits:
    """Sets the engine's limit for a while, to so much above what is in use, a tenth at most."""

    @asynccontextmanager
    async def limited(above: int) -> AsyncIterator[None]:
        before = (await direct.config_get("maxmemory"))["maxmemory"]
        assert before is not None
        used = int((await direct.info("memory"))["used_memory"])
        await direct.config_set("maxmemory", used + min(above, used // 10))
        try:
            yield
        finally:
            await direct.config_set("maxmemory", before)

    return limited


def is_full(ask: Callable[[int], None], size: int = 1) -> bool:
    """Whether it is refused, as STORE_FULL and with a time to come again."""
    try:
        ask(size)
    except Unavailable as exc:
        first, last = RETRY_SECONDS
        return exc.code is Code.STORE_FULL and first <= exc.retry_after <= last
    return False


async def told(pipe: Pipe, use: MemoryUse, *, store: Pipe | None = None) -> Told:
    """A memory with these figures, looked at."""
    made = Told(pipe, prefix="x:", store=store)
    made.use = use
    await made.refresh()
    return made


@pytest.mark.parametrize(
    ("used", "queued", "others", "reserve"),
    [
        (74, 0, True, True),
        (75, 0, False, True),
        (80, 0, False, False),
        (0, 26, True, True),
        (0, 27, False, True),
        (0, 30, False, False),
    ],
)
async def test_who_comes_only_once_has_a_reserve(
    pipe: Pipe, used: int, queued: int, *, others: bool, reserve: bool
) -> None:
    """Of 100 MiB the last 5 of the store's room and 3 of the queue's are for those senders."""
    use = MemoryUse(used * MIB, 100 * MIB, used * MIB, 100 * MIB, queued * MIB)
    made = await told(pipe, use)
    size = MIB // 4
    assert is_full(lambda size: made.check_send(size, reserve=False), size) is not others
    assert is_full(made.check_send, size) is not reserve


@pytest.mark.parametrize(
    ("used", "queued", "sends", "sets"),
    [
        (0, 0, True, True),
        (79, 0, True, True),
        (80, 0, False, False),
        (60, 14, False, True),
        (60, 13, True, True),
        (30, 30, False, True),
        (30, 29, True, True),
        (100, 30, False, False),
    ],
)
async def test_sends_stop_before_sets_and_both_before_the_end(
    pipe: Pipe, used: int, queued: int, *, sends: bool, sets: bool
) -> None:
    """Of 100 MiB: sends stop where used + 1.5 x queued is above 80 or queued above 30, direct sets
    where used is above 80.
    """
    figures = (used * MIB, 100 * MIB)
    memory = await told(pipe, MemoryUse(*figures, *figures, queued * MIB))
    assert is_full(memory.check_send) is not sends
    assert is_full(memory.check_set) is not sets


@pytest.mark.parametrize(
    ("store", "queue", "queued", "sends"),
    [
        (10, 10, 10, True),
        (79, 10, 1, False),
        (10, 81, 1, False),
        (10, 40, 31, False),
        (80, 0, 0, False),
    ],
)
async def test_a_queue_of_its_own_counts_by_itself(
    pipe: Pipe, store: int, queue: int, queued: int, *, sends: bool
) -> None:
    """With two engines either of them being full stops the sends."""
    use = MemoryUse(store * MIB, 100 * MIB, queue * MIB, 100 * MIB, queued * MIB)
    memory = await told(pipe, use, store=pipe)
    assert is_full(memory.check_send) is not sends


async def test_without_a_limit_nothing_is_refused(pipe: Pipe) -> None:
    """An engine without maxmemory is never called full."""
    memory = await told(pipe, MemoryUse(100 * MIB, 0, 100 * MIB, 0, 90 * MIB))
    assert not is_full(memory.check_send, 10**9)
    assert not is_full(memory.check_set, 10**9)


async def test_a_burst_between_two_looks_is_counted(pipe: Pipe) -> None:
    """What was let in since the last look counts, so that a burst can't overrun the limit."""
    memory = await told(pipe, MemoryUse(0, 100 * MIB, 0, 100 * MIB, 0))
    size = MIB - OVERHEAD
    accepted = 0
    while not is_full(memory.check_send, size):
        accepted += 1
    assert accepted == 30
    assert memory.asked == 1


async def test_writers_ask_at_most_once_in_a_while_and_nobody_else_does(pipe: Pipe) -> None:
    """Many sends cost one question; without sends there is none."""
    memory = await told(pipe, MemoryUse(0, 0, 0, 0, 0))
    loop = asyncio.get_running_loop()
    stale = loop.time() + REFRESH.total_seconds()
    await wait_until(lambda: loop.time() > stale, what="old figures")
    assert memory.asked == 1
    for _ in range(1000):
        memory.check_send(1)
    await wait_until(lambda: memory.asked == 2, what="a second question")
    for _ in range(1000):
        memory.check_send(1)
    await asyncio.sleep(0)
    assert memory.asked == 2


async def test_the_figures_are_the_engines(
    memory: RedisMemory, queue: RedisStreams, direct: "redis.asyncio.Redis"
) -> None:
    """Used and limit are what the engine says; queued is near what was sent."""
    await send(queue, *(envelope(data=b'"%b"' % (b"x" * 1000)) for _ in range(2000)))
    use = await memory.read()
    info = await direct.info("memory")
    assert abs(use.store_used - int(info["used_memory"])) < 4 * MIB
    assert use.store_limit == use.queue_limit == int(info["maxmemory"])
    assert 2_000_000 < use.queued < 6_000_000


async def test_a_full_engine_refuses_sends_and_heals_by_itself(
    memory: RedisMemory, limits: Limits
) -> None:
    """While it is full sends are refused; once memory is free they are let in again, with nothing
    but further tries to ask for it.
    """
    async with limits(MIB):
        await memory.refresh()
        assert is_full(memory.check_send)
        assert is_full(memory.check_set)
    await wait_until(lambda: not is_full(memory.check_send), what="room again")
    assert not is_full(memory.check_set)


async def test_a_full_queue_takes_nothing_and_keeps_what_it_has(
    memory: RedisMemory, pipe: Pipe, url: str, prefix: str, limits: Limits
) -> None:
    """A refused send leaves nothing behind; what was sent before is received; a redrive is refused
    likewise and its letters stay.
    """
    lease = REFRESH * 100
    queue = RedisStreams(pipe, url=url, prefix=prefix, consumer="one", lease=lease, headroom=memory)
    letters = RedisDeadLetters(pipe, prefix=prefix, headroom=memory)
    await bury(queue, envelope("e-1"))
    await queue.send("acme", b"kept")
    async with limits(MIB):
        await memory.refresh()
        with pytest.raises(Unavailable):
            await queue.send("acme", b"refused")
        page = await letters.page(LetterFilter(), limit=1)
        with pytest.raises(Unavailable):
            await letters.redrive(page.letters)
        assert (await letters.stats()).depth == 1
        (delivery,) = await queue.receive(10, wait=REFRESH * 0)
        assert delivery.body == b"kept"
        assert await queue.ack([delivery]) == 1
    await memory.refresh()
    assert await letters.redrive(page.letters) == 1
    await queue.close()
