"""What the server hands out, read from its answers; data is kept as it was written."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from hookrack.client.errors import ServerFault
from hookrack.errors import Code
from hookrack.jsontext import is_json_type, split_items, split_members


@dataclass(frozen=True, slots=True)
class Entry:
    """An event under one webhook key; `flow` is None for what was set directly."""

    event_id: str
    webhook_key: str
    account: str
    flow: str | None
    received_at: datetime
    stored_at: datetime
    expires_at: datetime
    cursor: str
    content_type: str
    raw: bytes  # the data, byte for byte as its sender wrote it

    @property
    def data(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The data as Python has it: JSON parsed (integers of any length), else the bytes."""
        return json.loads(self.raw) if is_json_type(self.content_type) else self.raw


@dataclass(frozen=True, slots=True)
class LeasedEntry(Entry):
    """An entry that this reader holds until `leased_until`; `attempt` 1 is the first hand-over."""

    receipt: str
    attempt: int
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a key's history; `cursor` is where the next one begins."""

    entries: tuple[Entry, ...]
    cursor: str
    more: bool

    def __iter__(self) -> Iterator[Entry]:
        """The entries."""
        return iter(self.entries)


@dataclass(frozen=True, slots=True)
class Life:
    """Where an event is, or what became of it; `keys`: under which it stands, till when."""

    event_id: str
    account: str
    flow: str | None
    status: str
    received_at: datetime | None
    stored_at: datetime | None
    keys: Mapping[str, datetime]
    duplicate_of: str | None
    reason: str | None


def read_entry(text: bytes, *, data: bytes | None = None) -> Entry:
    """An entry from its JSON; `data` where the answer leaves it out. Raises: ServerFault."""
    members = _members(text)
    return Entry(**_fields(members, data))


def read_leased(text: bytes) -> tuple[LeasedEntry, ...]:
    """The entries of a lease. Raises: ServerFault."""
    return tuple(_leased(each) for each in _items(_members(text), "entries"))


def read_page(text: bytes) -> Page:
    """A page of history. Raises: ServerFault."""
    members = _members(text)
    entries = tuple(read_entry(each) for each in _items(members, "entries"))
    return Page(entries, _text(members, "cursor"), more=members.get("more") == b"true")


def read_many(text: bytes) -> tuple[dict[str, Entry | None], list[str]]:
    """Entries by key, and the keys that there was no room for. Raises: ServerFault."""
    members = _members(text)
    found = _members(members.get("entries", b""))
    entries = {key: None if each == b"null" else read_entry(each) for key, each in found.items()}
    return entries, orjson.loads(members.get("omitted", b"[]"))


def read_written(text: bytes, *, data: bytes) -> tuple[Entry, ...]:
    """What a set stored. Raises: ServerFault."""
    return tuple(read_entry(each, data=data) for each in _items(_members(text), "entries"))


def read_life(text: bytes) -> Life:
    """The life of an event. Raises: ServerFault."""
    members = {name: orjson.loads(value) for name, value in _members(text).items()}
    return Life(
        event_id=members.get("eventId", ""),
        account=members.get("account", ""),
        flow=members.get("flow"),
        status=members.get("status", ""),
        received_at=_maybe_time(members.get("receivedAt")),
        stored_at=_maybe_time(members.get("storedAt")),
        keys={each["key"]: _time(each["expiresAt"]) for each in members.get("keys", ())},
        duplicate_of=members.get("duplicateOf"),
        reason=members.get("reason"),
    )


def _leased(text: bytes) -> LeasedEntry:
    members = _members(text)
    return LeasedEntry(
        **_fields(members, None),
        receipt=_text(members, "receipt"),
        attempt=orjson.loads(members.get("attempt", b"1")),
        leased_until=_time(_text(members, "leasedUntil")),
    )


def _fields(members: Mapping[str, bytes], data: bytes | None) -> dict[str, Any]:
    flow = members.get("flow", b"null")
    return {
        "event_id": _text(members, "eventId"),
        "webhook_key": _text(members, "webhookKey"),
        "account": _text(members, "account"),
        "flow": orjson.loads(flow),
        "received_at": _time(_text(members, "receivedAt")),
        "stored_at": _time(_text(members, "storedAt")),
        "expires_at": _time(_text(members, "expiresAt")),
        "cursor": _text(members, "cursor"),
        "content_type": _text(members, "contentType"),
        "raw": _data(members) if data is None else data,
    }


def _data(members: Mapping[str, bytes]) -> bytes:
    if "data" in members:
        return members["data"]
    return base64.b64decode(_text(members, "dataBase64"))


def _members(text: bytes) -> dict[str, bytes]:
    try:
        return split_members(text)
    except ValueError as exc:
        raise _senseless(str(exc)) from exc


def _items(members: Mapping[str, bytes], name: str) -> list[bytes]:
    try:
        return split_items(members.get(name, b""))
    except ValueError as exc:
        raise _senseless(str(exc)) from exc


def _text(members: Mapping[str, bytes], name: str) -> str:
    found = orjson.loads(members.get(name, b"null"))
    if not isinstance(found, str):
        raise _senseless(f"{name} is missing")
    return found


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as exc:
        raise _senseless(str(exc)) from exc


def _maybe_time(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _senseless(what: str) -> ServerFault:
    return ServerFault(Code.INTERNAL, f"The answer is not hookrack's: {what}.")
