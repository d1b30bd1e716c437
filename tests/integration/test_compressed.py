"""Compressed bodies: kept as they came, never unpacked, whatever they would become."""

import gzip
import secrets
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from harness import wait_until

ZEROS = bytes(64 * 1024 * 1024)
BOMBS = {
    "gzip": gzip.compress(ZEROS, mtime=0),
    "deflate": zlib.compress(ZEROS),
    "gzip in gzip": gzip.compress(gzip.compress(ZEROS, mtime=0), mtime=0),
    "several members": gzip.compress(ZEROS[:1_000_000], mtime=0) * 64,
}


@pytest.fixture
async def address(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """Where an account of this test's own is sent to; the client asks in its name."""
    account = f"packed-{secrets.token_hex(4)}"
    assert (await client.put(f"/v1/accounts/{account}", json={})).status_code == 201
    flow = {"keys": ["k"], "auth": {"type": "none"}}
    made = await client.put(f"/v1/accounts/{account}/flows/f", json=flow)
    assert made.status_code == 201
    client.headers["hookrack-account"] = account
    yield f"/in/{account}/f"
    await client.delete(f"/v1/accounts/{account}")


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_stays_what_it_is(client: httpx.AsyncClient, address: str, name: str) -> None:
    """64 MiB that came as some KB are kept and given out as those KB."""
    bomb = BOMBS[name]
    assert len(bomb) < 100_000
    coding = name.partition(" ")[0].replace("several", "gzip")
    headers = {"content-type": "application/octet-stream", "content-encoding": coding}
    assert (await client.post(address, content=bomb, headers=headers)).status_code == 202

    async def there() -> bool:
        found = await client.get("/v1/keys/k?raw=true")
        return found.content == bomb and "content-encoding" not in found.headers

    await wait_until(there, what="the bytes as they came")


async def test_compressed_json_is_no_json(client: httpx.AsyncClient, address: str) -> None:
    """Nothing is unpacked to look whether JSON is in it."""
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await client.post(address, content=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "BODY_NOT_JSON")
