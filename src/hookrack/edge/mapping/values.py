"""The values of a template: how they print, what equals what, what a number is.

JSON objects and map literals are dicts, JSON arrays plain lists, everything else is here. Java's
null is None, and a reference never yields it: it yields the empty string instead.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, TypeAlias

from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.java import print_number
from hookrack.edge.mapping.jsonsmart import JavaList, dump

Any_: TypeAlias = Any  # what a template handles; its types are Java's, checked where they matter
INT: Final = 2**31
LONG: Final = 2**63


class JavaArray(JavaList):
    """What `split` gives: it acts as a list, but its print is its type."""


class JavaView(JavaList):
    """What `keySet`, `entrySet` and `values` give: no place in it has a number."""


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


class Character(str):
    """One letter as `charAt` gives it: no String to Java."""

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


class Cursor:
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


class Printed:
    """A value of its own kind that says how it prints."""

    __slots__ = ()

    def text(self) -> str | None:
        """The print, or None for Java's null."""
        raise NotImplementedError


def show(value: Any) -> str:
    """A value as Java prints it."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float or kind is Decimal:
        return print_number(value)
    if kind is list:
        return dump(value)
    if kind is dict or kind is HeaderMap:
        return "{" + ", ".join([f"{_inner(k)}={_inner(v)}" for k, v in value.items()]) + "}"
    return _show_other(value)


def _show_other(value: Any) -> str:
    if isinstance(value, ContextMap):
        return ""
    if isinstance(value, JavaArray):
        return "[Ljava.lang.String;"
    if isinstance(value, JavaList):
        if any(each is value for each in value):
            return "[" + ", ".join(_of_itself(each, value) for each in value) + "]"
        return "[" + ", ".join([_inner(each) for each in value]) + "]"
    if isinstance(value, Entry):
        return f"{_inner(value.key)}={_inner(value.value)}"
    if isinstance(value, JavaClass):
        return f"class {value.name}"
    if isinstance(value, Printed):
        return value.text() or ""
    if isinstance(value, float | int | Decimal):
        return print_number(value)
    if isinstance(value, str):
        return str(value)
    return "" if value is None else type(value).__name__


def _of_itself(value: Any, holder: Any) -> str:
    return "(this Collection)" if value is holder else _inner(value)


def _inner(value: Any) -> str:
    if type(value) is str:
        return value
    return "null" if value is None else show(value)


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
    if left is right:
        return True
    if isinstance(left, list):
        return _same_lists(left, right)
    if isinstance(left, dict):
        return _same_maps(left, right)
    if is_number(left):
        return class_name(left) == class_name(right) and str(left) == str(right)
    if isinstance(left, Entry):
        pair = isinstance(right, Entry)
        return pair and same(left.key, right.key) and same(left.value, right.value)
    if isinstance(left, JavaClass):
        return isinstance(right, JavaClass) and left.name == right.name
    return type(left) is type(right) and isinstance(left, str | bool) and bool(left == right)


def _same_lists(left: list[Any], right: Any) -> bool:
    if not isinstance(right, list) or len(left) != len(right):
        return False
    if isinstance(left, JavaArray) or isinstance(left, JavaView) != isinstance(right, JavaView):
        return False
    if isinstance(left, JavaView):
        return all(any(same(one, other) for other in right) for one in left)
    return all(map(same, left, right))


def _same_maps(left: dict[Any, Any], right: Any) -> bool:
    if not isinstance(right, dict) or len(left) != len(right):
        return False
    return all(key in right and same(value, right[key]) for key, value in left.items())


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
