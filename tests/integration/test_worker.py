"""The worker loop on a real queue and store: settle by outcome, wait out outages, stop clean."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial

import pytest
import redis.asyncio
from harness import EXAMPLE, wait_until

from hookrack._redis import Pipe
from hookrack.entrypoints.worker import Worker
from hookrack.errors import Code
from hookrack.flows import Configuration, read_configuration
from hookrack.model import Delivery, Event, Outcome, Retry, encode_envelope, new_event_id
from hookrack.pipeline import process
from hookrack.queues.redis_streams import RedisStreams
from hookrack.stores.redis import RedisStore

NOW = 1_700_000_000_000


@pytest.fixture
def configuration() -> Configuration:
    """The example flows."""
    return read_configuration(EXAMPLE, environ={})


@pytest.fixture
async def queue(url: str, prefix: str) -> AsyncIterator[RedisStreams]:
    """An empty queue."""
    line = Pipe(url)
    line.connect()
    made = RedisStreams(
        line, url=url, prefix=prefix, consumer="embedded-0", lease=timedelta(seconds=30)
    )
    yield made
    await made.close()


@pytest.fixture
async def store(pipe: Pipe, prefix: str) -> RedisStore:
    """An empty store, by the real clock."""
    return await RedisStore.open(pipe, prefix=prefix)


def envelope(flow: str = "github", **more: object) -> bytes:
    """An envelope of acme, received just now."""
    at = int(asyncio.get_running_loop().time()) + 2_000_000_000_000  # clamped to the store's now
    fields: dict[str, object] = {
        "id": new_event_id(at),
        "account": "acme",
        "flow": flow,
        "received_at": at,
        "content_type": "application/json",
        "data": b"{}",
    }
    return encode_envelope(Event(**(fields | more)))  # type: ignore[arg-type]


async def drained(queue: RedisStreams) -> bool:
    """Whether nothing is left to do."""
    return (await queue.stats()).depth == 0


async def test_good_and_bad_are_settled_each_its_way(
    queue: RedisStreams,
    store: RedisStore,
    configuration: Configuration,
    direct: "redis.asyncio.Redis",
    prefix: str,
) -> None:
    """In one batch the good events are stored, and each bad one becomes a dead letter with its
    reason.
    """
    good = [envelope(id=f"good-{number}") for number in range(5)]
    bad = {
        "ENVELOPE_INVALID": b"nonsense",
        "ENVELOPE_VERSION": b'{"v":2,"id":"x"}',
        "FLOW_UNKNOWN": envelope("nothing"),
        "BODY_NOT_JSON": envelope().replace(b'"data":{}', b'"dataBase64":"bm9wZQ=="'),
        "KEYS_INVALID": envelope().replace(b'"data"', b'"keys":["a b"],"data"'),
    }
    for each in (*good, *bad.values()):
        await queue.send("acme", each)
    work = partial(process, configuration=configuration, store=store, max_attempts=5)
    worker = Worker(queue, work, batch_size=100)
    await worker.start()
    await wait_until(partial(drained, queue), what="an empty queue")
    await worker.stop()
    entry = await store.get("acme", "deploys")
    assert entry is not None
    assert entry.event_id == "good-4"
    reasons = set()
    async for letter in direct.scan_iter(match=f"{prefix}{{q}}:dl:*"):
        kept = await direct.hgetall(letter)
        record = json.loads(kept[b"record"])
        assert kept[b"envelope"] == bad[record["reason"]]
        reasons.add(record["reason"])
    assert reasons == set(bad)


async def test_a_failure_is_tried_again_and_buried_in_the_end(
    queue: RedisStreams, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """What fails is tried again with growing delays; after its last attempt it is a dead letter."""
    seen: list[int] = []

    async def fails(deliveries: Sequence[Delivery]) -> list[Outcome]:
        seen.extend(delivery.attempts for delivery in deliveries)
        return [Retry(Code.INTERNAL, "went wrong") for _ in deliveries]

    await queue.send("acme", envelope())
    worker = Worker(queue, fails, batch_size=10)
    await worker.start()
    await wait_until(lambda: seen[:2] == [0, 1], what="a second attempt")
    await worker.stop()
    records = [json.loads(text) for text in (await direct.hvals(f"{prefix}{{q}}:a:{_partition()}"))]
    assert [record["attempts"] for record in records] == [2]
    assert records[0]["reason"] == "INTERNAL"


def _partition() -> int:
    from zlib import crc32  # noqa: PLC0415

    return crc32(b"acme") % 8


async def test_an_outage_is_waited_out_in_place(
    queue: RedisStreams, store: RedisStore, configuration: Configuration
) -> None:
    """While the store is away a batch is kept in hand; it is stored when the store is back, and no
    attempt was spent.
    """
    outages = 3
    attempts: list[int] = []

    async def shaky(deliveries: Sequence[Delivery]) -> list[Outcome]:
        nonlocal outages
        attempts.extend(delivery.attempts for delivery in deliveries)
        if outages:
            outages -= 1
            away = Retry(Code.STORE_UNAVAILABLE, "away", spends_attempt=False)
            return [away for _ in deliveries]
        return await process(deliveries, configuration=configuration, store=store, max_attempts=1)

    await queue.send("acme", envelope(id="kept"))
    worker = Worker(queue, shaky, batch_size=10)
    await worker.start()
    await wait_until(partial(drained, queue), what="an empty queue")
    await worker.stop()
    assert attempts == [0, 0, 0, 0]
    entry = await store.get("acme", "deploys")
    assert entry is not None
    assert entry.event_id == "kept"


async def test_a_stop_gives_leases_back(queue: RedisStreams, url: str, prefix: str) -> None:
    """A worker that is stopped while the store is away leaves nothing leased: the next one gets it
    at once.
    """
    started = asyncio.Event()

    async def away(deliveries: Sequence[Delivery]) -> list[Outcome]:
        started.set()
        return [Retry(Code.STORE_UNAVAILABLE, "away", spends_attempt=False) for _ in deliveries]

    await queue.send("acme", b"{}")
    worker = Worker(queue, away, batch_size=10)
    await worker.start()
    await started.wait()
    await worker.stop()
    assert not worker.alive
    line = Pipe(url)
    line.connect()
    other = RedisStreams(
        line, url=url, prefix=prefix, consumer="other", lease=timedelta(seconds=30)
    )
    assert len(await other.receive(10, wait=timedelta(0))) == 1
    await other.close()


async def test_an_idle_worker_stops_at_once(queue: RedisStreams) -> None:
    """A worker that waits for events stops without waiting on."""

    async def never(_deliveries: Sequence[Delivery]) -> list[Outcome]:
        raise AssertionError

    worker = Worker(queue, never, batch_size=10)
    await worker.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await worker.stop()
