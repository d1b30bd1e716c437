"""POST /in/...: what is taken, what is refused, and how it is said. A real server, real sockets."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx
import pytest
from harness import Served, wait_until

SECRET = "try-orders-7Qm2"


async def exchange(served: Served, *parts: bytes, half_close: bool = False) -> bytes:
    """Send raw bytes and read until the server closes or the answer is complete."""
    where = urlsplit(served.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    if half_close:
        writer.write_eof()
    head = await reader.readuntil(b"\r\n\r\n")
    sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    body = await reader.readexactly(int(sizes[0].split(b":")[1])) if sizes else b""
    writer.close()
    return head + body


async def fetched(client: httpx.AsyncClient, key: str, event_id: str) -> httpx.Response:
    """The raw data under a key, once it is this event's."""
    found = await client.get(f"/v1/keys/{key}?raw=true")

    async def there() -> bool:
        nonlocal found
        found = await client.get(f"/v1/keys/{key}?raw=true")
        return bool(found.headers.get("etag") == f'"{event_id}"')

    await wait_until(there, what=f"event {event_id} under {key}")
    return found


def refused(response: httpx.Response, status: int, code: str) -> None:
    """A problem by RFC 9457 with this status and code."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"]
    assert problem["title"]
    assert problem["detail"]


async def test_a_json_body_is_accepted_and_found_under_every_key(client: httpx.AsyncClient) -> None:
    """A 202 names the event, in body and header; the bytes are then under each of the keys."""
    body = b'{"z": 1,  "a": [1e400, 123456789012345678901234567890],\n "a": "\xc3\xbc"}'
    answer = await client.post("/in/acme/github", content=body)
    assert answer.status_code == 202
    event_id = answer.json()["eventId"]
    assert answer.json() == {"eventId": event_id, "status": "accepted"}
    assert answer.headers["hookrack-event-id"] == event_id
    for key in ("deploys", "chatbot", "audit"):
        assert (await fetched(client, key, event_id)).content == body


async def test_no_content_type_means_json(served: Served, client: httpx.AsyncClient) -> None:
    """A body without a Content-Type is taken for JSON, and refused if it is none."""
    good = await exchange(
        served, b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert good.startswith(b"HTTP/1.1 202")
    event_id = json.loads(good.partition(b"\r\n\r\n")[2])["eventId"]
    found = await fetched(client, "deploys", event_id)
    assert found.headers["content-type"] == "application/json"
    bad = await exchange(
        served, b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nno"
    )
    assert b"BODY_NOT_JSON" in bad


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain; charset=utf-8", b"plain \xff bytes"),
        ("application/x-www-form-urlencoded", b"a=1&b=%22"),
        ("application/octet-stream", bytes(range(256))),
        ("text/plain", b""),
    ],
)
async def test_other_types_are_kept_as_bytes(
    client: httpx.AsyncClient, content_type: str, body: bytes
) -> None:
    """What isn't JSON comes back as the bytes it was, with its own Content-Type."""
    answer = await client.post(
        "/in/acme/github", content=body, headers={"content-type": content_type}
    )
    found = await fetched(client, "deploys", answer.json()["eventId"])
    assert found.content == body
    assert found.headers["content-type"] == content_type


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nope",
        b"[1,]",
        b"NaN",
        b'{"a":NaN}',
        b'"\\ud800"',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b"[" * 1_001 + b"]" * 1_001,
        b"{}{}",
        b"01",
        b"'a'",
        b"\x00",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    """A body that is declared JSON and isn't gets 400 BODY_NOT_JSON."""
    headers = {"content-type": "application/json"}
    refused(
        await client.post("/in/acme/github", content=body, headers=headers), 400, "BODY_NOT_JSON"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000 + b"]" * 1_000,
        b"1" * 5_000,
        b'{"a":1,"a":2}',
        b"null",
        b' "\\u0000" ',
        b"-0.0e-9",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_odd_but_legal_json_is_kept_as_written(
    client: httpx.AsyncClient, body: bytes
) -> None:
    """Deep, long and double: what RFC 8259 allows comes back byte for byte."""
    answer = await client.post("/in/acme/github", content=body)
    assert (await fetched(client, "deploys", answer.json()["eventId"])).content == body


async def test_the_secret_is_the_last_part_of_the_address(client: httpx.AsyncClient) -> None:
    """A flow with a secret lets in who knows it, and nobody else."""
    assert (await client.post(f"/in/acme/orders/{SECRET}", json={})).status_code == 202
    for path in ("orders", "orders/", "orders/wrong", f"orders/{SECRET}x", f"orders/{SECRET}/x"):
        refused(await client.post(f"/in/acme/{path}", json={}), 401, "CREDENTIAL_INVALID")


async def test_old_and_new_secrets_are_valid_together(client: httpx.AsyncClient) -> None:
    """While a secret is changed both the old one and the new one open the door."""
    for secret in ("try-payments-new-9xK4", "try-payments-old-3bT8"):
        assert (await client.post(f"/in/kairos/payments/{secret}", json={})).status_code == 202


async def test_unknown_flows_are_refused(client: httpx.AsyncClient) -> None:
    """An address of no flow gets 404 FLOW_UNKNOWN."""
    for path in ("/in/acme/nothing", "/in/nobody/github", "/in/acme", "/in/", "/in/acme/GITHUB"):
        refused(await client.post(path, json={}), 404, "FLOW_UNKNOWN")


async def test_a_flow_without_a_secret_has_no_longer_address(client: httpx.AsyncClient) -> None:
    """Nothing stands behind a flow that asks for no secret."""
    refused(await client.post("/in/acme/github/anything", json={}), 404, "NOT_FOUND")


async def test_only_post_is_allowed(client: httpx.AsyncClient) -> None:
    """Other methods get 405 and are told which one is right."""
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await client.request(method, "/in/acme/github")
        refused(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "POST"


async def test_a_body_up_to_the_limit_is_taken_and_one_byte_more_is_not(
    client: httpx.AsyncClient,
) -> None:
    """The limit of the flow is exact, whether the length is declared or not."""
    address, limit = f"/in/acme/orders/{SECRET}", 262_144
    whole = b'"%b"' % (b"x" * (limit - 2))

    async def chunks(body: bytes) -> object:
        for at in range(0, len(body), 50_000):
            yield body[at : at + 50_000]

    assert (await client.post(address, content=whole)).status_code == 202
    assert (await client.post(address, content=chunks(whole))).status_code == 202  # type: ignore[arg-type]
    refused(await client.post(address, content=whole + b" "), 413, "BODY_TOO_LARGE")
    refused(await client.post(address, content=chunks(whole + b" ")), 413, "BODY_TOO_LARGE")  # type: ignore[arg-type]


async def test_a_body_far_beyond_the_limit_is_still_answered(client: httpx.AsyncClient) -> None:
    """A sender of far too much hears why, and doesn't just lose its connection."""
    body = b"x" * (20 * 1024 * 1024)
    refused(await client.post("/in/acme/github", content=body), 413, "BODY_TOO_LARGE")


async def test_a_sender_that_asks_first_is_refused_before_it_sends(served: Served) -> None:
    """With Expect: 100-continue a body that is too large needn't be sent at all."""
    answer = await exchange(
        served,
        b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 413")


async def test_a_body_that_is_cut_off_is_not_kept(
    served: Served, client: httpx.AsyncClient
) -> None:
    """A sender that goes away in mid-body leaves nothing behind."""
    before = (await client.post("/in/acme/github", json={"before": 1})).json()["eventId"]
    where = urlsplit(served.url)
    head = b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"

    async def told() -> bool:
        _, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(head + b'{"cut": "off"}')
        await writer.drain()
        writer.close()
        return any(line.get("code") == "BODY_INCOMPLETE" for line in served.log())

    await wait_until(told, what="a log line about the cut body")
    assert b"before" in (await fetched(client, "deploys", before)).content


async def test_content_types_that_are_none_are_refused(client: httpx.AsyncClient) -> None:
    """A Content-Type that couldn't be sent out again is refused with 415."""
    for content_type in ("json", "a/b/c", "text/", "a b/c", "te\u00ebxt/plain", "x" * 300 + "/y"):
        headers = {b"content-type": content_type.encode("latin-1")}
        answer = await client.post("/in/acme/github", content=b"{}", headers=headers)
        refused(answer, 415, "CONTENT_TYPE_UNSUPPORTED")


async def test_json_types_with_a_suffix_are_json(client: httpx.AsyncClient) -> None:
    """application/cloudevents+json and the like are JSON too."""
    headers = {"content-type": "Application/CloudEvents+JSON; charset=utf-8"}
    answer = await client.post("/in/acme/github", content=b"{", headers=headers)
    refused(answer, 400, "BODY_NOT_JSON")


async def test_requests_at_once_get_each_their_own_event(client: httpx.AsyncClient) -> None:
    """Requests that are committed together are answered one by one."""
    answers = await asyncio.gather(
        *(client.post("/in/acme/github", json={"n": number}) for number in range(200))
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["eventId"] for answer in answers}) == 200


async def test_secrets_and_bodies_are_not_in_the_log(
    served: Served, client: httpx.AsyncClient
) -> None:
    """A log line of a refusal has the code and the flow, but neither the secret nor the body."""

    async def told() -> bool:
        await client.post("/in/acme/orders/guessed-secret-1234", content=b'{"card": "4111"}')
        return any(line.get("code") == "CREDENTIAL_INVALID" for line in served.log())

    await wait_until(told, what="a log line about the wrong secret")
    text = json.dumps(served.log())
    assert "guessed-secret-1234" not in text
    assert "4111" not in text
    assert SECRET not in text
