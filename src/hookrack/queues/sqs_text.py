r"""Envelopes as SQS messages and back.

SQS takes text that XML can hold: tab, LF, CR, U+0020-D7FF, E000-FFFD and above FFFF. An envelope
with anything else (JSON may have U+FFFF in a string) goes out in the envelope's own armour: its
data as base64, all else escaped. What is no envelope at all is base64 as a whole and says so in a
message attribute. Nothing is replaced, and nothing is lost.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hookrack.errors import Poison
from hookrack.model import Event, decode_envelope, encode_envelope

MESSAGE_BYTES: Final = 1024 * 1024  # of one message and of one call, by SQS
RESERVE: Final = 16 * 1024  # of it, so that a dead letter has room for its reason
PER_CALL: Final = 10  # messages
ENCODING: Final = "hookrackEncoding"
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN: Final = bytes([*b"\t\n\r", *range(0x20, 0x80)])  # legal at a glance

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: an entry of SendMessageBatch but for its id, and its size as SQS counts it."""

    fields: Fields
    size: int


def to_message(envelope: bytes, *, attributes: Mapping[str, str] | None = None) -> Message:
    """An envelope as a message."""
    body, armoured = _legal(envelope)
    told = dict(attributes or {}) | ({ENCODING: "base64"} if armoured else {})
    fields: Fields = {"MessageBody": body}
    size = len(body) if body.isascii() else len(body.encode())
    if not told:
        return Message(fields, size)
    fields["MessageAttributes"] = {
        name: {"DataType": "String", "StringValue": value} for name, value in told.items()
    }
    size += sum(len(name) + len("String") + len(value.encode()) for name, value in told.items())
    return Message(fields, size)


def _legal(envelope: bytes) -> tuple[str, bool]:
    """Text that SQS takes, and whether it is base64 as a whole."""
    if not envelope.translate(None, _PLAIN):
        return envelope.decode("ascii"), False
    try:
        text = envelope.decode()
    except UnicodeDecodeError:
        return base64.b64encode(envelope).decode(), True
    if not _ILLEGAL.search(text):
        return text, False
    try:
        return _armoured(decode_envelope(envelope)), False
    except Poison:
        return base64.b64encode(envelope).decode(), True


def _armoured(event: Event) -> str:
    """An envelope in printable ASCII alone, with its data as base64 whatever its type."""
    fields = json.loads(encode_envelope(replace(event, data=b"0")))
    fields.pop("data", None)
    fields["dataBase64"] = base64.b64encode(event.data).decode()
    return json.dumps(fields)


def to_envelope(body: str, encoding: str | None) -> bytes:
    """The envelope of a message, from its body and the attribute `ENCODING`."""
    if encoding == "base64":
        try:
            return base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            pass  # somebody else's attribute; the body is what it is
    return body.encode(errors="surrogatepass")


def attribute(message: Mapping[str, Any], name: str) -> str | None:
    """One message attribute, as ReceiveMessage (StringValue) or Lambda (stringValue) has it."""
    attributes = message.get("MessageAttributes") or message.get("messageAttributes") or {}
    value = attributes.get(name) or {}
    text = value.get("StringValue", value.get("stringValue"))
    return text if isinstance(text, str) else None


def portions(messages: Sequence[Message]) -> list[list[Message]]:
    """In order, as many to a call as SQS takes."""
    found: list[list[Message]] = []
    size = 0
    for message in messages:
        is_full = found and (len(found[-1]) >= PER_CALL or size + message.size > MESSAGE_BYTES)
        if is_full or not found:
            found.append([])
            size = 0
        found[-1].append(message)
        size += message.size
    return found


def record_text(record: Mapping[str, Any]) -> str:
    """A record as an attribute's value: JSON in printable ASCII, which is always legal."""
    return json.dumps(record, separators=(",", ":")).replace("\x7f", "\\u007f")
