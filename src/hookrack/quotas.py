"""How much an account may have, and how much it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

QUOTA_SECONDS: Final = 60  # after which it is worth another try: entries end by their time


@dataclass(frozen=True, slots=True)
class Quotas:
    """What an account may have at once, None where there is no bound of its own.

    `keys` with something alive under them, `keys_per_event`, `stored_bytes` of events (each counts
    once, however many keys it is under), `waiting_readers` at each process.
    """

    keys: int | None = None
    keys_per_event: int | None = None
    stored_bytes: int | None = None
    waiting_readers: int | None = None

    def find_fault(self, keys: Sequence[str]) -> str | None:
        """What is wrong with the webhook keys of one event."""
        if self.keys_per_event is None or len(keys) <= self.keys_per_event:
            return None
        return f"An event of this account has {self.keys_per_event} webhook keys at most."

    @property
    def bound_store(self) -> bool:
        """Whether there is one that the store has to count for."""
        return self.keys is not None or self.stored_bytes is not None


NO_QUOTAS: Final = Quotas()


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account has in the store; `unknown`: how many keys asked about aren't among its."""

    keys: int
    stored_bytes: int
    unknown: int = 0
