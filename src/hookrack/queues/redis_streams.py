"""The Queue on Redis Streams; its keys stand at the head of `redis_keys.py`.

A lease is a pending entry of the group and ends by its idle time; an acked entry is deleted, so
streams hold only what is still to do and are never trimmed by length. `send` is one plain XADD: a
script's writes are logged as a transaction, which is what a torn file tail hurts. Scripts stand
beside this file, each with its contract.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hookrack._redis import Pipe, ReplyError, Script, connect
from hookrack._redis.control import translated
from hookrack.door_ports import Headroom
from hookrack.entries import Whereabouts
from hookrack.model import Delivery, milliseconds
from hookrack.ports import Failure, QueueStats
from hookrack.queues.redis_find import find
from hookrack.queues.redis_keys import (
    DEAD_LETTER_TTL,
    GROUP,
    QueueKeys,
)
from hookrack.queues.redis_lanes import Lanes
from hookrack.queues.redis_purge import purge
from hookrack.telemetry import metrics

BATCH_BYTES: Final = 1024 * 1024
BLOCK: Final = timedelta(seconds=15)  # the longest one blocking read lasts: till the next reclaim
RECLAIM_EVERY: Final = timedelta(seconds=15)  # at most; besides: when a retry of ours is due
ALONE_AFTER: Final = 2  # lost hand-overs, from which on a delivery is handed over by itself
SETTLE_AT_ONCE: Final = 100  # in one script, so that none holds up the engine for long
BURY_AT_ONCE: Final = 25
SILENT_CONSUMER: Final = timedelta(hours=1)  # its process is gone; a live one asks every BLOCK
_DETAIL_CHARS: Final = 500
_START: Final = b"0-0"

_Args = list[bytes | str | int]


def _script(name: str) -> Script:
    return Script(Path(__file__).with_name(name))


_RECEIVE, _RECLAIM = _script("receive.lua"), _script("reclaim.lua")
_RECOVER, _SETTLE = _script("recover.lua"), _script("settle.lua")
_SWEEP, _BURY = _script("sweep.lua"), _script("bury.lua")


class RedisStreams:
    """The queue of one installation, as one consumer sees it."""

    def __init__(
        self,
        pipe: Pipe,
        *,
        url: str,
        prefix: str,
        consumer: str,
        lease: timedelta,
        headroom: Headroom | None = None,
    ) -> None:
        self._pipe = pipe
        self._headroom = headroom
        self._blocking = connect(url, wait=BLOCK)
        self._consumer = consumer
        self.lease = lease
        self._lease = milliseconds(lease)
        self._reclaim_every = min(RECLAIM_EVERY, lease / 2).total_seconds()
        self._keys = QueueKeys(prefix)
        self._turn = 0
        self._busy = True  # there may be more than a blocking read would find
        self._cursors: list[bytes] = [_START] * len(self._keys.streams)
        self._lanes = Lanes(pipe, self._keys)
        self._loop = asyncio.get_running_loop()
        self._reclaim_at = 0.0  # by the loop's clock: at once

    async def send(self, account: str, envelope: bytes, *, reserve: bool = True) -> None:
        """See `ports.Queue`."""
        size, lanes = len(envelope), self._lanes
        if self._headroom is not None:
            waiting = lanes.waiting(account)
            self._headroom.check_send(size, reserve=reserve, waiting=waiting)
        line = lanes.choose(account)
        stream = self._keys.streams[line.lane]
        began = self._loop.time()
        line.begin(size)
        try:
            entry_id = await self._pipe.call(b"XADD", stream, b"*", b"e", envelope)
        except BaseException:
            line.drop(size)
            raise
        lanes.sent(line, entry_id, size=size)
        metrics.OPERATION_SECONDS.observe(self._loop.time() - began, "send")

    async def receive(self, limit: int, *, wait: timedelta) -> list[Delivery]:
        """See `ports.Queue`."""
        found = await self._reclaim(limit) if self._loop.time() >= self._reclaim_at else []
        if not found and (self._busy or not wait):
            found = await self._fresh(limit)
        if not found and wait:
            found = await self._wait(min(wait, BLOCK, self._until_reclaim()))
        self._busy = bool(found)
        return found

    def _until_reclaim(self) -> timedelta:
        return timedelta(seconds=max(0.001, self._reclaim_at - self._loop.time()))

    async def _fresh(self, limit: int) -> list[Delivery]:
        args: _Args = [GROUP, self._consumer, limit, BATCH_BYTES, self._turn]
        self._turn, found = await self._run(_RECEIVE, self._keys.streams, args)
        return [_delivery(*each) for each in found]

    async def _reclaim(self, limit: int) -> list[Delivery]:
        keys = (*self._keys.streams, *self._keys.records, self._keys.alone)
        args: _Args = [GROUP, self._consumer, limit, BATCH_BYTES, self._lease, ALONE_AFTER]
        self._cursors, found = await self._run(_RECLAIM, keys, [*args, *self._cursors])
        if not found and all(cursor == _START for cursor in self._cursors):
            self._reclaim_at = self._loop.time() + self._reclaim_every
        return [_delivery(*each) for each in found]

    async def _wait(self, wait: timedelta) -> list[Delivery]:
        """Sleep in Redis until something is sent; at most one envelope of each partition."""
        streams: dict[Any, Any] = dict.fromkeys(self._keys.streams, ">")
        try:
            with translated():
                reply: Any = await self._blocking.xreadgroup(
                    GROUP, self._consumer, streams, count=1, block=max(1, milliseconds(wait))
                )
        except ReplyError as exc:
            await self._create_groups(exc)
            return []
        pairs = reply.items() if isinstance(reply, dict) else reply or ()
        return list(self._woken(pairs))

    def _woken(self, reply: Iterable[tuple[bytes, Any]]) -> Iterable[Delivery]:
        for stream, entries in reply:
            partition = self._keys.streams.index(stream.decode())
            for entry_id, entry_fields in entries:
                # The first field, as the scripts take it, whatever a foreign producer called it.
                yield _delivery(partition, entry_id, next(iter(entry_fields.values())))

    async def ack(self, deliveries: Sequence[Delivery]) -> int:
        """See `ports.Queue`."""
        return await self._settle("ack", [(each, ()) for each in deliveries])

    async def extend(self, deliveries: Sequence[Delivery]) -> int:
        """See `ports.Queue`."""
        return await self._settle("extend", [(each, ()) for each in deliveries])

    async def retry(self, failures: Sequence[Failure], *, delay: timedelta) -> int:
        """See `ports.Queue`."""
        wait = milliseconds(delay)
        items = [(each.delivery, (*_told(each), wait)) for each in failures]
        try:
            return await self._settle("retry", items)
        finally:  # counted from now, so that a look at that time finds them due
            due = self._loop.time() + delay.total_seconds() + 0.001
            self._reclaim_at = min(self._reclaim_at, due)

    async def _settle(
        self, verb: str, items: Sequence[tuple[Delivery, tuple[bytes | str | int, ...]]]
    ) -> int:
        settled = 0
        for begun in range(0, len(items), SETTLE_AT_ONCE):
            keys: list[str] = []
            args: _Args = [verb, GROUP, self._consumer, self._lease]
            for delivery, more in items[begun : begun + SETTLE_AT_ONCE]:
                partition, entry_id = _place(delivery)
                keys += [self._keys.streams[partition], self._keys.records[partition]]
                args += [entry_id, *more]
            settled += sum(await self._run(_SETTLE, keys, args))
        return settled

    async def bury(self, failures: Sequence[Failure]) -> int:
        """See `ports.Queue`."""
        buried = 0
        for begun in range(0, len(failures), BURY_AT_ONCE):
            keys = [self._keys.letters]
            args: _Args = [GROUP, self._consumer, milliseconds(DEAD_LETTER_TTL)]
            for failure in failures[begun : begun + BURY_AT_ONCE]:
                partition, entry_id = _place(failure.delivery)
                letter_id = f"{partition}-{entry_id}"  # the same when the same entry is buried
                keys += [self._keys.streams[partition], self._keys.records[partition]]
                keys += [self._keys.letter(letter_id)]
                keys += [self._keys.index(failure.event_id or letter_id)]
                args += [entry_id, *_told(failure), letter_id, failure.event_id or ""]
                args += [failure.account or "", failure.flow or ""]
            buried += sum(await self._run(_BURY, keys, args))
        return buried

    async def recover(self) -> int:
        """See `ports.Queue`; forgets consumers whose process is long gone besides."""
        self._reclaim_at = 0.0
        ended = await self._end_leases("lost")
        args: _Args = [GROUP, self._consumer, milliseconds(SILENT_CONSUMER)]
        await self._run(_SWEEP, self._keys.streams, args)
        return ended

    async def give_back(self) -> int:
        """See `ports.Queue`."""
        self._reclaim_at = 0.0
        return await self._end_leases("returned")

    async def _end_leases(self, how: str) -> int:
        pairs = zip(self._keys.streams, self._keys.records, strict=True)
        return sum(await asyncio.gather(*(self._end_leases_of(pair, how) for pair in pairs)))

    async def _end_leases_of(self, keys: tuple[str, str], how: str) -> int:
        ended, where = 0, b"-"
        while where:
            args: _Args = [GROUP, self._consumer, self._lease, how, where]
            some, where = await self._run(_RECOVER, keys, args)
            ended += some
        return ended

    async def find(self, account: str, event_id: str) -> Whereabouts | None:
        """See `ports.Queue`."""
        return await find(self._pipe, self._keys, account=account, event_id=event_id)

    async def purge(self, account: str) -> int:
        """See `ports.Queue`."""
        return await purge(self._pipe, self._keys, account=account)

    async def stats(self) -> QueueStats:
        """See `ports.Queue`."""
        depths = await asyncio.gather(*(self._pipe.call(b"XLEN", s) for s in self._keys.streams))
        pending = await asyncio.gather(*(self._in_flight(stream) for stream in self._keys.streams))
        oldest = await asyncio.gather(
            *(self._pipe.call(b"XRANGE", s, b"-", b"+", b"COUNT", 1) for s in self._keys.streams)
        )
        now, micro = await self._pipe.call(b"TIME")
        times = [int(entries[0][0].partition(b"-")[0]) for entries in oldest if entries]
        age = int(now) * 1000 + int(micro) // 1000 - min(times) if times else 0
        return QueueStats(sum(depths), sum(pending), timedelta(milliseconds=max(0, age)))

    async def _in_flight(self, stream: str) -> int:
        try:
            return int((await self._pipe.call(b"XPENDING", stream, GROUP))[0])
        except ReplyError as exc:
            await self._create_groups(exc)
            return 0

    async def close(self) -> None:
        """See `ports.Queue`."""
        self._lanes.close()
        await self._blocking.aclose()
        await self._pipe.close()

    async def _run(self, script: Script, keys: Sequence[str], args: _Args) -> Any:  # noqa: ANN401 - what the script returns
        """Run a script; where the group is lost, make it again and run it once more."""
        try:
            return await script.run(self._pipe, keys, args)
        except ReplyError as exc:
            await self._create_groups(exc)
        return await script.run(self._pipe, keys, args)

    async def _create_groups(self, exc: ReplyError) -> None:
        """Make the group where it is missing, from the beginning: all that is there is undone."""
        if "NOGROUP" not in str(exc):
            raise exc
        for stream in self._keys.streams:
            try:
                await self._pipe.call(b"XGROUP", b"CREATE", stream, GROUP, b"0", b"MKSTREAM")
            except ReplyError as there:
                if there.prefix != "BUSYGROUP":
                    raise


def _delivery(
    partition: int, entry_id: bytes, body: bytes, attempts: int = 0, crashes: int = 0
) -> Delivery:
    return Delivery(f"{partition}:{entry_id.decode()}", body, attempts, crashes)


def _place(delivery: Delivery) -> tuple[int, str]:
    """Partition and stream id of a delivery."""
    partition, _, entry_id = delivery.receipt.partition(":")
    return int(partition), entry_id


def _told(failure: Failure) -> tuple[int, str, bytes]:
    """What a script is told of a failure; the detail may quote anything."""
    detail = failure.detail[:_DETAIL_CHARS].encode(errors="backslashreplace")
    return int(failure.spends_attempt), failure.reason.value, detail
