"""Thousands of sockets that dribble: what do honest senders feel of them?

    python -m chaos.slow --sockets 5000 --seconds 20 --pairs 3

By turns an honest sender posts at a steady pace without and with the crowd. A third of the crowd
dribbles headers, a third a body, a third says nothing; who is cut off comes again at once. The
crowd lives in a process of its own, so that what is measured is the server.
"""

import argparse
import asyncio
import contextlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from chaos.kill import Target

PACE: Final = 100  # honest requests a second
DRIBBLE: Final = 2.0  # seconds between two bytes of a slow sender
ROOT: Final = Path(__file__).parents[1]
HEAD: Final = b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\n"
HONEST: Final = HEAD + b"Content-Length: 512\r\n\r\n" + b'"%b"' % (b"x" * 510)
# How a slow sender begins, and what it goes on with; the last says nothing at all.
WAYS: Final = (
    (HEAD + b"X-Slow: ", b"a"),
    (HEAD + b"Content-Length: 100000\r\n\r\n", b"["),
    (b"", b""),
)


@dataclass
class Report:
    """What honest senders felt (ms), pair by pair, and what the crowd met with."""

    quiet: list[list[float]] = field(default_factory=list)
    crowded: list[list[float]] = field(default_factory=list)
    connected: int = 0  # the fewest slow sockets that were open while it was measured
    cut: int = 0
    failures: list[str] = field(default_factory=list)

    def ratio(self) -> float:
        """The p99 with the crowd over that without, the median of the pairs."""
        both = zip(self.crowded, self.quiet, strict=True)
        return statistics.median(p99(slow) / p99(still) for slow, still in both)


def p99(times: list[float]) -> float:
    """What all but one in a hundred stay below."""
    return sorted(times)[len(times) * 99 // 100]


class Slow(asyncio.Protocol):
    """One slow sender; it is back as soon as it was cut off."""

    open = 0
    cut = 0

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self._crowd, (self._start, self._piece) = crowd, WAYS[number % len(WAYS)]
        self._transport: asyncio.Transport | None = None
        self._number = number

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say how it begins."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        Slow.open += 1
        if self._start:
            transport.write(self._start)
            self._crowd.loop.call_later(random.uniform(0, DRIBBLE), self._dribble)

    def _dribble(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._piece)
            self._crowd.loop.call_later(DRIBBLE, self._dribble)

    def connection_lost(self, exc: Exception | None) -> None:
        """Come again."""
        del exc
        Slow.open -= 1
        Slow.cut += 1
        self._crowd.again(self._number)


class Crowd:
    """All slow senders of this process."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        assert where.hostname
        assert where.port
        self.place = (where.hostname, where.port)
        self.loop = asyncio.get_running_loop()
        self._tasks = set[asyncio.Task[None]]()
        self._gate = asyncio.Semaphore(200)  # connections that are being made

    def again(self, number: int) -> None:
        """Connect one."""
        task = self.loop.create_task(self._connect(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, number: int) -> None:
        async with self._gate:
            try:
                await self.loop.create_connection(lambda: Slow(self, number), *self.place)
            except OSError:
                self.loop.call_later(0.5, self.again, number)


async def crowd(url: str, sockets: int) -> None:
    """Be the crowd until killed; each second a line says how many are open and were cut."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    together = Crowd(url)
    for number in range(sockets):
        together.again(number)
    while True:
        print(Slow.open, Slow.cut, flush=True)
        await asyncio.sleep(0.5)


class Honest:
    """Posts at a steady pace over a few connections; a late answer doesn't hold up the next."""

    def __init__(self, url: str, report: Report) -> None:
        self._where, self._report = urlsplit(url), report
        self._idle = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self._idle:
            line[1].close()

    async def measure(self, seconds: float) -> list[float]:
        """The times of answers in ms, each from the moment it was due."""
        begun, times = time.perf_counter(), list[float]()
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * PACE)):
                due = begun + number / PACE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self._one(due, times))
        return times

    async def _one(self, due: float, times: list[float]) -> None:
        try:
            async with asyncio.timeout(30):
                reader, writer, head = await self._answered()
        except (OSError, asyncio.IncompleteReadError) as exc:
            self._report.failures.append(f"{type(exc).__name__}: {exc}")
            return
        times.append((time.perf_counter() - due) * 1_000)
        if not head.startswith(b"HTTP/1.1 202"):
            self._report.failures.append(head[:60].decode("latin-1"))
        self._idle.append((reader, writer))

    async def _answered(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """The head of an answer. A connection that was idle for too long is made anew."""
        reader, writer = await self._line()
        writer.write(HONEST)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
        return reader, writer, head

    async def _line(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await self._connect()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._where.hostname, self._where.port)


@contextlib.asynccontextmanager
async def _crowded(url: str, sockets: int, report: Report) -> AsyncIterator[None]:
    """So many slow sockets are open within."""
    command = [sys.executable, "-m", "chaos.slow", "--crowd", url, "--sockets", str(sockets)]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    counts = [0, 0]
    lowest = sockets

    async def listen() -> None:
        nonlocal lowest
        assert child.stdout is not None
        async for line in child.stdout:
            counts[:] = map(int, line.split())
            if full.is_set():
                lowest = min(lowest, counts[0])
            if counts[0] >= sockets * 0.98:
                full.set()

    full = asyncio.Event()
    task = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(60):
            await full.wait()
        yield
    finally:
        child.kill()
        await child.wait()
        await task
        report.cut += counts[1]
        report.connected = min(report.connected or sockets, lowest)


async def run(sockets: int, *, seconds: float, pairs: int) -> Report:
    """Measure so many pairs; the report has every honest request that failed."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="hr-", dir="/tmp") as folder:
        target = Target(Path(folder))
        target.start()
        try:
            async with Honest(target.url, report) as honest:
                await honest.measure(min(1.0, seconds))
                for _ in range(pairs):
                    report.quiet.append(await honest.measure(seconds))
                    async with _crowded(target.url, sockets, report):
                        report.crowded.append(await honest.measure(seconds))
        finally:
            target.stop()
    return report


def main() -> int:
    """The command line: 0 if every honest request was taken and p99 at most doubled."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sockets", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--crowd", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.crowd:
        asyncio.run(crowd(chosen.crowd, chosen.sockets))
    report = asyncio.run(run(chosen.sockets, seconds=chosen.seconds, pairs=chosen.pairs))
    for still, slow in zip(report.quiet, report.crowded, strict=True):
        halves = (statistics.median(still), p99(still), statistics.median(slow), p99(slow))
        print("p50 / p99 ms: {:.1f} / {:.1f} alone, {:.1f} / {:.1f} with them".format(*halves))
    print(
        f"{report.connected} of {chosen.sockets} slow sockets open at least, {report.cut} cut off; "
        f"p99 is {report.ratio():.2f} times what it was, {len(report.failures)} honest failures"
    )
    for failure in report.failures[:10]:
        print(" ", failure)
    return 1 if report.failures or report.ratio() > 2 else 0


if __name__ == "__main__":
    sys.exit(main())
