"""The local front door and worker on a queue in SQS: `hookrack serve --queue`."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from harness import Served, wait_until
from sqsing import Sqs

from hookrack.sqs_address import QueueAddress


@pytest.fixture
async def address(sqs_server: Sqs) -> QueueAddress:
    """An empty queue."""
    return await sqs_server.make()


@pytest.fixture
async def on_sqs(own_server: Callable[..., Served], address: QueueAddress) -> AsyncIterator[Served]:
    """A server on it."""
    served = await asyncio.to_thread(own_server, "--queue", address.url)
    yield served
    assert served.stop() == 0


async def read(client: httpx.AsyncClient, key: str) -> bytes:
    """The newest data under a key, once there is some."""
    found: list[bytes] = []

    async def come() -> bool:
        answer = await client.get(f"/v1/keys/{key}?raw=true")
        if answer.status_code == 200:
            found.append(answer.content)
        return bool(found)

    await wait_until(come, what="an entry")
    return found[0]


async def test_an_event_goes_through_sqs(on_sqs: Served) -> None:
    """What is posted is read under its keys, byte for byte, with characters that SQS refuses."""
    body = '{"odd": "\uffff\u0085",  "n": 1}'.encode()
    async with on_sqs.client() as client:
        json_type = {"content-type": "application/json"}
        answer = await client.post("/in/acme/github", content=body, headers=json_type)
        assert answer.status_code == 202
        assert await read(client, "deploys") == body
        life = await client.get(f"/v1/events/{answer.json()['eventId']}")
        assert life.json()["status"] == "stored"
        assert (await client.get("/readyz")).json()["checks"]["queue"] == "ok"
        text = (await client.get("/metrics")).text
        assert "gateway_queue_depth" in text
        assert "\ngateway_queue_oldest_age_seconds " not in text


async def test_what_is_too_large_for_sqs_is_413(on_sqs: Served) -> None:
    """Base64 of what is just below maxBodyBytes would not fit; the sender is told at once."""
    async with on_sqs.client() as client:
        put = await client.put("/v1/accounts/wide", json={})
        assert put.status_code == 201
        fields = {"keys": ["k"], "auth": {"type": "none"}, "limits": {"maxBodyBytes": 2_000_000}}
        put = await client.put("/v1/accounts/wide/flows/in", json=fields)
        assert put.status_code == 201
        binary = {"content-type": "application/octet-stream"}
        answer = await client.post("/in/wide/in", content=b"\xff" * 800_000, headers=binary)
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
        answer = await client.post("/in/wide/in", content=b"\xff" * 700_000, headers=binary)
        assert answer.status_code == 202


async def test_a_foreign_message_is_a_dead_letter(
    on_sqs: Served, sqs_server: Sqs, address: QueueAddress
) -> None:
    """A message of another producer that is no envelope is kept with its reason, not deleted."""
    await sqs_server.put(address, "hello from elsewhere")
    async with on_sqs.client(account=None) as client:

        async def listed() -> bool:
            answer = await client.get("/v1/dead-letters")
            found.extend(answer.json()["deadLetters"])
            return bool(found)

        found: list[dict[str, object]] = []
        await wait_until(listed, what="a dead letter", seconds=20)
        assert found[0]["reason"] == "ENVELOPE_INVALID"
        assert found[0]["account"] is None
        shown = await client.get(f"/v1/dead-letters/{found[0]['eventId']}")
        assert shown.status_code == 200
        gone = await client.delete("/v1/dead-letters?all=true")
        assert gone.json() == {"discarded": 1}


async def test_deleting_an_account_says_that_its_queue_is_not_known(on_sqs: Served) -> None:
    """What an account has on SQS can't be counted: null, and no number that would be wrong."""
    async with on_sqs.client() as client:
        assert (await client.put("/v1/accounts/brief", json={})).status_code == 201
        answer = await client.delete("/v1/accounts/brief")
        assert answer.json()["queued"] is None


async def test_a_stop_loses_nothing(
    own_server: Callable[..., Served], address: QueueAddress, sqs_server: Sqs
) -> None:
    """What an edge took in is stored by the worker of another start."""
    edge = await asyncio.to_thread(own_server, "--queue", address.url, "--role", "edge")
    async with edge.client() as client:
        many = [client.post("/in/acme/github", json={"n": number}) for number in range(20)]
        ids = {(await each).json()["eventId"] for each in many}
    assert edge.stop() == 0
    assert await sqs_server.size(address.url) == 20
    again = await asyncio.to_thread(own_server, "--queue", address.url)
    async with again.client() as client:

        async def stored() -> bool:
            answer = await client.get("/v1/keys/deploys/events?limit=100")
            return {each["eventId"] for each in answer.json()["entries"]} == ids

        async def deleted() -> bool:
            return await sqs_server.size(address.url) == 0

        await wait_until(stored, what="storing", seconds=20)
        await wait_until(deleted, what="deleting what was stored")
