"""The values of a template: how they print, what equals what, what a number is.

JSON objects and map literals are dicts, JSON arrays plain lists, everything else is here. Java's
null is None, and a reference never yields it: it yields the empty string instead.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from hookrack.edge.mapping.budget import OFTEN, changes, tick
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.java import print_number
from hookrack.edge.mapping.jsonwrite import Bean, JavaList, TooMuchText, dump

_HALVES: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
TEXT_LIMIT: Final = 2**22  # letters of one print; what a rendering may give out is far less
STEPS: Final = 200_000  # values that one comparison may look at
INT: Final = 2**31
LONG: Final = 2**63


class JavaArray(JavaList):
    """What `split` gives: it acts as a list, but its print is its type."""

    __slots__ = ()


class JavaView(JavaList):
    """What `keySet`, `entrySet` and `values` of a map give: no place in it has a number."""

    __slots__ = ("source",)

    def __init__(self, items: Iterable[Any], *, source: dict[Any, Any]) -> None:
        super().__init__(items)
        self.source = source


class ContextMap(dict[str, Any]):
    """A map below `$context`: it prints nothing."""


class HeaderMap(dict[str, Any]):
    """Headers: found by their exact name, then without regard to case."""

    __slots__ = ("_folded",)

    def find(self, name: object) -> Any:
        """The header of this name, or None."""
        value = self.get(name)  # type: ignore[call-overload]
        if value is None and isinstance(name, str):
            if not hasattr(self, "_folded"):
                self._folded = {each.lower(): value for each, value in self.items()}
            value = self._folded.get(name.lower())
        return value


class Character(Bean, str):
    """One letter as `charAt` gives it: no String to Java, and so none in JSON."""

    __slots__ = ()


class Entry:
    """A key of a map with its value."""

    __slots__ = ("key", "map")

    def __init__(self, holder: dict[Any, Any], key: object) -> None:
        self.map = holder
        self.key = key

    @property
    def value(self) -> Any:
        """What the map has under the key now."""
        return self.map.get(self.key)


class Cursor(Bean):
    """What `iterator()` gives."""

    __slots__ = ("ahead", "items")

    def __init__(self, items: Iterator[Any]) -> None:
        self.items = items
        self.ahead: list[Any] = []

    def has_next(self) -> bool:
        """Whether something is left."""
        if not self.ahead:
            self.ahead.extend([each] for each in _first(self.items))
        return bool(self.ahead)

    def next(self) -> Any:
        """What is next; raises if nothing is."""
        if not self.has_next():
            raise JavaException("NoSuchElementException: nothing is left")
        return self.ahead.pop()[0]


def _first(items: Iterator[Any]) -> Iterator[Any]:
    for each in items:
        yield each
        return


class JavaClass:
    """What `.class` gives: a name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Printed(Bean, ABC):
    """A value of its own kind that says how it prints."""

    __slots__ = ()

    @abstractmethod
    def text(self) -> str | None:
        """The print, or None for Java's null."""


def paired(text: str) -> str:
    """The text with halves of surrogate pairs that meet joined, as they always are in Java."""
    if text.isascii() or not _HALVES.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def show(value: Any, *, limit: int = TEXT_LIMIT) -> str:
    """A value as Java prints it. Raises: JavaException, where a container prints too much."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is int:
        return str(value)
    if kind is float or kind is Decimal:
        # Between these Java and Python write a double alike.
        return repr(value) if kind is float and 1e-3 <= value < 1e7 else print_number(value)
    if kind is bool:
        return "true" if value else "false"
    return _Printer(limit).whole(value)


class _Printer:
    """Prints containers, which may hold each other many times over, within a bound."""

    def __init__(self, limit: int) -> None:
        self._limit = self._room = limit
        self._turns = 0

    def whole(self, value: Any) -> str:
        if value is None:
            return ""
        return self._of(value)

    def _of(self, value: Any) -> str:
        if type(value) is str:
            text = value
        elif type(value) is list:
            text = _json(value, self._room)
        elif isinstance(value, dict):
            text = self._map(value)
        elif isinstance(value, JavaArray):
            text = "[Ljava.lang.String;"
        elif isinstance(value, JavaList):
            return "[" + ", ".join([self._inner(each, value) for each in value]) + "]"
        elif isinstance(value, Entry):
            return f"{self._inner(value.key)}={self._inner(value.value)}"
        else:
            text = _scalar(value)
        self._room -= len(text)
        if self._room < 0:
            raise JavaException(f"a value prints more than {self._limit} letters")
        return text

    def _map(self, value: dict[Any, Any]) -> str:
        if isinstance(value, ContextMap):
            return ""
        pairs = [f"{self._inner(k)}={self._inner(v, value)}" for k, v in value.items()]
        return "{" + ", ".join(pairs) + "}"

    def _inner(self, value: Any, holder: Any = ()) -> str:
        if value is holder:
            return "(this Map)" if isinstance(holder, dict) else "(this Collection)"
        self._room -= 2  # what stands between two of them
        self._turns += 1
        if self._turns % OFTEN == 0:
            tick()
        return "null" if value is None else self._of(value)


def _json(value: list[Any], limit: int) -> str:
    try:
        return dump(value, slashes=True, limit=max(limit, 0) if changes() else None)
    except TooMuchText as exc:
        raise JavaException(f"a value is {exc}") from exc


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int | Decimal):
        return print_number(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, JavaClass):
        return f"class {value.name}"
    return (value.text() or "") if isinstance(value, Printed) else type(value).__name__


def is_number(value: object) -> bool:
    """Whether Java has a Number here."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_integer(value: object) -> bool:
    """Whether Java has an Integer here, and no Long."""
    return type(value) is int and -INT <= value < INT


def class_name(value: Any) -> str:
    """The name of a value's class in Java."""
    if type(value) is int:
        if is_integer(value):
            return "java.lang.Integer"
        return "java.lang.Long" if -LONG <= value < LONG else "java.math.BigInteger"
    for kind, name in _CLASSES:
        if isinstance(value, kind):
            return name
    return "java.lang.Object"


_CLASSES: Final = (
    (Character, "java.lang.Character"),
    (str, "java.lang.String"),
    (bool, "java.lang.Boolean"),
    (float, "java.lang.Double"),
    (Decimal, "java.math.BigDecimal"),
    (dict, "java.util.LinkedHashMap"),
    (JavaArray, "[Ljava.lang.String;"),
    (JavaView, "java.util.LinkedHashMap$LinkedKeySet"),
    (JavaList, "java.util.ArrayList"),
    (list, "net.minidev.json.JSONArray"),
    (Entry, "java.util.LinkedHashMap$Entry"),
    (JavaClass, "java.lang.Class"),
)


def same(left: Any, right: Any) -> bool:
    """Java's `left.equals(right)`."""
    return Comparison().same(left, right)


class Comparison:
    """Compares containers, which may hold each other many times over, within a bound."""

    def __init__(self) -> None:
        self._steps = 0

    def same(self, left: Any, right: Any) -> bool:
        """Java's `left.equals(right)`. Raises: JavaException."""
        self._steps += 1
        if self._steps > STEPS:
            raise JavaException(f"a comparison of more than {STEPS} values")
        if self._steps % OFTEN == 0:
            tick()
        if left is right:
            return True
        if isinstance(left, list):
            return self._lists(left, right)
        if isinstance(left, dict):
            return self._maps(left, right)
        if is_number(left):
            return class_name(left) == class_name(right) and str(left) == str(right)
        if isinstance(left, Entry):
            pair = isinstance(right, Entry)
            return pair and self.same(left.key, right.key) and self.same(left.value, right.value)
        if isinstance(left, JavaClass):
            return isinstance(right, JavaClass) and left.name == right.name
        return type(left) is type(right) and isinstance(left, str | bool) and bool(left == right)

    def _lists(self, left: list[Any], right: Any) -> bool:
        if not isinstance(right, list) or len(left) != len(right):
            return False
        if isinstance(left, JavaArray) or isinstance(left, JavaView) != isinstance(right, JavaView):
            return False
        if isinstance(left, JavaView):
            return all(any(self.same(one, other) for other in right) for one in left)
        return all(map(self.same, left, right))

    def _maps(self, left: dict[Any, Any], right: Any) -> bool:
        if not isinstance(right, dict) or len(left) != len(right):
            return False
        return all(key in right and self.same(value, right[key]) for key, value in left.items())


def equal(left: Any, right: Any) -> bool:
    """Velocity's `==`: numbers by value, relatives by `equals`, anything else by print."""
    kind = type(left)
    if kind is type(right) and kind is str:
        return bool(left == right)
    if is_number(left) and is_number(right):
        return bool(left == right)
    if left is None or right is None:
        return left is right
    if kind is type(right) or _are_relatives(left, right):
        return same(left, right)
    return show(left) == show(right)


def _are_relatives(left: Any, right: Any) -> bool:
    """Whether the class of one is the class of the other or below it."""
    for kind in (dict, list):
        if isinstance(left, kind) and isinstance(right, kind):
            return not isinstance(left, JavaView | JavaArray) and not isinstance(
                right, JavaView | JavaArray
            )
    return False
