"""What some providers ask before or beside events, and the answers they want.

Three kinds: a GET (or HEAD) that only proves the address; a POST without a signature, which gives
back what it brought; a signed POST, answered after its signature was checked. What is given back is
bounded, of harmless letters, and always text/plain where it can be anything.
"""

import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from hookrack.edge.schemes import Greeting
from hookrack.edge.sent import Lookup, Sent, read_json, text_at
from hookrack.errors import Code, Rejected

ECHO_CHARS: Final = 1_024
_QUERY_FIELDS: Final = 20
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_WORD: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}")
# Neither blanks nor backslashes, which some readers of addresses take for something else.
_SNS_URL: Final = re.compile(r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com/[\x21-\x5b\x5d-\x7e]*")
_REFUSED: Final = "This is not the question of a provider that set its address up."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in the place of a 202; nothing is kept. `visit` is an address to get first."""

    status: int = 200
    content_type: str = _TEXT
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    visit: str = ""


@dataclass(frozen=True, slots=True)
class Household:
    """What a flow has for an answer: its secrets, its words of welcome, what it allows."""

    secrets: Sequence[str] = ()
    welcomes: Sequence[str] = ()
    confirm: bool = False


def _field(query: bytes, name: str) -> str:
    """A field of a query, short enough to be given back."""
    try:
        fields = parse_qs(query.decode("ascii"), max_num_fields=_QUERY_FIELDS)
    except ValueError:
        return ""
    found = fields.get(name, [""])[0]
    return found if len(found) <= ECHO_CHARS else ""


def _echo(text: str) -> Reply:
    """A text given back, as text and nothing else."""
    if not text:
        raise Rejected(Code.QUERY_INVALID, _REFUSED)
    headers = ((b"x-content-type-options", b"nosniff"),)
    return Reply(body=text.encode(errors="replace"), headers=headers)


def _meta(query: bytes, house: Household) -> Reply:
    """hub.challenge, to whom knows the token."""
    given = _field(query, "hub.verify_token").encode(errors="replace")
    right = sum([hmac.compare_digest(given, each.encode()) for each in house.welcomes])
    if not right or _field(query, "hub.mode") != "subscribe":
        return Reply(status=403)
    return _echo(_field(query, "hub.challenge"))


def _dropbox(query: bytes, _house: Household) -> Reply:
    return _echo(_field(query, "challenge"))


def _x(query: bytes, house: Household) -> Reply:
    """An HMAC of crc_token by the first secret.

    Events are signed the same way, so this signs what anybody asks for: never what an event can be.
    """
    token = _field(query, "crc_token")
    if not _WORD.fullmatch(token):
        raise Rejected(Code.QUERY_INVALID, _REFUSED)
    digest = hmac.digest(house.secrets[0].encode(), token.encode(), "sha256")
    made = "sha256=" + base64.b64encode(digest).decode()
    return Reply(content_type=_JSON, body=json.dumps({"response_token": made}).encode())


def _trello(_query: bytes, _house: Household) -> Reply:
    return Reply()


def _asana(_query: bytes, header: Lookup) -> Reply | None:
    """X-Hook-Secret back in a header of the same name; it is kept nowhere."""
    secret = header(b"x-hook-secret")
    if secret is None or not _WORD.fullmatch(secret):
        return None
    return Reply(headers=((b"x-hook-secret", secret.encode()),))


def _graph(query: bytes, _header: Lookup) -> Reply | None:
    token = _field(query, "validationToken")
    return _echo(token) if token else None


def _slack(document: object, _house: Household) -> Reply | None:
    challenge = text_at(document, "challenge")
    if text_at(document, "type") != "url_verification" or not challenge:
        return None
    return _echo(challenge[:ECHO_CHARS])


def _zoom(document: object, house: Household) -> Reply | None:
    token = text_at(document, "payload.plainToken")
    if text_at(document, "event") != "endpoint.url_validation" or not token:
        return None
    plain = token[:ECHO_CHARS]
    made = hmac.digest(house.secrets[0].encode(), plain.encode(errors="replace"), "sha256").hex()
    body = json.dumps({"plainToken": plain, "encryptedToken": made}).encode()
    return Reply(content_type=_JSON, body=body)


def _discord(document: object, _house: Household) -> Reply | None:
    """Type 0 asks for webhook events; type 1 for interactions, where it brings nothing else."""
    kind = text_at(document, "type")
    if kind == "0":
        return Reply(status=204, content_type=_JSON)
    brings = isinstance(document, Mapping) and document.keys() & {"event", "data"}
    return Reply(content_type=_JSON, body=b'{"type":1}') if kind == "1" and not brings else None


def _sns(document: object, house: Household) -> Reply | None:
    """Subscriptions are confirmed at Amazon's own hosts, where the flow allows it."""
    if text_at(document, "Type") != "SubscriptionConfirmation":
        return None
    url = text_at(document, "SubscribeURL") or ""
    if not house.confirm or not is_amazon(url):
        return None
    return Reply(visit=url)


def is_amazon(url: str) -> bool:
    """Whether an address is one of SNS itself: https, the usual port, nothing before the host."""
    return len(url) <= 2 * ECHO_CHARS and bool(_SNS_URL.fullmatch(url))


GETS: Final[Mapping[Greeting, tuple[str, Callable[[bytes, Household], Reply]]]] = {
    "meta": ("GET", _meta),
    "dropbox": ("GET", _dropbox),
    "x": ("GET", _x),
    "trello": ("HEAD", _trello),
}
UNSIGNED: Final[Mapping[Greeting, Callable[[bytes, Lookup], Reply | None]]] = {
    "asana": _asana,
    "microsoftGraph": _graph,
}
# With a word that stands in every such question, so that other bodies aren't parsed for it.
SIGNED: Final[Mapping[Greeting, tuple[bytes, Callable[[object, Household], Reply | None]]]] = {
    "slack": (b"url_verification", _slack),
    "zoom": (b"endpoint.url_validation", _zoom),
    "discord": (b"type", _discord),
    "sns": (b"SubscriptionConfirmation", _sns),
}


def answer_signed(greeting: Greeting, sent: Sent, *, house: Household) -> Reply | None:
    """The answer to a question in a body whose signature was checked; None where it is none."""
    word, find = SIGNED[greeting]
    if word not in sent.body:
        return None
    try:
        return find(read_json(sent.body), house)
    except ValueError:
        return None
