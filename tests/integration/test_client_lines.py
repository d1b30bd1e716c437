"""The client where lines are cut: servers that end and come back, refuse, or say nonsense."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from secrets import token_hex

import pytest
from harness import ADMIN_TOKEN, Served, wait_until

from hookrack.client import AsyncClient, BadCall, Client, Code, Entry, Retries, ServerFault, Unready

QUICK = Retries(first=0.01, longest=0.1)
Reply = tuple[int, dict[str, str], bytes] | None


@contextlib.asynccontextmanager
async def scripted(*replies: Reply) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that says these one after the other, the last one for good; None cuts the line.

    Its URL, and the request lines that came.
    """
    came: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            sizes = [line for line in head if line.lower().startswith("content-length")]
            await reader.readexactly(int(sizes[0].split()[1]) if sizes else 0)
            reply = replies[min(len(came), len(replies) - 1)]
            came.append(head[0])
            if reply is not None:
                status, headers, body = reply
                lines = {"content-length": str(len(body)), "connection": "close"} | headers
                told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
                phrase = HTTPStatus(status).phrase
                writer.write(f"HTTP/1.1 {status} {phrase}\r\n{told}\r\n".encode() + body)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", came


def refusal(status: int, code: Code, **headers: str) -> Reply:
    """A problem document."""
    body = f'{{"code": "{code}", "detail": "Not now."}}'.encode()
    return status, headers, body


LIFE: Reply = (200, {}, b'{"eventId": "e", "account": "a", "status": "queued"}')
FULL = refusal(503, Code.STORE_FULL)


@pytest.mark.parametrize(
    "first", [FULL, refusal(429, Code.INTERNAL), None, refusal(502, Code.INTERNAL)]
)
async def test_what_may_be_repeated_is(first: Reply) -> None:
    """After 429, 502, 503 or a cut line a call that changes nothing is made again."""
    async with scripted(first, first, LIFE) as (url, came):
        async with AsyncClient(url, "t", retries=QUICK) as client:
            assert (await client.life("e")).status == "queued"
        assert len(came) == 3
    async with scripted(first, LIFE) as (url, came):
        with Client(url, "t", retries=QUICK) as blocking:
            assert (await asyncio.to_thread(blocking.life, "e")).status == "queued"
        assert len(came) == 2


@pytest.mark.parametrize("first", [FULL, None])
async def test_what_would_be_done_twice_is_not(first: Reply) -> None:
    """A set without an id is made once; with one it is repeated to the end."""
    async with scripted(first) as (url, came), AsyncClient(url, "t", retries=QUICK) as client:
        with pytest.raises(Unready) as caught:
            await client.set("erp", 1)
        assert (len(came), caught.value.status) == (1, first[0] if first else None)
        with pytest.raises(Unready):
            await client.set("erp", 1, id="7")
        assert len(came) == 1 + QUICK.calls
        assert came[-1].startswith("POST /v1/set ")


async def test_a_named_time_is_kept() -> None:
    """Retry-After is waited for, and one beyond all patience ends the call with the time."""
    loop = asyncio.get_running_loop()
    wait = refusal(503, Code.STORE_FULL, **{"retry-after": "1"})
    async with scripted(wait, LIFE) as (url, _), AsyncClient(url, "t", retries=QUICK) as client:
        began = loop.time()
        await client.life("e")
        assert 1.0 <= loop.time() - began < 5.0
    long = refusal(503, Code.STORE_FULL, **{"retry-after": "3600"})
    async with scripted(long, LIFE) as (url, came), AsyncClient(url, "t") as client:
        with pytest.raises(Unready) as caught:
            await client.life("e")
        assert (len(came), caught.value.retry_after) == (1, 3600.0)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{", b'{"eventId": 1}', b'{"entries": [1,]}']
)
async def test_what_makes_no_sense_is_a_fault(body: bytes) -> None:
    """An answer that is none of hookrack's is a ServerFault, and not a riddle."""
    async with scripted((200, {}, body)) as (url, _), AsyncClient(url, "t") as client:
        for call in (client.get("erp"), client.page("erp"), client.get_many(["erp"])):
            with pytest.raises(ServerFault):
                await call


async def test_a_code_of_a_newer_server_is_told() -> None:
    """A code that this client doesn't know stands in the detail; the status says the family."""
    newer: Reply = (409, {}, b'{"code": "MOON_FULL", "detail": "Wait."}')
    async with scripted(newer) as (url, _), AsyncClient(url, "t") as client:
        with pytest.raises(Exception, match=r"MOON_FULL: Wait\.") as caught:
            await client.life("e")
        assert type(caught.value).__name__ == "Conflict"


def restart(server: Served, *, gently: bool = False) -> None:
    """The server is killed with its engine, or stopped, and is back at the same address."""
    port = server.url.rpartition(":")[2]
    if gently:
        server.stop()
    else:
        server.kill()
    server.command[server.command.index("--port") + 1] = port
    server.start()


@pytest.mark.parametrize("streams", [True, False])
async def test_nothing_is_missed_and_nothing_comes_twice(
    streams: bool, own_server: Callable[..., Served]
) -> None:
    """A reader that follows goes on through kills of the server: each entry once, in order."""
    server = own_server()
    seen: list[Entry] = []
    async with AsyncClient(server.url, ADMIN_TOKEN, account="acme", retries=QUICK) as client:

        async def follow() -> None:
            async for entry in client.follow("erp", streams=streams):
                seen.append(entry)  # noqa: PERF401 - looked at meanwhile

        following = asyncio.create_task(follow())
        stored = []
        for round_ in range(3):
            stored += [await client.set("erp", [round_, number]) for number in range(5)]
            await wait_until(lambda: bool(seen), what="the first entry")
            restart(server, gently=round_ == 1)
            stored += [await client.set("erp", [round_, "back"])]
        await wait_until(lambda: len(seen) >= len(stored), what="the last entry", seconds=15)
        following.cancel()
        await asyncio.wait([following])
    assert [entry.data for entry in seen] == [entry.data for entry in stored]
    assert [entry.cursor for entry in seen] == [entry.cursor for entry in stored]


async def test_a_blocking_reader_goes_on_as_well(own_server: Callable[..., Served]) -> None:
    """The same for the client without a loop."""
    server = own_server()
    seen: list[object] = []

    def follow() -> None:
        with Client(server.url, ADMIN_TOKEN, account="acme", retries=QUICK) as client:
            for entry in client.follow("erp"):
                seen.append(entry.data)
                if entry.data == "end":
                    return

    async with AsyncClient(server.url, ADMIN_TOKEN, account="acme", retries=QUICK) as client:
        following = asyncio.create_task(asyncio.to_thread(follow))
        await client.set("erp", 1)
        await wait_until(lambda: seen == [1], what="the first entry")
        restart(server)
        await client.set("erp", "end")
        await asyncio.wait_for(following, 15)
    assert seen == [1, "end"]


async def test_connections_are_kept(served: Served) -> None:
    """Calls one after the other, refused ones among them, go over one connection."""
    port = int(served.url.rpartition(":")[2])
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(piped(reader, to_server), piped(from_server, writer))

    async def piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.close()

    def work(url: str, key: str) -> None:
        with Client(url, ADMIN_TOKEN, account="acme") as client:
            for number in range(10):
                client.set(key, number)
                with client.lease(key), contextlib.suppress(BadCall):
                    client.set(key, 1, ttl="soon")
            assert len(list(client.history(key, limit=3))) == 10

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.to_thread(work, url, f"k{token_hex(4)}")
    assert connections == 1


async def test_a_token_that_ends_ends_the_reader(served: Served) -> None:
    """A stream whose token is revoked says so, instead of knocking for ever."""
    name = f"c{token_hex(4)}"
    async with served.client(account=None) as admin:
        await admin.put(f"/v1/accounts/{name}", json={})
        wanted = {"name": "r", "accounts": [name], "scopes": ["read", "write"]}
        made = (await admin.post("/v1/tokens", json=wanted)).json()
        async with AsyncClient(served.url, made["token"], retries=QUICK) as client:
            await client.set("erp", 1)
            following = client.follow("erp")
            assert (await anext(following)).data == 1
            await admin.delete(f"/v1/tokens/{made['id']}")
            await admin.put("/v1/keys/erp", content=b"2", headers={"hookrack-account": name})
            with pytest.raises(Exception, match="TOKEN_INVALID") as caught:  # noqa: PT012 - the second may come
                while True:
                    await anext(following)
            assert type(caught.value).__name__ == "Denied"
