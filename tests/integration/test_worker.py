"""The worker loop on a real queue and store: settle by outcome, wait out outages, stop clean."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial

import pytest
import redis.asyncio
from harness import EXAMPLE, wait_until
from queueing import Consumer

from hookrack._redis import Pipe
from hookrack.entrypoints.worker import Worker
from hookrack.errors import Code
from hookrack.flows import Configuration, read_configuration
from hookrack.model import Delivery, Event, Outcome, Retry, Stored, encode_envelope, new_event_id
from hookrack.pipeline import process
from hookrack.ports import Failure
from hookrack.queues.redis_streams import RedisStreams
from hookrack.stores.redis import RedisStore
from hookrack.telemetry import LOGGER

NOW = 1_700_000_000_000


@pytest.fixture
def configuration() -> Configuration:
    """The example flows."""
    return read_configuration(EXAMPLE, environ={})


@pytest.fixture
async def consumer(url: str, prefix: str) -> AsyncIterator[Consumer]:
    """Makes consumers of one queue."""
    made: list[RedisStreams] = []

    def make(name: str, *, lease: timedelta = timedelta(seconds=30)) -> RedisStreams:
        line = Pipe(url)
        line.connect()
        made.append(RedisStreams(line, url=url, prefix=prefix, consumer=name, lease=lease))
        return made[-1]

    yield make
    for queue in made:
        await queue.close()


@pytest.fixture
async def queue(consumer: Consumer) -> RedisStreams:
    """An empty queue."""
    return consumer("embedded-0")


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


async def test_a_stop_gives_leases_back(consumer: Consumer) -> None:
    """A worker that is stopped while the store is away leaves nothing leased: the next one gets it
    at once.
    """
    started = asyncio.Event()

    async def away(deliveries: Sequence[Delivery]) -> list[Outcome]:
        started.set()
        return [Retry(Code.STORE_UNAVAILABLE, "away", spends_attempt=False) for _ in deliveries]

    queue, other = consumer("stops"), consumer("other")
    await queue.send("acme", b"{}")
    worker = Worker(queue, away, batch_size=10)
    await worker.start()
    await started.wait()
    await worker.stop()
    assert not worker.alive
    (delivery,) = await other.receive(10, wait=timedelta(0))
    assert delivery.crashes == 0


async def test_a_slow_batch_keeps_its_lease(consumer: Consumer) -> None:
    """A batch that takes longer than its lease lasts is handed to nobody else, and no count grows;
    nor while the store is away that long.
    """
    lease = timedelta(milliseconds=600)
    queue, other = consumer("slow", lease=lease), consumer("other", lease=lease)
    started, enough = asyncio.Event(), asyncio.Event()
    outages = 2
    seen: list[tuple[int, int]] = []

    async def slow(deliveries: Sequence[Delivery]) -> list[Outcome]:
        nonlocal outages
        seen.extend((each.attempts, each.crashes) for each in deliveries)
        started.set()
        await enough.wait()
        if outages:
            outages -= 1
            return [Retry(Code.STORE_FULL, "full", spends_attempt=False) for _ in deliveries]
        return [Stored("a") for _ in deliveries]

    await queue.send("acme", b"{}")
    worker = Worker(queue, slow, batch_size=10)
    await worker.start()
    await started.wait()
    loop = asyncio.get_running_loop()
    end = loop.time() + 4 * lease.total_seconds()
    while loop.time() < end:
        assert await other.receive(10, wait=timedelta(milliseconds=100)) == []
    enough.set()
    await wait_until(partial(drained, queue), what="an empty queue")
    await worker.stop()
    assert seen == [(0, 0)] * 3


async def test_failures_with_one_delay_are_settled_in_one_call(
    url: str, pipe: Pipe, prefix: str
) -> None:
    """Many failures of a batch cost one call for each delay among them, not one each."""
    calls: list[int] = []

    class Counting(RedisStreams):
        """The queue; remembers its retries."""

        async def retry(self, failures: Sequence[Failure], *, delay: timedelta) -> int:
            """As its parent."""
            calls.append(len(failures))
            return await super().retry(failures, delay=delay)

    async def fails(deliveries: Sequence[Delivery]) -> list[Outcome]:
        return [Retry(Code.INTERNAL, "went wrong") for _ in deliveries]

    queue = Counting(
        pipe, url=url, prefix=prefix, consumer="embedded-0", lease=timedelta(seconds=30)
    )
    for number in range(50):
        await queue.send("acme", b"%d" % number)
    worker = Worker(queue, fails, batch_size=100)
    await worker.start()
    await wait_until(lambda: bool(calls), what="a retry")
    await worker.stop()
    await queue.close()
    assert calls[0] == 50


async def test_a_batch_is_stored_while_the_one_before_is_settled(
    url: str, pipe: Pipe, prefix: str
) -> None:
    """What comes in isn't held up by an ack under way; a stop waits for that."""
    answer, stored = asyncio.Event(), asyncio.Event()

    class Slow(RedisStreams):
        """The queue; acks when it is told to."""

        async def ack(self, deliveries: Sequence[Delivery]) -> int:
            """As its parent, later."""
            await answer.wait()
            return await super().ack(deliveries)

    async def store(deliveries: Sequence[Delivery]) -> list[Outcome]:
        if deliveries[0].body == b"second":
            stored.set()
        return [Stored("an-id") for _ in deliveries]

    queue = Slow(pipe, url=url, prefix=prefix, consumer="slow", lease=timedelta(seconds=30))
    await queue.send("acme", b"first")
    worker = Worker(queue, store, batch_size=1)
    await worker.start()
    await queue.send("acme", b"second")
    async with asyncio.timeout(8):
        await stored.wait()
    assert (await queue.stats()).depth == 2
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    answer.set()
    await stopping
    assert (await queue.stats()).depth == 0
    await queue.close()


async def test_a_stop_does_not_wait_for_a_batch_that_hangs(consumer: Consumer) -> None:
    """A batch that doesn't end is dropped at a stop: it comes to the next worker at once, and no
    count grew by it.
    """
    queue, other = consumer("stops"), consumer("other")
    started = asyncio.Event()

    async def hangs(_deliveries: Sequence[Delivery]) -> list[Outcome]:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    await queue.send("acme", b"{}")
    worker = Worker(queue, hangs, batch_size=10)
    await worker.start()
    await started.wait()
    async with asyncio.timeout(8):
        await worker.stop()
    (delivery,) = await other.receive(10, wait=timedelta(0))
    assert (delivery.attempts, delivery.crashes) == (0, 0)


async def test_a_worker_that_meets_a_bug_says_so(
    queue: RedisStreams, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that ends by a bug is no longer alive, and the log has the trace."""

    async def buggy(_deliveries: Sequence[Delivery]) -> list[Outcome]:
        raise RuntimeError("a bug")

    await queue.send("acme", b"{}")
    worker = Worker(queue, buggy, batch_size=10)
    LOGGER.addHandler(caplog.handler)
    await worker.start()
    await wait_until(lambda: not worker.alive, what="the end of the worker")
    await worker.stop()
    LOGGER.removeHandler(caplog.handler)
    assert [record.message for record in caplog.records if record.exc_info][:1] == ["worker.lost"]


async def test_an_idle_worker_stops_at_once(queue: RedisStreams) -> None:
    """A worker that waits for events stops without waiting on."""

    async def never(_deliveries: Sequence[Delivery]) -> list[Outcome]:
        raise AssertionError

    worker = Worker(queue, never, batch_size=10)
    await worker.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await worker.stop()
