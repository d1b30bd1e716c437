"""JSON as json-smart writes it, compact and with its own escapes; and the types of all values."""

import re
import sys
from collections.abc import Collection, Iterator
from decimal import Decimal
from math import isinf
from typing import Any, Final, TypeAlias

import orjson
import re2

from hookrack.edge.mapping.budget import OFTEN, tick
from hookrack.edge.mapping.java import print_double, print_number

Value: TypeAlias = "bool | int | float | Decimal | str | list[Value] | dict[str, Value] | None"

_LATIN: Final = re2.Options()
_LATIN.encoding = re2.Options.Encoding.LATIN1
# Doubles that Java prints otherwise.
_PRINTED_APART: Final = re.compile(
    r"-?[0-9]+(?:\.[0-9]+)?e[+-]?[0-9]+|-?[0-9]{8,}\.[0-9]+|-?0\.000[0-9]+"
)
_HAS_PRINTED_APART: Final = re2.compile(rb"[0-9]e|[0-9]{8}\.|0\.000")
_SHORT_TEXT: Final = 4_096  # bytes up to which it is asked faster by other means
_DIGITS: Final = bytes(48 if 48 <= each <= 57 else each for each in range(256))
# What `_ESCAPED` is for, asked of UTF-8 by an engine of a nanosecond a letter.
_HAS_ESCAPED_APART: Final = re2.compile(rb"\\u00|\x7f|\xc2[\x80-\x9f]|\xe2[\x80-\x83]", _LATIN)
_BACKSLASHES: Final = re.compile(r'\\[\\"]')
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
_UNFIT: Final = "it can be too long"
WRITTEN_NESTING: Final = 1_000


class JavaList(list["Value"]):
    """A list that a template made: it prints as Java prints lists, not as JSON."""

    __slots__ = ()


class Bean:
    """What is no JSON to Java: it is written as an object of the members that it shows."""

    __slots__ = ()

    def members(self) -> "dict[str, Value]":
        """The members; nothing of it is shown unless it says so."""
        return {}


class NotANumber(float):
    """The bare word NaN: a number of its own type, since it prints as itself even in JSON."""

    __slots__ = ()


class TooMuchText(ValueError):  # noqa: N818 - as above
    """A value that would print as more text than allowed, that holds itself, or is no JSON."""


def dump(value: Value, *, slashes: bool = False, limit: int | None = None) -> str:
    """`value` as compact JSON text: what `$input.json` gives.

    `slashes` escapes each / as well, as an array does that is printed by itself (`$array`). Pass
    `limit` (characters) where the template changed lists or maps, since they can then hold each
    other many times over.

    Raises: TooMuchText.
    """
    try:
        text = _as_java(_plain_json(value, limit))
    except (orjson.JSONEncodeError, RecursionError):
        text = _write(value, limit=limit)
    if limit is not None and len(text) > limit:
        raise TooMuchText(f"longer than {limit} characters")
    return text.replace("/", "\\/") if slashes else text


def _plain_json(value: Value, limit: int | None) -> bytes:
    """JSON of what is made of JSON's own types. Raises: JSONEncodeError for all else."""
    if limit is None:
        return orjson.dumps(value)
    if not _fits(value, limit):
        raise orjson.JSONEncodeError(_UNFIT)
    return orjson.dumps(value, _plain_list, orjson.OPT_PASSTHROUGH_SUBCLASS)


def _plain_list(value: object) -> "list[Value]":
    if type(value) is not JavaList:
        raise TypeError
    return list(value)


def _as_java(written: bytes) -> str:
    """Text of orjson's with json-smart's escapes and Java's doubles."""
    text = written.decode()
    is_simple = text.isascii() and "\\u00" not in text and "\x7f" not in text
    if not is_simple and _HAS_ESCAPED_APART.search(written):
        text = _ESCAPED.sub(_escaped_anew, text)
    if not _may_print_apart(written):
        return text
    # Every other part between quotes is no string, once quotes within strings are out of the way.
    plain = _BACKSLASHES.sub("..", text) if "\\" in text else text
    outside = plain.split('"')[::2]
    if not _may_print_apart('"'.join(outside).encode()):
        return text
    at, parts = 0, list[str]()
    inside = plain.split('"')[1::2]
    for number, part in enumerate(outside):
        parts.append(_PRINTED_APART.sub(_printed_anew, part))
        at += len(part)
        if number < len(inside):
            parts.append(text[at : at + len(inside[number]) + 2])
            at += len(inside[number]) + 2
    return "".join(parts)


def _may_print_apart(written: bytes) -> bool:
    """Whether anything in it can be what `_PRINTED_APART` looks for; a number or not."""
    if len(written) > _SHORT_TEXT:
        return _HAS_PRINTED_APART.search(written) is not None
    digits = written.translate(_DIGITS)
    return b"0e" in digits or b"00000000." in digits or b"0.000" in written


def _printed_anew(found: re.Match[str]) -> str:
    return print_double(float(found[0]))


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


def _fits(value: Value, limit: int) -> bool:
    """Whether a value is about that long at most, however often it holds the same parts."""
    waiting: list[Value] = [value]
    room = limit
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            room -= sum(map(len, map(str, here)))
            items: Collection[Value] = here.values()
        elif isinstance(here, list):
            items = here
        else:
            items = (here,)
        for item in items:
            if isinstance(item, str):
                room -= len(item)
            elif isinstance(item, (dict, list)):
                waiting.append(item)
        room -= 4 * len(items) + 4
        if room < 0:
            return False
    return True


def _write(value: Value, *, limit: int | None) -> str:
    """Any value as JSON text, piece by piece; on the stack, what is open and what it ends with."""
    written: list[str] = []
    room = sys.maxsize if limit is None else limit
    open_: list[tuple[Iterator[tuple[str, Value]], str]] = []
    lead, item = "", value
    while True:
        item = _shown(item)
        if isinstance(item, (dict, list)):
            if len(open_) == WRITTEN_NESTING:
                raise TooMuchText(f"nested more than {WRITTEN_NESTING} deep, or within itself")
            is_object = isinstance(item, dict)
            open_.append((_members(item), "}" if is_object else "]"))
            written.append(lead + ("{" if is_object else "["))
        else:
            written.append(lead + _scalar(item))
        room -= len(written[-1])
        if len(written) % OFTEN == 0:
            tick()
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


def _shown(item: object) -> Any:
    return item.members() if isinstance(item, Bean) else item


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
    if isinstance(value, str):
        return quote(value)
    raise TooMuchText("of a class that can't be written as JSON")
