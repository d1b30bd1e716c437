"""The failure path as an operator meets it: seen, understood, mended, sent round again."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from harness import ADMIN_TOKEN, EXAMPLE, SECRET_KEY, Served, hookrack, wait_until
from queueing import envelope

Start = Callable[..., Served]
TOKEN = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}


async def letters(client: httpx.AsyncClient, **wanted: object) -> list[dict[str, object]]:
    """The dead letters that fit."""
    answer = await client.get("/v1/dead-letters", params=wanted)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["deadLetters"]
    return found


def without_github(folder: Path) -> Path:
    """A flow file that no longer has the flow acme/github."""
    text = EXAMPLE.read_text()
    begin, end = text.index("      # What happens"), text.index("      # Orders")
    path = folder / "less.yaml"
    path.write_text(text[:begin] + text[end:])
    return path


async def test_a_flow_that_was_removed_by_mistake(own_server: Start, short_dir: Path) -> None:
    """Events of a flow that is gone when they are processed become dead letters; once the flow is
    back a redrive stores each under all of its keys, once, with its id.
    """
    edge = own_server("--role", "edge,api")
    async with edge.client() as client:
        ids = [
            (await client.post("/in/acme/github", json={"n": n})).json()["eventId"] for n in (1, 2)
        ]
        life = (await client.get(f"/v1/events/{ids[0]}")).json()
        assert (life["status"], life["flow"]) == ("queued", "github")
    edge.kill()
    less = own_server(config=without_github(short_dir))
    async with less.client() as client:

        async def buried() -> bool:
            return len(await letters(client, reason="FLOW_UNKNOWN")) == 2

        await wait_until(buried, what="two dead letters")
        found = await letters(client, account="acme", flow="github")
        assert {each["eventId"] for each in found} == set(ids)
        assert len(await letters(client, ids=ids)) == 2
        assert len(await letters(client, ids=",".join(ids))) == 2
        page = (await client.get("/v1/dead-letters", params={"limit": 1})).json()
        for name in ("after", "cursor"):
            rest = await letters(client, limit=1, **{name: page["cursor"]})
            assert {rest[0]["eventId"], page["deadLetters"][0]["eventId"]} == set(ids)
        shown = (await client.get(f"/v1/dead-letters/{ids[0]}")).json()
        assert shown["envelope"]["data"] == {"n": 1}
        dead = (await client.get(f"/v1/events/{ids[0]}")).json()
        assert dead == life | {"status": "deadLetter", "reason": "FLOW_UNKNOWN"}
        early = await client.post("/v1/dead-letters/redrive", json={"account": "acme"})
        assert early.json() == {"redriven": 0, "skipped": 2, "expired": 0}
    assert less.stop() == 0
    whole = own_server()
    async with whole.client() as client:
        dry = await client.post("/v1/dead-letters/redrive", json={"ids": ids, "dryRun": True})
        assert dry.json() == {"redriven": 2, "skipped": 0, "expired": 0}
        words = ("--data-dir", str(whole.data_dir))
        done = hookrack("dead-letters", "redrive", "--flow", "github", *words, **TOKEN)
        assert json.loads(done.stdout) == {"redriven": 2, "skipped": 0, "expired": 0}, done.stderr
        for key in ("deploys", "chatbot", "audit"):

            async def stored(key: str = key) -> bool:
                answer = await client.get(f"/v1/keys/{key}")
                return answer.status_code == 200 and answer.json()["eventId"] in ids

            await wait_until(stored, what=f"an event under {key}")
        assert await letters(client) == []


async def test_what_was_no_envelope_is_shown_to_all_account_tokens_only(
    client: httpx.AsyncClient, served: Served
) -> None:
    """A message that is nobody's is seen with a token for all accounts, and discarded with it."""
    import redis.asyncio  # noqa: PLC0415

    async with redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock") as engine:
        await engine.xadd("hr1:{q}:s:0", {"e": b"\x00nonsense"})

    async def buried() -> bool:
        return len(await letters(client, reason="ENVELOPE_INVALID")) == 1

    await wait_until(buried, what="the dead letter")
    (letter,) = await letters(client, reason="ENVELOPE_INVALID")
    assert (letter["account"], letter["envelope"]) == (None, None)
    assert letter["envelopeBase64"] == "AG5vbnNlbnNl"
    fields = {"name": "one", "accounts": ["acme"], "scopes": ["admin"]}
    token = (await client.post("/v1/tokens", json=fields)).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as one:
        assert await letters(one) == []
        hidden = await one.get(f"/v1/dead-letters/{letter['eventId']}")
        assert hidden.status_code == 404
        foreign = await one.get("/v1/dead-letters", params={"account": "kairos"})
        assert foreign.status_code == 404
    gone = await client.delete("/v1/dead-letters", params={"reason": "ENVELOPE_INVALID"})
    assert gone.json() == {"discarded": 1}


async def test_an_account_goes_with_its_letters_and_tokens(own_server: Start) -> None:
    """DELETE of an account counts its entries, dead letters and tokens; afterwards none is left,
    for a new account of the same name neither.
    """
    import redis.asyncio  # noqa: PLC0415

    served = own_server()
    async with served.client(account="new") as client:
        await client.put("/v1/accounts/new", json={})
        await client.put("/v1/keys/erp", json={"n": 1})
        fields = {"name": "x", "accounts": ["new"], "scopes": ["admin"]}
        token = (await client.post("/v1/tokens", json=fields)).json()["token"]
        async with redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock") as engine:
            await engine.xadd("hr1:{q}:s:0", {"e": envelope("lost", account="new", flow="gone")})

        async def buried() -> bool:
            return len(await letters(client, account="new")) == 1

        await wait_until(buried, what="the dead letter")
        life = (await client.get("/v1/events/lost")).json()
        assert (life["status"], life["reason"]) == ("deadLetter", "FLOW_UNKNOWN")
        gone = (await client.delete("/v1/accounts/new")).json()
        counts = {"entries": 1, "events": 1, "queued": 0, "deadLetters": 1, "tokens": 1}
        assert gone == counts
        assert (await client.put("/v1/accounts/new", json={})).status_code == 201
        assert (await client.get("/v1/keys/erp")).status_code == 404
        assert await letters(client, account="new") == []
        assert (await client.get("/v1/events/lost")).status_code == 404
        headers = {"authorization": f"Bearer {token}"}
        assert (await client.get("/v1/keys/erp", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("method", "address", "more"),
    [
        ("DELETE", "/v1/dead-letters", {}),
        ("GET", "/v1/dead-letters?limit=0", {}),
        ("GET", "/v1/dead-letters?limit=1001", {}),
        ("GET", "/v1/dead-letters?from=soon", {}),
        ("GET", "/v1/dead-letters?colour=red", {}),
        ("POST", "/v1/dead-letters/redrive", {"json": {"dryrun": True}}),
        ("POST", "/v1/dead-letters/redrive", {"content": b"{"}),
        ("POST", "/v1/dead-letters/redrive", {}),
        ("POST", "/v1/dead-letters/redrive", {"json": {}}),
        ("POST", "/v1/dead-letters/redrive", {"json": {"all": False, "renewTtl": True}}),
        ("POST", "/v1/dead-letters/redrive", {"json": None}),
    ],
)
async def test_what_names_no_letters_is_refused(
    client: httpx.AsyncClient, method: str, address: str, more: dict[str, object]
) -> None:
    """A filter that isn't understood, or none where one is needed, is 400 and does nothing."""
    answer = await client.request(method, address, **more)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (400, "QUERY_INVALID")


async def test_all_is_said_and_a_count_needs_no_filter(client: httpx.AsyncClient) -> None:
    """A redrive without a filter names the ways to say which, `all` among them; a dry run is free
    to count.
    """
    address = "/v1/dead-letters/redrive"
    refused = await client.post(address, json={})
    assert all(word in refused.json()["detail"] for word in ("account", "ids", "all: true"))
    for body in ({"all": True}, {"dryRun": True}, {"reason": "FLOW_UNKNOWN"}):
        answer = await client.post(address, json=body)
        assert (answer.status_code, set(answer.json())) == (200, {"redriven", "skipped", "expired"})


def test_the_command_needs_to_know_which(short_dir: Path) -> None:
    """Redrive and discard without a filter ask for --all; list in a pipe is JSON lines."""
    words = ("--data-dir", str(short_dir / "d"))
    for verb in ("redrive", "discard"):
        done = hookrack("dead-letters", verb, *words, **TOKEN)
        assert done.returncode == 2
        assert "--all" in done.stderr
    done = hookrack("dead-letters", "redrive", "--dry-run", *words, **TOKEN)
    assert json.loads(done.stdout) == {"redriven": 0, "skipped": 0, "expired": 0}
    done = hookrack("dead-letters", "redrive", "--all", *words, **TOKEN)
    assert json.loads(done.stdout) == {"redriven": 0, "skipped": 0, "expired": 0}
    done = hookrack("dead-letters", "list", *words, **TOKEN)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    done = hookrack("dead-letters", "show", "nothing", *words, **TOKEN)
    assert done.returncode == 1
