"""What an app makes of one queue on SQS: consumers and dead letters on one connection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from hookrack.ports import Failure
from hookrack.queues.sqs import SqsQueue, letter_for
from hookrack.queues.sqs_batches import send_batch
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_dead_letters import SqsDeadLetters
from hookrack.queues.sqs_queues import QueuePair, find_queues
from hookrack.queues.sqs_text import portions
from hookrack.sqs_address import QueueAddress


@dataclass(frozen=True, slots=True)
class SqsSource:
    """A queue and its dead-letter queue, looked up."""

    client: SqsClient
    pair: QueuePair
    lease: timedelta

    @classmethod
    async def open(cls, address: QueueAddress, *, lease: timedelta, max_attempts: int) -> Self:
        """Connect and look. Raises: ConfigError."""
        client = await SqsClient.open(address)
        try:
            pair = await find_queues(client, address, lease=lease, max_attempts=max_attempts)
        except BaseException:
            await client.close()
            raise
        return cls(client, pair, lease)

    def queue(self) -> SqsQueue:
        """The queue, as one consumer sees it."""
        return SqsQueue(self.client, self.pair, lease=self.lease)

    async def bury(
        self, failures: Sequence[Failure], *, first_received_at: Mapping[str, int]
    ) -> list[Failure]:
        """Make letters of what somebody else received and deletes; which of them are kept.

        A receipt is a message id here. Raises: Unavailable; then some may be kept.
        """
        messages = [
            letter_for(
                self.pair,
                each,
                message_id=each.delivery.receipt,
                first_received_at=first_received_at[each.delivery.receipt],
            )
            for each in failures
        ]
        faults: list[str | None] = []
        for portion in portions(messages):
            faults += await send_batch(self.client, portion, url=self.pair.dead_url)
        return [each for each, fault in zip(failures, faults, strict=True) if fault is None]

    def letters(self) -> SqsDeadLetters:
        """Its dead letters."""
        return SqsDeadLetters(self.client, self.pair)

    async def close(self) -> None:
        """Let go of connections."""
        await self.client.close()
