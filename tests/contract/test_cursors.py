"""Places that nobody was ever told: cursors made up by who knows what they look like."""

import base64
from datetime import timedelta

import pytest
from storing import Clock, ids, page, put_some

from hookrack.errors import Code, Rejected
from hookrack.stores.redis import RedisStore

SECOND = timedelta(seconds=1)
SEQS_PER_SECOND = 4096 * 1000


def moved(cursor: str, by: int) -> str:
    """The cursor of a place so many sequences on."""
    raw = base64.urlsafe_b64decode(cursor + "==")
    place = int.from_bytes(raw[6:], "big") + by
    return base64.urlsafe_b64encode(raw[:6] + place.to_bytes(7, "big")).rstrip(b"=").decode()


async def test_a_cursor_of_the_future_is_refused(store: RedisStore, clock: Clock) -> None:
    """One that would hide what is stored next is refused, until the store's clock is past it."""
    await put_some(store, 1)
    cursor = (await page(store)).cursor
    ahead = moved(cursor, SEQS_PER_SECOND)
    for made_up in (ahead, moved(cursor, 2), moved(cursor, SEQS_PER_SECOND * 10**6)):
        with pytest.raises(Rejected) as caught:
            await page(store, after=made_up)
        assert caught.value.code is Code.CURSOR_INVALID
        assert "future" in caught.value.detail
    clock.forward(SECOND * 2)
    assert (await page(store, after=ahead)).entries == ()
    stored = await put_some(store, 2)
    assert ids(await page(store, after=ahead)) == stored


async def test_a_place_is_good_though_the_clock_goes_back(store: RedisStore, clock: Clock) -> None:
    """A cursor that was told stays good, whatever the clock says later."""
    await put_some(store, 1)
    cursor = (await page(store)).cursor
    clock.forward(-SECOND * 60)
    assert (await page(store, after=cursor)).entries == ()
    stored = await put_some(store, 1)
    assert ids(await page(store, after=cursor)) == stored
