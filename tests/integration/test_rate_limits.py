"""Limits through a real server: what is too much is told so, and nobody else pays for it."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from harness import Served
from signing import SECRET, hmac_signed

from hookrack.rates import FAILURES_AT_ONCE

Start = Callable[..., Served]
NONE = {"type": "none"}
RATE = 40  # a second, of two servers together


class Desk:
    """An account of a test's own."""

    def __init__(self, client: httpx.AsyncClient, account: str) -> None:
        self.client, self.account = client, account

    async def flow(self, name: str, **fields: object) -> str:
        """Make a flow; where to send to it."""
        made = {"keys": ["k"], "auth": NONE} | fields
        answer = await self.client.put(f"/v1/accounts/{self.account}/flows/{name}", json=made)
        assert answer.is_success, answer.text
        return f"/in/{self.account}/{name}"

    async def statuses(self, to: str, count: int, **headers: str) -> list[int]:
        """The answers to so many at once."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sends = (self.client.post(to, json={}, headers=given) for _ in range(count))
        return sorted(each.status_code for each in await asyncio.gather(*sends))


@pytest.fixture
async def desk(client: httpx.AsyncClient) -> AsyncIterator[Desk]:
    """An account of this test's own."""
    name = f"rates-{secrets.token_hex(4)}"
    assert (await client.put(f"/v1/accounts/{name}", json={})).status_code == 201
    yield Desk(client, name)
    assert (await client.delete(f"/v1/accounts/{name}")).is_success


async def test_a_flow_takes_so_many_a_second(desk: Desk) -> None:
    """What is above the rate hears 429 with Retry-After; another flow is open."""
    to = await desk.flow("slow", limits={"perSecond": 5})
    begun = time.monotonic()
    found = await desk.statuses(to, 30)
    assert 5 <= found.count(202) <= 5 + 5 * (time.monotonic() - begun)
    assert found.count(202) + found.count(429) == 30
    refused = await desk.client.post(to, json={})
    if refused.status_code != 202:
        assert refused.json()["code"] == "RATE_LIMITED"
        assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert await desk.statuses(await desk.flow("open"), 20) == [202] * 20


async def test_an_account_takes_so_many_a_second(desk: Desk) -> None:
    """The limit of an account is that of its flows together, and is shown and changed as given."""
    path = f"/v1/accounts/{desk.account}"
    shown = (await desk.client.put(path, json={"limits": {"perSecond": 4}})).json()
    assert shown["limits"] == {"perSecond": 4}
    one, other = await desk.flow("one"), await desk.flow("other")
    found = await desk.statuses(one, 10) + await desk.statuses(other, 10)
    assert 4 <= found.count(202) <= 8
    assert "limits" not in (await desk.client.put(path, json={})).json()
    assert await desk.statuses(one, 20) == [202] * 20


async def test_strangers_do_not_use_up_a_flow(desk: Desk) -> None:
    """What isn't signed costs a flow nothing: its own senders are let in."""
    auth = {"type": "github", "secrets": [SECRET]}
    to = await desk.flow("signed", auth=auth, limits={"perSecond": 2})
    assert set(await desk.statuses(to, 40, x_hub_signature_256="sha256=00")) == {401}
    headers = dict(hmac_signed("github", b"{}").headers)
    answer = await desk.client.post(to, content=b"{}", headers=headers)
    assert answer.status_code == 202


async def test_guesses_come_to_an_end_at_one_flow(desk: Desk) -> None:
    """Who guesses on and on is refused there before he is heard, and is welcome elsewhere."""
    auth = {"type": "secret", "secrets": ["right-one"]}
    to, other = await desk.flow("guessed", auth=auth), await desk.flow("other", auth=auth)
    found = await desk.statuses(f"{to}/wrong", int(FAILURES_AT_ONCE) + 150)
    assert set(found) == {401, 429}
    assert found.count(401) >= FAILURES_AT_ONCE
    assert await desk.statuses(f"{other}/right-one", 3) == [202] * 3


async def test_an_address_takes_turns(desk: Desk) -> None:
    """PerSecondPerAddress counts everybody, before who it is is known."""
    to = await desk.flow("f", limits={"perSecondPerAddress": 3})
    found = await desk.statuses(to, 12)
    assert 3 <= found.count(202) <= 6
    assert set(found) == {202, 429}


async def test_limits_come_back_as_they_were_given(desk: Desk) -> None:
    """GET of a flow shows its limits; PUT of what it shows changes nothing."""
    limits = {"maxBodyBytes": 1000, "perSecond": 7, "perSecondPerAddress": 2}
    await desk.flow("f", limits=limits)
    path = f"/v1/accounts/{desk.account}/flows/f"
    shown = (await desk.client.get(path)).json()
    assert shown["limits"] == limits
    fields = {name: shown[name] for name in shown if name not in ("flow", "account", "owner")}
    assert (await desk.client.put(path, json=fields)).json() == shown


async def test_two_servers_share_a_rate(own_server: Start, short_dir: Path) -> None:
    """Two servers on one store let in together what the flow takes, and each alone while the other
    rests.
    """
    path = short_dir / "limited.yaml"
    path.write_text(
        "version: 1\naccounts: {acme: {flows: {f: {keys: [k], auth: {type: none},"
        f" limits: {{perSecond: {RATE}}}}}}}}}}}\n"
    )
    first = own_server(config=path)
    store = f"unix://{first.data_dir}/engine.sock"
    second = own_server("--store", store, "--role", "edge", config=path, name="second")
    async with first.client() as one, second.client() as other:

        async def let_in(clients: list[httpx.AsyncClient], seconds: float) -> float:
            clock = asyncio.get_running_loop()
            heard: list[int] = []
            begun = clock.time()
            while clock.time() < begun + seconds:
                sends = [each.post("/in/acme/f", json={}) for each in clients for _ in range(4)]
                heard += [each.status_code for each in await asyncio.gather(*sends)]
            sent, good = (
                count / (clock.time() - begun) for count in (len(heard), heard.count(202))
            )
            return good if sent > RATE else good / sent * RATE  # a slow machine sends too little

        await let_in([one, other], 2.5)
        assert 30 <= await let_in([one, other], 4) <= 50
        await let_in([one], 4)
        assert 30 <= await let_in([one], 2) <= 50
