"""What the pipeline needs from the outside world: a Queue, its DeadLetters, a Store, and a
Registry. What only the front door needs stands in `door_ports.py`.

Adapters live in `queues/` and `stores/`; each passes the suite of its port in `tests/contract/`.
Every method raises `Unavailable` when the other side doesn't answer, is loading or is full, and
after it the caller knows nothing about what happened: repeating the call is always safe.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from hookrack.entries import (
    AccountPurge,
    DirectSet,
    Found,
    Life,
    Page,
    Retimed,
    Times,
    Whereabouts,
    Written,
)
from hookrack.errors import Code
from hookrack.model import Delivery, Entry, Outcome, Placement
from hookrack.quotas import NO_QUOTAS, Quotas, Usage
from hookrack.records import Change, Records


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a delivery failed, as it is kept with its retry or dead letter.

    Event id, account and flow are needed for a dead letter only; None for what was no envelope.
    """

    delivery: Delivery
    reason: Code
    detail: str
    spends_attempt: bool = True
    event_id: str | None = None
    account: str | None = None
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """`depth` messages are kept, `in_flight` of them leased; the oldest is `oldest_age` old.

    None where the queue doesn't tell its age.
    """

    depth: int
    in_flight: int
    oldest_age: timedelta | None


class Queue(Protocol):
    """Durable hand-over of envelopes, at least once, leased while they are worked on."""

    @property
    def lease(self) -> timedelta:
        """How long a delivery is hidden from others, unless `extend` begins that time anew."""
        ...

    async def send(self, account: str, envelope: bytes, *, reserve: bool = True) -> None:
        """Keep one envelope; returns only when it is durable.

        Refused as `STORE_FULL` while what is left is needed to work off what has been sent;
        without `reserve` sooner, so that there is room for senders who don't try again. On Redis
        never sent twice by itself; SQS may have it twice, which its id makes harmless.
        Raises: Rejected (`BODY_TOO_LARGE`: more than the queue takes), Limited (`RATE_LIMITED`:
        the account has more waiting than its share of a scarce queue), Unavailable.
        """
        ...

    async def receive(self, limit: int, *, wait: timedelta) -> list[Delivery]:
        """Lease up to `limit` envelopes: new ones, returned ones, and those whose lease ended.

        Waits up to `wait` for the first; accounts take turns. May return fewer, or none. One that
        was lost with its worker twice comes alone, and not while another such one is leased.
        """
        ...

    async def ack(self, deliveries: Sequence[Delivery]) -> int:
        """Drop what was handled. How many were still ours; the rest is another worker's by now."""
        ...

    async def retry(self, failures: Sequence[Failure], *, delay: timedelta) -> int:
        """Hand them over again after `delay`, one attempt older where the failure spends one."""
        ...

    async def bury(self, failures: Sequence[Failure]) -> int:
        """Turn them into dead letters with their reasons, each in one step."""
        ...

    async def extend(self, deliveries: Sequence[Delivery]) -> int:
        """Begin the leases anew; how many were still ours."""
        ...

    async def recover(self) -> int:
        """Take back what an earlier process of this consumer's name left leased; how many."""
        ...

    async def give_back(self) -> int:
        """Let go of all that this consumer has leased, at once and as if it never had; how many."""
        ...

    async def find(self, account: str, event_id: str) -> Whereabouts | None:
        """Where an event is that the store doesn't know; None when it isn't found.

        The search is bounded: None doesn't prove that it isn't there. What is stored meanwhile is
        found nowhere here; ask the store again.
        """
        ...

    async def purge(self, account: str) -> int | None:
        """Drop all that an account has in the queue, leased or not; how many.

        What is sent meanwhile stays, and becomes a dead letter once the account isn't known. So
        does everything where the queue can't tell accounts apart: then None.
        """
        ...

    async def stats(self) -> QueueStats:
        """Depth, leases and age, now."""
        ...

    async def close(self) -> None:
        """Let go of connections; leases stay and end by themselves."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An envelope that failed for good; times in milliseconds.

    `id` is the letter's own; `event_id` is the event's, or the letter's where the message was no
    envelope: then account and flow are None.
    """

    id: str
    event_id: str
    account: str | None
    flow: str | None
    reason: str
    detail: str
    attempts: int
    crashes: int
    first_failed_at: int
    last_failed_at: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant: all that fit every field that isn't None.

    `accounts` leaves out what was no envelope; `since` <= last failure < `until`, in milliseconds;
    `ids` are event ids.
    """

    accounts: frozenset[str] | None = None
    flow: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None
    ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Some dead letters in order; `cursor` is where to go on, None where nothing follows.

    A page with a cursor may be short or even empty: what was looked at is bounded, too. `partial`:
    there may be more that no cursor leads to, because the queue shows only some at a time.
    """

    letters: tuple[DeadLetter, ...]
    cursor: str | None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class LetterStats:
    """How many dead letters there are; how long ago the oldest failed last, None if unknown."""

    depth: int
    oldest_age: timedelta | None


class DeadLetters(Protocol):
    """What the queue buried, kept 14 days; on Redis one letter for each event.

    On SQS one for each time an event was buried, for as long as the dead-letter queue keeps it.
    """

    async def page(
        self,
        wanted: LetterFilter,
        *,
        after: str | None = None,
        limit: int,
        oldest_first: bool = False,
        bare: bool = False,
    ) -> LetterPage:
        """Up to `limit` letters, the one that failed last first; `after` is a page's cursor.

        Letters that come or go meanwhile are no cause to miss or repeat another. `bare` leaves the
        envelopes out (b""). Raises: Rejected (`CURSOR_INVALID`).
        """
        ...

    async def get(self, event_id: str) -> DeadLetter | None:
        """The letter of one event."""
        ...

    async def redrive(self, letters: Sequence[DeadLetter]) -> int:
        """Send each envelope, as it stands in the letter given, and then drop the letter; how many.

        At least once, never lost: after a crash in between the event is in both places. Attempts
        start anew. Letters need an account. Raises: Unavailable; those before it may be sent.
        """
        ...

    async def redrive_all(self) -> int | None:
        """Send all there are round again, unseen; about how many.

        None where letter by letter is as good: then nothing was done.
        """
        ...

    async def discard(self, letters: Sequence[DeadLetter]) -> int:
        """Drop letters; how many were still there."""
        ...

    async def stats(self) -> LetterStats:
        """Count and age, now."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Store(Protocol):
    """Entries by webhook key, each until its own time is up, by the store's clock.

    Entries of an account have an order, that in which they were stored: it is given in the step
    that stores them, so whoever has seen a place in it finds all that is stored later behind it.
    """

    async def put(
        self, account: str, placements: Sequence[Placement], *, quotas: Quotas = NO_QUOTAS
    ) -> list[Outcome]:
        """Store each event under all of its keys at once, or under none.

        Safe to repeat: an event that was stored before changes nothing. The outcomes (Stored,
        Duplicate or Expired; Dead for what exceeds one of `quotas`, as `QUOTA_EXCEEDED`) stand in
        the order of the placements.
        """
        ...

    async def set_direct(
        self, account: str, direct: DirectSet, *, quotas: Quotas = NO_QUOTAS
    ) -> Written:
        """Store what a caller sets, under all of its keys at once, or under none.

        Its dedupe id is known for 96 h from the first use: with the same data, content type and
        keys (in any order) the answer is what was stored then. Without one, a repeated call with
        a new event id is another event.
        Raises: Rejected (`ID_CONFLICT`: the dedupe id stands for something else, or the event id
        is taken; nothing was stored), Limited (`QUOTA_EXCEEDED`), Unavailable.
        """
        ...

    async def usage(self, account: str, keys: Sequence[str] = ()) -> Usage:
        """What an account has alive, exactly; and how many of `keys` aren't among its keys.

        Bytes are those of payloads with a head of some 60 bytes each, until the event's end or
        (by less than the grace that its payload stays besides) a little longer.
        """
        ...

    async def get(self, account: str, key: str) -> Entry | None:
        """The newest live entry under `key`: greatest `received_at`, then last stored."""
        ...

    async def get_many(self, account: str, keys: Sequence[str], *, max_bytes: int) -> Found:
        """The newest live entry, or None, of each of 1 to 1,000 keys.

        Stops at about `max_bytes` of data (an entry counts for 512 besides), but finds at least
        one entry, whatever its size, if there is one.
        """
        ...

    async def history(
        self,
        account: str,
        key: str,
        *,
        after: str | None = None,
        since: int | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """Live entries under `key` in storing order, at most `limit` (1 or more).

        `after` is a cursor, of an entry or a page; the entries behind it follow. Cursors are
        places in the order of all entries of an account: one that comes from another key of it is
        the same place under this one. `since` (ms) begins with the first entry stored at or after
        it; after the store's clock was set back some stored earlier may come with them, none is
        left out. With both, the later place counts; with none, the oldest live entry.

        Stops at about `max_bytes` of data (an entry counts for 512 besides), but finds at least
        one entry, whatever its size, if there is one. The page's cursor is that of its last
        entry; of an empty page it is `after`, or without one "from here on". Whoever follows it
        misses nothing that is alive when he comes to it.
        Raises: Rejected (`CURSOR_INVALID`: not of this store, as it is since its last restore, and
        of this account), Unavailable.
        """
        ...

    async def delete(self, account: str, key: str, *, event_id: str | None = None) -> int:
        """Purge one event from under `key`, or all that are there now; how many live ones.

        A purged event stays so when it is delivered again. Under its other keys it remains.
        """
        ...

    async def life(self, account: str, event_id: str) -> Life | None:
        """What became of an event: known until 24 h past its end."""
        ...

    async def purge_account(self, account: str) -> AccountPurge:
        """Delete all of an account that nobody writes to any more, but its place in the order."""
        ...

    async def retime(self, account: str, times: Times) -> Retimed:
        """Give the account's live entries new ends; what is over stays over.

        An event that brought its time to live keeps it, but for `most`. Safe to repeat, so after
        a crash in between the same call completes it.
        """
        ...

    async def ping(self) -> None:
        """Returns when the store answers."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Registry(Protocol):
    """Accounts, flows and tokens that all processes of an installation share."""

    async def load(self) -> Records:
        """Everything, as of now."""

    async def write(self, changes: Sequence[Change], *, expected: int) -> int | None:
        """Make all changes at once and tell everybody; the new version.

        None, and nothing changed, where the version isn't `expected` any more.
        """

    def changes(self) -> AsyncIterator[None]:
        """Yields when something may have changed: at first, after each change, at times besides.

        Goes on through outages, and yields after each of them.
        """
