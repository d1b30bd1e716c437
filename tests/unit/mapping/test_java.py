"""Numbers as Java prints and types them."""

from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrack.edge.mapping.java import print_double, print_number, type_name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (1e5, "100000.0"),
        (1e-7, "1.0E-7"),
        (1.10, "1.1"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (9999999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (-123456789.0, "-1.23456789E8"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (nan, "NaN"),
        (inf, "Infinity"),
        (-inf, "-Infinity"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
    ],
)
def test_a_double_prints_as_java_prints_it(value: float, text: str) -> None:
    """Plain between 1e-3 and 1e7, with an exponent elsewhere, and always with a fraction."""
    assert print_double(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_double_reads_as_itself(value: float) -> None:
    """No digit is lost in printing."""
    assert float(print_double(value)) == value


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (2**31 - 1, "Integer", "2147483647"),
        (2**31, "Long", "2147483648"),
        (-(2**63), "Long", "-9223372036854775808"),
        (2**63, "BigInteger", "9223372036854775808"),
        (1.5, "Double", "1.5"),
        (Decimal("1.10"), "BigDecimal", "1.10"),
    ],
)
def test_a_number_has_the_type_that_holds_it(
    value: float | Decimal,
    name: str,
    text: str,
) -> None:
    """Integer, Long and BigInteger by size; a double and a long fraction by what they are."""
    assert (type_name(value), print_number(value)) == (name, text)
