"""Who may call what: every route, with every kind of token, on own, foreign and made-up things.

A second account sees none of the first: no answer to its tokens has a byte of what is there, none
tells whether it is there, and nothing of it changes.
"""

import datetime as dt
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any, Final, Self

import httpx
import pytest
import redis.asyncio
from harness import ADMIN_TOKEN, TRUST, Served, wait_until
from queueing import envelope
from routes import SORTED, TABLE, Place, Row, served_operations, sorted_paths

from hookrack.tokens import SCOPES

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
SENDER: Final = {"type": "secret", "secrets": ["only-senders-know-this"]}
# What is no token; each on its own way to be let in.
STRANGERS: Final = ("none", "garbage", "basic", "cookie", "query", "expired", "revoked")


@dataclass
class World:
    """A server with a victim's things on it, and tokens of everybody."""

    admin: httpx.AsyncClient
    engine: "redis.asyncio.Redis"
    mark: str
    own: Place
    victim: Place
    tokens: dict[str, str]

    async def made(self, account: str, data: str) -> Place:
        """A new account with one of everything, all with this text in it."""
        event = f"letter-{token_hex(8)}"
        await self.put(f"/v1/accounts/{account}", {"ttl": "1h"})
        flow = {"keys": [data], "auth": SENDER}
        await self.put(f"/v1/accounts/{account}/flows/orders", flow)
        head = {"hookrack-account": account}
        key = await self.admin.put("/v1/keys/erp", json={"text": data}, headers=head)
        fields = {"name": data, "accounts": [account], "scopes": ["read"]}
        token = await self.admin.post("/v1/tokens", json=fields)
        buried = envelope(event, account=account, flow="gone", data=b'"%b"' % data.encode())
        stream = zlib.crc32(account.encode()) % 8
        await self.engine.xadd(f"hr1:{{q}}:s:{stream}", {"e": buried})

        async def there() -> bool:
            return (await self.admin.get(f"/v1/dead-letters/{event}")).status_code == 200

        await wait_until(there, what="the dead letter")
        ids = (key.json()["eventId"], "orders", token.json()["id"], event)
        wrong = await self.admin.post(f"/in/{account}/orders/not-it", json={"text": data})
        assert wrong.status_code == 401
        seen: list[str] = []

        async def kept() -> bool:
            found = await self.admin.get("/v1/rejections", params={"account": account})
            seen[:] = [each["eventId"] for each in found.json()["rejections"]]
            return bool(seen)

        await wait_until(kept, what="the rejection")
        return Place(account, "erp", *ids, seen[0])

    async def put(self, path: str, fields: object) -> None:
        """Make something by the API."""
        assert (await self.admin.put(path, json=fields)).is_success

    async def token(self, account: str, *scopes: str, **more: object) -> dict[str, Any]:
        """A new token for one account."""
        fields = {"name": "test", "accounts": [account], "scopes": scopes} | more
        made: dict[str, Any] = (await self.admin.post("/v1/tokens", json=fields)).json()
        return made

    async def state(self) -> list[str]:
        """All that the victim has, as its operator sees it."""
        head = {"hookrack-account": self.victim.account}
        account = f"/v1/accounts/{self.victim.account}"
        letters = f"/v1/dead-letters?account={self.victim.account}"
        answers = [await self.admin.get(path) for path in (account, letters, "/v1/tokens")]
        answers.append(await self.admin.get("/v1/keys/erp/events", headers=head))
        assert all(self.mark in each.text for each in answers)
        told = [each.text for each in answers]
        told[2] = str([t for t in answers[2].json()["tokens"] if t["name"] == self.mark])
        return told

    async def ask(
        self, row: Row, place: Place, *, token: str = "", account: str | None = None, way: str = ""
    ) -> httpx.Response:
        """Make the call of a row. `account` goes into the header where the row has one there."""
        request = self.admin.build_request(
            row.method, place.fill(row.address), params=place.fill(row.query) or None,
            json=place.fill(row.json),
        )  # fmt: skip
        del request.headers["authorization"]
        if row.names == "header":
            request.headers["hookrack-account"] = account or place.account
        match way:
            case "none":
                pass
            case "cookie":
                request.headers["cookie"] = f"token={token}; Authorization=Bearer {token}"
            case "query":
                request.url = request.url.copy_merge_params({"access_token": token})
            case "basic":
                request.headers["authorization"] = f"Basic {token}"
            case _:
                request.headers["authorization"] = f"Bearer {token}"
        return await _whole(await self.admin.send(request, stream=True))


async def _whole(answer: httpx.Response) -> httpx.Response:
    """An answer with its body; of a stream, which never ends, up to its first entry."""
    text = ""
    try:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            await answer.aread()
            return answer
        async for line in answer.aiter_lines():
            text += line
            if line.startswith("data:"):
                break
    finally:
        await answer.aclose()
    return httpx.Response(answer.status_code, headers=answer.headers, text=text)


@pytest.fixture(scope="module")
async def world(served: Served) -> AsyncIterator[World]:
    """Two accounts that know nothing of each other; both go at the end."""
    nowhere = Place(*("",) * 7)
    mark = f"mark{token_hex(12)}"
    headers = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    async with (
        httpx.AsyncClient(base_url=served.url, headers=headers, verify=TRUST) as admin,
        redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock") as engine,
    ):
        new = World(admin, engine, mark, nowhere, nowhere, {})
        new.victim = await new.made(f"victim-{token_hex(4)}", mark)
        new.own = await new.made(f"second-{token_hex(4)}", "own")
        for scope in SCOPES:
            new.tokens[scope] = (await new.token(new.own.account, scope))["token"]
            new.tokens[f"victim's {scope}"] = (await new.token(new.victim.account, scope))["token"]
        revoked = await new.token(new.own.account, "admin")
        assert (await admin.delete(f"/v1/tokens/{revoked['id']}")).is_success
        end = (dt.datetime.now(tz=dt.UTC) + dt.timedelta(seconds=0.3)).isoformat()
        expired = (await new.token(new.own.account, "admin", expiresAt=end))["token"]
        new.tokens |= {"revoked": revoked["token"], "expired": expired}
        new.tokens |= {"garbage": "hr_" + "A" * 40, "none": ""}
        new.tokens |= dict.fromkeys(("basic", "cookie", "query"), new.tokens["admin"])

        async def over() -> bool:
            head = {"authorization": f"Bearer {expired}"}
            return (await admin.get("/v1/accounts", headers=head)).status_code == 401

        await wait_until(over, what="the end of a token")
        yield new
        for place in (new.own, new.victim):
            assert (await admin.delete(f"/v1/accounts/{place.account}")).is_success


def made_up(place: Place) -> Place:
    """Names of the same shape, of nothing that there is."""
    names = {name: getattr(place, name)[:-4] + "zzzz" for name in place.__slots__}
    return Place(**names | {"key": place.key, "flow": place.flow})


class Tally:
    """Every answer is counted and held to what was expected."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.counts: dict[int, int] = {}
        self.faults: list[str] = []

    def see(self, what: str, answer: httpx.Response, *expected: int) -> Self:
        """One answer: its status, and no byte of the victim's."""
        self.counts[answer.status_code] = self.counts.get(answer.status_code, 0) + 1
        if answer.status_code not in expected:
            told = f"{answer.status_code} instead of {expected}: {answer.text[:150]}"
            self.faults.append(f"{what}: {told}")
        if self.mark in answer.text or self.mark in str(answer.headers):
            self.faults.append(f"{what}: shows what is the victim's")
        return self

    def same(self, what: str, one: str, other: str) -> None:
        """Two answers that must not differ."""
        if one != other:
            self.faults.append(f"{what}: tells whether it is there: {one[:150]} or {other[:150]}")


def allows(scope: str, row: Row) -> bool:
    """Whether a token with this one scope may make the call; admin implies all."""
    return scope in (row.scope, "admin")


def shown(place: Place, answer: httpx.Response) -> str:
    """All of an answer that a caller could learn from."""
    heads = {name: text for name, text in answer.headers.items() if name not in ("date", "etag")}
    heads.pop("content-length", None)  # of the names that are hidden
    return place.hide(f"{answer.status_code} {sorted(heads.items())} {answer.text}")


def test_no_route_is_left_out() -> None:
    """Each route of the framework and each path of the front door stands in the table, and none
    that isn't there any more.
    """
    known = {row.operation for row in TABLE}
    assert served_operations() - known == set()
    assert sorted_paths() - SORTED == set()
    own = {("HEAD", "/v1/keys/{key}"), ("POST", "/in/{account}/{flow}")}
    own |= {("GET", path) for path in ("/livez", "/readyz", "/metrics")}
    assert known - served_operations() == own
    assert {row.path for row in TABLE} | {"/", "/in/", "/v1", "/v1/", "/v1/keys/{key}/"} >= SORTED


def name(row: Row) -> str:
    """A row as a test report shows it, with the number of its calls in the matrix."""
    return f"{row.method} {row.path} ({row.scope or 'open'})"


@pytest.mark.parametrize("row", TABLE, ids=name)
async def test_strangers_get_nothing(world: World, row: Row) -> None:
    """Without a token that is in force each call is 401, the same for what is there and what isn't;
    an open call answers everybody alike.
    """
    tally, nothing = Tally(world.mark), made_up(world.victim)
    expected = row.good if row.scope is None else 401
    for way in STRANGERS:
        token = world.tokens[way]
        there = await world.ask(row, world.victim, token=token, way=way)
        tally.see(f"{way}, there", there, expected)
        if row.scope is not None:
            absent = await world.ask(row, nothing, token=token, way=way)
            tally.see(f"{way}, made up", absent, expected)
            tally.same(way, shown(world.victim, there), shown(nothing, absent))
    assert tally.faults == [], f"{len(tally.faults)} of {tally.counts}"


@pytest.mark.parametrize("row", [row for row in TABLE if row.scope], ids=name)
async def test_a_second_account_sees_none_of_the_first(world: World, row: Row) -> None:
    """A token of another account gets 403 without the scope, else 404, word for word as for what
    isn't there; and all that is the victim's stays as it was.
    """
    tally, nothing, before = Tally(world.mark), made_up(world.victim), await world.state()
    for scope in SCOPES:
        token, good = world.tokens[scope], allows(scope, row)
        if row.names != "nothing":
            there = await world.ask(row, world.victim, token=token)
            absent = await world.ask(row, nothing, token=token)
            tally.see(f"{scope}, there", there, 404 if good else 403)
            tally.see(f"{scope}, made up", absent, 404 if good else 403)
            tally.same(scope, shown(world.victim, there), shown(nothing, absent))
        if row.things:
            stolen = replace(world.victim, account=world.own.account)
            absent_id = made_up(stolen)
            there = await world.ask(row, stolen, token=token, account=world.own.account)
            absent = await world.ask(row, absent_id, token=token, account=world.own.account)
            expected = (200 if row.method == "DELETE" and "keys" in row.path else 404,)
            tally.see(f"{scope}, foreign id", there, *(expected if good else (403,)))
            tally.same(f"{scope}, id", shown(stolen, there), shown(absent_id, absent))
        if row.names == "nothing" and not row.things:
            answer = await world.ask(row, world.victim, token=token)
            tally.see(f"{scope}, list", answer, row.good if good else 403)
    assert tally.faults == [], f"{len(tally.faults)} of {tally.counts}"
    assert await world.state() == before


@pytest.mark.parametrize("row", [row for row in TABLE if row.scope], ids=name)
async def test_an_owner_gets_what_the_scope_says(world: World, row: Row) -> None:
    """With the scope of the call, or admin, one's own account answers as the contract says, and
    with what is in it; with any other scope it is 403.
    """
    tally = Tally("not looked for here")
    for scope in SCOPES:
        data = f"data{token_hex(8)}"
        own = await world.made(f"own-{token_hex(4)}", data)
        token = (await world.token(own.account, scope))["token"]
        answer = await world.ask(row, own, token=token)
        tally.see(scope, answer, row.good if allows(scope, row) else 403)
        if row.shows and (data in answer.text) is not allows(scope, row):
            tally.faults.append(f"{scope}: shows too much or too little: {answer.text[:200]}")
        await world.admin.delete(f"/v1/accounts/{own.account}")
    assert tally.faults == [], f"{len(tally.faults)} of {tally.counts}"


@pytest.mark.parametrize("path", sorted({row.path for row in TABLE}))
async def test_no_other_method_does_anything(world: World, path: str) -> None:
    """A method that the table doesn't have for a path is refused, even to an admin of all."""
    rows = [row for row in TABLE if row.path == path]
    before = await world.state()
    tally = Tally(world.mark)
    for method in set(METHODS) - {row.method for row in rows}:
        row = replace(rows[0], method=method)
        token = ADMIN_TOKEN
        answer = await world.ask(row, world.victim, token=token)
        fixed = path in ("/livez", "/readyz", "/metrics")
        tally.see(method, answer, *((200, 405) if fixed else (400, 401, 404, 405)))
    assert tally.faults == [], f"{len(tally.faults)} of {tally.counts}"
    assert await world.state() == before
