"""The client's leases: acked at the end, given back after an exception, held meanwhile."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from secrets import token_hex

import pytest
from harness import ADMIN_TOKEN, Served

from hookrack.client import AsyncClient, BadCall, Client, LeasedEntry, Retries

CRASHING = """
import sys
from hookrack.client import Client
with Client(sys.argv[1], sys.argv[2], account=sys.argv[3]) as client:
    with client.lease("erp", max=10, seconds=2) as lease:
        print(len(lease), flush=True)
        sys.stdin.read()  # until it is killed
"""


@pytest.fixture
async def account(served: Served) -> str:
    """An account of this test's own."""
    name = f"l{token_hex(4)}"
    async with served.client() as admin:
        await admin.put(f"/v1/accounts/{name}", json={"maxTtl": "7d"})
    return name


@pytest.fixture
async def client(served: Served, account: str) -> AsyncIterator[AsyncClient]:
    """A client of it that waits for streams and leases."""
    async with AsyncClient(served.url, ADMIN_TOKEN, account=account) as client:
        yield client


async def taken(client: AsyncClient, **more: object) -> list[object]:
    """The data that a reader of the group would get now; it gives it back."""
    with suppress(InterruptedError):
        async with client.lease("erp", max=100, **more) as lease:  # type: ignore[arg-type]
            found = [entry.data for entry in lease]
            raise InterruptedError
    return found


async def test_the_end_acks_and_an_exception_gives_back(client: AsyncClient) -> None:
    """What a `with` held is settled at its end; after an exception it goes out again at once."""
    for number in range(3):
        await client.set("erp", number)
    with pytest.raises(KeyError):  # noqa: PT012 - the end of the lease
        async with client.lease("erp", max=2) as lease:
            assert [entry.attempt for entry in lease] == [1, 1]
            raise KeyError
    async with client.lease("erp", max=2) as lease:
        assert [(entry.data, entry.attempt) for entry in lease] == [(0, 2), (1, 2)]
        assert await taken(client) == [2]
        assert await taken(client, group="other") == [0, 1, 2]
    assert await taken(client) == [2]
    assert lease.stale == ()


def test_the_same_without_a_loop(served: Served, account: str) -> None:
    """The blocking client's lease keeps the same promises, and lets go of its thread."""
    with Client(served.url, ADMIN_TOKEN, account=account) as client:
        for number in range(3):
            client.set("erp", number)
        with pytest.raises(KeyError), client.lease("erp", max=2):
            raise KeyError
        with client.lease("erp", max=3) as lease:
            first, second, third = lease
            assert isinstance(first, LeasedEntry)
            lease.ack(first)
            lease.release(second)
            with client.lease("erp", max=3) as other:
                assert [entry.data for entry in other] == [1]
            assert third.attempt == 1
        with client.lease("erp", max=3) as lease:
            assert len(lease) == 0


async def test_entries_can_be_settled_one_by_one(client: AsyncClient) -> None:
    """What was acked or given back before the end is left alone by it."""
    for number in range(3):
        await client.set("erp", number)
    with pytest.raises(KeyError):  # noqa: PT012 - the end of the lease
        async with client.lease("erp", max=3, delay_seconds=600) as lease:
            first, second, _ = lease
            await lease.ack(first)
            await lease.release(second)
            raise KeyError
    assert await taken(client) == [1]


async def test_a_lease_waits(client: AsyncClient) -> None:
    """A lease can wait for an entry, and ends empty when none came."""
    async with client.lease("erp", wait=1) as lease:
        assert len(lease) == 0

    async def wait() -> object:
        async with client.lease("erp", wait=20) as lease:
            return [entry.data for entry in lease]

    waiting = asyncio.create_task(wait())
    await client.set("erp", 1)
    assert await waiting == [1]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_work_may_take_longer_than_the_lease(
    kind: type[Client | AsyncClient], client: AsyncClient, served: Served, account: str
) -> None:
    """A lease of one second is held for as long as it is worked on."""
    await client.set("erp", 1)
    begun, end = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def block() -> tuple[str, ...]:
        with Client(served.url, ADMIN_TOKEN, account=account) as own:
            with own.lease("erp", seconds=1) as lease:
                loop.call_soon_threadsafe(begun.set)
                asyncio.run_coroutine_threadsafe(end.wait(), loop).result()
            return lease.stale

    async def work() -> tuple[str, ...]:
        async with client.lease("erp", seconds=1) as lease:
            begun.set()
            await end.wait()
        return lease.stale

    working = asyncio.create_task(asyncio.to_thread(block) if kind is Client else work())
    await begun.wait()
    async with client.lease("erp", wait=3) as other:
        assert len(other) == 0
    end.set()
    assert await working == ()
    async with client.lease("erp", wait=2) as other:
        assert len(other) == 0


async def test_who_lost_an_entry_is_told(client: AsyncClient, served: Served, account: str) -> None:
    """A receipt that doesn't count any more stands in `stale`; the others are settled."""
    await client.set("erp", 1)
    await client.set("erp", 2)
    async with client.lease("erp", max=2) as lease:
        settled = {"group": "default", "receipts": [lease.entries[0].receipt]}
        async with served.client(account=account) as other:
            await other.post("/v1/keys/erp/ack", json=settled)
    assert lease.stale == (lease.entries[0].receipt,)
    assert await taken(client) == []


async def test_a_reader_that_is_killed_holds_nothing_for_long(
    client: AsyncClient, served: Served, account: str
) -> None:
    """What a killed process had leased is handed out again once its lease is over."""
    for number in range(3):
        await client.set("erp", number)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CRASHING, served.url, ADMIN_TOKEN, account),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"3\n"
    assert await taken(client) == []
    process.kill()
    await process.wait()
    async with client.lease("erp", max=10, wait=10) as lease:
        assert [(entry.data, entry.attempt) for entry in lease] == [(0, 2), (1, 2), (2, 2)]


async def test_attempts_have_an_end(client: AsyncClient) -> None:
    """What was handed out `max_attempts` times doesn't go out again; in order, the rest waits."""
    for number in range(2):
        await client.set("erp", number)
    for _ in range(2):
        with pytest.raises(KeyError):  # noqa: PT012 - the end of the lease
            async with client.lease("erp", max_attempts=2, ordered=True) as lease:
                assert [entry.data for entry in lease] == [0]
                async with client.lease("erp", ordered=True) as other:
                    assert len(other) == 0
                raise KeyError
    assert await taken(client, max_attempts=2) == [1]


async def test_bad_terms_are_refused(client: AsyncClient) -> None:
    """The server says what is wrong with a lease that can't be."""
    for terms in ({"max": 0}, {"seconds": 0}, {"group": "a b"}, {"max_attempts": 0}):
        with pytest.raises(BadCall):
            async with client.lease("erp", **terms):
                pass


async def test_a_server_that_goes_down_meanwhile(own_server: Callable[..., Served]) -> None:
    """An exception in a lease isn't hidden by a server that is gone; an ack that fails is told."""
    server = own_server()
    retries = Retries(calls=1)
    async with AsyncClient(server.url, ADMIN_TOKEN, account="acme", retries=retries) as client:
        await client.set("erp", 1)
        with pytest.raises(KeyError):  # noqa: PT012 - the end of the lease
            async with client.lease("erp"):
                server.stop()
                raise KeyError
        with pytest.raises(Exception, match="doesn't answer"):
            await client.get("erp")
