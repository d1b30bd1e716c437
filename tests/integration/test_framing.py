"""Where a request begins and ends: what two parsers could read differently is refused."""

import asyncio
import json
import random
from itertools import cycle, islice

import pytest
from harness import Served, Wire, wait_until

PATH = b"/in/acme/github"
POST = b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

INVALID = {
    "length and coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
    "list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "endless length": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "no length": POST + b"Content-Length: \r\n\r\n{}",
    "blank before colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "folded header": POST + b"X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "blank before first header": b"POST /x HTTP/1.1\r\n Host: x\r\n\r\n",
    "bare LF after request line": b"POST /in/acme/github HTTP/1.1\nHost: x\n\n",
    "bare LF after header": POST + b"X: a\nContent-Length: 2\r\n\r\n{}",
    "bare LF before body": POST + b"Content-Length: 2\r\n\n{}",
    "bare CR in header": POST + b"X: a\rContent-Length: 2\r\n\r\n{}",
    "NUL in value": POST + b"X: a\x00b\r\n\r\n",
    "NUL in name": POST + b"X\x00: a\r\n\r\n",
    "control in value": POST + b"X: a\x01b\r\n\r\n",
    "header without name": POST + b": a\r\n\r\n",
    "header without colon": POST + b"abc\r\n\r\n",
    "name beyond ASCII": POST + b"\xc3\xbc: a\r\n\r\n",
    "coding chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "coding in two headers": POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "coding behind chunked": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding of nothing": POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "coding identity": POST + b"Transfer-Encoding: identity\r\n\r\n{}",
    "coding xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding with vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding in HTTP/1.0": b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk size of nothing": CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "chunk size with 0x": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "chunk size negative": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "chunk size with blank": CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n",
    "chunk size with underscore": CHUNKED + b"2_0\r\n{}\r\n0\r\n\r\n",
    "chunk size too large": CHUNKED + b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n",
    "chunk longer than said": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "chunk shorter than said": CHUNKED + b"3\r\n{}\r\n0\r\n\r\n",
    "chunk with bare LF": CHUNKED + b"2\n{}\n0\n\n",
    "chunk extension with bare LF": CHUNKED + b"2;a\n{}\r\n0\r\n\r\n",
    "chunk extension with bare CR": CHUNKED + b"2;a\rb\r\n{}\r\n0\r\n\r\n",
    "endless chunk extension": CHUNKED + b"2;" + b"a" * 100_000,
    "endless zeros": CHUNKED + b"0" * 100_000,
    "endless trailer": CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"a" * 100_000,
    "trailer with a length": CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 2\r\n\r\n",
    "no host": b"POST /in/acme/github HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "two hosts": POST + b"Host: y\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/0.9": b"GET /livez\r\n\r\n",
    "HTTP/1.2": b"GET /livez HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2.0": b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "unknown method": b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n",
    "lower-case method": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tabs": b"GET\t/livez\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "blank in address": b"GET /livez x HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in address": b"GET /livez\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "address beyond ASCII": b"GET /liv\xc3\xaaz HTTP/1.1\r\nHost: x\r\n\r\n",
    "address without a path": b"GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "tunnel": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("data", INVALID.values(), ids=INVALID)
async def test_what_is_no_request_is_refused_and_nothing_behind_it_is_read(
    served: Served, data: bytes
) -> None:
    """The answer is 400 REQUEST_INVALID and the end, whatever stands behind the fault."""
    async with Wire(served.url) as wire:
        await wire.send(data + SMUGGLED)
        answer = await wire.answer()
        assert (answer.status, answer.code) == (400, "REQUEST_INVALID")
        assert answer.headers["connection"] == "close"
        assert await wire.ended()


VALID = {
    "chunks": CHUNKED + b'5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n',
    "chunk sizes with zeros": CHUNKED + b"0002\r\n{}\r\n000\r\n\r\n",
    "chunk extensions": CHUNKED + b'2;a=b;c="d e"\r\n{}\r\n0;x\r\n\r\n',
    "trailers": CHUNKED + b"2\r\n{}\r\n0\r\nX-Sum: 1\r\nHost: y\r\n\r\n",
    "capitals": b"POST /in/acme/github HTTP/1.1\r\nHOST: x\r\ntransfer-encoding: CHUNKED \r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n",
    "empty lines before": b"\r\n\r\n" + POST + b"Content-Length: 2\r\n\r\n{}",
    "whole address": b"POST http://x/in/acme/github HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    "empty host": b"POST /in/acme/github HTTP/1.1\r\nHost:\r\nContent-Length: 2\r\n\r\n{}",
    "encoded address": b"POST /in/acme/git%68ub?x=1 HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    "upgrade to HTTP/2": POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 2\r\n\r\n{}",
    "upgrade with chunks": POST + b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", VALID.values(), ids=VALID)
async def test_odd_but_legal_requests_are_taken(served: Served, data: bytes) -> None:
    """What RFC 9112 allows is accepted, and the connection goes on behind it."""
    async with Wire(served.url) as wire:
        for _ in range(2):
            await wire.send(data)
            assert (await wire.answer()).status == 202
        await wire.send(LIVE)
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 8\r\n\r\n" + b'{"a": 1}',
        CHUNKED + b'3\r\n{"a\r\n5;x=y\r\n": 1}\r\n0\r\nX: y\r\n\r\n',
        VALID["upgrade with chunks"],
    ],
    ids=["length", "chunks", "upgrade"],
)
async def test_a_request_may_come_in_any_two_parts(served: Served, data: bytes) -> None:
    """Cut at each byte in turn, and into single bytes, it is the same request."""
    async with Wire(served.url) as wire:
        for at in range(1, len(data)):
            await wire.send(data[:at], data[at:])
            assert (await wire.answer()).status == 202
        await wire.send(*(data[at : at + 1] for at in range(len(data))))
        assert (await wire.answer()).status == 202


async def test_pipelined_requests_are_answered_in_their_order(served: Served) -> None:
    """Many requests in one write get each its own answer, the first one first."""
    kinds = [
        (POST + b"Content-Length: 2\r\n\r\n{}", 202),
        (LIVE, 200),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (CHUNKED + b"1\r\n{\r\n0\r\n\r\n", 400),
        (b"DELETE /in/acme/github HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405),
        (VALID["upgrade to HTTP/2"], 202),
        (b"GET /v1/keys/x HTTP/1.1\r\nHost: x\r\n\r\n", 401),
    ]
    requests = list(islice(cycle(kinds), 1_001))
    async with Wire(served.url) as wire:
        wire.writer.write(b"".join(data for data, _ in requests))
        assert [(await wire.answer()).status for _ in requests] == [due for _, due in requests]


async def test_a_fault_behind_good_requests_is_answered_behind_them(served: Served) -> None:
    """What was sent before the fault is answered as if there was none; then comes the 400."""
    for fault in (b"nonsense\r\n\r\n", CHUNKED + b"zz\r\n", INVALID["two lengths"]):
        async with Wire(served.url) as wire:
            await wire.send(POST + b"Content-Length: 2\r\n\r\n{}" + LIVE + fault)
            assert [(await wire.answer()).status for _ in range(3)] == [202, 200, 400]
            assert await wire.ended()


@pytest.mark.parametrize("method", [b"POST", b"PUT"])
async def test_a_body_that_nobody_reads_is_no_request(served: Served, method: bytes) -> None:
    """After an early answer the rest of the body is dropped, and the next request is the next."""
    head = method + b" /nothing HTTP/1.1\r\nHost: x\r\n"
    async with Wire(served.url) as wire:
        await wire.send(head + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED * 2))
        assert (await wire.answer()).status == 404
        await wire.send(SMUGGLED * 2 + LIVE)
        assert (await wire.answer()).status == 200
        await wire.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        assert (await wire.answer()).status == 404
        await wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), LIVE)
        assert (await wire.answer()).status == 200


async def test_the_end_is_said_before_it_comes(served: Served) -> None:
    """With `Connection: close`, and in HTTP/1.0, the answer is the last thing."""
    for head in (
        b"POST /in/acme/github HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
        b"POST /in/acme/github HTTP/1.0\r\n",
        b"POST /in/acme/github HTTP/1.0\r\nConnection: keep-alive\r\n",
    ):
        async with Wire(served.url) as wire:
            await wire.send(head + b"Content-Length: 2\r\n\r\n{}" + LIVE)
            answer = await wire.answer()
            assert (answer.status, answer.headers["connection"]) == (202, "close")
            assert await wire.ended()


async def test_head_has_no_body_and_options_is_a_method_like_others(served: Served) -> None:
    """An answer to HEAD ends with its headers; OPTIONS is refused where it isn't allowed."""
    async with Wire(served.url) as wire:
        await wire.send(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.answer(to="HEAD")).status == 200
        await wire.send(b"OPTIONS /in/acme/github HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.answer()).status == 405
        await wire.send(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + LIVE)
        assert (await wire.answer()).status == 404
        assert (await wire.answer()).status == 200


async def test_a_sender_that_asks_first_is_asked_to_go_on(served: Served) -> None:
    """Expect: 100-continue gets a 100, then the answer, and the connection goes on."""
    async with Wire(served.url) as wire:
        for _ in range(2):
            await wire.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert (await wire.answer()).status == 100
            await wire.send(b"{}")
            assert (await wire.answer()).status == 202
        await wire.send(b"POST /in/acme/github HTTP/1.0\r\nExpect: 100-continue\r\n")
        await wire.send(b"Content-Length: 2\r\n\r\n{}")
        assert (await wire.answer()).status == 202


async def test_a_sender_that_asked_and_was_refused_can_smuggle_nothing(served: Served) -> None:
    """Whether it sends the body after a refusal nobody knows, so nothing more is read."""
    for target in (b"/nothing", b"/in/acme/orders/wrong"):
        async with Wire(served.url) as wire:
            await wire.send(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n" % target)
            await wire.send(b"Expect: 100-continue\r\n\r\n")
            answer = await wire.answer()
            assert answer.status in (401, 404)
            assert answer.headers["connection"] == "close"
            await wire.send(LIVE)
            assert await wire.ended()


async def test_trailers_are_no_headers(served: Served) -> None:
    """What comes behind a body can't stand in for what was checked before it."""
    async with Wire(served.url) as wire:
        await wire.send(
            CHUNKED + b"1\r\n{\r\n0\r\nContent-Type: text/plain\r\nX-Api-Key: secret\r\n\r\n"
        )
        answer = await wire.answer()
        assert (answer.status, answer.code) == (400, "BODY_NOT_JSON")


async def test_a_client_that_shuts_its_side_gets_its_answers(served: Served) -> None:
    """A half-closed connection is no lost one: all whole requests are answered."""
    async with Wire(served.url) as wire:
        await wire.send((POST + b"Content-Length: 2\r\n\r\n{}") * 30 + LIVE, end=True)
        assert [(await wire.answer()).status for _ in range(31)] == [202] * 30 + [200]
        assert await wire.ended()
    async with Wire(served.url) as wire:
        await wire.send(POST + b"Content-Length: 2\r\n\r\n{}" + b"POST /in/ac", end=True)
        assert (await wire.answer()).status == 202
        assert await wire.ended()
    async with Wire(served.url) as wire:
        await wire.send(POST + b"Content-Length: 2\r\n\r\n{", end=True)
        assert await wire.ended()


async def test_no_bytes_make_the_server_fail(served: Served) -> None:
    """Damaged requests are taken or refused, always answered or closed, and are never a bug."""
    dice = random.Random(20_261_123)
    seeds = [*VALID.values(), *INVALID.values()]

    async def one() -> None:
        data = bytearray(b"".join(dice.choices(seeds, k=dice.randint(1, 3))))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data) + 1)
            data[at : at + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
        async with Wire(served.url) as wire:
            await wire.send(bytes(data), end=True)
            async with asyncio.timeout(20):
                try:
                    said = await wire.reader.read()
                except ConnectionError:
                    said = b""
        assert b"HTTP/1.1 5" not in said

    for _ in range(25):
        await asyncio.gather(*(one() for _ in range(20)))
    bugs = [line["trace"] for line in served.log() if line["event"] == "request.failed"]
    assert not bugs
    async with served.client() as client:
        assert (await client.get("/livez")).status_code == 200


async def test_a_refusal_is_in_the_log_with_its_client(served: Served) -> None:
    """One line names code and address, and nothing of what was sent."""

    async def told() -> bool:
        async with Wire(served.url) as wire:
            await wire.send(b"s3cret-nonsense\r\n\r\n")
            await wire.answer()
        return any(
            line.get("code") == "REQUEST_INVALID" and line.get("client") == "127.0.0.1"
            for line in served.log()
        )

    await wait_until(told, what="a log line about the refusal")
    assert "s3cret" not in json.dumps(served.log())
