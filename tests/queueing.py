"""What tests of the queue have in common: sending, receiving, and failures."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from harness import wait_until

from hookrack.errors import Code
from hookrack.heads import read_head
from hookrack.model import Delivery, Event, encode_envelope, new_event_id
from hookrack.ports import Failure, Queue
from hookrack.queues.redis_streams import RedisStreams

Consumer = Callable[..., RedisStreams]
Anyone = Callable[..., Queue]


async def send(queue: Queue, *envelopes: bytes, account: str = "acme") -> None:
    """Send envelopes of one account."""
    for envelope in envelopes:
        await queue.send(account, envelope)


async def bodies(queue: Queue, limit: int = 100) -> list[bytes]:
    """Receive what is there now; the envelopes alone."""
    return [delivery.body for delivery in await queue.receive(limit, wait=timedelta(0))]


async def receive(queue: Queue) -> list[Delivery]:
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


async def bury(
    queue: Queue, *envelopes: bytes, reason: Code = Code.FLOW_UNKNOWN, detail: str = "gone"
) -> None:
    """Send envelopes of acme and turn each into a dead letter, as the worker would."""
    await send(queue, *envelopes)
    found: list[Delivery] = []
    while some := await queue.receive(100, wait=timedelta(0)):
        found += some
    order = {each: place for place, each in enumerate(envelopes)}
    found.sort(key=lambda each: order.get(each.body, -1))  # many of one account come by two ways
    for begun in range(0, len(found), 100):
        failures = []
        for delivery in found[begun : begun + 100]:
            head = read_head(delivery.body)
            failure = Failure(delivery, reason, detail)
            if head:
                failure = replace(
                    failure, event_id=head.event_id, account=head.account, flow=head.flow
                )
            failures.append(failure)
        assert await queue.bury(failures) == len(failures)


def envelope(event_id: str = "", *, data: bytes = b"{}", **fields: Any) -> bytes:
    """An envelope of acme's github flow, received just now unless said otherwise."""
    now = time.time_ns() // 1_000_000
    event = Event(event_id or new_event_id(now), "acme", "github", now, "application/json", data)
    return encode_envelope(replace(event, **fields))
