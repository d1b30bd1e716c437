"""The local loop and the worker's handler on Lambda leave the same behind in the store.

The same envelopes go through both, each into keys of its own: good ones, copies, old ones, odd
JSON, several keys, poison. What readers see, what became of each event, and the letters are alike.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from conformance.bodies import strict
from harness import EXAMPLE, wait_until
from lambding import Function, batch, undone
from queueing import envelope

from hookrack._redis import Pipe
from hookrack.entries import LifeStatus
from hookrack.entrypoints.worker import Worker
from hookrack.flows import read_configuration
from hookrack.jsontext import split_members
from hookrack.pipeline import process
from hookrack.ports import LetterFilter
from hookrack.queues.redis_dead_letters import RedisDeadLetters
from hookrack.queues.redis_lanes import WAITING
from hookrack.queues.redis_streams import RedisStreams
from hookrack.queues.sqs_open import SqsSource
from hookrack.stores.redis import RedisStore

Make = Callable[..., Awaitable[Function]]

KEYS: Final = ("deploys", "chatbot", "audit", "erp", "crm", "one", "two")
ACCOUNTS: Final = ("acme", "kairos")
POISON: Final = [
    *(b"hello", b"{}", b'{"v": 9, "id": "x"}', b'{"v": 1, "v": 1}', b"[]", b'"\\ud800"'),
    envelope("lost", flow="gone"),
    envelope("stranger", account="nobody"),
]
Letters = set[tuple[bytes, str]]
_Entry = tuple[str, str | None, int, str, bytes, int]
_Life = tuple[LifeStatus, str | None, tuple[tuple[str, int], ...]]
DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Left:
    """What there is afterwards, but for when it was stored."""

    entries: Mapping[str, list[_Entry]]
    newest: Mapping[str, str | None]
    lives: Mapping[str, _Life | None]


def stream(rnd: Random, count: int) -> list[bytes]:
    """Envelopes as they may come: in any order, some twice, some too old, some that are none."""
    now = time.time_ns() // 1_000_000
    found: list[bytes] = []
    for number in range(count):
        kind = rnd.random()
        if kind < 0.1:
            found.append(rnd.choice(POISON))
        elif kind < 0.2 and found:
            found.append(rnd.choice(found))
        else:
            own = _fields(rnd, now)
            found.append(envelope(f"e-{number}", data=strict(rnd).encode(), **own))
    return found


def _fields(rnd: Random, now: int) -> dict[str, Any]:
    """What this event brings besides its data."""
    own: dict[str, Any] = {"received_at": now - rnd.randint(0, 20_000_000)}
    if rnd.random() < 0.1:
        own["received_at"] = now - 8 * DAY_MS
    if rnd.random() < 0.3:
        own["keys"] = tuple(rnd.sample(["one", "two", "erp"], rnd.randint(1, 3)))
    if rnd.random() < 0.2:
        own["ttl"] = timedelta(seconds=rnd.choice([1, 40_000, 9_999_999]))
    if rnd.random() < 0.2:
        own["dedupe_id"] = rnd.choice(["a", "b"])
    if rnd.random() < 0.2:
        own |= {"account": "kairos", "flow": "payments"}
    if rnd.random() < 0.1:
        own["content_type"] = "application/octet-stream"
    return own


def ids(envelopes: Sequence[bytes]) -> list[tuple[str, str]]:
    """The accounts and event ids of those that are envelopes."""
    found = set()
    for each in envelopes:
        try:
            told = json.loads(each)
        except ValueError:
            continue
        if isinstance(told, dict) and "account" in told:
            found.add((told["account"], told["id"]))
    return sorted(found)


async def left(store: RedisStore, envelopes: Sequence[bytes]) -> Left:
    """What is under all keys, and what became of each event."""
    entries: dict[str, list[_Entry]] = {}
    newest: dict[str, str | None] = {}
    for account in ACCOUNTS:
        for key in KEYS:
            page = await store.history(account, key, after=None, limit=1_000, max_bytes=2**24)
            assert not page.more
            entries[f"{account}/{key}"] = sorted(
                (
                    *(each.event_id, each.flow, each.received_at, each.content_type, each.data),
                    each.expires_at,
                )
                for each in page.entries
            )
            first = await store.get(account, key)
            newest[f"{account}/{key}"] = first.event_id if first else None
    lives: dict[str, _Life | None] = {}
    for account, event_id in ids(envelopes):
        life = await store.life(account, event_id)
        known = life and (life.status, life.duplicate_of, tuple(sorted(life.keys)))
        lives[event_id] = known or None
    return Left(entries, newest, lives)


async def by_the_loop(url: str, prefix: str, envelopes: Sequence[bytes]) -> tuple[Left, Letters]:
    """Send them to the queue on Redis, and let the local worker empty it."""
    pipes = [Pipe(url) for _ in range(3)]
    for line in pipes:
        line.connect()
    lease = timedelta(seconds=30)
    queue = RedisStreams(pipes[0], url=url, prefix=prefix, consumer="one", lease=lease)
    store = await RedisStore.open(pipes[1], prefix=prefix)
    letters = RedisDeadLetters(pipes[2], prefix=prefix)
    configuration = read_configuration(EXAMPLE, environ={})
    for each in envelopes:
        await queue.send("acme", each)
    work = partial(process, configuration=configuration, store=store, max_attempts=5)
    worker = Worker(queue, work, batch_size=100)
    await worker.start()

    async def empty() -> bool:
        return (await queue.stats()).depth == 0

    await wait_until(empty, what="the worker to empty the queue", seconds=30)
    await worker.stop()
    page = await letters.page(LetterFilter(), limit=1_000)
    found = await left(store, envelopes), {(each.envelope, each.reason) for each in page.letters}
    await queue.close()
    await store.close()
    await letters.close()
    return found


async def by_the_handler(
    worker: Function, store: RedisStore, source: SqsSource, envelopes: Sequence[bytes]
) -> tuple[Left, Letters]:
    """Hand them to the function as Lambda would."""
    _, answer = await worker.api.invoke(batch(*envelopes))
    assert undone(answer) == []
    page = await source.letters().page(LetterFilter(), limit=1_000)
    return await left(store, envelopes), {(each.envelope, each.reason) for each in page.letters}


def differing(ours: Left, theirs: Left) -> list[str]:
    """The keys and events that aren't alike."""
    return [
        f"{name}: {one} {other.get(name)}"
        for mine, other in (
            (ours.entries, theirs.entries),
            (ours.newest, theirs.newest),
            (ours.lives, theirs.lives),
        )
        for name, one in mine.items()
        if one != other.get(name)
    ]


Both = Callable[[list[bytes]], Awaitable[tuple[Left, Left, Letters, Letters]]]


@pytest.fixture
def both(function: Make, store: RedisStore, source: SqsSource, url: str, prefix: str) -> Both:
    """Puts the same envelopes through the loop, and through the handler."""

    async def run(envelopes: list[bytes]) -> tuple[Left, Left, Letters, Letters]:
        loop, letters = await by_the_loop(url, f"{prefix}loop:", envelopes)
        worker = await function("worker_handler")
        handler, others = await by_the_handler(worker, store, source, envelopes)
        return loop, handler, letters, others

    return run


@pytest.mark.parametrize("seed", range(5))
async def test_generated_envelopes_end_alike(seed: int, both: Both) -> None:
    """The same entries with the same times, the same newest, the same lives, the same letters; of
    as many as keep their order when they all wait.
    """
    loop, handler, loop_letters, handler_letters = await both(stream(Random(seed), WAITING))
    assert not differing(loop, handler)
    assert loop_letters == handler_letters
    statuses = {each[0].value for each in loop.lives.values() if each}
    assert statuses == {"stored", "duplicate", "expired"}
    assert len({reason for _, reason in loop_letters}) > 1


async def test_the_corpus_ends_alike(both: Both) -> None:
    """Real webhooks and the documents of JSONTestSuite are stored byte for byte by both."""
    named = os.environ.get("HOOKRACK_CORPUS")
    if not named:
        pytest.skip("HOOKRACK_CORPUS names no folder")
    lines = (Path(named) / "github-events.jsonl").read_bytes().splitlines()
    data = [split_members(line)["payload"] for line in lines]
    data += [path.read_bytes() for path in Path(named).glob("json-test-suite/*/y_*.json")]
    envelopes = [envelope(f"c-{number}", data=each) for number, each in enumerate(data)]
    loop, handler, loop_letters, handler_letters = await both(envelopes)
    assert not differing(loop, handler)
    assert loop_letters == handler_letters == set()
    assert [each[4] for each in loop.entries["acme/deploys"]] == [
        each for _, each in sorted((f"c-{number}", each) for number, each in enumerate(data))
    ]
