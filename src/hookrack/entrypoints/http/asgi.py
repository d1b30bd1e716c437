"""The ASGI callable: finds the function for a path, and answers every error in one place."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from hookrack.app import App
from hookrack.entrypoints.http.exchange import (
    ADMIN,
    JSON,
    LATER,
    PEER,
    Answer,
    Gone,
    Header,
    Message,
    Peer,
    Receive,
    Scope,
    Send,
    answer,
    header,
)
from hookrack.entrypoints.http.gateway import gateway_answer
from hookrack.entrypoints.http.ingest import ingest
from hookrack.entrypoints.http.keys import PREFIX, get_key, is_get_by_key
from hookrack.entrypoints.http.parking import Parked
from hookrack.entrypoints.http.peer import client_address
from hookrack.entrypoints.http.problems import method_not_allowed, problem
from hookrack.entrypoints.worker import Worker
from hookrack.errors import Code, CodedError, HookrackError, Rejected, Unavailable
from hookrack.flows import APIGATEWAY, Flow
from hookrack.telemetry import emit, log, metrics

_READY_SECONDS: Final = 2.0
_DENIED: Final = "403"
_UNAUTHORIZED: Final = frozenset({"401", "403"})
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NONE: Final = "none"  # the status as long as nobody answered
_STOPPING: Final = Unavailable(
    Code.STORE_UNAVAILABLE, "The server stops, and this took too long to be finished before."
)
_KEPT: Final = ("route", "path_params", ADMIN)  # of what the framework found out
_BELOW_A_KEY: Final = 4  # slashes in the address of a call below a key
_Later = Callable[[Scope, Receive, Send], Awaitable[Parked | None]]  # what a scope has as LATER
_Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
WriteWhole = Callable[[Send, Answer], bool]  # as `outlet.write_whole`
_Route = Callable[[App, Scope, Receive, Send], Awaitable[Parked | None]]


class Front:
    """The door of one process; serves the paths of its roles."""

    def __init__(
        self, app: App, workers: Sequence[Worker], *, write_whole: WriteWhole | None = None
    ) -> None:
        self._app = app
        self._write_whole = write_whole
        self._workers = workers
        self._edge = "edge" in app.settings.role
        self._api = _open_api(app) if "api" in app.settings.role else None
        self._hot = _hot_calls() if self._api else {}
        self._clock_offset = time.time() - time.monotonic()
        self._fixed = {"/livez": _live, "/readyz": self._ready, "/metrics": self._tell}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and note how it ended."""
        if scope["type"] != "http":
            return
        template, route = self._route(scope["path"], scope["method"])
        noted = _Noted(scope, send, self._write_whole, template=template)
        await self._go_on(noted, route(self._app, scope, receive, noted))

    async def _go_on(self, noted: "_Noted", work: Awaitable[Parked | None]) -> None:
        """Serve a request from here on, until it is answered or waits without us."""
        scope, waits = noted.scope, False
        try:
            parked = await work
            while parked is not None:
                waits = self._leave(noted, parked)
                if waits:
                    return
                parked = await parked.go_on()
        except CodedError as exc:
            self._refused(scope, exc)
            await answer(noted, *self._told(scope, exc))
        except Gone:
            self._refused(scope, Rejected(Code.BODY_INCOMPLETE, "The client went away."))
        except Exception as exc:  # noqa: BLE001 - the HTTP boundary: a bug is a bare 500
            emit(log.REQUEST_FAILED, exc_info=exc, route=self._shown(scope["path"]))
            _count_refusal(scope, Code.INTERNAL)
            if noted.status == _NONE:
                bug = CodedError(Code.INTERNAL, "See the log of the server.")
                await answer(noted, *problem(bug))
        except asyncio.CancelledError:  # a stop waits for an answer only so long
            if noted.status == _NONE:
                self._refused(scope, _STOPPING)
                await answer(noted, *problem(_STOPPING))
            raise
        finally:
            if not waits:
                self._end(noted)

    def _leave(self, noted: "_Noted", parked: Parked) -> bool:
        """Whether the request can do without a task until something comes."""
        if PEER not in noted.scope:
            return False
        noted.front, noted.parked = self, parked
        return parked.watch.then(noted.come_back, at_most=parked.due)

    def come_back(self, noted: "_Noted", parked: Parked) -> None:
        """Something came for a request that waits without a task."""
        peer: Peer = noted.scope[PEER]
        peer.start(self._go_on(noted, parked.go_on_now()))

    def _end(self, noted: "_Noted") -> None:
        """Note how a request ended."""
        scope = noted.scope
        template = getattr(scope.get("route"), "path", noted.template)
        seconds = time.perf_counter() - noted.began
        metrics.HTTP_SECONDS.observe(seconds, template, noted.status)
        if noted.status in _UNAUTHORIZED:
            metrics.AUTH_FAILURES.add()
        if ADMIN in scope and (scope["method"] not in _READS or noted.status == _DENIED):
            self._audit(scope, template, noted.status)

    def _route(self, path: str, method: str) -> tuple[str, _Route]:
        """The function for a path, and its address without what is the request's own."""
        if self._edge and path.startswith("/in/"):
            return "/in/{account}/{flow}", ingest
        if self._api and is_get_by_key(path, method):
            return "/v1/keys/{key}", get_key
        if method == "POST" and path.startswith(PREFIX) and path.count("/") == _BELOW_A_KEY:
            verb = path.rpartition("/")[2]
            if verb in self._hot:
                return f"/v1/keys/{{key}}/{verb}", self._hot[verb]
        if self._api and path.startswith(("/v1/", "/docs", "/openapi.json")):
            return "/v1", self._rest
        if path in self._fixed:
            return path, self._fixed[path] if method in ("GET", "HEAD") else _only_get
        return "other", _unknown

    async def _rest(self, _app: App, scope: Scope, receive: Receive, send: Send) -> Parked | None:
        assert self._api is not None  # noqa: S101 - routed here only where there is one
        inner = dict(scope)  # the framework leaves in it what mustn't wait with the request
        try:
            await self._api(inner, receive, send)
        finally:
            scope.update((name, inner[name]) for name in _KEPT if name in inner)
        later: _Later | None = inner.pop(LATER, None)
        del inner
        return None if later is None else await later(scope, receive, send)

    def _refused(self, scope: Scope, exc: CodedError) -> None:
        """Count a refusal and say it in one line; a get that finds nothing is none."""
        if exc.code is Code.NO_EVENT:
            return
        _count_refusal(scope, exc.code)
        line = log.STORE_LOST if isinstance(exc, Unavailable) else log.REQUEST_REJECTED
        if exc.code is Code.STORE_FULL:
            line = log.STORE_FULL
        client = client_address(scope, self._app.settings.trusted_proxies)
        emit(line, code=exc.code, route=self._shown(scope["path"]), client=client)

    def _audit(self, scope: Scope, route: str, status: str) -> None:
        """Write down who changed what, and from where; never what came in the body."""
        token = scope[ADMIN]
        fields: dict[str, Any] = {
            "token": token.id,
            "tokenName": token.name[:200],
            "method": scope["method"],
            "route": route,
            "status": status,
            "client": client_address(scope, self._app.settings.trusted_proxies),
        }
        named = {name: str(value)[:200] for name, value in scope.get("path_params", {}).items()}
        if "account" not in named and (account := header(scope, b"hookrack-account")):
            named["account"] = account[:200]
        emit(log.ADMIN_CALLED, **named | fields)

    def _told(self, scope: Scope, exc: CodedError) -> tuple[int, list[Header], bytes]:
        """A refusal in the words that its flow asks for."""
        flow = self._flow(scope["path"])
        return gateway_answer(exc) if flow and flow.responses == APIGATEWAY else problem(exc)

    def _shown(self, path: str) -> str:
        """A path without what can be a secret: of /in only a flow that there is."""
        if path.startswith("/v1/"):
            return "/".join(path.split("/")[:4])[:200]
        flow = self._flow(path)
        return f"/in/{flow.account}/{flow.id}" if flow else "other"

    def _flow(self, path: str) -> Flow | None:
        """The flow at an address below /in."""
        parts = path.split("/")[:4]
        if len(parts) < 4 or parts[1] != "in":
            return None
        return self._app.configuration.find_flow(*parts[2:])

    async def _ready(self, app: App, _scope: Scope, _receive: Receive, send: Send) -> None:
        """200 when requests would be served, 503 naming what fails."""
        asked = {"store": app.store.ping, "queue": app.queue.stats}
        found = await asyncio.gather(*(_health(ask) for ask in asked.values()))
        checks = dict(zip(asked, found, strict=True))
        if self._workers:
            alive = all(worker.alive for worker in self._workers)
            checks["worker"] = "ok" if alive else "has stopped"
        ready = all(check == "ok" for check in checks.values())
        body = {"status": "ready" if ready else "unready", "checks": checks}
        await answer(send, 200 if ready else 503, (JSON,), orjson.dumps(body))

    async def _tell(self, app: App, _scope: Scope, _receive: Receive, send: Send) -> None:
        """The metrics."""
        from hookrack.entrypoints.http import metrics as text  # noqa: PLC0415 - only for who asks

        body = await text.render(app, self._workers, offset=self._clock_offset)
        await answer(send, 200, ((b"content-type", text.CONTENT_TYPE),), body)


class _Noted:
    """Hands messages on, and remembers the status of the answer and what else is noted of it."""

    __slots__ = (
        *("_send", "_write_whole", "began", "front", "parked", "scope", "status", "template"),
    )

    def __init__(
        self, scope: Scope, send: Send, write_whole: WriteWhole | None, *, template: str
    ) -> None:
        self._send = send
        self._write_whole = write_whole
        self.scope = scope
        self.template = template
        self.began = time.perf_counter()
        self.front: Front | None = None  # set where it waits without a task
        self.parked: Parked | None = None
        self.status = _NONE

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = str(message["status"])
        return self._send(message)

    def come_back(self) -> None:
        """Called when what it waits for came."""
        if self.front is not None and self.parked is not None:
            self.front.come_back(self, self.parked)

    def whole(self, whole: Answer) -> bool:
        """See `exchange.Whole`."""
        self.status = str(whole[0])
        return self._write_whole is not None and self._write_whole(self._send, whole)


def _hot_calls() -> Mapping[str, _Route]:
    from hookrack.entrypoints.http.api.hot import CALLS  # noqa: PLC0415 - as the rest of the API

    return CALLS


def _open_api(app: App) -> _Asgi:
    from hookrack.entrypoints.http.api import open_api  # noqa: PLC0415 - 0.4 s that edges spare

    return open_api(app)


async def _unknown(_app: App, _scope: Scope, _receive: Receive, _send: Send) -> None:
    raise Rejected(Code.NOT_FOUND, "There is nothing at this address.")


async def _only_get(_app: App, _scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, *method_not_allowed("GET", "HEAD"))


async def _live(_app: App, _scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, 200, (JSON,), b'{"status":"live"}')


def _count_refusal(scope: Scope, code: Code) -> None:
    """Count what the front door didn't take."""
    if scope["path"].startswith("/in/"):
        metrics.REJECTED.add(code.value)
        if code.value == "SIGNATURE_INVALID":
            metrics.SIGNATURE_FAILURES.add()


async def _health(ask: Callable[[], Awaitable[object]]) -> str:
    """What /readyz says of one dependency, after 2 s at most."""
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await ask()
    except (HookrackError, TimeoutError) as exc:
        return exc.detail if isinstance(exc, Unavailable) else "does not answer"
    return "ok"
