"""The ASGI callable: finds the function for a path, and answers every error in one place."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import orjson

from hookrack.app import App
from hookrack.entrypoints.http.exchange import JSON, Gone, Receive, Scope, Send, answer
from hookrack.entrypoints.http.ingest import ingest
from hookrack.entrypoints.http.keys import PREFIX as KEYS_PREFIX
from hookrack.entrypoints.http.keys import get_key
from hookrack.entrypoints.http.peer import client_address
from hookrack.entrypoints.http.problems import problem
from hookrack.entrypoints.worker import Worker
from hookrack.errors import Code, CodedError, HookrackError, Rejected, Unavailable
from hookrack.telemetry import emit, log

_READY_SECONDS: Final = 2.0
_Route = Callable[[App, Scope, Receive, Send], Awaitable[None]]


class Front:
    """The door of one process; serves the paths of its roles."""

    def __init__(self, app: App, workers: Sequence[Worker]) -> None:
        self._app = app
        self._workers = workers
        self._edge = "edge" in app.settings.role
        self._api = "api" in app.settings.role

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        try:
            await self._route(scope["path"])(self._app, scope, receive, send)
        except CodedError as exc:
            self._log(scope, exc)
            await answer(send, *problem(exc))
        except Gone:
            self._log(scope, Rejected(Code.BODY_INCOMPLETE, "The client went away."))
        except Exception as exc:  # noqa: BLE001 - the HTTP boundary: a bug is a bare 500
            emit(log.REQUEST_FAILED, exc_info=exc, route=_shown(scope["path"]))
            await answer(send, *problem(CodedError(Code.INTERNAL, "See the log of the server.")))

    def _route(self, path: str) -> _Route:
        if self._edge and path.startswith("/in/"):
            return ingest
        if self._api and path.startswith(KEYS_PREFIX):
            return get_key
        if path == "/livez":
            return _live
        if path == "/readyz":
            return self._ready
        raise Rejected(Code.NOT_FOUND, "There is nothing at this address.")

    def _log(self, scope: Scope, exc: CodedError) -> None:
        """One line per refusal; a get that finds nothing is none."""
        if exc.code is Code.NO_EVENT:
            return
        line = log.STORE_LOST if isinstance(exc, Unavailable) else log.REQUEST_REJECTED
        client = client_address(scope, self._app.settings.trusted_proxies)
        emit(line, code=exc.code, route=_shown(scope["path"]), client=client)

    async def _ready(self, app: App, _scope: Scope, _receive: Receive, send: Send) -> None:
        """200 when requests would be served, 503 naming what fails."""
        checks = {"store": "ok", "queue": "ok"}
        for name, ask in {"store": app.store.ping, "queue": app.queue.stats}.items():
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    await ask()
            except (HookrackError, TimeoutError) as exc:
                checks[name] = exc.detail if isinstance(exc, Unavailable) else "does not answer"
        if self._workers:
            alive = all(worker.alive for worker in self._workers)
            checks["worker"] = "ok" if alive else "has stopped"
        ready = all(check == "ok" for check in checks.values())
        body = {"status": "ready" if ready else "unready", "checks": checks}
        await answer(send, 200 if ready else 503, (JSON,), orjson.dumps(body))


async def _live(_app: App, _scope: Scope, _receive: Receive, send: Send) -> None:
    await answer(send, 200, (JSON,), b'{"status":"live"}')


def _shown(path: str) -> str:
    """A path without what can be a secret: /in/{account}/{flow} and no further."""
    return "/".join(path.split("/")[:4])[:200]
