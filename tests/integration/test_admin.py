"""Accounts, flows and tokens by the API: in force at once, seen only by who may."""

import datetime as dt
from secrets import token_hex
from typing import Any

import httpx
import pytest
from harness import Served, wait_until

OPEN = {"keys": ["erp", {"key": "audit", "ttl": "2h"}], "auth": {"type": "none"}, "ttl": 3600}


@pytest.fixture
async def account(client: httpx.AsyncClient) -> str:
    """An account of this test's own, made by the API."""
    name = f"a{token_hex(4)}"
    made = await client.put(f"/v1/accounts/{name}", json={"ttl": "1d", "maxTtl": "7d"})
    assert made.status_code == 201
    return name


async def token(client: httpx.AsyncClient, **wanted: Any) -> httpx.AsyncClient:
    """A client with a new token."""
    fields = {"name": "test", "accounts": "*", "scopes": ["read"]} | wanted
    made = await client.post("/v1/tokens", json=fields)
    assert made.status_code == 201, made.text
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    return httpx.AsyncClient(base_url=client.base_url, headers=headers)


def refused(response: httpx.Response, status: int, code: str) -> None:
    """A problem with this status and code."""
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_an_account_comes_back_with_its_fields(
    client: httpx.AsyncClient, account: str
) -> None:
    """What was put is shown again, in whole seconds."""
    shown = (await client.get(f"/v1/accounts/{account}")).json()
    assert shown == {
        "account": account,
        "owner": "api",
        "ttl": 86_400,
        "maxTtl": 604_800,
        "flows": {},
        "usage": {"keys": 0, "storedBytes": 0, "waitingReaders": 0},
    }
    again = await client.put(f"/v1/accounts/{account}", json={"maxTtl": 3600})
    assert (again.status_code, again.json()["maxTtl"]) == (200, 3600)


async def test_a_cap_below_what_flows_keep_is_refused(
    client: httpx.AsyncClient, account: str
) -> None:
    """A maxTtl below the ttl of a flow or of one of its keys is 400, names the flow, and changes
    nothing.
    """
    address = f"/v1/accounts/{account}"
    own: dict[str, Any] = {"ttl": "2h"}
    key: dict[str, Any] = {"keys": [{"key": "a", "ttl": "2h"}]}
    for flow, fields in {"own": own, "key": key}.items():
        wanted = {"keys": ["a"], "auth": {"type": "none"}} | fields
        assert (await client.put(f"{address}/flows/{flow}", json=wanted)).status_code == 201
        low = await client.put(address, json={"maxTtl": "1h"})
        refused(low, 400, "CONFIG_INVALID")
        assert f"flow {flow} " in low.json()["detail"]
        assert (await client.get(address)).json()["maxTtl"] == 604_800
        assert (await client.put(address, json={"maxTtl": "2h"})).status_code == 200
        assert (await client.put(address, json={"maxTtl": "7d"})).status_code == 200
        await client.delete(f"{address}/flows/{flow}")


async def test_a_name_that_is_none_is_told(client: httpx.AsyncClient) -> None:
    """An account or flow can't have just any name; the answer says what one is."""
    for name in ("N", "a!", "-a", "a" * 64):
        answer = await client.put(f"/v1/accounts/{name}", json={})
        refused(answer, 400, "CONFIG_INVALID")
        assert "1 to 63" in answer.json()["detail"]


async def test_a_flow_is_in_force_at_once(client: httpx.AsyncClient, account: str) -> None:
    """A flow that was just put takes a webhook; one that was just deleted doesn't."""
    address = f"/v1/accounts/{account}/flows/orders"
    assert (await client.put(address, json=OPEN)).status_code == 201
    assert (await client.post(f"/in/{account}/orders", json={"n": 1})).status_code == 202
    shown = (await client.get(address)).json()
    assert shown["keys"] == ["erp", {"key": "audit", "ttl": 7200}]
    assert (await client.get(f"/v1/accounts/{account}/flows")).json()["flows"] == [shown]

    async def stored() -> bool:
        headers = {"hookrack-account": account}
        return (await client.get("/v1/keys/erp", headers=headers)).status_code == 200

    await wait_until(stored, what="the event under its key")
    assert (await client.delete(address)).status_code == 204
    assert (await client.post(f"/in/{account}/orders", json={})).status_code == 404
    refused(await client.get(address), 404, "FLOW_UNKNOWN")


async def test_secrets_are_shown_as_variables(client: httpx.AsyncClient, account: str) -> None:
    """A secret that was put is never shown again."""
    auth = {"type": "basic", "username": "kp", "passwords": ["pass-word-1", "pass-word-2"]}
    answer = await client.put(f"/v1/accounts/{account}/flows/paid-up", json={**OPEN, "auth": auth})
    assert answer.status_code == 201
    assert "pass-word" not in answer.text
    upper = account.upper()
    assert answer.json()["auth"]["passwords"] == [
        f"${{HOOKRACK_{upper}_PAID_UP_1}}",
        f"${{HOOKRACK_{upper}_PAID_UP_2}}",
    ]
    good = httpx.BasicAuth("kp", "pass-word-2")
    bad = httpx.BasicAuth("kp", "pass-word-3")
    address = f"{client.base_url}/in/{account}/paid-up"
    async with httpx.AsyncClient() as sender:
        assert (await sender.post(address, json={}, auth=good)).status_code == 202
        refused = await sender.post(address, json={}, auth=bad)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == 'Basic realm="hookrack"'


async def test_a_flow_says_what_an_accepted_request_is_answered_with(
    client: httpx.AsyncClient, account: str
) -> None:
    """`response: {status: 200}` makes a 200 of the 202, with the same body; what it says stays."""
    address = f"/v1/accounts/{account}/flows/paid-up"
    for status in (200, 201, 202):
        put = await client.put(address, json={**OPEN, "response": {"status": status}})
        assert put.status_code in {200, 201}
        shown = None if status == 202 else {"status": status}
        assert (await client.get(address)).json().get("response") == shown
        sent = await client.post(f"/in/{account}/paid-up", json={})
        assert (sent.status_code, sent.json()["status"]) == (status, "accepted")
    for bad in ({"status": 204}, {"status": 302}, {"status": "200"}, {"stauts": 200}, 200):
        refused = await client.put(address, json={**OPEN, "response": bad})
        assert (refused.status_code, refused.json()["code"]) == (400, "CONFIG_INVALID")


async def test_a_model_is_checked_at_the_door(client: httpx.AsyncClient, account: str) -> None:
    """A body that breaks its flow's model is told where, with pointers."""
    model = {"type": "object", "required": ["id"], "properties": {"a/b": {"type": "integer"}}}
    address = f"/in/{account}/orders"
    flow = f"/v1/accounts/{account}/flows/orders"
    assert (await client.put(flow, json={**OPEN, "model": model})).status_code == 201
    answer = await client.post(address, json={"a/b": "x"})
    refused(answer, 400, "MODEL_VIOLATION")
    assert {each["pointer"] for each in answer.json()["errors"]} == {"", "/a~1b"}
    assert (await client.post(address, json={"id": 1, "a/b": 2})).status_code == 202
    refused(
        await client.post(address, content=b"x", headers={"content-type": "text/plain"}),
        *(415, "CONTENT_TYPE_UNSUPPORTED"),
    )
    broken = await client.put(flow, json={**OPEN, "model": {"type": "objct"}})
    refused(broken, 400, "CONFIG_INVALID")
    outside = await client.put(flow, json={**OPEN, "model": {"$ref": "http://example.com/x"}})
    refused(outside, 400, "CONFIG_INVALID")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {**OPEN, "kyes": []},
        {**OPEN, "keys": []},
        {**OPEN, "ttl": "soon"},
        {**OPEN, "ttl": 0},
        {**OPEN, "ttl": "8d"},
        {**OPEN, "auth": {"type": "secret", "secrets": []}},
        {**OPEN, "auth": {"type": "apiKey", "header": "no header", "secrets": ["x"]}},
        {**OPEN, "model": "/etc/passwd"},
        {**OPEN, "aws": {"fornt": "auto"}},
    ],
    ids=lambda fields: str(fields)[-60:],
)
async def test_what_is_no_flow_is_refused(
    client: httpx.AsyncClient, account: str, fields: dict[str, Any]
) -> None:
    """A flow by the API is checked as one in a file: 400 with field and mend; nothing is made."""
    address = f"/v1/accounts/{account}/flows/orders"
    answer = await client.put(address, json=fields)
    refused(answer, 400, "CONFIG_INVALID")
    assert "Traceback" not in answer.text
    refused(await client.get(address), 404, "FLOW_UNKNOWN")


async def test_the_environment_of_the_server_is_nobodys_business(
    client: httpx.AsyncClient, account: str
) -> None:
    """${NAME} in a flow by the API is text; the server's variables are never read for it."""
    auth = {"type": "secret", "secrets": ["${HOOKRACK_ADMIN_TOKEN}"]}
    flow = f"/v1/accounts/{account}/flows/orders"
    assert (await client.put(flow, json={**OPEN, "auth": auth})).status_code == 201
    address = f"/in/{account}/orders/${{HOOKRACK_ADMIN_TOKEN}}"
    assert (await client.post(address, json={})).status_code == 202


async def test_what_the_file_owns_is_left_alone(client: httpx.AsyncClient) -> None:
    """Flows of the file that the server was given: 409, and the file says where to change them."""
    refused(await client.put("/v1/accounts/acme/flows/orders", json=OPEN), 409, "OWNED_BY_FILE")
    refused(await client.delete("/v1/accounts/acme/flows/orders"), 409, "OWNED_BY_FILE")


async def test_a_token_does_what_its_scopes_say(client: httpx.AsyncClient, account: str) -> None:
    """A token without the scope of a call gets 403; one that was revoked gets 401."""
    async with await token(client, accounts=[account]) as reader:
        assert (await reader.get("/v1/keys/erp")).status_code == 404
        refused(await reader.get("/v1/accounts"), 403, "SCOPE_MISSING")
        refused(await reader.post("/v1/tokens", json={}), 403, "SCOPE_MISSING")
        listed = (await client.get("/v1/tokens")).json()["tokens"]
        mine = next(each for each in listed if each["accounts"] == [account])
        assert "token" not in mine
        assert (await client.delete(f"/v1/tokens/{mine['id']}")).status_code == 204
        refused(await reader.get("/v1/keys/erp"), 401, "TOKEN_INVALID")


async def test_a_token_needs_no_header_for_its_one_account(
    client: httpx.AsyncClient, account: str
) -> None:
    """The account is the token's; another one looks like one that isn't there."""
    async with await token(client, accounts=[account]) as one:
        refused(await one.get("/v1/keys/erp"), 404, "NO_EVENT")
        foreign = {"hookrack-account": "acme"}
        refused(await one.get("/v1/keys/deploys", headers=foreign), 404, "ACCOUNT_UNKNOWN")
    async with await token(client, accounts=[account, "acme"]) as two:
        refused(await two.get("/v1/keys/erp"), 400, "ACCOUNT_REQUIRED")


async def test_an_admin_of_one_account_rules_that_one_only(
    client: httpx.AsyncClient, account: str
) -> None:
    """An admin token for one account neither sees nor makes anything of another's."""
    async with await token(client, accounts=[account], scopes=["admin"]) as admin:
        listed = (await admin.get("/v1/accounts")).json()["accounts"]
        assert [each["account"] for each in listed] == [account]
        for path in ("acme", "acme/flows", "acme/flows/github", "nobody"):
            refused(await admin.get(f"/v1/accounts/{path}"), 404, "ACCOUNT_UNKNOWN")
        refused(await admin.put("/v1/accounts/new-one", json={}), 404, "ACCOUNT_UNKNOWN")
        for accounts in ("*", ["acme"], [account, "acme"]):
            fields = {"name": "x", "accounts": accounts, "scopes": ["read"]}
            refused(await admin.post("/v1/tokens", json=fields), 404, "ACCOUNT_UNKNOWN")


async def test_a_token_ends_at_its_time(client: httpx.AsyncClient) -> None:
    """A token with an end in the past isn't made; one with an end works until then."""
    past = {"name": "x", "accounts": "*", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z"}
    refused(await client.post("/v1/tokens", json=past), 400, "QUERY_INVALID")
    end = dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=1)
    async with await token(client, expiresAt=end.isoformat()) as short:

        async def over() -> bool:
            headers = {"hookrack-account": "acme"}
            return (await short.get("/v1/keys/x", headers=headers)).status_code == 401

        await wait_until(over, what="the end of the token")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "", "accounts": "*", "scopes": ["read"]},
        {"name": "x", "accounts": "all", "scopes": ["read"]},
        {"name": "x", "accounts": [], "scopes": ["read"]},
        {"name": "x", "accounts": ["No Such"], "scopes": ["read"]},
        {"name": "x", "accounts": "*", "scopes": []},
        {"name": "x", "accounts": "*", "scopes": ["root"]},
        {"name": "x", "accounts": "*", "scopes": ["read"], "expiresAt": "soon"},
        {"name": "x", "accounts": "*", "scopes": ["read"], "more": 1},
    ],
    ids=str,
)
async def test_what_is_no_token_is_refused(
    client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    """A request for a token that says too little, too much or nonsense names the field."""
    answer = await client.post("/v1/tokens", json=fields)
    refused(answer, 400, "QUERY_INVALID")
    assert answer.json()["errors"]


async def test_the_api_describes_itself(client: httpx.AsyncClient) -> None:
    """/openapi.json is OpenAPI 3.1; /docs shows it and fetches nothing from elsewhere."""
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "/v1/accounts/{account}/flows/{flow}" in document["paths"]
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "/v1/tokens" in page.text


async def test_an_edge_does_not_load_the_framework(served: Served) -> None:
    """What serves /in alone has neither the framework nor its routes."""
    del served
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = "import sys, hookrack.entrypoints.serve; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"fastapi", "pydantic", "starlette"} & set(found.stdout.split())


async def test_times_to_live_change_for_what_is_there(client: httpx.AsyncClient) -> None:
    """With ?existing=true entries that are there get the configured time, and are counted."""
    name = f"ttl{token_hex(4)}"
    await client.put(f"/v1/accounts/{name}", json={"ttl": "1h"})
    flow = {"keys": ["erp", {"key": "audit", "ttl": "2h"}], "auth": {"type": "none"}}
    await client.put(f"/v1/accounts/{name}/flows/in", json=flow)
    client.headers["hookrack-account"] = name
    await client.put("/v1/keys/own", content=b"1", headers={"hookrack-ttl": "90s"})
    await client.put("/v1/keys/direct", content=b"1")
    await client.post(f"/in/{name}/in", content=b"1")

    async def hours(key: str) -> float:
        entry = (await client.get(f"/v1/keys/{key}")).json()
        times = [dt.datetime.fromisoformat(entry[each]) for each in ("expiresAt", "receivedAt")]
        return (times[0] - times[1]).total_seconds() / 3600

    async def there() -> bool:
        return (await client.get("/v1/keys/erp")).status_code == 200

    await wait_until(there, what="the event under its key")
    plain = await client.put(f"/v1/accounts/{name}", json={"ttl": "3h"})
    assert "existing" not in plain.json()
    assert [await hours(key) for key in ("erp", "audit", "direct")] == [1, 2, 1]
    made = await client.put(f"/v1/accounts/{name}?existing=true", json={"ttl": "3h"})
    assert made.json()["existing"] == {"changed": 2, "ended": 0, "kept": 2}
    assert [await hours(key) for key in ("erp", "audit", "direct")] == [3, 2, 3]
    flow["ttl"] = "4h"
    made = await client.put(f"/v1/accounts/{name}/flows/in?existing=true", json=flow)
    assert made.json()["existing"] == {"changed": 1, "ended": 0, "kept": 1}
    assert [await hours(key) for key in ("erp", "audit", "direct")] == [4, 2, 3]
    await client.put(f"/v1/accounts/{name}/flows/in", json={**flow, "ttl": "60s", "keys": ["erp"]})
    fields = {"ttl": "60s", "maxTtl": "60s"}
    made = await client.put(f"/v1/accounts/{name}?existing=true", json=fields)
    assert made.json()["existing"] == {"changed": 4, "ended": 0, "kept": 0}
    assert await hours("own") == await hours("audit") == 1 / 60
    answer = await client.put(f"/v1/accounts/{name}?existing=perhaps", json=fields)
    assert (answer.status_code, answer.json()["code"]) == (400, "QUERY_INVALID")
