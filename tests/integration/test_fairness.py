"""One account that sends without end, nine that don't: through a real server, with a backlog."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import redis.asyncio
from harness import Served, wait_until

from hookrack.queues.redis_keys import partition_of

Start = Callable[..., Served]
_NAMES = [f"quiet-{number}" for number in range(100)]
_SAME = [name for name in _NAMES if partition_of(name) == partition_of("noisy")][:3]
QUIET = [*_SAME, *(name for name in _NAMES if name not in _SAME)][:9]  # three share its lane
BACKLOG = 4_000
FLOW = "{keys: [k], auth: {type: none}}"


async def test_nine_quiet_accounts_behind_a_noisy_one(own_server: Start, short_dir: Path) -> None:
    """While a worker works off thousands of one account's events, those of nine others are answered
    202 and are stored long before the backlog is: what they wait for doesn't grow with it.
    """
    path = short_dir / "ten.yaml"
    flows = "".join(f"  {name}: {{flows: {{f: {FLOW}}}}}\n" for name in ("noisy", *QUIET))
    path.write_text(f"version: 1\naccounts:\n{flows}")
    edge = own_server("--role", "edge,api", config=path)
    async with edge.client(account=None) as client:
        await flood(client, BACKLOG)
        worker = own_server(
            *("--store", f"unix://{edge.data_dir}/engine.sock", "--role", "worker"),
            config=path,
            name="worker",
        )
        engine = redis.asyncio.Redis(unix_socket_path=f"{edge.data_dir}/engine.sock")
        begun = time.monotonic()
        waits = [await visible(client, name) for name in QUIET]
        left = await backlog(engine)
        assert left > 0, f"the backlog was gone in {time.monotonic() - begun} s: this shows nothing"
        assert max(waits) < 5, waits
        await wait_until(lambda: _drained(engine), what="an empty queue", seconds=60)
        shown = (await client.get("/v1/accounts/noisy")).json()
        head = 26 + len("f") + len("application/json")
        data = sum(len(str(number)) for number in range(BACKLOG))
        assert shown["usage"]["storedBytes"] == BACKLOG * head + data
        await engine.aclose()
        assert worker.stop() == 0


async def flood(client: httpx.AsyncClient, count: int) -> None:
    """Send so many of the noisy account; each is answered 202."""
    numbers = iter(range(count))

    async def sender() -> None:
        for number in numbers:
            answer = await client.post("/in/noisy/f", content=b"%d" % number)
            assert answer.status_code == 202

    await asyncio.gather(*(sender() for _ in range(16)))


async def visible(client: httpx.AsyncClient, account: str) -> float:
    """Send one event; in how many seconds it is under its key."""
    begun = time.monotonic()
    answer = await client.post(f"/in/{account}/f", json={})
    assert answer.status_code == 202
    own = {"Hookrack-Account": account}
    found = await client.get("/v1/keys/k", params={"wait": 30}, headers=own)
    assert found.json()["eventId"] == answer.json()["eventId"]
    return time.monotonic() - begun


async def backlog(engine: "redis.asyncio.Redis") -> int:
    """How many envelopes wait."""
    lengths = [await engine.xlen(f"hr1:{{q}}:s:{lane}") for lane in range(10)]
    return sum(lengths)


async def _drained(engine: "redis.asyncio.Redis") -> bool:
    return await backlog(engine) == 0
