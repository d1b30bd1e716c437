"""Taking an account's envelopes off the queue, leased ones too, when the account is deleted."""

from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, ReplyError, Script
from hookrack.heads import glance_at_head, read_head
from hookrack.queues.redis_keys import GROUP, QueueKeys, bulk_of, partition_of

ENTRIES: Final = 200  # that one script looks at
BYTES: Final = 1024 * 1024  # of envelopes, likewise

_SCAN: Final = Script(Path(__file__).with_name("scan.lua"))


async def purge(pipe: Pipe, keys: QueueKeys, *, account: str) -> int:
    """See `ports.Queue`; ends with what was newest when it began."""
    lanes = (partition_of(account), bulk_of(account))
    return sum([await _purge(pipe, keys, lane, account=account) for lane in lanes])


async def _purge(pipe: Pipe, keys: QueueKeys, partition: int, *, account: str) -> int:
    stream, records = keys.streams[partition], keys.records[partition]
    newest = await pipe.call(b"XREVRANGE", stream, b"+", b"-", b"COUNT", 1)
    where, purged = b"-" if newest else b"", 0
    while where:
        where, *found = await _SCAN.run(pipe, [stream], [where, newest[0][0], ENTRIES, BYTES])
        pairs = zip(found[::2], found[1::2], strict=True)
        ours = [entry_id for entry_id, envelope in pairs if _is_of(envelope, account)]
        if ours:
            # In this order a crash in between leaves nothing that the queue doesn't sweep itself.
            purged += await pipe.call(b"XDEL", stream, *ours)
            await _forget_leases(pipe, stream, ours)
            await pipe.call(b"HDEL", records, *ours)
    return purged


async def _forget_leases(pipe: Pipe, stream: str, ids: list[bytes]) -> None:
    try:
        await pipe.call(b"XACK", stream, GROUP, *ids)
    except ReplyError as exc:
        if exc.prefix != "NOGROUP":
            raise


def _is_of(envelope: bytes, account: str) -> bool:
    head = glance_at_head(envelope) or read_head(envelope)
    return head is not None and head.account == account
