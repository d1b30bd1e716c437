"""What a store is asked and answers, besides outcomes: direct sets, pages, lives, purges.

Times are whole milliseconds since 1970, as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from hookrack.model import Entry


@dataclass(frozen=True, slots=True)
class DirectSet:
    """What a caller of the Set/Get API stores itself: received when it is stored.

    `own_ttl`: its caller named the time to live, so that a change of the account's leaves it.
    `keys` are different from each other; `dedupe_id` counts among the account's direct sets only.
    """

    event_id: str
    keys: tuple[str, ...]
    ttl: timedelta
    content_type: str
    data: bytes
    dedupe_id: str | None = None
    own_ttl: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A direct set as it stands, one entry for each key.

    `again`: it was there already, stored by an earlier call with its dedupe id; by now it can
    have expired or been purged.
    """

    entries: tuple[Entry, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The newest live entries of some keys; for those in `omitted` there was no room left."""

    entries: Mapping[str, Entry | None]
    omitted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in storing order; `cursor` asks for what follows, `more`: some of it is there."""

    entries: tuple[Entry, ...]
    cursor: str
    more: bool


class LifeStatus(StrEnum):
    """What became of an event that the store has seen."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class Life:
    """What the store knows of an event.

    `keys` are those that it was stored under and not purged from, each with its time (ms).
    `stored_at` is None for one that was never stored, `flow` for a direct set. `duplicates` came
    after it with its dedupe id.
    """

    event_id: str
    account: str
    flow: str | None
    status: LifeStatus
    received_at: int
    stored_at: int | None = None
    keys: tuple[tuple[str, int], ...] = ()
    duplicate_of: str | None = None
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class AccountPurge:
    """What was deleted of an account: live entries, and events whose data was still kept."""

    entries: int
    events: int


@dataclass(frozen=True, slots=True)
class FlowTimes:
    """The times to live of a flow as configured: its own, and those of keys that have one."""

    ttl: timedelta
    keys: Mapping[str, timedelta]


@dataclass(frozen=True, slots=True)
class Times:
    """What stored events are to live: by flow ("" = direct sets), and `most` for all of these.

    `others`: events of flows that aren't named are cut to `most`, too.
    """

    most: timedelta
    flows: Mapping[str, FlowTimes]
    others: bool


@dataclass(frozen=True, slots=True)
class Retimed:
    """Live entries: those with a new end, those that ended by it, those left as they were."""

    changed: int
    ended: int
    kept: int


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an event is that isn't stored, and what its envelope says of it."""

    status: Literal["queued", "deadLetter"]
    flow: str
    received_at: int | None
