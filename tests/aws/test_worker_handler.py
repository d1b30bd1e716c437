"""The worker on Lambda, in the real runtime client: what is deleted was stored or is a letter."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis.asyncio
from harness import find_engine, wait_until
from lambding import Function, batch, record, undone
from queueing import envelope

from hookrack.aws.queues import WORKER_SECONDS
from hookrack.engine import open_engine
from hookrack.ports import LetterFilter
from hookrack.queues.sqs_open import SqsSource
from hookrack.stores.redis import RedisStore

Make = Callable[..., Awaitable[Function]]


async def names(store: RedisStore, key: str = "deploys") -> list[str]:
    """The event ids under a key, in storing order."""
    found: list[str] = []
    cursor = None
    while True:
        page = await store.history("acme", key, after=cursor, limit=1_000, max_bytes=2**20)
        found += [entry.event_id for entry in page.entries]
        cursor = page.cursor
        if not page.more:
            return found


async def test_a_batch_is_stored_and_nothing_is_named(function: Make, store: RedisStore) -> None:
    """What is stored is for Lambda to delete: the list of failures is there, and empty."""
    worker = await function("worker_handler")
    bodies = [envelope(f"e-{number}") for number in range(5)]
    kind, answer = await worker.api.invoke(batch(*bodies))
    assert (kind, answer) == ("response", {"batchItemFailures": []})
    assert await names(store) == [f"e-{number}" for number in range(5)]


async def test_ten_thousand_messages_are_one_batch(function: Make, store: RedisStore) -> None:
    """A batch as large as the mapping lets it be is stored whole, within the worker's time, and
    once more when it is handed over again, with nothing stored twice.
    """
    worker = await function("worker_handler")
    bodies = [envelope(f"e-{number}") for number in range(10_000)]
    for received in (1, 2):
        event = batch(*bodies, received=received)
        _, answer = await worker.api.invoke(event, milliseconds=WORKER_SECONDS * 1_000)
        assert undone(answer) == []
    found = await names(store)
    assert len(found) == len(set(found)) == 10_000
    assert set(found) == {f"e-{number}" for number in range(10_000)}


async def test_what_fails_is_named_and_its_neighbours_are_stored(
    function: Make, store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A message that can't be stored now comes back alone; all others of its batch are done."""
    worker = await function("worker_handler")
    broken = f"{prefix}{{acme}}:k:broken"
    await direct.set(broken, "no sorted set", ex=60)
    bad = [envelope(f"bad-{number}", keys=("broken",)) for number in range(2)]
    event = batch(envelope("e-0"), bad[0], envelope("e-2"), bad[1])
    _, answer = await worker.api.invoke(event)
    assert undone(answer) == ["m-1", "m-3"]
    assert await names(store) == ["e-0", "e-2"]
    await direct.delete(broken)
    _, answer = await worker.api.invoke(batch(*bad, received=2))
    assert undone(answer) == []
    assert await names(store, "broken") == ["bad-0", "bad-1"]


async def test_a_redelivered_batch_stores_nothing_twice(function: Make, store: RedisStore) -> None:
    """Lambda hands over at least once; the second time changes nothing."""
    worker = await function("worker_handler")
    bodies = [envelope(f"e-{number}") for number in range(3)]
    for received in (1, 2):
        _, answer = await worker.api.invoke(batch(*bodies, received=received))
        assert undone(answer) == []
    assert await names(store) == ["e-0", "e-1", "e-2"]


async def test_poison_is_a_letter_and_its_neighbours_are_stored(
    function: Make, store: RedisStore, source: SqsSource
) -> None:
    """What will never work goes to the dead-letter queue with its reason; no neighbour fails."""
    worker = await function("worker_handler")
    poison = [b"hello", envelope("lost", flow="gone"), b'{"v": 9}']
    _, answer = await worker.api.invoke(batch(envelope("e-1"), *poison, envelope("e-2")))
    assert undone(answer) == []
    assert await names(store) == ["e-1", "e-2"]
    page = await source.letters().page(LetterFilter(), limit=10)
    assert {each.reason for each in page.letters} == {
        *("ENVELOPE_INVALID", "FLOW_UNKNOWN", "ENVELOPE_VERSION")
    }
    assert {each.envelope for each in page.letters} == set(poison)


async def test_what_can_not_be_buried_is_kept(function: Make, store: RedisStore) -> None:
    """While the dead-letter queue can't be reached, what is dead comes back and isn't lost."""
    nowhere = "http://127.0.0.1:9/123456789012/q"
    worker = await function("worker_handler", HOOKRACK_QUEUE=nowhere)
    _, answer = await worker.api.invoke(batch(b"hello", envelope("e-1")))
    assert undone(answer) == ["m-0"]
    assert await names(store) == ["e-1"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"Records": [record("m-0", b"{}") | {"eventSource": "aws:s3"}]},
        {"Records": [record("m-0", b"{}") | {"messageId": ""}]},
        {"Records": [record("m-0", b"{}"), record("m-1", b"{}") | {"body": None}]},
        {"records": [record("m-0", b"{}")]},
    ],
)
async def test_what_is_no_batch_fails_whole(function: Make, event: object) -> None:
    """An answer to something else could delete or keep the wrong things: it is an error."""
    worker = await function("worker_handler")
    kind, told = await worker.api.invoke(event)
    assert kind == "error"
    assert told["errorType"] == "ValueError"
    kind, answer = await worker.api.invoke(batch(envelope("e-1")))
    assert (kind, undone(answer)) == ("response", [])


async def test_a_function_that_is_out_of_time_names_what_it_left(
    function: Make, store: RedisStore
) -> None:
    """What it didn't come to before its time was up comes back, and none of it is lost."""
    worker = await function("worker_handler")
    assert undone((await worker.api.invoke(batch(envelope("first"))))[1]) == []
    bodies = [envelope(f"e-{number}") for number in range(2_000)]
    _, answer = await worker.api.invoke(batch(*bodies), milliseconds=60)
    left = undone(answer)
    stored = set(await names(store)) - {"first"}
    done = {f"e-{number}" for number in range(2_000)} - {f"e-{each[2:]}" for each in left}
    assert left
    assert done <= stored


async def test_a_crash_in_mid_batch_loses_nothing(
    function: Make, store: RedisStore, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A container that dies in the middle of a batch answers nothing; the next one ends it."""
    worker = await function("worker_handler")
    bodies = [envelope(f"e-{number}") for number in range(3_000)]
    event = batch(*bodies)
    dying = asyncio.create_task(worker.api.invoke(event))

    async def begun() -> bool:
        return await direct.exists(f"{prefix}{{acme}}:k:deploys") == 1

    await wait_until(begun, what="the first entry", seconds=30)
    os.kill(worker.pid, signal.SIGKILL)
    worker.stop()
    assert not dying.done()
    dying.cancel()
    before = await names(store)
    assert 0 < len(before) < 3_000
    worker.start()
    _, answer = await worker.api.invoke(batch(*bodies, received=2))
    assert undone(answer) == []
    after = await names(store)
    assert len(after) == len(set(after)) == 3_000


async def test_a_frozen_container_wakes_up_on_a_dead_connection(
    function: Make, store: RedisStore, direct: "redis.asyncio.Redis"
) -> None:
    """After a pause, with its connections cut meanwhile, the next batch is stored all the same."""
    worker = await function("worker_handler")
    assert undone((await worker.api.invoke(batch(envelope("e-1"))))[1]) == []
    os.kill(worker.pid, signal.SIGSTOP)
    await direct.client_kill_filter(_type="normal", skipme=True)
    os.kill(worker.pid, signal.SIGCONT)
    _, answer = await worker.api.invoke(batch(envelope("e-2")))
    assert undone(answer) == []
    assert await names(store) == ["e-1", "e-2"]


async def test_an_outage_of_the_store_brings_all_of_it_back(
    function: Make, short_dir: Path
) -> None:
    """While the store is away every message is named; when it is back they are stored."""
    folder = short_dir / "engine"
    folder.mkdir()
    async with open_engine(folder, server=find_engine("embedded"), maxmemory=2**26) as engine:
        worker = await function("worker_handler", HOOKRACK_STORE=f"unix://{engine.socket}")
        assert undone((await worker.api.invoke(batch(envelope("e-1"))))[1]) == []
        pid = int((folder / "engine.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        _, answer = await worker.api.invoke(batch(envelope("e-2")), milliseconds=6_000)
        assert undone(answer) == ["m-0"]
        assert time.monotonic() - began < 6
        os.kill(pid, signal.SIGCONT)
        _, answer = await worker.api.invoke(batch(envelope("e-2"), received=2))
        assert undone(answer) == []


async def test_a_store_that_failed_over_is_found_again(
    function: Make, short_dir: Path, prefix: str
) -> None:
    """When the connection leads to what is no primary any more, the name is looked up again within
    the same invocation, and nothing of the batch comes back.
    """
    name = short_dir / "store.sock"
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for each in ("old", "new"):
            (short_dir / each).mkdir()
            server = open_engine(short_dir / each, server=find_engine("embedded"), maxmemory=2**26)
            sockets.append((await stack.enter_async_context(server)).socket)
        name.symlink_to(sockets[0])
        worker = await function("worker_handler", HOOKRACK_STORE=f"unix://{name}")
        assert undone((await worker.api.invoke(batch(envelope("e-1"))))[1]) == []
        old = redis.asyncio.Redis(unix_socket_path=str(sockets[0]))
        await old.replicaof("127.0.0.1", "9")
        name.unlink()
        name.symlink_to(sockets[1])
        _, answer = await worker.api.invoke(batch(envelope("e-2")))
        assert undone(answer) == [], worker.log()
        new = redis.asyncio.Redis(unix_socket_path=str(sockets[1]))
        assert await new.exists(f"{prefix}{{acme}}:p:e-2") == 1
        await old.replicaof("NO", "ONE")
        for client in (old, new):
            await client.aclose()


async def test_without_a_store_it_says_so(function: Make) -> None:
    """A function without HOOKRACK_STORE starts no engine of its own."""
    worker = await function("worker_handler", HOOKRACK_STORE="")
    kind, told = await worker.api.invoke(batch(envelope()))
    assert kind == "error"
    assert "HOOKRACK_STORE" in told["errorMessage"]
