"""The ports' suites run on every engine: the embedded one, and Debian's Redis 7.0."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import redis.asyncio
from queueing import Anyone, Consumer
from sqsing import Sqs
from storing import Clock

from hookrack._redis import Pipe
from hookrack.ports import Queue
from hookrack.queues.redis_streams import RedisStreams
from hookrack.queues.sqs import SqsQueue
from hookrack.readers import Leases
from hookrack.stores.redis import RedisStore
from hookrack.stores.redis_leases import RedisLeases

ENGINES = ("embedded", "redis-server")
LEASE = timedelta(seconds=30)


@pytest.fixture(params=ENGINES)
async def url(request: pytest.FixtureRequest, engines: Callable[[str], Awaitable[str]]) -> str:
    """The URL of an engine; each test runs on each of them."""
    return await engines(str(request.param))


@pytest.fixture
async def forgetful(direct: "redis.asyncio.Redis") -> None:
    """An engine that has forgotten all scripts, as after a restart or failover."""
    await direct.script_flush()


@pytest.fixture
async def consumer(url: str, prefix: str) -> AsyncIterator[Consumer]:
    """Makes consumers of one queue, by name; the default one is `one`."""
    made: list[RedisStreams] = []

    def make(name: str = "one", *, lease: timedelta = LEASE) -> RedisStreams:
        line = Pipe(url)
        line.connect()
        made.append(RedisStreams(line, url=url, prefix=prefix, consumer=name, lease=lease))
        return made[-1]

    yield make
    for queue in made:
        await queue.close()


@pytest.fixture(params=(*ENGINES, "sqs"))
async def anyone(
    request: pytest.FixtureRequest,
    engines: Callable[[str], Awaitable[str]],
    sqs: Callable[[], Awaitable[Sqs]],
) -> AsyncIterator[Anyone]:
    """Makes consumers of one queue, by name and lease, on each kind of queue there is."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "sqs":
            server = await sqs()
            source = await server.open(await server.make())
            stack.push_async_callback(source.close)

            def make(name: str = "one", *, lease: timedelta = LEASE) -> Queue:
                del name
                queue = SqsQueue(source.client, source.pair, lease=lease)
                stack.push_async_callback(queue.close)
                return queue

        else:
            url, own = await engines(str(request.param)), f"t{secrets.token_hex(4)}:"

            def make(name: str = "one", *, lease: timedelta = LEASE) -> Queue:
                line = Pipe(url)
                line.connect()
                queue = RedisStreams(line, url=url, prefix=own, consumer=name, lease=lease)
                stack.push_async_callback(queue.close)
                return queue

        yield make


@pytest.fixture
async def queue(consumer: Consumer) -> RedisStreams:
    """An empty queue, as its consumer `one` sees it."""
    return consumer()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
async def store(pipe: Pipe, prefix: str, clock: Clock) -> RedisStore:
    """An empty store with a clock of its own."""
    return await RedisStore.open(pipe, prefix=prefix, now=clock)


@pytest.fixture
async def leases(url: str, prefix: str, store: RedisStore, clock: Clock) -> AsyncIterator[Leases]:
    """Leases of what is in the store, by its clock."""
    line = Pipe(url)
    line.connect()
    made = RedisLeases(line, prefix=prefix, epoch=store.epoch, now=clock)
    yield made
    await made.close()
