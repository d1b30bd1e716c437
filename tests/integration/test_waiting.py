"""Waiting by HTTP: the newest entry, a page of history, and a stream that goes on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import httpx
import pytest
from harness import ADMIN_TOKEN, Served, Wire, wait_until

SOON = 5.0  # seconds that nothing here takes, if it works


@pytest.fixture
async def account(client: httpx.AsyncClient) -> str:
    """An account of this test's own; the client speaks for it and is patient."""
    name = f"w{token_hex(4)}"
    await client.put(f"/v1/accounts/{name}", json={"maxTtl": "7d"})
    client.headers["hookrack-account"] = name
    client.timeout = httpx.Timeout(40)
    return name


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """A problem with this status and code."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def put(client: httpx.AsyncClient, key: str = "erp", body: bytes = b"1") -> str:
    """Set an event; its id."""
    return str((await client.put(f"/v1/keys/{key}", content=body)).json()["eventId"])


async def waiting(client: httpx.AsyncClient) -> int:
    """How many readers wait at the server."""
    text = (await client.get("/metrics")).text
    (line,) = [each for each in text.splitlines() if each.startswith("gateway_waiting_readers ")]
    return int(float(line.split()[1]))


@asynccontextmanager
async def asked(client: httpx.AsyncClient, path: str, **more: Any) -> AsyncIterator[Any]:
    """A call under way that waits at the server; afterwards its answer can be awaited."""
    before = await waiting(client)
    method = more.pop("method", "GET")
    call = asyncio.create_task(client.request(method, path, **more))

    async def there() -> bool:
        return await waiting(client) > before

    await wait_until(there, what="a reader that waits")
    yield call


async def test_a_get_waits_for_the_first_entry(client: httpx.AsyncClient, account: str) -> None:
    """With ?wait the answer comes when there is an entry, at once."""
    del account
    async with asked(client, "/v1/keys/erp?wait=30") as call:
        began = time.monotonic()
        stored = await put(client)
        answer = await call
    assert time.monotonic() - began < SOON
    assert (answer.status_code, answer.json()["eventId"]) == (200, stored)


async def test_a_get_waits_for_another_entry(client: httpx.AsyncClient, account: str) -> None:
    """With If-None-Match it waits for an entry other than that; raw works as ever."""
    del account
    first = await put(client)
    known = {"if-none-match": f'"{first}"'}
    async with asked(client, "/v1/keys/erp?wait=30&raw=true", headers=known) as call:
        second = await put(client, body=b'{"n":  2}')
        answer = await call
    assert answer.content == b'{"n":  2}'
    assert answer.headers["etag"] == f'"{second}"'
    answer = await client.get("/v1/keys/erp?wait=30", headers=known)
    assert answer.json()["eventId"] == second


async def test_a_get_does_not_wait_for_what_is_there(
    client: httpx.AsyncClient, account: str
) -> None:
    """Without If-None-Match any entry will do."""
    del account
    stored = await put(client)
    assert (await client.get("/v1/keys/erp?wait=30")).json()["eventId"] == stored


async def test_a_get_that_waited_for_nothing(client: httpx.AsyncClient, account: str) -> None:
    """At the end of the wait it is 304 for who has the newest, 404 where there is none."""
    del account
    refused(await client.get("/v1/keys/erp?wait=1"), 404, "NO_EVENT")
    stored = await put(client)
    answer = await client.get("/v1/keys/erp?wait=1", headers={"if-none-match": f'"{stored}"'})
    assert (answer.status_code, answer.content) == (304, b"")
    refused(await client.get("/v1/keys/none?wait=0"), 404, "NO_EVENT")


async def test_a_page_waits_for_its_first_entry(client: httpx.AsyncClient, account: str) -> None:
    """A page that would be empty waits, and then follows its cursor as ever."""
    del account
    await put(client)
    here = (await client.get("/v1/keys/erp/events")).json()["cursor"]
    async with asked(client, f"/v1/keys/erp/events?wait=30&after={here}") as call:
        stored = await put(client)
        page = (await call).json()
    assert [each["eventId"] for each in page["entries"]] == [stored]
    assert page["cursor"] == page["entries"][0]["cursor"]
    empty = (await client.get(f"/v1/keys/erp/events?wait=1&after={page['cursor']}")).json()
    assert empty == {"entries": [], "cursor": page["cursor"], "more": False}


async def test_a_page_begins_at_a_time(client: httpx.AsyncClient, account: str) -> None:
    """?from takes RFC 3339 with any offset, and begins with what was stored then."""
    del account
    first = (await client.put("/v1/keys/erp", content=b"1")).json()

    async def passed() -> bool:
        made = (await client.put("/v1/keys/other", content=b"0")).json()
        return bool(made["storedAt"] > first["storedAt"])

    await wait_until(passed, what="another millisecond")
    second = (await client.put("/v1/keys/erp", content=b"2")).json()
    for time_ in (second["storedAt"], second["storedAt"].replace("Z", "+00:00")):
        page = (await client.get("/v1/keys/erp/events", params={"from": time_})).json()
        assert [each["eventId"] for each in page["entries"]] == [second["eventId"]]
    for time_ in ("yesterday", "2026-11-23", "2026-11-23T10:00:00", "12345"):
        answer = await client.get("/v1/keys/erp/events", params={"from": time_})
        refused(answer, 400, "QUERY_INVALID")


@pytest.mark.parametrize("wait", ["-1", "31", "x", "", "1.5", "1e1", "%202", "٣"])
@pytest.mark.parametrize("path", ["/v1/keys/erp", "/v1/keys/erp/events"])
async def test_waits_that_are_none(
    client: httpx.AsyncClient, account: str, path: str, wait: str
) -> None:
    """Wait is 0 to 30, in whole seconds."""
    del account
    await put(client)
    answer = await client.get(f"{path}?wait={wait}")
    refused(answer, 400, "QUERY_INVALID")


async def test_a_client_that_vanishes_is_forgotten(
    client: httpx.AsyncClient, account: str, served: Served
) -> None:
    """Within a second nobody waits for it any more, whatever it waited for, however it went."""
    before = await waiting(client)
    head = f"host: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\nhookrack-account: {account}\r\n"
    lease = f"content-type: application/json\r\ncontent-length: 11\r\n{head}\r\n" + '{"wait":30}'
    requests = [f"GET /v1/keys/erp{what} HTTP/1.1\r\n{head}\r\n" for what in PATHS]
    requests.append(f"POST /v1/keys/erp/lease HTTP/1.1\r\n{lease}")
    for abort in (True, False):
        wires = [Wire(served.url) for _ in requests]
        for wire, request in zip(wires, requests, strict=True):
            await wire.__aenter__()
            await wire.send(request.encode())

        async def all_wait() -> bool:
            return await waiting(client) == before + len(requests)

        await wait_until(all_wait, what="readers that wait")
        for wire in wires:
            if abort:
                wire.writer.transport.abort()
            else:
                await wire.__aexit__()

        async def all_left() -> bool:
            return await waiting(client) == before

        await wait_until(all_left, what="the end of the waits", seconds=1)


PATHS = ("?wait=30", "/events?wait=30", "/stream")


async def test_who_sends_no_more_is_answered_at_once(
    client: httpx.AsyncClient, account: str, served: Served
) -> None:
    """A client that has closed its side may still read: it gets what there is to say by now."""
    del client
    head = f"host: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\nhookrack-account: {account}\r\n"
    async with Wire(served.url, seconds=SOON) as wire:
        await wire.send(f"GET /v1/keys/erp?wait=30 HTTP/1.1\r\n{head}\r\n".encode(), end=True)
        assert (await wire.answer()).code == "NO_EVENT"


class Events:
    """What a stream says, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The next event as its fields; comments have the field "", data is joined."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(30):
            async for line in self._lines:
                if not line and fields:
                    return fields
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        return fields

    async def entry(self) -> tuple[str, dict[str, Any]]:
        """Id and data of the next event that is one."""
        while True:
            fields = await self.next()
            assert fields, "the stream has ended"
            if "data" in fields:
                return fields["id"], json.loads(fields["data"])


@asynccontextmanager
async def streamed(
    client: httpx.AsyncClient, query: str = "", **headers: str
) -> AsyncIterator[Events]:
    """A stream that has begun."""
    async with client.stream("GET", f"/v1/keys/erp/stream{query}", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        yield Events(answer)


async def test_a_stream_tells_what_is_there_and_what_comes(
    client: httpx.AsyncClient, account: str
) -> None:
    """Entries of the history come first, each with its cursor as id, then what is stored."""
    del account
    stored = [await put(client, body=b'{\n "n":\r\n  1}'), await put(client)]
    async with streamed(client) as events:
        told = [await events.entry() for _ in range(2)]
        stored.append(await put(client))
        told.append(await events.entry())
    assert [entry["eventId"] for _, entry in told] == stored
    assert [place for place, _ in told] == [entry["cursor"] for _, entry in told]
    assert told[0][1]["data"] == {"n": 1}


async def test_a_stream_is_resumed(client: httpx.AsyncClient, account: str) -> None:
    """Last-Event-ID goes on behind that entry, before what the query says."""
    del account
    stored = [await put(client) for _ in range(3)]
    async with streamed(client) as events:
        place, _ = await events.entry()
    async with streamed(client, **{"last-event-id": place}) as events:
        assert [(await events.entry())[1]["eventId"] for _ in range(2)] == stored[1:]
    last = (await client.get("/v1/keys/erp/events")).json()["cursor"]
    async with streamed(client, f"?after={last}", **{"last-event-id": place}) as events:
        assert (await events.entry())[1]["eventId"] == stored[1]
    async with streamed(client, f"?after={place}") as events:
        assert (await events.entry())[1]["eventId"] == stored[1]


async def test_a_stream_without_news_says_so(client: httpx.AsyncClient, account: str) -> None:
    """There is a comment at least every 15 seconds."""
    del account
    async with streamed(client) as events:
        assert "retry" in await events.next()
        assert await events.next() == {"": ""}
        began = time.monotonic()
        assert await events.next() == {"": ""}
    assert 5 < time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("query", "headers", "why"),
    [
        ("?after=garbage", {}, (410, "CURSOR_INVALID")),
        ("", {"last-event-id": "garbage"}, (410, "CURSOR_INVALID")),
        ("?from=never", {}, (400, "QUERY_INVALID")),
        ("?wait=3", {}, (400, "QUERY_INVALID")),
        ("", {"authorization": "Bearer wrong"}, (401, "TOKEN_INVALID")),
    ],
)
async def test_streams_that_are_refused(
    client: httpx.AsyncClient,
    account: str,
    query: str,
    headers: dict[str, str],
    why: tuple[int, str],
) -> None:
    """What can't be streamed is refused before anything is, so that nobody tries for ever."""
    del account
    answer = await client.get(f"/v1/keys/erp/stream{query}", headers=headers)
    refused(answer, *why)
    refused(await client.get("/v1/keys/a%20b/stream"), 400, "KEY_INVALID")


async def test_a_stream_ends_with_its_token(client: httpx.AsyncClient, account: str) -> None:
    """Once a token is revoked, what is stored isn't told any more; the last event says why."""
    made = await client.post(
        "/v1/tokens", json={"name": "r", "accounts": [account], "scopes": ["read"]}
    )
    bearer = {"authorization": f"Bearer {made.json()['token']}"}
    async with streamed(client, **bearer) as events:
        await put(client)
        await events.entry()
        await client.delete(f"/v1/tokens/{made.json()['id']}")
        await put(client)
        while "event" not in (last := await events.next()):
            assert "data" not in last
        assert (last["event"], json.loads(last["data"])["code"]) == ("closed", "TOKEN_INVALID")
        assert await events.next() == {}


@pytest.mark.slow
async def test_a_stream_that_nobody_reads_is_closed(
    client: httpx.AsyncClient, account: str, served: Served
) -> None:
    """A slow reader costs a bounded buffer; then it is told why, and the connection ends."""
    body = b'"%b"' % (b"x" * 200_000)
    for _ in range(60):
        await put(client, body=body)
    head = f"host: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\nhookrack-account: {account}\r\n"
    async with Wire(served.url, seconds=40) as wire:
        await wire.send(f"GET /v1/keys/erp/stream HTTP/1.1\r\n{head}\r\n".encode())

        def given_up() -> bool:
            return any(line["event"] == "stream.unread" for line in served.log())

        await wait_until(given_up, what="the end of the stream", seconds=30)
        async with asyncio.timeout(20):
            read = await wire.reader.read()
    assert len(read) < 60 * 200_000
    assert b'event: closed\ndata: {"type":"urn:hookrack:problem:READER_TOO_SLOW"' in read[-1000:]


async def test_a_server_that_stops_answers_who_waits(own_server: Any) -> None:
    """Readers don't hold up a stop, and are answered before it."""
    server = own_server()
    async with server.client() as client:
        client.timeout = httpx.Timeout(40)
        async with asked(client, "/v1/keys/erp?wait=30") as call, streamed(client) as events:
            began = time.monotonic()
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            refused(await call, 404, "NO_EVENT")
            while await events.next():
                pass
            assert await stopping == 0
    assert time.monotonic() - began < SOON


async def test_there_are_only_so_many_readers(own_server: Any) -> None:
    """Above `maxWaitingReaders` it is 503, for each way to wait, until one leaves."""
    server = own_server("--max-waiting-readers", "1")
    async with server.client() as client:
        client.timeout = httpx.Timeout(40)
        async with asked(client, "/v1/keys/erp?wait=30") as call:
            paths = ("/v1/keys/erp?wait=1", "/v1/keys/erp/events?wait=1", "/v1/keys/erp/stream")
            for path in paths:
                answer = await client.get(path)
                refused(answer, 503, "TOO_MANY_WAITERS")
                assert int(answer.headers["retry-after"]) >= 1
                assert "maxWaitingReaders" in answer.json()["detail"]
            answer = await client.post("/v1/keys/erp/lease", json={"wait": 1})
            refused(answer, 503, "TOO_MANY_WAITERS")
            await put(client)
            assert (await call).status_code == 200
        assert (await client.get("/v1/keys/crm?wait=1")).status_code == 404


async def test_a_thousand_readers_wait_and_are_woken(
    client: httpx.AsyncClient, account: str, served: Served
) -> None:
    """A thousand wait on one server, each for its key, and each gets its entry once it is there."""
    many = 1000
    before = await waiting(client)
    head = f"host: x\r\nauthorization: Bearer {ADMIN_TOKEN}\r\nhookrack-account: {account}\r\n"
    wires = [Wire(served.url, seconds=30) for _ in range(many)]
    try:
        for number, wire in enumerate(wires):
            await wire.__aenter__()
            await wire.send(f"GET /v1/keys/k{number}?wait=30 HTTP/1.1\r\n{head}\r\n".encode())

        async def all_wait() -> bool:
            return await waiting(client) == before + many

        await wait_until(all_wait, what="a thousand readers", seconds=20)
        keys = [f"k{number}" for number in range(many)]
        made = (await client.post("/v1/set", json={"keys": keys, "data": 1})).json()["eventId"]
        answers = await asyncio.gather(*(wire.answer() for wire in wires))
    finally:
        for wire in wires:
            wire.writer.transport.abort()
    told = [json.loads(answer.body) for answer in answers]
    assert [each["webhookKey"] for each in told] == keys
    assert {each["eventId"] for each in told} == {made}
