"""With hookrack: a webhook is stored once, and the systems ask for it by webhook key."""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from examples.kairos.webhooks import Round, check_all_there

from hookrack.client import AsyncClient

_CONFIG: Final = Path(__file__).with_name("hookrack.yaml")
_AT_ONCE: Final = 16  # webhooks under way
_KEY: Final = "orders"


@asynccontextmanager
async def running_hookrack() -> AsyncIterator[tuple[str, AsyncClient]]:
    """`hookrack serve` with its embedded default: its address, and a client. Removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="kairos-hr-"))
    words = ("serve", "--port", "0", "--config", str(_CONFIG), "--data-dir", str(folder / "data"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookrack", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            if line.startswith(b"ready"):
                break
        else:
            raise SystemExit("hookrack did not start")
        url = json.loads((folder / "data" / "server.json").read_text())["url"]
        token = (folder / "data" / "admin-token").read_text().strip()
        async with AsyncClient(url, token, account="kairos") as client:
            yield url, client
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def burst(url: str, client: AsyncClient, *, systems: int, webhooks: Sequence[bytes]) -> Round:
    """A burst of webhooks arrives, and every system asks for it; what that took."""
    await _post(url, webhooks)
    found = await asyncio.gather(
        *(_read(client, f"system-{n}-of-{systems}", len(webhooks)) for n in range(systems))
    )
    for number, (bodies, _) in enumerate(found):
        check_all_there(f"system {number}", bodies, webhooks)
    await client.purge(_KEY)
    return Round(
        systems,
        calls=sum(calls for _, calls in found),
        read_bytes=sum(len(body) for bodies, _ in found for body in bodies),
    )


async def _post(url: str, webhooks: Sequence[bytes]) -> None:
    """What the web shop does: one request for each webhook, to hookrack instead of the core."""
    free = asyncio.Semaphore(_AT_ONCE)
    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as shop:

        async def send(body: bytes) -> None:
            async with free:
                answer = await shop.post("/in/kairos/orders", content=body)
                answer.raise_for_status()

        await asyncio.gather(*(send(body) for body in webhooks))


async def _read(client: AsyncClient, group: str, count: int) -> tuple[list[bytes], int]:
    """What a system does when it is ready: lease, work, ack. Its webhooks, and how many calls."""
    bodies: list[bytes] = []
    calls = 0
    while len(bodies) < count:
        async with client.lease(_KEY, group=group, max=100, wait=10) as lease:
            bodies += [entry.raw for entry in lease]
        calls += 2 if lease.entries else 1  # a lease, and an ack
        if not lease.entries:
            break
    return bodies, calls
