"""What tests of a store are made with: a clock in hand, events, and where they go."""

from datetime import timedelta
from typing import Final

from hookrack.entries import Page
from hookrack.model import Event, Placement, Stored, new_event_id
from hookrack.ports import Store

NOW: Final = 2_000_000_000_000  # later than the real clock, by which Redis deletes what is gone
HOUR: Final = timedelta(hours=1)
PLENTY: Final = 2**30  # bytes


class Clock:
    """The store's clock, in the test's hand; milliseconds since 1970."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        """What the store takes for now."""
        return self.now

    def forward(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span // timedelta(milliseconds=1)


def event(data: bytes = b'{"n": 1}', *, at: int = NOW, **more: object) -> Event:
    """An event of acme/orders, received at `at`."""
    fields: dict[str, object] = {
        "id": new_event_id(at),
        "account": "acme",
        "flow": "orders",
        "received_at": at,
        "content_type": "application/json",
        "data": data,
    }
    return Event(**(fields | more))  # type: ignore[arg-type]


def under(one: Event, *keys: str, ttl: timedelta = HOUR) -> Placement:
    """Where an event goes."""
    return Placement(one, tuple((key, ttl) for key in keys))


async def put(store: Store, *placements: Placement) -> None:
    """Store events of acme, each for the first time."""
    for outcome in await store.put("acme", placements):
        assert isinstance(outcome, Stored)
        assert not outcome.again


async def put_some(store: Store, count: int, *keys: str, **more: object) -> list[str]:
    """Store events of acme under keys (or `erp`), one after the other; their ids."""
    ids = []
    for number in range(count):
        one = event(b"%d" % number, **more)  # type: ignore[arg-type]
        await put(store, under(one, *(keys or ("erp",))))
        ids.append(one.id)
    return ids


async def newest(store: Store, key: str = "erp") -> str | None:
    """The id of the newest live event under a key of acme."""
    entry = await store.get("acme", key)
    return entry.event_id if entry else None


async def page(store: Store, key: str = "erp", *, limit: int = 1000, **more: object) -> Page:
    """A page of a key's history."""
    bounds = {"limit": limit, "max_bytes": PLENTY} | more
    return await store.history("acme", key, **bounds)  # type: ignore[arg-type]


async def told(store: Store, key: str = "erp") -> list[str]:
    """The ids of all live events under a key of acme, in storing order."""
    return ids(await page(store, key))


def ids(found: Page) -> list[str]:
    """The ids of a page's entries."""
    return [entry.event_id for entry in found.entries]


async def follow(
    store: Store, key: str = "erp", *, after: str | None = None, limit: int = 10
) -> list[str]:
    """The ids of all that follows a cursor, page by page."""
    found: list[str] = []
    while True:
        one = await page(store, key, after=after, limit=limit)
        assert one.entries or not one.more
        found += ids(one)
        after = one.cursor
        if not one.more:
            return found
