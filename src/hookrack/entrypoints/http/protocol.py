"""One connection: whether it is taken in, what it is refused for, and how it ends.

A refusal is a problem document, in its turn behind the answers to the requests before it. Then the
connection ends, after the client had time to read.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from hookrack.entrypoints.http.framing import BODY, BUSY, CLOSING, HEAD, IDLE, Framing
from hookrack.entrypoints.http.outlet import Flow, Outlet
from hookrack.entrypoints.http.problems import problem
from hookrack.errors import Code, CodedError, Unavailable
from hookrack.telemetry import emit, log

_LINGERING: Final = 128  # connections at the same time; more are closed at once


class Crowd(ServerState):
    """What the connections of a server know of one another."""

    def __init__(self) -> None:
        super().__init__()
        self.lingering = 0
        self.by_address: dict[str, int] = {}

    def enter(self, address: str) -> int:
        """One connection more of an address; how many it has."""
        count = self.by_address[address] = self.by_address.get(address, 0) + 1
        return count

    def leave(self, address: str) -> None:
        """One less."""
        count = self.by_address.get(address, 0) - 1
        if count > 0:
            self.by_address[address] = count
        else:
            self.by_address.pop(address, None)


class Connection(Framing):
    """From the first byte to the last."""

    __slots__ = (
        *("_crowd", "_lingers", "_outlet", "_whose", "has_left", "on_gone", "socket"),
        *("unsent", "unsent_seconds"),
    )

    def __init__(self, *, server_state: Crowd, **others: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(server_state=server_state, **others)
        self._crowd = server_state
        self._lingers = False
        self._whose = ""
        self.unsent, self.unsent_seconds = 0, 0.0
        self.on_gone: Callable[[], None] | None = None  # of the request under way, if it waits
        self.has_left = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client in, or turn it away."""
        super().connection_made(transport)
        self.socket = transport
        self.flow: FlowControl = Flow(transport, self.pipeline)
        self._outlet = Outlet(transport, close=self._close, is_closing=self._is_closing)
        self.transport = self._outlet  # type: ignore[assignment]
        self._whose = self.limits.whose(self.peer())
        if self._whose and self._crowd.enter(self._whose) > self.limits.per_address:
            self.refuse(_crowded("Your address has too many connections here."))
        elif len(self.connections) - self._crowd.lingering > self.limits.connections:
            self.refuse(_crowded("No connection is free here."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end; a request under way learns of it."""
        self._crowd.lingering -= self._lingers
        if self._whose:
            self._crowd.leave(self._whose)
        self.state, self._lingers = CLOSING, False
        super().connection_lost(exc)
        self._leave()
        self._outlet.shut()
        self.transport = self.socket

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client has sent all it will; a whole request is still answered (but not in TLS)."""
        whole = self.state is BUSY or self.state is HEAD
        if not whole or not self._under_way():
            return False
        self.cycle.keep_alive = False
        self._leave()
        return self.scheme == "http"

    def _leave(self) -> None:
        """Tell a request that waits: nobody does, or nobody will send anything more."""
        self.has_left = True
        if self.on_gone is not None:
            self.on_gone()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """See `exchange.Peer`."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Begin to answer a request, which may last longer than its first task."""
        self.start(app(cycle.scope, cycle.receive, cycle.send))

    def _done(self, task: "asyncio.Task[None]") -> None:
        """One that fails has no answer that is whole."""
        self.tasks.discard(task)
        if task.cancelled() or task.exception() is not None:
            self.socket.close()

    @property
    def is_gone(self) -> bool:
        """See `exchange.Peer`."""
        return self.socket.is_closing()

    def end_with(self, data: bytes) -> None:
        """See `exchange.Peer`; a client that doesn't read it is given up by `sweep`."""
        self.socket.write(data)
        self._outlet.shut()
        self.socket.close()

    def shutdown(self) -> None:
        """The server stops: close when what is under way is answered."""
        if self.state is not CLOSING and self._under_way():
            self.cycle.keep_alive = False
        else:
            self.socket.close()

    def peer(self) -> str:
        """The peer's address, which can be a proxy's."""
        return self.client[0] if self.client else ""

    def _under_way(self) -> bool:
        """Whether the newest request that has a whole head still waits for its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def on_response_complete(self) -> None:
        """An answer is out: the next one, or the next request."""
        if self.state is CLOSING or self.socket.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.refusal is not None:
            self._say(self.refusal)
            return
        elif self.state is BUSY:
            self.state = IDLE
        if self.state is not HEAD:
            self.seconds = 0.0
        if not self.pipeline:
            self.flow.resume_reading()
            self.parse_held()

    def refuse(self, error: CodedError) -> None:
        """Say what is wrong with the newest request, behind the answers still due, and close."""
        self.refusal = error
        if not self._under_way():
            if self.state is BODY:  # what is wrong is the rest of an answered request
                self.linger()
            else:
                self._say(error)
        elif self.state is BODY:
            self._refuse_body(error)

    def _refuse_body(self, error: CodedError) -> None:
        """The body is wrong of a request that has begun to be answered, or waits for that."""
        if self.pipeline:
            self.pipeline.popleft()
        elif self.cycle.response_started:
            self.socket.abort()
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._say(error)

    def _say(self, error: CodedError) -> None:
        """Write a refusal, the last thing on this connection."""
        status, headers, body = problem(error)
        headers = [*self.server_state.default_headers, *headers]
        headers.append((b"content-length", b"%d" % len(body)))
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.socket.write(b"%b%b\r\n%b" % (STATUS_LINE[status], lines, body))
        emit(log.REQUEST_REJECTED, code=error.code, client=self.peer())
        self.linger()

    def _is_closing(self) -> bool:
        return self.state is CLOSING or self.socket.is_closing()

    def _close(self) -> None:
        """Close, if need be after the client had time to read."""
        if self.state is BODY and not self.socket.is_closing():
            self.linger()
        else:
            self.socket.close()

    def linger(self) -> None:
        """Stop to send, and drop what comes: a close now would be a reset and undo our answer."""
        self.state, self.seconds = CLOSING, 0.0
        self._outlet.shut()
        if self._crowd.lingering >= _LINGERING:
            self.socket.close()
            return
        self._crowd.lingering += 1
        self._lingers = True
        if self.socket.can_write_eof():
            self.socket.write_eof()
        self.pipeline.clear()
        self.flow.resume_reading()


def _crowded(detail: str) -> Unavailable:
    return Unavailable(Code.TOO_MANY_CONNECTIONS, detail)
