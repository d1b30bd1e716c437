"""Set, get, history, purge and life by HTTP, as a client of the Set/Get API meets them."""

import datetime as dt
import os
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest
from harness import missing, wait_until

from hookrack.jsontext import split_members

FLOW = {"keys": ["one", "two", "three"], "auth": {"type": "none"}}


@pytest.fixture
async def account(client: httpx.AsyncClient) -> str:
    """An account of this test's own with one flow; the client speaks for it."""
    name = f"e{token_hex(4)}"
    await client.put(f"/v1/accounts/{name}", json={"maxTtl": "7d"})
    await client.put(f"/v1/accounts/{name}/flows/in", json=FLOW)
    client.headers["hookrack-account"] = name
    return name


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """A problem with this status and code."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def history(client: httpx.AsyncClient, key: str, **params: Any) -> list[dict[str, Any]]:
    """All that is under a key, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = (await client.get(f"/v1/keys/{key}/events", params=params)).json()
        found += page["entries"]
        if not page["more"]:
            return found
        params["after"] = page["cursor"]


async def test_what_is_set_is_got(client: httpx.AsyncClient, account: str) -> None:
    """PUT makes the body an event under the key: 201 with the entry but its data."""
    body = b'{"b":  1, "a": 123456789012345678901234567890, "b": 2}'
    made = await client.put("/v1/keys/erp", content=body, headers={"hookrack-ttl": "90s"})
    assert made.status_code == 201
    assert "data" not in made.json()
    assert (made.json()["account"], made.json()["flow"]) == (account, None)
    got = await client.get("/v1/keys/erp?raw=true")
    assert (got.content, got.headers["etag"]) == (body, f'"{made.json()["eventId"]}"')


async def test_bytes_are_set_with_their_type(client: httpx.AsyncClient, account: str) -> None:
    """What isn't JSON is set as the bytes it is."""
    del account
    headers = {"content-type": "image/png"}
    assert (
        await client.put("/v1/keys/logo", content=b"\x89PNG", headers=headers)
    ).status_code == 201
    assert (await client.get("/v1/keys/logo")).json()["dataBase64"] == "iVBORw=="


async def test_one_payload_under_many_keys(client: httpx.AsyncClient, account: str) -> None:
    """POST /v1/set puts one event under up to a thousand keys; POST /v1/get reads as many."""
    del account
    keys = [f"k{number}" for number in range(1000)]
    made = await client.post("/v1/set", json={"keys": keys, "data": {"n": 1}, "ttl": "1h"})
    assert made.status_code == 201
    assert len(made.json()["entries"]) == 1000
    got = (await client.post("/v1/get", json={"keys": [*keys[:999], "nothing"]})).json()
    assert got["omitted"] == []
    assert got["entries"]["nothing"] is None
    assert {each["eventId"] for each in got["entries"].values() if each} == {made.json()["eventId"]}


async def test_a_set_with_an_id_is_made_once(client: httpx.AsyncClient, account: str) -> None:
    """The same id again is 200 with the first event; with anything else it is 409."""
    del account
    wanted = {"keys": ["a", "b"], "data": [1], "id": "order-7"}
    first = await client.post("/v1/set", json=wanted)
    again = await client.post("/v1/set", json=wanted)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["eventId"] == again.json()["eventId"]
    refused(await client.post("/v1/set", json=wanted | {"data": [2]}), 409, "ID_CONFLICT")
    refused(await client.post("/v1/set", json=wanted | {"keys": ["a"]}), 409, "ID_CONFLICT")
    assert len(await history(client, "a")) == 1


async def test_real_webhooks_are_all_in_the_history(
    client: httpx.AsyncClient, account: str
) -> None:
    """All real payloads stand in the history of each key, complete, in order, byte for byte; a
    purge takes them away, and each one's life says what became of it.
    """
    named = os.environ.get("HOOKRACK_CORPUS")
    if not named:
        pytest.skip("HOOKRACK_CORPUS names no folder")
    file = Path(named) / "github-events.jsonl"
    if not file.exists():
        missing(f"{file} is not there")
    payloads = [split_members(line)["payload"] for line in file.read_bytes().splitlines()]
    ids = []
    for payload in payloads:
        answer = await client.post(f"/in/{account}/in", content=payload)
        ids.append(answer.json()["eventId"])

    async def complete() -> bool:
        return len(await history(client, "one", limit=1000)) == len(payloads)

    await wait_until(complete, what="all payloads in the history", seconds=30)
    for key in FLOW["keys"]:
        assert [each["eventId"] for each in await history(client, key, limit=50)] == ids
    raw = (await client.get("/v1/keys/two/events?limit=1000")).content
    assert all(payload in raw for payload in payloads[:20])
    got = (await client.post("/v1/get", json={"keys": FLOW["keys"]})).json()["entries"]
    assert {each["eventId"] for each in got.values()} == {ids[-1]}
    assert (await client.delete(f"/v1/keys/one/events/{ids[0]}")).json() == {"purged": 1}
    life = (await client.get(f"/v1/events/{ids[0]}")).json()
    assert (life["status"], len(life["keys"])) == ("stored", 2)
    for key in FLOW["keys"]:
        await client.delete(f"/v1/keys/{key}/events")
        assert await history(client, key) == []
    assert (await client.get(f"/v1/events/{ids[5]}")).json()["status"] == "purged"


async def test_an_account_goes_with_all_it_had(client: httpx.AsyncClient, account: str) -> None:
    """DELETE of an account purges its entries and reports how many there were."""
    await client.post("/v1/set", json={"keys": ["a", "b"], "data": 1})
    gone = await client.delete(f"/v1/accounts/{account}")
    assert gone.json() == {"entries": 2, "events": 1, "queued": 0, "deadLetters": 0, "tokens": 0}
    refused(await client.get(f"/v1/accounts/{account}"), 404, "ACCOUNT_UNKNOWN")
    refused(await client.get("/v1/keys/a"), 404, "NO_EVENT")
    refused(await client.put("/v1/keys/a", content=b"1"), 404, "ACCOUNT_UNKNOWN")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "BODY_NOT_JSON"),
        (b"[]", 400, "QUERY_INVALID"),
        (b'{"keys":["a"]}', 400, "QUERY_INVALID"),
        (b'{"data":1}', 400, "QUERY_INVALID"),
        (b'{"keys":["a"],"data":1,"data":2}', 400, "QUERY_INVALID"),
        (b'{"keys":["a"],"data":1,"more":2}', 400, "QUERY_INVALID"),
        (b'{"keys":["a"],"data":NaN}', 400, "BODY_NOT_JSON"),
        (b'{"keys":[],"data":1}', 400, "KEYS_INVALID"),
        (b'{"keys":"a","data":1}', 400, "KEYS_INVALID"),
        (b'{"keys":[1],"data":1}', 400, "KEYS_INVALID"),
        (b'{"keys":["a b"],"data":1}', 400, "KEYS_INVALID"),
        (b'{"keys":["a","a"],"data":1}', 400, "KEYS_INVALID"),
        (b'{"keys":[%b],"data":1}' % b",".join([b'"k%d"' % n for n in range(10_000)]),
         400, "KEYS_INVALID"),
        (b'{"keys":["a"],"data":1,"ttl":0}', 400, "TTL_INVALID"),
        (b'{"keys":["a"],"data":1,"ttl":-1}', 400, "TTL_INVALID"),
        (b'{"keys":["a"],"data":1,"ttl":"soon"}', 400, "TTL_INVALID"),
        (b'{"keys":["a"],"data":1,"ttl":1.5}', 400, "TTL_INVALID"),
        (b'{"keys":["a"],"data":1,"ttl":1e999}', 400, "TTL_INVALID"),
        (b'{"keys":["a"],"data":1,"id":-1e999}', 400, "QUERY_INVALID"),
        (b'{"keys":["a"],"data":1,"id":7}', 400, "QUERY_INVALID"),
        (b'{"keys":[1e999],"data":1}', 400, "KEYS_INVALID"),
        (b'{"keys":["a"],"data":1,"id":""}', 400, "QUERY_INVALID"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
async def test_what_is_no_set_is_refused(
    client: httpx.AsyncClient, account: str, body: bytes, status: int, code: str
) -> None:
    """A set that says too little, too much or nonsense stores nothing and says why."""
    del account
    refused(await client.post("/v1/set", content=body), status, code)
    refused(await client.get("/v1/keys/a"), 404, "NO_EVENT")


async def test_a_ttl_of_ten_years_is_capped(client: httpx.AsyncClient, account: str) -> None:
    """A time to live above the account's maxTtl is cut to it, not refused."""
    del account
    for ttl in ("3650d", "99999999999999d", "0099999999999", "9" * 5_000):
        made = await client.put("/v1/keys/a", content=b"1", headers={"hookrack-ttl": ttl})
        assert _days(made.json()) == 7
    for number in ("10000000000", "1" + "0" * 30):
        body = b'{"keys":["a"],"data":1,"ttl":%b}' % number.encode()
        made = await client.post("/v1/set", content=body)
        assert _days(made.json()["entries"][0]) == 7


def _days(entry: dict[str, str]) -> int:
    return (_time(entry["expiresAt"]) - _time(entry["receivedAt"])).days


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/v1/keys/a/events?limit=0", 400, "QUERY_INVALID"),
        ("/v1/keys/a/events?limit=1001", 400, "QUERY_INVALID"),
        ("/v1/keys/a/events?limit=x", 400, "QUERY_INVALID"),
        ("/v1/keys/a/events?from=soon", 400, "QUERY_INVALID"),
        ("/v1/keys/a/events?after=garbage", 410, "CURSOR_INVALID"),
        ("/v1/keys/a/events?colour=red", 400, "QUERY_INVALID"),
        ("/v1/keys/a%20b/events", 400, "KEY_INVALID"),
        ("/v1/events/nothing", 404, "EVENT_UNKNOWN"),
        ("/v1/events/no%20id", 404, "EVENT_UNKNOWN"),
        ("/v1/nothing", 404, "NOT_FOUND"),
    ],
)
async def test_what_can_not_be_asked_is_refused(
    client: httpx.AsyncClient, account: str, address: str, status: int, code: str
) -> None:
    """A question that isn't understood is refused rather than answered by something else."""
    del account
    refused(await client.get(address), status, code)
