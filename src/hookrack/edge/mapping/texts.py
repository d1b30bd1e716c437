"""The methods of a String, as Java has them: lengths and places count UTF-16 units."""

import re
from functools import wraps
from typing import Any, Final

from hookrack.edge.mapping import java_regex
from hookrack.edge.mapping.budget import took
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.formats import formatted
from hookrack.edge.mapping.signatures import Table, comparable, table
from hookrack.edge.mapping.values import TEXT_LIMIT, Character, JavaArray, show

_PAIRED: Final = re.compile("[\U00010000-\U0010ffff]")
_BLANKS: Final = "".join(map(chr, range(0x21)))


def _units(text: str) -> str:
    """A text with every letter beyond 16 bits as two."""
    if text.isascii() or max(text) < "\U00010000":
        return text
    return _PAIRED.sub(_halves, text)


def _halves(found: re.Match[str]) -> str:
    number = ord(found[0]) - 0x10000
    return chr(0xD800 + (number >> 10)) + chr(0xDC00 + (number & 0x3FF))


def _joined(text: str) -> str:
    """The reverse: halves that belong together are one letter again."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _in_units(run: Any) -> Any:
    @wraps(run)
    def inner(text: str, *arguments: Any) -> Any:
        given = [_units(each) if isinstance(each, str) else each for each in arguments]
        value = run(_units(text), *given)
        return _joined(value) if type(value) is str else value

    return inner


@_in_units
def _length(text: str) -> int:
    return len(text)


@_in_units
def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise JavaException(
            f"StringIndexOutOfBoundsException: begin {start}, end {last}, length {len(text)}"
        )
    return text[start:last]


@_in_units
def _index_of(text: str, part: str | int, start: int = 0) -> int:
    wanted = chr(part) if isinstance(part, int) and 0 <= part <= 0x10FFFF else part
    if isinstance(wanted, int):
        return -1
    return text.find(wanted, min(max(start, 0), len(text)))


@_in_units
def _last_index_of(text: str, part: str | int, start: int | None = None) -> int:
    wanted = chr(part) if isinstance(part, int) and 0 <= part <= 0x10FFFF else part
    if isinstance(wanted, int) or (start is not None and start < 0):
        return -1
    end = len(text) if start is None else min(start + len(wanted), len(text))
    return text.rfind(wanted, 0, end)


@_in_units
def _char_at(text: str, place: int) -> Character:
    if not 0 <= place < len(text):
        raise JavaException(f"StringIndexOutOfBoundsException: index {place}, length {len(text)}")
    return Character(text[place])


@_in_units
def _region_matches(text: str, start: int, other: str, place: int, size: int) -> bool:
    if start < 0 or place < 0 or start > len(text) - size or place > len(other) - size:
        return False
    return size < 0 or text[start : start + size] == other[place : place + size]


def _code_point_at(text: str, place: int) -> int:
    rest = str(_substring(text, place))
    if not rest:
        raise JavaException(f"StringIndexOutOfBoundsException: index {place}")
    return ord(rest[0])


@_in_units
def _compare(text: str, other: str) -> int:
    for mine, theirs in zip(text, other, strict=False):
        if mine != theirs:
            return ord(mine) - ord(theirs)
    return len(text) - len(other)


def _starts_with(text: str, part: str, start: int = 0) -> bool:
    return 0 <= start <= len(text) and text.startswith(part, start)


def _replace(text: str, old: str, new: str) -> str:
    size = len(text) + text.count(old) * (len(new) - len(old))
    if size > max(len(text), TEXT_LIMIT):
        raise JavaException(f"a text of more than {TEXT_LIMIT} letters")
    return text.replace(str(old), str(new))


def _repeat(text: str, times: int) -> str:
    if times < 0:
        raise JavaException(f"IllegalArgumentException: count is negative: {times}")
    if len(text) * times > TEXT_LIMIT:
        raise JavaException(f"a text of more than {TEXT_LIMIT} letters")
    return text * times


def _replace_all(text: str, pattern: str | None, new: str | None) -> str:
    """Nothing asks for the replacement where nothing matches."""
    if pattern is None or (new is None and java_regex.is_in(text, pattern)):
        raise JavaException("NullPointerException: an argument is null")
    new = new or ""
    return java_regex.replaced(text, pattern, by=new, only_first=False, limit=TEXT_LIMIT)


def _replace_first(text: str, pattern: str, new: str) -> str:
    return java_regex.replaced(text, pattern, by=new, only_first=True, limit=TEXT_LIMIT)


def _split(text: str, pattern: str, limit: int = 0) -> JavaArray:
    parts = JavaArray(java_regex.split(text, pattern, limit=limit))
    took(len(parts))
    return parts


def _join_list(_: str, between: str, parts: list[Any] | None) -> str:
    """The static `String.join`, of a list of texts."""
    if parts is None:
        raise JavaException("NullPointerException: an argument is null")
    if not all(each is None or isinstance(each, str) for each in parts):
        raise JavaException("ClassCastException: only texts are joined")
    if any(type(each) is Character for each in parts):
        raise JavaException("ClassCastException: only texts are joined")
    shown = ["null" if each is None else each for each in parts]
    if sum(map(len, shown)) + len(between) * len(shown) > TEXT_LIMIT:
        raise JavaException(f"a text of more than {TEXT_LIMIT} letters")
    return between.join(shown)


def _value_of(_: str, value: Any) -> str:
    return "null" if value is None else show(value)


def _hash(text: str) -> int:
    value = 0
    for unit in _units(text):
        value = (31 * value + ord(unit)) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def _no_null(run: Any) -> Any:
    """A method that throws where an argument is null."""

    @wraps(run)
    def inner(text: str, *arguments: Any) -> Any:
        if any(each is None for each in arguments):
            raise JavaException("NullPointerException: an argument is null")
        return run(text, *arguments)

    return inner


OBJECT: Final[Table] = table(
    {
        "toString()": show,
        "equals(O)": lambda value, other: value is other,
    }
)
TEXT: Final[Table] = table(
    {
        "length()": _length,
        "isEmpty()": lambda text: not text,
        "isBlank()": lambda text: not text.strip(),
        "trim()": lambda text: text.strip(_BLANKS),
        "strip()": str.strip,
        "stripLeading()": str.lstrip,
        "stripTrailing()": str.rstrip,
        "toUpperCase()": str.upper,
        "toLowerCase()": str.lower,
        "substring(I)": _substring,
        "substring(II)": _substring,
        "subSequence(II)": _substring,
        "indexOf(S)": _no_null(_index_of),
        "indexOf(I)": _index_of,
        "indexOf(SI)": _no_null(_index_of),
        "indexOf(II)": _index_of,
        "lastIndexOf(S)": _no_null(_last_index_of),
        "lastIndexOf(I)": _last_index_of,
        "lastIndexOf(SI)": _no_null(_last_index_of),
        "charAt(I)": _char_at,
        "contains(S)": _no_null(lambda text, part: part in text),
        "startsWith(S)": _no_null(_starts_with),
        "startsWith(SI)": lambda text, part, start: (
            start >= 0 and _no_null(_starts_with)(text, part, start)
        ),
        "endsWith(S)": _no_null(str.endswith),
        "equals(O)": lambda text, other: type(other) is str and text == other,
        "equalsIgnoreCase(S)": lambda text, other: (
            other is not None and text.upper().lower() == other.upper().lower()
        ),
        "contentEquals(S)": _no_null(lambda text, other: text == other),
        "compareTo(O)": comparable("S", _compare),
        "compareToIgnoreCase(S)": _no_null(
            lambda text, other: _compare(text.upper().lower(), other.upper().lower())
        ),
        "matches(S)": _no_null(java_regex.matches),
        "replace(SS)": _no_null(_replace),
        "replace(cc)": _replace,
        "replaceAll(SS)": _replace_all,
        "replaceFirst(SS)": _no_null(_replace_first),
        "split(S)": _no_null(_split),
        "split(SI)": _no_null(_split),
        "concat(S)": _no_null(lambda text, other: text + other),
        "repeat(I)": _repeat,
        "intern()": str,
        "hashCode()": _hash,
        "toString()": str,
        "format(S*": formatted,
        "join(SC)": _join_list,
        "join(SSS)": lambda text, between, *parts: _join_list(text, between, [*parts]),
        "join(SSSS)": lambda text, between, *parts: _join_list(text, between, [*parts]),
        "regionMatches(ISII)": _region_matches,
        "codePointAt(I)": _code_point_at,
        "valueOf(O)": _value_of,
    },
    OBJECT,
)
CHARACTER: Final[Table] = table(
    {
        "charValue()": lambda letter: letter,
        "toString()": str,
        "equals(O)": lambda letter, other: isinstance(other, Character) and letter == other,
        "compareTo(O)": comparable("c", _compare),
    },
    OBJECT,
)
CLASS: Final[Table] = table({"getName()": lambda value: value.name}, OBJECT)
