"""Run both sides and print the table: `python -m examples.kairos`."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from examples.kairos import after
from examples.kairos.broker import Relay, running_broker, why_missing
from examples.kairos.webhooks import SYSTEMS, Round, make_webhooks

_HEADS: Final = (
    *("systems", "messages before", "bytes before", "messages after", "bytes after"),
    *("calls to hookrack", "bytes of data there"),
)


async def run(count: int, *, with_broker: bool) -> None:
    """Both sides, for each number of systems."""
    webhooks = make_webhooks(count)
    print(f"{count} webhooks, {sum(map(len, webhooks)):,} bytes, that 1, 3 and 30 systems need.")
    print("What goes through the broker, before and after, and what hookrack is asked instead:\n")
    async with _broker(wanted=with_broker) as broker, after.running_hookrack() as (url, client):
        befores = [await _before(broker, systems, webhooks) for systems in SYSTEMS]
        relayed = broker[1].bytes if broker else 0
        afters = [
            await after.burst(url, client, systems=systems, webhooks=webhooks)
            for systems in SYSTEMS
        ]
        still = broker[1].bytes - relayed if broker else None
    _show(befores, afters, still=still)


@asynccontextmanager
async def _broker(*, wanted: bool) -> AsyncIterator[tuple[int, Relay] | None]:
    """ActiveMQ behind a relay that counts; the relay's port."""
    if not wanted:
        yield None
        return
    async with running_broker() as port:
        relay = Relay(port)
        async with relay.listening() as counted:
            yield counted, relay


async def _before(
    broker: tuple[int, Relay] | None, systems: int, webhooks: Sequence[bytes]
) -> Round | None:
    if broker is None:
        return None
    from examples.kairos import before  # noqa: PLC0415 - its client is there where a broker is

    return await before.burst(*broker, systems=systems, webhooks=webhooks)


def _show(befores: Sequence[Round | None], afters: Sequence[Round], *, still: int | None) -> None:
    """The table; what the broker got in the second half is measured by the same relay."""
    rows = [_HEADS]
    through = {None: ("-", "-"), 0: ("0", "0")}.get(still, ("?", f"{still}"))  # no byte, no message
    for old, new in zip(befores, afters, strict=True):
        was = (f"{old.messages:,}", f"{old.broker_bytes:,}") if old else ("-", "-")
        rows.append((f"{new.systems}", *was, *through, f"{new.calls:,}", f"{new.read_bytes:,}"))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def main() -> int:
    """Run what can be run here, and say what can't."""
    parser = argparse.ArgumentParser(prog="examples.kairos", description=__doc__)
    parser.add_argument("--webhooks", type=int, default=100, help="in a burst (default 100)")
    count = parser.parse_args().webhooks
    lacking = why_missing()
    if lacking and os.environ.get("CI"):
        print(f"{lacking}; CI must have it", file=sys.stderr)
        return 1
    asyncio.run(run(count, with_broker=lacking is None))
    if lacking:
        print(f"\nThe side with the broker was skipped: {lacking}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
