"""What tests of the queue have in common: sending, receiving, and failures."""

from collections.abc import Callable
from datetime import timedelta

from harness import wait_until

from hookrack.errors import Code
from hookrack.model import Delivery
from hookrack.ports import Failure
from hookrack.queues.redis_streams import RedisStreams

Consumer = Callable[..., RedisStreams]


async def send(queue: RedisStreams, *envelopes: bytes, account: str = "acme") -> None:
    """Send envelopes of one account."""
    for envelope in envelopes:
        await queue.send(account, envelope)


async def bodies(queue: RedisStreams, limit: int = 100) -> list[bytes]:
    """Receive what is there now; the envelopes alone."""
    return [delivery.body for delivery in await queue.receive(limit, wait=timedelta(0))]


async def receive(queue: RedisStreams) -> list[Delivery]:
    """Receive until something comes."""
    found: list[Delivery] = []

    async def come() -> bool:
        found.extend(await queue.receive(100, wait=timedelta(milliseconds=50)))
        return bool(found)

    await wait_until(come, what="a delivery")
    return found


def failed(delivery: Delivery, *, spends_attempt: bool = True) -> Failure:
    """A failure of one delivery."""
    return Failure(delivery, Code.INTERNAL, "went wrong", spends_attempt=spends_attempt)
