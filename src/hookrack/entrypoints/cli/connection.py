"""How a client command reaches the API: a running server, or the embedded store for one command.

Named by HOOKRACK_URL, or by server.json in the data directory as long as the `serve` that wrote it
is alive; where none is, the same routes are called in this process on the store itself.

A certificate is checked against HOOKRACK_CA (a PEM file), else against the authorities that
everybody trusts. The server that left its certificate in server.json is known by that very one.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

from hookrack.errors import CATALOGUE, Code, CodedError, ConfigError, Rejected, Unavailable
from hookrack.model import is_webhook_key
from hookrack.server_file import announced
from hookrack.settings import Settings, load_settings

_TIMEOUT_SECONDS: Final = 40  # a call may wait for 30
_TOKEN_FILE: Final = "admin-token"  # noqa: S105 - a file's name

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

        Raises: Rejected or Unavailable with the server's code; ConfigError for what can't be sent.
        """
        headers = self._headers | more.pop("headers", {})
        for name, value in headers.items():
            _check_header(_WRITTEN_AS.get(name, name), value)
        try:
            answer = await self._client.request(method, path, headers=headers, **more)
        except httpx.HTTPError as exc:
            raise _away(self._client.base_url, exc) from exc
        if answer.is_error and answer.status_code not in allow:
            raise _error(answer)
        return answer


def _check_header(where: str, value: str) -> None:
    """Refuse what no header can carry; the value can be a token. Raises: ConfigError."""
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(
            "holds a letter beyond ASCII, or a line end", where=where, mend="Write it in ASCII."
        )


def key_path(key: str) -> str:
    """The address of a webhook key. Raises: Rejected (`KEY_INVALID`); `..` would lead elsewhere."""
    if not is_webhook_key(key):
        raise Rejected(Code.KEY_INVALID, CATALOGUE[Code.KEY_INVALID].mend)
    return f"/v1/keys/{key}"


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
    left = {} if named else _announced(settings.data_dir)
    url, trust = named or left.get("url"), _trust(left.get("certificate"))
    if url and (named or await _answers(url, trust)):
        token = _named_token() if named else _token(settings)
        _check_header("HOOKRACK_TOKEN", token)
        headers = {b"authorization": f"Bearer {token}".encode()}
        async with httpx.AsyncClient(
            base_url=_checked(url),
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            verify=trust,
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


def _checked(text: str) -> httpx.URL:
    """The address of a server. Raises: ConfigError, without a password that may stand in it."""
    where = "HOOKRACK_URL in the environment"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise ConfigError("is no URL", where=where, mend="Write http://host:port.") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("is no http or https URL", where=where, mend="Write http://host:port.")
    if url.userinfo:
        mend = "Write http://host:port, and put the token into HOOKRACK_TOKEN."
        raise ConfigError("holds a name or password", where=where, mend=mend)
    return url


async def _answers(url: str, trust: ssl.SSLContext | bool) -> bool:
    """Whether the server that left its address behind is still there."""
    try:
        async with httpx.AsyncClient(
            trust_env=False, timeout=_TIMEOUT_SECONDS, verify=trust
        ) as client:
            await client.get(f"{url}/livez")
    except httpx.ConnectError as exc:
        if "CERTIFICATE_VERIFY_FAILED" in str(exc):
            raise _away(url, exc) from exc
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


def _named_token() -> str:
    """A token for the server that HOOKRACK_URL names: never one of this machine's own files."""
    given = os.environ.get("HOOKRACK_TOKEN")
    if not given:
        raise ConfigError(
            "is not set, and the token of this data directory is not for other servers",
            where="HOOKRACK_TOKEN in the environment",
            mend="Set it to a token of the server that HOOKRACK_URL names.",
        )
    return given


def _trust(certificate: str | None) -> ssl.SSLContext | bool:
    """What to check a server's certificate against. Raises: ConfigError (`HOOKRACK_CA`)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # this one itself, not its issuer
        context.check_hostname = False
        context.load_verify_locations(cadata=certificate)
        return context
    file = os.environ.get("HOOKRACK_CA")
    if not file:
        return True
    try:
        context.load_verify_locations(cafile=file)
    except OSError as exc:  # which ssl.SSLError is, too
        raise ConfigError(
            f"{file} can't be used: {exc.strerror or exc}",
            where="HOOKRACK_CA in the environment",
            mend="Name a PEM file with the certificates of the authorities to trust.",
        ) from exc
    return context


def _announced(folder: Path) -> dict[str, str]:
    """Address and certificate of the server that is alive, if it serves the API."""
    found = announced(folder)
    if "api" not in found.get("role", ()):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _away(url: object, exc: Exception) -> Unavailable:
    if "CERTIFICATE_VERIFY_FAILED" in str(exc):
        detail = f"The certificate of {url} is not trusted. Name its authority with HOOKRACK_CA."
        return Unavailable(Code.STORE_UNAVAILABLE, detail)
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
