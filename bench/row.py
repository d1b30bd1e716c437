"""What a row of the table is, and how large its measurement is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final


class NotRunError(Exception):
    """A row can't be run on this machine, which is nobody's fault; the text says why."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured; times in seconds."""

    pairs: int  # samples of each side
    sample: float  # of load, in each sample
    warm_up: float  # before each sample, not counted
    drained: int  # envelopes in each sample of the worker
    open_loop: float  # of POSTs at a fixed rate
    stored: int  # events for the rows about memory and restarts
    idle: float  # in which nothing is asked; the queue's own rhythm has a period of 15 s
    starts: int
    waiting: int  # readers at once


DEFAULT: Final = Sizes(5, 2.0, 0.5, 10_000, 10, 20_000, 30, 5, 10_000)
QUICK: Final = Sizes(1, 0.4, 0.1, 500, 1, 500, 1, 1, 200)
FULL: Final = Sizes(7, 4.0, 1.0, 20_000, 30, 100_000, 60, 7, 10_000)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `reached` is None where the line has no goal."""

    name: str
    ours: str
    reference: str = "-"
    ratio: str = "-"
    goal: str = "-"
    reached: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement that prints one line or more, each as soon as it is known."""

    name: str
    meaning: str
    measure: Callable[[Sizes], Iterator[Line]]
