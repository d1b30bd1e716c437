"""The permissive parser and the writer: what the gateway reads as JSON, and what it writes."""

import json
from decimal import Decimal
from math import inf, isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.edge.mapping.jsonsmart import (
    NESTING,
    BodyUnreadable,
    JavaList,
    TooMuchText,
    Value,
    dump,
    parse,
)

READ: list[tuple[str, Value]] = [
    ('{"a":1}', {"a": 1}),
    ("{a:1,'b':\"x\",}", {"a": 1, "b": "x"}),
    ('{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
    ("[1,,2,]", [1, 2]),
    ("[007,-0,-]", [7, 0, 0]),
    ("[1 2,x y , a:b]", ["1 2", "x y", "a:b"]),
    ("[1~]", [1, "~"]),
    ('{"a":,"b":tru}', {"a": "", "b": "tru"}),
    ("a=b", "a=b"),
    ("a{b", "a{b"),
    ("  ", ""),
    ("", ""),
    ("12", 12),
    ("12 apples", "12 apples"),
    (" true ", True),
    ("null", None),
    ('{"a":1} and more', {"a": 1}),
    (r'"\x41\u00e9\q\/"', "Aé/"),
    (r'"\ud83d\ude00"', "\U0001f600"),
    (r'["\ud800"]', ["\ud800"]),
    ('"a\x7fb"', "a\x7fb"),
    ('"a\\n\x7f\x01b"', "a\nb"),
    ("[1.5,1e5,1E+2,-.5]", [1.5, 1e5, 100.0, -0.5]),
    ("[1e400,-1e400]", [inf, -inf]),
    ("18446744073709551616", 18446744073709551616),
    ("1.0000000000000000000001", Decimal("1.0000000000000000000001")),
    ("0.12345678901234567", Decimal("0.12345678901234567")),
    ("0.1234567890123456", 0.1234567890123456),
]
REFUSED = [
    "{a",
    "[a",
    "{",
    "[",
    '{"a"}',
    '{"a":1',
    '{"a" 1}',
    "[1}",
    "]",
    ":",
    '"a',
    "[1e+]",
    "{[]}",
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_a_text_is_read_as_the_permissive_parser_reads_it(text: str, value: Value) -> None:
    """Unquoted words, useless commas, odd numbers and trailing text are read, not refused."""
    found = parse(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", REFUSED)
def test_what_even_it_refuses_names_the_place(text: str) -> None:
    """A text that doesn't end, or has a bracket where none can stand, is refused with a place."""
    with pytest.raises(BodyUnreadable):
        parse(text)


def test_a_bare_nan_is_a_number_that_prints_as_itself() -> None:
    """NaN without quotes is a number, and is written as NaN even into JSON."""
    found = parse("[NaN]")
    assert isinstance(found, list)
    assert isinstance(found[0], float)
    assert isnan(found[0])
    assert dump(found) == "[NaN]"


@pytest.mark.parametrize("pair", ["[]", "{a:}"])
def test_nesting_has_a_bound_and_needs_no_recursion(pair: str) -> None:
    """400 levels are read, 401 are refused, and 100,000 cost nothing."""
    opening, closing = pair[:-1], pair[-1]
    inside = '""' if opening != "[" else ""
    parse(opening * NESTING + inside + closing * NESTING)
    for levels in (NESTING + 1, 100_000):
        with pytest.raises(BodyUnreadable, match="nested"):
            parse(opening * levels + inside + closing * levels)


def test_a_number_of_any_length_is_read_and_written() -> None:
    """100,000 digits come out as they went in."""
    digits = "9" * 100_000
    assert dump(parse(f"[{digits}]")) == f"[{digits}]"


WRITTEN: list[tuple[Value, str]] = [
    ({"a": [1, None, True, "x"]}, '{"a":[1,null,true,"x"]}'),
    ([1e16, 1e-5, 100.0, 12345678.5], "[1.0E16,1.0E-5,100.0,1.23456785E7]"),
    ([inf], "[null]"),
    ('\x1f\x7f\u2028\n"\\/é', '"\\u001F\\u007F\\u2028\\n\\"\\\\/é"'),
    ('":1e5,', '"\\":1e5,"'),
    ([Decimal("1.10"), 10**30], f"[1.10,{10**30}]"),
    (JavaList([1, "a"]), '[1,"a"]'),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_a_value_is_written_compactly_with_the_writers_own_escapes(value: Value, text: str) -> None:
    """Numbers are Java's, controls and U+2000 to U+20FF are escaped, others stay."""
    assert dump(value) == text
    assert dump(value, limit=1_000) == text


def test_an_array_printed_by_itself_escapes_slashes() -> None:
    """`slashes` escapes every slash, in names as well."""
    assert dump(["a/b", {"c/d": 1}], slashes=True) == '["a\\/b",{"c\\/d":1}]'


def test_a_limit_ends_what_holds_itself_many_times_over() -> None:
    """A list that doubles itself, or is within itself, ends with an error."""
    doubled: list[Value] = ["x"]
    for _ in range(64):
        doubled = [doubled, doubled]
    itself: list[Value] = []
    itself.append(itself)
    for value in (doubled, itself):
        with pytest.raises(TooMuchText):
            dump(value, limit=10_000)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(JSON)
def test_both_ways_of_writing_agree_and_stay_json(value: Value) -> None:
    """The fast writer and the stepwise one give one text, which reads as the same value."""
    text = dump(value)
    assert text == dump(value, limit=1_000_000)
    assert json.loads(text) == value


@settings(deadline=None, max_examples=300)
@given(JSON)
def test_strict_json_is_read_as_the_strict_parser_reads_it(value: Value) -> None:
    """Whatever a strict parser reads, the permissive one reads alike, fast path or not."""
    text = json.dumps([value])
    assert parse(text) == parse(text + " ~") == parse(text.replace("[", "[,", 1))


@pytest.mark.parametrize("padding", [0, 5_000])
@pytest.mark.parametrize(
    ("number", "printed"),
    [
        *(("1e7", "1.0E7"), ("1e-7", "1.0E-7"), ("12345678.5", "1.23456785E7")),
        *(("0.0005", "5.0E-4"), ("-0.0005", "-5.0E-4"), ("1234567.5", "1234567.5")),
    ],
)
def test_doubles_print_as_java_prints_them_in_texts_of_any_length(
    number: str, printed: str, padding: int
) -> None:
    """They are looked for in two ways, in short texts and in long ones."""
    text = f'["{"1" * padding}",{number}]'
    assert dump(parse(text)) == text.replace(number, printed)
