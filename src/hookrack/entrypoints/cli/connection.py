"""How a client command reaches a server: by the environment, or by what `serve` left behind.

A certificate is checked against HOOKRACK_CA (a PEM file), else against the authorities that
everybody trusts. The server that left its certificate in server.json is known by that very one,
whatever names stand in it.
"""

import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from hookrack.errors import CATALOGUE, Code, CodedError, ConfigError, Rejected, Unavailable

_TIMEOUT_SECONDS: Final = 30
_SERVER_FILE: Final = "server.json"
_TOKEN_FILE: Final = "admin-token"  # noqa: S105 - a file's name


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's address and the token to use there."""

    url: str
    token: str
    verify: ssl.SSLContext | bool = True

    def get(self, path: str, *, account: str | None, raw: bool = False) -> httpx.Response:
        """One GET. Raises: Rejected or Unavailable with the server's code, httpx.HTTPError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if account:
            headers["Hookrack-Account"] = account
        params = {"raw": "true"} if raw else {}
        asking = httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False, verify=self.verify)
        with asking as client:
            try:
                response = client.get(self.url + path, headers=headers, params=params)
            except httpx.ConnectError as exc:
                if "CERTIFICATE_VERIFY_FAILED" not in str(exc):
                    raise
                raise Unavailable(Code.STORE_UNAVAILABLE, self._distrusted(exc)) from exc
        if response.is_error:
            raise _error(response)
        return response

    def _distrusted(self, exc: Exception) -> str:
        reason = str(exc).partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        hint = "Name the authority with HOOKRACK_CA"
        return f"The certificate of {self.url} is not trusted ({reason or 'unknown'}). {hint}."


def find_connection(data_dir: Path) -> Connection | None:
    """HOOKRACK_URL and HOOKRACK_TOKEN, else the files of a server in `data_dir`, else None.

    Raises: ConfigError (`HOOKRACK_CA`).
    """
    url, token = os.environ.get("HOOKRACK_URL"), os.environ.get("HOOKRACK_TOKEN")
    left = {} if url else _read_left(data_dir / _SERVER_FILE)
    url = url or left.get("url")
    if not token:
        token = os.environ.get("HOOKRACK_ADMIN_TOKEN") or _read_text(data_dir / _TOKEN_FILE)
    if not url:
        return None
    return Connection(url.rstrip("/"), token or "", verify=_trust(left.get("certificate")))


def _trust(certificate: str | None) -> ssl.SSLContext | bool:
    """What to check a server's certificate against."""
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


def _read_left(path: Path) -> dict[str, str]:
    """What a server left behind: its address, and its certificate if it speaks TLS."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _error(response: httpx.Response) -> CodedError:
    try:
        body = response.json()
        code, detail = Code(body["code"]), str(body["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = Code.INTERNAL, f"The server answers {response.status_code}."
    if CATALOGUE[code].status in (429, 503):
        return Unavailable(code, detail)
    return Rejected(code, detail)
