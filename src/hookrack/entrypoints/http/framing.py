"""Where one request ends and the next begins, more strictly and with less memory than uvicorn.

llhttp (httptools) refuses most of what two parsers could read differently. Here: the size of a
head and of what frames a body, one Host, no coding but `chunked`, no trailers, no change of
protocol, and pipelined requests parsed only as they are answered.
"""

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any, Final

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hookrack.entrypoints.http.exchange import PEER
from hookrack.entrypoints.http.limits import Limits
from hookrack.entrypoints.http.outlet import asking_first
from hookrack.errors import Code, CodedError, Rejected

_URL_BYTES: Final = 8 * 1024
_SLICE: Final = 16 * 1024  # parsed at once; behind a pipelined request the rest waits
_NOTED: Final = frozenset({b"host", b"transfer-encoding", b"expect"})
_CHUNK_BYTES: Final = 64  # that a chunk may cost beside its data: size, extension, line ends


class State(Enum):
    """What a connection waits for."""

    HEAD = "a request line and headers"
    BODY = "the rest of a body"
    BUSY = "our answer to a whole request"
    IDLE = "another request"
    CLOSING = "its end; what still comes is dropped"


HEAD, BODY, BUSY, IDLE, CLOSING = State  # as globals, which are found faster than members


class Framing(HttpToolsProtocol, ABC):
    """The bytes of a connection as requests; what is none goes to `refuse`."""

    # beside uvicorn's attributes: a dictionary of more than 30 is a slower kind
    __slots__ = (
        *("limits", "state", "seconds", "body_bytes", "refusal"),
        *("_wire", "_chunks", "_hosts", "_coding", "_upgrading", "_held"),
    )

    def __init__(self, *, limits: Limits, **others: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(**others)
        self.limits = limits
        self.state = HEAD
        self.seconds = 0.0  # in this state, as sweeps count them
        self.body_bytes = 0  # of this body so far, without what frames it
        self.refusal: CodedError | None = None  # after it nothing is parsed
        self.url = b""
        self._wire = 0  # bytes since the last whole request
        self._chunks = 0
        self._hosts = 0
        self._coding: bytes | None = None
        self._upgrading = False
        self._held = b""  # came behind pipelined requests

    @abstractmethod
    def refuse(self, error: CodedError) -> None:
        """Say what is wrong with the newest request, and close."""

    def data_received(self, data: bytes) -> None:
        """Parse what came, but nothing behind a request that waits for its turn."""
        if self.state is IDLE:
            self.state, self.seconds = HEAD, 0.0
        if len(data) <= _SLICE and not self.pipeline:
            self._parse(data)
            return
        view = memoryview(data)
        for at in range(0, len(data), _SLICE):
            if self.pipeline:
                self._held += view[at:]
                return
            self._parse(view[at : at + _SLICE])

    def parse_held(self) -> None:
        """Parse what had to wait."""
        held, self._held = self._held, b""
        if held:
            self.data_received(held)

    def _parse(self, data: bytes | memoryview) -> None:
        if self.refusal is not None or self.state is CLOSING:
            return
        self._wire += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            self._parse_without_upgrade(bytes(data[exc.args[0] :]))
        except httptools.HttpParserError as exc:
            cause = exc.__context__
            words = "The address can't be parsed" if cause else str(exc)
            invalid = Rejected(Code.REQUEST_INVALID, f"{words}.")
            self.refuse(cause if isinstance(cause, Rejected) else invalid)
        else:
            if self._wire > self.limits.header_bytes:
                self._check_wire()

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Ignore a wish for another protocol; the parser would take the body for that one."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%b: %b\r\n" % each for each in self.headers if each[0] != b"upgrade"]
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines))
        self._upgrading = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(head + rest)

    def _check_wire(self) -> None:
        """Refuse a head that doesn't end, and a body with more framing than data needs."""
        framing = self._wire - self.body_bytes - 2 * self.limits.header_bytes
        if self.state is HEAD:
            self.refuse(_url_too_long() if len(self.url) > _URL_BYTES else self._head_too_large())
        elif self.state is BODY and framing > self._chunks * _CHUNK_BYTES:
            self.refuse(Rejected(Code.REQUEST_INVALID, "The chunks hold too little data."))

    def _head_too_large(self) -> Rejected:
        most = f"{self.limits.header_bytes} bytes in {self.limits.headers} headers"
        return Rejected(Code.HEADERS_TOO_LARGE, f"At most {most} are taken.")

    # what the parser calls

    def on_url(self, url: bytes) -> None:
        """A part of an address; the first one begins a head, also behind other requests."""
        self.url += url
        if self.state is not HEAD:
            self.state, self.seconds = HEAD, 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer, which goes where nobody reads."""
        name = name.lower()
        if name in _NOTED:
            self._note(name, value)
        self.headers.append((name, value))

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"transfer-encoding":
            self._coding = value
        elif value.lower() == b"100-continue":
            self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        """Check the head and begin to answer. Raises: Rejected, which `_parse` finds again."""
        headers, limits = self.headers, self.limits
        if (
            len(headers) > limits.headers
            or self._wire > limits.header_bytes
            or len(self.url) > _URL_BYTES
        ):
            self._check_size()
        if self._hosts != 1 or self._coding is not None or self.expect_100_continue:
            self._check_rare()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise Rejected(Code.REQUEST_INVALID, "This is no proxy.")
            self._upgrading = True
            return
        super().on_headers_complete()
        self.scope[PEER] = self  # type: ignore[typeddict-unknown-key]
        if self.expect_100_continue:
            self.app = self.config.loaded_app
        self.headers = []  # trailers could pass for headers that nobody has checked
        self.state, self.seconds = BODY, 0.0
        self.body_bytes = self._chunks = 0
        if self.scope["http_version"] not in ("1.1", "1.0"):
            raise Rejected(Code.REQUEST_INVALID, "The versions here are HTTP/1.1 and HTTP/1.0.")

    def _check_size(self) -> None:
        """Look closely: what came on the wire may belong to a body."""
        if len(self.url) > _URL_BYTES:
            raise _url_too_long()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.headers) > self.limits.headers or size > self.limits.header_bytes:
            raise self._head_too_large()

    def _check_rare(self) -> None:
        """What most requests needn't be asked, and what depends on the version."""
        version = self.parser.get_http_version()
        if self._hosts > 1 or (version == "1.1" and not self._hosts):
            raise Rejected(Code.REQUEST_INVALID, "A request has one Host header.")
        known = version == "1.1" and (self._coding or b"").strip().lower() == b"chunked"
        if self._coding is not None and not known:
            words = "No Transfer-Encoding is known but chunked, and that in HTTP/1.1."
            raise Rejected(Code.REQUEST_INVALID, words)
        if self.expect_100_continue:
            self.expect_100_continue = version == "1.1"
            self.app = asking_first(self.config.loaded_app)

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """A part of the body; unread, it stops the reading; after the answer, it is dropped."""
        self.body_bytes += len(body)
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._wire = self._hosts = 0
        self._coding = None
        if self._upgrading:
            return
        cycle = self.cycle
        if cycle.response_complete:
            self.state, self.seconds = IDLE, 0.0
        else:
            self.state = BUSY
            cycle.more_body = False
            cycle.message_event.set()


def _url_too_long() -> Rejected:
    return Rejected(Code.URL_TOO_LONG, f"At most {_URL_BYTES} bytes are taken.")
