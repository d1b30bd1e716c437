"""The worker by itself: a process that fills the queue, then empties it in one of three ways.

    store   hookrack's worker: receive, process, put under one key, ack
    ack     hookrack's queue alone: receive, ack
    plain   a stream and a group without anything of ours: XREADGROUP, XACK, XDEL

Only the emptying is timed. `drain` starts the process and returns the rate.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from bench.interleave import Sample
from bench.machine import pin
from bench.payload import order
from bench.servers import ACCOUNT
from hookrack._redis import Pipe
from hookrack.edge.auth import Auth
from hookrack.entrypoints.worker import Worker
from hookrack.flows import Account, Configuration, Flow, WebhookKey
from hookrack.model import Delivery, Event, encode_envelope, new_event_id
from hookrack.pipeline import process
from hookrack.queues.redis_streams import RedisStreams
from hookrack.stores.redis import RedisStore

BATCH: Final = 100  # hookrack's default batchSize
_PREFIX: Final = "hr1:"
_FLOW: Final = Flow(ACCOUNT, "orders", (WebhookKey("erp"),), Auth("none"))
_CONFIGURATION: Final = Configuration({ACCOUNT: Account(ACCOUNT, {"orders": _FLOW})})
_SENT_AT_ONCE: Final = 500
_LONGEST_SECONDS: Final = 120.0
_PLAIN: Final = b"bench:plain"


def drain(socket: Path, way: str, count: int) -> Sample:
    """Empty a queue of `count` envelopes of 1 KB. Raises: RuntimeError."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.drain", str(socket), way, str(count)],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * _LONGEST_SECONDS,
    )
    if done.returncode:
        said = done.stderr.strip()[-300:]
        raise RuntimeError(f"the worker ended with {done.returncode}: {said}")
    found = json.loads(done.stdout)
    return Sample(count / found["seconds"], found["cpu"] / count * 1e6)


class _Counting(RedisStreams):
    """The queue; says when a number of envelopes are acked."""

    def __init__(self, socket: str, count: int) -> None:
        super().__init__(
            _pipe(socket),
            url=f"unix://{socket}",
            prefix=_PREFIX,
            consumer="bench",
            lease=timedelta(seconds=30),
        )
        self._left = count
        self.done = asyncio.Event()

    async def ack(self, deliveries: Sequence[Delivery]) -> int:
        """As its parent, counted."""
        acked = await super().ack(deliveries)
        self._left -= acked
        if self._left <= 0:
            self.done.set()
        return acked


def _pipe(socket: str) -> Pipe:
    pipe = Pipe(f"unix://{socket}")
    pipe.connect()
    return pipe


def _envelope() -> bytes:
    now = time.time_ns() // 1_000_000
    event = Event(new_event_id(now), ACCOUNT, "orders", now, "application/json", order())
    return encode_envelope(event)


async def _store(socket: str, count: int) -> None:
    store = await RedisStore.open(_pipe(socket), prefix=_PREFIX)
    queue = _Counting(socket, count)
    work = partial(process, configuration=_CONFIGURATION, store=store, max_attempts=5)
    worker = Worker(queue, work, batch_size=BATCH)
    await worker.start()
    await queue.done.wait()
    await worker.stop()
    await asyncio.gather(store.close(), queue.close())


async def _ack(socket: str, count: int) -> None:
    queue = _Counting(socket, count)
    while not queue.done.is_set():
        await queue.ack(await queue.receive(BATCH, wait=timedelta(0)))
    await queue.close()


async def _plain(socket: str, count: int) -> None:
    pipe = _pipe(socket)
    ask = (b"XREADGROUP", b"GROUP", b"w", b"bench", b"COUNT", BATCH, b"STREAMS", _PLAIN, b">")
    while count:
        ids = [entry[0] for entry in (await pipe.call(*ask))[0][1]]
        await asyncio.gather(
            pipe.call(b"XACK", _PLAIN, b"w", *ids), pipe.call(b"XDEL", _PLAIN, *ids)
        )
        count -= len(ids)
    await pipe.close()


async def _fill(socket: str, way: str, count: int) -> None:
    pipe, queue = _pipe(socket), _Counting(socket, count)
    if way == "plain":
        await pipe.call(b"XGROUP", b"CREATE", _PLAIN, b"w", b"0", b"MKSTREAM")
    for begun in range(0, count, _SENT_AT_ONCE):
        envelopes = [_envelope() for _ in range(min(_SENT_AT_ONCE, count - begun))]
        if way == "plain":
            sent = [pipe.call(b"XADD", _PLAIN, b"*", b"e", each) for each in envelopes]
            await asyncio.gather(*sent)
        else:
            await asyncio.gather(*(queue.send(ACCOUNT, each) for each in envelopes))
    await asyncio.gather(pipe.close(), queue.close())


async def _main(socket: str, way: str, count: int) -> None:
    await _fill(socket, way, count)
    empty = {"store": _store, "ack": _ack, "plain": _plain}[way]
    began, used = time.perf_counter(), time.process_time()
    async with asyncio.timeout(_LONGEST_SECONDS):
        await empty(socket, count)
    seconds, used = time.perf_counter() - began, time.process_time() - used
    print(json.dumps({"seconds": seconds, "cpu": used}))


if __name__ == "__main__":
    pin(os.getpid(), "server")
    uvloop.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
