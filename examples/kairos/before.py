"""Before: the platform puts every webhook on the queue of every system that may need it."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import stompman
from examples.kairos.broker import Relay
from examples.kairos.webhooks import Round, check_all_there

_AT_ONCE: Final = 64  # sends under way
_RECEIPT_SECONDS: Final = 30


async def burst(port: int, relay: Relay, *, systems: int, webhooks: Sequence[bytes]) -> Round:
    """A burst of webhooks arrives and is handed out; what that took."""
    began = relay.bytes
    names = [f"/queue/kairos.{systems}.{number}" for number in range(systems)]
    async with _connected(port) as platform:
        messages = await _put(platform, names, webhooks)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_connected(port)) for _ in names]
        got = await asyncio.gather(
            *(
                _read(client, name, count=len(webhooks))
                for client, name in zip(clients, names, strict=True)
            )
        )
    for name, bodies in zip(names, got, strict=True):
        check_all_there(name, bodies, webhooks)
    return Round(systems, messages=messages, broker_bytes=relay.bytes - began)


def _connected(port: int) -> stompman.Client:
    return stompman.Client([stompman.ConnectionParameters("127.0.0.1", port, "kairos", "kairos")])


async def _put(platform: stompman.Client, names: Sequence[str], webhooks: Sequence[bytes]) -> int:
    """What the core did for each webhook: one durable message for each system. How many."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def send(name: str, body: bytes) -> None:
        async with free:
            await platform.send(
                body, name, headers={"persistent": "true"}, receipt_timeout=_RECEIPT_SECONDS
            )

    await asyncio.gather(*(send(name, body) for body in webhooks for name in names))
    return len(names) * len(webhooks)


async def _read(client: stompman.Client, name: str, *, count: int) -> list[bytes]:
    """What a system did: take each message and ack it."""
    came = asyncio.Queue[stompman.AckableMessageFrame]()
    subscription = await client.subscribe_with_manual_ack(
        name, came.put, ack="client-individual", headers={"activemq.prefetchSize": "50"}
    )
    bodies = []
    for _ in range(count):
        message = await came.get()
        bodies.append(message.body)
        await message.ack()
    await subscription.unsubscribe()
    return bodies
