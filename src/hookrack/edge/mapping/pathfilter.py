"""Filters of a JSONPath, `[?(...)]`, as Jayway JsonPath 2.0 reads and decides them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final, TypeAlias, TypeGuard

from hookrack.edge.mapping import java_regex
from hookrack.edge.mapping.budget import tick
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.java import print_number
from hookrack.edge.mapping.jsonsmart import JavaList, Value, dump
from hookrack.edge.mapping.pathsteps import Missing, Test
from hookrack.edge.mapping.pathtext import PathInvalid, refuse

_OPERATORS: Final = ("==", ">=", "<=", "!=", "<", ">", "=~")  # the first that occurs anywhere
_JOINERS: Final = ("&&", "||")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,10})?")
_TRIMMED: Final = "".join(map(chr, range(0x21)))
PRINTED: Final = 100_000  # letters of a value that a regular expression is asked of


@dataclass(frozen=True, slots=True)
class Inner:
    """A path within a filter: asked of the item, or of the document."""

    from_document: bool
    find: Callable[[Value, Value], Value]
    """Its value in a document, given the root. Raises: Missing, PathInvalid."""


Compile: TypeAlias = "Callable[[str], Inner]"


class _Incomparable(Exception):  # noqa: N818 - no error: the comparison is false
    """Two values that no order knows."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A regular expression between slashes."""

    text: str
    matches: Callable[[str], bool]


_Side: TypeAlias = "str | Inner | _Pattern"


def read_filter(text: str, compile_inner: Compile) -> Test:
    """The test that `[?(...)]` stands for.

    Raises: PathInvalid.
    """
    inside = text[1:-1].strip(_TRIMMED).removeprefix("?").strip(_TRIMMED)
    if len(inside) < 2 or inside[0] != "(" or inside[-1] != ")":
        refuse(text, "a filter stands between [?( and )]")
    tests: list[Test] = []
    joiners: list[str] = []
    for part in _parts(inside[1:-1].strip(_TRIMMED)):
        trimmed = part.strip(_TRIMMED)
        if trimmed in _JOINERS:
            joiners.append(trimmed)
        else:
            tests.append(_criterion(_cleaned(trimmed, text), compile_inner))
    if len(tests) != len(joiners) + 1:
        refuse(text, "&& or || lacks a side")
    return _joined(tests, joiners)


def _parts(text: str) -> list[str]:
    """The text, cut before and behind every && and ||, also those in strings."""
    cuts = [
        place
        for place in range(1, len(text))
        if text[place : place + 2] in _JOINERS or text[max(place - 2, 0) : place] in _JOINERS
    ]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _cleaned(part: str, text: str) -> str:
    """Without brackets at either end: groups don't count in this release."""
    begun = part.lstrip("[?( ")
    ended = part.rstrip(") ")
    begin, end = len(part) - len(begun), len(ended)
    if not begun or not ended or begin > end:
        refuse(text, "a comparison is empty")
    return part[begin:end]


def _joined(tests: list[Test], joiners: list[str]) -> Test:
    """The tests, joined from the right; && binds closer."""
    groups: list[list[Test]] = [[tests.pop()]]
    while joiners:
        if joiners.pop() == "||":
            groups.append([])
        groups[-1].append(tests.pop())
    if len(groups) == 1 and len(groups[0]) == 1:
        return groups[0][0]
    return lambda item, root: any(all(test(item, root) for test in each) for each in groups)


def _criterion(text: str, compile_inner: Compile) -> Test:
    operator = next((each for each in _OPERATORS if each in text), "")
    left_text, _, right_text = text.partition(operator) if operator else (text, "", "")
    left_text = left_text.strip(_TRIMMED)
    exists = not left_text.startswith("!@")
    left = _side(left_text if exists else left_text[1:], compile_inner)
    if not operator:
        if not isinstance(left, Inner):
            refuse(text, "only a path can stand alone in a filter")
        return _existence(left, exists=exists)
    right_text = right_text.strip(_TRIMMED)
    if right_text.startswith("!@"):
        refuse(text, "! can only ask whether something is missing")
    right = _side(right_text, compile_inner)
    if operator == "=~":
        return _match(left, right)
    return _comparison(left, operator, right)


def _side(text: str, compile_inner: Compile) -> _Side:
    if text.startswith(("$", "@")):
        return compile_inner(text)
    if text.startswith("'") and text.endswith("'"):
        if len(text) < 2:
            refuse(text, "a string doesn't end")
        return text[1:-1]
    if text.startswith("/") and text.endswith(("/", "/i")):
        return _pattern(text)
    return text


def _pattern(text: str) -> _Pattern:
    end = text.rindex("/")
    if end == 0:
        refuse(text, "a regular expression doesn't end")
    expression = "(?i)" * text.endswith("i") + text[1:end]
    try:
        java_regex.compiled(expression)
    except JavaException as exc:
        raise PathInvalid(f"regular expression {text[:200]}: {exc}") from None
    return _Pattern(text[1:end], partial(java_regex.matches, pattern=expression))


def _existence(path: Inner, *, exists: bool) -> Test:
    """Whether the item has something at the path; even a path from `$` is asked of the item."""

    def test(item: Value, root: Value) -> bool:
        try:
            return (path.find(item, root) is not None) is exists
        except Missing:
            return not exists

    return test


def _get(side: _Side, item: Value, root: Value) -> "Value | _Pattern":
    if isinstance(side, Inner):
        return side.find(root if side.from_document else item, root)
    return side


def _match(left: _Side, right: _Side) -> Test:
    def test(item: Value, root: Value) -> bool:
        try:
            model, expected = _get(left, item, root), _get(right, item, root)
        except Missing:
            return False
        pattern, target = (model, expected) if isinstance(model, _Pattern) else (expected, model)
        if not isinstance(pattern, _Pattern):
            raise PathInvalid("=~ needs a regular expression between slashes")
        if target is None:
            return False
        text = target.text if isinstance(target, _Pattern) else java_text(target)
        return pattern.matches(text)

    return test


_ORDERS: Final[dict[str, Callable[[int], bool]]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    ">": lambda order: order < 0,
    ">=": lambda order: order <= 0,
    "<": lambda order: order > 0,
    "<=": lambda order: order >= 0,
}


def _comparison(left: _Side, operator: str, right: _Side) -> Test:
    fits = _ORDERS[operator]
    orders = operator not in {"==", "!="}

    def test(item: Value, root: Value) -> bool:
        try:
            model, expected = _get(left, item, root), _get(right, item, root)
            if orders and (model is None) != (expected is None):
                return False
            return fits(_compare(expected, model))
        except (Missing, _Incomparable):
            return False

    return test


def _compare(one: "Value | _Pattern", other: "Value | _Pattern") -> int:
    """Less, equal or more: a number below, at or above 0.

    Raises: _Incomparable; PathInvalid, for a text that should be a number and is none.
    """
    if one is other:
        return 0
    nothing, other_nothing = one in (None, "null"), other in (None, "null")
    if nothing or other_nothing:
        return other_nothing - nothing
    if isinstance(one, str) and isinstance(other, str):
        return _order(_units(one.replace("\\'", "'")), _units(other))
    if isinstance(other, bool) and isinstance(one, (str, bool)):
        return _order(one.lower() == "true" if isinstance(one, str) else one, other)
    if _is_number(other) and (_is_number(one) or isinstance(one, str)):
        text = one if isinstance(one, str) else print_number(one)
        return _order(_number(text), _number(print_number(other)))
    raise _Incomparable


def _is_number(value: object) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _order(one: "Decimal | bool | bytes", other: "Decimal | bool | bytes") -> int:
    return (one > other) - (one < other)  # type: ignore[operator] # both are of one type


def _units(text: str) -> bytes:
    """Strings are ordered by their UTF-16 units."""
    return text.encode("utf-16-be", "surrogatepass")


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise PathInvalid(f"{text[:64]!r} is compared with a number and is none")
    return Decimal(text)


def _bounded(text: str) -> str:
    """A print of what a template may have put into itself over and over."""
    tick()
    if len(text) > PRINTED:
        raise PathInvalid(f"a value prints more than {PRINTED} letters")
    return text


def java_text(value: Value) -> str:
    """A value as it prints by itself, for a regular expression to look at."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        members = (f"{name}={java_text(member)}" for name, member in value.items())
        return _bounded("{" + ", ".join(members) + "}")
    if isinstance(value, JavaList):
        return _bounded("[" + ", ".join(map(java_text, value)) + "]")
    if isinstance(value, list):
        return dump(value, slashes=True, limit=PRINTED)
    return print_number(value)
