"""The methods of every address of the Set/Get API."""

import re
from typing import Final

import httpx
import pytest
from harness import Served

from hookrack.entrypoints.http.api import describe_api

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
FIXED: Final = ("/livez", "/readyz", "/metrics", "/in/acme/github")
ADDRESSES: Final = sorted({*describe_api().openapi()["paths"], "/docs", "/openapi.json", *FIXED})


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_405_names_every_method_of_the_address(served: Served, address: str) -> None:
    """A method is named in Allow if and only if it is not refused there; every 405 says so."""
    path = re.sub(r"\{[a-z_]+\}", "deploys", address)
    async with httpx.AsyncClient(base_url=served.url, trust_env=False) as client:
        answers = {method: await client.request(method, path) for method in METHODS}
    refused = {method: each for method, each in answers.items() if each.status_code == 405}
    allowed = set(METHODS) - set(refused)
    assert allowed
    for method, answer in refused.items():
        assert set(answer.headers["allow"].split(", ")) == allowed, method
        if method != "HEAD":
            assert answer.json()["code"] == "METHOD_NOT_ALLOWED"


async def test_an_address_with_a_slash_too_many_is_none(client: httpx.AsyncClient) -> None:
    """Nobody is sent elsewhere, least of all to where the Host header says: 404."""
    for path in ("/v1/accounts/", "/v1/tokens/", "/docs/"):
        answer = await client.get(path, headers={"Host": "elsewhere.example"})
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(("content_type", "status"), [(None, 200), ("application/json", 200),
    ("application/x-www-form-urlencoded", 400), ("text/plain", 400)])  # fmt: skip
async def test_json_is_sent_as_json(
    client: httpx.AsyncClient, content_type: str | None, status: int
) -> None:
    """A body without a type is JSON; with another type, as curl's own, the header is named."""
    headers = {"content-type": content_type} if content_type else {}
    answer = await client.post("/v1/get", content=b'{"keys": ["a"]}', headers=headers)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "QUERY_INVALID"
        assert "Content-Type: application/json" in answer.json()["detail"]
