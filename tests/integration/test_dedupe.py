"""Repeated deliveries through a real server: by whose id they are known, and who counts them."""

import asyncio
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from harness import wait_until
from signing import SECRET, hmac_signed

GITHUB = {"type": "github", "secrets": [SECRET]}
STRIPE = {"type": "stripe", "secrets": [SECRET]}


@pytest.fixture
async def account(client: httpx.AsyncClient) -> AsyncIterator[str]:
    """A new account, in whose name the client asks from now on."""
    name = f"dedupe-{secrets.token_hex(4)}"
    assert (await client.put(f"/v1/accounts/{name}", json={})).status_code == 201
    client.headers["hookrack-account"] = name
    yield name
    await client.delete(f"/v1/accounts/{name}")


async def made(client: httpx.AsyncClient, account: str, auth: object, **more: object) -> str:
    """A new flow; where to send to it."""
    fields = {"keys": ["k"], "auth": auth} | more
    answer = await client.put(f"/v1/accounts/{account}/flows/f", json=fields)
    assert answer.status_code == 201, answer.text
    return f"/in/{account}/f"


async def sent(client: httpx.AsyncClient, to: str, body: bytes, **headers: str) -> str:
    """Send it; its event id."""
    given = {"content-type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post(to, content=body, headers=given)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["eventId"])


async def life(client: httpx.AsyncClient, event_id: str) -> dict[str, Any]:
    """What became of an event, once it isn't queued any more."""
    found: dict[str, Any] = {}

    async def settled() -> bool:
        found.update((await client.get(f"/v1/events/{event_id}")).json())
        return found.get("status") not in (None, 404, "queued")

    await wait_until(settled, what=f"the life of {event_id}")
    return found


async def test_a_providers_own_id_tells_repeats(client: httpx.AsyncClient, account: str) -> None:
    """The same delivery again is a duplicate, and the first event counts how often it came."""
    to = await made(client, account, GITHUB)
    headers = dict(hmac_signed("github", b'{"n": 1}').headers)
    first = await sent(client, to, b'{"n": 1}', **headers, x_github_delivery="d-1")
    assert "duplicates" not in await life(client, first)
    for _ in range(2):
        again = await sent(client, to, b'{"n": 1}', **headers, x_github_delivery="d-1")
        assert (await life(client, again))["duplicateOf"] == first
    other = await sent(client, to, b'{"n": 1}', **headers, x_github_delivery="d-2")
    assert (await life(client, other))["status"] == "stored"
    assert (await life(client, first))["duplicates"] == 2


async def test_an_id_in_a_signed_body_tells_repeats(
    client: httpx.AsyncClient, account: str
) -> None:
    """An id that stands in the body counts, however often the request is signed anew."""
    to = await made(client, account, STRIPE)
    ids = []
    for late in (2, 1):
        stamp = int(time.time()) - late
        body = b'{"id": "evt_1", "type": "x"}'
        headers = dict(hmac_signed("stripe", body, time=stamp).headers)
        ids.append(await sent(client, to, body, **headers))
        await life(client, ids[-1])
    assert (await life(client, ids[1]))["duplicateOf"] == ids[0]


async def test_a_token_that_signs_no_body_is_taken_once(
    client: httpx.AsyncClient, account: str
) -> None:
    """A recorded signature of Mailgun's under another body is a duplicate and not stored."""
    to = await made(client, account, {"type": "mailgun", "secrets": [SECRET]})
    stamp = str(int(time.time()))

    def body(event_id: str, token: str) -> bytes:
        made = hmac.digest(SECRET.encode(), f"{stamp}{token}".encode(), "sha256").hex()
        signature = {"timestamp": stamp, "token": token, "signature": made}
        return json.dumps({"signature": signature, "event-data": {"id": event_id}}).encode()

    first = await sent(client, to, body("e-1", "tok-1"))
    forged = await life(client, await sent(client, to, body("e-2", "tok-1")))
    assert (forged["status"], forged["duplicateOf"]) == ("duplicate", first)
    other = await life(client, await sent(client, to, body("e-2", "tok-2")))
    assert other["status"] == "stored"


async def test_the_flows_own_place_goes_first(client: httpx.AsyncClient, account: str) -> None:
    """`dedupe.from` counts before the provider's id, and that before an Idempotency-Key."""
    to = await made(client, account, GITHUB, dedupe={"from": "header.x-own"})
    headers = dict(hmac_signed("github", b"{}").headers)
    calls = [
        {"x_own": "o", "x_github_delivery": "d-1"},
        {"x_own": "o", "x_github_delivery": "d-2"},
        {"x_github_delivery": "d-3", "idempotency_key": "i"},
        {"x_github_delivery": "d-4", "idempotency_key": "i"},
        {"idempotency_key": "i"},
        {"idempotency_key": "i"},
    ]
    found = []
    for each in calls:
        event_id = await sent(client, to, b"{}", **headers, **each)
        found.append((await life(client, event_id))["status"])
    assert found == ["stored", "duplicate", "stored", "stored", "stored", "duplicate"]


async def test_equal_bodies_are_one_event_where_the_flow_says_so(
    client: httpx.AsyncClient, account: str
) -> None:
    """With `from: hash` the body is the id; without it equal bodies are events of their own."""
    to = await made(client, account, {"type": "none"}, dedupe={"from": "hash"})
    lives = [
        await life(client, await sent(client, to, body))
        for body in (b'{"n": 1}', b'{"n": 1}', b'{"n":1}')
    ]
    found = [each["status"] for each in lives]
    assert found == ["stored", "duplicate", "stored"]


async def test_what_is_not_verified_claims_no_id(client: httpx.AsyncClient, account: str) -> None:
    """A forged request with a delivery's id doesn't make the true one a duplicate."""
    to = await made(client, account, GITHUB)
    forged = {"x-hub-signature-256": "sha256=" + "0" * 64, "x-github-delivery": "d-9"}
    refused = await client.post(to, content=b"{}", headers=forged)
    assert refused.status_code == 401
    headers = dict(hmac_signed("github", b"{}").headers)
    true = await sent(client, to, b"{}", **headers, x_github_delivery="d-9")
    assert (await life(client, true))["status"] == "stored"


async def test_repeats_at_the_same_time_are_stored_once(
    client: httpx.AsyncClient, account: str
) -> None:
    """Of many at once exactly one is stored, all are answered with 202, and it counts the rest."""
    to = await made(client, account, {"type": "none"})
    sends = (sent(client, to, b"%d" % n, idempotency_key="same") for n in range(40))
    lives = [await life(client, each) for each in await asyncio.gather(*sends)]
    stored = [each for each in lives if each["status"] == "stored"]
    assert len(stored) == 1
    assert {each.get("duplicateOf") for each in lives} == {None, stored[0]["eventId"]}
    assert (await life(client, stored[0]["eventId"]))["duplicates"] == 39
