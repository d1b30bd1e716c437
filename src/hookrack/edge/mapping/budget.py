"""What is left for the rendering that runs in this thread, for methods that know of no rendering.

A method of a value is called with values alone. Where one goes through more than a handful of
them, it asks here now and then whether it may go on; outside of a rendering it always may.
"""

from contextvars import ContextVar, Token
from typing import Final, Protocol

OFTEN: Final = 256  # turns of a loop between two questions


class Budget(Protocol):
    """What a rendering has left."""

    @property
    def changes(self) -> bool:
        """Whether its template may change a list or map that it is given."""

    def spend_time(self) -> None:
        """Raise if the time is up: JavaException, to which its caller gives a place."""

    def spend_items(self, count: int) -> None:
        """Take so many items of new lists and maps; raise where they are too many: as above."""


_current: Final = ContextVar[Budget | None]("budget", default=None)


def begin(budget: Budget) -> Token[Budget | None]:
    """A rendering begins in this thread; what is given back is for `end`."""
    return _current.set(budget)


def end(token: Token[Budget | None]) -> None:
    """A rendering is over."""
    _current.reset(token)


def changes() -> bool:
    """Whether lists and maps can hold each other many times over, as far as is known."""
    budget = _current.get()
    return budget is None or budget.changes


def tick() -> None:
    """Raise if the time of this thread's rendering is up. Raises: JavaException."""
    budget = _current.get()
    if budget is not None:
        budget.spend_time()


def took(count: int) -> None:
    """So many items were put into a new list or map. Raises: JavaException."""
    budget = _current.get()
    if budget is not None:
        budget.spend_items(count)
