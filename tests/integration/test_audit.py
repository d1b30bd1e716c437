"""Who changed what: a line for each call of an admin that isn't a mere question."""

import secrets

import httpx
from harness import Served, wait_until


def lines(served: Served, account: str) -> list[dict[str, object]]:
    """What the log says of an account."""
    told = [each for each in served.log() if each["event"] == "admin.called"]
    return [each for each in told if each.get("account") == account]


async def test_changes_by_admins_are_written_down(
    served: Served, client: httpx.AsyncClient
) -> None:
    """Each change has its line, with token, route, what is meant and how it ended; no question has
    one, and none has anything of what was sent.
    """
    account, secret = f"audit-{secrets.token_hex(4)}", f"hunter-{secrets.token_hex(8)}"
    flow = {"keys": ["k"], "auth": {"type": "secret", "secrets": [secret]}}
    await client.put(f"/v1/accounts/{account}", json={"ttl": "1h"})
    for number in range(30):
        await client.put(f"/v1/accounts/{account}/flows/f{number}", json=flow)
    await client.put(f"/v1/accounts/{account}/flows/f0", json={"keys": secret})
    await client.get(f"/v1/accounts/{account}")
    made = await client.post(
        "/v1/tokens", json={"name": "other", "accounts": [account], "scopes": ["admin"]}
    )
    other = {"authorization": f"Bearer {made.json()['token']}"}
    await client.delete(f"/v1/accounts/{account}/flows/f1", headers=other)
    await client.delete(f"/v1/accounts/{account}")
    await wait_until(lambda: len(lines(served, account)) == 34, what="34 lines")
    found = lines(served, account)
    assert {each["method"] for each in found} == {"PUT", "DELETE"}
    assert [each["status"] for each in found][-3:] == ["400", "204", "200"]
    assert (found[0]["token"], found[-2]["token"]) == ("admin", made.json()["id"])
    assert found[-2]["flow"] == "f1"
    assert found[-2]["route"] == "/v1/accounts/{account}/flows/{flow}"
    assert found[0]["client"] == "127.0.0.1"
    assert secret not in str(served.log())


async def test_purges_and_denied_calls_are_written_down(
    served: Served, client: httpx.AsyncClient
) -> None:
    """Who purged what has a line, and who asked for what only admins may, even to look at it."""
    account = f"audit-{secrets.token_hex(4)}"
    await client.put(f"/v1/accounts/{account}", json={})
    fields = {"name": "reader", "accounts": [account], "scopes": ["read", "write"]}
    made = (await client.post("/v1/tokens", json=fields)).json()
    own = {"authorization": f"Bearer {made['token']}", "hookrack-account": account}
    await client.delete("/v1/keys/k/events", headers=own)
    await client.delete("/v1/keys/k/events/e-1", headers=own)
    await client.get("/v1/keys/k/events", headers=own)
    assert (await client.get(f"/v1/accounts/{account}", headers=own)).status_code == 403
    refused = await client.post("/v1/dead-letters/redrive", json={}, headers=own)
    assert refused.status_code == 403
    await wait_until(lambda: len(lines(served, account)) == 5, what="five lines")
    found = [each for each in lines(served, account) if each["token"] == made["id"]]
    assert [(each["method"], each["status"]) for each in found] == [
        ("DELETE", "200"),
        ("DELETE", "200"),
        ("GET", "403"),
        ("POST", "403"),
    ]
    assert (found[0]["key"], found[1]["event_id"]) == ("k", "e-1")
    assert made["token"] not in str(served.log())
    await client.delete(f"/v1/accounts/{account}")
