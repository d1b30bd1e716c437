"""The local batch worker: receive, process, settle, again.

An outage is waited out in place and spends no attempt; everything else is settled by its outcome.
What is in hand stays leased for as long as that takes. A batch is settled beside the next receive,
so that what comes in doesn't wait for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Final, TypeVar, assert_never

from hookrack.errors import Code, HookrackError, Unavailable
from hookrack.heads import time_of_event_id
from hookrack.model import Dead, Delivery, Duplicate, Expired, Outcome, Retry, Stored
from hookrack.pipeline import retry_delay
from hookrack.ports import Failure, Queue
from hookrack.telemetry import emit, log, metrics

WAIT: Final = timedelta(seconds=60)  # for the first envelope; the queue may return sooner
FINISH_WAIT: Final = timedelta(seconds=2.5)  # for the batch in hand at a stop
GIVE_BACK_WAIT: Final = timedelta(seconds=1)  # for the queue to take the leases back
_BACKOFF_SECONDS: Final = (0.1, 5.0)  # first and longest pause while the store is away
_RENEWALS: Final = 3  # in the time of one lease
_RENEW_AGAIN_SECONDS: Final = 0.5  # after a renewal that failed
_LONGEST_AGE_SECONDS: Final = 30 * 86_400.0  # an id that tells more is not of ours

_Answer = TypeVar("_Answer")
Process = Callable[[Sequence[Delivery]], Awaitable[list[Outcome]]]


class Worker:
    """One loop; `stop` lets it finish its batch, then gives its leases back."""

    def __init__(self, queue: Queue, process: Process, *, batch_size: int) -> None:
        self._queue = queue
        self._process = process
        self._batch_size = batch_size
        self._task: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._idle = False
        self._unsure = False  # whether a receive ended without its reply

    @property
    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Take back what an earlier process left leased, and begin. Raises: Unavailable."""
        await self._queue.recover()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_report_death)

    async def stop(self) -> None:
        """Finish the batch in hand or drop it, return the leases, and end; takes 3.5 s at most.

        Nothing more to do for one that has been stopped.
        """
        self._stopping.set()
        if self._task is None:
            return
        if self._idle:
            self._task.cancel()
        await asyncio.wait([self._task], timeout=FINISH_WAIT.total_seconds())
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(GIVE_BACK_WAIT.total_seconds()):
                await self._queue.give_back()
        except (Unavailable, TimeoutError) as exc:
            emit(log.WORKER_RETRYING, detail=f"leases end by themselves: {exc}")
        self._task = None

    async def _run(self) -> None:
        """Batch after batch. An error that nobody foresaw is told, waited out, and gone over."""
        pauses = _Pauses(self._stopping)
        try:
            while not self._stopping.is_set():
                try:
                    await self._next_batch()
                    pauses = _Pauses(self._stopping)
                except HookrackError as exc:
                    emit(log.WORKER_LOST, exc_info=exc)
                    await pauses.wait(exc)
        finally:
            await self._settled()

    async def _next_batch(self) -> None:
        try:
            batch = await self._answered(self._receive)
        finally:
            self._idle = False
        if not batch:
            await self._settled()
        else:
            metrics.REDELIVERED.add(count=sum(each.attempts + each.crashes > 0 for each in batch))
            with _Lease(self._queue, batch):
                await self._handle(batch)

    async def _receive(self) -> list[Delivery]:
        """The next batch. What was leased by a call whose reply was lost is taken back first."""
        if self._unsure:
            await self._queue.give_back()
            self._unsure = False
        self._idle = self._unsure = True
        found = await self._queue.receive(self._batch_size, wait=WAIT)
        self._unsure = False
        return found

    async def _handle(self, batch: Sequence[Delivery]) -> None:
        """Process and settle; what an outage stopped is kept in hand and tried again."""
        pauses = _Pauses(self._stopping)
        while batch and not self._stopping.is_set():
            began = time.perf_counter()
            outcomes = await self._process(batch)
            metrics.PROCESS_SECONDS.observe(time.perf_counter() - began)
            settled = _Sorted(batch, outcomes)
            await self._settled()
            self._settling = asyncio.create_task(self._settle_beside(settled))
            # One handed over alone holds up the others; a retry says how long to wait for it.
            if settled.failed or any(each.crashes for each in batch):
                await self._settled()
            batch = settled.waiting
            if batch:
                await pauses.wait(settled.why)

    async def _settled(self) -> None:
        """Wait for the batch before: one at most is settled beside the one in hand."""
        task, self._settling = self._settling, None
        if task is not None:
            await task

    async def _settle_beside(self, done: "_Sorted") -> None:
        """Settle; what is left by an error that nobody foresaw comes again when its lease ends."""
        try:
            await self._answered(partial(self._settle, done))
        except HookrackError as exc:
            emit(log.WORKER_LOST, exc_info=exc)

    async def _settle(self, done: "_Sorted") -> int:
        began = time.perf_counter()
        settled = await self._queue.ack(done.finished)
        settled += await self._queue.bury(done.dead)
        for delay, failures in done.failed.items():
            settled += await self._queue.retry(failures, delay=delay)
        metrics.OPERATION_SECONDS.observe(time.perf_counter() - began, "settle")
        metrics.CONSUMED.add("stale", count=done.size - settled)
        done.count()
        for failure in done.dead:
            emit(log.EVENT_BURIED, eventId=failure.event_id, code=failure.reason)
        emit(log.BATCH_PROCESSED, outcomes=done.counts, stale=done.size - settled)
        return settled

    async def _answered(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer | None:
        """Ask until the queue answers; None when we are stopped before it does."""
        pauses = _Pauses(self._stopping)
        while True:
            try:
                return await ask()
            except Unavailable as exc:
                if self._stopping.is_set():
                    return None
                await pauses.wait(exc)


def _report_death(task: asyncio.Task[None]) -> None:
    """A worker that ends by an exception met a bug; /readyz names it, and the log has the trace."""
    if not task.cancelled() and (exc := task.exception()):
        emit(log.WORKER_LOST, exc_info=exc)


class _Lease:
    """Keeps a batch leased as long as it is in hand; what was settled meanwhile is left alone."""

    def __init__(self, queue: Queue, batch: Sequence[Delivery]) -> None:
        self._queue = queue
        self._batch = batch
        self._loop = asyncio.get_running_loop()
        self._every = queue.lease.total_seconds() / _RENEWALS
        self._renewing: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        """Begin."""
        self._timer = self._loop.call_later(self._every, self._renew_soon)

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """End."""
        self._timer.cancel()
        if self._renewing is not None:
            self._renewing.cancel()

    def _renew_soon(self) -> None:
        self._renewing = self._loop.create_task(self._renew())

    async def _renew(self) -> None:
        pause = self._every
        try:
            await self._queue.extend(self._batch)
        except Unavailable:
            pause = min(pause, _RENEW_AGAIN_SECONDS)
        self._timer = self._loop.call_later(pause, self._renew_soon)


class _Pauses:
    """Growing pauses while a dependency is away, cut short by a stop."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping = stopping
        self._next, self._longest = _BACKOFF_SECONDS

    async def wait(self, why: object) -> None:
        """One pause, and one log line that says why."""
        emit(log.WORKER_RETRYING, detail=str(why), seconds=self._next)
        try:
            async with asyncio.timeout(self._next):
                await self._stopping.wait()
        except TimeoutError:
            self._next = min(self._next * 2, self._longest)


class _Sorted:
    """A batch by what is to be done with it."""

    def __init__(self, batch: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
        self.finished: list[Delivery] = []
        self.stored: list[str] = []  # event ids, for the first time
        self.failed: dict[timedelta, list[Failure]] = {}  # by the delay of their retry
        self.dead: list[Failure] = []
        self.waiting: list[Delivery] = []
        self.why = ""
        self.counts = dict.fromkeys(
            ("stored", "again", "duplicate", "expired", "retried", "buried"), 0
        )
        for delivery, outcome in zip(batch, outcomes, strict=True):
            self._add(delivery, outcome)
        self.size = len(batch) - len(self.waiting)

    def count(self) -> None:
        """Count what was settled; the time to visibility for ids that tell when they began."""
        for kind, number in self.counts.items():
            metrics.CONSUMED.add(kind, count=number)
        metrics.DEDUPE_HITS.add(count=self.counts["duplicate"])
        metrics.EXPIRED.add(count=self.counts["expired"])
        for failure in self.dead:
            metrics.DLQ_MOVED.add(failure.reason.value)
        now = time.time()
        for event_id in self.stored:
            at = time_of_event_id(event_id)
            if at is not None and 0 <= (age := now - at / 1000) < _LONGEST_AGE_SECONDS:
                metrics.E2E_SECONDS.observe(age)

    def _add(self, delivery: Delivery, outcome: Outcome) -> None:
        match outcome:
            case Stored(event_id=event_id, again=again):
                if not again:
                    self.stored.append(event_id)
                self._finish(delivery, "again" if again else "stored")
            case Duplicate():
                self._finish(delivery, "duplicate")
            case Expired():
                self._finish(delivery, "expired")
            case Retry(spends_attempt=False):
                self.waiting.append(delivery)
                self.why = outcome.detail
            case Retry():
                self._retry(Failure(delivery, outcome.reason, outcome.detail))
            case Dead():
                self._bury(delivery, outcome)
            case _:
                assert_never(outcome)

    def _finish(self, delivery: Delivery, kind: str) -> None:
        self.finished.append(delivery)
        self.counts[kind] += 1

    def _retry(self, failure: Failure) -> None:
        self.failed.setdefault(retry_delay(failure.delivery), []).append(failure)
        self.counts["retried"] += 1

    def _bury(self, delivery: Delivery, dead: Dead) -> None:
        tried = dead.reason is not Code.WORKER_CRASHED
        failure = Failure(
            delivery,
            dead.reason,
            dead.detail,
            spends_attempt=tried,
            event_id=dead.event_id,
            account=dead.account,
            flow=dead.flow,
        )
        self.dead.append(failure)
        self.counts["buried"] += 1
