"""`String.format`, for what a template can want of it."""

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.java import print_number
from hookrack.edge.mapping.values import TEXT_LIMIT, JavaArray, is_number, show

WIDTH: Final = 10_000
_EXACT: Final = Context(prec=2 * WIDTH + 10, rounding=ROUND_HALF_UP)
_FORMAT: Final = re.compile(
    r"%(?:(?P<place>\d+)\$)?(?P<flags>[-#+ 0,(]*)(?P<width>\d+)?(?:\.(?P<precision>\d+))?"
    r"(?P<kind>[a-zA-Z%])|%"
)


def formatted(_: str, pattern: str, *arguments: Any) -> str:
    """The pattern with its arguments in it. Raises: JavaException."""
    if pattern is None:
        raise JavaException("NullPointerException: the format is null")
    given = (
        arguments[0] if len(arguments) == 1 and isinstance(arguments[0], JavaArray) else arguments
    )
    parts: list[str] = []
    at = size = following = 0
    for found in _FORMAT.finditer(pattern):
        parts.append(pattern[at : found.start()])
        at = found.end()
        if found["kind"] is None:
            raise JavaException("UnknownFormatConversionException: %")
        value = None
        if found["kind"] not in {"n", "%"}:
            place = int(found["place"]) - 1 if found["place"] else following
            following += not found["place"]
            if not 0 <= place < len(given):
                raise JavaException(f"MissingFormatArgumentException: {found[0]}")
            value = given[place]
        parts.append(_one(found, value))
        size += len(parts[-1])
        if size > TEXT_LIMIT:
            raise JavaException(f"a text of more than {TEXT_LIMIT} letters")
    return "".join([*parts, pattern[at:]])


def _one(found: re.Match[str], value: Any) -> str:
    flags, width = found["flags"], int((found["width"] or "0")[:9])
    if width > WIDTH or int((found["precision"] or "0")[:9]) > WIDTH:
        raise JavaException(f"a format wider than {WIDTH}")
    text = _converted(found, value)
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and is_number(value):
        sign = text[:1] if text[:1] in {"-", "+", " "} else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _converted(found: re.Match[str], value: Any) -> str:
    kind, flags = found["kind"], found["flags"]
    precision = None if found["precision"] is None else int(found["precision"])
    if kind in {"%", "n"}:
        return "%" if kind == "%" else "\n"
    if kind in {"s", "S", "b", "B"}:
        text = "null" if value is None else show(value)
        if kind in {"b", "B"}:
            text = "true" if value is not None and value is not False else "false"
        text = text if precision is None else text[:precision]
        return text.upper() if kind.isupper() else text
    if value is None:
        return "null"
    if kind == "d" and type(value) is int:
        return _signed(format(abs(value), "," if "," in flags else ""), flags, negative=value < 0)
    if kind in {"x", "X"} and type(value) is int:
        return format(value if value >= 0 else value + 2**32, kind)
    if kind == "f" and isinstance(value, float | Decimal):
        return _fraction(value, 6 if precision is None else precision, flags=flags)
    if kind == "c" and isinstance(value, str) and len(value) == 1:
        return value
    raise JavaException(f"IllegalFormatConversionException: {found[0]}")


def _fraction(value: float | Decimal, places: int, *, flags: str) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return print_number(value)
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    if exact.adjusted() > WIDTH:
        raise JavaException(f"a format wider than {WIDTH}")
    rounded = exact.copy_abs().quantize(Decimal((0, (1,), -places)), context=_EXACT)
    shown = format(rounded, ",f" if "," in flags else "f")
    return _signed(shown, flags, negative=exact < 0)


def _signed(digits: str, flags: str, *, negative: bool) -> str:
    if negative:
        return "-" + digits
    return ("+" if "+" in flags else " " if " " in flags else "") + digits
