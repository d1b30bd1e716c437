"""Who may use the Set/Get API: so far the admin token, which is for all accounts.

The first one comes from the settings, or is made at first start and kept in the data directory.
"""

import contextlib
import hmac
import os
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from hookrack.errors import CATALOGUE, Code, ConfigError, Rejected
from hookrack.model import is_name
from hookrack.settings import ADMIN_TOKEN_CHARS, Secret

ADMIN_TOKEN_FILE: Final = "admin-token"  # noqa: S105 - a file's name


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens in force; only digests are kept."""

    admin_digest: bytes

    @classmethod
    def of_admin(cls, token: Secret) -> "Tokens":
        """The admin token alone."""
        return cls(sha256(token.reveal().encode()).digest())

    def authorize(self, authorization: str | None, account: str | None) -> str:
        """The account that a call is for, from its Authorization and Hookrack-Account headers.

        Raises: Rejected (`TOKEN_INVALID`, `ACCOUNT_REQUIRED`, `ACCOUNT_UNKNOWN`).
        """
        scheme, _, token = (authorization or "").partition(" ")
        given = sha256(token.strip().encode(errors="surrogatepass")).digest()
        if not hmac.compare_digest(given, self.admin_digest) or scheme.lower() != "bearer":
            raise Rejected(Code.TOKEN_INVALID, CATALOGUE[Code.TOKEN_INVALID].mend)
        if account is None:
            raise Rejected(Code.ACCOUNT_REQUIRED, "This token is for all accounts; name one.")
        if not is_name(account):
            raise Rejected(Code.ACCOUNT_UNKNOWN, "Hookrack-Account is no account id.")
        return account


def admin_token(given: Secret, *, data_dir: Path) -> Secret:
    """The admin token: `given`, or the one in the data directory, made there if need be.

    Raises: ConfigError when the file can't be read, written, or holds no token.
    """
    if given:
        return given
    path = data_dir / ADMIN_TOKEN_FILE
    try:
        if not path.exists():
            _create(path, secrets.token_urlsafe(32))
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not ASCII"
        raise _unusable(path, f"can't be made or read: {reason}") from exc
    if len(token) < ADMIN_TOKEN_CHARS:
        raise _unusable(path, f"holds fewer than {ADMIN_TOKEN_CHARS} characters")
    return Secret(token)


def _create(path: Path, token: str) -> None:
    """Make the file whole or not at all, for our eyes only; another's that was there first stays.

    Raises: OSError.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _unusable(path: Path, detail: str) -> ConfigError:
    mend = "Delete it to have one made, or set HOOKRACK_ADMIN_TOKEN."
    return ConfigError(detail, where=str(path), mend=mend)
