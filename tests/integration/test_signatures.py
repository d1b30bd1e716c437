"""Signed requests through a real server: let in, refused, asked questions, and from where."""

import base64
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Served, Wire, wait_until
from signing import ED25519, ED25519_HEX, SECRET, hmac_signed

from hookrack.entrypoints.http.confirm import visit
from hookrack.errors import Code, CodedError

BODY = b'{"id": "evt_1",  "type": "order.paid"}'
FLOWS: Mapping[str, dict[str, Any]] = {
    "github": {"type": "github", "secrets": ["old-one", SECRET]},
    "stripe": {"type": "stripe", "secrets": [SECRET]},
    "discord": {"type": "discord", "secrets": [ED25519_HEX]},
    "dropbox": {"type": "dropbox", "secrets": [SECRET]},
    "meta": {"type": "meta", "secrets": [SECRET], "verifyTokens": ["word-7Qm2"]},
    "slack": {"type": "slack", "secrets": [SECRET]},
    "graph": {"type": "microsoftGraph", "secrets": [SECRET]},
    "asana": {"type": "asana", "secrets": [SECRET]},
    "trello": {"type": "trello", "secrets": [SECRET]},
    "square": {"type": "square", "secrets": [SECRET]},
    "xero": {"type": "xero", "secrets": [SECRET]},
    "open": {"type": "none"},
}


class Sender:
    """Who sends to the flows of one account."""

    def __init__(self, client: httpx.AsyncClient, account: str) -> None:
        self.client, self.account = client, account
        self.base = str(client.base_url)

    def path(self, flow: str) -> str:
        """Where to send."""
        return f"/in/{self.account}/{flow}"

    async def post(
        self, flow: str, body: bytes, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> httpx.Response:
        """Send it."""
        return await self.client.post(
            self.path(flow) + query,
            content=body,
            headers={"content-type": "application/json", **(headers or {})},
        )


@pytest.fixture
async def sender(client: httpx.AsyncClient) -> AsyncIterator[Sender]:
    """An account of this test's own with a flow of each kind."""
    account = f"sig-{secrets.token_hex(4)}"
    assert (await client.put(f"/v1/accounts/{account}", json={})).status_code == 201
    for name, auth in FLOWS.items():
        flow = {"keys": ["erp"], "auth": auth}
        made = await client.put(f"/v1/accounts/{account}/flows/{name}", json=flow)
        assert made.status_code == 201, made.text
        assert SECRET not in made.text
        assert "word-7Qm2" not in made.text
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as stranger:
        yield Sender(stranger, account)
    await client.delete(f"/v1/accounts/{account}")


def now_signed(name: str, body: bytes = BODY, *, late: int = 0) -> dict[str, str]:
    """The headers of a provider, signed now or some seconds ago."""
    return dict(hmac_signed(name, body, time=int(time.time()) - late).headers)


def refused(answer: httpx.Response) -> str:
    """A refusal of a signature; what it says."""
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGNATURE_INVALID")
    assert SECRET not in answer.text
    return str(answer.json()["detail"])


@pytest.mark.parametrize("name", ["github", "stripe", "slack"])
async def test_signed_requests_are_kept(
    sender: Sender, client: httpx.AsyncClient, name: str
) -> None:
    """What was signed is accepted and an event; what was changed or is late is refused."""
    headers = now_signed(name)
    accepted = await sender.post(name, BODY, headers)
    assert accepted.status_code == 202
    own = {"hookrack-account": sender.account}

    async def stored() -> bool:
        found = await client.get("/v1/keys/erp?raw=true", headers=own)
        return found.content == BODY

    await wait_until(stored, what="the event under its key")
    assert "no secret" in refused(await sender.post(name, BODY + b" ", headers))
    assert "is missing" in refused(await sender.post(name, BODY))
    if name != "github":
        late = now_signed(name, late=400)
        assert "old" in refused(await sender.post(name, BODY, late))


async def test_an_asymmetric_signature_is_checked_too(sender: Sender) -> None:
    """Discord's probe: a right PING is answered, a wrong one is 401, an event is kept."""
    stamp = str(int(time.time()))

    def signed(body: bytes) -> dict[str, str]:
        made = ED25519.sign(stamp.encode() + body).hex()
        return {"x-signature-ed25519": made, "x-signature-timestamp": stamp}

    ping = b'{"type": 1}'
    pong = await sender.post("discord", ping, signed(ping))
    assert (pong.status_code, pong.json()) == (200, {"type": 1})
    hello = b'{"type": 0}'
    assert (await sender.post("discord", hello, signed(hello))).status_code == 204
    refused(await sender.post("discord", ping, signed(hello)))
    event = b'{"type": 1, "event": {"type": "X"}}'
    assert (await sender.post("discord", event, signed(event))).status_code == 202


async def test_a_bad_signature_comes_before_a_bad_body(sender: Sender) -> None:
    """A body that is no JSON is told so only to who signed it."""
    refused(await sender.post("github", b"{", now_signed("github", BODY)))
    told = await sender.post("github", b"{", now_signed("github", b"{"))
    assert (told.status_code, told.json()["code"]) == (400, "BODY_NOT_JSON")


async def test_what_has_no_signature_is_refused_before_its_body(sender: Sender) -> None:
    """The refusal comes while the body is still on its way."""
    head = f"POST {sender.path('github')} HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n"
    async with Wire(sender.base) as wire:
        await wire.send(head.encode())
        answer = await wire.answer()
    assert (answer.status, answer.code) == (401, "SIGNATURE_INVALID")


async def test_questions_by_get_are_answered_on_their_flows_only(sender: Sender) -> None:
    """Dropbox and Meta get their challenge as plain text; every other flow knows no GET."""
    found = await sender.client.get(sender.path("dropbox"), params={"challenge": "<b>x</b>"})
    assert (found.status_code, found.text) == (200, "<b>x</b>")
    assert found.headers["content-type"].startswith("text/plain")
    assert found.headers["x-content-type-options"] == "nosniff"
    query = {"hub.mode": "subscribe", "hub.challenge": "42", "hub.verify_token": "word-7Qm2"}
    assert (await sender.client.get(sender.path("meta"), params=query)).text == "42"
    query["hub.verify_token"] = "guess"
    assert (await sender.client.get(sender.path("meta"), params=query)).status_code == 403
    for flow in ("github", "open", "slack", "trello", "gone", "dropbox/x"):
        answer = await sender.client.get(sender.path(flow), params={"challenge": "x"})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await sender.client.head(sender.path("trello"))).status_code == 200
    assert (await sender.client.head(sender.path("github"))).status_code == 405


async def test_questions_by_post_are_answered_and_not_kept(sender: Sender) -> None:
    """Slack's is signed, Graph's and Asana's are not; none becomes an event."""
    body = b'{"type": "url_verification", "challenge": "c-1"}'
    answer = await sender.post("slack", body, now_signed("slack", body))
    assert (answer.status_code, answer.text) == (200, "c-1")
    refused(await sender.post("slack", body, now_signed("slack", b"other")))
    graph = await sender.post("graph", b"", query="?validationToken=a%20b")
    assert (graph.status_code, graph.text) == (200, "a b")
    asana = await sender.post("asana", b"", {"x-hook-secret": "hook-1"})
    assert (asana.status_code, asana.headers["x-hook-secret"]) == (200, "hook-1")
    assert "hookrack-event-id" not in {*answer.headers, *graph.headers, *asana.headers}


async def test_the_address_counts_as_it_was_asked_for(sender: Sender) -> None:
    """Where the address is signed it is made of scheme, host, path and query of the request."""
    url = f"{sender.base.rstrip('/')}{sender.path('square')}?a=%C3%BC"
    made = hmac.digest(SECRET.encode(), url.encode() + BODY, "sha256")
    header = {"x-square-hmacsha256-signature": base64.b64encode(made).decode()}
    assert (await sender.post("square", BODY, header, "?a=%C3%BC")).status_code == 202
    refused(await sender.post("square", BODY, header, "?a=%c3%bc"))


async def test_xero_is_answered_without_a_body(sender: Sender) -> None:
    """A 202 with nothing in it, and the id in the header."""
    answer = await sender.post("xero", BODY, now_signed("xero"))
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["hookrack-event-id"]


async def test_a_bad_key_is_refused_by_the_api(client: httpx.AsyncClient) -> None:
    """A secret that is no key of its scheme is a 400 that names the field and not the secret."""
    flow = {"keys": ["erp"], "auth": {"type": "discord", "secrets": ["hunter2"]}}
    answer = await client.put("/v1/accounts/acme/flows/discord", json=flow)
    assert (answer.status_code, answer.json()["code"]) == (400, "CONFIG_INVALID")
    assert "secrets[0]" in answer.text
    assert "hunter2" not in answer.text


async def test_an_address_is_visited_once_and_has_to_answer(served: Served) -> None:
    """Confirming is a GET that ends with 200; all else is told, so that the sender tries again."""
    await visit(f"{served.url}/livez")
    for url in (f"{served.url}/nowhere", "http://127.0.0.1:1/", "http://[::1"):
        with pytest.raises(CodedError) as caught:
            await visit(url)
        assert caught.value.code is Code.CONFIRMATION_FAILED


CONFIG = """\
version: 1
accounts:
  acme:
    flows:
      far: {keys: [erp], auth: {type: none}, allow: [198.51.100.0/24]}
      near: {keys: [erp], auth: {type: none}, allow: [127.0.0.0/8]}
      asked: {keys: [erp], auth: {type: dropbox, secrets: [s]}, allow: [198.51.100.0/24]}
"""


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        ("10.0.0.0/8", "198.51.100.7", {"far": 403, "near": 202}),
        ("127.0.0.1/32", "198.51.100.7", {"far": 202, "near": 403}),
        ("127.0.0.1/32", "198.51.100.7, 203.0.113.9", {"far": 403, "near": 403}),
        ("127.0.0.1/32", "", {"far": 403, "near": 202}),
    ],
    ids=["untrusted", "trusted", "invented", "none"],
)
async def test_a_flow_takes_from_its_networks_only(
    own_server: Callable[..., Served],
    short_dir: Path,
    trusted: str,
    forwarded: str,
    expected: Mapping[str, int],
) -> None:
    """The client's address counts, by the word of trusted proxies alone."""
    config = short_dir / "h.yaml"
    config.write_text(CONFIG)
    served = own_server("--trusted-proxies", trusted, config=config)
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    async with served.client(account=None) as client:
        for flow, status in expected.items():
            answer = await client.post(f"/in/acme/{flow}", json={}, headers=headers)
            assert answer.status_code == status
            if status == 403:
                assert answer.json()["code"] == "ADDRESS_NOT_ALLOWED"
        asked = await client.get("/in/acme/asked?challenge=x", headers=headers)
        assert asked.status_code == (200 if expected["far"] == 202 else 403)
