"""Dead letters going round again: once under every key, or told why not; never lost."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import redis.asyncio
from harness import EXAMPLE, wait_until
from queueing import bury, envelope

from hookrack._redis import Pipe
from hookrack.entrypoints.worker import Worker
from hookrack.flows import Configuration, read_configuration
from hookrack.letters import Redrive, discard, redrive
from hookrack.model import decode_envelope
from hookrack.pipeline import process
from hookrack.ports import LetterFilter
from hookrack.queues.redis_dead_letters import RedisDeadLetters
from hookrack.queues.redis_streams import RedisStreams
from hookrack.stores.redis import RedisStore

ALL = LetterFilter()
KEYS = ("deploys", "chatbot", "audit")
HOUR_MS = 3_600_000
REDRIVER = Path(__file__).parents[1] / "redriver.py"


@pytest.fixture
def configuration() -> Configuration:
    """The example flows: acme's github has three keys, for a day, one of them for seven."""
    return read_configuration(EXAMPLE, environ={})


@pytest.fixture
async def queue(url: str, prefix: str) -> AsyncIterator[RedisStreams]:
    """An empty queue."""
    line = Pipe(url)
    line.connect()
    lease = timedelta(seconds=30)
    made = RedisStreams(line, url=url, prefix=prefix, consumer="embedded-1", lease=lease)
    yield made
    await made.close()


@pytest.fixture
async def store(pipe: Pipe, prefix: str) -> RedisStore:
    """An empty store, by the real clock."""
    return await RedisStore.open(pipe, prefix=prefix)


@pytest.fixture
def letters(pipe: Pipe, prefix: str) -> RedisDeadLetters:
    """The dead letters of that queue."""
    return RedisDeadLetters(pipe, prefix=prefix)


@dataclass
class Parts:
    """What an event goes through in one test."""

    queue: RedisStreams
    store: RedisStore
    configuration: Configuration
    direct: "redis.asyncio.Redis"
    prefix: str

    async def work_off(self, configuration: Configuration | None = None) -> None:
        """Let a worker empty the queue."""
        given = self.configuration if configuration is None else configuration
        work = partial(process, configuration=given, store=self.store, max_attempts=5)
        worker = Worker(self.queue, work, batch_size=100)
        await worker.start()

        async def drained() -> bool:
            return (await self.queue.stats()).depth == 0

        await wait_until(drained, what="an empty queue", seconds=30)
        await worker.stop()

    async def stored(self, key: str) -> list[str]:
        """The ids of all events under a key of acme, in any order."""
        names = [f"{self.prefix}{{acme}}:{kind}:{key}" for kind in ("k", "o")]
        found: list[bytes] = []
        for name in names:
            found += await self.direct.zrange(name, 0, -1)  # type: ignore[arg-type] # its stub
        return sorted(member[12:].decode() for member in found)


@pytest.fixture
def path(
    queue: RedisStreams,
    store: RedisStore,
    configuration: Configuration,
    direct: "redis.asyncio.Redis",
    prefix: str,
) -> Parts:
    """Queue and store with the example flows."""
    return Parts(queue, store, configuration, direct, prefix)


def now() -> int:
    """The time in milliseconds."""
    return time.time_ns() // 1_000_000


async def test_a_letter_of_an_unknown_flow_is_stored_when_the_flow_is_back(
    path: Parts, letters: RedisDeadLetters
) -> None:
    """An event whose flow was gone is skipped as long as it is; once the flow is back a redrive
    stores it, with its id and time of receipt, under all its keys, once. That it was a dead letter
    doesn't count as having been seen.
    """
    received = now() - HOUR_MS
    await path.queue.send("acme", envelope("e-1", received_at=received))
    await path.work_off(Configuration())
    assert await path.direct.exists(f"{path.prefix}{{acme}}:l:e-1") == 0
    ask = partial(redrive, ALL, letters=letters, now=now())
    assert await ask(configuration=Configuration()) == Redrive(0, 1, 0)
    assert await ask(configuration=path.configuration, dry_run=True) == Redrive(1, 0, 0)
    assert (await letters.stats()).depth == 1
    assert await ask(configuration=path.configuration) == Redrive(1, 0, 0)
    assert await ask(configuration=path.configuration) == Redrive(0, 0, 0)
    await path.work_off()
    for key in KEYS:
        assert await path.stored(key) == ["e-1"]
        entry = await path.store.get("acme", key)
        assert entry is not None
        assert (entry.event_id, entry.received_at) == ("e-1", received)
    assert (await letters.stats()).depth == 0


async def test_a_kill_between_sending_and_dropping_loses_nothing(
    path: Parts, letters: RedisDeadLetters, url: str
) -> None:
    """Killed after the envelopes went out and before the letters were dropped, everything is in
    both places; all of it is stored, and a second redrive doubles nothing.
    """
    names = sorted(f"e-{number}" for number in range(50))
    await bury(path.queue, *(envelope(name) for name in names))
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, str(REDRIVER), url, path.prefix),
        env=os.environ | {"PYTHONPATH": str(REDRIVER.parent)},
    )
    assert await killed.wait() == -signal.SIGKILL
    assert (await letters.stats()).depth == len(names)
    assert (await path.queue.stats()).depth == len(names)
    await path.work_off()
    again = await redrive(ALL, letters=letters, configuration=path.configuration, now=now())
    assert again == Redrive(len(names), 0, 0)
    await path.work_off()
    assert (await letters.stats()).depth == 0
    for key in KEYS:
        assert await path.stored(key) == names


async def test_letters_past_their_time_stay_and_are_told(
    path: Parts, letters: RedisDeadLetters
) -> None:
    """What has no time left under any key is reported and kept; with renewTtl it starts anew."""
    eight_days, two_days = 8 * 24 * HOUR_MS, 2 * 24 * HOUR_MS
    await bury(path.queue, envelope("late", received_at=now() - eight_days))
    await bury(path.queue, envelope("half", received_at=now() - two_days))
    await bury(path.queue, envelope("own", received_at=now() - HOUR_MS, ttl=timedelta(minutes=5)))
    ask = partial(redrive, letters=letters, configuration=path.configuration)
    assert await ask(ALL, now=now(), dry_run=True) == Redrive(1, 0, 2)
    assert await ask(ALL, now=now()) == Redrive(1, 0, 2)
    await path.work_off()
    assert [await path.stored(key) for key in KEYS] == [[], [], ["half"]]
    late = LetterFilter(ids=frozenset({"late"}))
    began = now()
    assert await ask(late, now=began, renew_ttl=True) == Redrive(1, 0, 0)
    await path.work_off()
    entry = await path.store.get("acme", "deploys")
    assert entry is not None
    assert (entry.event_id, entry.received_at) == ("late", began)
    left = await letters.page(ALL, limit=10)
    assert [letter.event_id for letter in left.letters] == ["own"]


async def test_what_can_not_be_processed_is_skipped(
    queue: RedisStreams, letters: RedisDeadLetters, configuration: Configuration
) -> None:
    """No envelope, bad keys, an unknown version: a redrive leaves them where they are."""
    bad = [
        b"nonsense",
        envelope().replace(b'"v":1', b'"v":2'),
        envelope().replace(b'"data"', b'"keys":["a b"],"data"'),
        envelope(flow="gone"),
    ]
    await bury(queue, *bad)
    for renew in (False, True):
        assert await redrive(
            ALL, letters=letters, configuration=configuration, now=now(), renew_ttl=renew
        ) == Redrive(0, len(bad), 0)
    assert (await letters.stats()).depth == len(bad)
    assert (await queue.stats()).depth == 0


async def test_renewing_changes_the_time_and_nothing_else(
    queue: RedisStreams, letters: RedisDeadLetters, configuration: Configuration
) -> None:
    """A renewed envelope has the data as it was written, and what the event brought itself."""
    data = b'{"b":  1, "a": 12345678901234567890123, "a": "\\u00fc"}'
    body = envelope("e-1", data=data, keys=("own",), ttl=timedelta(hours=2), dedupe_id="d")
    await bury(queue, body)
    at = now() + 1
    await redrive(ALL, letters=letters, configuration=configuration, now=at, renew_ttl=True)
    (delivery,) = await queue.receive(10, wait=timedelta(0))
    assert decode_envelope(delivery.body) == replace(decode_envelope(body), received_at=at)


async def test_a_redrive_of_many_takes_them_in_their_order(
    queue: RedisStreams, letters: RedisDeadLetters, configuration: Configuration
) -> None:
    """However many letters there are, each goes round once, those that failed first first."""
    names = [f"e-{number:03}" for number in range(350)]
    await bury(queue, *(envelope(name) for name in names))
    done = await redrive(ALL, letters=letters, configuration=configuration, now=now())
    assert done == Redrive(350, 0, 0)
    batch = await queue.receive(1000, wait=timedelta(0))
    assert [decode_envelope(each.body).id for each in batch] == names


async def test_discarding_drops_what_fits(queue: RedisStreams, letters: RedisDeadLetters) -> None:
    """A discard by filter drops all that fit, however many, and nothing else."""
    await bury(queue, *(envelope() for _ in range(220)))
    await bury(queue, envelope("stays", flow="orders"))
    assert await discard(LetterFilter(flow="github"), letters=letters) == 220
    left = await letters.page(ALL, limit=10)
    assert [letter.event_id for letter in left.letters] == ["stays"]
