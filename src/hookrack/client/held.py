"""A lease as both shells have it: what is asked for, what is held, what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hookrack.client import calls, works
from hookrack.client.entries import LeasedEntry
from hookrack.client.steps import Retries, Work

DEFAULT_SECONDS: Final = 30
BEATS: Final = 3  # times that a lease is extended before it would end
_ONCE: Final = Retries(calls=1)  # the next beat is the next try


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is asked for: up to `max` entries of a key, for one reader of a group.

    `ordered` holds back what is stored behind an entry that isn't acked; what was handed out
    `max_attempts` times becomes a dead letter of the group. What is given back after an exception
    goes out again after `delay_seconds`.
    """

    key: str
    group: str = "default"
    max: int = 1
    seconds: int = DEFAULT_SECONDS
    wait: float = 0.0
    ordered: bool = False
    max_attempts: int | None = None
    delay_seconds: int = 0


class Held:
    """The entries of one lease: `entries`, and of these the receipts that are still open."""

    def __init__(self, terms: Terms, retries: Retries) -> None:
        self.terms = terms
        self.entries: tuple[LeasedEntry, ...] = ()
        self.stale: tuple[str, ...] = ()
        self._retries = retries
        self._open: dict[str, LeasedEntry] = {}

    @property
    def open(self) -> tuple[LeasedEntry, ...]:
        """Those that are neither acked nor released yet."""
        return tuple(self._open.values())

    def take(self) -> Work[None]:
        """Lease; waited for in as many calls as that takes."""
        terms, left = self.terms, self.terms.wait
        while True:
            part = min(left, calls.LONGEST_WAIT)
            call = calls.lease(
                terms.key,
                group=terms.group,
                max=terms.max,
                seconds=terms.seconds,
                wait=part,
                ordered=terms.ordered,
                max_attempts=terms.max_attempts,
            )
            self.entries = yield from works.lease(call, retries=self._retries)
            left -= max(part, 1.0)
            if self.entries or left < 1.0:
                self._open = {entry.receipt: entry for entry in self.entries}
                return

    def settle(self, verb: str, entries: Iterable[LeasedEntry], **more: int) -> Work[None]:
        """Ack or release those that are still open."""
        chosen = [each.receipt for each in entries if each.receipt in self._open]
        if chosen:
            yield from self._told(verb, chosen, self._retries, **more)
            for receipt in chosen:
                self._open.pop(receipt, None)

    def extend(self) -> Work[None]:
        """Hold what is open for as long again, from now on."""
        if chosen := list(self._open):
            yield from self._told("extend", chosen, _ONCE, leaseSeconds=self.terms.seconds)

    def end(self, *, well: bool) -> Work[None]:
        """Settle the rest: ack it where all went well, else give it back."""
        if well:
            yield from self.settle("ack", self.open)
        else:
            yield from self.settle("release", self.open, delaySeconds=self.terms.delay_seconds)

    def _told(self, verb: str, chosen: list[str], retries: Retries, **more: int) -> Work[None]:
        call = calls.settle(verb, self.terms.key, group=self.terms.group, receipts=chosen, **more)
        lost = yield from works.settle(call, retries=retries)
        self.stale = tuple(dict.fromkeys((*self.stale, *lost)))
