"""One HTTP exchange as the routes see it: headers in, bytes counted in, one answer out."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping, Sequence
from typing import Any, Final, Protocol

from hookrack.errors import Code, Rejected

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]
Answer = tuple[int, Sequence[Header], bytes]  # status, headers with a length, body
Whole = Callable[[Answer], bool]  # writes an answer in one piece, or does nothing and says False

ADMIN: Final = "hookrack.admin"  # in a scope: the token of an admin's call
JSON: Final[Header] = (b"content-type", b"application/json")
PEER: Final = "hookrack.peer"  # where a scope has its connection
LATER: Final = "hookrack.later"  # and what is still to do, once the framework is done


class Gone(Exception):  # noqa: N818 - a state of the peer, no fault of ours
    """The client went away before its request was complete; there is nobody to answer."""


class Peer(Protocol):
    """The connection of a request, for answers that take their time."""

    on_gone: Callable[[], None] | None
    has_left: bool  # it will send nothing more; perhaps it still reads

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work for a request, in a task of its own."""
        ...

    @property
    def is_gone(self) -> bool:
        """Whether nothing reaches the client any more."""
        ...

    def end_with(self, data: bytes) -> None:
        """Write `data` as it is, past everything that waits to be written, and close."""
        ...


def tell_when_gone(scope: Scope, call: Callable[[], None] | None) -> None:
    """Have `call` called when the client leaves or has sent its last byte; None ends that."""
    peer: Peer | None = scope.get(PEER)
    if peer is not None:
        peer.on_gone = call
        if call is not None and peer.has_left:
            call()


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that (lower-case) name, as text; bytes beyond ASCII stay apart."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


async def read_body(scope: Scope, receive: Receive, *, limit: int) -> bytes:
    """The whole body, counted as it arrives; what is too large is not waited for.

    Raises: Rejected (`BODY_TOO_LARGE`), Gone when the client cut it off.
    """
    declared = header(scope, b"content-length")
    if declared and declared.isascii() and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
        return body
    return await _read_parts(message, receive, limit)


async def _read_parts(message: Message, receive: Receive, limit: int) -> bytes:
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def too_large(limit: int) -> Rejected:
    """What is told to who sends more than that."""
    return Rejected(Code.BODY_TOO_LARGE, f"The body is larger than {limit} bytes.")


async def answer(send: Send, status: int, headers: Iterable[Header], body: bytes) -> None:
    """Send one whole answer, in one piece where `send` can do that.

    That of a 304 tells no length, which would be the entry's; that of a 204 has none.
    """
    start = [*headers]
    if status not in (204, 304):
        start.append((b"content-length", b"%d" % len(body)))
    whole: Whole | None = getattr(send, "whole", None)
    if whole is not None and whole((status, start, body)):
        return
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
