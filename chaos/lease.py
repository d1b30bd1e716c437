"""Kill the server and its engine while readers lease and ack; no entry is lost or held twice.

    python -m chaos.lease --cycles 50 --seed 7

Writers set events, readers of one group lease, hold and ack them, and processes are killed (-9)
meanwhile. Afterwards every event that got a 201 was handed out; none was handed out again before
the lease that a reader had been told of was over, nor ever after an ack that was answered.
"""

import argparse
import asyncio
import contextlib
import datetime as dt
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from chaos.kill import FAULTS, TOKEN, Target

READERS = 8
LEASE_SECONDS = 2
BATCH = 5
_DRAIN_SECONDS = 30.0
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Hookrack-Account": "acme"}
_KEY = "/v1/keys/leased"


@dataclass
class Report:
    """What happened: events stored, hand-overs, acks answered, and every violation."""

    cycles: int = 0
    stored: set[str] = field(default_factory=set)
    acked: set[str] = field(default_factory=set)
    held: dict[str, float] = field(default_factory=dict)  # until when, as a reader was told
    handed: int = 0
    again: int = 0
    violations: list[str] = field(default_factory=list)

    def hand(self, event_id: str, until: str) -> None:
        """A reader has got an entry."""
        self.handed += 1
        got = time.time()
        if event_id in self.acked:
            self.violations.append(f"{event_id} was handed out after its ack")
        if event_id in self.held:
            self.again += 1
            if got < self.held[event_id]:
                early = self.held[event_id] - got
                self.violations.append(f"{event_id} was handed out {early:.3f} s early")
        self.held[event_id] = dt.datetime.fromisoformat(until).timestamp()


async def _write(client: httpx.AsyncClient, stop: asyncio.Event, report: Report) -> None:
    while not stop.is_set():
        with contextlib.suppress(httpx.HTTPError):
            answer = await client.put(_KEY, content=b'"x"')
            if answer.status_code == httpx.codes.CREATED:
                report.stored.add(answer.json()["eventId"])
        await asyncio.sleep(0.002)


async def _read(
    client: httpx.AsyncClient, stop: asyncio.Event, report: Report, chance: random.Random
) -> None:
    """Lease, hold for a moment, ack; sometimes only a part."""
    wanted = {"max": BATCH, "leaseSeconds": LEASE_SECONDS, "wait": 1}
    while not stop.is_set():
        try:
            answer = await client.post(f"{_KEY}/lease", json=wanted)
            if answer.status_code != httpx.codes.OK:
                await asyncio.sleep(0.05)
                continue
            entries = answer.json()["entries"]
            for each in entries:
                report.hand(each["eventId"], each["leasedUntil"])
            await asyncio.sleep(chance.uniform(0, 0.02))
            settled = [each for each in entries if chance.random() < 0.9]
            if not settled:
                continue
            receipts = {"receipts": [each["receipt"] for each in settled]}
            answer = await client.post(f"{_KEY}/ack", json=receipts)
            if answer.status_code == httpx.codes.OK:
                results = zip(settled, answer.json()["results"], strict=True)
                report.acked |= {
                    each["eventId"] for each, told in results if told["status"] == "acked"
                }
        except httpx.HTTPError:
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def _traffic(target: Target, chance: random.Random, report: Report) -> AsyncIterator[None]:
    """Writers and readers until the end of the context."""
    stop = asyncio.Event()
    async with httpx.AsyncClient(
        base_url=target.url, headers=_HEADERS, timeout=5, trust_env=False
    ) as client:
        tasks = [asyncio.create_task(_write(client, stop, report)) for _ in range(2)]
        tasks += [asyncio.create_task(_read(client, stop, report, chance)) for _ in range(READERS)]
        yield
        stop.set()
        await asyncio.gather(*tasks)


async def _drain(target: Target, chance: random.Random, report: Report) -> None:
    """Without faults, read until everything is acked."""
    stop = asyncio.Event()
    end = time.monotonic() + _DRAIN_SECONDS
    async with httpx.AsyncClient(
        base_url=target.url, headers=_HEADERS, timeout=5, trust_env=False
    ) as client:
        readers = [asyncio.create_task(_read(client, stop, report, chance)) for _ in range(READERS)]
        while report.stored - set(report.held) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*readers)
    lost = report.stored - set(report.held)
    report.violations += [f"{event_id} was never handed out" for event_id in lost]


async def run(cycles: int, *, seed: int) -> Report:
    """Run so many cycles; the report has every violation."""
    report, chance = Report(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="hr-", dir="/tmp") as folder:
        target = Target(Path(folder))
        target.start()
        try:
            for _ in range(cycles):
                faults = chance.choice(FAULTS)
                async with _traffic(target, chance, report):
                    await asyncio.sleep(chance.uniform(0.3, 0.8))
                    target.kill(*faults)
                    await asyncio.sleep(chance.uniform(0.0, 0.3))
                if "server" in faults:
                    target.start()
                report.cycles += 1
            await _drain(target, chance, report)
        finally:
            target.stop()
    return report


def main() -> int:
    """The command line: 0 if nothing was violated."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    chosen = parser.parse_args()
    report = asyncio.run(run(chosen.cycles, seed=chosen.seed))
    print(
        f"seed {chosen.seed}: {report.cycles} kills, {len(report.stored)} events stored, "
        f"{report.handed} handed out, {report.again} of them again, {len(report.acked)} acks "
        f"answered, {len(report.violations)} violations"
    )
    for violation in report.violations[:20]:
        print(" ", violation)
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
