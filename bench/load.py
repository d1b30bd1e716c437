"""The load generator: a process of its own, N keep-alive connections, each with one request out.

`drive` starts it and returns what it measured. The process reads a `Task` as JSON from its
standard input and writes a `Load` as JSON.
"""

import asyncio
import base64
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import uvloop

from bench.http import Connection, connect
from bench.machine import pin

CONNECTIONS: Final = 64
_END_SECONDS: Final = 10.0  # for what is under way at the end; then the run has failed
_LONGEST_SECONDS: Final = 300.0  # for a run of a fixed count


class LoadError(Exception):
    """Something else than success was answered, or nothing."""


@dataclass(frozen=True, slots=True)
class Task:
    """Each connection repeats one of `requests` (base64) for `seconds`, or until `count` in all."""

    port: int
    requests: Sequence[str]
    seconds: float = 0
    warm_up: float = 0
    count: int = 0
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Load:
    """`answered` requests in `seconds` after the warm-up; `total` with it; latencies in ms."""

    answered: int
    total: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    refusal: str


def drive(
    port: int,
    requests: Sequence[bytes],
    *,
    seconds: float = 0,
    warm_up: float = 0,
    count: int = 0,
    connections: int = CONNECTIONS,
) -> Load:
    """Run the load in a process of its own. Raises: LoadError unless every answer was a 2xx."""
    encoded = [base64.b64encode(request).decode() for request in requests]
    task = Task(port, encoded, seconds, warm_up, count, connections)
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_SECONDS + 2 * _END_SECONDS,
    )
    if done.returncode:
        said = done.stderr.strip()[-300:]
        raise LoadError(f"the load generator ended with {done.returncode}: {said}")
    load = Load(**json.loads(done.stdout))
    if load.refused or not load.answered:
        raise LoadError(f"{load.refused} requests failed, one with: {load.refusal}")
    return load


class _Run:
    """The state that all connections share."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._requests = [base64.b64decode(each) for each in task.requests]
        self._left = task.count or sys.maxsize
        self._open = 0
        self._done = asyncio.Event()
        self._latencies: list[float] = []
        self._total = 0
        self._refused = 0
        self._refusal = ""

    async def execute(self) -> Load:
        """Open the connections, let them work, and sum up."""
        task = self._task
        connections = [await connect(task.port, self._lost) for _ in range(task.connections)]
        self._open = len(connections)
        began = time.perf_counter()
        for place, connection in enumerate(connections):
            self._ask(connection, self._requests[place % len(self._requests)])
        if not task.count:
            await asyncio.sleep(task.warm_up)
            self._latencies.clear()
            began = time.perf_counter()
            await asyncio.sleep(task.seconds)
        latencies, seconds = list(self._latencies), time.perf_counter() - began
        await self._finish(_LONGEST_SECONDS if task.count else _END_SECONDS)
        if task.count:
            latencies, seconds = self._latencies, time.perf_counter() - began
        for connection in connections:
            connection.close()
        return self._sum(latencies, seconds)

    async def _finish(self, longest: float) -> None:
        """Wait for what is still to do: all of a count, else only what is under way."""
        if not self._task.count:
            self._left = 0
        try:
            async with asyncio.timeout(longest):
                await self._done.wait()
        except TimeoutError:
            self._refused, self._refusal = self._refused + self._open, "no answer"

    def _ask(self, connection: Connection, request: bytes) -> None:
        if self._left <= 0:
            self._close()
            return
        self._left -= 1
        sent = time.perf_counter()

        def answered(status: int, answer: bytes) -> None:
            self._latencies.append(time.perf_counter() - sent)
            self._total += 1
            if not 200 <= status < 300:
                self._refused += 1
                self._refusal = answer.decode("utf-8", "replace")[-400:]
            self._ask(connection, request)

        connection.ask(request, answered)

    def _lost(self) -> None:
        self._refused, self._refusal = self._refused + 1, "the connection was cut"
        self._close()

    def _close(self) -> None:
        self._open -= 1
        if self._open <= 0:
            self._done.set()

    def _sum(self, latencies: list[float], seconds: float) -> Load:
        ordered = sorted(latencies) or [0.0]
        return Load(
            answered=len(latencies),
            total=self._total,
            seconds=seconds,
            p50_ms=ordered[len(ordered) // 2] * 1000,
            p99_ms=ordered[len(ordered) * 99 // 100] * 1000,
            refused=self._refused,
            refusal=self._refusal,
        )


async def _main() -> None:
    task = Task(**json.loads(sys.stdin.read()))
    gc.disable()  # a run is short, and a pause of ours is not one of the server's
    print(json.dumps(asdict(await _Run(task).execute())))


if __name__ == "__main__":
    pin(os.getpid(), "load")
    uvloop.run(_main())
