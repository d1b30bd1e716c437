"""Hostile values in every place of every route: never an answer of 500, nor a word of the server's.

The values are those on which parsers, encoders, file systems and databases stumble. With
HOOKRACK_CORPUS the documents of nst/JSONTestSuite go to every route that takes JSON.
"""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from harness import ADMIN_TOKEN, Served, Wire
from routes import TABLE, Place, Row

NAUGHTY: Final = (
    *("", " ", "\t", "\n", "\r\n", "\0", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "\ufffd"),
    *("undefined", "null", "None", "NaN", "Infinity", "-Infinity", "true", "0", "-1", "1e999"),
    *("9" * 400, "-" + "9" * 30, "1.7976931348623157e309", "0x7fffffff", "2147483648", "9" * 19),
    *(
        "..",
        "../../etc/passwd",
        "%2e%2e%2f",
        "%00",
        "%",
        "%zz",
        "%c0%ae",
        "a/b",
        "a//b",
        "\\\\x\\y",
    ),
    *("'", '"', "';--", "{}", "[]", "{{7*7}}", "${PATH}", "$(id)", "`id`", "%s%n", "*", "?", "[a"),
    *("<script>alert(1)</script>", "<!--", "]]>", "&lt;", "javascript:0", "\u202eabc\u202c"),
    *("\u00e9", "e\u0301", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")),
    *(
        "\u0130i\u0131",
        "\u1e9e",
        "\u200b",
        "a" * 3_000,
        "\U0001f468\u200d\U0001f469",
        "\u05d0\u0660",
    ),
    *("acme}:k:erp", "{acme}", "hr1:{cfg}:acct", "EVAL 1", "*3\r\n$3\r\nSET", "a\r\nX-Forged: 1"),
    *("__proto__", "constructor", "__class__", "CON", "nul", "2024-02-30T25:61:61Z", "9999-12-31"),
)
BODIES: Final = (
    *(b"", b"\0", b"\xff\xfe", b"{", b"[" * 100_000, b"{}", b"[]", b"null", b"0", b'""', b"true"),
    *(b'{"":' * 50_000, b'"\\ud800"', b'{"a":1,"a":2}', b"1e999", b"-" + b"9" * 10_000),
    *(b'{"keys":{},"data":[]}', b'{"keys":["k"],"ttl":{}}', b'{"keys":["k"],"data":1,"ttl":1e99}'),
    *(b'{"keys":[null],"data":1,"id":{}}', b'{"ids":[""],"dryRun":"x"}', b'{"from":"9999-99"}'),
    *(b'{"template":{},"request":[]}', b'{"template":"#","request":{"headers":1}}'),
    *(b'{"template":"$x","context":[]}', b'{"auth":{"type":{}},"keys":[{}]}', b'{"ttl":[]}'),
    *(b'{"name":1,"accounts":{},"scopes":"admin"}', b'{"keys":["k"],"auth":[],"model":"/etc"}'),
    *(b'{"from":"0001-01-01T00:00:00+23:59"}', b'{"to":"9999-12-31T23:59:59-23:59","all":true}'),
)
QUERY: Final = ("account", "after", "limit", "from", "to", "cursor", "ids", "raw")
HEADERS: Final = ("hookrack-account", "hookrack-ttl", "if-none-match", "content-type")
GOOD: Final = Place("hostile", "k", "e", "f", "t", "l", "r")
WITH_BODY: Final = [row for row in TABLE if row.method in ("PUT", "POST")]
NEVER: Final = frozenset({500, 502, 503, 504, 507})


def name(row: Row) -> str:
    """A row as a test report shows it."""
    return f"{row.method} {row.path}"


class Tally:
    """Every answer is looked at."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.faults: list[str] = []
        self.count = 0

    async def ask(self, method: str, path: str, **more: Any) -> None:
        """One call; whatever the answer is, it is no fault of the server's."""
        try:
            request = self.client.build_request(method, path, **more)
            answer = await self.client.send(request, stream=True)
            if answer.headers.get("content-type") == "text/event-stream":  # it would go on
                await answer.aclose()
                return
            await answer.aread()
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
            return  # a client can't send it; the wire's test does
        self.count += 1
        if answer.status_code in NEVER or "Traceback" in answer.text:
            self.faults.append(f"{method} {path[:80]} {str(more)[:150]}: {answer.status_code}")
        if answer.is_error and method != "HEAD":
            assert answer.headers["content-type"] == "application/problem+json", path
            assert answer.json()["code"]

    async def all(self, calls: list[Any]) -> None:
        """Several at a time."""
        for begun in range(0, len(calls), 20):
            await asyncio.gather(*calls[begun : begun + 20])
        assert not self.faults, f"{len(self.faults)} of {self.count}: {self.faults[:5]}"


@pytest.mark.parametrize("row", TABLE, ids=name)
async def test_hostile_text_anywhere_is_no_fault_of_ours(
    client: httpx.AsyncClient, row: Row
) -> None:
    """In each part of a path, in the query and in the headers of a call anything may stand."""
    tally, calls, path = Tally(client), [], GOOD.fill(row.address)
    names = ("account", "key", "event", "flow", "token", "letter", "rejection")
    places = [each for each in names if f"<{each}>" in row.address]
    for number, text in enumerate(NAUGHTY):
        for place in places:
            hostile = replace(GOOD, **{place: quote(text, safe="")})
            calls.append(tally.ask(row.method, hostile.fill(row.address)))
        calls.append(tally.ask(row.method, path, params={(*QUERY, text)[number % 9]: text}))
        field, raw = HEADERS[number % 4], text.encode("utf-8", "replace")
        calls.append(tally.ask(row.method, path, headers={field: raw}))
    await tally.all(calls)


@pytest.mark.parametrize("row", WITH_BODY, ids=name)
async def test_hostile_bodies_are_no_fault_of_ours(client: httpx.AsyncClient, row: Row) -> None:
    """Whatever is sent as JSON, or as something else, is taken or refused."""
    tally, path = Tally(client), GOOD.fill(row.address)
    kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded", "a/b;c", "")
    await tally.all(
        [
            tally.ask(row.method, path, content=body, headers={"content-type": kind})
            for body in BODIES
            for kind in kinds
        ]
    )


@pytest.mark.parametrize("row", WITH_BODY, ids=name)
async def test_every_odd_document_is_taken_or_refused(client: httpx.AsyncClient, row: Row) -> None:
    """No document of JSONTestSuite makes any route fail, alone or as the data of a set."""
    folder = os.environ.get("HOOKRACK_CORPUS")
    if not folder:
        pytest.skip("HOOKRACK_CORPUS names no folder")
    files = sorted((Path(folder) / "json-test-suite").rglob("*.json"))
    assert len(files) > 300
    tally, path, kind = Tally(client), GOOD.fill(row.address), {"content-type": "application/json"}
    bodies = [each.read_bytes() for each in files]
    bodies += [b'{"keys":["k"],"template":"x","data":%b}' % each for each in bodies]
    await tally.all([tally.ask(row.method, path, content=each, headers=kind) for each in bodies])


@pytest.mark.parametrize("text", [each for each in NAUGHTY if each], ids=ascii)
async def test_raw_bytes_in_a_request_line_are_no_fault_of_ours(served: Served, text: str) -> None:
    """What no client library would send is answered with 4xx, or the connection is closed."""
    raw = text.encode("utf-8", "surrogatepass")
    for line in (
        b"GET /v1/keys/%b HTTP/1.1\r\nHost: x\r\n",
        b"GET /livez HTTP/1.1\r\nHost: %b\r\n",
    ):
        head = line % raw + b"Authorization: Bearer %b\r\n\r\n" % ADMIN_TOKEN.encode()
        async with Wire(served.url, seconds=15) as wire:
            await wire.send(head, end=True)
            try:
                answer = await wire.answer()
            except (asyncio.IncompleteReadError, ConnectionError):
                continue
            assert answer.status not in NEVER
            assert "x-forged" not in answer.headers
