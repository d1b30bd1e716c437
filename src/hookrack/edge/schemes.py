"""How a request is signed, as data: what a row can say. The rows stand in `presets`.

Places of a request are written as in flow files: `header.x-id`, `body.data.id` (a member of a JSON
body, numbers index arrays), `form.Name`, `member.t` (a part of the signature's own header), `hash`
(SHA-256 of the body). What is signed is a text with places in braces: `{timestamp}.{body}`.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

# The last two: SHA-256 over the secret and what is signed; the secret itself.
Algorithm = Literal[
    "hmacSha256", "hmacSha1", "hmacSha512", "ed25519", "ecdsaSha256", "rsaSha256", "sha256", "token"
]
Encoding = Literal["hex", "base64"]
KeyForm = Literal["text", "hex", "base64", "whsec", "whpk"]
TimeUnit = Literal["s", "ms", "iso"]
Extract = Literal["", "twilio", "hubspot", "adyen", "mailgun", "sns", "microsoftGraph", "qstash"]
Greeting = Literal[
    "",
    "slack",
    "zoom",
    "meta",
    "discord",
    "dropbox",
    "asana",
    "x",
    "microsoftGraph",
    "trello",
    "sns",
]

HMACS: Final = {"hmacSha256": "sha256", "hmacSha1": "sha1", "hmacSha512": "sha512"}
PUBLIC: Final = ("ed25519", "ecdsaSha256", "rsaSha256")
PLACE: Final = re.compile(r"(\{[A-Za-z0-9._-]+\})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """One way to sign. `header` is empty where the signature stands in the body."""

    header: str
    signed: str = "{body}"
    algorithm: Algorithm = "hmacSha256"
    encoding: Encoding = "hex"
    prefix: str = ""  # before each signature
    separator: str = ""  # between the members of the header; empty where it is one signature
    key: KeyForm = "text"
    claims: str = ""  # secrets that begin so are for this row alone
    timestamp: str = ""  # the place of the time
    unit: TimeUnit = "s"
    tolerance: int = 0  # seconds, both ways
    extract: Extract = ""  # the function that finds what a text of places can't
    requires: tuple[tuple[str, str], ...] = ()  # headers that must have these values
    objects: bool = False  # only JSON objects are taken: its questions let others sign bare words

    @property
    def public(self) -> bool:
        """Whether its keys are public ones."""
        return self.algorithm in PUBLIC

    @property
    def where(self) -> str:
        """The signature's place in words."""
        return f"the header {self.header}" if self.header else "the body"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A provider: its schemes, how it knocks first, and what it calls its deliveries.

    Schemes of several headers are tried in order, and the first header that is there decides.
    """

    title: str
    schemes: tuple[Scheme, ...]
    delivery: tuple[str, ...] = ()  # the first place that holds something; + joins places
    event: str = ""
    greeting: Greeting = ""
    answer: str | None = None  # the body of the 202, where the provider insists on one
    retries: bool = True  # whether it tries again after a 503
    caution: str = ""  # what the docs have to say of it

    @property
    def options(self) -> tuple[str, ...]:
        """The fields of `auth` that it knows besides `type` and `secrets`."""
        signed = "".join(each.signed for each in self.schemes)
        known = {
            "tolerance": any(each.timestamp for each in self.schemes),
            "url": "{url}" in signed,
            "webhookId": "{webhookId}" in signed,
            "topicArn": self.greeting == "sns",
            "confirm": self.greeting == "sns",
            "verifyTokens": self.greeting == "meta",
        }
        return tuple(name for name, knows in known.items() if knows)
