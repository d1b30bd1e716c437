"""What Rejections promise: kept whole, listed latest first, bounded for each flow, gone in time."""

from dataclasses import replace

import pytest
import redis.asyncio

from hookrack._redis import Pipe
from hookrack.errors import Code, Rejected
from hookrack.model import new_event_id
from hookrack.refusals import Rejection, RejectionFilter
from hookrack.stores.redis_rejections import RINGS, SCAN, TTL, RedisRejections

NOW = 2_000_000_000_000
ACME = RejectionFilter(("acme",))
BOTH = RejectionFilter(("acme", "kairos"))


@pytest.fixture
def rejections(pipe: Pipe, prefix: str) -> RedisRejections:
    """No rejections yet."""
    return RedisRejections(pipe, prefix=prefix)


def refused(at: int = NOW, **more: object) -> Rejection:
    """A request that was refused at a time."""
    one = Rejection(
        event_id=new_event_id(at),
        account="acme",
        flow="orders",
        code="MODEL_VIOLATION",
        detail="The body breaks the model at its top.",
        received_at=at,
        client="192.0.2.7",
        verified=True,
        content_type="application/json",
        headers=(("x-a", "1"), ("x-a", "\u00fc")),
        query="a=1",
        body=b'{"n": "\xff"}',
    )
    return replace(one, **more)  # type: ignore[arg-type]


async def listed(
    rejections: RedisRejections, wanted: RejectionFilter = ACME, *, limit: int = 1_000
) -> list[str]:
    """The ids of all that fit, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await rejections.page(wanted, after=cursor, limit=limit)
        assert len(page.rejections) <= limit
        found += [each.event_id for each in page.rejections]
        cursor = page.cursor
        if cursor is None:
            return found


async def test_one_is_kept_whole(rejections: RedisRejections) -> None:
    """What was refused comes back as it was, with its body where it is asked for by id."""
    made = [refused(body=body) for body in (b'{"n": "\xff"}', b"", None)]
    for one in made:
        await rejections.keep("acme", [one])
        assert await rejections.get("acme", one.event_id) == one
    assert await rejections.get("kairos", made[0].event_id) is None
    assert await rejections.get("acme", "{no}:id") is None


async def test_the_latest_comes_first_page_by_page(rejections: RedisRejections) -> None:
    """Pages of any size hold each once, in order, across accounts and equal times."""
    made = [refused(NOW + place // 3) for place in range(12)]
    theirs = [refused(NOW + place, account="kairos") for place in range(4)]
    for one in made:
        await rejections.keep("acme", [one])
    await rejections.keep("kairos", theirs)
    everything = await listed(rejections, BOTH)
    assert sorted(everything) == sorted(each.event_id for each in made + theirs)
    own = [each for each in everything if each in {one.event_id for one in made}]
    assert own == [each.event_id for each in reversed(made)]
    for limit in (1, 2, 5):
        assert await listed(rejections, BOTH, limit=limit) == everything


async def test_filters_hold_together(rejections: RedisRejections) -> None:
    """Flow, code, times and ids each narrow a list down."""
    one, two, three = refused(NOW), refused(NOW + 10, flow="crm"), refused(NOW + 20, code="X")
    await rejections.keep("acme", [one, two, three])
    for wanted, expected in (
        ({"flow": "crm"}, [two]),
        ({"code": "X"}, [three]),
        ({"since": NOW + 10}, [three, two]),
        ({"until": NOW + 10}, [one]),
        ({"ids": frozenset({one.event_id, "nobody"})}, [one]),
        ({"flow": "crm", "code": "X"}, []),
    ):
        found = await listed(rejections, replace(ACME, **wanted))
        assert found == [each.event_id for each in expected]


async def test_a_flow_keeps_a_bounded_number(
    rejections: RedisRejections, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """The oldest of a flow make room; strangers never push out the verified, nor another flow."""
    other = refused(flow="crm")
    good = [refused(NOW + place) for place in range(RINGS[True] + 30)]
    bad = [refused(NOW + place, verified=False) for place in range(RINGS[False] * 5)]
    await rejections.keep("acme", [other])
    for begun in range(0, len(good), 50):
        await rejections.keep("acme", good[begun : begun + 50])
    for begun in range(0, len(bad), 50):
        await rejections.keep("acme", bad[begun : begun + 50])
    kept = {*await listed(rejections)}
    assert kept == {each.event_id for each in (other, *good[-RINGS[True] :], *bad[-RINGS[False] :])}
    assert len(kept) > SCAN  # so that lists were read in several looks
    names = [name async for name in direct.scan_iter(match=f"{prefix}{{acme}}:[rb]:*", count=1000)]
    assert len(names) == 2 * len(kept)


async def test_what_is_dropped_is_gone(
    rejections: RedisRejections, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """One that is dropped leaves nothing behind; to drop it again changes nothing."""
    one, other = refused(), refused(NOW + 1)
    await rejections.keep("acme", [one, other])
    for _ in range(2):
        await rejections.drop("acme", [one.event_id])
        assert await listed(rejections) == [other.event_id]
    assert await rejections.get("acme", one.event_id) is None
    assert await direct.zcard(f"{prefix}{{acme}}:j:orders:1") == 1


async def test_everything_ends(
    rejections: RedisRejections, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Each key has the time to live of a rejection, and a list forgets what it outlived."""
    old = refused(NOW // 2)
    await rejections.keep("acme", [old])
    await rejections.keep("acme", [refused()])
    assert old.event_id not in await listed(rejections)
    async for name in direct.scan_iter(match=f"{prefix}*"):
        left = await direct.ttl(name)
        assert TTL.total_seconds() - 60 < left <= TTL.total_seconds()


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.", "-1.a", "1.{a}", "9" * 40 + ".a"])
async def test_a_cursor_that_is_none(rejections: RedisRejections, cursor: str) -> None:
    """A cursor of another list is refused with its code."""
    with pytest.raises(Rejected) as caught:
        await rejections.page(ACME, after=cursor, limit=1)
    assert caught.value.code is Code.CURSOR_INVALID
