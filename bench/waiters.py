"""Thousands of readers that wait, in this process: each on a connection and a key of its own."""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench import http, servers
from bench.http import Connection, connect
from bench.machine import resident_mb

_SECONDS: Final = 60.0
_GAUGE: Final = b"gateway_waiting_readers "
_LOOK_SECONDS: Final = 0.5
_MOST: Final = 0.99  # the others have just been answered, and come again
_AT_ONCE: Final = 200  # connections that are being made
_BEGIN_AT_ONCE: Final = 20  # every 10 ms: a queue at the server would be weighed, too


@dataclass(frozen=True, slots=True)
class Memory:
    """KB of the server for each reader: connected and answered once, and waiting."""

    idle: float
    waiting: float


class Crowd:
    """The readers; they run on a loop in a thread of their own."""

    def __init__(self, ours: servers.Hookrack, many: int) -> None:
        self._ours = ours
        self._many = many
        self._loop = asyncio.new_event_loop()
        self._connections: list[Connection] = []
        self._answered: dict[int, float] = {}
        self._left = 0
        self._name = secrets.token_hex(4)  # keys that no crowd before has got entries under
        self.memory = Memory(0, 0)

    def run(self) -> None:
        """The thread."""
        self._loop.run_forever()

    def gather(self) -> None:
        """Connect all, let each ask once without and once with a wait, and weigh the server."""
        before = resident_mb(self._ours.pid)
        asyncio.run_coroutine_threadsafe(self._connect(), self._loop).result(_SECONDS)
        idle = resident_mb(self._ours.pid)
        asyncio.run_coroutine_threadsafe(self._wait_all(), self._loop).result(_SECONDS)
        _look_until(self._all_wait, what="readers that wait")
        waiting = resident_mb(self._ours.pid)
        kb = 1024 / self._many
        self.memory = Memory((idle - before) * kb, (waiting - before) * kb)

    def _request(self, number: int, query: str = "") -> bytes:
        return self._ours.get(f"{self._name}-{number}{query}")

    async def _connect(self) -> None:
        for at in range(0, self._many, _AT_ONCE):
            some = range(at, min(at + _AT_ONCE, self._many))
            made = await asyncio.gather(*(connect(self._ours.port, _lost) for _ in some))
            self._connections += made
            done = asyncio.Event()
            self._left = len(made)

            def answered(status: int, _answer: bytes, done: asyncio.Event = done) -> None:
                assert status == 404
                self._left -= 1
                if not self._left:
                    done.set()

            for number, connection in zip(some, made, strict=True):
                connection.ask(self._request(number), answered)
            await done.wait()

    async def _wait_all(self) -> None:
        for number in range(self._many):
            self._wait(number)
            if number % _BEGIN_AT_ONCE == 0:
                await asyncio.sleep(0.01)

    def _wait(self, number: int) -> None:
        def answered(status: int, _answer: bytes) -> None:
            self._answered[number] = time.perf_counter()
            if status == 404:
                self._wait(number)

        seconds = 15 + number % 16  # so that they don't all come again at once
        self._connections[number].ask(self._request(number, f"?wait={seconds}"), answered)

    def _all_wait(self) -> bool:
        return self._count() >= self._many * _MOST

    def nobody_waits(self) -> bool:
        """Whether the server has forgotten all of them."""
        return self._count() == 0

    def _count(self) -> int:
        with http.Client(self._ours.port) as client:
            _, text = client.ask(http.get("/metrics"))
        line = next(each for each in text.splitlines() if each.startswith(_GAUGE))
        return int(float(line.split()[1]))

    def wake(self, count: int) -> tuple[float, float]:
        """Wake some, one after the other: p50 and p99 in ms."""
        took = []
        with http.Client(self._ours.port) as client:
            for turn in range(count):
                number = turn * (self._many // count)
                before = self._answered.get(number)
                put = self._request(number).replace(b"GET", b"PUT", 1)
                put = put.replace(b"\r\n\r\n", b"\r\ncontent-length: 1\r\n\r\n1")
                status, _ = client.ask(put)
                assert status == 201
                stored = time.perf_counter()
                servers.wait_for(
                    lambda number=number, before=before: self._answered.get(number) != before,  # type: ignore[misc]
                    what="a reader that is woken",
                    seconds=_SECONDS,
                )
                took.append(max(0.0, self._answered[number] - stored) * 1000)
        took.sort()
        return took[len(took) // 2], took[len(took) * 99 // 100]

    async def leave(self) -> None:
        """Hang up."""
        for connection in self._connections:
            connection.close()


def _lost() -> None:
    """One that the server has cut: what waits for all of them will say so."""


def _look_until(done: Callable[[], bool], *, what: str) -> None:
    """Ask now and then: it costs the server something. Raises: TimeoutError."""
    end = time.monotonic() + _SECONDS
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {_SECONDS:.0f} s for {what}")
        time.sleep(_LOOK_SECONDS)


@contextmanager
def waiting(ours: servers.Hookrack, many: int) -> Iterator[Crowd]:
    """So many readers wait within."""
    crowd = Crowd(ours, many)
    thread = threading.Thread(target=crowd.run)
    thread.start()
    loop = crowd._loop  # noqa: SLF001 - its own file's
    try:
        crowd.gather()
        yield crowd
    finally:
        asyncio.run_coroutine_threadsafe(crowd.leave(), loop).result(_SECONDS)
        _look_until(crowd.nobody_waits, what="readers that have left")
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
