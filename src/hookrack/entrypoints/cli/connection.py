"""How a client command reaches the API: a running server, or the embedded store for one command.

Which server, and with which token, says `hookrack.client.server`; where none runs, the same routes
are called in this process on the store itself.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from hookrack.client import AsyncClient
from hookrack.client.errors import read_error
from hookrack.client.line import line_options
from hookrack.client.server import Address, check_header, seek_address
from hookrack.client.steps import failed
from hookrack.entrypoints.cli.parts import need_server_parts
from hookrack.settings import Settings, load_settings

_TIMEOUT_SECONDS: Final = 40  # a call may wait for 30
_EMBEDDED: Final = "embedded"  # the host of a store in this process

_WRITTEN_AS: Final = {
    "hookrack-account": "--account",
    "hookrack-ttl": "--ttl",
    "content-type": "--content-type",
}
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

        Raises: ApiError with the server's code; ConfigError for what can't be sent.
        """
        headers = self._headers | more.pop("headers", {})
        for name, value in headers.items():
            check_header(_WRITTEN_AS.get(name, name), value)
        try:
            answer = await self._client.request(method, path, headers=headers, **more)
        except httpx.HTTPError as exc:
            raise failed(exc, self._client.base_url).error from exc
        if answer.is_error and answer.status_code not in allow:
            raise read_error(answer.status_code, answer.content, headers=answer.headers)
        return answer


def with_api(
    work: Callable[[Api], Awaitable[_Answer]], *, data_dir: Path | None, account: str | None = None
) -> _Answer:
    """Run a command's work with the API. Raises: ConfigError, ApiError."""
    settings = load_settings({"data_dir": data_dir}, environ=os.environ)

    async def run() -> _Answer:
        async with _client(settings) as client:
            return await work(Api(client, account=account))

    return asyncio.run(run())


def with_client(
    work: Callable[[AsyncClient, bool], Awaitable[_Answer]],
    *,
    data_dir: Path | None,
    account: str | None = None,
) -> _Answer:
    """The same with the Python client, and whether a server is behind it. Raises: as `with_api`."""
    settings = load_settings({"data_dir": data_dir}, environ=os.environ)

    async def run() -> _Answer:
        async with _client(settings, account) as http:
            served = http.base_url.host != _EMBEDDED
            return await work(AsyncClient(http=http), served)

    return asyncio.run(run())


@asynccontextmanager
async def _client(
    settings: Settings, account: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    address = seek_address(settings, os.environ)
    if address and (address.named or await _answers(address)):
        options = line_options(address, account, timeout=_TIMEOUT_SECONDS)
        async with httpx.AsyncClient(**options) as client:
            yield client
    else:
        async with _in_process(settings, account) as client:
            yield client


@asynccontextmanager
async def _in_process(settings: Settings, account: str | None) -> AsyncIterator[httpx.AsyncClient]:
    need_server_parts()
    from hookrack.app import open_app  # noqa: PLC0415 - not needed to talk to a server
    from hookrack.entrypoints.http.asgi import Front  # noqa: PLC0415
    from hookrack.tokens import admin_token  # noqa: PLC0415

    async with open_app(settings) as app:
        token = admin_token(settings.admin_token, data_dir=settings.data_dir).reveal()
        transport = httpx.ASGITransport(app=Front(app, []))
        address = Address(httpx.URL(f"http://{_EMBEDDED}"), token, trust=True, named=False)
        headers = address.headers(account)
        async with httpx.AsyncClient(
            base_url=address.url, headers=headers, transport=transport
        ) as client:
            yield client


async def _answers(address: Address) -> bool:
    """Whether the server that left its address behind is still there. Raises: Unready."""
    options = line_options(address, None, timeout=_TIMEOUT_SECONDS)
    try:
        async with httpx.AsyncClient(**options) as client:
            await client.get("/livez")
    except httpx.HTTPError as exc:
        away = failed(exc, address.url)
        if isinstance(exc, httpx.ConnectError) and not away.final:
            return False
        raise away.error from exc
    return True
