"""JSON as json-smart writes it, compact and with its own escapes; and the types of all values."""

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from math import isinf
from typing import Final, TypeAlias

import orjson

from hookrack.edge.mapping.java import print_double, print_number

Value: TypeAlias = "bool | int | float | Decimal | str | list[Value] | dict[str, Value] | None"

# What json-smart escapes otherwise than orjson, and doubles that Java prints otherwise. In a string
# such a number only costs time.
_WRITTEN_APART: Final = re.compile(
    r"\\u00|[\x7f-\x9f\u2000-\u20ff]|[0-9]e[+-]?[0-9]|[0-9]{8}\.|0\.000"
)
_PARTS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?')
_ESCAPED: Final = re.compile(r"\\u00[0-9a-f]{2}|\\.|[\x7f-\x9f\u2000-\u20ff]")
_MUST_ESCAPE: Final = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2000-\u20ff]')
_SHORT: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
WRITTEN_NESTING: Final = 1_000


class JavaList(list["Value"]):
    """A list that a template made: it prints as Java prints lists, not as JSON."""

    __slots__ = ()


class NotANumber(float):
    """The bare word NaN: a number of its own type, since it prints as itself even in JSON."""

    __slots__ = ()


class TooMuchText(ValueError):  # noqa: N818 - as above
    """A value that would print as more text than allowed, or that holds itself."""


def dump(value: Value, *, slashes: bool = False, limit: int | None = None) -> str:
    """`value` as compact JSON text: what `$input.json` gives.

    `slashes` escapes each / as well, as an array does that is printed by itself (`$array`). Pass
    `limit` (characters) where the template changed lists or maps, since they can then hold each
    other many times over.

    Raises: TooMuchText.
    """
    if limit is None:
        try:
            text = orjson.dumps(value).decode()
        except (orjson.JSONEncodeError, RecursionError):
            text = _write(value, limit=None)
        else:
            if _WRITTEN_APART.search(text):
                text = _PARTS.sub(_javaly, text)
    else:
        text = _write(value, limit=limit)
    return text.replace("/", "\\/") if slashes else text


def _javaly(found: re.Match[str]) -> str:
    """A string or number of orjson's as json-smart writes it."""
    part = found[0]
    if part[0] == '"':
        return _ESCAPED.sub(_escaped_anew, part)
    return print_double(float(part)) if "." in part or "e" in part else part


def _escaped_anew(found: re.Match[str]) -> str:
    part = found[0]
    if len(part) == 1:
        return f"\\u{ord(part):04X}"
    return "\\u" + part[2:].upper() if part[1] == "u" else part


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04X}"


def quote(text: str) -> str:
    """A string of JSON, in its quotes."""
    return f'"{_MUST_ESCAPE.sub(_escape, text)}"'


def _write(value: Value, *, limit: int | None) -> str:
    """Any value as JSON text, piece by piece; on the stack, what is open and what it ends with."""
    written: list[str] = []
    room = sys.maxsize if limit is None else limit
    open_: list[tuple[Iterator[tuple[str, Value]], str]] = []
    lead, item = "", value
    while True:
        if isinstance(item, (dict, list)):
            if len(open_) == WRITTEN_NESTING:
                raise TooMuchText(f"nested more than {WRITTEN_NESTING} deep, or within itself")
            is_object = isinstance(item, dict)
            open_.append((_members(item), "}" if is_object else "]"))
            written.append(lead + ("{" if is_object else "["))
        else:
            written.append(lead + _scalar(item))
        room -= len(written[-1])
        if room < 0:
            raise TooMuchText(f"longer than {limit} characters")
        while open_:
            following = next(open_[-1][0], None)
            if following is not None:
                lead, item = following
                break
            written.append(open_.pop()[1])
        else:
            return "".join(written)


def _members(holder: "list[Value] | dict[str, Value]") -> Iterator[tuple[str, Value]]:
    """What stands in `holder`, each with the text before it."""
    comma = ""
    if isinstance(holder, dict):
        for name, value in holder.items():
            yield f"{comma}{quote(str(name))}:", value
            comma = ","
    else:
        for value in holder:
            yield comma, value
            comma = ","


def _scalar(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and isinf(value):
        return "null"
    if isinstance(value, (int, float, Decimal)):
        return print_number(value)
    return quote(str(value))
