"""One connection: how many there may be, how long each may take, and how it ends.

Timers are none of its own: the server calls `sweep` once a second, which adds up how long the
connection has been in its state. A refusal is a problem document, in its turn behind the answers to
the requests before it; then the connection ends.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from hookrack.entrypoints.http.framing import Framing, State
from hookrack.entrypoints.http.outlet import Flow, Outlet
from hookrack.entrypoints.http.problems import problem
from hookrack.errors import Code, CodedError, Rejected, Unavailable
from hookrack.telemetry import emit, log

_LINGER_SECONDS: Final = 5.0  # for a client that still sends to read what we said
_LINGERING: Final = 128  # connections at the same time; more are closed at once


class Crowd(ServerState):
    """What the connections of a server know of one another."""

    lingering = 0


class Connection(Framing):
    """From the first byte to the last."""

    def __init__(self, *, server_state: Crowd, **others: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(server_state=server_state, **others)
        self._crowd = server_state
        self._lingers = False
        self._unsent, self._unsent_seconds = 0, 0.0
        self.on_gone: Callable[[], None] | None = None  # of the request under way, if it waits
        self.has_left = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client in, or turn it away."""
        super().connection_made(transport)
        self._socket = transport
        self.flow: FlowControl = Flow(transport, self.pipeline)
        self._outlet = Outlet(transport, close=self._close, is_closing=self._is_closing)
        self.transport = self._outlet  # type: ignore[assignment]
        if len(self.connections) - self._crowd.lingering > self.limits.connections:
            self.refuse(Unavailable(Code.TOO_MANY_CONNECTIONS, "No connection is free here."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end; a request under way learns of it."""
        self._crowd.lingering -= self._lingers
        self.state, self._lingers = State.CLOSING, False
        super().connection_lost(exc)
        self._leave()
        self._outlet.shut()
        self.transport = self._socket

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client has sent all it will; a whole request is still answered (but not in TLS)."""
        whole = self.state is State.BUSY or self.state is State.HEAD
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

    @property
    def is_gone(self) -> bool:
        """See `exchange.Peer`."""
        return self._socket.is_closing()

    def end_with(self, data: bytes) -> None:
        """See `exchange.Peer`; a client that doesn't read it is given up by `sweep`."""
        self._socket.write(data)
        self._outlet.shut()
        self._socket.close()

    def shutdown(self) -> None:
        """The server stops: close when what is under way is answered."""
        if self.state is not State.CLOSING and self._under_way():
            self.cycle.keep_alive = False
        else:
            self._socket.close()

    def sweep(self, seconds: float) -> None:
        """Some time has gone by: end what took too long."""
        self._sweep_answers(seconds)
        if self.flow.read_paused:  # the wait is for us
            self.seconds = 0.0
            return
        self.seconds += seconds
        state, limits = self.state, self.limits
        if state is State.CLOSING:
            if self.seconds >= _LINGER_SECONDS and not self._unsent:
                self._socket.abort()
        elif state is State.IDLE:
            if self.seconds >= limits.keep_alive_seconds:
                self._socket.close()
        elif self.refusal is not None:
            return
        elif state is State.HEAD:
            if self.seconds >= limits.header_seconds:
                self.refuse(Rejected(Code.REQUEST_TIMEOUT, "The headers took too long."))
        elif state is State.BODY:
            self._sweep_body()

    def _sweep_body(self) -> None:
        if self.cycle.response_complete:
            if self.seconds >= _LINGER_SECONDS:
                self._socket.close()
        elif self.limits.too_slow(self.body_bytes, self.seconds):
            self.refuse(Rejected(Code.REQUEST_TIMEOUT, "The body took too long."))

    def _sweep_answers(self, seconds: float) -> None:
        """Give up a client that doesn't take what we send."""
        unsent = self._socket.get_write_buffer_size()
        if unsent == 0 or unsent > self._unsent:
            self._unsent, self._unsent_seconds = unsent, 0.0
            return
        self._unsent_seconds += seconds
        if self.limits.too_slow(self._unsent - unsent, self._unsent_seconds):
            emit(log.ANSWER_UNREAD, client=self._client(), bytes=unsent)
            self._unsent_seconds = 0.0
            self._socket.abort()

    def _client(self) -> str:
        """The peer's address, which can be a proxy's."""
        return self.client[0] if self.client else ""

    # answers and refusals

    def _under_way(self) -> bool:
        """Whether the newest request that has a whole head still waits for its answer."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def on_response_complete(self) -> None:
        """An answer is out: the next one, or the next request."""
        if self.state is State.CLOSING or self._socket.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.refusal is not None:
            self._say(self.refusal)
            return
        elif self.state is State.BUSY:
            self.state = State.IDLE
        if self.state is not State.HEAD:
            self.seconds = 0.0
        if not self.pipeline:
            self.flow.resume_reading()
            self.parse_held()

    def refuse(self, error: CodedError) -> None:
        """Say what is wrong with the newest request, behind the answers still due, and close."""
        self.refusal = error
        if not self._under_way():
            if self.state is State.BODY:  # what is wrong is the rest of an answered request
                self._linger()
            else:
                self._say(error)
        elif self.state is State.BODY:
            self._refuse_body(error)

    def _refuse_body(self, error: CodedError) -> None:
        """The body is wrong of a request that has begun to be answered, or waits for that."""
        if self.pipeline:
            self.pipeline.popleft()
        elif self.cycle.response_started:
            self._socket.abort()
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
        self._socket.write(b"%b%b\r\n%b" % (STATUS_LINE[status], lines, body))
        emit(log.REQUEST_REJECTED, code=error.code, client=self._client())
        self._linger()

    # the end

    def _is_closing(self) -> bool:
        return self.state is State.CLOSING or self._socket.is_closing()

    def _close(self) -> None:
        """Close, if need be after the client had time to read."""
        if self.state is State.BODY:
            self._linger()
        else:
            self._socket.close()

    def _linger(self) -> None:
        """Stop to send, and drop what comes: a close now would be a reset and undo our answer."""
        self.state, self.seconds = State.CLOSING, 0.0
        self._outlet.shut()
        if self._crowd.lingering >= _LINGERING:
            self._socket.close()
            return
        self._crowd.lingering += 1
        self._lingers = True
        if self._socket.can_write_eof():
            self._socket.write_eof()
        self.pipeline.clear()
        self.flow.resume_reading()
