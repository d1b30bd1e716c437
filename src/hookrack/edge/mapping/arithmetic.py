"""Velocity's arithmetic: whole numbers widen, a double makes doubles, nonsense gives null."""

import math
from decimal import ROUND_HALF_DOWN, Context, Decimal, DecimalException
from typing import Any, Final

from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.values import LONG, is_number, show

WHOLE_BITS: Final = 13_000  # what a whole number may grow to; Python prints 4,300 digits at once
_EXACT: Final = Context(prec=10_000)


def add(left: Any, right: Any) -> Any:
    """`left + right`: the sum of two numbers, the prints of a String and anything joined."""
    if type(left) is int and type(right) is int:
        return _bounded(left + right)
    if type(left) is str or type(right) is str:  # a letter of `charAt` is no String
        return show(left) + show(right)
    return _combined("+", left, right)


def subtract(left: Any, right: Any) -> Any:
    """`left - right`."""
    return _combined("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """`left * right`."""
    return _combined("*", left, right)


def divide(left: Any, right: Any) -> Any:
    """`left / right`: truncated between whole numbers, null where right is zero."""
    return None if is_number(right) and right == 0 else _combined("/", left, right)


def modulo(left: Any, right: Any) -> Any:
    """`left % right`, of the sign of left; null where right is zero."""
    return None if is_number(right) and right == 0 else _combined("%", left, right)


def compare(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 between two numbers, None between anything else."""
    if not (is_number(left) and is_number(right)):
        return None
    return int(left > right) - int(left < right)


def _combined(sign: str, left: Any, right: Any) -> Any:
    if not (is_number(left) and is_number(right)):
        return None
    if isinstance(left, int) and isinstance(right, int):
        if sign == "%" and _is_big(left, right):
            return _big_modulo(left, right)
        return _bounded(_whole(sign, left, right))
    if isinstance(left, Decimal) or isinstance(right, Decimal) or _is_big(left, right):
        try:
            return _exact(sign, _decimal(left), _decimal(right))
        except DecimalException as exc:
            raise JavaException("ArithmeticException: a number beyond every use") from exc
    return _double(sign, float(left), float(right))


def _is_big(left: Any, right: Any) -> bool:
    return any(isinstance(each, int) and not -(2**63) <= each < 2**63 for each in (left, right))


def _big_modulo(left: int, right: int) -> int:
    """BigInteger's `mod`, which is never negative and takes no negative modulus."""
    if right < 0:
        raise JavaException("ArithmeticException: BigInteger: modulus not positive")
    return left % right


def _bounded(value: int) -> int:
    if value.bit_length() > WHOLE_BITS:
        raise JavaException("a whole number grows beyond every use")
    return value


def _whole(sign: str, left: int, right: int) -> int:
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if left == -LONG and right == -1 and sign != "%":  # an overflow that Velocity doesn't see
        return left
    if sign == "*":
        return left * right
    quotient = abs(left) // abs(right)
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    return quotient if sign == "/" else left - right * quotient


def _double(sign: str, left: float, right: float) -> float:
    try:
        if sign == "+":
            return left + right
        if sign == "-":
            return left - right
        if sign == "*":
            return left * right
        return left / right if sign == "/" else math.fmod(left, right)
    except (OverflowError, ValueError):
        return math.nan


def _decimal(value: Any) -> Decimal:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise JavaException("NumberFormatException: infinite or NaN")
        return Decimal(value)
    return Decimal(value if _is_big(value, 0) or isinstance(value, Decimal) else float(value))


def _exact(sign: str, left: Decimal, right: Decimal) -> Decimal:
    """BigDecimals, which know no zero below zero; doubles among them are as exact as they are."""
    if sign == "%":
        raise JavaException("ArithmeticException: cannot calculate the modulo of BigDecimals")
    made = _exactly(sign, left, right)
    return made or made.copy_abs()


def _exactly(sign: str, left: Decimal, right: Decimal) -> Decimal:
    if sign == "+":
        return _EXACT.add(left, right)
    if sign == "-":
        return _EXACT.subtract(left, right)
    if sign == "*":
        return _EXACT.multiply(left, right)
    scale = Decimal(1).scaleb(int(left.as_tuple().exponent))
    return _EXACT.divide(left, right).quantize(scale, ROUND_HALF_DOWN, _EXACT)
