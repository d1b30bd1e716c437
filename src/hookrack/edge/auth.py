"""Who may send: the credential of a flow, checked in constant time.

Signature schemes will be rows of a table here; so far there are `none` and `secret`, the secret
being the last part of the address.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, Self

from hookrack.errors import Code, Rejected


@dataclass(frozen=True, slots=True)
class Auth:
    """A flow's rule of admission; of secrets only digests are kept here."""

    type: Literal["none", "secret"]
    digests: tuple[bytes, ...] = ()

    @classmethod
    def of_secrets(cls, secrets: Iterable[str]) -> Self:
        """Any one of `secrets` opens the door, so that they can be rotated."""
        return cls("secret", tuple(sha256(each.encode()).digest() for each in secrets))


def check_credential(auth: Auth, credential: str | None) -> None:
    """Admit or refuse by the part of the address behind the flow.

    Every secret is compared, whichever fits, so that time tells nothing.
    Raises: Rejected (`CREDENTIAL_INVALID`; `NOT_FOUND` where the flow has no such address).
    """
    if auth.type == "none":
        if credential is not None:
            raise Rejected(Code.NOT_FOUND, "This flow takes requests without a secret.")
        return
    given = sha256((credential or "").encode(errors="surrogatepass")).digest()
    if not sum([hmac.compare_digest(given, digest) for digest in auth.digests]):
        raise Rejected(Code.CREDENTIAL_INVALID, "The secret in the address is missing or wrong.")
