"""Real payloads and odd JSON, in and out byte for byte.

The corpus is a folder that HOOKRACK_CORPUS names: `github-events.jsonl` with a member `payload` on
each line (octokit/webhooks), and `json-test-suite/` (nst/JSONTestSuite).
"""

import asyncio
import os
from pathlib import Path

import httpx
import pytest
from harness import Served, missing, wait_until

from hookrack.jsontext import split_members

KEYS = ("deploys", "chatbot", "audit")


@pytest.fixture
def corpus() -> Path:
    """The folder with the corpus."""
    named = os.environ.get("HOOKRACK_CORPUS")
    if not named:
        pytest.skip("HOOKRACK_CORPUS names no folder")
    folder = Path(named)
    if not folder.is_dir():
        missing(f"{folder} is not there")
    return folder


async def raw_under(client: httpx.AsyncClient, key: str, event_id: str) -> bytes:
    """The data of this event once it is the newest under a key."""
    body = b""

    async def there() -> bool:
        nonlocal body
        answer = await client.get(f"/v1/keys/{key}?raw=true")
        body = answer.content
        return bool(answer.headers.get("etag") == f'"{event_id}"')

    await wait_until(there, what=f"{event_id} under {key}")
    return body


async def test_real_webhooks_come_back_byte_for_byte_under_three_keys(
    client: httpx.AsyncClient, corpus: Path
) -> None:
    """Every real GitHub payload is found under each of its three keys exactly as it was sent."""
    lines = (corpus / "github-events.jsonl").read_bytes().splitlines()
    assert len(lines) == 165
    for line in lines:
        payload = split_members(line)["payload"]
        headers = {"content-type": "application/json", "x-github-event": "push"}
        answer = await client.post("/in/acme/github", content=payload, headers=headers)
        assert answer.status_code == 202
        event_id = answer.json()["eventId"]
        found = await asyncio.gather(*(raw_under(client, key, event_id) for key in KEYS))
        assert found == [payload] * 3


async def test_odd_json_is_kept_byte_for_byte_or_refused(
    served: Served, client: httpx.AsyncClient, corpus: Path
) -> None:
    """Each file of the JSON test-suite is stored as it is or refused with 4xx; never 500."""
    del served
    files = sorted((corpus / "json-test-suite" / "test_parsing").glob("*.json"))
    assert len(files) > 300
    for file in files:
        body = file.read_bytes()
        answer = await client.post("/in/acme/github", content=body)
        if file.name.startswith("y_"):
            assert answer.status_code == 202, file.name
        elif file.name.startswith("n_"):
            assert answer.status_code == 400, file.name
        assert answer.status_code in (202, 400), file.name
        if answer.status_code == 202:
            assert await raw_under(client, "audit", answer.json()["eventId"]) == body, file.name
