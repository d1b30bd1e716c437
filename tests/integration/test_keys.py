"""GET /v1/keys/{key}: who may ask, and what is answered."""

import httpx
import pytest
from harness import ADMIN_TOKEN, Served, wait_until


@pytest.fixture
async def event_id(client: httpx.AsyncClient) -> str:
    """An event that is under its keys."""
    answer = await client.post("/in/acme/github", content=b'{"n":  12345678901234567890}')
    sent = str(answer.json()["eventId"])

    async def there() -> bool:
        answer = await client.get("/v1/keys/deploys")
        return bool(answer.headers.get("etag") == f'"{sent}"')

    await wait_until(there, what="the event under its key")
    return sent


def refused(response: httpx.Response, status: int, code: str) -> None:
    """A problem with this status and code."""
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_an_entry_has_all_its_fields(client: httpx.AsyncClient, event_id: str) -> None:
    """An entry says what it is, whose, from when to when, and carries the data as written."""
    answer = await client.get("/v1/keys/audit")
    assert answer.status_code == 200
    entry = answer.json()
    assert entry["eventId"] == event_id
    assert (entry["webhookKey"], entry["account"], entry["flow"]) == ("audit", "acme", "github")
    assert entry["contentType"] == "application/json"
    assert set(entry) == {
        *("eventId", "webhookKey", "account", "flow", "receivedAt", "storedAt", "expiresAt"),
        *("cursor", "contentType", "data"),
    }
    for name in ("receivedAt", "storedAt", "expiresAt"):
        assert entry[name].endswith("Z")
        assert len(entry[name]) == len("2026-11-23T12:00:00.000Z")
    assert answer.content.endswith(b',"data":{"n":  12345678901234567890}}')


async def test_raw_is_the_data_alone(client: httpx.AsyncClient, event_id: str) -> None:
    """With ?raw=true the answer is the body that was sent, with its type and the event's tag."""
    answer = await client.get("/v1/keys/deploys?raw=true")
    assert answer.content == b'{"n":  12345678901234567890}'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == f'"{event_id}"'
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_bytes_come_as_base64(client: httpx.AsyncClient) -> None:
    """Data that isn't JSON stands in an entry as dataBase64."""
    headers = {"content-type": "application/octet-stream"}
    sent = await client.post("/in/acme/github", content=b"\x00\xff", headers=headers)

    async def there() -> bool:
        entry = (await client.get("/v1/keys/chatbot")).json()
        return bool(entry.get("eventId") == sent.json()["eventId"])

    await wait_until(there, what="the event under its key")
    entry = (await client.get("/v1/keys/chatbot")).json()
    assert entry["dataBase64"] == "AP8="
    assert "data" not in entry


async def test_what_is_known_is_not_sent_again(client: httpx.AsyncClient, event_id: str) -> None:
    """If-None-Match with the newest event's tag, or its bare id, gets 304 without a body."""
    for tags in (f'"{event_id}"', f'"other", W/"{event_id}"', "*", event_id):
        answer = await client.get("/v1/keys/deploys", headers={"if-none-match": tags})
        assert (answer.status_code, answer.content) == (304, b"")
        assert not {"content-length", "transfer-encoding"} & set(answer.headers)
    for tags in ('"other"', "other", event_id[:-1], f'"{event_id}'):
        answer = await client.get("/v1/keys/deploys", headers={"if-none-match": tags})
        assert answer.status_code == 200


async def test_head_has_the_headers_only(client: httpx.AsyncClient, event_id: str) -> None:
    """HEAD answers as GET does, without the body."""
    answer = await client.head("/v1/keys/deploys")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == f'"{event_id}"'


async def test_a_key_without_an_event_is_404(client: httpx.AsyncClient) -> None:
    """A key that nobody has written yet has no event; keys need no registration."""
    refused(await client.get("/v1/keys/never-seen"), 404, "NO_EVENT")


async def test_what_is_no_key_is_refused(client: httpx.AsyncClient) -> None:
    """A name that can't be a webhook key gets 400."""
    for name in ("..%2e", "a%20b", "x" * 129, "caf%C3%A9", "a%00b", "a*"):
        refused(await client.get(f"/v1/keys/{name}"), 400, "KEY_INVALID")


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer wrong", f"Basic {ADMIN_TOKEN}", ADMIN_TOKEN),
        *(f"Bearer {ADMIN_TOKEN}x", f"Bearer {ADMIN_TOKEN[:-1]}"),
    ],
)
async def test_without_the_token_nothing_is_shown(
    served: Served, authorization: str | None
) -> None:
    """A missing or wrong token gets 401, whether the key has an event or not."""
    headers = {"hookrack-account": "acme"}
    if authorization is not None:
        headers["authorization"] = authorization
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as stranger:
        for key in ("deploys", "never-seen"):
            answer = await stranger.get(f"/v1/keys/{key}")
            refused(answer, 401, "TOKEN_INVALID")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_for_all_accounts_must_name_one(served: Served, event_id: str) -> None:
    """Without Hookrack-Account the admin token is asked for an account; others' keys are empty."""
    del event_id
    async with served.client(account=None) as client:
        refused(await client.get("/v1/keys/deploys"), 400, "ACCOUNT_REQUIRED")
    async with served.client(account="kairos") as client:
        refused(await client.get("/v1/keys/deploys"), 404, "NO_EVENT")
    async with served.client(account="No Such!") as client:
        refused(await client.get("/v1/keys/deploys"), 404, "ACCOUNT_UNKNOWN")


async def test_unknown_queries_are_refused(client: httpx.AsyncClient) -> None:
    """A query that isn't understood is refused rather than passed over."""
    refused(await client.get("/v1/keys/deploys?rwa=true"), 400, "QUERY_INVALID")
    refused(await client.get("/v1/keys/deploys?raw=maybe"), 400, "QUERY_INVALID")


async def test_other_methods_and_addresses_are_refused(client: httpx.AsyncClient) -> None:
    """What isn't there says so."""
    refused(await client.delete("/v1/keys/deploys"), 405, "METHOD_NOT_ALLOWED")
    refused(await client.get("/v1/keys/deploys/lease"), 405, "METHOD_NOT_ALLOWED")
    refused(await client.get("/v1/keys/deploys/leases"), 404, "NOT_FOUND")
    refused(await client.get("/nothing"), 404, "NOT_FOUND")


async def test_health(client: httpx.AsyncClient) -> None:
    """/livez says that the process runs, /readyz that store, queue and worker do."""
    assert (await client.get("/livez")).status_code == 200
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"store": "ok", "queue": "ok", "worker": "ok"},
    }
