"""Refused requests on their way to the store, off the path of the answer and with bounds.

A hostile request costs no write of its own: buckets in this process say how many are kept, a
bounded buffer holds them, and one task writes what is there and ends. Nothing waits for the store;
what can't be kept is counted.
"""

import asyncio
import time
from collections import deque
from typing import Final

from hookrack.buckets import Bucket
from hookrack.door_ports import Headroom, Rejections
from hookrack.errors import Unavailable
from hookrack.refusals import Rejection
from hookrack.telemetry import metrics

PER_SECOND, AT_ONCE = 5.0, 50.0  # of one flow that are kept, by whether the sender was verified
ALL_PER_SECOND, ALL_AT_ONCE = 50.0, 300.0
BODY_BYTES: Final = 64 * 1024
_BUFFER: Final = 500
_BUFFER_BYTES: Final = 8 * 1024 * 1024
_BATCH: Final = 50
_FLOWS: Final = 10_000  # whose buckets are remembered
_LAST_SECONDS: Final = 1.0  # for what is left at a stop


class Keeper:
    """Keeps rejections in the background."""

    def __init__(self, rejections: Rejections, *, headroom: Headroom) -> None:
        self._rejections = rejections
        self._headroom = headroom
        self._all = Bucket(ALL_PER_SECOND, ALL_AT_ONCE, now=time.monotonic())
        self._flows: dict[tuple[str, str, bool], Bucket] = {}
        self._waiting: deque[Rejection] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    def wants(self, account: str, flow: str, *, verified: bool) -> bool:
        """Whether one more refusal of this flow is to be kept now; counted where it isn't."""
        now = time.monotonic()
        if len(self._flows) > _FLOWS:
            self._flows.clear()
        key = (account, flow, verified)
        bucket = self._flows.get(key)
        if bucket is None:
            bucket = self._flows[key] = Bucket(PER_SECOND, AT_ONCE, now=now)
        if bucket.take(now) or self._all.take(now):
            metrics.REJECTIONS_LEFT_OUT.add("sampled")
            return False
        return True

    def offer(self, one: Rejection) -> None:
        """Keep it soon; or count it, where too much waits already."""
        size = len(one.body or b"")
        if len(self._waiting) >= _BUFFER or self._bytes + size > _BUFFER_BYTES:
            metrics.REJECTIONS_LEFT_OUT.add("buffer full")
            return
        self._waiting.append(one)
        self._bytes += size
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="keep-rejections")

    async def _write(self) -> None:
        """Write what waits, by account, until nothing does."""
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            self._bytes -= sum(len(each.body or b"") for each in some)
            for account in dict.fromkeys(each.account for each in some):
                own = [each for each in some if each.account == account]
                try:
                    self._headroom.check_set(sum(len(each.body or b"") for each in own))
                    await self._rejections.keep(account, own)
                except Unavailable:
                    metrics.REJECTIONS_LEFT_OUT.add("store", count=len(own))
                else:
                    metrics.REJECTIONS_KEPT.add(count=len(own))

    async def close(self) -> None:
        """Write what is left, if that takes no time to speak of."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_LAST_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
