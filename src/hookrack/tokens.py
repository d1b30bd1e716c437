"""Who may use the Set/Get API: the admin token of the settings, and the tokens made with it.

Of a token only an HMAC is kept. The account of a call is the token's; a token for several accounts
names one in a header, and a foreign one looks like one that isn't there.
"""

import json
import secrets
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from hmac import digest as hmac_digest
from pathlib import Path
from typing import Any, Final, Literal

from hookrack.errors import CATALOGUE, Code, ConfigError, Rejected
from hookrack.model import format_time, is_name
from hookrack.private_file import read_or_create
from hookrack.settings import SECRET_CHARS, Secret

ADMIN_TOKEN_FILE: Final = "admin-token"  # noqa: S105 - a file's name
Scope = Literal["read", "write", "ack", "admin"]
SCOPES: Final[tuple[Scope, ...]] = ("read", "write", "ack", "admin")


@dataclass(frozen=True, slots=True)
class Token:
    """What a token may do. `accounts` is None for all; `expires_at` and `created_at` in ms."""

    id: str
    name: str
    accounts: tuple[str, ...] | None
    scopes: tuple[Scope, ...]
    created_at: int = 0
    expires_at: int | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether it has the scope; admin implies all."""
        return scope in self.scopes or "admin" in self.scopes

    def covers(self, account: str) -> bool:
        """Whether it is for this account."""
        return self.accounts is None or account in self.accounts

    def without(self, account: str) -> "Token":
        """The same for its other accounts."""
        rest = tuple(each for each in self.accounts or () if each != account)
        return replace(self, accounts=rest)

    def text(self) -> str:
        """As the registry keeps it."""
        return json.dumps(
            {
                "id": self.id,
                "name": self.name,
                "accounts": self.accounts,
                "scopes": self.scopes,
                "createdAt": self.created_at,
                "expiresAt": self.expires_at,
            }
        )

    @classmethod
    def parse(cls, text: str) -> "Token":
        """What `text` wrote."""
        kept: dict[str, Any] = json.loads(text)
        return cls(
            id=kept["id"],
            name=kept["name"],
            accounts=None if kept["accounts"] is None else tuple(kept["accounts"]),
            scopes=tuple(kept["scopes"]),
            created_at=kept["createdAt"],
            expires_at=kept["expiresAt"],
        )

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "accounts": "*" if self.accounts is None else list(self.accounts),
            "scopes": list(self.scopes),
            "createdAt": format_time(self.created_at),
        }
        if self.expires_at is not None:
            shown["expiresAt"] = format_time(self.expires_at)
        return shown


_ADMIN: Final = Token(id="admin", name="admin", accounts=None, scopes=("admin",))


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens in force, by HMAC; `pepper` is the key of it, shared by all processes."""

    by_digest: Mapping[str, Token] = field(repr=False)
    pepper: bytes = field(repr=False)

    @classmethod
    def of_admin(cls, token: Secret, *, pepper: bytes = b"") -> "Tokens":
        """The admin token alone."""
        return cls({_digest(token.reveal().strip().encode(), pepper): _ADMIN}, pepper)

    def along_with(self, kept: Mapping[str, Token]) -> "Tokens":
        """These, and the ones that the registry keeps by digest."""
        return Tokens({**kept, **self.by_digest}, self.pepper)

    def digest(self, token: str) -> str:
        """What is kept of a token."""
        return _digest(token.encode(), self.pepper)

    def known(self, authorization: str | None) -> Token:
        """The token of an Authorization header, if it is in force.

        Raises: Rejected (`TOKEN_INVALID`).
        """
        scheme, _, given = (authorization or "").partition(" ")
        # Headers come as latin-1; what was sent are the bytes of some text, UTF-8 as a rule.
        sent = given.strip().encode("latin-1", errors="replace")
        token = self.by_digest.get(_digest(sent, self.pepper))
        if token is None or scheme.lower() != "bearer" or _is_over(token):
            raise Rejected(Code.TOKEN_INVALID, CATALOGUE[Code.TOKEN_INVALID].mend)
        return token

    def identify(self, authorization: str | None, scope: Scope) -> Token:
        """The token of an Authorization header, if it has the scope.

        Raises: Rejected (`TOKEN_INVALID`, `SCOPE_MISSING`).
        """
        token = self.known(authorization)
        if not token.allows(scope):
            raise Rejected(Code.SCOPE_MISSING, f"This needs a token with the scope {scope}.")
        return token

    def authorize(
        self, authorization: str | None, account: str | None, *, scope: Scope = "read"
    ) -> str:
        """The account that a call is for, from its Authorization and Hookrack-Account headers.

        Raises: as `identify`; Rejected (`ACCOUNT_REQUIRED`, `ACCOUNT_UNKNOWN`).
        """
        return pick_account(self.identify(authorization, scope), account)


def pick_account(token: Token, named: str | None) -> str:
    """The account of a call: the token's, or of several the one that the header names.

    Raises: Rejected (`ACCOUNT_REQUIRED`, `ACCOUNT_UNKNOWN`).
    """
    if named is None:
        if token.accounts is None or len(token.accounts) != 1:
            raise Rejected(Code.ACCOUNT_REQUIRED, "This token is for several accounts.")
        return token.accounts[0]
    if not is_name(named) or not token.covers(named):
        raise Rejected(Code.ACCOUNT_UNKNOWN, "There is no such account for this token.")
    return named


def _digest(token: bytes, pepper: bytes) -> str:
    return hmac_digest(pepper, token, "sha256").hex()


def _is_over(token: Token) -> bool:
    return token.expires_at is not None and token.expires_at <= time.time_ns() // 1_000_000


def new_token(
    name: str, *, accounts: Iterable[str] | None, scopes: Iterable[Scope], expires_at: int | None
) -> tuple[str, Token]:
    """A token's text, to be shown once, and what it may do.

    The text is `hr_`, 192 random bits and a checksum, so that scanners for secrets know one.
    """
    random = secrets.token_urlsafe(24)
    made = Token(
        id=sha256(random.encode()).hexdigest()[:12],
        name=name,
        accounts=None if accounts is None else tuple(dict.fromkeys(accounts)),
        scopes=tuple(dict.fromkeys(scopes)),
        created_at=time.time_ns() // 1_000_000,
        expires_at=expires_at,
    )
    return f"hr_{random}{zlib.crc32(random.encode()):08x}", made


def admin_token(given: Secret, *, data_dir: Path) -> Secret:
    """The admin token: `given`, or the one in the data directory, made there if need be.

    Raises: ConfigError when the file can't be read, written, or holds no token.
    """
    if given:
        return given
    path = data_dir / ADMIN_TOKEN_FILE
    mend = "Delete it to have one made, or set HOOKRACK_ADMIN_TOKEN."
    text = read_or_create(path, make=lambda: secrets.token_urlsafe(32), mend=mend)
    if len(text) < SECRET_CHARS:
        detail = f"holds fewer than {SECRET_CHARS} characters"
        raise ConfigError(detail, where=str(path), mend=mend)
    return Secret(text)
