"""How a client command reaches the API: a running server, or the embedded store for one command.

Named by HOOKRACK_URL, or left behind by `serve` in the data directory; where none runs, the same
routes are called in this process on the store itself.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from hookrack.errors import CATALOGUE, Code, CodedError, Rejected, Unavailable
from hookrack.settings import Settings, load_settings

_TIMEOUT_SECONDS: Final = 30
_SERVER_FILE: Final = "server.json"
_TOKEN_FILE: Final = "admin-token"  # noqa: S105 - a file's name

_Answer = TypeVar("_Answer")


class Api:
    """The Set/Get API as a command uses it."""

    def __init__(self, client: httpx.AsyncClient, *, account: str | None) -> None:
        self._client = client
        self._headers = {"hookrack-account": account} if account else {}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        allow: tuple[int, ...] = (),
        **more: Any,  # noqa: ANN401 - as httpx
    ) -> httpx.Response:
        """One call; statuses in `allow` are answers too.

        Raises: Rejected or Unavailable with the server's code.
        """
        headers = self._headers | more.pop("headers", {})
        try:
            answer = await self._client.request(method, path, headers=headers, **more)
        except httpx.HTTPError as exc:
            raise _away(self._client.base_url, exc) from exc
        if answer.is_error and answer.status_code not in allow:
            raise _error(answer)
        return answer


def with_api(
    work: Callable[[Api], Awaitable[_Answer]], *, data_dir: Path | None, account: str | None = None
) -> _Answer:
    """Run a command's work with the API. Raises: ConfigError, Rejected, Unavailable."""
    settings = load_settings({"data_dir": data_dir}, environ=os.environ)

    async def run() -> _Answer:
        async with _client(settings) as client:
            return await work(Api(client, account=account))

    return asyncio.run(run())


@asynccontextmanager
async def _client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    named = os.environ.get("HOOKRACK_URL")
    url = named or _left_behind(settings.data_dir / _SERVER_FILE)
    if url and (named or await _answers(url)):
        headers = {"authorization": f"Bearer {_token(settings)}"}
        async with httpx.AsyncClient(
            base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False
        ) as client:
            yield client
    else:
        async with _in_process(settings) as client:
            yield client


@asynccontextmanager
async def _in_process(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    from hookrack.app import open_app  # noqa: PLC0415 - not needed to talk to a server
    from hookrack.entrypoints.http.asgi import Front  # noqa: PLC0415
    from hookrack.tokens import admin_token  # noqa: PLC0415

    async with open_app(settings) as app:
        token = admin_token(settings.admin_token, data_dir=settings.data_dir).reveal()
        transport = httpx.ASGITransport(app=Front(app, []))
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url="http://embedded", headers=headers, transport=transport
        ) as client:
            yield client


async def _answers(url: str) -> bool:
    """Whether the server that left its address behind is still there."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
            await client.get(f"{url}/livez")
    except httpx.ConnectError:
        return False
    except httpx.HTTPError as exc:
        raise _away(url, exc) from exc
    return True


def _token(settings: Settings) -> str:
    if given := os.environ.get("HOOKRACK_TOKEN"):
        return given
    if settings.admin_token:
        return settings.admin_token.reveal()
    try:
        return (settings.data_dir / _TOKEN_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _left_behind(path: Path) -> str | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _away(url: object, exc: Exception) -> Unavailable:
    return Unavailable(Code.STORE_UNAVAILABLE, f"{url} doesn't answer ({type(exc).__name__}).")


def _error(answer: httpx.Response) -> CodedError:
    try:
        body = answer.json()
        code, detail = Code(body["code"]), str(body["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = Code.INTERNAL, f"The server answers {answer.status_code}."
    if CATALOGUE[code].status in (429, 503):
        return Unavailable(code, detail)
    return Rejected(code, detail)
