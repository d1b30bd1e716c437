"""The product in a few tests, to be read from top to bottom: each shows one thing that it does."""

import asyncio
import json
import subprocess
import sys

import httpx
from harness import ADMIN_TOKEN, EXAMPLE, Served, wait_until


async def read(client: httpx.AsyncClient, key: str, event_id: str) -> httpx.Response:
    """The entry under a key, once it is this event's: storing happens a moment after the 202."""
    answer = await client.get(f"/v1/keys/{key}")

    async def there() -> bool:
        nonlocal answer
        answer = await client.get(f"/v1/keys/{key}")
        return bool(answer.headers.get("etag") == f'"{event_id}"')

    await wait_until(there, what=f"event {event_id} under {key}")
    return answer


async def test_01_send_a_webhook(client: httpx.AsyncClient) -> None:
    """An outside system POSTs to a flow and gets 202: the event is kept."""
    answer = await client.post("/in/acme/github", json={"action": "opened"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "accepted"


async def test_02_fetch_it_by_webhook_key(client: httpx.AsyncClient) -> None:
    """An inside system asks by webhook key and gets the newest entry."""
    sent = await client.post("/in/acme/github", json={"action": "closed"})
    entry = (await read(client, "deploys", sent.json()["eventId"])).json()
    assert entry["data"] == {"action": "closed"}
    assert entry["webhookKey"] == "deploys"


async def test_03_every_system_has_its_own_key(client: httpx.AsyncClient) -> None:
    """One event is under each key of its flow, so that systems don't share a reading position."""
    sent = await client.post("/in/acme/github", json={"n": 3})
    for key in ("deploys", "chatbot", "audit"):
        assert (await read(client, key, sent.json()["eventId"])).json()["data"] == {"n": 3}


async def test_04_bytes_are_sacred(client: httpx.AsyncClient) -> None:
    """JSON comes back as it was written: spacing, order, duplicate names, long numbers."""
    body = b'{"b": 1,"a":  123456789012345678901234567890, "b":1.0}'
    sent = await client.post("/in/acme/github", content=body)
    await read(client, "deploys", sent.json()["eventId"])
    assert (await client.get("/v1/keys/deploys?raw=true")).content == body


async def test_05_each_key_has_its_own_time_to_live(client: httpx.AsyncClient) -> None:
    """The key `audit` keeps events for 7 days, its flow's other keys for the account's one day."""
    sent = await client.post("/in/acme/github", json={})
    audit = (await read(client, "audit", sent.json()["eventId"])).json()
    deploys = (await read(client, "deploys", sent.json()["eventId"])).json()
    assert audit["expiresAt"][:10] > deploys["expiresAt"][:10] > deploys["receivedAt"][:10]


async def test_06_a_secret_in_the_address(client: httpx.AsyncClient) -> None:
    """A flow with a secret takes requests only at an address that ends with it."""
    assert (await client.post("/in/acme/orders/try-orders-7Qm2", json={})).status_code == 202
    refused = await client.post("/in/acme/orders/guess", json={})
    assert (refused.status_code, refused.json()["code"]) == (401, "CREDENTIAL_INVALID")


async def test_07_reading_needs_a_token(served: Served) -> None:
    """Whoever can send can't read: reading takes a token in a header."""
    async with httpx.AsyncClient(base_url=served.url) as stranger:
        assert (await stranger.get("/v1/keys/deploys")).status_code == 401


async def test_08_accounts_never_meet(served: Served, client: httpx.AsyncClient) -> None:
    """A key of one account shows nothing under another account."""
    sent = await client.post("/in/acme/github", json={})
    await read(client, "deploys", sent.json()["eventId"])
    async with served.client(account="kairos") as other:
        assert (await other.get("/v1/keys/deploys")).status_code == 404


async def test_09_a_reader_asks_only_for_news(client: httpx.AsyncClient) -> None:
    """With the tag of the entry it has, a reader gets 304 until there is a newer one."""
    first = await client.post("/in/acme/github", json={"n": 1})
    tag = {
        "if-none-match": (await read(client, "chatbot", first.json()["eventId"])).headers["etag"]
    }
    assert (await client.get("/v1/keys/chatbot", headers=tag)).status_code == 304
    second = await client.post("/in/acme/github", json={"n": 2})
    await read(client, "chatbot", second.json()["eventId"])
    assert (await client.get("/v1/keys/chatbot", headers=tag)).status_code == 200


async def test_10_a_refusal_says_why(client: httpx.AsyncClient) -> None:
    """Every refusal is a problem document with a stable code and a detail."""
    answer = await client.post("/in/acme/github", content=b'{"a": tru}')
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "BODY_NOT_JSON"
    assert "character 6" in answer.json()["detail"]


async def test_11_a_burst_is_taken_whole(client: httpx.AsyncClient) -> None:
    """Hundreds of webhooks at once are all accepted, and the last one is the newest."""
    burst = [client.post("/in/acme/github", json={"n": number}) for number in range(300)]
    answers = await asyncio.gather(*burst)
    assert {answer.status_code for answer in answers} == {202}
    last = await client.post("/in/acme/github", json={"n": "last"})
    assert (await read(client, "deploys", last.json()["eventId"])).json()["data"] == {"n": "last"}


async def test_12_the_command_line_reads_too(served: Served, client: httpx.AsyncClient) -> None:
    """`hookrack get` prints the entry, one JSON line when its output goes to a program."""
    sent = await client.post("/in/acme/github", json={"by": "command line"})
    await read(client, "deploys", sent.json()["eventId"])
    done = subprocess.run(
        [sys.executable, "-m", "hookrack", "get", "deploys", "--account", "acme"],
        env={"HOOKRACK_URL": served.url, "HOOKRACK_TOKEN": ADMIN_TOKEN},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["eventId"] == sent.json()["eventId"]


def test_13_a_flow_file_is_checked_offline() -> None:
    """`hookrack check` says whether a flow file is good, without a server."""
    command = [sys.executable, "-m", "hookrack", "check", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "good, 2 accounts, 4 flows" in done.stdout


async def test_14_health_for_the_load_balancer(client: httpx.AsyncClient) -> None:
    """/readyz names each part that requests need."""
    ready = (await client.get("/readyz")).json()
    assert ready == {
        "status": "ready",
        "checks": {"store": "ok", "queue": "ok", "worker": "ok"},
    }
