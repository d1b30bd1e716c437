"""What each call of the Set/Get API sends; keys and groups are checked before anything is sent."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from hookrack.client.errors import BadCall
from hookrack.client.steps import Call
from hookrack.errors import CATALOGUE, Code
from hookrack.jsontext import is_json_type
from hookrack.model import JSON_TYPE, is_content_type, is_event_id, is_webhook_key

LONGEST_WAIT: Final = 30.0  # that a server holds one call; longer waits are several
MOST_KEYS: Final = 1_000  # in one call
_JSON: Final = {"content-type": JSON_TYPE}
Ttl = str | int | timedelta


def key_path(key: str) -> str:
    """The address of a webhook key. Raises: BadCall (`KEY_INVALID`); `..` would lead elsewhere."""
    if not is_webhook_key(key):
        raise _bad(Code.KEY_INVALID)
    return f"/v1/keys/{key}"


def get(key: str, *, wait: float = 0, known: str | None = None) -> Call:
    """The newest entry, other than that with the `known` event id."""
    params = {"wait": _seconds(wait)} if wait else {}
    headers = {"if-none-match": f'"{_event(known)}"'} if known else {}
    return Call("GET", key_path(key), params=params, headers=headers, wait=wait)


def get_many(keys: Sequence[str]) -> Call:
    """The newest entry of each key."""
    for key in keys:
        key_path(key)
    return Call("POST", "/v1/get", headers=_JSON, content=orjson.dumps({"keys": list(keys)}))


def put(key: str, data: bytes, *, ttl: Ttl | None, content_type: str) -> Call:
    """Set one key; made once only, for made twice it would be two events."""
    if not is_content_type(content_type):
        raise _bad(Code.CONTENT_TYPE_UNSUPPORTED)
    headers = {"content-type": content_type}
    if ttl is not None:
        headers["hookrack-ttl"] = _ttl(ttl)
    return Call("PUT", key_path(key), headers=headers, content=data, safe=False)


def set_many(keys: Sequence[str], data: bytes, *, ttl: Ttl | None, id: str | None) -> Call:  # noqa: A002 - the API's word
    """Set keys to one payload; safe to repeat where an `id` tells that it is the same."""
    for key in keys:
        key_path(key)
    own: dict[str, object] = {"keys": list(keys)}
    if ttl is not None:
        own["ttl"] = _ttl(ttl)
    if id is not None:
        own["id"] = id
    content = b'%b,"data":%b}' % (orjson.dumps(own)[:-1], data)
    return Call("POST", "/v1/set", headers=_JSON, content=content, safe=id is not None)


def page(
    key: str,
    *,
    after: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
    wait: float = 0,
) -> Call:
    """A page of a key's history."""
    params = _place(after, since)
    if limit is not None:
        params["limit"] = str(limit)
    if wait:
        params["wait"] = _seconds(wait)
    return Call("GET", f"{key_path(key)}/events", params=params, wait=wait)


def stream(key: str, *, after: str | None = None, since: datetime | None = None) -> Call:
    """A key's history as server-sent events."""
    headers = {"accept": "text/event-stream"}
    return Call("GET", f"{key_path(key)}/stream", params=_place(after, since), headers=headers)


def lease(
    key: str,
    *,
    group: str,
    max: int,  # noqa: A002 - the API's word
    seconds: int,
    wait: float,
    ordered: bool,
    max_attempts: int | None,
) -> Call:
    """Lease entries; safe to repeat, for what a lost answer held comes back by itself."""
    wanted: dict[str, object] = {
        "group": group,
        "max": max,
        "leaseSeconds": seconds,
        "wait": int(wait),
        "ordered": ordered,
    }
    if max_attempts is not None:
        wanted["maxAttempts"] = max_attempts
    content = orjson.dumps(wanted)
    return Call("POST", f"{key_path(key)}/lease", headers=_JSON, content=content, wait=wait)


def settle(verb: str, key: str, *, group: str, receipts: Sequence[str], **more: int) -> Call:
    """Ack, release or extend."""
    content = orjson.dumps({"group": group, "receipts": list(receipts)} | more)
    return Call("POST", f"{key_path(key)}/{verb}", headers=_JSON, content=content)


def purge(key: str, event_id: str | None) -> Call:
    """Purge one event, or all, from under a key."""
    one = "" if event_id is None else f"/{_event(event_id)}"
    return Call("DELETE", f"{key_path(key)}/events{one}")


def life(event_id: str) -> Call:
    """Where an event is."""
    return Call("GET", f"/v1/events/{_event(event_id)}")


def payload(data: Any, content_type: str) -> bytes:  # noqa: ANN401 - whatever JSON holds
    """Data as it is sent: bytes as they are, all else as JSON. Raises: TypeError, ValueError."""
    if isinstance(data, bytes):
        return data
    if not is_json_type(content_type):
        raise TypeError(f"data of type {content_type} is given as bytes")
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _place(after: str | None, since: datetime | None) -> dict[str, str]:
    if after is not None:
        return {"after": after}
    if since is None:
        return {}
    aware = since if since.tzinfo else since.astimezone()
    return {"from": aware.isoformat(timespec="milliseconds")}


def _seconds(wait: float) -> str:
    return str(int(wait))


def _ttl(ttl: Ttl) -> str:
    text = f"{ttl.total_seconds():.0f}" if isinstance(ttl, timedelta) else str(ttl)
    if not (text.isascii() and text.isprintable()):
        raise _bad(Code.TTL_INVALID)
    return text


def _event(event_id: str) -> str:
    if not is_event_id(event_id):
        raise _bad(Code.EVENT_UNKNOWN)
    return event_id


def _bad(code: Code) -> BadCall:
    return BadCall(code, CATALOGUE[code].mend)
