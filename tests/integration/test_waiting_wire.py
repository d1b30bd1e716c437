"""Calls that wait, on the wire: what stands behind one, and what it may look like itself."""

import json
from secrets import token_hex

import httpx
import pytest
from harness import ADMIN_TOKEN, Served, Wire, wait_until

HEAD = f"host: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\nhookrack-account: acme\r\n"
LEASE = b'{"wait": 30}'


@pytest.fixture
def key() -> str:
    """A webhook key of this test's own."""
    return f"k{token_hex(4)}"


async def some_wait(client: httpx.AsyncClient, count: int = 1) -> None:
    """Return when so many readers wait at the server."""

    async def there() -> bool:
        return f"gateway_waiting_readers {count}.0" in (await client.get("/metrics")).text

    await wait_until(there, what=f"{count} readers that wait")


async def test_requests_behind_a_wait_have_their_turn(
    client: httpx.AsyncClient, served: Served, key: str
) -> None:
    """Pipelined requests are answered in their order, each wait by what comes for it."""
    paths = (f"/v1/keys/{key}-1?wait=30", f"/v1/keys/{key}-2?wait=30", "/livez")
    requests = "".join(f"GET {path} HTTP/1.1\r\n{HEAD}\r\n" for path in paths)
    async with Wire(served.url) as wire:
        await wire.send(requests.encode())
        await some_wait(client)
        await client.put(f"/v1/keys/{key}-2", content=b"2")
        await client.put(f"/v1/keys/{key}-1", content=b"1")
        first, second, third = [await wire.answer() for _ in paths]
        assert [json.loads(each.body)["data"] for each in (first, second)] == [1, 2]
        assert json.loads(third.body) == {"status": "live"}


@pytest.mark.parametrize("expects", [False, True])
async def test_a_lease_waits_however_it_was_sent(
    client: httpx.AsyncClient, served: Served, key: str, *, expects: bool
) -> None:
    """In chunks, or with a body that is asked for first; it waits and is answered."""
    more = "expect: 100-continue\r\n" if expects else ""
    head = f"POST /v1/keys/{key}/lease HTTP/1.1\r\n{HEAD}{more}transfer-encoding: chunked\r\n\r\n"
    async with Wire(served.url) as wire:
        await wire.send(head.encode())
        if expects:
            assert (await wire.answer()).status == 100
        await wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(LEASE), LEASE))
        await some_wait(client)
        await client.put(f"/v1/keys/{key}", content=b"7")
        (entry,) = json.loads((await wire.answer()).body)["entries"]
        assert (entry["data"], entry["attempt"]) == (7, 1)


async def test_a_wait_in_http_1_0_ends_with_its_connection(
    client: httpx.AsyncClient, served: Served, key: str
) -> None:
    """It is answered when there is an entry, and nothing follows on the connection."""
    async with Wire(served.url) as wire:
        await wire.send(f"GET /v1/keys/{key}?wait=30 HTTP/1.0\r\n{HEAD}\r\n".encode())
        await some_wait(client)
        await client.put(f"/v1/keys/{key}", content=b"1")
        assert (await wire.answer()).status == 200
        assert await wire.ended()


async def test_garbage_behind_a_wait_is_refused_after_its_answer(
    client: httpx.AsyncClient, served: Served, key: str
) -> None:
    """What is no request doesn't end the wait before it."""
    async with Wire(served.url) as wire:
        await wire.send(f"GET /v1/keys/{key}?wait=30 HTTP/1.1\r\n{HEAD}\r\n".encode())
        await some_wait(client)
        await wire.send(b"\x00\xff\r\n\r\n")
        await client.put(f"/v1/keys/{key}", content=b"1")
        assert (await wire.answer()).status == 200
        assert (await wire.answer()).code == "REQUEST_INVALID"
        assert await wire.ended()
