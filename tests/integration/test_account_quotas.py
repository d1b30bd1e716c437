"""Quotas through a real server: told at the door, dead letters behind it, shown to admins."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import httpx
import pytest
from harness import wait_until

NONE = {"type": "none"}
KIB = {"x": "y" * 1_000}


class Desk:
    """An account of a test's own."""

    def __init__(self, client: httpx.AsyncClient, account: str) -> None:
        self.client, self.account = client, account
        self.path = f"/v1/accounts/{account}"
        self.own = {"Hookrack-Account": account}

    async def limit(self, **limits: int) -> None:
        """Give the account these limits and no others."""
        shown = (await self.client.put(self.path, json={"limits": limits})).json()
        assert shown.get("limits", {}) == limits

    async def flow(self, name: str, *keys: str) -> str:
        """Make a flow; where to send to it."""
        made = {"keys": list(keys), "auth": NONE}
        answer = await self.client.put(f"{self.path}/flows/{name}", json=made)
        assert answer.is_success, answer.text
        return f"/in/{self.account}/{name}"

    async def send(self, to: str, count: int = 1) -> list[httpx.Response]:
        """Send some, one after the other."""
        return [await self.client.post(to, json=KIB) for _ in range(count)]

    async def usage(self) -> dict[str, int]:
        """What the account has."""
        return dict((await self.client.get(self.path)).json()["usage"])

    async def stored(self, count: int) -> None:
        """Wait until so many keys have something."""

        async def done() -> bool:
            return (await self.usage())["keys"] == count

        await wait_until(done, what=f"{count} keys")


@pytest.fixture
async def desk(client: httpx.AsyncClient) -> AsyncIterator[Desk]:
    """An account of this test's own."""
    name = f"quotas-{secrets.token_hex(4)}"
    assert (await client.put(f"/v1/accounts/{name}", json={})).status_code == 201
    yield Desk(client, name)
    assert (await client.delete(f"/v1/accounts/{name}")).is_success


def refused(answer: httpx.Response) -> bool:
    """Whether a quota refused it: 429, the code, and when to come back."""
    if answer.status_code != 429:
        return False
    return answer.json()["code"] == "QUOTA_EXCEEDED" and int(answer.headers["retry-after"]) >= 60


async def test_bytes_are_refused_at_the_door_and_set_calls_too(desk: Desk) -> None:
    """At the bound the next event hears 429; another account is open; a higher bound lets it in."""
    to = await desk.flow("f", "k")
    await desk.limit(maxStoredBytes=5_000)
    answers = await desk.send(to, 12)
    assert sum(each.status_code == 202 for each in answers) < 12
    assert refused(answers[-1])
    direct = await desk.client.put("/v1/keys/k", json=KIB | {"z": "z" * 5_000}, headers=desk.own)
    assert refused(direct)
    assert (await desk.usage())["storedBytes"] <= 5_000
    assert (await desk.client.post("/in/acme/deploys", json={})).status_code != 429
    await desk.limit(maxStoredBytes=100_000)
    (answer,) = await desk.send(to)
    assert answer.status_code == 202


async def test_new_keys_are_refused_and_known_ones_stay_open(desk: Desk) -> None:
    """A flow with a new key too many hears 429, one with known keys goes on."""
    await desk.limit(maxKeys=2)
    known, other = await desk.flow("known", "a", "b"), await desk.flow("other", "c")
    assert [each.status_code for each in await desk.send(known, 2)] == [202, 202]
    await desk.stored(2)
    await wait_until(lambda: _refused(desk, other), what="a refusal")
    assert [each.status_code for each in await desk.send(known, 2)] == [202, 202]

    async def room() -> bool:
        """What was still queued for the purged key brings it back: then it goes once more."""
        await desk.client.delete("/v1/keys/a/events", headers=desk.own)
        return (await desk.send(other))[0].status_code == 202

    await wait_until(room, what="room for a key")


async def _refused(desk: Desk, to: str) -> bool:
    """The door's figures are a quarter of a second old at most; until then letters are dead."""
    return refused((await desk.send(to))[0])


async def test_recipients_of_an_event_are_bounded(desk: Desk) -> None:
    """More keys than an event of the account may have: 400, at the door and by set."""
    await desk.limit(maxKeysPerEvent=2)
    (answer,) = await desk.send(await desk.flow("f", "a", "b", "c"))
    assert (answer.status_code, answer.json()["code"]) == (400, "KEYS_INVALID")
    body = {"keys": ["a", "b", "c"], "data": 1}
    answer = await desk.client.post("/v1/set", json=body, headers=desk.own)
    assert (answer.status_code, answer.json()["code"]) == (400, "KEYS_INVALID")
    assert (await desk.send(await desk.flow("g", "a", "b")))[0].status_code == 202


async def test_what_was_accepted_becomes_a_dead_letter(desk: Desk) -> None:
    """An event that the door let in and the store has no room for is kept with the reason, and can
    be redriven once there is.
    """
    to = await desk.flow("f", "k")
    await desk.limit(maxStoredBytes=8_000)
    answers = await asyncio.gather(*(desk.client.post(to, json=KIB) for _ in range(4)))
    accepted = [each.json()["eventId"] for each in answers if each.status_code == 202]
    await desk.limit(maxStoredBytes=1)  # whatever is still queued by now exceeds it
    accepted += [each.json()["eventId"] for each in await desk.send(to) if each.is_success]
    assert accepted
    query = {"account": desk.account, "reason": "QUOTA_EXCEEDED"}

    async def ended() -> bool:
        lives = [
            (await desk.client.get(f"/v1/events/{one}", headers=desk.own)).json()["status"]
            for one in accepted
        ]
        return set(lives) <= {"stored", "deadLetter"}

    await wait_until(ended, what="an end of each")
    letters = (await desk.client.get("/v1/dead-letters", params=query)).json()["deadLetters"]
    stored = (await desk.usage())["storedBytes"] // 1_000
    assert len(letters) + stored == len(accepted)


async def test_readers_that_wait_are_bounded(desk: Desk) -> None:
    """One reader too many hears 429 at once; when one leaves, the next may wait."""
    await desk.limit(maxWaitingReaders=2)
    path = "/v1/keys/k"
    waits = [
        asyncio.create_task(desk.client.get(path, params={"wait": 5}, headers=desk.own))
        for _ in range(2)
    ]

    async def both_wait() -> bool:
        return (await desk.usage())["waitingReaders"] == 2

    await wait_until(both_wait, what="two that wait")
    answer = await desk.client.get(path, params={"wait": 5}, headers=desk.own)
    assert (answer.status_code, answer.json()["code"]) == (429, "QUOTA_EXCEEDED")
    streamed = await desk.client.get(f"{path}/events", params={"wait": 5}, headers=desk.own)
    assert streamed.status_code == 429
    await desk.client.put(path, json=1, headers=desk.own)
    assert {each.status_code for each in await asyncio.gather(*waits)} == {200}
    assert (await desk.usage())["waitingReaders"] == 0


async def test_quotas_are_measured(desk: Desk) -> None:
    """The metrics show what accounts with quotas have, and count refusals."""
    await desk.limit(maxKeys=1)
    await desk.send(await desk.flow("f", "a"))
    await desk.stored(1)
    to = await desk.flow("g", "b")
    await wait_until(lambda: _refused(desk, to), what="a refusal")
    text = (await desk.client.get("/metrics")).text
    assert f'gateway_account_keys{{account="{desk.account}"}} 1.0' in text
    assert 'gateway_quota_refusals_total{quota="keys"}' in text
