"""What tests of leases are made with: short words for asking, settling and looking."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from storing import PLENTY

from hookrack.readers import Batch, Leased, Leases, Wish

SPAN: Final = timedelta(seconds=30)


async def ask(
    leases: Leases,
    limit: int = 1,
    *,
    key: str = "erp",
    account: str = "acme",
    max_bytes: int = PLENTY,
    group: str = "g",
    span: timedelta = SPAN,
    ordered: bool = False,
    max_attempts: int | None = None,
) -> Batch:
    """Lease from a key of acme."""
    wish = Wish(group, limit, span, ordered=ordered, max_attempts=max_attempts)
    return await leases.lease(account, key, wish=wish, max_bytes=max_bytes)


async def take(leases: Leases, limit: int = 1, **more: object) -> list[Leased]:
    """The entries of a lease."""
    return list((await ask(leases, limit, **more)).entries)  # type: ignore[arg-type]


def names(entries: Iterable[Leased]) -> list[str]:
    """The event ids of leased entries."""
    return [each.entry.event_id for each in entries]


def receipts(entries: Iterable[Leased]) -> list[str]:
    """Their receipts."""
    return [each.receipt for each in entries]


async def ack(leases: Leases, given: Sequence[str], *, key: str = "erp", group: str = "g") -> int:
    """Settle; how many counted."""
    return sum(await leases.ack("acme", key, group=group, receipts=given))


async def release(leases: Leases, given: Sequence[str], *, delay: timedelta = timedelta(0)) -> int:
    """Give back; how many counted."""
    return sum(await leases.release("acme", "erp", group="g", receipts=given, delay=delay))


async def extend(leases: Leases, given: Sequence[str], *, span: timedelta = SPAN) -> int:
    """Hold longer; how many counted."""
    found = await leases.extend("acme", "erp", group="g", receipts=given, span=span)
    return sum(each is not None for each in found)
