"""A B A B ...: sides measured in turn, so that what disturbs the machine disturbs them alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.row import Line


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one side; `cpu_us` is the server's CPU time per piece of work."""

    rate: float
    cpu_us: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours to the reference, pair by pair."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """As in the table: `0.55 (0.51..0.58)`."""
        return f"{self.median:.2f} ({self.low:.2f}..{self.high:.2f})"


def interleave(sides: Mapping[str, Callable[[], Sample]], *, pairs: int) -> dict[str, list[Sample]]:
    """Measure each side once per round, in their order, for `pairs` rounds."""
    found: dict[str, list[Sample]] = {name: [] for name in sides}
    for _ in range(pairs):
        for name, measure in sides.items():
            found[name].append(measure())
    return found


def ratio(ours: Sequence[Sample], reference: Sequence[Sample]) -> Ratio:
    """The rates of one side to those of the other."""
    each = [a.rate / b.rate for a, b in zip(ours, reference, strict=True)]
    return Ratio(median(each), min(each), max(each))


def compare(
    name: str, ours: Sequence[Sample], reference: Sequence[Sample], *, goal: float | None = None
) -> Line:
    """The line for two sides; the goal is the least that the ratio may be."""
    each = ratio(ours, reference)
    return Line(
        name,
        _text(ours),
        _text(reference),
        str(each),
        f">= {goal}" if goal else "-",
        each.median >= goal if goal else None,
    )


def _text(samples: Sequence[Sample]) -> str:
    """The median rate, what a piece of work costs, the tail: `9,120/s, 95 us CPU, p99 12 ms`."""
    parts = [f"{median(sample.rate for sample in samples):,.0f}/s"]
    if costs := [sample.cpu_us for sample in samples if sample.cpu_us is not None]:
        parts.append(f"{median(costs):.0f} us CPU")
    if tails := [sample.p99_ms for sample in samples if sample.p99_ms is not None]:
        parts.append(f"p99 {median(tails):.0f} ms")
    return ", ".join(parts)
