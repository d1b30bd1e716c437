"""What the Set/Get API reads, and of whom: nothing of strangers, and nothing without end."""

from collections.abc import AsyncIterator

import httpx
import pytest
from harness import ADMIN_TOKEN, Served, Wire

CALLS = [
    ("POST", "/v1/get"),
    ("POST", "/v1/set"),
    ("PUT", "/v1/keys/erp"),
    ("PUT", "/v1/accounts/acme"),
    ("PUT", "/v1/accounts/acme/flows/more"),
    ("POST", "/v1/tokens"),
    ("POST", "/v1/dead-letters/redrive"),
]
LIMIT = 25 * 1024 * 1024


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_stranger_is_not_listened_to(served: Served, method: str, path: str) -> None:
    """Without a token the answer is 401, however broken the body is, and before it came."""
    async with httpx.AsyncClient(base_url=served.url) as stranger:
        kind = {"content-type": "application/json"}
        answer = await stranger.request(method, path, content=b"{", headers=kind)
        assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")
    async with Wire(served.url) as wire:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n"
        await wire.send(head.encode(), b"{")
        assert (await wire.answer()).code == "TOKEN_INVALID"


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in chunks"])
async def test_a_body_has_an_end(served: Served, method: str, path: str, declared: bool) -> None:
    """More than 25 MiB is 413 BODY_TOO_LARGE on every call, whether its length was said or not."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1_048_576 + 2):
            yield b" " * 1_048_576

    async with served.client() as client:
        headers = {"content-type": "application/json"}
        content = b" " * (LIMIT + 1) if declared else parts()
        answer = await client.request(method, path, content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


async def test_json_is_what_comes_without_a_type(client: httpx.AsyncClient) -> None:
    """A body without Content-Type is JSON for every call, as at the front door."""
    answer = await client.post("/v1/get", content=b'{"keys": ["nothing-here"]}')
    assert answer.json() == {"entries": {"nothing-here": None}, "omitted": []}


@pytest.mark.parametrize("path", ["/v1/tokens/", "/v1/accounts/", "/docs/", "//v1/tokens"])
async def test_an_address_is_what_it_is(client: httpx.AsyncClient, path: str) -> None:
    """Nobody is sent elsewhere: an address with a slash too many is none."""
    answer = await client.get(str(client.base_url).rstrip("/") + path)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_an_admin_token_in_odd_spellings(served: Served) -> None:
    """The scheme is `Bearer` in any case, with the token behind it and nothing else."""
    spellings = {"bearer {}": 200, "BEARER  {}": 200, "Bearer {}x": 401, "Token {}": 401, "{}": 401}
    for spelling, status in spellings.items():
        headers = {"authorization": spelling.format(ADMIN_TOKEN)}
        async with httpx.AsyncClient(base_url=served.url, headers=headers) as one:
            assert (await one.get("/v1/accounts")).status_code == status
