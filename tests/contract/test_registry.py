"""What every Registry promises, and what is in force because of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio
from harness import EXAMPLE, wait_until

from hookrack._redis import Pipe
from hookrack.errors import Code, ConfigError, Rejected
from hookrack.flows import (
    Account,
    Configuration,
    parse_configuration,
    read_configuration,
    read_flow,
)
from hookrack.records import Change
from hookrack.registry import Live
from hookrack.sealing import Sealer
from hookrack.settings import Secret
from hookrack.stores.redis_registry import RedisRegistry
from hookrack.tokens import Token, Tokens

KEY = Secret("k" * 32)
ADMIN = Secret("a" * 32)


@pytest.fixture
async def registry(pipe: Pipe, url: str, prefix: str) -> RedisRegistry:
    """An empty registry."""
    return RedisRegistry(pipe, url=url, prefix=prefix)


def view(registry: RedisRegistry, *, key: Secret = KEY) -> Live:
    """One process's view of it."""
    return Live(registry, sealer=Sealer(key), tokens=Tokens.of_admin(ADMIN))


@pytest.fixture
async def live(registry: RedisRegistry) -> Live:
    """The view of a process that was just started."""
    return view(registry)


def file(text: str) -> Configuration:
    """What a flow file with these accounts declares."""
    whole = f"version: 1\naccounts:\n{text}"
    return parse_configuration(whole, name="h.yaml", environ={"ORDERS": "s3cret-orders"})


ORDERS = "  acme: {ttl: 2h, flows: {orders: {keys: [erp], auth: {type: none}}}}"
SECRETS = """
  acme:
    flows:
      orders: {keys: [erp], auth: {type: secret, secrets: ["${ORDERS}", plain-one]}}
      basic: {keys: [erp], auth: {type: basic, username: kp, passwords: [basic-pass-word]}}
"""


async def test_what_is_written_is_there_for_all(registry: RedisRegistry) -> None:
    """A change of several records is made at once and grows the version."""
    assert (await registry.load()).version == 0
    changes = [Change("account", "acme", "{}"), Change("flow", "acme/orders", '{"a": 1}')]
    version = await registry.write(changes, expected=0)
    records = await registry.load()
    assert records.version == version == 1
    assert (records.account, records.flow) == ({"acme": "{}"}, {"acme/orders": '{"a": 1}'})
    await registry.write([Change("account", "acme", None)], expected=1)
    assert (await registry.load()).account == {}


async def test_a_change_of_something_else_is_not_made(registry: RedisRegistry) -> None:
    """Who planned a change for another version has it refused, and nothing is half-made."""
    assert await registry.write([Change("account", "acme", "{}")], expected=0) == 1
    assert await registry.write([Change("account", "other", "{}")], expected=0) is None
    assert set((await registry.load()).account) == {"acme"}


async def test_everybody_hears_of_a_change(registry: RedisRegistry, live: Live) -> None:
    """A change is in force in every process within a moment, without being asked for."""
    other = view(registry)
    following = asyncio.create_task(other.follow())
    await live.adopt_file(file(ORDERS))

    def flow() -> bool:
        return other.configuration.find_flow("acme", "orders") is not None

    await wait_until(flow, what="the flow in the other process", seconds=1.0)
    await live.adopt_file(file("  acme: {}"))
    await wait_until(lambda: not flow(), what="its removal there", seconds=1.0)
    while not following.done():
        following.cancel()
        await asyncio.wait([following], timeout=0.2)


async def test_the_example_comes_back_as_it_was(live: Live, registry: RedisRegistry) -> None:
    """What a flow file declares is read back from the registry as the same accounts and flows."""
    declared = read_configuration(EXAMPLE, environ={})
    await live.adopt_file(declared)
    other = view(registry)
    await other.refresh()
    assert other.configuration.accounts == declared.accounts


async def test_a_file_takes_back_only_what_it_owned(live: Live) -> None:
    """What the file no longer names goes; what the API made stays."""
    await live.adopt_file(file(ORDERS))
    await live.put_account(Account("mine", {}))
    await live.put_flow(
        read_flow("more", {"keys": ["x"], "auth": {"type": "none"}}, account="acme")
    )
    await live.adopt_file(file("  acme: {flows: {}}"))
    assert set(live.configuration.accounts) == {"acme", "mine"}
    assert set(live.configuration.accounts["acme"].flows) == {"more"}


async def test_nothing_changes_when_nothing_changed(live: Live, registry: RedisRegistry) -> None:
    """The same file again, as at every start, is no change."""
    await live.adopt_file(file(SECRETS))
    before = (await registry.load()).version
    await live.adopt_file(file(SECRETS))
    assert (await registry.load()).version == before


async def test_what_the_file_owns_the_api_leaves_alone(live: Live) -> None:
    """Account and flows of a served file can't be changed or dropped by the API."""
    await live.adopt_file(file(ORDERS))
    other = read_flow("orders", {"keys": ["x"], "auth": {"type": "none"}}, account="acme")
    attempts = [
        live.put_flow(other),
        live.put_account(Account("acme", {})),
        live.drop_flow("acme", "orders"),
        live.drop_account("acme"),
    ]
    for attempt in attempts:
        with pytest.raises(Rejected) as caught:
            await attempt
        assert caught.value.code is Code.OWNED_BY_FILE
    assert live.configuration.find_flow("acme", "orders") != other


async def test_apply_upserts_and_prunes_only_when_told(live: Live) -> None:
    """`apply` adds and changes; with prune it also drops what the file lacks."""
    await live.apply(file(ORDERS), prune=False)
    await live.apply(file("  other: {flows: {a: {keys: [x], auth: {type: none}}}}"), prune=False)
    assert set(live.configuration.accounts) == {"acme", "other"}
    await live.apply(file("  other: {}"), prune=True)
    assert set(live.configuration.accounts) == {"other"}
    assert live.configuration.accounts["other"].flows == {}


async def test_dropping_what_is_not_there_is_told(live: Live) -> None:
    """An unknown account or flow can't be dropped, nor a flow put into an unknown account."""
    flow = read_flow("orders", {"keys": ["x"], "auth": {"type": "none"}}, account="nobody")
    for attempt in (live.drop_account("nobody"), live.drop_flow("a", "b"), live.put_flow(flow)):
        with pytest.raises(Rejected):
            await attempt


async def test_secrets_are_never_kept_in_the_open(
    live: Live, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """In the store a secret is sealed; with another secret key a start is refused."""
    await live.adopt_file(file(SECRETS))
    kept = b"".join([value async for value in everything(direct, prefix)])
    for secret in (b"s3cret-orders", b"plain-one", b"basic-pass-word"):
        assert secret not in kept
    stranger = view(RedisRegistry(live_pipe(live), url="", prefix=prefix), key=Secret("x" * 32))
    with pytest.raises(ConfigError, match="HOOKRACK_SECRET_KEY"):
        await stranger.refresh()


def live_pipe(live: Live) -> Pipe:
    """The connection of a view."""
    registry = live._registry
    assert isinstance(registry, RedisRegistry)
    return registry._pipe


async def everything(direct: "redis.asyncio.Redis", prefix: str) -> AsyncIterator[bytes]:
    """All that the registry keeps."""
    for name in ("acct", "flow", "tok"):
        for value in (await direct.hgetall(f"{prefix}{{cfg}}:{name}")).values():
            yield value if isinstance(value, bytes) else value.encode()


async def test_two_changes_at_once_are_both_made(live: Live, registry: RedisRegistry) -> None:
    """When processes change the configuration at the same time no change is lost."""
    views = [live, *(view(registry) for _ in range(4))]
    await asyncio.gather(
        *(each.put_account(Account(f"account-{place}", {})) for place, each in enumerate(views))
    )
    await live.refresh()
    assert len(live.configuration.accounts) == 5


async def test_tokens_go_with_their_account(live: Live, registry: RedisRegistry) -> None:
    """Dropping an account drops the tokens for it alone, and takes it out of the others."""
    await live.put_account(Account("acme", {}))
    await live.put_account(Account("other", {}))
    alone = Token("1", "alone", ("acme",), ("read",))
    both = Token("2", "both", ("acme", "other"), ("read",))
    everywhere = Token("3", "all", None, ("read",))
    changes = [Change("token", f"d{each.id}", each.text()) for each in (alone, both, everywhere)]
    records = await live.refresh()
    await registry.write(changes, expected=records.version)
    await live.drop_account("acme")
    kept = {key: Token.parse(text) for key, text in (await registry.load()).token.items()}
    assert set(kept) == {"d2", "d3"}
    assert kept["d2"].accounts == ("other",)
