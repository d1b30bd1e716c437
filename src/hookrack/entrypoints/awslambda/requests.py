"""The front door and the Set/Get API on Lambda: one event in, through the ASGI callable, one out.

Events come from a REST API, an HTTP API (payload 1.0 or 2.0) or a function URL. The body is the
bytes that were sent, the address the public one, and the client whoever Lambda says it is.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from hookrack.app import App, open_app
from hookrack.entrypoints.awslambda.container import Container
from hookrack.entrypoints.http.asgi import Front
from hookrack.entrypoints.http.exchange import Message, Scope
from hookrack.entrypoints.http.problems import problem
from hookrack.errors import Code, CodedError, Rejected, Unavailable
from hookrack.flows import Configuration
from hookrack.ports import Store
from hookrack.registry import Live
from hookrack.settings import Settings

ANSWER_BYTES: Final = 5 * 1024 * 1024
PAYLOAD_BYTES: Final = 6 * 1024 * 1024 - 64 * 1024  # of an answer as Lambda counts it, escapes too
READ_BYTES: Final = 3_584 * 1024  # of data in one answer: as base64 it is still below both
LONGEST_WAIT: Final = 25  # seconds; API Gateway gives up after 29
_Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Served:
    """An app and its front door."""

    app: App
    front: Front

    @property
    def live(self) -> Live:
        """The configuration in force."""
        return self.app.live

    @property
    def store(self) -> Store:
        """The store."""
        return self.app.store


@asynccontextmanager
async def _open(settings: Settings, file: Configuration | None) -> AsyncIterator[_Served]:
    async with open_app(settings, file) as opened:
        app = replace(opened, read_bytes=READ_BYTES)
        yield _Served(app, Front(app, ()))


class Door:
    """A handler for HTTP events, with its state in one container."""

    def __init__(self, role: str, *, asks_store: bool) -> None:
        self._container = Container(_open, asks_store=asks_store, role=[role])

    def handle(self, event: _Event, _context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own
        """Answer one request. Raises: what means that hookrack can't be opened at all."""
        try:
            asked = read_request(event)
        except Rejected as exc:
            return _Answer.of(exc).tell(event)
        if _is_server_only(asked.scope["path"]):
            detail = "Streams and metrics are for a server that stays."
            return _Answer.of(CodedError(Code.NOT_ON_LAMBDA, detail)).tell(event)
        try:
            return self._container.run(lambda served: _ask(served, asked)).tell(event)
        except Unavailable as exc:
            return _Answer.of(exc).tell(event)


def _is_server_only(path: str) -> bool:
    """Whether this needs a connection that stays open, or counts of more than one container."""
    return path == "/metrics" or (path.startswith("/v1/keys/") and path.endswith("/stream"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the ASGI callable takes it."""

    scope: Scope
    body: bytes


async def _ask(served: _Served, asked: Asked) -> "_Answer":
    """Run the ASGI callable for one request."""
    incoming: list[Message] = [{"type": "http.request", "body": asked.body, "more_body": False}]
    answer = _Answer(500, [], bytearray())

    async def receive() -> Message:
        if not incoming:
            await asyncio.Event().wait()  # the client stays as long as we do
        return incoming.pop()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], list(message.get("headers", ()))
        else:
            answer.body.extend(message.get("body", b""))

    await served.front(asked.scope, receive, send)
    return answer


@dataclass(slots=True)
class _Answer:
    """What the ASGI callable said, in the form that the event's source takes."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytearray

    @classmethod
    def of(cls, error: CodedError) -> "_Answer":
        status, headers, body = problem(error)
        return cls(status, headers, bytearray(body))

    def tell(self, event: _Event) -> dict[str, Any]:
        """The answer of the handler; 413 where it is more than Lambda lets through."""
        text, is_base64, size = _text(bytes(self.body))
        if len(self.body) > ANSWER_BYTES or size > PAYLOAD_BYTES:
            detail = "On Lambda an answer has 5 MiB at most."
            return _Answer.of(Rejected(Code.ENTRY_TOO_LARGE, detail)).tell(event)
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers]
        told: dict[str, Any] = {"statusCode": self.status, "body": text}
        told["isBase64Encoded"] = is_base64
        if event.get("version") == "2.0":
            return told | {"headers": dict(pairs)}
        many: dict[str, list[str]] = {}
        for name, value in pairs:
            many.setdefault(name, []).append(value)
        return told | {"multiValueHeaders": many}


def _text(body: bytes) -> tuple[str, bool, int]:
    """A body as text or base64, whichever Lambda counts less for, and how much."""
    encoded = (len(body) + 2) // 3 * 4
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True, encoded
    size = len(json.dumps(text, ensure_ascii=False).encode())
    if size > max(encoded, PAYLOAD_BYTES // 2):
        return base64.b64encode(body).decode(), True, encoded
    return text, False, size


def read_request(event: _Event) -> Asked:
    """The request that an event is. Raises: Rejected (`REQUEST_INVALID`)."""
    context = event.get("requestContext") or {}
    try:
        is_second = event.get("version") == "2.0"
        line = _second(event, context) if is_second else _first(event, context)
        headers = [(name.lower().encode(), value.encode()) for name, value in line.headers]
        data = (event.get("body") or "").encode()
        if event.get("isBase64Encoded"):
            data = base64.b64decode(data, validate=True)
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as exc:
        detail = "This is no event of a REST API, an HTTP API or a function URL."
        raise Rejected(Code.REQUEST_INVALID, detail) from exc
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "https",
        "method": line.method.upper(),
        "path": line.path,
        "raw_path": line.raw_path.encode(),
        "root_path": line.root,
        "query_string": _capped(line.query).encode(),
        "headers": headers,
        "client": (line.client, 0) if line.client else None,
        "server": None,
    }
    return Asked(scope, data)


@dataclass(frozen=True, slots=True)
class _Line:
    """What both forms of events have; `raw_path` is the public one, `root` its stage."""

    method: str
    path: str
    raw_path: str
    root: str
    query: str
    headers: list[tuple[str, str]]
    client: str


def _second(event: _Event, context: _Event) -> _Line:
    """Payload 2.0: HTTP APIs and function URLs. A stage stands before the path."""
    http = context["http"]
    public = event["rawPath"]
    stage = context.get("stage", "$default")
    root = "" if stage == "$default" or not public.startswith(f"/{stage}/") else f"/{stage}"
    headers = list((event.get("headers") or {}).items())
    if event.get("cookies"):
        headers.append(("cookie", "; ".join(event["cookies"])))
    path = unquote(public.removeprefix(root))
    query = event.get("rawQueryString") or ""
    return _Line(http["method"], path, public, root, query, headers, http.get("sourceIp") or "")


def _first(event: _Event, context: _Event) -> _Line:
    """Payload 1.0: REST APIs. The path has no stage, the public one (in the context) has."""
    path, public = event["path"], context.get("path") or event["path"]
    root = public.removesuffix(path) if public.endswith(path) else ""
    many = event.get("multiValueHeaders") or {}
    pairs = [(name, value) for name, values in many.items() for value in values]
    headers = pairs or list((event.get("headers") or {}).items())
    listed = event.get("multiValueQueryStringParameters") or {}
    query = urlencode([(name, value) for name, values in listed.items() for value in values])
    client = (context.get("identity") or {}).get("sourceIp") or ""
    raw = quote(public, safe="/%:~-._")
    return _Line(event["httpMethod"], unquote(path), raw, root, query, headers, client)


def _capped(query: str) -> str:
    """A query without a wait longer than API Gateway's patience; otherwise as it was."""
    if "wait=" not in query:
        return query
    pairs = parse_qsl(query, keep_blank_values=True)
    capped = [(name, _shorter(value) if name == "wait" else value) for name, value in pairs]
    return query if capped == pairs else urlencode(capped)


def _shorter(wait: str) -> str:
    is_number = wait.isascii() and wait.isdecimal() and len(wait) < 10
    return str(min(int(wait), LONGEST_WAIT)) if is_number else wait


EDGE: Final = Door("edge", asks_store=False)  # what it takes in goes to the queue
API: Final = Door("api", asks_store=True)
