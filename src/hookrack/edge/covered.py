"""The bytes that a signature covers: a text of places filled in, or two providers' own rules."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Final
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from hookrack.edge.schemes import PLACE, Scheme
from hookrack.edge.sent import FORM_FIELDS, FORM_TYPE, Sent, Unfit

PLACES: Final = ("body", "timestamp", "method", "url")  # and header.NAME, for everybody
_PORTS: Final = {"https": 443, "http": 80}
_HUBSPOT: Final = {f"%{ord(letter):02X}": letter for letter in ":/?@!$'()*,;"}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a flow says of its signatures beside the secrets."""

    tolerance: timedelta | None = None
    url: str = ""
    webhook_id: str = ""
    topic_arn: str = ""
    confirm: bool = False


NO_CHOICES: Final = Choices()
# The readings of a request and its time that may be what was signed. Raises: ValueError.
Cover = Callable[[Sent, str], tuple[bytes, ...]]
_Part = Callable[[Sent, str], bytes]


def compile_cover(scheme: Scheme, choices: Choices) -> Cover:
    """What turns a request and its time into the bytes that may be signed."""
    if scheme.extract == "twilio":
        return lambda sent, _time: _twilio(sent, choices)
    if scheme.extract == "hubspot":
        return lambda sent, time: _hubspot(sent, choices, time)
    if scheme.signed == "{body}":
        return lambda sent, _time: (sent.body,)
    pieces = [each for each in PLACE.split(scheme.signed) if each]
    parts = [_part(piece, behind[:1], choices) for piece, behind in pairwise([*pieces, ""])]

    def cover(sent: Sent, time: str) -> tuple[bytes, ...]:
        return (b"".join([part(sent, time) for part in parts]),)

    return cover


def _part(piece: str, behind: str, choices: Choices) -> _Part:
    """One piece of what is signed; `behind` is the letter that follows it."""
    if not PLACE.fullmatch(piece):
        literal = piece.encode()
        return lambda _sent, _time: literal
    name = piece[1:-1]
    if name.startswith("header."):
        return _header_part(name.removeprefix("header.").lower(), behind)
    known: dict[str, _Part] = {
        "body": lambda sent, _time: sent.body,
        "timestamp": lambda _sent, time: time.encode("latin-1"),
        "method": lambda sent, _time: sent.method.encode("latin-1"),
        "url": lambda sent, _time: address_of(sent, choices).encode(),
        "crc32": lambda sent, _time: b"%d" % crc32(sent.body),
        "webhookId": lambda _sent, _time: choices.webhook_id.encode(),
    }
    return known[name]


def _header_part(name: str, behind: str) -> _Part:
    """A header that is signed. It can't hold what divides it from the next piece.

    Else the border could be moved, and one signature would stand for two requests.
    """
    raw = name.encode()

    def part(sent: Sent, _time: str) -> bytes:
        value = sent.header(raw)
        if not value:
            raise Unfit(f"the header {name} is missing")
        if behind and behind in value:
            raise Unfit(f"the header {name} has a {behind} in it")
        return value.encode("latin-1")

    return part


def address_of(sent: Sent, choices: Choices) -> str:
    """The address as the provider knows it: the flow's own word, or as it was asked for."""
    asked = sent.url()
    if not choices.url:
        return asked
    query = asked.partition("?")[2]
    return f"{choices.url}?{query}" if query and "?" not in choices.url else choices.url


def _twilio(sent: Sent, choices: Choices) -> tuple[bytes, ...]:
    """The address with and without its port, and the fields of a form by their names."""
    address = address_of(sent, choices)
    media_type = (sent.header(b"content-type") or "").partition(";")[0].strip().lower()
    fields = ""
    if media_type == FORM_TYPE:
        form = sent.form()
        fields = "".join(name + value for name in sorted(form) for value in sorted({*form[name]}))
    elif sent.body:
        query = parse_qs(urlsplit(address).query, max_num_fields=FORM_FIELDS)
        if query.get("bodySHA256") != [sha256(sent.body).hexdigest()]:
            raise Unfit("the body is no form, and bodySHA256 in the query isn't its hash")
    return tuple((each + fields).encode() for each in _with_and_without_port(address))


def _with_and_without_port(address: str) -> tuple[str, ...]:
    parts = urlsplit(address)
    host, port = parts.netloc, parts.port
    usual = f"{host}:{_PORTS.get(parts.scheme, '')}"
    other = usual if port is None else host.rpartition(":")[0]
    return address, address.replace(f"//{host}", f"//{other}", 1)


def _hubspot(sent: Sent, choices: Choices, time: str) -> tuple[bytes, ...]:
    """The address as it is, and with some of its escapes undone."""
    address = decoded = address_of(sent, choices)
    for escape, letter in _HUBSPOT.items():
        decoded = decoded.replace(escape, letter).replace(escape.lower(), letter)
    return tuple(
        b"".join((sent.method.encode("latin-1"), each.encode(), sent.body, time.encode("latin-1")))
        for each in dict.fromkeys((address, decoded))
    )
