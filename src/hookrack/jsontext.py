"""JSON as text: is it valid by RFC 8259, and what stands in it, without ever writing it anew.

Bodies are kept as they were written (key order, spacing, duplicate names, numbers of any length),
so this module only ever answers yes or no, or cuts a text at its members. Nothing here recurses.
"""

import re
from array import array
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

import orjson

NESTING_LIMIT: Final = 1_000  # arrays and objects within each other; the contract's figure

UNREAD: Final = object()  # in place of a value

# One that never ends runs to the end of the text, so that no place is scanned twice.
_STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
# A string, or a whole number token as RFC 8259 has it (what touches it is no part of a number).
_STRING_OR_NUMBER: Final = re.compile(
    _STRING + rb"|(?<![\w.+-])-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])", re.DOTALL
)
_STRING_OR_BRACKET: Final = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_SCALAR: Final = re.compile(_STRING + rb"|[^\s,\[\]{}:\"]+", re.DOTALL)
_BLANKS: Final = re.compile(rb"[ \t\r\n]*")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
# As signed bytes: an opening bracket is +1, a closing one -1; their running sum is the depth.
_STEP: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def find_json_fault(text: bytes) -> str | None:
    """Why `text` is no JSON text (RFC 8259, UTF-8, nested at most `NESTING_LIMIT`), or None.

    Legal but odd numbers (5,000 digits, 1e400) pass; escaped lone surrogates don't.
    """
    return read_json(text)[0]


def read_json(text: bytes) -> tuple[str | None, Any]:
    """The same, and the value of a text without fault: for looking at, since long numbers in it
    have lost digits, and `UNREAD` where one is beyond a double.
    """
    fault, value = _parsed(text)
    if fault and "infinity" in fault:
        # The one refusal of the parser's that RFC 8259 doesn't share: a number beyond a double.
        fault, value = _parsed(_STRING_OR_NUMBER.sub(_number_as_zero, text))[0], UNREAD
    if fault is None and len(text) > 2 * NESTING_LIMIT and _is_deep(text):
        fault = f"nested more than {NESTING_LIMIT} deep"
    return fault, value


def _parsed(text: bytes) -> tuple[str | None, Any]:
    try:
        return None, orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        return f"{exc.msg} at character {exc.pos}", UNREAD


def _number_as_zero(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].startswith(b'"') else b"0"


def _is_deep(text: bytes) -> bool:
    """Whether brackets nest too deep, in valid JSON; few of them can't."""
    opened = text.count(b"[") + text.count(b"{")
    return opened > NESTING_LIMIT and _depth(text) > NESTING_LIMIT


def _depth(text: bytes) -> int:
    """How deep brackets nest outside strings, in valid JSON."""
    steps = array("b", _STRINGS.sub(b"", text).translate(_STEP, _NOT_BRACKETS))
    return max(accumulate(steps), default=0)


def refuse_duplicate_names(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """`object_pairs_hook` for `json`: a name that stands twice is a ValueError."""
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise ValueError(f"name {name[:64]!r} stands twice")
        found[name] = value
    return found


def split_members(text: bytes) -> dict[str, bytes]:
    """The members of one JSON object, each value as the text it was written in.

    Raises: ValueError when `text` is no JSON object or a name stands twice at its top.
    """
    members: list[tuple[str, bytes]] = []
    at = _after(text, 0, b"{")
    while text[at : at + 1] != b"}":
        at = _after(text, at, b",") if members else at
        name, at = _value(text, at)
        if name[:1] != b'"':
            raise ValueError(f"expected a name at byte {at}")
        value, at = _value(text, _after(text, at, b":"))
        members.append((orjson.loads(name), value))
        at = _blanks_end(text, at)
    if _blanks_end(text, at + 1) != len(text):
        raise ValueError(f"something follows the object at byte {at + 1}")
    return refuse_duplicate_names(members)


def split_items(text: bytes) -> list[bytes]:
    """The items of one JSON array, each as the text it was written in.

    Raises: ValueError when `text` is no JSON array.
    """
    items: list[bytes] = []
    at = _after(text, 0, b"[")
    while text[at : at + 1] != b"]":
        at = _after(text, at, b",") if items else at
        item, at = _value(text, at)
        items.append(item)
        at = _blanks_end(text, at)
    if _blanks_end(text, at + 1) != len(text):
        raise ValueError(f"something follows the array at byte {at + 1}")
    return items


def _value(text: bytes, at: int) -> tuple[bytes, int]:
    """The JSON value that begins at `at`, and where it ends."""
    if text[at : at + 1] in (b"[", b"{"):
        end = _closing_bracket(text, at)
    else:
        found = _SCALAR.match(text, at)
        end = found.end() if found else at
    fault = find_json_fault(text[at:end])
    if fault:
        raise ValueError(f"{fault} of the value at byte {at}")
    return text[at:end], end


def _closing_bracket(text: bytes, at: int) -> int:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text, at):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return len(text)


def _blanks_end(text: bytes, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _after(text: bytes, at: int, mark: bytes) -> int:
    """The place after blanks, `mark`, and blanks."""
    at = _blanks_end(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"expected {mark.decode()} at byte {at}")
    return _blanks_end(text, at + 1)


@lru_cache(maxsize=256)
def is_json_type(content_type: str) -> bool:
    """Whether a Content-Type declares JSON: application/json, text/json or any +json."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type in {"application/json", "text/json"} or media_type.endswith("+json")
