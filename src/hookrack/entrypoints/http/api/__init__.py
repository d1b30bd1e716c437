"""The Set/Get API but for its one hot call: routes on FastAPI, loaded by processes that serve it.

`open_api` makes the application, `describe_api` one that only tells its routes;
each file beside this one holds the routes of one noun.
"""

from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from hookrack import __version__
from hookrack.app import App
from hookrack.entrypoints.http.api import (
    accounts,
    dead_letters,
    entries,
    leases,
    rejections,
    template,
    tokens,
)
from hookrack.entrypoints.http.api.guard import Asgi, guarded
from hookrack.entrypoints.http.api.links import linked
from hookrack.entrypoints.http.api.page import render
from hookrack.entrypoints.http.exchange import Header
from hookrack.entrypoints.http.keys import is_get_by_key
from hookrack.entrypoints.http.problems import NO_JSON, method_not_allowed, problem, unfit
from hookrack.errors import Code, CodedError, ConfigError, Rejected

_ABOUT: Final = (
    "Webhooks by webhook key. Every refusal is a problem document (RFC 9457) with a stable code."
)

_ROUTERS: Final = tuple(
    each.router for each in (entries, leases, accounts, tokens, dead_letters, rejections, template)
)


class _Linked(FastAPI):
    """Tells in its document what may follow an answer."""

    def openapi(self) -> dict[str, Any]:
        """The document."""
        return linked(super().openapi())


def open_api(app: App) -> Asgi:
    """The application for this process."""
    api = describe_api()
    api.state.app = app
    return guarded(api, app)


def describe_api() -> FastAPI:
    """The routes without an app behind them: enough for the OpenAPI document."""
    api = _Linked(
        title="hookrack",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        strict_content_type=False,  # none means JSON
        redirect_slashes=False,  # to what the Host header says
        responses={"default": {"description": "A problem document", "content": _PROBLEM}},
    )
    for router in _ROUTERS:
        api.include_router(router)
    api.add_exception_handler(CodedError, _coded)
    api.add_exception_handler(ConfigError, _invalid)
    api.add_exception_handler(RequestValidationError, _unfit)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(Exception, _bug)

    @api.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(render(api.openapi()), headers={"content-security-policy": _CSP})

    return api


_CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_PROBLEM: Final[dict[str, Any]] = {
    "application/problem+json": {
        "schema": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "code": {"type": "string", "enum": [code.value for code in Code]},
                "errors": {"type": "array", "items": {"type": "object"}},
            },
        }
    }
}


def _answer(told: tuple[int, list[Header], bytes]) -> Response:
    status, headers, body = told
    return Response(body, status, {key.decode(): value.decode() for key, value in headers})


async def _coded(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, CodedError)  # noqa: S101 - registered for these
    return _answer(problem(exc))


async def _bug(_: Request, __: Exception) -> Response:
    """What nobody foresaw; it is raised again behind this answer, for the log."""
    return _answer(problem(CodedError(Code.INTERNAL, "See the log of the server.")))


async def _invalid(_: Request, exc: Exception) -> Response:
    """What a flow file's reader says of a document that came by the API."""
    return _answer(problem(Rejected(Code.CONFIG_INVALID, str(exc))))


async def _unfit(request: Request, exc: Exception) -> Response:
    """A body or query of another shape than the route's."""
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - registered for these
    content_type = request.headers.get("content-type", "")
    if "json" not in content_type and any(each["loc"] == ("body",) for each in exc.errors()):
        return _answer(problem(Rejected(Code.QUERY_INVALID, NO_JSON)))
    return _answer(problem(unfit((each["loc"][1:], each["msg"]) for each in exc.errors())))


def _methods(request: Request) -> list[str]:
    """What may be asked of this address; the router's own list ends with its first route."""
    found = {"HEAD"} if is_get_by_key(request.url.path, "HEAD") else set[str]()
    routes = [*request.app.routes, *(route for router in _ROUTERS for route in router.routes)]
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)


async def _http(request: Request, exc: Exception) -> Response:
    """What the router itself refuses."""
    assert isinstance(exc, HTTPException)  # noqa: S101 - registered for these
    if exc.status_code == 405:
        return _answer(method_not_allowed(*_methods(request)))
    return _answer(problem(Rejected(Code.NOT_FOUND, "There is nothing at this address.")))
