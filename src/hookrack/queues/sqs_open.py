"""What an app makes of one queue on SQS: consumers and dead letters on one connection."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from hookrack.queues.sqs import SqsQueue
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_dead_letters import SqsDeadLetters
from hookrack.queues.sqs_queues import QueuePair, find_queues
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

    def letters(self) -> SqsDeadLetters:
        """Its dead letters."""
        return SqsDeadLetters(self.client, self.pair)

    async def close(self) -> None:
        """Let go of connections."""
        await self.client.close()
