"""Java-like methods: which exist, and which of them fits what it is called with.

The tables are closed: nothing that isn't in one of them can be called, and no attribute of a Python
object is ever looked up by a name from a template.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.values import Character, is_integer, is_number

# What a parameter takes, in the letters of a signature.
FITS: Final[dict[str, Callable[[Any], bool]]] = {
    "O": lambda _: True,
    "n": lambda value: value is None,
    "S": lambda value: value is None or type(value) is str,
    "I": is_integer,
    "L": lambda value: type(value) is int,
    "D": lambda value: is_number(value) and not isinstance(value, Decimal),
    "N": is_number,
    "F": lambda value: isinstance(value, float),
    "W": lambda value: type(value) is int and not is_integer(value),
    "X": lambda value: isinstance(value, Decimal),
    "B": lambda value: isinstance(value, bool),
    "c": lambda value: isinstance(value, Character),
    "C": lambda value: value is None or isinstance(value, list),
    "M": lambda value: value is None or isinstance(value, dict),
}


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a type; `many` takes any number of arguments after those it names."""

    kinds: str
    run: Callable[..., Any]
    many: bool = False

    def fits(self, arguments: list[Any]) -> bool:
        """Whether it can be called with these."""
        missing = len(self.kinds) - len(arguments)
        if missing > 0 or (missing < 0 and not self.many):
            return False
        return all(FITS[kind](value) for kind, value in zip(self.kinds, arguments, strict=False))


Table = dict[str, tuple[Method, ...]]


def table(rows: dict[str, Callable[..., Any]], *tables: Table) -> Table:
    """A table of rows like `"substring(II)"`, over the rows of others; `(S*` takes more."""
    found: Table = {}
    for each in tables:
        found.update(each)
    own: dict[str, list[Method]] = {}
    for signature, run in rows.items():
        name, _, kinds = signature.removesuffix(")").partition("(")
        own.setdefault(name, []).append(Method(kinds.removesuffix("*"), run, kinds.endswith("*")))
    for name, methods in own.items():
        found[name] = (*methods, *found.get(name, ()))
    return found


def comparable(fits: str, run: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
    """A `compareTo`, which in Java takes any value but throws at those of another class."""

    def compare_to(value: Any, other: Any) -> int:
        if other is None:
            raise JavaException("NullPointerException: an argument is null")
        if not FITS[fits](other):
            raise JavaException("ClassCastException: compareTo with a value of another class")
        return run(value, other)

    return compare_to


def find(methods: Table, name: str, *, arguments: list[Any]) -> Callable[..., Any] | None:
    """The first method of this name that fits, or None."""
    for method in methods.get(name, ()):
        if method.fits(arguments):
            return method.run
    return None
