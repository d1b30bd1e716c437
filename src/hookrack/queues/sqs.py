"""The Queue on SQS: a standard or FIFO queue with a dead-letter queue behind it.

    message body        the envelope (`sqs_text.py` has what happens to characters SQS refuses)
    MessageGroupId      the account: on standard queues accounts take turns by it
    visibility timeout  the lease; extended, shortened to a retry's delay, or to 0 to give back
    receive count - 1   the attempts: SQS counts hand-overs and nothing else, so what was lost with
                        its worker or given back counts as an attempt, too, and crashes are 0
    dead-letter queue   found by the queue's redrive policy; SQS itself moves there what was
                        received maxReceiveCount times

What is fetched but not yet handed over stays here, leased, so that a cancelled receive loses
nothing. What was handed over before comes alone, after all that is new: a worker that dies of it
takes no other with it.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, takewhile
from typing import Any, Final

from hookrack.entries import Whereabouts
from hookrack.errors import Code, Rejected, Unavailable
from hookrack.model import Delivery
from hookrack.ports import Failure, QueueStats
from hookrack.queues.sqs_batches import Sender, send_batch, settle
from hookrack.queues.sqs_client import LONG_POLL, SqsClient
from hookrack.queues.sqs_letters import letter_message
from hookrack.queues.sqs_queues import LONGEST_LEASE, QueuePair
from hookrack.queues.sqs_text import (
    ENCODING,
    PER_CALL,
    Fields,
    Message,
    attribute,
    portions,
    to_envelope,
    to_message,
)
from hookrack.telemetry import metrics

BATCH_BYTES: Final = 1024 * 1024  # fetched for one batch, but for the last call's ten messages
AT_ONCE: Final = 4  # calls that fetch more once there is more
ALONE_AFTER: Final = 2  # hand-overs, from which on a delivery is handed over by itself
_REPLY_SECONDS: Final = 0.1  # that a reply may have been on its way while its leases ran
_DELETE: Final = "delete_message_batch"
_HIDE: Final = "change_message_visibility_batch"
_TOLD: Final = ["ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"]


@dataclass(frozen=True, slots=True)
class _Lease:
    """A message in our hands until `ends`, by the loop's clock."""

    message_id: str
    ends: float
    first_received_at: int


class SqsQueue:
    """One queue, as one consumer sees it."""

    def __init__(self, client: SqsClient, pair: QueuePair, *, lease: timedelta) -> None:
        self._client = client
        self._pair = pair
        self.lease = lease
        self._seconds = math.ceil(lease.total_seconds())
        self._loop = asyncio.get_running_loop()
        self._sender = Sender(client, pair.url)
        self._held: dict[str, _Lease] = {}  # by receipt
        self._ready: list[Delivery] = []  # held, and not handed over yet
        self._fetching: asyncio.Task[None] | None = None

    async def send(self, account: str, envelope: bytes, *, reserve: bool = True) -> None:
        """See `ports.Queue`; SQS has room for all, so nobody needs a reserve."""
        del reserve
        message = to_message(envelope)
        if message.size > self._pair.max_bytes:
            detail = (
                f"As a message it is larger than the {self._pair.max_bytes} bytes of the queue."
            )
            raise Rejected(Code.BODY_TOO_LARGE, detail)
        unique = hashlib.sha256(envelope).hexdigest() if self._pair.is_fifo else ""
        message.fields.update(self._pair.group(account, unique=unique))
        began = self._loop.time()
        await self._sender.send(message)
        metrics.OPERATION_SECONDS.observe(self._loop.time() - began, "send")

    async def receive(self, limit: int, *, wait: timedelta) -> list[Delivery]:
        """See `ports.Queue`; waits whole seconds, and 20 at most."""
        if not self._ready:
            if self._fetching is None:
                self._fetching = self._loop.create_task(self._fetch(limit, wait))
            fetching = self._fetching
            try:
                await asyncio.shield(fetching)
            finally:
                if fetching.done():
                    self._fetching = None
        return await self._hand_over(limit)

    async def _fetch(self, limit: int, wait: timedelta) -> None:
        """Lease new ones: a first ten, and more as long as there are."""
        seconds = int(min(wait, LONG_POLL).total_seconds())
        asked = min(PER_CALL, limit)
        found = await self._poll(asked, seconds)
        size = found
        while found == asked and size < limit and self._ready_bytes < BATCH_BYTES:
            calls = min(AT_ONCE, math.ceil((limit - size) / PER_CALL))
            polls = (self._poll(PER_CALL, 0) for _ in range(calls))
            counts = await asyncio.gather(*polls, return_exceptions=True)
            numbers = [each for each in counts if isinstance(each, int)]  # the rest comes again
            size, found, asked = size + sum(numbers), sum(numbers), PER_CALL * calls

    @property
    def _ready_bytes(self) -> int:
        return sum(len(each.body) for each in self._ready)

    async def _poll(self, number: int, seconds: int) -> int:
        """One ReceiveMessage; how many it brought."""
        reply = await self._client.call(
            "receive_message",
            wait=seconds,
            QueueUrl=self._pair.url,
            MaxNumberOfMessages=number,
            WaitTimeSeconds=seconds,
            VisibilityTimeout=self._seconds,
            MessageSystemAttributeNames=_TOLD,
            MessageAttributeNames=[ENCODING],
        )
        ends = self._loop.time() + self._seconds - _REPLY_SECONDS
        messages = reply.get("Messages") or ()
        for message in messages:
            told = message.get("Attributes") or {}
            first = int(told.get("ApproximateFirstReceiveTimestamp", 0))
            lease = _Lease(message["MessageId"], ends, first)
            self._held[message["ReceiptHandle"]] = lease
            self._ready.append(read_delivery(message))
        return len(messages)

    async def _hand_over(self, limit: int) -> list[Delivery]:
        """The next of what is ready: what is new together, what isn't one by one."""
        pick = takewhile if self._pair.is_fifo else filter  # on FIFO queues nothing overtakes
        fresh = pick(lambda each: each.attempts < ALONE_AFTER, self._ready)
        batch = list(fresh)[:limit] or self._ready[:1]
        taken = {each.receipt for each in batch}
        self._ready = [each for each in self._ready if each.receipt not in taken]
        waited = [each for each in batch if self._is_waning(each)]
        if waited:
            await self.extend(waited)
        return [each for each in batch if each.receipt in self._held]

    def _is_waning(self, delivery: Delivery) -> bool:
        """Whether it has been here for so long that its lease should begin anew."""
        held = self._held.get(delivery.receipt)
        return held is None or held.ends - self._loop.time() < self._seconds / 2

    def _ours(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Those whose lease hasn't ended by our own clock; SQS wouldn't always say."""
        now = self._loop.time()
        for each in deliveries:
            held = self._held.get(each.receipt)
            if held is not None and held.ends <= now:
                del self._held[each.receipt]
        return [each for each in deliveries if each.receipt in self._held]

    async def ack(self, deliveries: Sequence[Delivery]) -> int:
        """See `ports.Queue`."""
        return await self._settle(_DELETE, self._ours(deliveries), {})

    async def retry(self, failures: Sequence[Failure], *, delay: timedelta) -> int:
        """See `ports.Queue`; the delay is rounded up to whole seconds, an attempt always spent."""
        seconds = min(math.ceil(delay.total_seconds()), int(LONGEST_LEASE.total_seconds()))
        ours = self._ours([each.delivery for each in failures])
        return await self._settle(_HIDE, ours, {"VisibilityTimeout": seconds})

    async def extend(self, deliveries: Sequence[Delivery]) -> int:
        """See `ports.Queue`; SQS ends a lease after 12 hours, however often it is extended."""
        ours = self._ours(deliveries)
        held = {each.receipt: self._held[each.receipt] for each in ours}
        ends = self._loop.time() + self._seconds
        fields = {"VisibilityTimeout": self._seconds}
        faults = await self._ask(_HIDE, ours, fields)
        for each, fault in zip(ours, faults, strict=True):
            lease = held[each.receipt]
            if fault is not None:
                self._held.pop(each.receipt, None)
            elif each.receipt in self._held:  # not settled meanwhile
                self._held[each.receipt] = _Lease(lease.message_id, ends, lease.first_received_at)
        return faults.count(None)

    async def _ask(
        self, action: str, deliveries: Sequence[Delivery], fields: Fields
    ) -> list[str | None]:
        """For each None if it was done."""
        entries = [{"ReceiptHandle": each.receipt, **fields} for each in deliveries]
        return await settle(self._client, entries, action=action, url=self._pair.url)

    async def _settle(self, action: str, ours: Sequence[Delivery], fields: Fields) -> int:
        """Let go of them; what SQS refuses isn't ours any more. How many were settled."""
        faults = await self._ask(action, ours, fields)
        for each in ours:
            self._held.pop(each.receipt, None)
        return faults.count(None)

    async def bury(self, failures: Sequence[Failure]) -> int:
        """See `ports.Queue`; in two steps, so that after a crash in between it is there twice."""
        still = {each.receipt for each in self._ours([each.delivery for each in failures])}
        ours = iter([each for each in failures if each.delivery.receipt in still])
        letters = [self._letter(each) for each in failures if each.delivery.receipt in still]
        buried = 0
        for portion in portions(letters):
            some = [each.delivery for each in islice(ours, len(portion))]
            faults = await send_batch(self._client, portion, url=self._pair.dead_url)
            kept = [each for each, fault in zip(some, faults, strict=True) if fault is None]
            await self._settle(_DELETE, kept, {})
            buried += len(kept)
            if refused := [fault for fault in faults if fault is not None]:
                detail = f"The dead-letter queue refused a message ({refused[0]})."
                raise Unavailable(Code.STORE_UNAVAILABLE, detail)
        return buried

    def _letter(self, failure: Failure) -> Message:
        held = self._held[failure.delivery.receipt]
        first = held.first_received_at
        return letter_for(self._pair, failure, message_id=held.message_id, first_received_at=first)

    async def recover(self) -> int:
        """See `ports.Queue`; SQS doesn't know consumers, so leases of a lost one end in time."""
        return 0

    async def give_back(self) -> int:
        """See `ports.Queue`; SQS counts what is given back as handed over all the same."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
            self._fetching = None
        self._ready.clear()
        held = self._ours([Delivery(receipt, b"") for receipt in self._held])
        return await self._settle(_HIDE, held, {"VisibilityTimeout": 0})

    async def find(self, account: str, event_id: str) -> Whereabouts | None:
        """See `ports.Queue`; SQS can't be searched, so nothing is ever found."""
        del account, event_id
        return None

    async def purge(self, account: str) -> int | None:
        """See `ports.Queue`; SQS can't tell accounts apart, so nothing is dropped."""
        del account
        return None

    async def stats(self) -> QueueStats:
        """See `ports.Queue`; SQS tells its age to CloudWatch only."""
        depth, in_flight = await count(self._client, self._pair.url)
        return QueueStats(depth, in_flight, None)

    async def close(self) -> None:
        """See `ports.Queue`."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._sender.close()


def letter_for(
    pair: QueuePair, failure: Failure, *, message_id: str, first_received_at: int
) -> Message:
    """What is sent to the dead-letter queue; the same failure twice is one on FIFO queues."""
    now = time.time_ns() // 1_000_000
    first = first_received_at if failure.delivery.attempts else now
    made = letter_message(failure, first_failed_at=first or now, now=now)
    group = pair.group(failure.account or "", unique=message_id)
    return Message(made.fields | group, made.size)


def read_delivery(message: Fields) -> Delivery:
    """The delivery that a received message is."""
    body = to_envelope(message["Body"], attribute(message, ENCODING))
    received = int((message.get("Attributes") or {}).get("ApproximateReceiveCount", 1))
    return Delivery(message["ReceiptHandle"], body, attempts=max(0, received - 1))


async def count(client: SqsClient, url: str) -> tuple[int, int]:
    """How many messages a queue has, and how many of them are in flight; SQS says about."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
    hidden = "ApproximateNumberOfMessagesNotVisible"
    reply: dict[str, Any] = await client.call(
        "get_queue_attributes", QueueUrl=url, AttributeNames=[*names, hidden]
    )
    told = {name: int(text) for name, text in (reply.get("Attributes") or {}).items()}
    return sum(told.values()), told.get(hidden, 0)
