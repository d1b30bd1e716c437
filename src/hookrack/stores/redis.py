"""The Store on Redis/Valkey. Keys, all of one account in one slot by its hash tag {acct}:

    {acct}:seq       STRING  last sequence; permanent
    {acct}:p:<eid>   STRING  header (version receivedAt storedAt seq crc32 flow contentType) + data
    {acct}:l:<eid>   STRING  life, JSON; there = seen before; stays 24 h past the event's end
    {acct}:d:<h16>   STRING  event id; stays for the dedupe window of (flow, dedupe id)
    {acct}:k:<key>   ZSET    in order: score seq, member expiry receivedAt eid
    {acct}:o:<key>   ZSET    late arrivals: score seq, the same member
    {acct}:n:<key>   ZSET    late arrivals: score receivedAt, member expiry seq eid
    {cfg}:epoch      STRING  random, made once; part of every cursor; permanent

Logical time ends at `expiry`, judged by the server's clock at every read; a key of Redis's own
stays a little longer (the scripts' grace). Scripts stand beside this file, each with its contract.
"""

import asyncio
import base64
import random
import secrets
import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from hookrack._redis import Pipe, Script
from hookrack.errors import Code, Unavailable
from hookrack.model import Duplicate, Entry, Expired, Outcome, Placement, Stored, milliseconds
from hookrack.telemetry import emit, log

DEDUPE_WINDOW: Final = timedelta(hours=96)  # Standard Webhooks senders retry for 75.6 h
KEYS_PER_GET: Final = 64
_TRIMS_PER_GET: Final = 64
_HEADER: Final = struct.Struct(">B6s6s7sIB")

_PUT: Final = Script(Path(__file__).with_name("put.lua"))
_GET: Final = Script(Path(__file__).with_name("get.lua"))
_TRIM: Final = Script(Path(__file__).with_name("trim.lua"))

Clock = Callable[[], int]


class RedisStore:
    """Entries in one Redis; `now` replaces the server's clock in tests."""

    def __init__(self, pipe: Pipe, *, prefix: str, epoch: bytes, now: Clock | None = None) -> None:
        self._pipe = pipe
        self._prefix = prefix
        self._epoch = epoch
        self._now = now
        self._asked: dict[str, dict[str, asyncio.Future[Any]]] = {}

    @classmethod
    async def open(cls, pipe: Pipe, *, prefix: str, now: Clock | None = None) -> "RedisStore":
        """A store whose epoch is read, or made at the very first start. Raises: Unavailable."""
        name = f"{prefix}{{cfg}}:epoch"
        epoch = await pipe.call(b"GET", name)
        if epoch is None:  # only then: a full store refuses even a write that changes nothing
            await pipe.call(b"SET", name, secrets.token_bytes(6), b"NX")
            epoch = await pipe.call(b"GET", name)
        return cls(pipe, prefix=prefix, epoch=epoch, now=now)

    async def put(self, account: str, placements: Sequence[Placement]) -> list[Outcome]:
        """See `ports.Store`."""
        keys: list[bytes | str] = [f"{self._tag(account)}seq"]
        args: list[bytes | str | int] = [self._clock(), random.getrandbits(32), len(placements)]
        for placement in placements:
            self._add(account, placement, keys, args)
        replies = await _PUT.run(self._pipe, keys, args)
        return [
            _outcome(placement, reply) for placement, reply in zip(placements, replies, strict=True)
        ]

    def _add(
        self,
        account: str,
        placement: Placement,
        keys: list[bytes | str],
        args: list[bytes | str | int],
    ) -> None:
        event, tag = placement.event, self._tag(account)
        keys += (f"{tag}p:{event.id}", f"{tag}l:{event.id}")
        window = 0
        if event.dedupe_id is not None:
            window = milliseconds(DEDUPE_WINDOW)
            keys.append(f"{tag}d:{_digest(event.flow, event.dedupe_id)}")
        args += (event.id, event.received_at, event.flow, event.content_type)
        args += (zlib.crc32(event.data), event.data, window, len(placement.keys))
        for key, ttl in placement.keys:
            keys += (f"{tag}k:{key}", f"{tag}o:{key}", f"{tag}n:{key}")
            args += (key, milliseconds(ttl))

    async def get(self, account: str, key: str) -> Entry | None:
        """See `ports.Store`; what is asked for in one loop tick is one command per account."""
        for _ in range(_TRIMS_PER_GET):
            found = await self._ask(account, key)
            if found != b"trim":
                return self._entry(account, key, found) if found else None
            tag = self._tag(account)
            sets = [f"{tag}k:{key}", f"{tag}n:{key}"]
            await _TRIM.run(self._pipe, sets, [self._clock(), f"{tag}p:"])
        raise Unavailable(Code.STORE_UNAVAILABLE, "Too many expired entries stand before it.")

    async def _ask(self, account: str, key: str) -> Any:  # noqa: ANN401 - a reply
        """Join the next get of this account; the same key asked twice is one look."""
        asked = self._asked.get(account)
        if asked is None or (key not in asked and len(asked) >= KEYS_PER_GET):
            asked = self._asked[account] = {}
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._fetch(account, asked))
            task.add_done_callback(_retrieve)
        future = asked.get(key)
        if future is None:
            future = asked[key] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_retrieve)
        return await asyncio.shield(future)

    async def _fetch(self, account: str, asked: dict[str, asyncio.Future[Any]]) -> None:
        if self._asked.get(account) is asked:
            del self._asked[account]
        tag = self._tag(account)
        sets = [f"{tag}{kind}:{key}" for key in asked for kind in ("k", "n")]
        try:
            replies = await _GET.run(self._pipe, sets, [self._clock(), f"{tag}p:"])
        except BaseException as exc:
            for future in asked.values():
                future.set_exception(exc)
            raise
        for future, reply in zip(asked.values(), replies, strict=True):
            future.set_result(reply)

    def _entry(self, account: str, key: str, found: list[Any]) -> Entry | None:
        expiry, payload, event_id = found
        version, received, stored, seq, crc, flow_size = _HEADER.unpack_from(payload)
        flow_end = _HEADER.size + flow_size
        type_end = flow_end + 1 + payload[flow_end]
        data = payload[type_end:]
        if version != 1 or zlib.crc32(data) != crc:
            emit(log.PAYLOAD_CORRUPT, account=account, key=key, eventId=event_id.decode())
            raise Unavailable(Code.STORE_UNAVAILABLE, "The stored payload fails its checksum.")
        return Entry(
            event_id=event_id.decode(),
            webhook_key=key,
            account=account,
            flow=payload[_HEADER.size : flow_end].decode() or None,
            received_at=int.from_bytes(received, "big"),
            stored_at=int.from_bytes(stored, "big"),
            expires_at=int(expiry),
            cursor=base64.urlsafe_b64encode(self._epoch + seq).rstrip(b"=").decode(),
            content_type=payload[flow_end + 1 : type_end].decode(),
            data=data,
        )

    async def ping(self) -> None:
        """See `ports.Store`."""
        await self._pipe.call(b"PING")

    async def close(self) -> None:
        """See `ports.Store`."""
        await self._pipe.close()

    def _tag(self, account: str) -> str:
        return f"{self._prefix}{{{account}}}:"

    def _clock(self) -> int | bytes:
        return self._now() if self._now else b""


def _retrieve(done: "asyncio.Future[Any]") -> None:
    """Look at the exception, so that one which nobody waits for isn't reported as forgotten."""
    if not done.cancelled():
        done.exception()


def _digest(flow: str, dedupe_id: str) -> str:
    return blake2b(f"{flow}\0{dedupe_id}".encode(), digest_size=16).hexdigest()


def _outcome(placement: Placement, reply: list[bytes]) -> Outcome:
    event_id = placement.event.id
    match reply[0]:
        case b"stored":
            return Stored(event_id)
        case b"again":
            return Stored(event_id, again=True)
        case b"duplicate":
            return Duplicate(event_id, reply[1].decode())
        case _:
            return Expired(event_id)
