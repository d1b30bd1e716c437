"""The front door and the Set/Get API on Lambda, in the real runtime client."""

import base64
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from harness import ADMIN_TOKEN, find_engine
from lambding import Function

from hookrack.engine import open_engine
from hookrack.entries import DirectSet
from hookrack.entrypoints.awslambda.requests import ANSWER_BYTES, read_request
from hookrack.errors import Rejected
from hookrack.model import decode_envelope, new_event_id
from hookrack.queues.sqs_open import SqsSource
from hookrack.stores.redis import RedisStore

Make = Callable[..., Awaitable[Function]]
Event = dict[str, Any]
AUTH: Final[dict[str, Any]] = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Hookrack-Account": "acme"}


def rest(method: str, path: str, *, query: str = "", body: bytes = b"", **headers: Any) -> Event:
    """An event of a REST API (payload 1.0)."""
    pairs = [each.partition("=") for each in query.split("&") if each]
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "x.execute-api.eu-west-1.amazonaws.com"} | headers,
        "multiValueHeaders": {
            "Host": ["x.execute-api.eu-west-1.amazonaws.com"],
            **{name: [value] for name, value in headers.items()},
        },
        "multiValueQueryStringParameters": {name: [value] for name, _, value in pairs} or None,
        "requestContext": {
            "path": f"/prod{path}",
            "stage": "prod",
            "identity": {"sourceIp": "203.0.113.9"},
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def http(method: str, path: str, *, query: str = "", body: bytes = b"", **headers: Any) -> Event:
    """An event of an HTTP API or a function URL (payload 2.0)."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": ["a=1", "b=2"],
        "headers": {"host": "x.lambda-url.eu-west-1.on.aws"}
        | {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "stage": "$default",
            "http": {"method": method, "path": path, "sourceIp": "203.0.113.9"},
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


KINDS: Final[dict[str, Callable[..., Event]]] = {"rest": rest, "http": http}


async def ask(function: Function, event: Event) -> tuple[int, dict[str, str], bytes]:
    """What a handler answers: status, headers, body."""
    kind, told = await function.api.invoke(event)
    assert kind == "response", told
    body = told["body"].encode()
    headers = told.get("headers") or {k: v[0] for k, v in told["multiValueHeaders"].items()}
    return told["statusCode"], headers, base64.b64decode(body) if told["isBase64Encoded"] else body


@pytest.mark.parametrize("kind", KINDS)
async def test_a_webhook_is_on_the_queue_with_its_202(
    function: Make, source: SqsSource, kind: str
) -> None:
    """The edge keeps the raw bytes in the queue before it says 202; every refusal is a problem."""
    edge = await function("edge_handler")
    body = b'{"n":  1, "odd": "\xef\xbf\xbf"}'
    event = KINDS[kind]("POST", "/in/acme/github", body=body)
    status, headers, told = await ask(edge, event)
    assert status == 202
    event_id = json.loads(told)["eventId"]
    assert headers["hookrack-event-id"] == event_id
    (delivery,) = await source.queue().receive(10, wait=timedelta(0))
    kept = decode_envelope(delivery.body)
    assert (kept.id, kept.data) == (event_id, body)
    for path, payload, code in [
        ("/in/acme/nothing", body, (404, "FLOW_UNKNOWN")),
        ("/in/acme/github", b"{", (400, "BODY_NOT_JSON")),
        ("/in/acme/github", b'"%b"' % (b"x" * 720_000), (413, "BODY_TOO_LARGE")),
        ("/v1/keys/deploys", b"", (404, "NOT_FOUND")),
    ]:
        status, headers, told = await ask(edge, KINDS[kind]("POST", path, body=payload))
        assert (status, json.loads(told)["code"]) == code
        assert headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_api_answers_one_event(function: Make, kind: str) -> None:
    """Set and get work as on a server, with the same codes; nothing else is there."""
    api, make = await function("api_handler"), KINDS[kind]
    put = make("PUT", "/v1/keys/a~b", body=b'{"a":  1}', **AUTH)
    assert (await ask(api, put))[0] == 201
    status, headers, body = await ask(api, make("GET", "/v1/keys/a~b", query="raw=true", **AUTH))
    assert (status, headers["content-type"], body) == (200, "application/json", b'{"a":  1}')
    status, _, body = await ask(api, make("GET", "/v1/keys/none", **AUTH))
    assert (status, json.loads(body)["code"]) == (404, "NO_EVENT")
    status, _, body = await ask(api, make("GET", "/v1/keys/none", query="wait=1", **AUTH))
    assert (status, json.loads(body)["code"]) == (404, "NO_EVENT")
    status, _, body = await ask(api, make("GET", "/v1/keys/a~b"))
    assert (status, json.loads(body)["code"]) == (401, "TOKEN_INVALID")
    status, _, body = await ask(api, make("GET", "/v1/keys/a~b/stream", **AUTH))
    assert (status, json.loads(body)["code"]) == (501, "NOT_ON_LAMBDA")
    status, _, _ = await ask(api, make("POST", "/in/acme/github", body=b"{}"))
    assert status == 404


async def test_the_edge_takes_events_while_the_store_is_away(
    function: Make, source: SqsSource, short_dir: Path
) -> None:
    """What comes in goes to the queue, so a store that doesn't answer is no reason to refuse."""
    folder = short_dir / "engine"
    folder.mkdir()
    async with open_engine(folder, server=find_engine("embedded"), maxmemory=2**26) as engine:
        edge = await function("edge_handler", HOOKRACK_STORE=f"unix://{engine.socket}")
        event = rest("POST", "/in/acme/github", body=b"{}")
        assert (await ask(edge, event))[0] == 202
        pid = int((folder / "engine.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        ends, sent = time.monotonic() + 1.5, 1
        while time.monotonic() < ends:  # long enough to look for another configuration
            assert (await ask(edge, event))[0] == 202
            sent += 1
        os.kill(pid, signal.SIGCONT)
    assert (await source.queue().stats()).depth == sent


async def test_binary_data_comes_as_it_is(function: Make) -> None:
    """Bytes that are no text go in and out unharmed."""
    api, raw = await function("api_handler"), bytes(range(256))
    binary: dict[str, Any] = {"Content-Type": "application/octet-stream"}
    assert (await ask(api, rest("PUT", "/v1/keys/k", body=raw, **AUTH, **binary)))[0] == 201
    assert (await ask(api, rest("GET", "/v1/keys/k", query="raw=1", **AUTH)))[2] == raw


async def test_an_entry_above_the_limit_of_lambda_is_413(function: Make, store: RedisStore) -> None:
    """What Lambda would not let through is refused with a code; below the limit it comes, however
    many of its characters have to be escaped on the way.
    """
    api = await function("api_handler")
    fits = b'"%b"' % (b'\\"' * (2 * 1024 * 1024))
    large = b'"%b"' % (b"x" * (ANSWER_BYTES + 1))
    for key, data in {"fits": fits, "large": large}.items():
        await store.set_direct(
            "acme",
            DirectSet(
                event_id=new_event_id(1),
                keys=(key,),
                ttl=timedelta(hours=1),
                content_type="application/json",
                data=data,
                dedupe_id=None,
            ),
        )
    status, _, body = await ask(api, rest("GET", "/v1/keys/fits", query="raw=1", **AUTH))
    assert (status, body == fits) == (200, True)
    for path in ("/v1/keys/large", "/v1/keys/large/events"):
        status, _, body = await ask(api, rest("GET", path, **AUTH))
        assert (status, json.loads(body)["code"]) == (413, "ENTRY_TOO_LARGE")


async def test_a_list_stops_below_the_limit_of_lambda(function: Make, store: RedisStore) -> None:
    """A page of many entries ends before Lambda's limit and says that there is more."""
    api = await function("api_handler")
    for _ in range(6):
        await store.set_direct(
            "acme",
            DirectSet(
                event_id=new_event_id(1),
                keys=("many",),
                ttl=timedelta(hours=1),
                content_type="application/octet-stream",
                data=b"\xff" * 1_000_000,
                dedupe_id=None,
            ),
        )
    status, _, body = await ask(api, http("GET", "/v1/keys/many/events", **AUTH))
    page = json.loads(body)
    assert status == 200
    assert page["more"] is True
    assert 1 <= len(page["entries"]) < 6


def test_the_public_address_stays_whole() -> None:
    """Path, stage, query, host, client and cookies are those that the sender used."""
    asked = read_request(rest("POST", "/in/acme/x", query="a=1", body=b"\xff"))
    scope = asked.scope
    assert (scope["path"], scope["root_path"]) == ("/in/acme/x", "/prod")
    assert (scope["raw_path"], scope["query_string"]) == (b"/prod/in/acme/x", b"a=1")
    assert (scope["scheme"], scope["client"], asked.body) == ("https", ("203.0.113.9", 0), b"\xff")
    event = http("GET", "/dev/v1/keys/a%3Ab", query="b=%20&a=1&b=2")
    event["requestContext"]["stage"] = "dev"
    scope = read_request(event).scope
    assert (scope["path"], scope["root_path"]) == ("/v1/keys/a:b", "/dev")
    assert (scope["raw_path"], scope["query_string"]) == (b"/dev/v1/keys/a%3Ab", b"b=%20&a=1&b=2")
    assert (b"cookie", b"a=1; b=2") in scope["headers"]
    assert (b"host", b"x.lambda-url.eu-west-1.on.aws") in scope["headers"]


@pytest.mark.parametrize(
    ("query", "seen"),
    [("wait=30", b"wait=25"), ("wait=25&raw=1", b"wait=25&raw=1"), ("wait=x", b"wait=x")],
)
def test_a_wait_is_no_longer_than_the_gateways_patience(query: str, seen: bytes) -> None:
    """A wait above 25 s is shortened; anything else is left alone."""
    assert read_request(http("GET", "/v1/keys/k", query=query)).scope["query_string"] == seen


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"version": "2.0"},
        {"Records": []},
        http("GET", "/") | {"body": "%", "isBase64Encoded": True},
        http("GET", "/") | {"rawPath": None},
        http("GET", "/") | {"body": 1},
        http("GET", "/") | {"headers": {"a": None}},
    ],
)
def test_what_is_no_request_is_refused(event: Event) -> None:
    """An event of another kind is a problem document, and no error of the function."""
    with pytest.raises(Rejected):
        read_request(event)
