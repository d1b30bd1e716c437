"""The things that move along the path: Request -> Event -> Delivery -> Outcome, and Entry.

Times are whole milliseconds since 1970 (UTC); spans of time are `timedelta`. The codec of the
envelope, the one JSON document that crosses the queue, stands here too.
"""

import base64
import binascii
import datetime as dt
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

from hookrack.errors import Code, Poison
from hookrack.jsontext import find_json_fault, is_json_type, split_members

ENVELOPE_VERSION: Final = 1
KEYS_PER_EVENT: Final = 1_000
DEDUPE_ID_CHARS: Final = 1_024
DEDUPE_WINDOW: Final = timedelta(hours=96)  # Standard Webhooks senders retry for 75.6 h
JSON_TYPE: Final = "application/json"
DEFAULT_TTL: Final = timedelta(hours=24)
DEFAULT_MAX_TTL: Final = timedelta(days=30)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_KEY: Final = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~:-]{1,128}")
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9_=-]{1,64}")
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word
_CONTENT_TYPE: Final = re.compile(rf"{_TOKEN}/{_TOKEN}[ \t]*(;[\x20-\x7e]*)?")
_CONTENT_TYPE_CHARS: Final = 255
_HEADER_NAME: Final = re.compile(_TOKEN)
_HEADER_NAME_CHARS: Final = 128
_DURATION: Final = re.compile(r"([0-9]{1,10})([smhd]?)")
_UNIT: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}  # seconds
_LONGEST: Final = timedelta(days=36_500)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FRACTIONS: Final = tuple(f".{number:03d}Z" for number in range(1000))


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived at the front door; `body` is the bytes as sent.

    Header names are in lower case; `query` is what stands behind the question mark, `client` the
    sender's address, both only where a step of the flow looks at them.
    """

    account: str
    flow: str
    content_type: str
    body: bytes
    received_at: int
    headers: Sequence[tuple[bytes, bytes]] = ()
    query: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An accepted, mapped request. `keys`, `ttl`, `dedupe_id` are only what it brings itself."""

    id: str
    account: str
    flow: str
    received_at: int
    content_type: str
    data: bytes
    keys: tuple[str, ...] | None = None
    ttl: timedelta | None = None
    dedupe_id: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One hand-over of an envelope by the queue.

    `receipt` settles it; `attempts` counts the tries that `process` reported as failed before
    this one, `crashes` the hand-overs that nobody settled.
    """

    receipt: str
    body: bytes
    attempts: int = 0
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """The event is under all its keys (`again`: it was there already, this is a redelivery)."""

    event_id: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Its dedupe id was seen before, with the event `original`; nothing was stored."""

    event_id: str
    original: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The time of all its keys was up before it could be stored."""

    event_id: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again later; an outage (`spends_attempt` False) doesn't count against the event."""

    reason: Code
    detail: str
    spends_attempt: bool = True


@dataclass(frozen=True, slots=True)
class Dead:
    """It will never work, or failed too often: a dead letter with this reason.

    Id, account and flow are what the envelope says of itself; None where it was no envelope.
    """

    reason: Code
    detail: str
    event_id: str | None = None
    account: str | None = None
    flow: str | None = None


Outcome = Stored | Duplicate | Expired | Retry | Dead


@dataclass(frozen=True, slots=True)
class Placement:
    """An event resolved for storing: where it goes, and until when after `received_at`.

    Its dedupe id, if it has one, counts for `dedupe_window` from now.
    """

    event: Event
    keys: tuple[tuple[str, timedelta], ...]
    dedupe_window: timedelta = DEDUPE_WINDOW


@dataclass(frozen=True, slots=True)
class Entry:
    """An event under one webhook key; `flow` is None for a direct set."""

    event_id: str
    webhook_key: str
    account: str
    flow: str | None
    received_at: int
    stored_at: int
    expires_at: int
    cursor: str
    content_type: str
    data: bytes


def new_event_id(now: int) -> str:
    """22 characters of base64url: 48 bits of `now`, then 80 random ones."""
    return base64.urlsafe_b64encode(now.to_bytes(6, "big") + os.urandom(10))[:22].decode()


def is_name(text: str) -> bool:
    """Whether `text` is an account or flow id."""
    return _NAME.fullmatch(text) is not None


def is_webhook_key(text: str) -> bool:
    """Whether `text` is a webhook key."""
    return _KEY.fullmatch(text) is not None


def is_event_id(text: str) -> bool:
    """Whether `text` can be an event id, ours or API Gateway's."""
    return _EVENT_ID.fullmatch(text) is not None


def is_content_type(text: str) -> bool:
    """Whether `text` is a media type with optional parameters, safe to send out again."""
    return len(text) <= _CONTENT_TYPE_CHARS and _CONTENT_TYPE.fullmatch(text) is not None


def is_header_name(text: str) -> bool:
    """Whether `text` is the name of an HTTP header."""
    return len(text) <= _HEADER_NAME_CHARS and _HEADER_NAME.fullmatch(text) is not None


def parse_duration(value: object) -> timedelta:
    """90s, 15m, 6h, 7d or whole seconds (number or digits) as a span of time, at least 1 s.

    Raises: ValueError, with words for the operator.
    """
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**10
    text = str(value) if is_number else value
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("not a duration; write whole seconds or 90s, 15m, 6h, 7d")
    seconds = int(found[1]) * _UNIT[found[2]]
    if seconds == 0:
        raise ValueError("a duration is at least 1 second")
    if seconds > _LONGEST.total_seconds():
        raise ValueError("a duration is at most 36500d")
    return timedelta(seconds=seconds)


def milliseconds(span: timedelta) -> int:
    """A span of time in whole milliseconds."""
    return span // timedelta(milliseconds=1)


def format_time(milliseconds_: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    seconds = milliseconds_ // 1000
    return _format_second(seconds) + _FRACTIONS[milliseconds_ - 1000 * seconds]


@lru_cache(maxsize=1024)
def _format_second(seconds: int) -> str:
    """Times of one moment share their second, and are asked for again and again."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def encode_envelope(event: Event) -> bytes:
    """The queue message of an event; JSON data stands last and as it was written."""
    fields: dict[str, Any] = {
        "v": ENVELOPE_VERSION,
        "id": event.id,
        "account": event.account,
        "flow": event.flow,
        "receivedAt": event.received_at,
        "contentType": event.content_type,
    }
    if event.keys is not None:
        fields["keys"] = event.keys
    if event.ttl is not None:
        fields["ttl"] = milliseconds(event.ttl) // 1000
    if event.dedupe_id is not None:
        fields["dedupeId"] = event.dedupe_id
    if not is_json_type(event.content_type):
        fields["dataBase64"] = base64.b64encode(event.data).decode()
        return orjson.dumps(fields)
    return b"%b,%b%b}" % (orjson.dumps(fields)[:-1], b'"data":', event.data)


def decode_envelope(body: bytes) -> Event:
    """Read a queue message, ours or API Gateway's or anybody's.

    Raises: Poison (`ENVELOPE_INVALID`, `ENVELOPE_VERSION`, `BODY_NOT_JSON` and what it brings).
    """
    try:
        fields, data = _split_own(body) or _split_any(body)
        if fields["v"] != ENVELOPE_VERSION or isinstance(fields["v"], bool):
            raise Poison(Code.ENVELOPE_VERSION, "The version of the envelope is not 1.")
        return _event_from(fields, data)
    except (ValueError, KeyError, TypeError) as exc:
        raise Poison(Code.ENVELOPE_INVALID, _explain(exc)) from exc


def _explain(exc: Exception) -> str:
    return f"field {exc} is missing" if isinstance(exc, KeyError) else str(exc)[:200]


def _split_own(body: bytes) -> tuple[dict[str, Any], bytes | None] | None:
    """The quick way for what `encode_envelope` wrote; None when the envelope isn't of that form.

    `,"data":` can't stand inside a JSON string, so its first place is a real member name; that it
    is one of the envelope's own is shown by the head being an object and the rest one value. A
    head that comes out the same when it is written again has no name twice.
    """
    head, mark, tail = body.partition(b',"data":')
    if not mark or tail[-1:] != b"}":
        return None
    head, data = head + b"}", tail[:-1]
    try:
        fields = orjson.loads(head)
    except orjson.JSONDecodeError:
        return None
    # What ends with a brace is an object.
    if not fields.keys() <= _OWN or orjson.dumps(fields) != head or find_json_fault(data):
        return None
    return fields, data


def _split_any(body: bytes) -> tuple[dict[str, Any], bytes | None]:
    """The general way: members in any order, unknown ones ignored, duplicates refused."""
    texts = split_members(body)
    data = texts.pop("data", None)
    return {name: orjson.loads(text) for name, text in texts.items() if name in _FIELDS}, data


_FIELDS: Final = frozenset(
    {"v", "id", "account", "flow", "receivedAt", "contentType", "dataBase64"}
    | {"keys", "ttl", "dedupeId"}
)
_OWN: Final = _FIELDS - {"dataBase64"}  # beside `data`


def _event_from(fields: dict[str, Any], data: bytes | None) -> Event:
    return Event(
        id=_checked(fields, "id", is_event_id),
        account=_checked(fields, "account", is_name),
        flow=_checked(fields, "flow", is_name),
        received_at=_whole(fields, "receivedAt"),
        content_type=_checked(fields, "contentType", is_content_type),
        data=_payload(fields, data),
        keys=_keys(fields.get("keys")),
        ttl=None if fields.get("ttl") is None else own_ttl(_ttl(fields)),
        dedupe_id=_dedupe_id(fields.get("dedupeId")),
    )


def _checked(fields: dict[str, Any], name: str, check: Any) -> str:  # noqa: ANN401 - a predicate
    value = fields[name]
    if not isinstance(value, str) or not check(value):
        raise ValueError(f"field {name!r} is not valid")
    return value


def _whole(fields: dict[str, Any], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**47:
        raise ValueError(f"field {name!r} is not a whole number above 0")
    return value


def _ttl(fields: dict[str, Any]) -> int:
    if type(fields["ttl"]) is not int or fields["ttl"] <= 0:
        raise Poison(Code.TTL_INVALID, "ttl is not a whole number of seconds above 0")
    return int(fields["ttl"])


def own_ttl(seconds: int) -> timedelta:
    """As much as a timedelta holds; the account's maxTtl caps it anyway."""
    return timedelta(seconds=min(seconds, 2**40))


def _keys(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not 1 <= len(value) <= KEYS_PER_EVENT:
        raise Poison(Code.KEYS_INVALID, f"keys is not a list of 1 to {KEYS_PER_EVENT}")
    if not all(isinstance(key, str) and is_webhook_key(key) for key in value):
        raise Poison(Code.KEYS_INVALID, "keys holds something that is no webhook key")
    return tuple(dict.fromkeys(value))


def _dedupe_id(value: object) -> str | None:
    if value is None or (isinstance(value, str) and 1 <= len(value) <= DEDUPE_ID_CHARS):
        return value
    raise ValueError(f"field 'dedupeId' is not a text of 1 to {DEDUPE_ID_CHARS} characters")


def _payload(fields: dict[str, Any], data: bytes | None) -> bytes:
    is_json = is_json_type(fields["contentType"])
    if (data is None) == ("dataBase64" not in fields):
        raise ValueError("an envelope has either 'data' or 'dataBase64'")
    if data is not None and not is_json:
        raise ValueError("'data' needs a JSON contentType; use 'dataBase64'")
    if data is None:
        try:
            data = base64.b64decode(fields["dataBase64"], validate=True)
        except (binascii.Error, TypeError) as exc:
            raise ValueError("field 'dataBase64' is not base64") from exc
        if is_json and (fault := find_json_fault(data)):  # the other way has looked at it already
            raise Poison(Code.BODY_NOT_JSON, fault)
    return data


def encode_entry(entry: Entry, *, with_data: bool = True) -> bytes:
    """An entry as JSON; JSON data is spliced in as it was written."""
    fields: dict[str, object] = {
        "eventId": entry.event_id,
        "webhookKey": entry.webhook_key,
        "account": entry.account,
        "flow": entry.flow,
        "receivedAt": format_time(entry.received_at),
        "storedAt": format_time(entry.stored_at),
        "expiresAt": format_time(entry.expires_at),
        "cursor": entry.cursor,
        "contentType": entry.content_type,
    }
    if not with_data:
        return orjson.dumps(fields)
    head = orjson.dumps(fields)[:-1]
    if is_json_type(entry.content_type):
        return b'%b,"data":%b}' % (head, entry.data)
    return b'%b,"dataBase64":"%b"}' % (head, base64.b64encode(entry.data))
