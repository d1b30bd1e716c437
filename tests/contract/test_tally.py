"""What a Tally promises: one count for all processes, which nobody keeps for long."""

import asyncio

import redis.asyncio

from hookrack._redis import Pipe
from hookrack.stores.redis_tally import RedisTally

ORDERS, ACCOUNT = ("acme", "orders"), ("acme", "")


async def test_processes_add_to_one_count(pipe: Pipe, prefix: str) -> None:
    """What each asked for is in what the others hear, of a flow and of its account apart."""
    one, other = RedisTally(pipe, prefix=prefix), RedisTally(pipe, prefix=prefix)
    assert await one.add({ORDERS: 3, ACCOUNT: 10}) == {ORDERS: 3, ACCOUNT: 10}
    assert await other.add({ORDERS: 4}) == {ORDERS: 7}
    assert await one.add({ORDERS: 0, ACCOUNT: 1}) == {ORDERS: 7, ACCOUNT: 11}
    assert await one.add({}) == {}


async def test_no_count_is_lost_where_many_add(pipe: Pipe, prefix: str) -> None:
    """Processes that add at the same time are all counted."""
    tallies = [RedisTally(pipe, prefix=prefix) for _ in range(8)]
    await asyncio.gather(*(each.add({ORDERS: 5}) for each in tallies for _ in range(20)))
    assert await tallies[0].add({ORDERS: 0}) == {ORDERS: 800}


async def test_a_count_ends(pipe: Pipe, prefix: str, direct: "redis.asyncio.Redis") -> None:
    """A minute after its last use a count is gone."""
    await RedisTally(pipe, prefix=prefix).add({ORDERS: 1})
    (name,) = [name async for name in direct.scan_iter(match=f"{prefix}*")]
    assert 0 < await direct.ttl(name) <= 60
