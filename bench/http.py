"""HTTP/1.1 as a load generator needs it: whole requests as bytes, and one keep-alive connection."""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Final, Self

HOST: Final = "127.0.0.1"
_TIMEOUT_SECONDS: Final = 30.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

Answered = Callable[[int, bytes], None]


def post(path: str, body: bytes, *, headers: dict[str, str] | None = None) -> bytes:
    """A POST of JSON."""
    head = f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


def get(path: str, headers: dict[str, str] | None = None) -> bytes:
    """A GET."""
    lines = [f"GET {path} HTTP/1.1", f"host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _complete(data: bytes) -> int:
    """The size of the answer that `data` begins with, or 0 as long as it isn't all there."""
    end = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, end + 2) if end >= 0 else None
    size = end + 4 + int(length[1]) if length else 0
    return size if size <= len(data) else 0


class Connection(asyncio.Protocol):
    """One request at a time; answers need a Content-Length, as all of ours have."""

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost
        self._answered: Answered | None = None
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def ask(self, request: bytes, answered: Answered) -> None:
        """Send a request; `answered` is called with the status and the whole answer."""
        assert self._transport is not None
        self._answered = answered
        self._transport.write(request)

    def close(self) -> None:
        """Hang up."""
        self._answered = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment] # a stream's transport

    def data_received(self, data: bytes) -> None:
        """Report the answer once it is complete."""
        if self._buffer:
            data = self._buffer + data
        if not _complete(data):
            self._buffer = data
            return
        self._buffer = b""
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(int(data[9:12]), data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so, if an answer was still to come."""
        del exc
        if self._answered is not None:
            self._answered = None
            self._lost()


async def connect(port: int, lost: Callable[[], None]) -> Connection:
    """A connection to a server on this machine. Raises: OSError."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(lost), HOST, port)
    return connection


class Client:
    """A blocking connection, for one request after another."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and whole answer. Raises: OSError."""
        self._socket.sendall(request)
        data = b""
        while not (size := _complete(data)):
            part = self._socket.recv(1 << 16)
            if not part:
                raise ConnectionResetError("the server hung up")
            data += part
        return int(data[9:12]), data[:size]
