"""Which server a client asks, with which token and trust.

What the caller names goes before HOOKRACK_URL and HOOKRACK_TOKEN, and these before server.json in
the data directory, which counts as long as the `serve` that wrote it is alive. A token of this
machine's own files is only for the server that runs on them.

A certificate is checked against HOOKRACK_CA (a PEM file), else against the authorities that
everybody trusts. The server that left its certificate in server.json is known by that very one.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from hookrack.errors import ConfigError
from hookrack.server_file import announced
from hookrack.settings import Settings, load_settings

_TOKEN_FILE: Final = "admin-token"  # noqa: S105 - a file's name
_URL: Final = "HOOKRACK_URL in the environment"
_ASK: Final = "Start one, or name one with HOOKRACK_URL and HOOKRACK_TOKEN."


@dataclass(frozen=True, slots=True)
class Address:
    """A server: where it is, the token for it, and what its certificate is checked against.

    `named` where somebody named it, rather than found it in a data directory.
    """

    url: httpx.URL
    token: str = field(repr=False)
    trust: ssl.SSLContext | bool
    named: bool

    def headers(self, account: str | None) -> dict[str, str]:
        """What every request has. Raises: ConfigError."""
        check_header("HOOKRACK_TOKEN", self.token)
        found = {"authorization": f"Bearer {self.token}"} if self.token else {}
        if account:
            check_header("account", account)
            found["hookrack-account"] = account
        return found


def find_address(
    url: str | None = None,
    token: str | None = None,
    *,
    data_dir: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Address:
    """The server to ask. Raises: ConfigError, also where none runs."""
    environ = os.environ if environ is None else environ
    if url:
        named = token or environ.get("HOOKRACK_TOKEN", "")
        return Address(_checked(url, "url"), named, _trust(None, environ), named=True)
    settings = load_settings({"data_dir": data_dir}, environ=environ)
    found = seek_address(settings, environ, token=token)
    if found is None:
        where = str(settings.data_dir)
        raise ConfigError("no server that is alive left its address", where=where, mend=_ASK)
    return found


def seek_address(
    settings: Settings, environ: Mapping[str, str], *, token: str | None = None
) -> Address | None:
    """The server that the environment names or the data directory has. Raises: ConfigError."""
    if url := environ.get("HOOKRACK_URL"):
        own = token or _named_token(environ)
        return Address(_checked(url, _URL), own, _trust(None, environ), named=True)
    left = _announced(settings.data_dir)
    if "url" not in left:
        return None
    trust = _trust(left.get("certificate"), environ)
    own = token or _token(settings, environ)
    return Address(_checked(left["url"], str(settings.data_dir)), own, trust, named=False)


def check_header(where: str, value: str) -> None:
    """Refuse what no header can carry; the value can be a token. Raises: ConfigError."""
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(
            "holds a letter beyond ASCII, or a line end", where=where, mend="Write it in ASCII."
        )


def _checked(text: str, where: str) -> httpx.URL:
    """The address of a server. Raises: ConfigError, without a password that may stand in it."""
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


def _token(settings: Settings, environ: Mapping[str, str]) -> str:
    if given := environ.get("HOOKRACK_TOKEN"):
        return given
    if settings.admin_token:
        return settings.admin_token.reveal()
    try:
        return (settings.data_dir / _TOKEN_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _named_token(environ: Mapping[str, str]) -> str:
    """A token for the server that HOOKRACK_URL names: never one of this machine's own files."""
    given = environ.get("HOOKRACK_TOKEN")
    if not given:
        raise ConfigError(
            "is not set, and the token of this data directory is not for other servers",
            where="HOOKRACK_TOKEN in the environment",
            mend="Set it to a token of the server that HOOKRACK_URL names.",
        )
    return given


def _trust(certificate: str | None, environ: Mapping[str, str]) -> ssl.SSLContext | bool:
    """What to check a server's certificate against. Raises: ConfigError (`HOOKRACK_CA`)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # this one itself, not its issuer
        context.check_hostname = False
        context.load_verify_locations(cadata=certificate)
        return context
    file = environ.get("HOOKRACK_CA")
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
