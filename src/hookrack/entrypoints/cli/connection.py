"""How a client command reaches a server: by the environment, or by what `serve` left behind."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from hookrack.errors import CATALOGUE, Code, CodedError, Rejected, Unavailable

_TIMEOUT_SECONDS: Final = 30
_SERVER_FILE: Final = "server.json"
_TOKEN_FILE: Final = "admin-token"  # noqa: S105 - a file's name


@dataclass(frozen=True, slots=True)
class Connection:
    """A server's address and the token to use there."""

    url: str
    token: str

    def get(self, path: str, *, account: str | None, raw: bool = False) -> httpx.Response:
        """One GET. Raises: Rejected or Unavailable with the server's code, httpx.ConnectError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if account:
            headers["Hookrack-Account"] = account
        params = {"raw": "true"} if raw else {}
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            response = client.get(self.url + path, headers=headers, params=params)
        if response.is_error:
            raise _error(response)
        return response


def find_connection(data_dir: Path) -> Connection | None:
    """HOOKRACK_URL and HOOKRACK_TOKEN, else the files of a server in `data_dir`, else None."""
    url, token = os.environ.get("HOOKRACK_URL"), os.environ.get("HOOKRACK_TOKEN")
    if not url:
        url = _read_url(data_dir / _SERVER_FILE)
    if not token:
        token = os.environ.get("HOOKRACK_ADMIN_TOKEN") or _read_text(data_dir / _TOKEN_FILE)
    return Connection(url.rstrip("/"), token or "") if url else None


def _read_url(path: Path) -> str | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


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
