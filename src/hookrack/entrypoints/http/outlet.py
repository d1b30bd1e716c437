"""What uvicorn's response cycle sees of a connection, where ours does otherwise than uvicorn's."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from hookrack.entrypoints.http.exchange import Answer, Message, Receive, Scope, Send

_App = Callable[[Scope, Receive, Send], Awaitable[None]]
_LINES: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)*")


class Flow(FlowControl):
    """Reads on only when no request waits behind another, so that pipelines stay short."""

    def __init__(self, transport: asyncio.Transport, pipeline: deque[Any]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Read on, unless there are requests to answer first."""
        if self.read_paused and not self._pipeline:
            super().resume_reading()


class Outlet:
    """A transport whose end is the connection's to decide: it may have to read on first."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        close: Callable[[], None],
        is_closing: Callable[[], bool],
    ) -> None:
        self.write: Callable[[bytes], None] = transport.write
        self.close = close
        self.is_closing = is_closing

    def shut(self) -> None:
        """Drop what is written from now on: nobody is there, or has been told that it's over."""
        self.write = _drop


def _drop(data: bytes) -> None:
    pass


def write_whole(send: Send, whole: Answer) -> bool:
    """Write an answer with its length in one piece, if `send` is a connection's and it is simple.

    False, and nothing is done, where the two messages of ASGI are wanted: another `send`, a client
    that is slow or gone, a last answer, a header that uvicorn would refuse.
    """
    cycle = getattr(send, "__self__", None)
    if (
        not isinstance(cycle, RequestResponseCycle)
        or cycle.response_started
        or cycle.disconnected
        or cycle.flow.write_paused
        or not cycle.keep_alive
    ):
        return False
    status, headers, body = whole
    headers = [*cycle.default_headers, *headers]
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if _LINES.fullmatch(lines) is None or lines.count(b"\n") != len(headers):
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    if cycle.scope["method"] == "HEAD":
        body = b""
    cycle.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], lines, body))
    cycle.message_event.set()
    cycle.on_response()
    return True


def asking_first(app: _App) -> _App:
    """The app for a request with `Expect: 100-continue`.

    Answered without having asked for the body, nobody knows whether it comes: what follows on the
    connection could be a body or a request. So it is the last one there.
    """

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]

        async def careful(message: Message) -> None:
            if cycle.waiting_for_100_continue:
                cycle.keep_alive = False
            await send(message)

        await app(scope, receive, careful)

    return asked
