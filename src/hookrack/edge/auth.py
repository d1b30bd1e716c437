"""Who may send: the credential of a flow, checked in constant time.

`none`; `secret`, the last part of the address; `basic`, RFC 7617; `apiKey`, a header. Signature
schemes will be rows of a table here.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal, Self

from hookrack.errors import Code, Rejected
from hookrack.settings import Secret

DEFAULT_KEY_HEADER: Final = "x-api-key"
AuthType = Literal["none", "secret", "basic", "apiKey"]


@dataclass(frozen=True, slots=True)
class Credential:
    """One secret of a flow, and the environment variable that it was named by, if any."""

    secret: Secret
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Auth:
    """A flow's rule of admission. Any one of its credentials opens the door, for rotation."""

    type: AuthType
    credentials: tuple[Credential, ...] = ()
    username: str = ""
    header: str = ""
    digests: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Digest the credentials once, so that checking one costs little."""
        digests = tuple(_digest(self._whole(each)) for each in self.credentials)
        object.__setattr__(self, "digests", digests)

    def _whole(self, credential: Credential) -> str:
        """What a sender has to give: with basic the name belongs to it."""
        text = credential.secret.reveal()
        return f"{self.username}:{text}" if self.type == "basic" else text

    @classmethod
    def of_secrets(cls, secrets: Iterable[str]) -> Self:
        """The rule that one of these secrets ends the address."""
        return cls("secret", tuple(Credential(Secret(each)) for each in secrets))


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="surrogatepass")).digest()


def no_header(_name: bytes) -> str | None:
    """A request without headers."""
    return None


def check_credential(
    auth: Auth, credential: str | None, *, header: Callable[[bytes], str | None] = no_header
) -> None:
    """Admit or refuse by the part of the address behind the flow, or by a header.

    Every credential is compared, whichever fits, so that time tells nothing.
    Raises: Rejected (`CREDENTIAL_INVALID`; `NOT_FOUND` where the flow has no such address).
    """
    if auth.type != "secret" and credential is not None:
        raise Rejected(Code.NOT_FOUND, "The address of this flow ends with its name.")
    if auth.type == "none":
        return
    given = _digest(_given(auth, credential, header) or "")
    if not sum([hmac.compare_digest(given, digest) for digest in auth.digests]):
        raise Rejected(Code.CREDENTIAL_INVALID, _ASKED[auth.type])


_ASKED: Final[dict[AuthType, str]] = {
    "none": "",
    "secret": "The secret in the address is missing or wrong.",
    "basic": "The name or password of Basic authentication is missing or wrong.",
    "apiKey": "The API key header is missing or wrong.",
}


def _given(auth: Auth, credential: str | None, header: Callable[[bytes], str | None]) -> str | None:
    if auth.type == "secret":
        return credential
    if auth.type == "apiKey":
        return header(auth.header.encode())
    scheme, _, encoded = (header(b"authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
