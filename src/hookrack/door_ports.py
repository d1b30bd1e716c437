"""What the front door needs of the outside world besides the queue: Headroom, a Tally, Rejections.

The rules of `ports.py` hold here, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hookrack.refusals import Rejection, RejectionFilter, RejectionPage


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes in use and allowed (0 = no limit), where entries are and where the queue is.

    The two are the same engine unless the queue has one of its own. `queued` is an estimate of
    what the envelopes that wait take.
    """

    store_used: int
    store_limit: int
    queue_used: int
    queue_limit: int
    queued: int


class Headroom(Protocol):
    """Whether there is memory for what comes in, besides what is needed to work off what is in."""

    def check_send(self, size: int, *, reserve: bool = True, waiting: int = 0) -> None:
        """Let an envelope of `size` bytes in, as `Queue.send`.

        `waiting`: bytes of its account that wait already. Raises: Unavailable; Limited where that
        is more than its share.
        """

    def check_set(self, size: int) -> None:
        """Let a direct set of `size` bytes in. Raises: Unavailable (`STORE_FULL`)."""

    async def read(self) -> MemoryUse:
        """The figures, now."""

    async def close(self) -> None:
        """Let go of connections."""


class Tally(Protocol):
    """Counts that all processes of an installation share, by account and flow, of a minute."""

    async def add(self, asked: Mapping[tuple[str, str], int]) -> Mapping[tuple[str, str], int]:
        """Add to counts; what they are now."""


class Rejections(Protocol):
    """Requests that were refused: kept for some days, and a bounded number of each flow."""

    async def keep(self, account: str, rejections: Sequence[Rejection]) -> None:
        """Keep some of one account; the oldest of their flows make room."""

    async def page(
        self, wanted: RejectionFilter, *, after: str | None = None, limit: int
    ) -> RejectionPage:
        """Up to `limit`, without bodies; `after` is a page's cursor. Raises: Rejected."""

    async def get(self, account: str, event_id: str) -> Rejection | None:
        """One with its body."""

    async def drop(self, account: str, event_ids: Sequence[str]) -> None:
        """Forget some."""
