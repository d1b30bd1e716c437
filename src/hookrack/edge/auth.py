"""Who may send: the credential or signature of a flow, checked in constant time.

`none`; `secret`, the last part of the address; `basic`, RFC 7617; `apiKey`, a header; else a
signature: a preset of the table in `presets`, or `signature` with fields of its own.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Self

from hookrack.edge.covered import NO_CHOICES, Choices
from hookrack.edge.deliveries import Namer, compile_id
from hookrack.edge.handshakes import GETS, SIGNED, UNSIGNED, Household, Reply, answer_signed
from hookrack.edge.presets import PRESETS
from hookrack.edge.schemes import Greeting, Scheme
from hookrack.edge.sent import Lookup, Sent, no_header
from hookrack.edge.verifier import Verifier
from hookrack.errors import Code, Rejected
from hookrack.settings import Secret

DEFAULT_KEY_HEADER: Final = "x-api-key"


@dataclass(frozen=True, slots=True)
class Credential:
    """One secret of a flow, and the environment variable that it was named by, if any."""

    secret: Secret
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Auth:
    """A flow's rule of admission. Any one of its credentials opens the door, for rotation.

    `scheme` is that of type `signature`; a preset's stand in the table. `welcomes` are the words
    that a provider knows us by when it sets the address up, `greeting` says what it asks then, and
    `answer` is the body of a 202 where it insists on one, `name` finds what it calls a delivery.
    Raises: ValueError when a secret is no key of its scheme, in words without it.
    """

    type: str
    credentials: tuple[Credential, ...] = ()
    username: str = ""
    header: str = ""
    scheme: Scheme | None = None
    choices: Choices = NO_CHOICES
    welcomes: tuple[Credential, ...] = ()
    digests: tuple[bytes, ...] = field(init=False, repr=False, compare=False)
    verifier: Verifier | None = field(init=False, repr=False, compare=False)
    greeting: Greeting = field(init=False, repr=False, compare=False)
    answer: bytes | None = field(init=False, repr=False, compare=False)
    name: Namer | None = field(init=False, repr=False, compare=False)
    retries: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Digest or compile the credentials once, so that checking one costs little."""
        digests = tuple(_digest(self._whole(each)) for each in self.credentials)
        object.__setattr__(self, "digests", digests)
        verifier = None
        if self.schemes:
            verifier = Verifier(self.schemes, self._secrets, choices=self.choices)
        object.__setattr__(self, "verifier", verifier)
        preset = PRESETS.get(self.type)
        object.__setattr__(self, "greeting", preset.greeting if preset else "")
        answer = None if preset is None or preset.answer is None else preset.answer.encode()
        object.__setattr__(self, "answer", answer)
        object.__setattr__(self, "name", compile_id(preset) if preset else None)
        object.__setattr__(self, "retries", preset is None or preset.retries)

    def _whole(self, credential: Credential) -> str:
        """What a sender has to give: with basic the name belongs to it."""
        text = credential.secret.reveal()
        return f"{self.username}:{text}" if self.type == "basic" else text

    @property
    def _secrets(self) -> tuple[str, ...]:
        return tuple(each.secret.reveal() for each in self.credentials)

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """The ways to sign that it takes; none where it asks for no signature."""
        if self.scheme is not None:
            return (self.scheme,)
        return PRESETS[self.type].schemes if self.type in PRESETS else ()

    @property
    def household(self) -> Household:
        """What there is for an answer to a provider's question."""
        words = tuple(each.secret.reveal() for each in self.welcomes)
        return Household(self._secrets, words, self.choices.confirm)

    @classmethod
    def of_secrets(cls, secrets: Iterable[str]) -> Self:
        """The rule that one of these secrets ends the address."""
        return cls("secret", tuple(Credential(Secret(each)) for each in secrets))


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="surrogatepass")).digest()


def check_credential(auth: Auth, credential: str | None, *, header: Lookup = no_header) -> None:
    """Admit or refuse by the part of the address behind the flow, or by a header.

    Every credential is compared, whichever fits, so that time tells nothing. A signature is only
    looked for: what it is of has yet to come.
    Raises: Rejected (`CREDENTIAL_INVALID`, `SIGNATURE_INVALID`; `NOT_FOUND` where the flow has no
    such address).
    """
    if auth.type != "secret" and credential is not None:
        raise Rejected(Code.NOT_FOUND, "The address of this flow ends with its name.")
    if auth.type == "none":
        return
    if auth.verifier is not None:
        if auth.greeting not in UNSIGNED:
            auth.verifier.look(header)
        return
    given = _digest(_given(auth, credential, header) or "")
    if not sum([hmac.compare_digest(given, digest) for digest in auth.digests]):
        challenge = "Basic" if auth.type == "basic" else None
        raise Rejected(Code.CREDENTIAL_INVALID, _ASKED[auth.type], challenge=challenge)


def check_sent(auth: Auth, sent: Sent) -> Reply | None:
    """Admit or refuse by what was signed; the answer where it is a question and no event.

    Raises: Rejected (`SIGNATURE_INVALID`).
    """
    if auth.verifier is None:
        return None
    greeting = auth.greeting
    if greeting in UNSIGNED:
        query = sent.url().partition("?")[2].encode("latin-1", "replace")
        if reply := UNSIGNED[greeting](query, sent.header):
            return reply
    auth.verifier.check(sent)
    return answer_signed(greeting, sent, house=auth.household) if greeting in SIGNED else None


def answer_question(auth: Auth, method: str, *, query: bytes) -> Reply | None:
    """The answer to a provider that asks by another method than POST; None where it isn't one.

    Raises: Rejected (`QUERY_INVALID`).
    """
    asked, answer = GETS.get(auth.greeting, ("", None))
    return answer(query, auth.household) if answer and method == asked else None


_ASKED: Final = {
    "secret": "The secret in the address is missing or wrong.",
    "basic": "The name or password of Basic authentication is missing or wrong.",
    "apiKey": "The API key header is missing or wrong.",
}


def _given(auth: Auth, credential: str | None, header: Lookup) -> str | None:
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
