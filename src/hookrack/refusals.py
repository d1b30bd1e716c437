"""What is kept of a request that a flow's door turned away, and how such are asked for.

Times are whole milliseconds since 1970, as everywhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that was refused; `event_id` is the one it gets when it is let in after all.

    `verified`: whose it is had been shown when it was refused. Headers and query are without what
    looks like a credential; `body` is None where it wasn't kept whole.
    """

    event_id: str
    account: str
    flow: str
    code: str
    detail: str
    received_at: int
    client: str
    verified: bool
    content_type: str
    headers: tuple[tuple[str, str], ...]
    query: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class RejectionFilter:
    """Which rejections are meant: those of `accounts` that fit every other field that isn't None.

    `since` <= time of receipt < `until`, in milliseconds; `ids` are event ids.
    """

    accounts: tuple[str, ...]
    flow: str | None = None
    code: str | None = None
    since: int | None = None
    until: int | None = None
    ids: frozenset[str] | None = None

    def fits(self, one: Rejection) -> bool:
        """Whether it is one of them."""
        return (
            one.account in self.accounts
            and self.flow in (None, one.flow)
            and self.code in (None, one.code)
            and (self.since is None or one.received_at >= self.since)
            and (self.until is None or one.received_at < self.until)
            and (self.ids is None or one.event_id in self.ids)
        )


@dataclass(frozen=True, slots=True)
class RejectionPage:
    """Some rejections, the latest first; `cursor` is where to go on, None where nothing follows.

    A page with a cursor may be short or even empty: what was looked at is bounded, too.
    """

    rejections: tuple[Rejection, ...]
    cursor: str | None
