"""A store, a queue and a folder for the functions under test."""

import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from harness import EXAMPLE
from lambding import Function, RuntimeApi
from sqsing import Sqs

from hookrack._redis import Pipe
from hookrack.queues.sqs_open import SqsSource
from hookrack.stores.redis import RedisStore

Make = Callable[..., Awaitable[Function]]


@pytest.fixture
async def source(sqs_server: Sqs) -> AsyncIterator[SqsSource]:
    """An empty queue, as the app opens it."""
    opened = await sqs_server.open(await sqs_server.make())
    yield opened
    await opened.close()


@pytest.fixture
def prefix() -> str:
    """What the keys of this test begin with."""
    return f"l{secrets.token_hex(4)}:"


@pytest.fixture
async def store(pipe: Pipe, prefix: str) -> RedisStore:
    """The store that the functions write to."""
    return await RedisStore.open(pipe, prefix=prefix)


@pytest.fixture
async def function(
    url: str, prefix: str, source: SqsSource, short_dir: Path
) -> AsyncIterator[Make]:
    """Starts functions on that store and queue: call it with a handler's name."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(handler: str, package: Path | None = None, **environ: str) -> Function:
            api = await stack.enter_async_context(RuntimeApi().run())
            folder = short_dir / f"{handler}-{secrets.token_hex(2)}"
            folder.mkdir()
            if package:
                shutil.unpack_archive(package, folder)
            else:
                shutil.copy(EXAMPLE, folder / "hookrack.yaml")
            own = {
                "HOOKRACK_STORE": url,
                "HOOKRACK_STORE_PREFIX": prefix,
                "HOOKRACK_QUEUE": source.pair.url,
            }
            made = Function(api, folder, handler, **(own | environ))
            stack.callback(made.stop)
            made.start()
            return made

        yield make
