"""The few commands the supervisor needs (PING, INFO, CONFIG, SHUTDOWN), one connection each.

Not a client: the queue and the store have one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from hookrack.errors import HookrackError

CALL_WAIT: Final = timedelta(seconds=2)
Reply = str | int | list["Reply"] | None


class ReplyError(HookrackError):
    """The server answered with an error; its text begins with a code such as LOADING."""


@contextlib.asynccontextmanager
async def connected(
    socket: Path,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the unix socket, closed at the end. Raises: OSError."""
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def call(socket: Path, *words: str, wait: timedelta = CALL_WAIT) -> Reply:
    """Send one command and return its reply.

    Raises: ReplyError; OSError if there is no answer within `wait` (TimeoutError) or at all
    (ConnectionResetError: it took the command and hung up).
    """
    request = b"*%d\r\n" % len(words)
    for word in map(str.encode, words):
        request += b"$%d\r\n%s\r\n" % (len(word), word)
    async with asyncio.timeout(wait.total_seconds()), connected(socket) as (reader, writer):
        writer.write(request)
        try:
            return await _reply(reader)
        except EOFError as exc:
            raise ConnectionResetError(f"{socket}: closed without an answer") from exc


async def _reply(reader: asyncio.StreamReader) -> Reply:
    line = (await reader.readuntil(b"\r\n"))[:-2].decode()
    kind, rest = line[:1], line[1:]
    match kind:
        case "+":
            return rest
        case "-":
            raise ReplyError(rest)
        case ":":
            return int(rest)
        case "$" if int(rest) >= 0:
            return (await reader.readexactly(int(rest) + 2))[:-2].decode()
        case "*" if int(rest) >= 0:
            return [await _reply(reader) for _ in range(int(rest))]
        case "$" | "*":
            return None
        case _:
            raise ConnectionResetError(f"not a RESP reply: {line[:40]!r}")
