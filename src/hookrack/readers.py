"""What readers that wait or lease ask of the outside: the ports Arrivals and Leases.

Adapters live in `stores/`. Times are whole milliseconds since 1970, spans are `timedelta`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from hookrack.model import Entry


class Watch(Protocol):
    """One reader that waits for something to come under a key."""

    @property
    def over(self) -> bool:
        """Whether there is nobody to wait for any more: the client left, or the server stops."""
        ...

    @property
    def woke(self) -> bool:
        """Whether the last wait ended because something may have come."""
        ...

    async def wait(self, at_most: timedelta | None = None) -> bool:
        """Returns True when it is worth a look: something may have come, or `at_most` is over.

        False: the time to wait is up, or nobody waits any more. What comes between two waits
        isn't missed: the second one returns at once.
        """
        ...

    def then(self, call: Callable[[], None], *, at_most: timedelta | None = None) -> bool:
        """Have `call` called, once, as soon as `wait` would return; so no task has to wait.

        False, and it won't be called, where that is now. What `wait` says, `awake` does then.
        """
        ...

    def awake(self) -> bool:
        """What `wait` would return if it didn't wait."""
        ...

    def stop(self) -> None:
        """End the wait now; it is over."""
        ...

    def close(self) -> None:
        """Forget this reader."""
        ...


class Arrivals(Protocol):
    """Tells readers when entries come under their keys; one line to the store for all of them."""

    async def watch(
        self,
        account: str,
        key: str,
        *,
        wait: timedelta | None,
        leases: bool = False,
        most: int | None = None,
    ) -> Watch:
        """Begin to watch a key; what is stored from now on wakes the watch.

        Without `wait` there is no end to it; with `leases` it wakes also when entries are given
        back by those who had leased them. A message that was lost is made up for within seconds.
        `most`: how many may watch keys of this account here.
        Raises: Unavailable (`TOO_MANY_WAITERS`, `STORE_UNAVAILABLE`), Limited (`QUOTA_EXCEEDED`).
        """
        ...

    def waiting_of(self, account: str) -> int:
        """How many watch keys of an account now."""
        ...

    @property
    def waiting(self) -> int:
        """How many watch now."""
        ...

    def stop(self) -> None:
        """End all watches, those that begin later as well: the server stops."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader asks of a group of a key: how many entries, for how long.

    `ordered` holds back what was stored behind an entry that somebody holds; an entry that was
    handed out `max_attempts` times becomes a dead letter of the group instead.
    """

    group: str
    limit: int
    span: timedelta
    ordered: bool = False
    max_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Leased:
    """An entry that one reader of a group holds until `until`; `receipt` settles it."""

    entry: Entry
    receipt: str
    attempt: int
    until: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What a lease gave; without entries, `due` is when another one ends at the latest."""

    entries: tuple[Leased, ...]
    due: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """How far a group is: `held` are leased or delayed, `returned` wait to be handed out again."""

    name: str
    held: int
    returned: int
    dead: int


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A live entry that is a dead letter of a group: handed out `attempts` times, never acked."""

    event_id: str
    cursor: str
    received_at: int
    expires_at: int
    attempts: int
    abandoned_at: int


class Leases(Protocol):
    """Groups of readers: each entry under a key is handed to one reader of each group.

    A receipt counts until its entry is leased again or settled, also when its time is up: who is
    late and whom nobody has overtaken still settles. One that doesn't count is reported (False or
    None) and changes nothing. Receipts stand for an entry of one key, group and account.
    """

    async def lease(self, account: str, key: str, *, wish: Wish, max_bytes: int) -> Batch:
        """Hand out live entries in storing order: first those that came back, then new ones.

        Never one that a reader of the group holds. A new group begins with the oldest live entry.
        Stops at about `max_bytes` of data, but has at least one entry if there is one.
        Raises: Rejected (`GROUPS_FULL`), Unavailable.
        """
        ...

    async def ack(
        self, account: str, key: str, *, group: str, receipts: Sequence[str]
    ) -> list[bool]:
        """Settle entries for this group; under their key they stay."""
        ...

    async def release(
        self, account: str, key: str, *, group: str, receipts: Sequence[str], delay: timedelta
    ) -> list[bool]:
        """Give entries back, to be handed out again after `delay`."""
        ...

    async def extend(
        self, account: str, key: str, *, group: str, receipts: Sequence[str], span: timedelta
    ) -> list[int | None]:
        """Hold entries for `span` from now on; until when."""
        ...

    async def groups(self, account: str, key: str) -> list[Group]:
        """The groups of a key, by name."""
        ...

    async def abandoned(self, account: str, key: str, *, group: str, limit: int) -> list[Abandoned]:
        """The group's oldest dead letters, in storing order."""
        ...

    async def redrive(self, account: str, key: str, *, group: str) -> int:
        """Hand the group's dead letters out again, attempts counted anew; how many live ones."""
        ...
