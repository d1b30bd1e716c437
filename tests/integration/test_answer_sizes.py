"""An answer stops at 8 MiB, carries one entry all the same, and loses nothing of the rest."""

from secrets import token_hex

import httpx
import pytest

ANSWER_BYTES = 8 * 1024 * 1024
LARGE = 1_900_000
SLACK = 64 * 1024  # what stands around the data


@pytest.fixture
async def large(client: httpx.AsyncClient) -> list[str]:
    """Five entries of 1.9 MiB under one key, each under another of its own; their ids."""
    name = f"l{token_hex(4)}"
    await client.put(f"/v1/accounts/{name}", json={})
    client.headers["hookrack-account"] = name
    ids = []
    for number in range(5):
        data = '"' + str(number) * LARGE + '"'
        fields = f'{{"keys": ["all", "one{number}"], "data": {data}}}'
        made = await client.post("/v1/set", content=fields)
        ids.append(made.json()["eventId"])
    return ids


async def test_a_page_stops_at_8_mib_and_goes_on(
    client: httpx.AsyncClient, large: list[str]
) -> None:
    """A page of history ends before it grows too large, says `more`, and its cursor goes on."""
    found, sizes, cursor = list[str](), list[int](), ""
    while True:
        after = {"after": cursor} if cursor else {}
        answer = await client.get("/v1/keys/all/events", params=after)
        sizes.append(len(answer.content))
        page = answer.json()
        found += [each["eventId"] for each in page["entries"]]
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert found == large
    assert len(sizes) == 2
    assert max(sizes) <= ANSWER_BYTES + SLACK


async def test_keys_that_find_no_room_are_named(
    client: httpx.AsyncClient, large: list[str]
) -> None:
    """A batch get names the keys that it left out; asked for again, they come."""
    keys = [f"one{number}" for number in range(5)]
    found = dict[str, str]()
    rounds = 0
    while keys:
        answer = await client.post("/v1/get", json={"keys": keys})
        assert len(answer.content) <= ANSWER_BYTES + SLACK
        told = answer.json()
        found |= {key: entry["eventId"] for key, entry in told["entries"].items()}
        assert set(told["omitted"]).isdisjoint(told["entries"])
        keys = told["omitted"]
        rounds += 1
    assert [found[f"one{number}"] for number in range(5)] == large
    assert rounds == 2


async def test_one_entry_always_has_room(client: httpx.AsyncClient, large: list[str]) -> None:
    """An entry larger than a whole answer is got all the same, by every call."""
    del large
    data = '"' + "x" * (9 * 1024 * 1024) + '"'
    assert (await client.put("/v1/keys/big", content=data)).status_code == 201
    page = (await client.get("/v1/keys/big/events")).json()
    assert [len(each["data"]) for each in page["entries"]] == [len(data) - 2]
    assert page["more"] is False
    got = (await client.post("/v1/get", json={"keys": ["big", "one0"]})).json()
    assert (set(got["entries"]), got["omitted"]) == ({"big"}, ["one0"])
    assert (await client.get("/v1/keys/big?raw=true")).content == data.encode()


async def test_bytes_are_counted_as_they_are_sent(
    client: httpx.AsyncClient, large: list[str]
) -> None:
    """Bytes grow by a third as base64; with them too no answer is larger than 8 MiB."""
    del large
    kind = {"content-type": "application/octet-stream"}
    for _ in range(5):
        await client.put("/v1/keys/raw", content=b"\0" * LARGE, headers=kind)
    answer = await client.get("/v1/keys/raw/events")
    assert len(answer.content) <= ANSWER_BYTES
    assert (len(answer.json()["entries"]), answer.json()["more"]) == (3, True)
