"""An answer in one piece: the same bytes as the two messages of ASGI, or not written at all."""

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from hookrack.entrypoints.http.outlet import write_whole

JSON = (b"content-type", b"application/json")
TAG = (b"etag", b'"a\xe9\t~"')
Headers = Sequence[tuple[bytes, bytes]]


class Exchange:
    """One request that waits for its answer, on a connection of its own."""

    def __init__(self, transport: asyncio.Transport, line: socket.socket, method: str) -> None:
        self.done = 0
        self._line = line
        self.transport = transport
        scope: Any = {"type": "http", "method": method}
        self.cycle = RequestResponseCycle(
            scope=scope,
            transport=transport,
            flow=FlowControl(transport),
            logger=logging.getLogger("test"),
            access_logger=logging.getLogger("test"),
            access_log=False,
            default_headers=[(b"date", b"today")],
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=self._end,
        )

    @classmethod
    async def open(cls, method: str = "GET") -> "Exchange":
        """A new one."""
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        return cls(transport, theirs, method)

    def _end(self) -> None:
        self.done += 1

    async def written(self) -> bytes:
        """What went out, once the connection is closed."""
        self.transport.close()
        self._line.setblocking(False)  # noqa: FBT003 - the standard library's signature
        parts = []
        while part := await asyncio.get_running_loop().sock_recv(self._line, 65_536):
            parts.append(part)
        self._line.close()
        return b"".join(parts)

    def write_whole(self, status: int, headers: Headers, body: bytes) -> bool:
        """The short way."""
        send: Any = self.cycle.send
        return write_whole(send, (status, headers, body))

    async def say(self, status: int, headers: Headers, body: bytes) -> None:
        """The long way."""
        await self.cycle.send(
            {"type": "http.response.start", "status": status, "headers": list(headers)}
        )
        await self.cycle.send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("body", [b"", b"x", b"\r\n" * 20_000], ids=len)
@pytest.mark.parametrize(("status", "headers"), [(200, [JSON, TAG]), (304, [TAG]), (202, [JSON])])
async def test_one_piece_is_the_same_on_the_wire(
    method: str, status: int, headers: Headers, body: bytes
) -> None:
    """Whatever is answered, the client gets the bytes that uvicorn would have written."""
    body = b"" if status == 304 else body
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    whole, parts = await Exchange.open(method), await Exchange.open(method)
    assert whole.write_whole(status, headers, body)
    await parts.say(status, headers, body)
    assert await whole.written() == await parts.written()
    assert (whole.done, parts.done) == (1, 1)
    assert whole.cycle.response_complete


@pytest.mark.parametrize(
    "header",
    [
        (b"etag", b"a\r\nset-cookie: x=1"),
        (b"etag", b"a\nb"),
        (b"etag", b"a\0"),
        (b"etag", b"\x7f"),
        (b"e tag", b"a"),
        (b"etag\r\nx", b"a"),
        (b"etag:", b"a"),
        (b"", b"a"),
        (b"x: y\r\netag", b"a"),
    ],
    ids=repr,
)
async def test_a_header_that_could_break_out_is_never_written(header: tuple[bytes, bytes]) -> None:
    """A header that would end its line is left to uvicorn, and nothing has been written."""
    exchange = await Exchange.open()
    assert not exchange.write_whole(200, [JSON, header], b"")
    assert not exchange.cycle.response_started
    assert await exchange.written() == b""


@pytest.mark.parametrize("name", ["second", "nobody", "last"])
async def test_what_isn_t_simple_goes_the_long_way(name: str) -> None:
    """A second answer, one to nobody and the last of a connection aren't written in one piece."""
    exchange = await Exchange.open()
    exchange.cycle.response_started = name == "second"
    exchange.cycle.disconnected = name == "nobody"
    exchange.cycle.keep_alive = name != "last"
    assert not exchange.write_whole(200, [JSON], b"{}")
    assert await exchange.written() == b""


async def test_a_slow_client_is_waited_for() -> None:
    """While a client hasn't taken the answers before, none is written past the limit of a wait."""
    exchange = await Exchange.open()
    exchange.cycle.flow.pause_writing()
    assert not exchange.write_whole(200, [JSON], b"{}")
    assert await exchange.written() == b""


async def test_any_other_send_goes_the_long_way() -> None:
    """Only a connection's own `send` can write in one piece."""

    async def send(_message: object) -> None:
        pass

    assert not write_whole(send, (200, [JSON], b"{}"))
