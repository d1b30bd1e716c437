"""The methods of numbers and booleans, as Java has them."""

import math
import struct
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_DOWN, Context, Decimal
from typing import Any, Final

from hookrack.edge.mapping.arithmetic import compare
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.signatures import Table, comparable, table
from hookrack.edge.mapping.texts import OBJECT
from hookrack.edge.mapping.values import INT, LONG, TEXT_LIMIT, class_name, same, show

_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_LAST: Final = 64
_TEN_TO_LAST: Final = Decimal(10) ** _LAST


def _wrapped(value: int, half: int) -> int:
    return (value + half) % (2 * half) - half


def _whole(value: Any, half: int) -> int:
    """A number as an int or long: doubles are cut and stop at the ends, whole numbers wrap."""
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        return int(max(-half, min(half - 1, value)))
    if isinstance(value, Decimal):
        if int(value.as_tuple().exponent) >= _LAST or value.adjusted() < 0:
            return 0
        # What is above the last digits is a multiple of two to their number, so it wraps away.
        whole = value.to_integral_value(ROUND_DOWN, _EXACT)
        return _wrapped(int(_EXACT.remainder(whole, _TEN_TO_LAST)), half)
    return _wrapped(int(value), half)


def int_value(value: Any) -> int:
    """Java's `intValue()`: doubles are cut, whole numbers wrap."""
    return _whole(value, INT)


def _plain(value: Decimal) -> str:
    if abs(int(value.as_tuple().exponent)) > TEXT_LIMIT:
        raise JavaException(f"a number of more than {TEXT_LIMIT} digits")
    return format(value, "f")


def _long_value(value: Any) -> int:
    return _whole(value, LONG)


def _double_value(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _float_value(value: Any) -> float:
    """A number as a float, as the double that prints the same."""
    try:
        exact = struct.pack("f", _double_value(value))
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    for digits in range(1, 9):
        shown = float(f"{struct.unpack('f', exact)[0]:.{digits}g}")
        if struct.pack("f", shown) == exact:
            return shown
    return float(f"{struct.unpack('f', exact)[0]:.9g}")


def _parsed(text: str | None, half: int) -> int:
    digits = (text or "")[1:] if (text or "")[:1] in {"-", "+"} else text or ""
    if not digits.isdecimal() or len(digits) > 25 or not -half <= int(text or "") < half:
        raise JavaException(f"NumberFormatException: For input string: {(text or 'null')[:40]!r}")
    return int(text or "")


def _parse_int(_: Any, text: str) -> int:
    return _parsed(text, INT)


def _parse_long(_: Any, text: str) -> int:
    return _parsed(text, LONG)


def _parse_double(_: Any, text: str) -> float:
    try:
        if not text or "_" in text or "n" in text.lower():
            raise ValueError
        return float(text.strip().rstrip("dDfF"))
    except ValueError as exc:
        raise JavaException(f"NumberFormatException: For input string: {text!r:.40}") from exc


def _compare_to(value: Any, other: Any) -> int:
    return compare(value, other) or 0


NUMBER: Final[Table] = table(
    {
        "intValue()": int_value,
        "longValue()": _long_value,
        "shortValue()": lambda value: _wrapped(int_value(value), 2**15),
        "byteValue()": lambda value: _wrapped(int_value(value), 2**7),
        "doubleValue()": _double_value,
        "floatValue()": _float_value,
        "toString()": show,
        "equals(O)": same,
    },
    OBJECT,
)
INTEGER: Final[Table] = table(
    {
        "compareTo(O)": comparable("I", _compare_to),
        "parseInt(S)": _parse_int,
        "valueOf(S)": _parse_int,
        "valueOf(I)": lambda _, value: value,
        "compare(II)": lambda _, one, other: (one > other) - (one < other),
        "max(II)": lambda _, one, other: max(one, other),
        "min(II)": lambda _, one, other: min(one, other),
        "sum(II)": lambda _, one, other: _wrapped(one + other, INT),
        "toString(I)": lambda _, value: show(value),
        "hashCode()": lambda value: value,
        "bitCount(I)": lambda _, value: (value & 0xFFFFFFFF).bit_count(),
        "toBinaryString(I)": lambda _, value: f"{value & 0xFFFFFFFF:b}",
        "toHexString(I)": lambda _, value: f"{value & 0xFFFFFFFF:x}",
        "toOctalString(I)": lambda _, value: f"{value & 0xFFFFFFFF:o}",
        "signum(I)": lambda _, value: (value > 0) - (value < 0),
    },
    NUMBER,
)
_LONG_BITS: Final = 2**64 - 1
BIG: Final[Table] = table(
    {
        "compareTo(O)": comparable("W", _compare_to),
        "parseLong(S)": _parse_long,
        "valueOf(S)": _parse_long,
        "valueOf(L)": lambda _, value: value,
        "bitCount(L)": lambda _, value: (value & _LONG_BITS).bit_count(),
        "toBinaryString(L)": lambda _, value: f"{value & _LONG_BITS:b}",
        "toHexString(L)": lambda _, value: f"{value & _LONG_BITS:x}",
        "toOctalString(L)": lambda _, value: f"{value & _LONG_BITS:o}",
        "signum(L)": lambda _, value: (value > 0) - (value < 0),
        "toString(L)": lambda _, value: show(value),
        "compare(LL)": lambda _, one, other: (one > other) - (one < other),
        "sum(LL)": lambda _, one, other: _wrapped(one + other, LONG),
        "max(LL)": lambda _, one, other: max(one, other),
        "min(LL)": lambda _, one, other: min(one, other),
    },
    NUMBER,
)
HUGE: Final[Table] = table(
    {
        "compareTo(O)": comparable("W", _compare_to),
        "valueOf(L)": lambda _, value: value,
        "abs()": abs,
        "negate()": lambda value: -value,
        "signum()": lambda value: (value > 0) - (value < 0),
        "bitLength()": lambda value: (value if value >= 0 else ~value).bit_length(),
    },
    NUMBER,
)
DOUBLE: Final[Table] = table(
    {
        "compareTo(O)": comparable("F", _compare_to),
        "isNaN()": math.isnan,
        "isInfinite()": math.isinf,
        "parseDouble(S)": _parse_double,
        "valueOf(D)": lambda _, value: float(value),
        "compare(DD)": lambda _, one, other: compare(float(one), float(other)) or 0,
        "max(DD)": lambda _, one, other: max(float(one), float(other)),
        "min(DD)": lambda _, one, other: min(float(one), float(other)),
        "sum(DD)": lambda _, one, other: float(one) + float(other),
        "toString(D)": lambda _, value: show(float(value)),
        "valueOf(S)": _parse_double,
    },
    NUMBER,
)
EXACT: Final[Table] = table(
    {
        "compareTo(O)": comparable("X", _compare_to),
        "valueOf(L)": lambda _, value: Decimal(value),
        "valueOf(D)": lambda _, value: Decimal(show(float(value))),
        "abs()": lambda value: value.copy_abs(),
        "negate()": lambda value: value.copy_negate() if value else value,
        "signum()": lambda value: (value > 0) - (value < 0),
        "toPlainString()": _plain,
    },
    NUMBER,
)
BOOLEAN: Final[Table] = table(
    {
        "booleanValue()": bool,
        "toString()": show,
        "equals(O)": lambda value, other: value is other,
        "parseBoolean(S)": lambda _, text: (text or "").lower() == "true",
        "valueOf(S)": lambda _, text: (text or "").lower() == "true",
        "compareTo(O)": comparable("B", lambda value, other: value - other),
    },
    OBJECT,
)


def of_number(value: float | Decimal) -> Table:
    """The methods of a number, by its class."""
    return _TABLES[class_name(value)]


_TABLES: Final = {
    "java.lang.Integer": INTEGER,
    "java.lang.Long": BIG,
    "java.math.BigInteger": HUGE,
    "java.lang.Double": DOUBLE,
    "java.math.BigDecimal": EXACT,
}
