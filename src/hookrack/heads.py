"""Whose an envelope is, even where the rest of it can't be used: for dead letters and for finding.

The path itself uses `model.decode_envelope`, which takes an envelope whole or not at all.
"""

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Final

from hookrack.jsontext import split_members
from hookrack.model import is_event_id, is_name

# How `encode_envelope` begins.
_OWN: Final = re.compile(
    rb'\{"v":[0-9]{1,9},"id":"([A-Za-z0-9_=-]{1,64})",'
    rb'"account":"([a-z0-9][a-z0-9_-]{0,62})","flow":"([a-z0-9][a-z0-9_-]{0,62})",'
    rb'(?:"receivedAt":([0-9]{1,14})[,}])?'
)
# Milliseconds; 14 digits reach to the year 5138.
_TIME: Final = re.compile(rb"[0-9]{1,14}")
_OWN_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True)
class Head:
    """What an envelope says of itself; `received_at` is None where it says no usable time."""

    event_id: str
    account: str
    flow: str
    received_at: int | None = field(default=None, compare=False)


def read_head(body: bytes) -> Head | None:
    """The head of a queue message that is a JSON object with id, account and flow; else None."""
    try:
        texts = split_members(body)
    except ValueError:
        return None
    found = [texts.get(name, b"") for name in ("id", "account", "flow")]
    if not all(text.startswith(b'"') for text in found):
        return None
    at = _TIME.fullmatch(texts.get("receivedAt", b""))
    event_id, account, flow = (json.loads(text) for text in found)
    head = Head(event_id, account, flow, int(at[0]) if at else None)
    usable = is_event_id(head.event_id) and is_name(head.account) and is_name(head.flow)
    return head if usable else None


def glance_at_head(body: bytes) -> Head | None:
    """As `read_head`, without parsing what may have killed a worker; knows our own form only."""
    found = _OWN.match(body)
    if found is None:
        return None
    event_id, account, flow, at = found.groups()
    return Head(event_id.decode(), account.decode(), flow.decode(), int(at) if at else None)


def time_of_event_id(event_id: str) -> int | None:
    """The time in an id of ours, in milliseconds; None for an id that can't be ours."""
    if _OWN_ID.fullmatch(event_id) is None:
        return None
    return int.from_bytes(base64.urlsafe_b64decode(event_id[:8]), "big")
