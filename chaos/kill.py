"""Kill the server and its engine in mid-traffic, again and again; nothing acknowledged may be lost.

    python -m chaos.kill --cycles 200 --seed 7

Each cycle sends for a random moment, kills (-9) the engine, the server, or both in either order,
starts again, and asks for every event that got a 202: it must be stored, under each of its three
webhook keys exactly once, within 5 s of `ready`. The seed repeats the schedule, not the timing.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis.asyncio

from hookrack.entries import LifeStatus
from hookrack.stores.redis_codec import decode_life

SENDERS = 16
VISIBLE_SECONDS = 5.0
KEYS = ("deploys", "chatbot", "audit")
FAULTS = (("engine", "server"), ("server", "engine"), ("server",), ("engine",))
EXAMPLE = Path(__file__).parent.parent / "examples" / "hookrack.yaml"
TOKEN = "chaos-" + "0" * 32


@dataclass
class Report:
    """What happened: cycles, acknowledged events, the slowest return, and every violation."""

    cycles: int = 0
    acknowledged: int = 0
    refused: int = 0
    slowest: float = 0.0
    violations: list[str] = field(default_factory=list)


class Target:
    """One data directory and the server on it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = (folder / "log").open("ab")
        self.server: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Start the server; returns when it says `ready`."""
        command = [sys.executable, "-m", "hookrack", "serve", "--port", "0"]
        self.server = subprocess.Popen(
            [*command, "--config", str(EXAMPLE), "--data-dir", str(self.data)],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | {"HOOKRACK_ADMIN_TOKEN": TOKEN},
        )
        assert self.server.stdout is not None
        if not any(line.startswith(b"ready") for line in self.server.stdout):
            raise RuntimeError(f"serve did not start; see {self.log.name}")
        self.url = json.loads((self.data / "server.json").read_text())["url"]

    def kill(self, *names: str) -> None:
        """Kill by name, in this order, with nothing between."""
        assert self.server is not None
        pids = {"engine": int((self.data / "engine.pid").read_text()), "server": self.server.pid}
        for name in names:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[name], signal.SIGKILL)
        if "server" in names:
            self._reap()

    def stop(self) -> None:
        """Stop what still runs."""
        if self.server is not None:
            self.server.terminate()
            self._reap()
        self.log.close()

    def _reap(self) -> None:
        if self.server is not None:
            self.server.wait(15)
            if self.server.stdout is not None:
                self.server.stdout.close()
            self.server = None


async def _send(
    client: httpx.AsyncClient, stop: asyncio.Event, acknowledged: list[str], report: Report
) -> None:
    """One sender: posts until told to stop, and notes what was acknowledged."""
    while not stop.is_set():
        try:
            answer = await client.post("/in/acme/github", content=b'"%b"' % (b"x" * 500))
        except httpx.HTTPError:
            return
        if answer.status_code == httpx.codes.ACCEPTED:
            acknowledged.append(answer.json()["eventId"])
        else:
            report.refused += 1
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _traffic(
    url: str, acknowledged: list[str], report: Report
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Senders on one client each of whose connections is warm; they stop with the context."""
    stop = asyncio.Event()
    async with httpx.AsyncClient(base_url=url, timeout=15, trust_env=False) as client:
        senders = [
            asyncio.create_task(_send(client, stop, acknowledged, report)) for _ in range(SENDERS)
        ]
        while len(acknowledged) < SENDERS and not all(sender.done() for sender in senders):
            await asyncio.sleep(0.001)
        yield senders
        stop.set()
        await asyncio.gather(*senders)


async def _missing(target: Target, wanted: list[str]) -> list[str]:
    """Which of these events aren't stored."""
    names = [f"hr1:{{acme}}:l:{event_id}" for event_id in wanted]
    async with redis.asyncio.Redis(unix_socket_path=f"{target.data}/engine.sock") as store:
        lives: list[Any] = await store.mget(names)
    now = time.time_ns() // 1_000_000
    found = {
        event_id
        for event_id, raw in zip(wanted, lives, strict=True)
        if raw and decode_life("acme", event_id, raw=raw, now=now).status is LifeStatus.STORED
    }
    return [event_id for event_id in wanted if event_id not in found]


async def _cycle(target: Target, chance: random.Random, report: Report) -> list[str]:
    """One fault; the events acknowledged before it."""
    acknowledged = list[str]()
    faults = chance.choice(FAULTS)
    async with _traffic(target.url, acknowledged, report) as senders:
        await asyncio.sleep(chance.uniform(0.0, 0.25))
        target.kill(*faults)
        if "server" in faults:
            await asyncio.gather(*senders)
        else:
            await asyncio.sleep(chance.uniform(0.0, 0.3))
    if "server" in faults:
        target.start()
    ready = time.monotonic()
    lost = acknowledged
    while lost and time.monotonic() < ready + VISIBLE_SECONDS:
        with contextlib.suppress(redis.exceptions.RedisError):
            lost = await _missing(target, lost)
        await asyncio.sleep(0.01)
    report.slowest = max(report.slowest, time.monotonic() - ready)
    report.violations += [f"after {faults}: {event_id} is not there" for event_id in lost]
    return acknowledged


async def _count_twice(target: Target, wanted: list[str], report: Report) -> None:
    """At the end every event stands under each key once, and nothing was buried."""
    async with redis.asyncio.Redis(unix_socket_path=f"{target.data}/engine.sock") as store:
        for key in KEYS:
            seen: dict[str, int] = {}
            for kind in ("k", "o"):
                members: list[bytes] = await store.zrange(f"hr1:{{acme}}:{kind}:{key}", 0, -1)  # type: ignore[assignment]
                for member in members:
                    event_id = member[12:].decode()
                    seen[event_id] = seen.get(event_id, 0) + 1
            wrong = {event_id: seen.get(event_id, 0) for event_id in wanted}
            report.violations += [
                f"{event_id} stands {times} times under {key}"
                for event_id, times in wrong.items()
                if times != 1
            ]
        if buried := await store.zcard("hr1:{q}:dl"):
            report.violations.append(f"{buried} events were buried")


async def run(cycles: int, *, seed: int) -> Report:
    """Run so many cycles; the report has every violation."""
    report, chance, acknowledged = Report(), random.Random(seed), list[str]()
    with tempfile.TemporaryDirectory(prefix="hr-", dir="/tmp") as folder:
        target = Target(Path(folder))
        target.start()
        try:
            for _ in range(cycles):
                acknowledged += await _cycle(target, chance, report)
                report.cycles += 1
            await _count_twice(target, acknowledged, report)
        finally:
            target.stop()
    report.acknowledged = len(acknowledged)
    return report


def main() -> int:
    """The command line: 0 if nothing was violated."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    chosen = parser.parse_args()
    began = time.monotonic()
    report = asyncio.run(run(chosen.cycles, seed=chosen.seed))
    print(
        f"seed {chosen.seed}: {report.cycles} kills in {time.monotonic() - began:.0f} s, "
        f"{report.acknowledged} events acknowledged, {report.refused} refused, all there after "
        f"at most {report.slowest:.2f} s, {len(report.violations)} violations"
    )
    for violation in report.violations[:20]:
        print(" ", violation)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
