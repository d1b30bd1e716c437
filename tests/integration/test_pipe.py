"""The hot-path client: in order, bounded, each waiter its own answer, nothing sent twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from harness import wait_until

from hookrack._redis import Pipe, ReplyError
from hookrack._redis.pipe import COMMANDS_WAITING
from hookrack.errors import Code, Unavailable


async def test_each_call_gets_its_own_reply(pipe: Pipe, prefix: str) -> None:
    """A thousand calls at once are answered each with its own reply, errors among them."""
    name = f"{prefix}text"
    await pipe.call("SET", name, "x", "PX", 60_000)
    calls = [pipe.call("ECHO", number) for number in range(1000)]
    wrong = pipe.call("INCR", name)
    after = pipe.call("ECHO", "after")
    assert await asyncio.gather(*calls) == [b"%d" % number for number in range(1000)]
    with pytest.raises(ReplyError, match="not an integer"):
        await wrong
    assert await after == b"after"


async def test_large_commands_pass(pipe: Pipe, prefix: str) -> None:
    """Commands far above the bound of bytes in flight fly alone, and others beside them."""
    body = b"x" * 3_000_000
    name = f"{prefix}large"
    sets = [pipe.call("SET", f"{name}{number}", body, "PX", 60_000) for number in range(4)]
    small = pipe.call("ECHO", "small")
    assert await asyncio.gather(*sets) == [b"OK"] * 4
    assert await small == b"small"
    assert await pipe.call("GET", f"{name}3") == body


async def test_a_cancelled_waiter_takes_nobody_with_it(pipe: Pipe) -> None:
    """When a waiter goes away the replies of the others stay theirs."""
    calls = [pipe.call("ECHO", number) for number in range(100)]
    for call in calls[::2]:
        call.cancel()
    assert await asyncio.gather(*calls[1::2]) == [b"%d" % number for number in range(1, 100, 2)]
    flying = asyncio.ensure_future(pipe.call("BLPOP", "never-there", "0.05"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    flying.cancel()
    assert await pipe.call("ECHO", "next") == b"next"


async def test_too_much_waiting_is_refused_at_once(url: str) -> None:
    """Waiting is bounded: above the bound a call fails as Unavailable without waiting."""
    line = Pipe(url)  # not connected: everything waits
    calls = [line.call("PING") for _ in range(COMMANDS_WAITING + 1)]
    with pytest.raises(Unavailable) as caught:
        await calls[-1]
    assert caught.value.code is Code.STORE_UNAVAILABLE
    await line.close()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)


class Broken:
    """A server on a unix socket that does to its clients what a test wants."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mode = "answer"
        self.received = b""
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client."""
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                self.received += data
                if self.mode == "cut":
                    writer.transport.abort()
                elif self.mode == "answer":
                    writer.write(b"+PONG\r\n" * data.count(b"PING"))
        writer.close()


@pytest.fixture
async def broken(short_dir: Path) -> AsyncIterator[Broken]:
    """A server that can be told to cut lines or to fall silent."""
    server = Broken(short_dir / "s")
    listening = await asyncio.start_unix_server(server.serve, server.path)
    yield server
    listening.close()


@pytest.fixture
async def line(broken: Broken) -> AsyncIterator[Pipe]:
    """A connection to it."""
    made = Pipe(f"unix://{broken.path}")
    made.connect()
    yield made
    await made.close()


async def test_a_cut_line_fails_all_and_heals(broken: Broken, line: Pipe) -> None:
    """When the line is cut all that waits for a reply fails as Unavailable, nothing is sent again,
    and the next call finds a new line.
    """
    assert await line.call("PING") == b"PONG"
    broken.mode, broken.received = "cut", b""
    calls = [line.call("PING", number) for number in range(5)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    broken.mode = "answer"
    assert await line.call("PING") == b"PONG"
    assert broken.received.count(b"PING") == 6


async def test_silence_ends_as_unavailable(broken: Broken, line: Pipe) -> None:
    """A store that takes commands and never answers doesn't hold a caller for ever."""
    assert await line.call("PING") == b"PONG"
    broken.mode = "silent"
    with pytest.raises(Unavailable, match="doesn't answer"):
        await line.call("PING")
    broken.mode = "answer"

    async def heals() -> bool:
        try:
            return bool(await line.call("PING") == b"PONG")
        except Unavailable:
            return False

    await wait_until(heals, what="an answer")


async def test_nobody_there_is_unavailable_after_a_while(short_dir: Path) -> None:
    """Without a server a call waits a moment for one, then fails as Unavailable."""
    line = Pipe(f"unix://{short_dir}/nothing")
    line.connect()
    with pytest.raises(Unavailable):
        await line.call("PING")
    await line.close()


async def test_a_server_that_comes_late_answers_what_waits(short_dir: Path) -> None:
    """Calls that are made while the server starts are answered when it is there."""
    path = short_dir / "late"
    line = Pipe(f"unix://{path}")
    line.connect()
    waiting = asyncio.ensure_future(line.call("PING"))
    await asyncio.sleep(0)
    listening = await asyncio.start_unix_server(Broken(path).serve, path)
    assert await waiting == b"PONG"
    await line.close()
    listening.close()


async def test_password_and_database_come_first(
    engines: Callable[[str], object], direct: "object", url: str, prefix: str
) -> None:
    """A URL with credentials logs in before anything else is sent."""
    del engines, direct
    name = f"{prefix}who"
    admin = Pipe(url)
    admin.connect()
    user = prefix.rstrip(":")
    await admin.call("ACL", "SETUSER", user, "on", ">pass word", "~*", "+@all")
    line = Pipe(url.replace("unix://", f"unix://{user}:pass%20word@"))
    line.connect()
    assert await line.call("ACL", "WHOAMI") == user.encode()
    await line.close()
    await admin.call("ACL", "DELUSER", user)
    await admin.close()
    del name
