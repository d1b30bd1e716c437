"""What a connection may cost: sizes, times and numbers, each with its refusal. Small settings."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness import Answer, Served, Wire, refused_start, wait_until

Start = Callable[..., Served]
HEAD = b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\n"
POST = HEAD + b"Content-Length: 2\r\n\r\n{}"
HEADER_BYTES = 16_384
URL_BYTES = 8_192


@pytest.fixture(scope="module")
def hasty() -> Iterator[Served]:
    """A server that waits for nobody, shared by the tests of this file."""
    folder = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
    times = ("--header-seconds", "1", "--body-seconds", "1", "--keep-alive-seconds", "2")
    server = Served(folder / "data", *times)
    server.start()
    yield server
    code = server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert code == 0


def closing(answer: Answer, status: int, code: str) -> None:
    """A refusal that says that it is the last thing on its connection."""
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["connection"] == "close"
    assert "date" in answer.headers


async def dribble(wire: Wire, start: bytes, *, piece: bytes) -> Answer:
    """Begin, then send a piece every tenth of a second until there is an answer."""
    sending = asyncio.create_task(wire.send(start, *[piece] * 1_000, pause=0.1))
    try:
        return await wire.answer()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def told(served: Served, event: str) -> None:
    """A line of this kind is in the log."""
    await wait_until(
        lambda: any(line["event"] == event for line in served.log()), what=event, seconds=20
    )


def padded(size: int) -> bytes:
    """A request whose address and headers, as they are counted, have this many bytes."""
    lines = [(b"Host", b"x"), (b"Content-Length", b"2")]
    taken = len(b"/in/acme/github") + sum(len(name) + len(value) + 4 for name, value in lines)
    filler = b"X-Filler: %b\r\n" % (b"a" * (size - taken - len(b"X-Filler") - 4))
    return HEAD + b"Content-Length: 2\r\n" + filler + b"\r\n{}"


async def test_headers_up_to_the_limit_are_taken_and_one_byte_more_is_not(served: Served) -> None:
    """16 KiB of address and headers are taken, whatever comes along with them."""
    for parts in ([padded(HEADER_BYTES)], [padded(HEADER_BYTES), POST], [POST * 50]):
        async with Wire(served.url) as wire:
            await wire.send(*parts)
            assert (await wire.answer()).status == 202
    for data in (padded(HEADER_BYTES + 1), padded(HEADER_BYTES + 1) + b"a" * 100_000):
        async with Wire(served.url) as wire:
            await wire.send(data)
            closing(await wire.answer(), 431, "HEADERS_TOO_LARGE")
            assert await wire.ended()


async def test_a_large_body_beside_its_headers_is_not_counted_with_them(served: Served) -> None:
    """Headers and a body in one write are told apart."""
    body = b'"%b"' % (b"a" * 200_000)
    async with Wire(served.url) as wire:
        for _ in range(3):
            await wire.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert (await wire.answer()).status == 202


async def test_the_number_of_headers_has_a_limit(served: Served) -> None:
    """A hundred headers are taken, one more is not."""
    for count, status in ((98, 202), (99, 431)):
        async with Wire(served.url) as wire:
            await wire.send(HEAD + b"Content-Length: 2\r\n" + b"A: b\r\n" * count + b"\r\n{}")
            assert (await wire.answer()).status == status


@pytest.mark.parametrize("piece", [b"X: " + b"a" * 500, b"X: a\r\n" * 80, b"\r\n" * 200])
async def test_headers_without_an_end_are_cut(served: Served, piece: bytes) -> None:
    """A head that never ends is refused as soon as it is too large, however it is cut up."""
    start = b"" if piece.startswith(b"\r") else HEAD
    async with Wire(served.url) as wire:
        with contextlib.suppress(ConnectionError):
            await wire.send(start, *[piece] * 200)
        assert (await wire.answer()).status == 431
        assert await wire.ended()


async def test_the_address_has_a_limit(served: Served) -> None:
    """An address above 8 KiB gets 414, in one piece or in many."""
    fine = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * (URL_BYTES - 1))
    async with Wire(served.url) as wire:
        await wire.send(fine)
        assert (await wire.answer()).status == 404
        await wire.send(fine.replace(b"/a", b"/aa"))
        closing(await wire.answer(), 414, "URL_TOO_LONG")
    async with Wire(served.url) as wire:
        with contextlib.suppress(ConnectionError):
            await wire.send(b"GET /", *[b"a" * 700] * 40)
        assert (await wire.answer()).status == 414


@pytest.mark.parametrize(
    "start",
    [b"", b"POST /in/acme/gi", HEAD, HEAD + b"X-A: ", POST + b"POST /"],
    ids=["nothing", "address", "headers", "header", "second"],
)
async def test_headers_have_a_deadline(hasty: Served, start: bytes) -> None:
    """Who connects and says nothing, or stops in mid-head, hears 408 and is cut."""
    async with Wire(hasty.url) as wire:
        await wire.send(start)
        if start.startswith(POST):
            assert (await wire.answer()).status == 202
        closing(await wire.answer(), 408, "REQUEST_TIMEOUT")
        assert await wire.ended()


async def test_a_dribble_of_headers_does_not_move_the_deadline(hasty: Served) -> None:
    """A byte now and then is no progress: the whole head is due at its time."""
    async with Wire(hasty.url) as wire:
        closing(await dribble(wire, HEAD + b"X: ", piece=b"a"), 408, "REQUEST_TIMEOUT")


async def test_an_idle_connection_is_closed_without_a_word(hasty: Served) -> None:
    """Between requests a client may be silent for keepAliveSeconds; then the line is closed."""
    async with Wire(hasty.url) as wire:
        for _ in range(2):
            await wire.send(POST)
            assert (await wire.answer()).status == 202
        assert await wire.ended()


@pytest.mark.parametrize(
    "start",
    [
        HEAD + b"Content-Length: 9\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: ",
        HEAD + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["none", "some", "chunks", "trailers", "upgrade"],
)
async def test_a_body_has_a_deadline(hasty: Served, start: bytes) -> None:
    """A body that doesn't come gets 408, and nothing of it is kept."""
    async with Wire(hasty.url) as wire:
        await wire.send(start)
        closing(await wire.answer(), 408, "REQUEST_TIMEOUT")
        assert await wire.ended()


async def test_a_body_that_dribbles_is_cut(hasty: Served) -> None:
    """Below minBytesPerSecond a body doesn't go on beyond bodySeconds, nor does its framing."""
    start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for begin, piece in ((start, b"1\r\na\r\n"), (start + b"1;", b"a"), (start + b"0\r\n", b"X")):
        async with Wire(hasty.url) as wire:
            closing(await dribble(wire, begin, piece=piece), 408, "REQUEST_TIMEOUT")


async def test_a_body_that_keeps_its_pace_may_take_longer(hasty: Served) -> None:
    """A large body is no slow one: far above the least pace it outlives bodySeconds."""
    body = b'"%b"' % (b"a" * 600_000)
    parts = [body[at : at + 40_000] for at in range(0, len(body), 40_000)]
    async with Wire(hasty.url) as wire:
        await wire.send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body), *parts, pause=0.2)
        assert (await wire.answer()).status == 202


async def test_a_body_after_its_answer_has_a_deadline_too(hasty: Served) -> None:
    """After an early answer the rest of a body is waited for a little, and no longer."""
    async with Wire(hasty.url) as wire:
        await wire.send(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        assert (await wire.answer()).status == 404
        assert await wire.ended()


async def test_a_refused_body_is_dropped_while_the_client_sends_it(served: Served) -> None:
    """Who sends far too much hears 413 in mid-body, and is not reset before it has read it."""
    async with Wire(served.url) as wire:
        await wire.send(HEAD + b"Content-Length: 900000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await wire.send(*[b"a" * 100_000] * 50)
        closing(await wire.answer(), 413, "BODY_TOO_LARGE")
        assert await wire.ended()


async def test_a_client_that_takes_no_answers_is_dropped(hasty: Served) -> None:
    """Who asks for much and reads nothing doesn't keep our memory."""
    async with hasty.client() as client:
        sent = await client.post("/in/acme/github", json="a" * 600_000)

        async def there() -> bool:
            found = await client.get("/v1/keys/deploys")
            return bool(found.headers.get("etag") == f'"{sent.json()["eventId"]}"')

        await wait_until(there, what="a large entry")
        token = client.headers["authorization"].encode()
    where = urlsplit(hasty.url)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect((where.hostname, where.port))
        get = b"GET /v1/keys/deploys HTTP/1.1\r\nHost: x\r\nHookrack-Account: acme\r\n"
        deaf.sendall((get + b"Authorization: %b\r\n\r\n" % token) * 40)
        await told(hasty, "answer.unread")


async def test_above_the_cap_a_connection_is_turned_away(own_server: Start) -> None:
    """One connection too many hears 503 with Retry-After at once; one that ends makes room."""
    served = own_server("--max-connections", "5")
    async with contextlib.AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(Wire(served.url)) for _ in range(5)]
        for wire in wires:
            await wire.send(POST)
            assert (await wire.answer()).status == 202
        for _ in range(200):
            async with Wire(served.url) as wire:
                answer = await wire.answer()
                closing(answer, 503, "TOO_MANY_CONNECTIONS")
                assert int(answer.headers["retry-after"]) >= 1
        await wires[0].send(POST)
        assert (await wires[0].answer()).status == 202
        wires[1].writer.close()

        async def room() -> bool:
            async with Wire(served.url) as wire:
                await wire.send(POST)
                return (await wire.answer()).status == 202

        await wait_until(room, what="room for another connection")


async def test_one_address_has_not_all_connections(own_server: Start) -> None:
    """An address with too many hears 503, another is let in; one that ends makes room."""
    served = own_server("--host", "localhost", "--max-connections-per-address", "3")
    port = urlsplit(served.url).port
    one, other = f"http://127.0.0.1:{port}", f"http://[::1]:{port}"
    async with contextlib.AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(Wire(one)) for _ in range(3)]
        for wire in wires:
            await wire.send(POST)
            assert (await wire.answer()).status == 202
        for _ in range(20):
            async with Wire(one) as wire:
                closing(await wire.answer(), 503, "TOO_MANY_CONNECTIONS")
        async with Wire(other) as wire:
            await wire.send(POST)
            assert (await wire.answer()).status == 202
        wires[0].writer.close()

        async def room() -> bool:
            async with Wire(one) as wire:
                await wire.send(POST)
                return (await wire.answer()).status == 202

        await wait_until(room, what="room for another connection of the address")


async def test_slow_clients_do_not_stop_honest_ones(own_server: Start) -> None:
    """Beside 500 connections that dribble headers every request is served; the slow are cut."""
    served = own_server("--header-seconds", "3")
    cut = 0

    async def slow() -> None:
        nonlocal cut
        async with Wire(served.url) as wire:
            closing(await dribble(wire, HEAD + b"X: ", piece=b"a"), 408, "REQUEST_TIMEOUT")
        cut += 1

    async with served.client() as client, asyncio.TaskGroup() as group, asyncio.timeout(60):
        for _ in range(500):
            group.create_task(slow())
        while cut < 500:
            honest = [client.post("/in/acme/github", json={}) for _ in range(20)]
            assert {answer.status_code for answer in await asyncio.gather(*honest)} == {202}


async def test_a_stop_waits_for_no_slow_client(own_server: Start) -> None:
    """Silent, dribbling and lingering connections don't hold up a stop beyond its grace."""
    served = own_server()
    async with contextlib.AsyncExitStack() as stack:
        for data in (b"", b"POST /", HEAD + b"Content-Length: 9\r\n\r\n{", b"nonsense\r\n\r\n"):
            for _ in range(10):
                wire = await stack.enter_async_context(Wire(served.url))
                await wire.send(data)
        async with asyncio.timeout(9):
            assert await asyncio.to_thread(served.stop) == 0


def test_more_connections_than_open_files_are_refused(short_dir: Path) -> None:
    """A cap that the system has no files for is named at the start, with the mend."""
    error = refused_start("--max-connections", "999999", "--data-dir", str(short_dir / "d"))
    assert "--max-connections" in error
    assert "LimitNOFILE" in error
    assert not (short_dir / "d").exists()
