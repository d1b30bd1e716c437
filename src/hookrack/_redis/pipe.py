"""The hot-path client: one connection, and everything that waits in a loop tick is one write.

Redis answers in order and syncs its AOF once per pass over what has arrived, so many small
commands in one write cost one fsync (group commit). Every waiter is answered from its own reply.
A waiter that goes away cancels only itself. When the connection is cut all that waits fails as
Unavailable and nothing is sent again: the caller can't know what was done.
"""

import asyncio
import random
import ssl
from collections import deque
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import hiredis
from redis.asyncio.connection import parse_url

from hookrack._redis.faults import away, from_reply
from hookrack.errors import HookrackError

COMMANDS_IN_FLIGHT: Final = 256
BYTES_IN_FLIGHT: Final = 512 * 1024  # small AOF writes tear less; a larger command flies alone
COMMANDS_WAITING: Final = 20_000
BYTES_WAITING: Final = 64 * 1024 * 1024
PATIENCE_SECONDS: Final = 2.0  # how long a command waits to be sent
ANSWER_SECONDS: Final = 5.0  # how long a sent one waits for its reply before the line is cut
CONNECT_SECONDS: Final = 2.0
_TICK_SECONDS: Final = 0.25
_BACKOFF_SECONDS: Final = (0.02, 1.0)  # first and longest pause between two connects

_Waiter = tuple["asyncio.Future[Any]", bytes, float]


class Pipe(asyncio.Protocol):
    """A pipelining connection to one Redis; `await pipe.call(b"GET", b"k")` is the reply."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: deque[_Waiter] = deque()
        self._waiting_bytes = 0
        self._sent: deque[_Waiter] = deque()
        self._sent_bytes = 0
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._open = False
        self._flushing = False
        self._closed = False
        self._watch: asyncio.TimerHandle | None = None
        self._connector: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def call(self, *parts: bytes | str | int) -> "asyncio.Future[Any]":
        """Send a command with the next write; the future has its reply.

        The future raises: Unavailable, or ReplyError for other error replies.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        packed = hiredis.pack_command(parts)  # type: ignore[arg-type] # its stub says 1 part
        if (
            self._closed
            or len(self._waiting) >= COMMANDS_WAITING
            or self._waiting_bytes + len(packed) > BYTES_WAITING
        ):
            future.set_exception(away("Too much waits for the store."))
            return future
        self._waiting.append((future, packed, self._loop.time()))
        self._waiting_bytes += len(packed)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        return future

    def connect(self) -> None:
        """Begin to connect, and keep connected until `close`."""
        if not self._closed and (self._connector is None or self._connector.done()):
            self._connector = self._loop.create_task(self._reconnect())

    async def close(self) -> None:
        """Cut the line; what still waits fails as Unavailable."""
        self._closed = True
        if self._connector:
            self._connector.cancel()
            await asyncio.gather(self._connector, return_exceptions=True)
        if self._watch:
            self._watch.cancel()
        self._drop("The connection to the store is closed.")

    def _flush(self) -> None:
        self._flushing = False
        if not self._open or self._transport is None:
            self._arm()
            return
        out = []
        while self._waiting:
            size = len(self._waiting[0][1])
            if self._sent and (
                len(self._sent) >= COMMANDS_IN_FLIGHT or self._sent_bytes + size > BYTES_IN_FLIGHT
            ):
                break
            waiter = self._waiting.popleft()
            self._waiting_bytes -= size
            if waiter[0].cancelled():
                continue
            out.append(waiter[1])
            self._sent.append(waiter)
            self._sent_bytes += size
        if out:
            self._transport.write(b"".join(out))
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Answer waiters in the order of their commands, then send what waits."""
        self._reader.feed(data)
        sent, gets = self._sent, self._reader.gets
        while sent and (reply := gets()) is not False:
            future, packed, _ = sent.popleft()
            self._sent_bytes -= len(packed)
            if future.done():
                continue
            if isinstance(reply, hiredis.ReplyError):
                future.set_exception(from_reply(str(reply)))
            else:
                future.set_result(reply)
        if self._waiting and not self._flushing:
            self._flush()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new line, with a parser of its own."""
        self._transport = transport  # type: ignore[assignment] # a stream's transport
        self._reader = hiredis.Reader()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits for a reply and begin to connect again."""
        del exc
        self._transport, self._open = None, False
        self._fail(self._sent, "The connection to the store was cut.")
        self._sent_bytes = 0
        self.connect()

    async def _reconnect(self) -> None:
        pause, longest = _BACKOFF_SECONDS
        while not self._closed:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._dial()
                    await self._greet()
            except (OSError, ValueError, HookrackError) as exc:
                del exc
                if self._transport:
                    self._transport.abort()
                await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - jitter
                pause = min(pause * 2, longest)
            else:
                self._open = True
                self._flush()
                return

    async def _dial(self) -> None:
        where = parse_url(self._url)
        if "path" in where:
            await self._loop.create_unix_connection(lambda: self, where["path"])
            return
        context = _tls_context(self._url) if self._url.startswith("rediss:") else None
        host, port = where.get("host", "localhost"), where.get("port", 6379)
        await self._loop.create_connection(lambda: self, host, port, ssl=context)

    async def _greet(self) -> None:
        """AUTH and SELECT, ahead of everything that waits."""
        where = parse_url(self._url)
        if where.get("password"):
            await self._first(b"AUTH", where.get("username") or "default", where["password"])
        if where.get("db"):
            await self._first(b"SELECT", where["db"])

    def _first(self, *parts: bytes | str | int) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._transport is None:
            raise OSError("the line was cut at once")
        packed = hiredis.pack_command(parts)  # type: ignore[arg-type] # its stub says 1 part
        self._sent.append((future, packed, self._loop.time()))
        self._sent_bytes += len(packed)
        self._transport.write(packed)
        return future

    def _arm(self) -> None:
        """Look at the deadlines in a moment, as long as anything waits."""
        if self._watch is None and not self._closed and (self._waiting or self._sent):
            self._watch = self._loop.call_later(_TICK_SECONDS, self._check_deadlines)

    def _check_deadlines(self) -> None:
        self._watch = None
        now = self._loop.time()
        if self._sent and self._sent[0][2] < now - PATIENCE_SECONDS - ANSWER_SECONDS:
            self._drop("The store doesn't answer.")
        while self._waiting and self._waiting[0][2] < now - PATIENCE_SECONDS:
            future, packed, _ = self._waiting.popleft()
            self._waiting_bytes -= len(packed)
            if not future.done():
                future.set_exception(away("The store doesn't answer."))
        self._arm()

    def _drop(self, detail: str) -> None:
        self._fail(self._sent, detail)
        self._fail(self._waiting, detail)
        self._sent_bytes = self._waiting_bytes = 0
        if self._transport:
            self._transport.abort()

    @staticmethod
    def _fail(waiters: deque[_Waiter], detail: str) -> None:
        while waiters:
            future = waiters.popleft()[0]
            if not future.done():
                future.set_exception(away(detail))


def _tls_context(url: str) -> ssl.SSLContext:
    """TLS that verifies, with the `ssl_ca_certs` of the URL if it names one (as redis-py)."""
    ca = parse_qs(urlsplit(url).query).get("ssl_ca_certs")
    return ssl.create_default_context(cafile=ca[0] if ca else None)
