"""What every test stands on: real engines, a fresh prefix each, and a real server when asked.

The autouse parts keep promises that no single test would notice: every key that a test leaves in
the store has a time to live or is on the short list of permanent ones, and no engine is left.
"""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis.asyncio
from harness import EXAMPLE, Served, find_engine
from hypothesis import settings
from sqsing import ENVIRON, Liar, Sqs, moto

from hookrack._redis import Pipe
from hookrack.engine import open_engine
from hookrack.queues.sqs_client import SqsClient
from hookrack.sqs_address import QueueAddress

# Streams, attempt records and the list of dead letters are work to do; the rest is one small value
# per account or installation.
PERMANENT = ("{q}:s:", "{q}:a:", "{cfg}:")
PERMANENT_ENDS = ("{q}:dl", "}:seq")

# How long an example takes is the machine's affair.
settings.register_profile("hookrack", deadline=None)
settings.load_profile("hookrack")


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A new folder with a path short enough for a unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def engines() -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """URLs of running engines by kind, started when first asked for."""
    urls: dict[str, str] = {}
    async with contextlib.AsyncExitStack() as stack:

        async def start(kind: str) -> str:
            if kind not in urls:
                folder = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                engine = await stack.enter_async_context(
                    open_engine(folder, server=find_engine(kind), maxmemory=512 * 1024 * 1024)
                )
                urls[kind] = f"unix://{engine.socket}"
            return urls[kind]

        yield start


@pytest.fixture(scope="session")
async def sqs() -> AsyncIterator[Callable[[], Awaitable[Sqs]]]:
    """A server that speaks SQS, started when first asked for."""
    made: list[Sqs] = []
    async with contextlib.AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        lock = asyncio.Lock()

        async def start() -> Sqs:
            async with lock:
                if not made:
                    for name, value in ENVIRON.items():
                        patch.setenv(name, value)
                    url = await stack.enter_async_context(moto())
                    client = await SqsClient.open(QueueAddress("any", endpoint=url))
                    stack.push_async_callback(client.close)
                    made.append(Sqs(url, client))
            return made[0]

        yield start


@pytest.fixture
async def sqs_server(sqs: Callable[[], Awaitable[Sqs]]) -> Sqs:
    """The server that speaks SQS."""
    return await sqs()


@pytest.fixture
async def liar(sqs_server: Sqs) -> AsyncIterator[Liar]:
    """A server in between that hands calls on until it is told otherwise."""
    async with Liar(sqs_server.url).run() as between:
        yield between


@pytest.fixture
async def url(engines: Callable[[str], Awaitable[str]]) -> str:
    """The URL of the embedded engine that this test run shares."""
    return await engines("embedded")


@pytest.fixture
async def direct(url: str) -> AsyncIterator["redis.asyncio.Redis"]:
    """A plain client, to look at what is there and to do what an operator could do."""
    client = redis.asyncio.Redis.from_url(url)
    yield client
    await client.aclose()


@pytest.fixture
async def prefix(direct: "redis.asyncio.Redis") -> AsyncIterator[str]:
    """A prefix of this test's own; afterwards every key below it has a TTL or is permanent."""
    own = f"t{secrets.token_hex(4)}:"
    yield own
    forgotten = []
    async for raw in direct.scan_iter(match=f"{own}*", count=1000):
        name = raw.decode().removeprefix(own)
        permanent = name.startswith(PERMANENT) or name.endswith(PERMANENT_ENDS)
        if not permanent and await direct.ttl(raw) == -1:
            forgotten.append(name)
    assert not forgotten, f"keys without a time to live: {forgotten}"


@pytest.fixture
async def pipe(url: str) -> AsyncIterator[Pipe]:
    """A hot-path connection to the shared engine."""
    line = Pipe(url)
    line.connect()
    yield line
    await line.close()


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """One server that many tests share; none may stop it."""
    folder = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
    server = Served(folder / "data")
    server.start()
    yield server
    code = server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert code == 0


@pytest.fixture
def own_server(short_dir: Path) -> Iterator[Callable[..., Served]]:
    """Servers of this test's own: call it with the options of `serve`."""
    started: list[Served] = []

    def start(*options: str, config: Path = EXAMPLE, name: str = "data") -> Served:
        server = Served(short_dir / name, *options, config=config)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shared server, for account acme."""
    async with served.client() as client:
        yield client
