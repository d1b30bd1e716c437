"""Two processes on one store: what is changed at one is in force at the other within a second."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx
from harness import ADMIN_TOKEN, EXAMPLE, SECRET_KEY, Served, refused_start, wait_until

Start = Callable[..., Served]
FLOW = {"keys": ["erp"], "auth": {"type": "none"}}


async def within(seconds: float, what: str, condition: Callable[[], object]) -> None:
    """Something comes true in that time."""
    began = time.monotonic()
    await wait_until(condition, what=what)  # type: ignore[arg-type]
    took = time.monotonic() - began
    assert took <= seconds, f"{what} took {took:.2f} s"


async def test_changes_at_one_are_in_force_at_the_other(own_server: Start) -> None:
    """Accounts, flows and tokens that are made or dropped at one process are so at the other."""
    one = own_server("--role", "edge,api,worker")
    other = own_server("--store", f"unix://{one.data_dir}/engine.sock", name="other")
    async with one.client(account="new") as here, other.client(account="new") as there:
        assert (await here.put("/v1/accounts/new", json={})).status_code == 201
        assert (await here.put("/v1/accounts/new/flows/in", json=FLOW)).status_code == 201

        async def sent(status: int) -> bool:
            return (await there.post("/in/new/in", json={})).status_code == status

        await within(1, "the flow at the other", lambda: sent(202))
        fields = {"name": "x", "accounts": ["new"], "scopes": ["read"]}
        made = (await here.post("/v1/tokens", json=fields)).json()
        headers = {"authorization": f"Bearer {made['token']}"}
        async with httpx.AsyncClient(base_url=other.url, headers=headers) as reader:

            async def read(*statuses: int) -> bool:
                return (await reader.get("/v1/keys/erp")).status_code in statuses

            await within(1, "the token at the other", lambda: read(200, 404))
            assert (await here.delete(f"/v1/tokens/{made['id']}")).status_code == 204
            await within(1, "its end at the other", lambda: read(401))
        assert (await here.delete("/v1/accounts/new/flows/in")).status_code == 204
        await within(1, "the flow's end at the other", lambda: sent(404))


async def test_stored_secrets_need_their_key(own_server: Start, short_dir: Path) -> None:
    """With another secret key a start on the same data is refused, and shows no secret; on a store
    of the operator's a key is needed in the first place.
    """
    served = own_server()
    store = f"unix://{served.data_dir}/engine.sock"
    words = ("--config", str(EXAMPLE), "--port", "0", "--store", store)
    data = str(short_dir / "second")
    other = "another-secret-key-0123456789abcdefghij"
    environ = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN}
    said = refused_start(*words, "--data-dir", data, HOOKRACK_SECRET_KEY=other, **environ)
    assert "HOOKRACK_SECRET_KEY" in said
    assert not {other, SECRET_KEY, "try-orders"} & set(said.split())
    said = refused_start(*words, "--data-dir", data, **environ)
    assert "HOOKRACK_SECRET_KEY" in said
