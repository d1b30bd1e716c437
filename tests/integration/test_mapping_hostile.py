"""Hostile templates and bodies at a real server: each costs its one request, and no other waits."""

import asyncio
from secrets import token_hex

import httpx
import pytest

NONE = {"type": "none"}
JSON = {"content-type": "application/json"}
LOOP = "#foreach($i in [1..1000])"
TWICE = "#set($l = ['0123456789'])" + "#set($l = [$l, $l])" * 22


@pytest.fixture
async def account(client: httpx.AsyncClient) -> str:
    """An account of this test's own with a flow `fine`; the client speaks for it."""
    name = f"h{token_hex(4)}"
    await client.put(f"/v1/accounts/{name}", json={})
    client.headers["hookrack-account"] = name
    assert (await put(client, name, "fine", "$input.json('$')")).status_code == 201
    return name


async def put(client: httpx.AsyncClient, account: str, flow: str, template: str) -> httpx.Response:
    """Make a flow with a template for JSON."""
    document = {"keys": ["k"], "auth": NONE, "templates": {"application/json": template}}
    return await client.put(f"/v1/accounts/{account}/flows/{flow}", json=document, timeout=60)


async def test_nobody_waits_for_a_large_template(client: httpx.AsyncClient, account: str) -> None:
    """While a template of 150 KB is read, requests of other flows are taken."""
    large = asyncio.create_task(put(client, account, "large", '$a.b("$c")' * 15_000))
    taken = 0
    while not large.done():
        answer = await client.post(f"/in/{account}/fine", content=b"{}", headers=JSON)
        assert answer.status_code == 202
        taken += not large.done()
        await asyncio.sleep(0)
    assert (await large).status_code == 201
    assert taken >= 5


@pytest.mark.parametrize(
    ("template", "body", "why"),
    [
        (f"{TWICE}{LOOP}#set($s = $l.toString())#{{end}}1", "{}", "CPU"),
        ("#set($s = $input.body.replaceAll('x*y|x', 'z'))1", "x" * 700_000, "CPU"),
        (f"#set($k = []){LOOP}#set($i = $k.add([1..999999]))#{{end}}1", "{}", "items in all"),
        (
            "#set($q = '')$q.format('%f', $input.path('$.a'))",
            '{"a":1.0000000000000000000e99999}',
            "",
        ),
        ("#set($n = $input.path('$.a') + 1)1", '{"a":1.0000000000000000000e999999999}', "beyond"),
    ],
)
async def test_an_attack_ends_its_own_request(
    client: httpx.AsyncClient, account: str, template: str, body: str, why: str
) -> None:
    """The request is refused with the place, nothing is stored, and the next one is taken."""
    assert (await put(client, account, "f", template)).status_code == 201
    answer = await client.post(f"/in/{account}/f", content=body.encode(), headers=JSON)
    found = answer.json()
    assert (answer.status_code, found["code"]) == (400, "MAPPING_FAILED")
    assert why in found["detail"]
    assert (await client.get("/v1/keys/k")).status_code == 404
    answer = await client.post(f"/in/{account}/fine", content=b"{}", headers=JSON)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "value", ["$context", f"{{'a': {TWICE[6:23]}}}", "[[1], {'a': [$nope]}]", "'x'"]
)
async def test_any_override_can_be_shown(client: httpx.AsyncClient, value: str) -> None:
    """A trial tells of overrides and variables whatever they hold, even each other."""
    template = f"#set($v = {value})#set($context.requestOverride.header.x = $v)#set($ttl = $v)1"
    answer = await client.post("/v1/template/render", json={"template": template})
    assert answer.status_code == 200, answer.text
    assert answer.json().get("output", "1") == "1"
