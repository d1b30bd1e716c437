"""Flows with mapping templates, from the sender's side: real server, real queue, real store."""

from secrets import token_hex
from typing import Any

import httpx
import pytest
from harness import wait_until

NONE = {"type": "none"}
TURNS = "#foreach($i in [1..999])"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def account(client: httpx.AsyncClient) -> str:
    """An account of this test's own; the client speaks for it."""
    name = f"m{token_hex(4)}"
    assert (await client.put(f"/v1/accounts/{name}", json={"maxTtl": "7d"})).status_code == 201
    client.headers["hookrack-account"] = name
    return name


async def flow(client: httpx.AsyncClient, account: str, template: str = "", **fields: Any) -> str:
    """Make a flow with a template for JSON; the address to send to."""
    document = {"keys": ["k"], "auth": NONE, **fields}
    if template:
        document["templates"] = {"application/json": template}
    answer = await client.put(f"/v1/accounts/{account}/flows/f", json=document)
    assert answer.status_code in {200, 201}, answer.text
    return f"/in/{account}/f"


async def stored(client: httpx.AsyncClient, key: str, event_id: str) -> dict[str, Any]:
    """The newest entry under a key, once it is this event."""
    found: dict[str, Any] = {}

    async def come() -> bool:
        answer = await client.get(f"/v1/keys/{key}")
        found.update(answer.json())
        return found.get("eventId") == event_id

    await wait_until(come, what=f"the event under {key}")
    return found


async def send(client: httpx.AsyncClient, to: str, body: str, **headers: str) -> httpx.Response:
    """Post a text as JSON."""
    given = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(to, content=body.encode(), headers=given)


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """A problem with this status and code."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text


async def test_a_template_makes_the_data(client: httpx.AsyncClient, account: str) -> None:
    """What is stored is the template's output, to the byte."""
    template = (
        '{"n":  $input.json("$.n"), "from": "$input.params("X-From")", "q": "$input.params("a")"}'
    )
    to = await flow(client, account, template)
    answer = await send(client, f"{to}?a=1", '{"n": [1,2]}', x_from="me")
    assert answer.status_code == 202
    await stored(client, "k", answer.json()["eventId"])
    got = await client.get("/v1/keys/k?raw=true")
    assert got.content == b'{"n":  [1,2], "from": "me", "q": "1"}'
    assert got.headers["content-type"] == "application/json"


async def test_a_template_knows_its_event(client: httpx.AsyncClient, account: str) -> None:
    """$context has the event's id, its address and the sender's."""
    template = (
        '{"id": "$context.requestId", "same": "$context.extendedRequestId",'
        ' "path": "$context.path", "ip": "$context.identity.sourceIp",'
        ' "at": $context.requestTimeEpoch, "v": "$stageVariables.v"}'
    )
    to = await flow(client, account, template, stageVariables={"v": "x"})
    event_id = (await send(client, to, "{}")).json()["eventId"]
    data = (await stored(client, "k", event_id))["data"]
    assert (data["id"], data["same"]) == (event_id, event_id)
    assert (data["path"], data["ip"], data["v"]) == (to, "127.0.0.1", "x")
    assert data["at"] > 1_700_000_000_000


async def test_a_template_names_keys_ttl_and_dedupe_id(
    client: httpx.AsyncClient, account: str
) -> None:
    """$webhookKeys replaces the flow's keys, $ttl is the event's own, $dedupeId tells repeats."""
    template = (
        "#set($webhookKeys = [\"a-$input.path('$.n')\", $input.path('$.n')])#set($ttl = 90)"
        "#set($dedupeId = $input.path('$.n'))$input.json('$')"
    )
    to = await flow(client, account, template)
    first = (await send(client, to, '{"n": 7}')).json()["eventId"]
    entry = await stored(client, "a-7", first)
    assert (await stored(client, "7", first))["data"] == {"n": 7}
    assert (await client.get("/v1/keys/k")).status_code == 404
    life = (await client.get(f"/v1/events/{first}")).json()
    assert {each["key"] for each in life["keys"]} == {"a-7", "7"}
    assert entry["expiresAt"] > entry["receivedAt"]
    again = (await send(client, to, '{"n": 7}')).json()["eventId"]

    async def told() -> bool:
        found = (await client.get(f"/v1/events/{again}")).json()
        return (found.get("status"), found.get("duplicateOf")) == ("duplicate", first)

    await wait_until(told, what="the duplicate to be told")


async def test_a_flow_may_leave_its_keys_to_the_template(
    client: httpx.AsyncClient, account: str
) -> None:
    """Without keys of its own a flow takes what the template names, and refuses without."""
    template = "#if($input.path('$.to') != '')#set($webhookKeys = [$input.path('$.to')])#end{}"
    to = await flow(client, account, template, keys=[])
    answer = await send(client, to, '{"to": "erp"}')
    await stored(client, "erp", answer.json()["eventId"])
    refused(await send(client, to, "{}"), 400, "KEYS_INVALID")


@pytest.mark.parametrize(
    ("template", "body", "code"),
    [
        ("{", "{}", "MAPPING_FAILED"),
        ("", "{", "BODY_NOT_JSON"),
        ("$input.json('$.a')", '{"a": ', "MAPPING_FAILED"),
        ("#set($webhookKeys = [])1", "{}", "KEYS_INVALID"),
        ("#set($webhookKeys = ['a b'])1", "{}", "KEYS_INVALID"),
        ("#set($webhookKeys = 'erp')1", "{}", "KEYS_INVALID"),
        ("#set($webhookKeys = [1..1000])#set($x = $webhookKeys.add(1))1", "{}", "KEYS_INVALID"),
        ("#set($ttl = 0)1", "{}", "TTL_INVALID"),
        ("#set($ttl = -1)1", "{}", "TTL_INVALID"),
        ("#set($ttl = 'soon')1", "{}", "TTL_INVALID"),
        ("#set($ttl = 1.5)1", "{}", "TTL_INVALID"),
        (f"{TURNS}{TURNS}{TURNS}x#end#end#end", "{}", "MAPPING_FAILED"),
        (f"#set($a='xxxx'){TURNS}#set($a=\"$a$a\")#end\"$a\"", "{}", "MAPPING_FAILED"),
        ("#define($a)$a#end$a", "{}", "MAPPING_FAILED"),
        ("#set($x = 'abc'.length())1", "{}", None),
        ("$input.path('$').substring(99)", '"abc"', "MAPPING_FAILED"),
    ],
)  # fmt: skip
async def test_what_fails_is_refused_and_not_stored(
    client: httpx.AsyncClient, account: str, template: str, body: str, code: str | None
) -> None:
    """A template that yields no JSON, no usable keys or time, or doesn't end: 400 with its code."""
    if code is None:
        document = {"keys": ["k"], "auth": NONE, "templates": {"application/json": template}}
        answer = await client.put(f"/v1/accounts/{account}/flows/f", json=document)
        refused(answer, 400, "CONFIG_INVALID")
        assert "line 1" in answer.json()["detail"]
        return
    to = await flow(client, account, template)
    refused(await send(client, to, body), 400, code)
    assert (await client.get("/v1/keys/k")).status_code == 404


async def test_a_body_that_is_no_text_is_refused(client: httpx.AsyncClient, account: str) -> None:
    """A template reads UTF-8; other bytes are refused, not guessed at."""
    to = await flow(client, account, "$input.body")
    answer = await client.post(to, content=b'{"a": "\xff"}', headers=JSON)
    refused(answer, 400, "MAPPING_FAILED")


@pytest.mark.parametrize(
    ("passthrough", "has_template", "content_type", "status"),
    [
        ("when_no_match", True, "text/csv", 202),
        ("when_no_templates", True, "text/csv", 415),
        ("never", True, "text/csv", 415),
        ("when_no_match", False, "text/csv", 202),
        ("when_no_templates", False, "text/csv", 202),
        ("never", False, "text/csv", 415),
        ("never", False, "application/json", 415),
        ("never", True, "application/JSON; charset=utf-8", 202),
        ("never", True, "", 202),
    ],
)
async def test_what_passes_through(
    client: httpx.AsyncClient,
    account: str,
    *,
    passthrough: str,
    has_template: bool,
    content_type: str,
    status: int,
) -> None:
    """API Gateway's three behaviours, for types with and without a template."""
    to = await flow(client, account, "1" if has_template else "", passthrough=passthrough)
    headers = {"content-type": content_type} if content_type else {}
    answer = await client.post(to, content=b"[1]", headers=headers)
    assert answer.status_code == status
    if status == 415:
        refused(answer, 415, "CONTENT_TYPE_UNSUPPORTED")


async def test_a_template_for_every_type(client: httpx.AsyncClient, account: str) -> None:
    """`$default` takes what no other template is for; its output is JSON like any other's."""
    templates = {"$default": '{"text": "$util.escapeJavaScript($input.body)"}'}
    to = await flow(client, account, templates=templates)
    answer = await client.post(to, content=b"a;b", headers={"content-type": "text/csv"})
    entry = await stored(client, "k", answer.json()["eventId"])
    assert (entry["data"], entry["contentType"]) == ({"text": "a;b"}, "application/json")


async def test_a_model_is_asked_before_the_template(
    client: httpx.AsyncClient, account: str
) -> None:
    """The model sees what was sent, an empty body as {}, as on API Gateway."""
    model = {"type": "object", "properties": {"n": {"type": "integer"}}}
    to = await flow(client, account, "1", model=model)
    refused(await send(client, to, '{"n": "x"}'), 400, "MODEL_VIOLATION")
    refused(await send(client, to, "{"), 400, "BODY_NOT_JSON")
    assert (await send(client, to, "")).status_code == 202


@pytest.mark.parametrize(
    ("body", "content_type", "status", "message"),
    [
        ('{"n": "x"}', "application/json", 400, "Invalid request body"),
        ("1", "text/csv", 415, "Unsupported Media Type"),
        ('{"n": 1}', "application/json", 500, "Internal server error"),
    ],
)
async def test_api_gateways_own_words(
    client: httpx.AsyncClient,
    account: str,
    *,
    body: str,
    content_type: str,
    status: int,
    message: str,
) -> None:
    """A flow with `responses: apigateway` refuses with API Gateway's statuses and bodies."""
    model = {"type": "object", "properties": {"n": {"type": "integer"}}}
    fields = {"model": model, "passthrough": "never", "responses": "apigateway"}
    to = await flow(client, account, "no JSON", **fields)
    answer = await client.post(to, content=body, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()) == (status, {"message": message})
    assert answer.headers["x-amzn-errortype"].endswith("Exception")


async def test_templates_come_back_as_they_were_given(
    client: httpx.AsyncClient, account: str
) -> None:
    """GET of a flow shows its templates; PUT of what it shows changes nothing."""
    address = f"/v1/accounts/{account}/flows/f"
    given = {
        "keys": [], "auth": NONE, "templates": {"application/json": {"inline": "#set($a=1)\n$a"}},
        "passthrough": "never", "stageVariables": {"v": "1"}, "responses": "apigateway",
        "dedupe": {"from": "header.x-id", "window": 60},
    }  # fmt: skip
    made = (await client.put(address, json=given)).json()
    assert {name: made[name] for name in given} == given
    shown = {name: made[name] for name in made if name not in {"flow", "account", "owner"}}
    assert (await client.put(address, json=shown)).json() == made


async def test_a_dedupe_id_may_come_from_the_request(
    client: httpx.AsyncClient, account: str
) -> None:
    """`dedupe.from` names where it is; without one there the Idempotency-Key counts."""
    to = await flow(client, account, dedupe={"from": "body.$.id", "window": "1h"})
    calls = [('{"id": "x"}', {}), ('{"id": "x", "n": 2}', {}), ("{}", {"idempotency_key": "y"}),
             ('{"n": 3}', {"idempotency_key": "y"}), ("{}", {}), ("{}", {})]  # fmt: skip
    ids = [(await send(client, to, body, **more)).json()["eventId"] for body, more in calls]

    async def status(event_id: str) -> str:
        return str((await client.get(f"/v1/events/{event_id}")).json()["status"])

    async def settled() -> bool:
        return "queued" not in [await status(each) for each in ids]

    await wait_until(settled, what="all to be stored")
    found = [await status(each) for each in ids]
    assert found == ["stored", "duplicate", "stored", "duplicate", "stored", "stored"]


async def test_a_template_is_tried_by_http(client: httpx.AsyncClient) -> None:
    """POST /v1/template/render tells output, what was set, and what each reference yielded."""
    trial = {
        "template": "#set($ttl = 5)#set($webhookKeys = ['a'])$input.json('$.n')$nope",
        "request": {"body": {"n": 1}},
    }
    found = (await client.post("/v1/template/render", json=trial)).json()
    assert (found["output"], found["ttl"], found["webhookKeys"]) == ("1", "5", ["a"])
    assert {"reference": "$nope", "line": 1, "column": 59, "yielded": ""} in found["trace"]
    assert "error" not in found


@pytest.mark.parametrize(
    ("trial", "status"),
    [
        ({"template": "#if"}, 200),
        ({"template": "$input.path('$').substring(9)", "request": {"body": '"a"'}}, 200),
        ({}, 400),
        ({"template": 1}, 400),
        ({"template": "x", "request": []}, 400),
        ({"template": "x", "request": {"headers": {"a": {}}}}, 400),
    ],
)
async def test_what_a_trial_gets_wrong(
    client: httpx.AsyncClient, trial: dict[str, Any], status: int
) -> None:
    """A template's fault is the answer, with its place; a trial that can't be run is a 400."""
    answer = await client.post("/v1/template/render", json=trial)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["error"]["line"] == 1
        assert "output" not in answer.json()
    else:
        assert answer.json()["code"] == "QUERY_INVALID"


async def test_a_flow_that_did_not_change_is_not_made_again(
    client: httpx.AsyncClient, account: str
) -> None:
    """A flow put again as it is changes nothing, template and all; a changed one is in force."""
    to = await flow(client, account, "1")
    await flow(client, account, "1")
    await flow(client, account, "2")
    event_id = (await send(client, to, "{}")).json()["eventId"]
    assert (await stored(client, "k", event_id))["data"] == 2
