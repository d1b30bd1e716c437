"""The open loop: a process that posts at a fixed rate and watches each event become visible.

An event is visible when a GET of its key, asked again and again from the moment of the 202, gives
it, or one that was received after it was sent (which stands in front of it from then on). `watch`
starts the process and returns what it saw.
"""

import asyncio
import datetime as dt
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import uvloop

from bench.http import Connection, connect, get, post
from bench.machine import pin
from bench.payload import order

PER_SECOND: Final = 500
_PATIENCE_SECONDS: Final = 10.0
_ENTRY: Final = re.compile(rb'"receivedAt":"([^"]+)".*"data":\{"n": (\d+)')
_PERCENTS: Final = (50, 90, 99, 100)


@dataclass(frozen=True, slots=True)
class Watching:
    """Post to each of `paths` in turn, and look with the request for the key beside it."""

    port: int
    paths: Sequence[str]
    keys: Sequence[str]
    headers: dict[str, str]
    seconds: float
    per_second: int = PER_SECOND


@dataclass(frozen=True, slots=True)
class Seen:
    """Milliseconds from POST to 202, and from 202 to visible: p50, p90, p99 and the most.

    `late` counts the posts that were not sent in time.
    """

    posted: list[float]
    visible: list[float]
    events: int
    failed: int
    failure: str
    late: int


def watch(watching: Watching) -> Seen:
    """Run the open loop. Raises: RuntimeError when the process fails."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.watch"],
        input=json.dumps(asdict(watching)),
        capture_output=True,
        text=True,
        check=False,
        timeout=watching.seconds + 6 * _PATIENCE_SECONDS,
    )
    if done.returncode:
        said = done.stderr.strip()[-300:]
        raise RuntimeError(f"the open loop ended with {done.returncode}: {said}")
    return Seen(**json.loads(done.stdout))


class _Loop:
    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._free: list[Connection] = []
        self._posted: list[float] = []
        self._visible: list[float] = []
        self._failures: list[str] = []
        self._late = 0

    async def execute(self) -> Seen:
        """Send them at their times, whatever becomes of the earlier ones."""
        watching = self._watching
        count = int(watching.seconds * watching.per_second)
        began = time.perf_counter() + 0.1
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                due = began + number / watching.per_second
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                elif wait < -0.01:
                    self._late += 1
                tasks.create_task(self._follow(number + 1))
        for connection in self._free:
            connection.close()
        failure = self._failures[0] if self._failures else ""
        return Seen(
            _percentiles(self._posted),
            _percentiles(self._visible),
            len(self._visible),
            len(self._failures),
            failure,
            self._late,
        )

    async def _follow(self, number: int) -> None:
        place = number % len(self._watching.paths)
        try:
            connection = await self._connection()
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._post_and_look(connection, place, number)
        except (TimeoutError, OSError) as exc:
            self._failures.append(f"event {number}: {type(exc).__name__} {exc}")
        else:
            self._free.append(connection)

    async def _post_and_look(self, connection: Connection, place: int, number: int) -> None:
        watching = self._watching
        look = get(f"/v1/keys/{watching.keys[place]}", watching.headers)
        now = dt.datetime.now(tz=dt.UTC).isoformat(timespec="milliseconds")[:23].encode()
        sent = time.perf_counter()
        status, answer = await _ask(connection, post(watching.paths[place], order(number=number)))
        answered = time.perf_counter()
        if status != 202:
            raise OSError(answer.decode("utf-8", "replace")[-300:])
        while True:
            _, answer = await _ask(connection, look)
            found = _ENTRY.search(answer)
            if found and (int(found[2]) == number or found[1] >= now):
                break
        self._posted.append((answered - sent) * 1000)
        self._visible.append((time.perf_counter() - answered) * 1000)

    async def _connection(self) -> Connection:
        if self._free:
            return self._free.pop()
        return await connect(self._watching.port, lambda: self._failures.append("cut"))


def _percentiles(values: list[float]) -> list[float]:
    ordered = sorted(values) or [0.0]
    return [ordered[min(len(ordered) * each // 100, len(ordered) - 1)] for each in _PERCENTS]


async def _ask(connection: Connection, request: bytes) -> tuple[int, bytes]:
    future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

    def answered(status: int, answer: bytes) -> None:
        if not future.done():
            future.set_result((status, answer))

    connection.ask(request, answered)
    return await future


if __name__ == "__main__":
    pin(os.getpid(), "load")
    print(json.dumps(asdict(uvloop.run(_Loop(Watching(**json.loads(sys.stdin.read()))).execute()))))
