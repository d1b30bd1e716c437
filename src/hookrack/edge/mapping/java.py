"""Numbers as Java has them: how they print, and which of its types holds them."""

from decimal import Decimal
from math import isinf, isnan
from typing import Final, TypeAlias

Number: TypeAlias = "int | float | Decimal"
INT: Final = range(-(2**31), 2**31)
LONG: Final = range(-(2**63), 2**63)
# Between these a double prints without an exponent.
_PLAIN_FROM: Final = 1e-3
_PLAIN_BELOW: Final = 1e7


def print_double(value: float) -> str:
    """`value` as Java's `Double.toString` writes it."""
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if str(value).startswith("-") else "0.0"
    sign, digits, exponent = _shortest(value)
    if _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        return sign + _plain(digits, exponent)
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _shortest(value: float) -> tuple[str, str, int]:
    """Sign, the fewest digits that say which double it is, and the first one's power of ten."""
    exact = Decimal(repr(value)).normalize()
    text = "".join(map(str, exact.as_tuple().digits))
    return "-" * (value < 0), text, exact.adjusted()


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{whole}.{digits[exponent + 1 :] or '0'}"


def print_number(value: Number) -> str:
    """A number's Java `toString`; a `Decimal` is a BigDecimal, or a BigInteger of many digits."""
    if isinstance(value, float):
        return print_double(value)
    return str(value)


def type_name(value: Number) -> str:
    """Which of Java's number types holds `value`: Integer, Long, BigInteger, Double, BigDecimal."""
    if isinstance(value, float):
        return "Double"
    if isinstance(value, Decimal):
        return "BigDecimal"
    if value in INT:
        return "Integer"
    return "Long" if value in LONG else "BigInteger"
