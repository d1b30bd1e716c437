"""Refused requests through a real server: kept, explained, and let in once the flow is mended."""

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from harness import ADMIN_TOKEN, SECRET_KEY, Served, Wire, hookrack, wait_until
from signing import SECRET, hmac_signed

from hookrack.keeper import BODY_BYTES

ENVIRON = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}
MODEL = {"type": "object", "required": ["id"]}
OPEN = {"keys": ["k"], "auth": {"type": "none"}, "model": MODEL}
GITHUB = {"keys": ["k"], "auth": {"type": "github", "secrets": [SECRET]}}


class Desk:
    """An account with one flow, and its operator's calls."""

    def __init__(self, client: httpx.AsyncClient, account: str) -> None:
        self.client, self.account = client, account

    async def flow(self, fields: dict[str, Any]) -> None:
        """Make or change the flow."""
        answer = await self.client.put(f"/v1/accounts/{self.account}/flows/f", json=fields)
        assert answer.is_success, answer.text

    async def post(self, body: bytes, *, tail: str = "", **headers: str) -> httpx.Response:
        """Send to the flow."""
        given = {"content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(f"/in/{self.account}/f{tail}", content=body, headers=given)

    async def listed(self, count: int, **wanted: str) -> list[dict[str, Any]]:
        """The rejections, as soon as there are so many."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            params = {"account": self.account} | wanted
            answer = await self.client.get("/v1/rejections", params=params)
            assert answer.status_code == 200, answer.text
            found[:] = answer.json()["rejections"]
            return len(found) >= count

        await wait_until(there, what=f"{count} rejections")
        assert len(found) == count
        return found

    async def show(self, event_id: str) -> dict[str, Any]:
        """One with all that was kept."""
        shown: dict[str, Any] = (await self.client.get(f"/v1/rejections/{event_id}")).json()
        return shown

    async def replay(self, **more: object) -> dict[str, int]:
        """Replay all of the account."""
        body = {"account": self.account} | more
        answer = await self.client.post("/v1/rejections/replay", json=body)
        assert answer.status_code == 200, answer.text
        done: dict[str, int] = answer.json()
        return {name: count for name, count in done.items() if count}

    async def status(self, event_id: str) -> str:
        """Where an event is."""
        return str((await self.client.get(f"/v1/events/{event_id}")).json().get("status"))


@pytest.fixture
async def desk(client: httpx.AsyncClient) -> AsyncIterator[Desk]:
    """An account of this test's own."""
    name = f"refused-{secrets.token_hex(4)}"
    assert (await client.put(f"/v1/accounts/{name}", json={})).status_code == 201
    client.headers["hookrack-account"] = name
    yield Desk(client, name)
    assert (await client.delete(f"/v1/accounts/{name}")).is_success


async def test_a_refusal_is_explained_and_replayed(desk: Desk) -> None:
    """What the model refused is kept with its reason; once the model is mended it is an event, with
    the id that the rejection had, and a rejection no more.
    """
    await desk.flow(OPEN)
    assert (await desk.post(b'{"no": "id"}', tail="?a=1&token=t0ps3cret")).status_code == 400
    (one,) = await desk.listed(1)
    assert (one["reason"], one["flow"], one["client"]) == ("MODEL_VIOLATION", "f", "127.0.0.1")
    assert one["verified"] is True
    life = (await desk.client.get(f"/v1/events/{one['eventId']}")).json()
    assert (life["status"], life["reason"]) == ("rejected", "MODEL_VIOLATION")
    shown = await desk.show(one["eventId"])
    assert (shown["body"], shown["query"]) == ('{"no": "id"}', "a=1&token=***")
    assert await desk.replay(dryRun=True) == {"refused": 1}
    await desk.flow({"keys": ["k"], "auth": {"type": "none"}})
    assert await desk.replay(dryRun=True) == {"replayed": 1}
    assert await desk.status(one["eventId"]) == "rejected"
    assert await desk.replay() == {"replayed": 1}

    async def stored() -> bool:
        return await desk.status(one["eventId"]) == "stored"

    await wait_until(stored, what="the event")
    entry = (await desk.client.get("/v1/keys/k")).json()
    assert (entry["data"], entry["receivedAt"]) == ({"no": "id"}, one["receivedAt"])
    assert await desk.listed(0) == []
    assert await desk.replay() == {}


async def test_a_bad_signature_needs_trust(desk: Desk) -> None:
    """What nobody signed is never let in, but by an operator who says that he trusts it."""
    await desk.flow(GITHUB)
    wrong = dict(hmac_signed("github", b'{"n": 1}', secret="c2VjcmV0LW90aGVyLW90aGVyLW90").headers)
    assert (await desk.post(b'{"n": 1}', **wrong)).status_code == 401
    (one,) = await desk.listed(1, reason="SIGNATURE_INVALID")
    assert one["verified"] is False
    await desk.flow({"keys": ["k"], "auth": {"type": "none"}})
    assert await desk.replay(dryRun=True) == {"skipped": 1}
    assert await desk.replay() == {"skipped": 1}
    assert await desk.replay(trust=True, dryRun=True) == {"replayed": 1}
    assert await desk.replay(trust=True) == {"replayed": 1}


async def test_no_credential_is_kept(desk: Desk) -> None:
    """Neither the secret of an address nor what looks like a credential in a header is shown."""
    secret = f"s3cret-{secrets.token_hex(8)}"
    await desk.flow({"keys": ["k"], "auth": {"type": "secret", "secrets": ["right-one"]}})
    names = "authorization cookie x_api_key x_gitlab_token proxy_authorization x_shared_secret"
    headers = dict.fromkeys(names.split(), secret)
    tail = f"/{secret}?access_token={secret}&api_key={secret}&sig={secret}"
    assert (await desk.post(b"{}", tail=tail, **headers, x_other="kept")).status_code == 401
    (one,) = await desk.listed(1)
    answer = await desk.client.get(f"/v1/rejections/{one['eventId']}")
    assert secret not in answer.text
    assert ["x-other", "kept"] in answer.json()["headers"]
    await desk.flow(
        {"keys": ["k"], "auth": {"type": "apiKey", "header": "x-mine", "secrets": ["a"]}}
    )
    assert (await desk.post(b"{}", x_mine=secret)).status_code == 401
    latest = (await desk.listed(2))[0]
    assert secret not in json.dumps(await desk.show(latest["eventId"]))


async def test_a_large_body_is_not_kept(desk: Desk) -> None:
    """Of a body above the bound only the refusal is kept, and it can't be replayed."""
    await desk.flow(OPEN)
    assert (await desk.post(b'["%b"]' % (b"x" * BODY_BYTES))).status_code == 400
    (one,) = await desk.listed(1)
    assert (await desk.show(one["eventId"]))["body"] is None
    await desk.flow({"keys": ["k"], "auth": {"type": "none"}})
    assert await desk.replay() == {"skipped": 1}


async def test_what_is_over_is_not_replayed(desk: Desk) -> None:
    """A refused request keeps its time of receipt; `renewTtl` makes it now."""
    await desk.flow(OPEN)
    await desk.post(b"{}")
    (one,) = await desk.listed(1)
    await desk.flow({"keys": ["k"], "auth": {"type": "none"}, "ttl": "1s"})

    async def over() -> bool:
        return await desk.replay(dryRun=True) == {"expired": 1}

    await wait_until(over, what="the end of its time")
    assert await desk.replay(renewTtl=True) == {"replayed": 1}
    assert await desk.status(one["eventId"]) != "rejected"


async def test_rejections_by_page_and_by_name(desk: Desk) -> None:
    """`after` goes on where `cursor` says, and `ids` can be several in one value: as with dead
    letters.
    """
    await desk.flow(OPEN)
    for _ in range(3):
        assert (await desk.post(b'{"no": "id"}')).status_code == 400
    all_of_them = {one["eventId"] for one in await desk.listed(3)}
    params = {"account": desk.account, "limit": "2"}
    first = (await desk.client.get("/v1/rejections", params=params)).json()
    rest = (
        await desk.client.get("/v1/rejections", params=params | {"after": first["cursor"]})
    ).json()
    assert {one["eventId"] for one in first["rejections"] + rest["rejections"]} == all_of_them
    two = ",".join(sorted(all_of_them)[:2])
    assert {one["eventId"] for one in await desk.listed(2, ids=two)} == set(two.split(","))


async def test_a_replay_of_everything_is_asked_for(desk: Desk) -> None:
    """Without a field to go by nothing is replayed, unless `all` says so; a dry run may be."""
    path = "/v1/rejections/replay"
    assert (await desk.client.post(path, json={})).status_code == 400
    assert (await desk.client.post(path, json={"dryRun": True})).status_code == 200


async def test_a_flood_is_answered_and_hardly_kept(desk: Desk) -> None:
    """Each of many bad requests gets its 401, a bounded number is kept, and the rest is counted;
    what the flow refuses of its own senders is kept all the same.
    """
    await desk.flow({**GITHUB, "model": MODEL})
    before = (await desk.client.get("/metrics")).text
    for _ in range(150):
        assert (await desk.post(b"{}", x_hub_signature_256="sha256=00")).status_code == 401
    signed = dict(hmac_signed("github", b"{}").headers)
    assert (await desk.post(b"{}", **signed)).status_code == 400
    (one,) = await desk.listed(1, reason="MODEL_VIOLATION")
    assert one["verified"]
    params = {"account": desk.account, "limit": 1000}
    kept = (await desk.client.get("/v1/rejections", params=params)).json()["rejections"]  # type: ignore[arg-type]
    assert 40 <= len(kept) <= 51
    name = 'gateway_rejections_left_out_total{reason="sampled"}'
    after = (await desk.client.get("/metrics")).text

    def count(text: str) -> float:
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return float(lines[0].split()[-1]) if lines else 0.0

    assert count(after) - count(before) >= 60


async def test_a_refusal_does_not_wait_for_a_body(desk: Desk) -> None:
    """Who announces a body and doesn't send it is refused within a moment."""
    await desk.flow({"keys": ["k"], "auth": {"type": "secret", "secrets": ["right-one"]}})
    head = f"POST /in/{desk.account}/f/wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    async with Wire(str(desk.client.base_url), seconds=5) as wire:
        await wire.send(head.encode() + b"\r\n")
        assert (await wire.answer()).code == "CREDENTIAL_INVALID"
    async with Wire(str(desk.client.base_url), seconds=5) as wire:
        await wire.send(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert (await wire.answer()).code == "CREDENTIAL_INVALID"
    shown = [await desk.show(each["eventId"]) for each in await desk.listed(2)]
    assert [each["body"] for each in shown] == [None, None]


async def test_the_command_line_does_the_same(served: Served, desk: Desk) -> None:
    """`hookrack rejections` lists, shows and replays."""
    await desk.flow(OPEN)
    await desk.post(b'{"n": 1}')
    await desk.listed(1)

    def run(*words: str) -> Any:
        done = hookrack("rejections", *words, "--data-dir", str(served.data_dir), **ENVIRON)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    (row,) = run("list", "--account", desk.account)
    assert (row["reason"], row["flow"]) == ("MODEL_VIOLATION", "f")
    (shown,) = run("show", row["eventId"])
    assert shown["body"] == '{"n": 1}'
    await desk.flow({"keys": ["k"], "auth": {"type": "none"}})
    (dry,) = run("replay", "--account", desk.account, "--dry-run")
    (done,) = run("replay", "--account", desk.account)
    assert dry == done == {"replayed": 1, "refused": 0, "skipped": 0, "expired": 0}
    refused = hookrack("rejections", "replay", "--data-dir", str(served.data_dir), **ENVIRON)
    assert refused.returncode == 2


async def test_the_command_line_says_why_it_skips(served: Served, desk: Desk) -> None:
    """What a replay leaves out is explained beside the counts, with what would take it in."""
    await desk.flow({"keys": ["k"], "auth": {"type": "github", "secrets": ["s"]}})
    await desk.post(b"{}")
    await desk.listed(1)
    words = ("rejections", "replay", "--account", desk.account, "--dry-run")
    at = ("--data-dir", str(served.data_dir))
    plain = hookrack(*words, *at, **ENVIRON)
    assert json.loads(plain.stdout)["skipped"] == 1
    assert "--trust takes them in" in plain.stderr
    trusted = hookrack(*words, "--trust", *at, **ENVIRON)
    assert (json.loads(trusted.stdout)["replayed"], trusted.stderr) == (1, "")
