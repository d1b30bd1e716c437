"""Numbers as Java has them: how they print, and how wide they are."""

from decimal import Decimal


def print_double(value: float) -> str:
    """`value` as Java's `Double.toString` writes it."""
    raise NotImplementedError(value)


def print_number(value: int | float | Decimal) -> str:
    """A number as its Java `toString`."""
    raise NotImplementedError(value)
