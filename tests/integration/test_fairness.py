"""One account that sends without end, nine that don't: through real servers, with a backlog."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import redis.asyncio
from harness import Served, Wire, wait_until

from hookrack.queues.redis_keys import QueueKeys, bulk_of, partition_of

Start = Callable[..., Served]
NOISY = "noisy"
_NAMES = [f"quiet-{number}" for number in range(400)]
_LANES = (partition_of(NOISY), bulk_of(NOISY))
_SAME = [name for name in _NAMES if (partition_of(name), bulk_of(name)) == _LANES][:3]
QUIET = [*_SAME, *(name for name in _NAMES if name not in _SAME)][:9]  # three share its lanes
BACKLOG = 2_000
SENDERS = 16
BATCH = 100
FLOW = "{keys: [k], auth: {type: none}}"
MIB = 1024 * 1024
BODY = b'"' + b"x" * 100_000 + b'"'


def write_flows(folder: Path) -> Path:
    """The flows of ten accounts."""
    path = folder / "ten.yaml"
    accounts = "".join(f"  {name}: {{flows: {{f: {FLOW}}}}}\n" for name in (NOISY, *QUIET))
    path.write_text(f"version: 1\naccounts:\n{accounts}")
    return path


async def test_nine_quiet_accounts_behind_a_noisy_one(own_server: Start, short_dir: Path) -> None:
    """A worker that finds one account's backlog, and behind it an event of each of nine others,
    stores those nine while most of the backlog still waits; and then all of that.
    """
    path = write_flows(short_dir)
    edge = own_server("--role", "edge,api", config=path)
    socket = f"{edge.data_dir}/engine.sock"
    engine = redis.asyncio.Redis(unix_socket_path=socket)
    async with edge.client(account=None) as client, engine:
        await flood(str(client.base_url))
        for name in QUIET:
            assert (await client.post(f"/in/{name}/f", json={})).status_code == 202
        assert await waiting(engine) == BACKLOG + len(QUIET)
        options = ("--store", f"unix://{socket}", "--role", "worker", "--batch-size", str(BATCH))
        worker = own_server(*options, config=path, name="worker")
        await wait_until(partial(drained, engine), what="an empty queue", seconds=30)
        first = [await stored_at(client, name) for name in QUIET]
        noisy = await stored_at(client, NOISY)
        assert [len(times) for times in first] == [1] * len(QUIET)
        assert len(noisy) == BACKLOG
        last = max(max(times) for times in first)
        # Twice the 128 that may stand before a quiet one, in either lane, and the batches in hand.
        assert sum(time <= last for time in noisy) <= BACKLOG / 4
        shown = (await client.get(f"/v1/accounts/{NOISY}")).json()
        head = 26 + len("f") + len("application/json")
        data = sum(len(str(number)) for number in range(BACKLOG))
        assert shown["usage"]["storedBytes"] == BACKLOG * head + data
        assert worker.stop() == 0


async def test_who_fills_the_queue_hears_429_and_the_others_202(
    own_server: Start, short_dir: Path
) -> None:
    """While nothing is worked off, an account with more than its share of the room hears 429 and
    when to come back; each of nine others is let in.
    """
    options = ("--role", "edge,api", "--max-memory", str(64 * MIB))
    edge = own_server(*options, config=write_flows(short_dir))
    async with edge.client(account=None) as client:
        assert (await client.post(f"/in/{QUIET[0]}/f", json={})).status_code == 202
        refused = await refusal(client)
        assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
        assert "share" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) >= 10
        for name in QUIET:
            answer = await client.post(f"/in/{name}/f", content=BODY)
            assert answer.status_code == 202


async def flood(url: str) -> None:
    """Send the backlog; each is answered 202. Without an HTTP client, which takes most of it."""
    numbers = iter(range(BACKLOG))
    await asyncio.gather(*(_sender(url, numbers) for _ in range(SENDERS)))


async def _sender(url: str, numbers: Iterator[int]) -> None:
    async with Wire(url) as wire:
        for number in numbers:
            head = f"POST /in/{NOISY}/f HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
            body = str(number)
            await wire.send(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            assert (await wire.answer()).status == httpx.codes.ACCEPTED


async def refusal(client: httpx.AsyncClient) -> httpx.Response:
    """Send of the noisy account until it is refused."""
    while True:  # ends with STORE_FULL at the latest
        answer = await client.post(f"/in/{NOISY}/f", content=BODY)
        if answer.status_code != httpx.codes.ACCEPTED:
            return answer


async def waiting(engine: "redis.asyncio.Redis") -> int:
    """How many envelopes wait."""
    return sum([await engine.xlen(stream) for stream in QueueKeys("hr1:").streams])


async def drained(engine: "redis.asyncio.Redis") -> bool:
    """Whether none does."""
    return await waiting(engine) == 0


async def stored_at(client: httpx.AsyncClient, account: str) -> list[str]:
    """When each event of an account was stored, oldest first; the form sorts as the time does."""
    found: list[str] = []
    params: dict[str, str | int] = {"limit": 1_000}
    while True:
        answer = await client.get(
            "/v1/keys/k/events", params=params, headers={"Hookrack-Account": account}
        )
        page = answer.json()
        found += [each["storedAt"] for each in page["entries"]]
        if not page["more"]:
            return found
        params["after"] = page["cursor"]
