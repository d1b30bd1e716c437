"""The Headroom of Redis: how much may still come in, so that what is in can be worked off.

A full engine must drain by itself: the worker stores (about 1.5 bytes for each that waits), readers
ack, entries expire. So sends stop while there is still room for all that:

    used + 1.5 x queued > 80 % of maxmemory, or queued > 30 %          sends are refused
    used > 80 %                                                        direct sets are refused

The last part of that room (5 % of the store's limit, 3 % of the queue's) is a reserve for senders
who don't try again: the others are refused before it is touched.

Before that an account that has more waiting than `SHARE` times what is free is refused, so that
there is always room for the others: one alone comes to 70 % of it, two to 41 % each, and so on.

Nothing is asked while nobody writes. A writer is judged by the last figures, less what this process
has let in since; they are asked for anew, beside the writes, when they are older than `REFRESH`.
`queued` is measured on the first nodes of each stream: if what waits further back is much larger it
is underrated, and then `used`, which is exact, still stops at 80 %.
"""

import asyncio
import random
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, ReplyError, Script
from hookrack.door_ports import MemoryUse
from hookrack.errors import Code, Limited, Unavailable
from hookrack.queues.redis_keys import QueueKeys
from hookrack.telemetry import emit, log, metrics

REFRESH: Final = timedelta(milliseconds=250)
FULL: Final = 0.8  # of maxmemory
QUEUE_FULL: Final = 0.3
STORE_RESERVE: Final = 0.05
QUEUE_RESERVE: Final = 0.03
SHARE: Final = 7 / 3  # of the free room that one account may have waiting: alone it stops at 70 %
STORED_PER_QUEUED: Final = 1.5  # bytes in the store for each byte of an envelope
OVERHEAD: Final = 128  # bytes of an entry of a stream besides its envelope
SAMPLES: Final = 200  # nodes of each stream; some 10 us
RETRY_SECONDS: Final = (10, 20)  # a full store drains by expiry; senders must not come back at once

_MEMORY: Final = Script(Path(__file__).with_name("memory.lua"))


class RedisMemory:
    """The memory of the queue's engine, and of the store's where that is another."""

    def __init__(self, pipe: Pipe, *, prefix: str, store: Pipe | None = None) -> None:
        self._pipe = pipe
        self._store = store
        self._streams = QueueKeys(prefix).streams
        self._factor = STORED_PER_QUEUED + (0 if store else 1)
        self._loop = asyncio.get_running_loop()
        self._stale_at = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._rooms = _Rooms()
        self._since = 0.0  # bytes let in after the last question

    def check_send(self, size: int, *, reserve: bool = True, waiting: int = 0) -> None:
        """See `ports.Headroom`."""
        self._keep_fresh()
        size += OVERHEAD
        rooms = self._rooms
        in_queue, in_store = rooms.queue, rooms.store
        if not reserve:
            in_queue, in_store = in_queue - rooms.queue_reserve, in_store - rooms.store_reserve
        if size > in_queue or size * self._factor > in_store:
            raise _full()
        if waiting > SHARE * min(in_queue, in_store / self._factor):
            raise _above_share()
        self._take(size)

    def check_set(self, size: int) -> None:
        """See `ports.Headroom`."""
        self._keep_fresh()
        if size * STORED_PER_QUEUED > self._rooms.sets:
            raise _full()
        self._take(size)

    def _take(self, size: int) -> None:
        self._since += size
        self._rooms.take(size, self._factor)

    def _keep_fresh(self) -> None:
        if self._loop.time() >= self._stale_at and self._asking is None:
            self._asking = self._loop.create_task(self.refresh())
            self._asking.add_done_callback(self._asked)

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()

    async def refresh(self) -> None:
        """Ask for the figures now; while nobody answers the last ones count."""
        self._stale_at = self._loop.time() + REFRESH.total_seconds()
        self._since = 0.0
        try:
            use = await self.read()
        except Unavailable:
            return
        except ReplyError as exc:
            self._stale_at = inf
            emit(log.MEMORY_UNKNOWN, detail=str(exc))
            return
        self._rooms = _Rooms.of(use, separate=self._store is not None)
        self._rooms.take(self._since, self._factor)

    async def read(self) -> MemoryUse:
        """See `ports.Headroom`."""
        used, limit, queued = await _MEMORY.run(self._pipe, self._streams, [SAMPLES])
        if self._store is None:
            return MemoryUse(used, limit, used, limit, queued)
        store_used, store_limit, _ = await _MEMORY.run(self._store, [], [SAMPLES])
        return MemoryUse(store_used, store_limit, used, limit, queued)

    async def close(self) -> None:
        """Let go of connections."""
        if self._asking is not None:
            self._asking.cancel()
        await self._pipe.close()
        if self._store is not None:
            await self._store.close()


class _Rooms:
    """Bytes that may still come: to the queue, by way of it to the store, and by direct sets."""

    __slots__ = ("queue", "queue_reserve", "sets", "store", "store_reserve")

    def __init__(self, queue: float = inf, store: float = inf, sets: float = inf) -> None:
        self.queue, self.store, self.sets = queue, store, sets
        self.queue_reserve = self.store_reserve = 0.0

    @classmethod
    def of(cls, use: MemoryUse, *, separate: bool) -> "_Rooms":
        """What is left by the figures; without a limit there is no end to it."""
        in_queue = use.queue_limit * QUEUE_FULL - use.queued if use.queue_limit else inf
        if separate and use.queue_limit:
            in_queue = min(in_queue, use.queue_limit * FULL - use.queue_used)
        in_store = use.store_limit * FULL - use.store_used if use.store_limit else inf
        rooms = cls(in_queue, in_store - STORED_PER_QUEUED * use.queued, in_store)
        rooms.queue_reserve = use.queue_limit * QUEUE_RESERVE
        rooms.store_reserve = use.store_limit * STORE_RESERVE
        return rooms

    def take(self, size: float, factor: float) -> None:
        """Count what was let in, on the safe side: whichever way it came."""
        self.queue -= size
        self.store -= size * factor
        self.sets -= size * STORED_PER_QUEUED


def _above_share() -> Limited:
    metrics.SHARE_REFUSALS.add()
    return Limited(
        Code.RATE_LIMITED,
        "More of this account waits in the queue than its share of what room is left.",
        retry_after=random.randint(*RETRY_SECONDS),  # noqa: S311 - spreads senders out
    )


def _full() -> Unavailable:
    metrics.FULL_REFUSALS.add()
    return Unavailable(
        Code.STORE_FULL,
        "The store is nearly full; what is left is for what has been accepted.",
        retry_after=random.randint(*RETRY_SECONDS),  # noqa: S311 - spreads senders out
    )
