"""The Python client against a real server, both of its shells by the same tests."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from secrets import token_hex
from typing import Any

import pytest
from harness import ADMIN_TOKEN, Served

from hookrack.client import (
    AsyncClient,
    BadCall,
    Client,
    Code,
    ConfigError,
    Conflict,
    CursorGone,
    Denied,
    Entry,
    Missing,
    Retries,
    Unready,
)


class Either:
    """One of the two clients; blocking calls are made in a thread."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def __call__(self, name: str, *given: object, **named: object) -> Any:
        """Make a call."""
        method = getattr(self.client, name)
        if isinstance(self.client, Client):
            return await asyncio.to_thread(method, *given, **named)
        return await method(*given, **named)

    async def first(self, count: int, name: str, *given: object, **named: object) -> list[Entry]:
        """The first entries of a loop."""
        loop = getattr(self.client, name)(*given, **named)
        if isinstance(self.client, Client):
            return await asyncio.to_thread(lambda: list(islice(loop, count)))
        found: list[Entry] = []
        async for entry in loop:
            found.append(entry)
            if len(found) == count:
                break
        await loop.aclose()
        return found


@pytest.fixture(params=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[Either]:
    """A client for an account of this test's own, with short pauses."""
    name = f"c{token_hex(4)}"
    async with served.client() as admin:
        await admin.put(f"/v1/accounts/{name}", json={"maxTtl": "7d"})
    retries = Retries(first=0.01)
    if request.param == "blocking":
        with Client(served.url, ADMIN_TOKEN, account=name, retries=retries) as client:
            yield Either(client)
    else:
        async with AsyncClient(served.url, ADMIN_TOKEN, account=name, retries=retries) as other:
            yield Either(other)


async def test_set_and_get(client: Either) -> None:
    """What was set is got: an entry with times as times, and the data as Python has it."""
    assert await client("get", "erp") is None
    stored = await client("set", "erp", {"n": 12345678901234567890}, ttl=timedelta(hours=1))
    found = await client("get", "erp")
    assert found == stored
    assert found.data == {"n": 12345678901234567890}
    assert (found.webhook_key, found.flow, found.content_type) == ("erp", None, "application/json")
    assert abs(datetime.now(UTC) - found.received_at) < timedelta(minutes=1)
    assert found.expires_at - found.received_at == timedelta(hours=1)


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b'{"b": 1,  "a":1e400, "a": "\\u00e9"}', "application/json"),
        (b"\x00\xff\n", "application/octet-stream"),
    ],
)
async def test_bytes_stay_as_they_are(client: Either, data: bytes, content_type: str) -> None:
    """Bytes go and come as they were written, JSON or not, by every call that reads."""
    await client("set", "erp", data, content_type=content_type)
    page = await client("page", "erp")
    many = await client("get_many", ["erp"])
    followed = await client.first(1, "follow", "erp")
    for entry in (await client("get", "erp"), page.entries[0], many["erp"], followed[0]):
        assert (entry.raw, entry.content_type) == (data, content_type)


async def test_many_keys(client: Either) -> None:
    """One payload goes under many keys, and more keys than one call holds are got in order."""
    keys = [f"k{number}" for number in range(1500)]
    stored = await client("set_many", keys[:1000], [1, 2], ttl="90s")
    assert [entry.webhook_key for entry in stored] == keys[:1000]
    found = await client("get_many", [*keys, "k0"])
    assert list(found) == keys
    assert all(found[key].data == [1, 2] for key in keys[:1000])
    assert not any(found[key] for key in keys[1000:])


async def test_an_answer_that_is_full_is_asked_on(client: Either) -> None:
    """Entries that one answer has no room for come with the next."""
    keys = ["a", "b", "c"]
    for key in keys:
        await client("set", key, b'"%b"' % (b"x" * (4 << 20)))
    found = await client("get_many", keys)
    assert [len(found[key].raw) for key in keys] == [(4 << 20) + 2] * 3


async def test_an_id_stores_once(client: Either) -> None:
    """The same set with an id gives the first one's entry; another one with it is a conflict."""
    first = await client("set", "erp", {"a": 1}, id="7")
    assert await client("set", "erp", {"a": 1}, id="7") == first
    with pytest.raises(Conflict) as caught:
        await client("set", "erp", {"a": 2}, id="7")
    assert (caught.value.code, caught.value.status) == (Code.ID_CONFLICT, 409)
    with pytest.raises(ValueError, match="an id goes with data of type application/json only"):
        await client("set", "erp", b"1", id="8", content_type="text/plain")


async def test_history(client: Either) -> None:
    """The history is all that is there, oldest first, however small its pages; and from a place."""
    stored = [await client("set", "erp", number) for number in range(7)]
    assert await client.first(9, "history", "erp", limit=3) == stored
    after = await client.first(9, "history", "erp", after=stored[4].cursor)
    assert after == stored[5:]
    since = datetime.now(UTC) + timedelta(hours=1)
    assert await client.first(9, "history", "erp", since=since) == []
    page = await client("page", "erp", limit=2)
    assert (list(page), page.more, page.cursor) == (stored[:2], True, stored[1].cursor)


async def test_waiting(client: Either) -> None:
    """A get waits for an entry, or for another one than the reader has."""
    waiting = asyncio.create_task(client("get", "erp", wait=20))
    stored = await client("set", "erp", 1)
    assert await waiting == stored
    assert await client("get", "erp", newer_than=stored) is None
    assert await client("get", "erp", newer_than=stored, wait=1) is None
    waiting = asyncio.create_task(client("get", "erp", newer_than=stored.event_id, wait=20))
    second = await client("set", "erp", 2)
    assert await waiting == second


@pytest.mark.parametrize("streams", [True, False])
async def test_following(client: Either, streams: bool) -> None:
    """What is there comes first, then what is stored meanwhile; by stream or by waiting."""
    stored = [await client("set", "erp", number) for number in range(3)]
    following = asyncio.create_task(client.first(5, "follow", "erp", streams=streams))
    stored += [await client("set", "erp", number) for number in range(3, 5)]
    assert await following == stored
    rest = await client.first(2, "follow", "erp", after=stored[2].cursor, streams=streams)
    assert rest == stored[3:]


async def test_purge_and_life(client: Either) -> None:
    """An event's life says where it is; purged events are gone, one or all."""
    first, second = [await client("set", "erp", number) for number in range(2)]
    life = await client("life", first.event_id)
    assert (life.status, life.keys) == ("stored", {"erp": first.expires_at})
    assert await client("purge", "erp", first.event_id) == 1
    assert (await client("life", first.event_id)).status == "purged"
    assert await client("purge", "erp") == 1
    assert await client("get", "erp") is None
    with pytest.raises(Missing) as caught:
        await client("life", "unheard-of")
    assert caught.value.code is Code.EVENT_UNKNOWN
    assert second.event_id


@pytest.mark.parametrize("key", ["", "..", "a/b", "é", "x" * 129])
async def test_a_bad_key_is_refused_before_it_is_sent(client: Either, key: str) -> None:
    """What is no webhook key would lead to another address."""
    for name, more in {"get": (), "set": (1,), "purge": (), "page": ()}.items():
        with pytest.raises(BadCall) as caught:
            await client(name, key, *more)
        assert (caught.value.code, caught.value.status) == (Code.KEY_INVALID, None)


@pytest.mark.parametrize("text", ["", "a\r\nx: y", "é", "a b"])
async def test_what_no_header_can_carry(client: Either, text: str) -> None:
    """Nothing that a caller passes on can end a header and begin another."""
    for name, named in {
        "content_type": {"content_type": text},
        "ttl": {"ttl": f"{text}\n"},
    }.items():
        with pytest.raises(BadCall) as caught:
            await client("set", "erp", b"1", **named)
        assert caught.value.status is None, name
    if text:
        with pytest.raises(BadCall):
            await client("get", "erp", newer_than=text)


async def test_bad_calls_are_told_by_the_server(client: Either) -> None:
    """What the server refuses says its code, status and why; it isn't tried again."""
    with pytest.raises(BadCall) as caught:
        await client("set", "erp", 1, ttl="soon")
    assert (caught.value.code, caught.value.status) == (Code.TTL_INVALID, 400)
    assert "not a duration" in caught.value.detail
    with pytest.raises(BadCall) as caught:
        await client("page", "erp", limit=0)
    assert caught.value.code is Code.QUERY_INVALID
    for name in ("history", "follow"):
        with pytest.raises(CursorGone) as gone:
            await client.first(1, name, "erp", after="?")
        assert (gone.value.code, gone.value.status) == (Code.CURSOR_INVALID, 410)
    with pytest.raises(TypeError):
        await client("set", "erp", "text", content_type="text/plain")
    with pytest.raises(ValueError, match="Out of range float"):
        await client("set", "erp", float("nan"))


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_wrong_token(kind: type[Client | AsyncClient], served: Served) -> None:
    """A token that nobody knows is Denied, by calls and by loops, at once."""
    client = Either(kind(served.url, "x" * 40, account="acme"))
    with pytest.raises(Denied) as caught:
        await client("get", "erp")
    assert (caught.value.code, caught.value.status) == (Code.TOKEN_INVALID, 401)
    with pytest.raises(Denied):
        await client.first(1, "follow", "erp")
    assert "x" * 40 not in repr(vars(client.client))
    await client("close" if kind is Client else "aclose")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_nobody_there(kind: type[Client | AsyncClient]) -> None:
    """Where nobody listens, calls and loops end as Unready after a few tries."""
    client = Either(kind("http://127.0.0.1:1", "t", retries=Retries(first=0.01)))
    for ask in (client("get", "erp"), client("set", "erp", 1), client.first(1, "follow", "erp")):
        with pytest.raises(Unready, match=r"127.0.0.1:1 doesn't answer \(ConnectError\)") as caught:
            await ask
        assert caught.value.status is None
    await client("close" if kind is Client else "aclose")


def test_one_client_serves_many_threads(served: Served) -> None:
    """Threads that share a client get each their own answers."""
    keys = [f"t{token_hex(4)}" for _ in range(8)]
    with Client(served.url, ADMIN_TOKEN, account="acme") as client, ThreadPoolExecutor(8) as pool:

        def work(key: str) -> bool:
            stored = [client.set(key, [key, number]) for number in range(20)]
            newest = client.get(key)
            return newest == stored[-1] and list(client.history(key, limit=7)) == stored

        assert all(pool.map(work, keys))


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_no_token(
    kind: type[Client | AsyncClient], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a token the server says what is missing."""
    monkeypatch.delenv("HOOKRACK_TOKEN", raising=False)
    client = Either(kind(served.url))
    with pytest.raises(Denied) as caught:
        await client("get", "erp")
    assert caught.value.code is Code.TOKEN_INVALID
    await client("close" if kind is Client else "aclose")


def test_which_server(served: Served, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is the one named, else the environment's, else that of the data directory."""
    for name in ("HOOKRACK_URL", "HOOKRACK_TOKEN", "HOOKRACK_ADMIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="no server that is alive"):
        Client(data_dir=tmp_path)
    with pytest.raises(ConfigError, match="is no http or https URL"):
        Client("ftp://host", "t")
    monkeypatch.setenv("HOOKRACK_TOKEN", ADMIN_TOKEN)
    with Client(account="acme", data_dir=served.data_dir) as found:
        assert found.get(f"nothing-{token_hex(4)}") is None
    monkeypatch.setenv("HOOKRACK_URL", served.url)
    with Client(account="acme") as named:
        assert named.get(f"nothing-{token_hex(4)}") is None
    monkeypatch.delenv("HOOKRACK_TOKEN")
    with pytest.raises(ConfigError, match="HOOKRACK_TOKEN in the environment"):
        Client()
    with pytest.raises(ConfigError, match="beyond ASCII"):
        Client(served.url, "t", account="é")
