"""The worker on Lambda: a batch of SQS messages in, the ones that aren't done out.

Lambda deletes all that the answer doesn't name, so everything is named until it is settled: what
was stored, was a duplicate or has expired is done; what is dead is done once the dead-letter queue
has it with its reason; all else comes back. An answer with a wrong or unknown name would bring
back or delete more than was meant, so a batch that isn't as Lambda writes it is refused whole.

Before the time is up it stops, and names what it didn't come to. An outage of the store is met once
with new connections; what it still fails comes back, and has spent a receive.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from hookrack.app import Processor, open_processor, open_sqs
from hookrack.entrypoints.awslambda.container import Container
from hookrack.errors import HookrackError, Unavailable
from hookrack.model import Dead, Delivery, Duplicate, Expired, Outcome, Retry, Stored
from hookrack.ports import Failure
from hookrack.queues.sqs_text import ENCODING, attribute, to_envelope
from hookrack.telemetry import emit, log

AT_ONCE: Final = 500  # records between two looks at the clock
RESERVE_SECONDS: Final = 5.0  # of the function's time, a quarter at most: for dead letters, and
BURY_SECONDS: Final = 4.0  # for the answer
_SOURCE: Final = "aws:sqs"


@dataclass(frozen=True, slots=True)
class Record:
    """One message of a batch; its message id is the receipt."""

    delivery: Delivery
    first_received_at: int


@dataclass(slots=True)
class _Batch:
    """What there is to do, and what is done so far."""

    records: Mapping[str, Record]
    ends: float  # by the monotonic clock
    undone: dict[str, None] = field(default_factory=dict)
    dead: list[Failure] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self.ends


class Worker:
    """The handler's state in one container."""

    def __init__(self) -> None:
        self._container = Container(open_processor, role=["worker"])
        self._letters: Any = None  # the dead-letter queue, opened when first needed

    def handle(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own
        """Store a batch. Raises: what makes Lambda bring all of it back."""
        records = read_records(event)
        seconds = context.get_remaining_time_in_millis() / 1000
        ends = time.monotonic() + seconds - min(RESERVE_SECONDS, seconds / 4)
        batch = _Batch(records, ends, dict.fromkeys(records))
        try:
            self._container.run(lambda processor: self._work(batch, processor))
        except Unavailable as exc:
            emit(log.STORE_LOST, detail=str(exc), undone=len(batch.undone))
        emit(log.BATCH_PROCESSED, outcomes=batch.counts, undone=len(batch.undone))
        return {"batchItemFailures": [{"itemIdentifier": each} for each in batch.undone]}

    async def _work(self, batch: _Batch, processor: Processor) -> None:
        try:
            async with asyncio.timeout(max(0.0, batch.ends - time.monotonic())):
                away = await self._process(batch, list(batch.records.values()), processor)
                if away and not batch.is_late:
                    processor = await self._container.renew()
                    await self._process(batch, away, processor)
        except TimeoutError:
            emit(log.WORKER_RETRYING, detail="the function's time is nearly up")
        if batch.dead:
            await self._bury(batch)

    async def _process(
        self, batch: _Batch, records: Sequence[Record], processor: Processor
    ) -> list[Record]:
        """Process until done or late; what an outage stopped."""
        away: list[Record] = []
        for begun in range(0, len(records), AT_ONCE):
            if batch.is_late or away:
                return [*away, *records[begun:]]
            some = records[begun : begun + AT_ONCE]
            outcomes = await processor.process([each.delivery for each in some])
            for record, outcome in zip(some, outcomes, strict=True):
                if _note(batch, record.delivery, outcome):
                    away.append(record)
        return away

    async def _bury(self, batch: _Batch) -> None:
        """Send the dead with their reasons; they are done when the dead-letter queue has them."""
        try:
            async with asyncio.timeout(BURY_SECONDS):
                if self._letters is None:
                    assert self._container.settings is not None  # noqa: S101 - it runs
                    self._letters = await open_sqs(self._container.settings)
                firsts = {name: each.first_received_at for name, each in batch.records.items()}
                buried = await self._letters.bury(batch.dead, first_received_at=firsts)
        except (HookrackError, TimeoutError) as exc:
            emit(log.WORKER_RETRYING, detail=f"{len(batch.dead)} dead letters: {exc}")
            return
        for failure in buried:
            batch.undone.pop(failure.delivery.receipt, None)
            batch.counts["buried"] = batch.counts.get("buried", 0) + 1
            emit(log.EVENT_BURIED, eventId=failure.event_id, code=failure.reason)


def _note(batch: _Batch, delivery: Delivery, outcome: Outcome) -> bool:
    """Count an outcome and cross off what is done; whether it was an outage."""
    match outcome:
        case Stored() | Duplicate() | Expired():
            batch.undone.pop(delivery.receipt, None)
        case Retry(spends_attempt=False):
            return True
        case Retry():
            pass
        case Dead():
            batch.dead.append(
                Failure(
                    delivery,
                    outcome.reason,
                    outcome.detail,
                    event_id=outcome.event_id,
                    account=outcome.account,
                    flow=outcome.flow,
                )
            )
            return False
        case _:
            assert_never(outcome)
    kind = type(outcome).__name__.lower()
    batch.counts[kind] = batch.counts.get(kind, 0) + 1
    return False


def read_records(event: Mapping[str, Any]) -> dict[str, Record]:
    """The messages of an event by their ids.

    Raises: ValueError where it isn't a batch of SQS, so that Lambda deletes nothing of it.
    """
    listed = event.get("Records")
    if not isinstance(listed, list) or not listed:
        raise ValueError("this is no batch of SQS: it has no Records")
    found: dict[str, Record] = {}
    for record in listed:
        if not isinstance(record, dict) or record.get("eventSource") != _SOURCE:
            raise ValueError("this is no batch of SQS: a record is from elsewhere")
        name = record.get("messageId")
        if not isinstance(name, str) or not name or not isinstance(record.get("body"), str):
            raise ValueError("a record has no messageId or no body")
        found[name] = _record(name, record)
    return found


def _record(name: str, record: Mapping[str, Any]) -> Record:
    told = record.get("attributes") or {}
    body = to_envelope(record["body"], attribute(record, ENCODING))
    attempts = max(0, int(told.get("ApproximateReceiveCount", 1)) - 1)
    first = int(told.get("ApproximateFirstReceiveTimestamp", 0))
    return Record(Delivery(name, body, attempts=attempts), first)


WORKER: Final = Worker()
