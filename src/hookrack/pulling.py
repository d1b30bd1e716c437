"""The reading side that waits and leases: every decision of it. Goes on from `pipeline`.

newer(), is_news()             an entry, or a page, that is worth an answer to who waits
lease(), due()                 entries for one reader of a group, and when to ask again
ack(), release(), extend()     what becomes of them
abandoned(), redrive()         a group's dead letters
"""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from hookrack.entries import Page
from hookrack.errors import CATALOGUE, Code, Rejected
from hookrack.model import Entry
from hookrack.pipeline import READ_BYTES, check_key
from hookrack.ports import Store
from hookrack.readers import Abandoned, Batch, Group, Leases, Wish

LONGEST_WAIT: Final = timedelta(seconds=30)
LONGEST_LEASE: Final = timedelta(hours=12)
DEFAULT_LEASE: Final = timedelta(seconds=30)
DEFAULT_GROUP: Final = "default"
LARGEST_LEASE: Final = 1_000
MOST_ATTEMPTS: Final = 1_000
_GROUP: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_SOON: Final = timedelta(milliseconds=1)  # so that a lease that ends now has ended then


async def newer(
    account: str, key: str, *, store: Store, known: Callable[[str], bool]
) -> Entry | None:
    """The newest live entry, unless the reader knows its event id. Raises: Unavailable."""
    entry = await store.get(account, key)
    return None if entry is None or known(entry.event_id) else entry


def is_news(page: Page) -> bool:
    """Whether who waits for a page is answered with this one."""
    return bool(page.entries) or page.more


def check_group(group: str) -> None:
    """Refuse what can't be the name of a group. Raises: Rejected (`GROUP_INVALID`)."""
    if _GROUP.fullmatch(group) is None:
        raise Rejected(Code.GROUP_INVALID, CATALOGUE[Code.GROUP_INVALID].mend)


async def lease(
    account: str, key: str, *, leases: Leases, wish: Wish, max_bytes: int = READ_BYTES
) -> Batch:
    """Entries for one reader of a group.

    Raises: Rejected (`KEY_INVALID`, `GROUP_INVALID`, `GROUPS_FULL`), Unavailable.
    """
    check_key(key)
    check_group(wish.group)
    return await leases.lease(account, key, wish=wish, max_bytes=max_bytes)


def due(batch: Batch) -> timedelta | None:
    """When to ask again, though nobody says that anything came, after a lease that gave nothing."""
    return None if batch.due is None else batch.due + _SOON


async def ack(
    account: str, key: str, *, leases: Leases, group: str, receipts: Sequence[str]
) -> list[bool]:
    """Settle what was leased; for each receipt whether it counted.

    Raises: Rejected (`KEY_INVALID`, `GROUP_INVALID`), Unavailable.
    """
    check_key(key)
    check_group(group)
    return await leases.ack(account, key, group=group, receipts=receipts)


async def release(
    account: str,
    key: str,
    *,
    leases: Leases,
    group: str,
    receipts: Sequence[str],
    delay: timedelta,
) -> list[bool]:
    """Give back what was leased; for each receipt whether it counted. Raises: as `ack`."""
    check_key(key)
    check_group(group)
    return await leases.release(account, key, group=group, receipts=receipts, delay=delay)


async def extend(
    account: str,
    key: str,
    *,
    leases: Leases,
    group: str,
    receipts: Sequence[str],
    span: timedelta,
) -> list[int | None]:
    """Hold what was leased longer; until when, or None. Raises: as `ack`."""
    check_key(key)
    check_group(group)
    return await leases.extend(account, key, group=group, receipts=receipts, span=span)


async def groups(account: str, key: str, *, leases: Leases) -> list[Group]:
    """The groups of a key. Raises: Rejected (`KEY_INVALID`), Unavailable."""
    check_key(key)
    return await leases.groups(account, key)


async def abandoned(
    account: str, key: str, *, leases: Leases, group: str, limit: int
) -> list[Abandoned]:
    """A group's dead letters, oldest first. Raises: as `ack`."""
    check_key(key)
    check_group(group)
    return await leases.abandoned(account, key, group=group, limit=limit)


async def redrive(account: str, key: str, *, leases: Leases, group: str) -> int:
    """Hand a group's dead letters out again; how many. Raises: as `ack`."""
    check_key(key)
    check_group(group)
    return await leases.redrive(account, key, group=group)
