"""Leases on Redis/Valkey. Keys, in the slot of the account as all of it:

    {acct}:g:<key>          HASH  group -> sequence up to which entries were handed out
    {acct}:h:<group>:<key>  HASH  of each that was handed out and isn't settled: sequence (7 bytes)
                                  -> attempts (2), random bytes of its last lease (8);
                                  o -> there, if the group was ever read in order
    {acct}:w:<group>:<key>  ZSET  held or delayed: score due (ms), member sequence
    {acct}:r:<group>:<key>  ZSET  back again: score and member sequence
    {acct}:x:<group>:<key>  ZSET  dead letters: score sequence, member sequence attempts since

A receipt is base64url of sequence and random bytes; it is looked up in the group that it is shown
to, so elsewhere it means nothing, and nobody can make one up. All keys live as long as the key's
entries do: when those are gone, so is everything that was known about reading them.
"""

import asyncio
import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hookrack._redis import Pipe, Script
from hookrack.errors import CATALOGUE, Code, Rejected
from hookrack.model import milliseconds
from hookrack.readers import Abandoned, Batch, Group, Leased, Wish
from hookrack.stores.redis_codec import Clock, Keyspace, decode_entry, encode_cursor

LOOKS_PER_LEASE: Final = 64  # calls for one lease, each past up to 1,024 dead references
_NONCE: Final = 8
_SEQ: Final = 7
_RECEIPT_CHARS: Final = 20  # of base64url for the two

_LEASE: Final = Script(Path(__file__).with_name("lease.lua"))
_ACK: Final = Script(Path(__file__).with_name("lease_ack.lua"))
_RELEASE: Final = Script(Path(__file__).with_name("lease_release.lua"))
_EXTEND: Final = Script(Path(__file__).with_name("lease_extend.lua"))
_DEAD: Final = Script(Path(__file__).with_name("lease_dead.lua"))
_REDRIVE: Final = Script(Path(__file__).with_name("lease_redrive.lua"))


class RedisLeases:
    """See `readers.Leases`; `now` replaces the server's clock in tests."""

    def __init__(self, pipe: Pipe, *, prefix: str, epoch: bytes, now: Clock | None = None) -> None:
        self._pipe = pipe
        self._space = Keyspace(prefix, epoch, now)

    async def lease(self, account: str, key: str, *, wish: Wish, max_bytes: int) -> Batch:
        """See `readers.Leases`."""
        realm, tag = self._space.realm(account), self._space.tag(account)
        names = [*self._names(account, key, "ko"), f"{tag}g:{key}"]
        names += self._names(account, key, "hwrx", group=wish.group)
        nonce = secrets.token_bytes(_NONCE)
        args = [self._space.clock(), f"{tag}p:", wish.group, wish.limit, max_bytes]
        args += [milliseconds(wish.span), nonce, int(wish.ordered), wish.max_attempts or 0]
        ended, due, until, found = await _LEASE.run(self._pipe, names, args)
        for _ in range(LOOKS_PER_LEASE):
            if found or ended != b"look":
                break
            ended, due, until, found = await _LEASE.run(self._pipe, names, args)
        if ended == b"groups":
            raise Rejected(Code.GROUPS_FULL, CATALOGUE[Code.GROUPS_FULL].mend)
        entries = tuple(
            Leased(
                entry=decode_entry(account, key, realm=realm, found=each[:3]),
                receipt=_receipt(each[3], nonce),
                attempt=each[4],
                until=int(until),
            )
            for each in found
        )
        return Batch(entries, None if due < 0 else timedelta(milliseconds=due))

    async def ack(
        self, account: str, key: str, *, group: str, receipts: Sequence[str]
    ) -> list[bool]:
        """See `readers.Leases`."""
        names = self._names(account, key, "hwr", group=group)
        results = await _ACK.run(self._pipe, names, [*self._channel(account, key), *_raw(receipts)])
        return [bool(each) for each in results]

    async def release(
        self, account: str, key: str, *, group: str, receipts: Sequence[str], delay: timedelta
    ) -> list[bool]:
        """See `readers.Leases`."""
        names = self._names(account, key, "hwr", group=group)
        args = [self._space.clock(), *self._channel(account, key), milliseconds(delay)]
        results = await _RELEASE.run(self._pipe, names, [*args, *_raw(receipts)])
        return [bool(each) for each in results]

    async def extend(
        self, account: str, key: str, *, group: str, receipts: Sequence[str], span: timedelta
    ) -> list[int | None]:
        """See `readers.Leases`."""
        names = self._names(account, key, "hwr", group=group) + self._names(account, key, "ko")
        args = [self._space.clock(), milliseconds(span)]
        until, results = await _EXTEND.run(self._pipe, names, [*args, *_raw(receipts)])
        return [int(until) if each else None for each in results]

    async def groups(self, account: str, key: str) -> list[Group]:
        """See `readers.Leases`."""
        tag = self._space.tag(account)
        names = sorted(name.decode() for name in await self._pipe.call(b"HKEYS", f"{tag}g:{key}"))
        sets = [each for name in names for each in self._names(account, key, "wrx", group=name)]
        counts = await asyncio.gather(*(self._pipe.call(b"ZCARD", each) for each in sets))
        return [Group(name, *counts[3 * place : 3 * place + 3]) for place, name in enumerate(names)]

    async def abandoned(self, account: str, key: str, *, group: str, limit: int) -> list[Abandoned]:
        """See `readers.Leases`."""
        names = self._names(account, key, "x", group=group) + self._names(account, key, "ko")
        found = await _DEAD.run(self._pipe, names, [self._space.clock(), limit])
        realm = self._space.realm(account)
        return [
            Abandoned(
                event_id=event_id.decode(),
                cursor=encode_cursor(realm, seq),
                received_at=int(received),
                expires_at=int(expiry),
                attempts=attempts,
                abandoned_at=int(since),
            )
            for event_id, seq, received, expiry, attempts, since in found
        ]

    async def redrive(self, account: str, key: str, *, group: str) -> int:
        """See `readers.Leases`; a page at a time."""
        names = self._names(account, key, "hrx", group=group) + self._names(account, key, "ko")
        args = [self._space.clock(), *self._channel(account, key), secrets.token_bytes(_NONCE)]
        redriven, more = 0, 1
        while more:  # each call takes a page away
            taken, more = await _REDRIVE.run(self._pipe, names, args)
            redriven += taken
        return redriven

    async def close(self) -> None:
        """Let go of connections."""
        await self._pipe.close()

    def _names(
        self, account: str, key: str, kinds: str, *, group: str | None = None
    ) -> list[bytes | str]:
        tag = self._space.tag(account)
        of = key if group is None else f"{group}:{key}"
        return [f"{tag}{kind}:{of}" for kind in kinds]

    def _channel(self, account: str, key: str) -> tuple[str, str]:
        return f"{self._space.tag(account)}new", key


def _receipt(seq: bytes, nonce: bytes) -> str:
    return base64.urlsafe_b64encode(seq + nonce).decode()


def _raw(receipts: Sequence[str]) -> list[Any]:
    """Sequence and random bytes of each receipt; what can't be one gets those of none."""
    return [part for receipt in receipts for part in _split(receipt)]


def _split(receipt: str) -> tuple[bytes, bytes]:
    try:
        raw = base64.b64decode(receipt.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if len(receipt) != _RECEIPT_CHARS or len(raw) != _SEQ + _NONCE:
        return bytes(_SEQ), b"-"
    return raw[:_SEQ], raw[_SEQ:]
