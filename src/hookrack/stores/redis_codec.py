"""What RedisStore keeps, as names and bytes: payloads, lives, cursors, dedupe marks. Pure.

A cursor is base64url of 13 bytes: 6 that name the store's epoch and the account, then a sequence.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from hookrack.entries import DirectSet, Life, LifeStatus, Written
from hookrack.errors import Code, Rejected, Unavailable
from hookrack.model import Entry
from hookrack.telemetry import emit, log

SEQ_EPOCH_MS: Final = 1_735_689_600_000  # as in put.lua
SEQS_PER_MS: Final = 4_096
ENTRY_BYTES: Final = 512  # what an entry counts for besides its payload, as in the scripts
LARGEST_SEQ: Final = 2**53 - 1  # scores are doubles

_PAYLOAD: Final = struct.Struct(">B6s6s7sIB")
_LIFE: Final = struct.Struct(">BB6s6sI")
_TOLD: Final = struct.Struct(">6s6s7s")
_FORMS: Final = (1, 2)  # of a payload; with 2 the event brought its time to live itself
_TIME: Final = 6  # bytes of one
_REALM: Final = 6
_CURSOR: Final = _REALM + 7
_CURSOR_CHARS: Final = 18
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_STATUS: Final = {
    1: LifeStatus.STORED,
    2: LifeStatus.DUPLICATE,
    3: LifeStatus.EXPIRED,
    4: LifeStatus.PURGED,
}


Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Keyspace:
    """What is the same for all calls of one store; `now` replaces the server's clock in tests."""

    prefix: str
    epoch: bytes
    now: Clock | None = None

    def tag(self, account: str) -> str:
        """What all keys of an account begin with."""
        return f"{self.prefix}{{{account}}}:"

    def clock(self) -> int | bytes:
        """The scripts' first argument: the time, or nothing for the server's own."""
        return self.now() if self.now else b""

    def realm(self, account: str) -> bytes:
        """What the cursors of an account begin with."""
        return realm_of(self.epoch, account)


@lru_cache(maxsize=4_096)
def realm_of(epoch: bytes, account: str) -> bytes:
    """What cursors of this store and account begin with."""
    return blake2b(account.encode(), key=epoch, digest_size=_REALM).digest()


def encode_cursor(realm: bytes, seq: bytes | int) -> str:
    """The cursor of a place in an account's storing order."""
    place = seq if isinstance(seq, bytes) else seq.to_bytes(7, "big")
    padded = binascii.b2a_base64(realm + place, newline=False)
    return padded[:_CURSOR_CHARS].translate(_URL_SAFE).decode()


def decode_cursor(realm: bytes, cursor: str) -> int:
    """The sequence of a cursor. Raises: Rejected (`CURSOR_INVALID`)."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"==", altchars=b"-_", validate=True)
    except ValueError as exc:
        raise Rejected(Code.CURSOR_INVALID, "This is no cursor.") from exc
    seq = int.from_bytes(raw[_REALM:], "big")
    if len(raw) != _CURSOR or seq > LARGEST_SEQ:
        raise Rejected(Code.CURSOR_INVALID, "This is no cursor.")
    if raw[:_REALM] != realm:
        detail = "The cursor is from before a restore of the store, or of another account."
        raise Rejected(Code.CURSOR_INVALID, detail)
    return seq


def seq_before(time: int) -> int:
    """The last sequence that nothing stored at `time` (ms) or later can have."""
    return max(0, min((time - SEQ_EPOCH_MS) * SEQS_PER_MS - 1, LARGEST_SEQ))


def decode_entry(account: str, key: str, *, realm: bytes, found: Sequence[bytes]) -> Entry:
    """The entry of a script's {expiry, payload, id}. Raises: Unavailable, where it is corrupt."""
    expiry, payload, raw_id = found
    event_id = raw_id.decode()
    form, received, stored, seq, crc, flow_size = _PAYLOAD.unpack_from(payload)
    flow_end = _PAYLOAD.size + flow_size
    type_end = flow_end + 1 + payload[flow_end]
    data = payload[type_end:]
    if form not in _FORMS or zlib.crc32(data) != crc:
        emit(log.PAYLOAD_CORRUPT, account=account, key=key, eventId=event_id)
        detail = f"The stored payload of event {event_id} fails its checksum; purge it to go on."
        raise Unavailable(Code.STORE_UNAVAILABLE, detail)
    return Entry(
        event_id=event_id,
        webhook_key=key,
        account=account,
        flow=payload[_PAYLOAD.size : flow_end].decode() or None,
        received_at=int.from_bytes(received, "big"),
        stored_at=int.from_bytes(stored, "big"),
        expires_at=int(expiry),
        cursor=encode_cursor(realm, seq),
        content_type=payload[flow_end + 1 : type_end].decode(),
        data=data,
    )


def is_live(reference: bytes, now: int) -> bool:
    """Whether a member of a key's sets has time left."""
    return int.from_bytes(reference[:_TIME], "big") > now


def decode_life(account: str, event_id: str, *, raw: bytes, now: int) -> Life:
    """The life as it is at `now` (ms): what is stored and has no key with time left is expired."""
    _, number, received, ended, duplicates = _LIFE.unpack_from(raw)
    flow, at = _short_text(raw, _LIFE.size)
    original, at = _short_text(raw, at)
    keys = []
    while at < len(raw):
        expiry = int.from_bytes(raw[at : at + _TIME], "big")
        key, at = _short_text(raw, at + _TIME)
        keys.append((key, expiry))
    status = _STATUS[number]
    was_stored = status in (LifeStatus.STORED, LifeStatus.PURGED)
    if status is LifeStatus.STORED and all(expiry <= now for _, expiry in keys):
        status = LifeStatus.EXPIRED
    return Life(
        event_id=event_id,
        account=account,
        flow=flow or None,
        status=status,
        received_at=int.from_bytes(received, "big"),
        stored_at=int.from_bytes(ended, "big") if was_stored else None,
        keys=tuple(keys),
        duplicate_of=original or None,
        duplicates=duplicates,
    )


def _short_text(raw: bytes, at: int) -> tuple[str, int]:
    """The text behind its length of one byte at `at`, and where it ends."""
    end = at + 1 + raw[at]
    return raw[at + 1 : end].decode(), end


def decode_written(
    account: str, direct: DirectSet, *, realm: bytes, told: bytes, again: bool
) -> Written:
    """The answer to a direct set, from what put.lua told of it; its data is the caller's."""
    stored, expiry, seq = _TOLD.unpack_from(told)
    return Written(
        tuple(
            Entry(
                event_id=told[_TOLD.size :].decode(),
                webhook_key=key,
                account=account,
                flow=None,
                received_at=int.from_bytes(stored, "big"),
                stored_at=int.from_bytes(stored, "big"),
                expires_at=int.from_bytes(expiry, "big"),
                cursor=encode_cursor(realm, seq),
                content_type=direct.content_type,
                data=direct.data,
            )
            for key in direct.keys
        ),
        again=again,
    )


def mark_name(flow: str, dedupe_id: str) -> str:
    """What the dedupe id of a flow ("" = direct sets, a namespace of their own) is kept under."""
    return blake2b(f"{flow}\0{dedupe_id}".encode(), digest_size=16).hexdigest()


def fingerprint(direct: DirectSet) -> bytes:
    """16 bytes that tell whether two direct sets are the same: keys, content type and data."""
    head = "\n".join((*sorted(direct.keys), "", direct.content_type, "")).encode()
    return blake2b(head + direct.data, digest_size=16).digest()
