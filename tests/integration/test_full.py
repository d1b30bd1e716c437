"""A store that runs full: what comes in is refused in time, what is in is worked off, and it heals.

Real servers with little memory.
"""

import asyncio
import json
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
import redis.asyncio
from harness import EXAMPLE, Served, wait_until
from queueing import envelope

from hookrack._redis import Pipe
from hookrack.entries import LifeStatus
from hookrack.entrypoints.worker import Worker
from hookrack.flows import read_configuration
from hookrack.model import Delivery, Outcome
from hookrack.pipeline import process
from hookrack.queues.redis_streams import RedisStreams
from hookrack.stores.redis import RedisStore
from hookrack.stores.redis_codec import decode_life

MIB = 1024 * 1024
FLOWS = """
version: 1
accounts:
  acme:
    flows:
      short: {ttl: 8s, keys: [erp, crm], auth: {type: none}}
"""
SENDERS = 8
VISIBLE_SECONDS = 5.0


def body(number: int) -> bytes:
    """Some 200 KB that don't shrink, different each time."""
    return json.dumps({"n": number, "x": os.urandom(100_000).hex()}).encode()


async def fill(client: httpx.AsyncClient) -> tuple[list[str], httpx.Response]:
    """Send until it is refused; what was acknowledged, and the refusal."""
    acknowledged: list[str] = []
    refusals: list[httpx.Response] = []

    async def sender(first: int) -> None:
        for number in range(first, 10_000, SENDERS):
            if refusals:
                return
            answer = await client.post("/in/acme/short", content=body(number), timeout=30)
            if answer.status_code != httpx.codes.ACCEPTED:
                refusals.append(answer)
                return
            acknowledged.append(answer.json()["eventId"])

    await asyncio.gather(*(sender(first) for first in range(SENDERS)))
    return acknowledged, refusals[0]


@pytest.mark.slow
async def test_a_full_store_refuses_keeps_its_word_and_heals(
    own_server: Callable[..., Served], short_dir: Path
) -> None:
    """Filled up, it answers 503 STORE_FULL with Retry-After, before its memory is used up; all that
    was acknowledged becomes visible all the same; when that has expired it takes events again,
    without a restart, and nothing was buried.
    """
    config = short_dir / "flows.yaml"
    config.write_text(FLOWS)
    served = own_server("--max-memory", str(64 * MIB), config=config)
    store = redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock")
    async with served.client() as client, store:
        for at_least in (50, 1):
            acknowledged, refusal = await fill(client)
            assert len(acknowledged) >= at_least
            assert (refusal.status_code, refusal.json()["code"]) == (503, "STORE_FULL")
            assert int(refusal.headers["retry-after"]) >= 1
            lives = partial(_all_stored, store, acknowledged)
            await wait_until(lives, what="all that was acknowledged", seconds=VISIBLE_SECONDS)
            assert (await client.get("/v1/keys/crm")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            again = partial(_accepted, client)
            await wait_until(again, what="a 202 after expiry", seconds=40)
            await wait_until(partial(_has_room, store), what="room for another fill", seconds=40)
        assert await store.zcard("hr1:{q}:dl") == 0
        assert not [line for line in served.log() if line["event"] == "worker.retrying"]


async def test_a_full_store_does_not_keep_a_server_from_starting(
    own_server: Callable[..., Served], short_dir: Path
) -> None:
    """With less memory than what is kept already takes, a server starts, reads and refuses."""
    config = short_dir / "flows.yaml"
    config.write_text(FLOWS.replace("8s", "1h"))
    served = own_server("--max-memory", str(64 * MIB), config=config)
    async with served.client() as client:
        acknowledged, _ = await fill(client)
    assert served.stop() == 0
    tight = own_server("--max-memory", str(8 * MIB), config=config)
    async with tight.client() as client:
        found = await client.get("/v1/keys/erp")
        assert found.json()["eventId"] in acknowledged
        refusal = await client.post("/in/acme/short", content=b"1")
        assert (refusal.status_code, refusal.json()["code"]) == (503, "STORE_FULL")
    assert tight.stop() == 0


async def _all_stored(store: "redis.asyncio.Redis", wanted: list[str]) -> bool:
    lives: list[bytes | None] = await store.mget(
        [f"hr1:{{acme}}:l:{event_id}" for event_id in wanted]
    )  # type: ignore[assignment]
    found = [
        decode_life("acme", event_id, raw=raw, now=0)
        for event_id, raw in zip(wanted, lives, strict=True)
        if raw
    ]
    stored = [life for life in found if life.status is LifeStatus.STORED]
    return len(stored) == len(wanted)


async def _has_room(store: "redis.asyncio.Redis") -> bool:
    used: int = (await store.info("memory"))["used_memory"]
    return used < 32 * MIB


async def _accepted(client: httpx.AsyncClient) -> bool:
    return (await client.post("/in/acme/short", content=b"1")).status_code == 202


async def test_a_worker_waits_out_a_full_store(
    url: str, pipe: Pipe, prefix: str, direct: "redis.asyncio.Redis"
) -> None:
    """Out of memory in mid-batch nothing is half-stored, the batch stays in hand, no attempt is
    spent; with memory again it is stored.
    """
    queue = RedisStreams(
        pipe, url=url, prefix=prefix, consumer="embedded-1", lease=timedelta(seconds=30)
    )
    store = await RedisStore.open(pipe, prefix=prefix)
    configuration = read_configuration(EXAMPLE, environ={})
    attempts: list[int] = []

    async def work(deliveries: list[Delivery]) -> list[Outcome]:
        attempts.extend(each.attempts for each in deliveries)
        return await process(deliveries, configuration=configuration, store=store, max_attempts=1)

    for number in range(10):
        await queue.send("acme", envelope(f"e-{number}"))
    await queue.recover()
    limit = (await direct.config_get("maxmemory"))["maxmemory"]
    assert limit is not None
    worker = Worker(queue, work, batch_size=10)  # type: ignore[arg-type] # lists will do
    await direct.config_set("maxmemory", 1)
    try:
        await worker.start()
        await wait_until(lambda: len(attempts) >= 30, what="some tries")
        left = [key async for key in direct.scan_iter(match=f"{prefix}{{acme}}*")]
        assert left == []
    finally:
        await direct.config_set("maxmemory", limit)
    await wait_until(partial(_drained, queue), what="an empty queue")
    await worker.stop()
    assert set(attempts) == {0}
    assert await direct.zcard(f"{prefix}{{acme}}:k:deploys") == 10
    assert await direct.zcard(f"{prefix}{{q}}:dl") == 0
    await queue.close()


async def _drained(queue: RedisStreams) -> bool:
    return (await queue.stats()).depth == 0
