"""The Store on Redis/Valkey. Keys, all of one account in one slot by its hash tag {acct}:

    {acct}:seq       STRING  last sequence; permanent
    {acct}:p:<eid>   STRING  header (form receivedAt storedAt seq crc32 flow contentType) + data
    {acct}:l:<eid>   STRING  life: version status receivedAt storedAt duplicates flow original, and
                             the keys that it is under, each with its expiry; there = seen before;
                             stays until 24 h past its last expiry, purged or not
    {acct}:d:<h16>   STRING  event id; stays for the dedupe window of (flow, dedupe id). Of a direct
                             set: fingerprint storedAt expiry seq eid
    {acct}:k:<key>   ZSET    in order: score seq, member expiry receivedAt eid
    {acct}:o:<key>   ZSET    late arrivals: score seq, the same member
    {acct}:n:<key>   ZSET    late arrivals: score receivedAt, member seq expiry eid
    {acct}:b         HASH    bytes of its events; a day longer than they (ledger.lua)
    {acct}:y         ZSET    its keys with something alive; likewise
    {cfg}:epoch      STRING  random, made once; goes into every cursor; permanent

Logical time ends at `expiry`, judged by the server's clock at every read; a key of Redis's own
stays a little longer (the scripts' grace). Which payloads are referred to is never counted: a life
names the keys. Scripts stand beside this file, each with its contract; `redis_codec.py` knows the
bytes, `redis_newest.py` and `redis_history.py` read.
"""

import asyncio
import random
import re
import secrets
import zlib
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from hookrack._redis import Pipe, Script
from hookrack.entries import (
    AccountPurge,
    DirectSet,
    Found,
    Life,
    Page,
    Retimed,
    Times,
    Written,
)
from hookrack.errors import Code, Limited, Rejected
from hookrack.model import (
    Dead,
    Duplicate,
    Entry,
    Event,
    Expired,
    Outcome,
    Placement,
    Stored,
    milliseconds,
)
from hookrack.quotas import NO_QUOTAS, QUOTA_SECONDS, Quotas, Usage
from hookrack.stores.redis_codec import (
    Clock,
    Keyspace,
    decode_life,
    decode_written,
    fingerprint,
    is_live,
    mark_name,
)
from hookrack.stores.redis_history import History
from hookrack.stores.redis_newest import Newest
from hookrack.stores.redis_retime import retime
from hookrack.telemetry import metrics

_SCAN_COUNT: Final = 1_000
_MEMBERS_PER_LOOK: Final = 1_000

_LEDGER: Final = Path(__file__).with_name("ledger.lua")
_PUT: Final = Script(Path(__file__).with_name("put.lua"), _LEDGER)
_PURGE: Final = Script(Path(__file__).with_name("purge.lua"), _LEDGER)
_USAGE: Final = Script(Path(__file__).with_name("usage.lua"), _LEDGER)
_OVER: Final = {
    b"bytes": "The account's stored events would have more than its {} bytes.",
    b"keys": "The account would have events under more than its {} webhook keys.",
}


class RedisStore:
    """Entries in one Redis; `now` replaces the server's clock in tests."""

    def __init__(self, pipe: Pipe, *, prefix: str, epoch: bytes, now: Clock | None = None) -> None:
        self._pipe = pipe
        self._space = Keyspace(prefix, epoch, now)
        self._newest = Newest(pipe, self._space)
        self._history = History(pipe, self._space)

    @property
    def epoch(self) -> bytes:
        """What goes into every cursor."""
        return self._space.epoch

    @classmethod
    async def open(cls, pipe: Pipe, *, prefix: str, now: Clock | None = None) -> "RedisStore":
        """A store whose epoch is read, or made at the very first start. Raises: Unavailable."""
        name = f"{prefix}{{cfg}}:epoch"
        epoch = await pipe.call(b"GET", name)
        if epoch is None:  # a full store, which takes no SET, has one
            await pipe.call(b"SET", name, secrets.token_bytes(6), b"NX")
            epoch = await pipe.call(b"GET", name)
        return cls(pipe, prefix=prefix, epoch=epoch, now=now)

    async def put(
        self, account: str, placements: Sequence[Placement], *, quotas: Quotas = NO_QUOTAS
    ) -> list[Outcome]:
        """See `ports.Store`."""
        replies = await _PUT.run(self._pipe, *self._put_call(account, placements, quotas=quotas))
        return [
            _outcome(placement, reply, quotas)
            for placement, reply in zip(placements, replies, strict=True)
        ]

    async def set_direct(
        self, account: str, direct: DirectSet, *, quotas: Quotas = NO_QUOTAS
    ) -> Written:
        """See `ports.Store`."""
        mark = b"" if direct.dedupe_id is None else fingerprint(direct)
        call = self._put_call(account, [_placement(account, direct)], quotas=quotas, mark=mark)
        ((verdict, *told),) = await _PUT.run(self._pipe, *call)
        if verdict == b"quota":
            detail = _over(told[0], quotas)
            raise Limited(Code.QUOTA_EXCEEDED, detail, retry_after=QUOTA_SECONDS)
        if verdict in {b"conflict", b"again"}:
            metrics.DEDUPE_CONFLICTS.add()
        if verdict == b"conflict":
            detail = "This id was used before, for other data, keys or content type."
            raise Rejected(Code.ID_CONFLICT, detail)
        if verdict == b"again":
            raise Rejected(Code.ID_CONFLICT, "This event id is taken.")
        realm, again = self._space.realm(account), verdict == b"first"
        return decode_written(account, direct, realm=realm, told=told[0], again=again)

    def _put_call(
        self, account: str, placements: Sequence[Placement], *, quotas: Quotas, mark: bytes = b""
    ) -> tuple[list[bytes | str], list[bytes | str | int]]:
        """Keys and arguments of put.lua; `mark`: what a dedupe id stands for besides the event."""
        tag = self._space.tag(account)
        keys: list[bytes | str] = [f"{tag}seq"]
        args: list[bytes | str | int] = []
        args += (self._space.clock(), random.getrandbits(32))
        args += (quotas.keys or 0, quotas.stored_bytes or 0, len(placements))
        for placement in placements:
            event = placement.event
            keys += (f"{tag}p:{event.id}", f"{tag}l:{event.id}")
            args += (event.id, event.received_at, event.flow, event.content_type)
            args += (zlib.crc32(event.data), event.data)
            names = len(placement.keys) if event.ttl is None else -len(placement.keys)
            if event.dedupe_id is None:
                args += (0, names)
            else:
                keys.append(f"{tag}d:{mark_name(event.flow, event.dedupe_id)}")
                args += (milliseconds(placement.dedupe_window), mark, names)
            for key, ttl in placement.keys:
                keys += (f"{tag}k:{key}", f"{tag}o:{key}", f"{tag}n:{key}")
                args += (key, milliseconds(ttl))
        return keys, args

    def get(self, account: str, key: str) -> Coroutine[Any, Any, Entry | None]:
        """See `ports.Store`; hot, so without a frame of its own."""
        return self._newest.one(account, key)

    async def get_many(self, account: str, keys: Sequence[str], *, max_bytes: int) -> Found:
        """See `ports.Store`."""
        return await self._newest.many(account, keys, max_bytes=max_bytes)

    async def history(
        self,
        account: str,
        key: str,
        *,
        after: str | None = None,
        since: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """See `ports.Store`."""
        return await self._history.page(
            account, key, after=after, since=since, limit=limit, max_bytes=max_bytes
        )

    async def delete(self, account: str, key: str, *, event_id: str | None = None) -> int:
        """See `ports.Store`; a page at a time, up to what was stored last when it began."""
        tag = self._space.tag(account)
        sets = [*(f"{tag}{kind}:{key}" for kind in ("k", "o", "n")), f"{tag}seq"]
        purged, upto, more = 0, b"", 1
        while more:  # each call takes what is there, and nothing is added below `upto`
            args = [self._space.clock(), f"{tag}p:", f"{tag}l:", key, event_id or "", upto]
            taken, upto, more = await _PURGE.run(self._pipe, sets, args)
            purged += taken
        return purged

    async def usage(self, account: str, keys: Sequence[str] = ()) -> Usage:
        """See `ports.Store`."""
        args = [self._space.clock(), *keys]
        seq = f"{self._space.tag(account)}seq"
        size, count, unknown = await _USAGE.run(self._pipe, [seq], args)
        return Usage(count, size, unknown)

    async def life(self, account: str, event_id: str) -> Life | None:
        """See `ports.Store`."""
        name = f"{self._space.tag(account)}l:{event_id}"
        raw, now = await asyncio.gather(self._pipe.call(b"GET", name), self._time())
        return decode_life(account, event_id, raw=raw, now=now) if raw else None

    async def _time(self) -> int:
        """The store's clock."""
        if self._space.now:
            return self._space.now()
        seconds, micros = await self._pipe.call(b"TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def purge_account(self, account: str) -> AccountPurge:
        """See `ports.Store`; looks at every name in the store, a page at a time."""
        tag = self._space.tag(account).encode()
        pattern = re.sub(rb"([*?\[\\])", rb"\\\1", tag) + b"*"
        now, at, entries, events = await self._time(), b"0", 0, 0
        while True:  # SCAN ends by itself
            at, names = await self._pipe.call(b"SCAN", at, b"MATCH", pattern, b"COUNT", _SCAN_COUNT)
            for name in names:
                kind = name[len(tag) :][:2]
                events += kind == b"p:"
                entries += await self._count_live(name, now) if kind in (b"k:", b"o:") else 0
            gone = [name for name in names if name != tag + b"seq"]
            if gone:
                await self._pipe.call(b"UNLINK", *gone)
            if at == b"0":
                return AccountPurge(entries, events)

    async def _count_live(self, name: bytes, now: int) -> int:
        """How many references of a set have time left."""
        live = place = 0
        while True:
            last = place + _MEMBERS_PER_LOOK - 1
            members = await self._pipe.call(b"ZRANGE", name, place, last)
            live += sum(is_live(member, now) for member in members)
            place += len(members)
            if len(members) < _MEMBERS_PER_LOOK:
                return live

    async def retime(self, account: str, times: Times) -> Retimed:
        """See `ports.Store`; looks at every name in the store, a page at a time."""
        return await retime(self._pipe, self._space, account=account, times=times)

    async def ping(self) -> None:
        """See `ports.Store`."""
        await self._pipe.call(b"PING")

    async def close(self) -> None:
        """See `ports.Store`."""
        await self._pipe.close()


def _placement(account: str, direct: DirectSet) -> Placement:
    """A direct set as put.lua takes it: no flow, and received when it is stored."""
    event = Event(
        id=direct.event_id,
        account=account,
        flow="",
        received_at=0,
        content_type=direct.content_type,
        data=direct.data,
        ttl=direct.ttl if direct.own_ttl else None,
        dedupe_id=direct.dedupe_id,
    )
    return Placement(event, tuple((key, direct.ttl) for key in direct.keys))


def _over(which: bytes, quotas: Quotas) -> str:
    """Which quota it is, in words."""
    return _OVER[which].format(quotas.keys if which == b"keys" else quotas.stored_bytes)


def _outcome(placement: Placement, reply: list[bytes], quotas: Quotas) -> Outcome:
    event = placement.event
    event_id = event.id
    match reply[0]:
        case b"stored":
            return Stored(event_id)
        case b"again":
            return Stored(event_id, again=True)
        case b"duplicate":
            return Duplicate(event_id, reply[1].decode())
        case b"quota":
            detail = _over(reply[1], quotas)
            return Dead(Code.QUOTA_EXCEEDED, detail, event_id, event.account, event.flow)
        case _:
            return Expired(event_id)
