"""Leases by HTTP: lease, ack, release, extend, groups and their dead letters."""

import asyncio
import time
from secrets import token_hex
from typing import Any

import httpx
import pytest

from hookrack.jsontext import split_members


@pytest.fixture
async def account(client: httpx.AsyncClient) -> str:
    """An account of this test's own; the client speaks for it and is patient."""
    name = f"l{token_hex(4)}"
    await client.put(f"/v1/accounts/{name}", json={"maxTtl": "7d"})
    client.headers["hookrack-account"] = name
    client.timeout = httpx.Timeout(40)
    return name


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """A problem with this status and code."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def put(client: httpx.AsyncClient, body: bytes = b"1", **headers: str) -> str:
    """Set an event; its id."""
    answer = await client.put("/v1/keys/erp", content=body, headers=headers)
    return str(answer.json()["eventId"])


async def lease(client: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    """Lease entries of the key `erp`."""
    answer = await client.post("/v1/keys/erp/lease", json=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


async def settle(
    client: httpx.AsyncClient, verb: str, *held: dict[str, Any], **more: Any
) -> list[str]:
    """Ack, release or extend; the status of each."""
    wanted = {"receipts": [each["receipt"] for each in held]} | more
    answer = await client.post(f"/v1/keys/erp/{verb}", json=wanted)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [each["receipt"] for each in results] == wanted["receipts"]
    return [each["status"] for each in results]


async def test_the_whole_round(client: httpx.AsyncClient, account: str) -> None:
    """Lease, release, lease again one attempt later, extend, ack; then it is settled."""
    stored = await put(client, b'{"n":  12345678901234567890}')
    (first,) = await lease(client, leaseSeconds=60)
    assert (first["eventId"], first["attempt"], first["account"]) == (stored, 1, account)
    assert await lease(client) == []
    assert await settle(client, "release", first) == ["released"]
    (second,) = await lease(client)
    assert (second["eventId"], second["attempt"]) == (stored, 2)
    assert await settle(client, "ack", first) == ["stale"]
    answer = await client.post(
        "/v1/keys/erp/extend", json={"receipts": [second["receipt"]], "leaseSeconds": 600}
    )
    (result,) = answer.json()["results"]
    assert (result["status"], result["leasedUntil"] > second["leasedUntil"]) == ("extended", True)
    assert await settle(client, "ack", second) == ["acked"]
    assert await settle(client, "ack", second) == ["stale"]
    assert await settle(client, "extend", second) == ["stale"]
    assert (await client.get("/v1/keys/erp")).json()["eventId"] == stored


async def test_a_leased_entry_is_the_entry(client: httpx.AsyncClient, account: str) -> None:
    """It has every field that get gives, its data as written, and three of the lease."""
    del account
    await put(client, b'{"b":  1, "a": 2, "b": 3}')
    answer = await client.post("/v1/keys/erp/lease")
    (leased,) = answer.json()["entries"]
    entry = (await client.get("/v1/keys/erp")).json()
    assert {name: leased[name] for name in entry} == entry
    assert set(leased) - set(entry) == {"receipt", "attempt", "leasedUntil"}
    inner = split_members(answer.content)["entries"]
    assert b'"data":{"b":  1, "a": 2, "b": 3}' in inner


async def test_a_lease_waits(client: httpx.AsyncClient, account: str) -> None:
    """With `wait` it is answered when an entry comes, is given back, or its lease ends."""
    del account
    began = time.monotonic()
    call = asyncio.create_task(lease(client, wait=30, leaseSeconds=1))
    stored = await put(client)
    assert [each["eventId"] for each in await call] == [stored]
    (again,) = await lease(client, wait=30)
    assert (again["eventId"], again["attempt"]) == (stored, 2)
    call = asyncio.create_task(lease(client, wait=30))
    assert await settle(client, "release", again, delaySeconds=1) == ["released"]
    assert [each["attempt"] for each in await call] == [3]
    assert 2 <= time.monotonic() - began < 10
    assert await lease(client, wait=1) == []


async def test_leases_of_a_group_in_order(client: httpx.AsyncClient, account: str) -> None:
    """With `ordered` the next entry comes after the ack of the one before, at once."""
    del account
    stored = [await put(client) for _ in range(2)]
    (first,) = await lease(client, ordered=True)
    call = asyncio.create_task(lease(client, ordered=True, wait=30))
    assert await settle(client, "ack", first) == ["acked"]
    (second,) = await call
    assert [first["eventId"], second["eventId"]] == stored


async def test_dead_letters_of_a_group(client: httpx.AsyncClient, account: str) -> None:
    """After `maxAttempts` an entry is listed as a dead letter, until it is redriven."""
    del account
    stored = await put(client)
    (held,) = await lease(client, group="billing")
    assert await settle(client, "release", held, group="billing") == ["released"]
    assert await lease(client, group="billing", maxAttempts=1) == []
    path = "/v1/keys/erp/groups"
    assert (await client.get(path)).json() == {
        "groups": [{"group": "billing", "held": 0, "returned": 0, "deadLetters": 1}]
    }
    (letter,) = (await client.get(f"{path}/billing/dead-letters")).json()["deadLetters"]
    assert (letter["eventId"], letter["attempts"]) == (stored, 1)
    assert {"cursor", "receivedAt", "expiresAt", "failedAt"} < set(letter)
    redriven = await client.post(f"{path}/billing/dead-letters/redrive")
    assert redriven.json() == {"redriven": 1}
    assert [each["attempt"] for each in await lease(client, group="billing")] == [1]


async def test_receipts_of_elsewhere_are_stale(client: httpx.AsyncClient, account: str) -> None:
    """Forged, of another group, of another account: stale, and nothing changes."""
    stored = await put(client)
    (held,) = await lease(client)
    forged = [{"receipt": text} for text in ("", "x", "A" * 20, "ü", "A" * 5_000)]
    assert await settle(client, "ack", *forged, held, group="other") == ["stale"] * 6
    other = f"{account}2"
    await client.put(f"/v1/accounts/{other}", json={})
    client.headers["hookrack-account"] = other
    assert await settle(client, "ack", held) == ["stale"]
    client.headers["hookrack-account"] = account
    assert await settle(client, "ack", *forged, held) == [*["stale"] * 5, "acked"]
    assert (await client.get("/v1/keys/erp")).json()["eventId"] == stored


@pytest.mark.parametrize(
    "wanted",
    [
        *({"max": 0}, {"max": 1_001}, {"max": 10_001}, {"max": "1"}, {"max": 1.5}),
        *({"leaseSeconds": 0}, {"leaseSeconds": 43_201}, {"leaseSeconds": "30"}),
        *({"wait": -1}, {"wait": 31}, {"wait": "x"}, {"wait": True}),
        *({"maxAttempts": 0}, {"maxAttempts": 1_001}, {"ordered": "yes"}, {"group": 7}),
        *({"limit": 1}, [], "x", 7),
    ],
    ids=repr,
)
async def test_leases_that_are_none(
    client: httpx.AsyncClient, account: str, wanted: object
) -> None:
    """What is out of bounds or unknown is refused, and leases nothing."""
    del account
    await put(client)
    refused(await client.post("/v1/keys/erp/lease", json=wanted), 400, "QUERY_INVALID")
    assert len(await lease(client)) == 1


@pytest.mark.parametrize("verb", ["lease", "ack", "release", "extend"])
async def test_bodies_that_are_none(client: httpx.AsyncClient, account: str, verb: str) -> None:
    """Not JSON, or said to be something else; too large."""
    del account
    path = f"/v1/keys/erp/{verb}"
    refused(await client.post(path, content=b"{"), 400, "QUERY_INVALID")
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused(await client.post(path, content=b"{}", headers=form), 400, "QUERY_INVALID")
    large = b'{"receipts": ["%b"]}' % (b"x" * 26 * 1024 * 1024)
    refused(await client.post(path, content=large), 413, "BODY_TOO_LARGE")
    refused(await client.get(path), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("verb", ["ack", "release", "extend"])
@pytest.mark.parametrize(
    "wanted",
    [
        *({}, {"receipts": []}, {"receipts": ["x"] * 1_001}, {"receipts": [7]}),
        *({"receipts": "x"}, {"receipts": ["x"], "more": 1}, {"receipts": None}),
        *({"receipts": ["x"], "delaySeconds": -1}, {"receipts": ["x"], "leaseSeconds": 0}),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_settlements_that_are_none(
    client: httpx.AsyncClient, account: str, verb: str, wanted: object
) -> None:
    """No receipts, too many, or something else."""
    del account
    refused(await client.post(f"/v1/keys/erp/{verb}", json=wanted), 400, "QUERY_INVALID")


@pytest.mark.parametrize(
    "group", ["", " ", "a b", "a:b", "a/b", "*", "ü", "a\n", "\x00", "{acme}", "a" * 65, "..%2f"]
)
async def test_groups_with_odd_names(client: httpx.AsyncClient, account: str, group: str) -> None:
    """A group has a name of letters, digits, dots, underscores, tildes and hyphens."""
    del account
    for verb in ("lease", "ack", "release", "extend"):
        wanted: dict[str, Any] = {"group": group}
        if verb != "lease":
            wanted["receipts"] = ["x"]
        refused(await client.post(f"/v1/keys/erp/{verb}", json=wanted), 400, "GROUP_INVALID")
    for path in ("a:b/dead-letters", "a%20b/dead-letters"):
        refused(await client.get(f"/v1/keys/erp/groups/{path}"), 400, "GROUP_INVALID")


async def test_who_may_lease(client: httpx.AsyncClient, account: str) -> None:
    """It takes the scope `ack`; to look at groups, `read`."""
    made = {}
    for scope in ("read", "ack"):
        wanted = {"name": scope, "accounts": [account], "scopes": [scope]}
        token = (await client.post("/v1/tokens", json=wanted)).json()["token"]
        made[scope] = {"authorization": f"Bearer {token}"}
    calls = [f"/v1/keys/erp/{verb}" for verb in ("lease", "ack", "release", "extend")]
    calls.append("/v1/keys/erp/groups/default/dead-letters/redrive")
    for call in calls:
        body = {} if call.endswith("/lease") else {"receipts": ["x"]}
        answer = await client.post(call, json=body, headers=made["read"])
        refused(answer, 403, "SCOPE_MISSING")
        refused(
            await client.post(call, json=body, headers={"authorization": ""}), 401, "TOKEN_INVALID"
        )
    await put(client)
    assert len((await client.post("/v1/keys/erp/lease", headers=made["ack"])).json()["entries"])
    assert (await client.get("/v1/keys/erp/groups", headers=made["read"])).status_code == 200
    refused(await client.get("/v1/keys/erp", headers=made["ack"]), 403, "SCOPE_MISSING")


async def test_keys_that_are_none(client: httpx.AsyncClient, account: str) -> None:
    """A name that can't be a webhook key is refused by every call."""
    del account
    for verb in ("lease", "ack", "release", "extend"):
        wanted = {} if verb == "lease" else {"receipts": ["x"]}
        refused(await client.post(f"/v1/keys/a%20b/{verb}", json=wanted), 400, "KEY_INVALID")
    refused(await client.get("/v1/keys/a%20b/groups"), 400, "KEY_INVALID")


async def test_no_entry_is_held_twice(client: httpx.AsyncClient, account: str) -> None:
    """Sixteen readers that lease and ack at the same time share two thousand entries: each of them
    goes to one of them.
    """
    del account
    for _ in range(20):
        await asyncio.gather(*(put(client) for _ in range(100)))
    seen: list[str] = []

    async def read() -> None:
        while held := await lease(client, max=10):
            seen.extend(each["eventId"] for each in held)
            assert set(await settle(client, "ack", *held)) == {"acked"}

    await asyncio.gather(*(read() for _ in range(16)))
    assert len(seen) == len(set(seen)) == 2000
