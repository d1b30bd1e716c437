"""JSON as text: the verdict on a body, and an object cut at its members."""

import json
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.jsontext import (
    NESTING_LIMIT,
    find_json_fault,
    is_json_type,
    refuse_duplicate_names,
    split_members,
)

MANY = settings(deadline=None, max_examples=300)
SOME = settings(deadline=None, max_examples=70)

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=12),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
# What JSON is made of, and what looks like it.
WORDS = rb"""
[ ] { } : , " "a" "\" "\\" "\/" "\x" {"a":1} [1,2] true false null tru NaN Infinity -Infinity
0 1 - 01 1. .5 0.1 e E+ 1e5 1e400 -1E+999 1e400.5 0e999 infinity // /**/ 'a'
"\u0041" "\ud800" "\udc00" "\ud83d\ude00" "\ud83dx" "\u00"
""".split()
ODD_BYTES = [
    *(b" ", b"\t", b"\n", b"\r", b"\x0b", b"\x0c", b"\xa0", b"\x00", b"\x7f", b'"\n"', b"9" * 400),
    *(b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xef\xbb\xbf"),
    *(b"\xe2\x80\xa8", b"\xd9\xa1"),  # a line separator, and a digit that is none here
]
PIECES = st.sampled_from([*WORDS, *ODD_BYTES])


def refuse_constant(name: str) -> NoReturn:
    """NaN and the infinities are no JSON."""
    raise ValueError(name)


def nesting(text: str) -> int:
    """How deep brackets nest outside strings, counted letter by letter."""
    depth = deepest = 0
    inside = escaped = False
    for letter in text:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(letter, 0)
            deepest = max(deepest, depth)
    return deepest


def is_json(text: bytes) -> bool:
    """The second opinion: the standard library, made as strict as the contract."""
    try:
        letters = text.decode("utf-8")
        if nesting(letters) > NESTING_LIMIT:
            return False
        found = json.loads(
            letters,
            parse_constant=refuse_constant,
            parse_int=str,
            parse_float=str,
            object_pairs_hook=list,
        )
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # a lone surrogate fails here
    except ValueError:
        return False
    return True


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Good JSON with a few pieces put in or cut out."""
    value, indent = draw(VALUES), draw(st.sampled_from([None, 1]))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=indent).encode()
    for _ in range(draw(st.integers(0, 3))):
        at, drop = draw(st.integers(0, len(text))), draw(st.integers(0, 2))
        text = text[:at] + draw(st.one_of(PIECES, st.binary(max_size=2))) + text[at + drop :]
    return text


@MANY
@given(text=st.one_of(st.lists(PIECES, max_size=9).map(b"".join), damaged()))
def test_the_verdict_is_that_of_a_second_parser(text: bytes) -> None:
    """A body is accepted exactly when a strict RFC 8259 reader accepts it."""
    assert (find_json_fault(text) is None) == is_json(text)


@SOME
@given(text=st.binary(max_size=60))
def test_any_bytes_get_a_verdict(text: bytes) -> None:
    """Whatever arrives, the answer is yes or a reason, never an error."""
    assert (find_json_fault(text) is None) == is_json(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"9" * 5_000, id="5000-digits"),
        pytest.param(b"-" + b"9" * 5_000 + b".5", id="5000-digits-and-a-fraction"),
        pytest.param(b"1e400", id="beyond-a-double"),
        pytest.param(b'{"a":[-1E+9999999999],"b":1e-9999999999}', id="far-beyond-a-double"),
        pytest.param(b'["1e400 \\" 1e400",1e400]', id="the-same-in-a-string"),
        pytest.param(b'{"a":1,"a":2}', id="duplicate-names"),
        pytest.param(b' \t\r\n{"a" : 1}\r\n', id="blanks-around"),
        pytest.param(b'"\\ud83d\\ude00"', id="surrogate-pair"),
        pytest.param(b'"\\u0000\\u001f"', id="escaped-control-characters"),
        pytest.param('"\u2028\x7f\U0001f600"'.encode(), id="odd-but-legal-letters"),
        pytest.param(b"-0", id="minus-zero"),
        pytest.param(b"null", id="a-scalar-alone"),
    ],
)
def test_odd_but_legal_json_is_accepted(text: bytes) -> None:
    """Numbers of any size, duplicate names and free spacing are legal, and kept as they are."""
    assert find_json_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"[1,]", id="trailing-comma"),
        pytest.param(b"{'a':1}", id="single-quotes"),
        pytest.param(b"[NaN]", id="not-a-number"),
        pytest.param(b"[-Infinity]", id="infinity"),
        pytest.param(b"[1e400,01]", id="fault-behind-a-huge-number"),
        pytest.param(b"[1e400,NaN]", id="constant-behind-a-huge-number"),
        pytest.param(b"1e400.5", id="huge-number-with-a-tail"),
        pytest.param(b'"\\ud800"', id="escaped-lone-surrogate"),
        pytest.param(b'"\\udc00\\ud800"', id="surrogates-swapped"),
        pytest.param(b'{"\\udfff":1}', id="lone-surrogate-in-a-name"),
        pytest.param(b'"\xed\xa0\x80"', id="encoded-surrogate"),
        pytest.param(b'"\xff"', id="not-utf-8"),
        pytest.param(b'"\xc0\xaf"', id="overlong-utf-8"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param("{}".encode("utf-16"), id="utf-16"),
        pytest.param(b'"\n"', id="bare-control-character"),
        pytest.param(b"1 2", id="two-values"),
        pytest.param(b"{}\x00", id="nul-behind"),
        pytest.param(b'"' * 100_001, id="quotes-without-end"),
        pytest.param(b'[1e400,"' + b"\\" * 100_001, id="backslashes-without-end"),
        pytest.param(b"1" * 100_000 + b"e400x", id="digits-that-are-no-number"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """A body that RFC 8259 doesn't know has a fault."""
    assert find_json_fault(text)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [1, 999, 1_000, 1_001, 1_024, 1_025, 100_000])
def test_nesting_ends_at_1000(opening: str, depth: int) -> None:
    """Arrays and objects nest 1,000 deep and not one deeper."""
    text = opening * depth + "1" + {"[": "]", '{"a":': "}"}[opening] * depth
    assert (find_json_fault(text.encode()) is None) == (depth <= 1_000)


@pytest.mark.parametrize("open_too", [False, True])
def test_only_brackets_within_each_other_count(open_too: bool) -> None:
    """Brackets in strings and brackets side by side don't count as nesting."""
    text = ('{"[{\\"[":[' + '[],"[{",' * 5_000 + "1]}").encode()
    deep = b"[" * 997 + text + b"]" * 997
    assert find_json_fault(b"[" + deep + b"]" if open_too else deep) == (
        "nested more than 1000 deep" if open_too else None
    )


def test_a_fault_says_what_and_where() -> None:
    """The sender learns what is wrong and at which character."""
    assert find_json_fault(b'{"a": 01}') == "number with leading zero is not allowed at character 6"


@SOME
@given(
    members=st.dictionaries(st.text(max_size=8), VALUES, min_size=1, max_size=5),
    blanks=st.sampled_from(["", " ", "\n\t ", "\r\n"]),
    ascii_only=st.booleans(),
)
def test_members_are_cut_as_they_were_written(
    members: dict[str, Any], blanks: str, ascii_only: bool
) -> None:
    """Each member's value is exactly the text between its colon and its comma."""
    texts = {name: json.dumps(each, ensure_ascii=ascii_only) for name, each in members.items()}
    inside = ",".join(
        f"{blanks}{json.dumps(name)}{blanks}:{blanks}{text}{blanks}" for name, text in texts.items()
    )
    found = split_members(f"{blanks}{{{inside}}}{blanks}".encode())
    assert found == {name: text.encode() for name, text in texts.items()}


@MANY
@given(text=st.one_of(st.lists(PIECES, max_size=12).map(b"".join), damaged()))
def test_only_json_objects_are_cut(text: bytes) -> None:
    """What is cut without complaint is JSON, and has the members that a parser finds."""
    try:
        found = split_members(text)
    except ValueError:
        return
    parsed = json.loads(text)
    assert list(found) == list(parsed)
    assert [json.loads(each) for each in found.values()] == list(parsed.values())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="scalar"),
        pytest.param(b'{"a":1', id="cut-off"),
        pytest.param(b'{"a":1}}', id="one-too-many"),
        pytest.param(b'{"a":1}{"b":1}', id="two-objects"),
        pytest.param(b'{"a":1,}', id="trailing-comma"),
        pytest.param(b'{,"a":1}', id="leading-comma"),
        pytest.param(b'{"a"}', id="no-value"),
        pytest.param(b"{a:1}", id="bare-name"),
        pytest.param(b"{1:1}", id="number-as-name"),
        pytest.param(b'{["a"]:1}', id="array-as-name"),
        pytest.param(b'{"a":[1}', id="brackets-that-do-not-fit"),
        pytest.param(b'{"a":NaN}', id="constant"),
        pytest.param(b'{"a\\ud800":1}', id="lone-surrogate-in-a-name"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="byte-order-mark"),
        pytest.param(b'{"a":1,"a":1}', id="name-twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="name-twice-once-escaped"),
        pytest.param(b'{"a":' + b"[" * 1_001 + b"]" * 1_001 + b"}", id="value-too-deep"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="brackets-without-end"),
    ],
)
def test_what_is_no_object_is_not_cut(text: bytes) -> None:
    """Only one whole JSON object, with each name once, is cut."""
    with pytest.raises(ValueError, match=r"\w"):
        split_members(text)


def test_an_empty_object_has_no_members() -> None:
    """An object without members is an object."""
    assert split_members(b" { } ") == {}


def test_names_twice_within_a_value_stay() -> None:
    """Only the top names must differ; what stands below is the sender's own."""
    assert split_members(b'{"a":{"b":1,"b":2}}') == {"a": b'{"b":1,"b":2}'}


def test_a_name_twice_is_named() -> None:
    """The complaint about a duplicate says which name it is."""
    with pytest.raises(ValueError, match="'b' stands twice"):
        refuse_duplicate_names([("a", 1), ("b", 2), ("b", 3)])


@pytest.mark.parametrize(
    ("content_type", "verdict"),
    [
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json; charset=utf-8", True),
        ("application/json ;charset=latin-1", True),
        ("text/json", True),
        ("application/problem+json", True),
        ("application/vnd.acme.v2+JSON;x=y", True),
        ("application/jsonp", False),
        ("application/notjson", False),
        ("application/json-seq", False),
        ("text/plain; a=application/json", False),
        ("application/xml", False),
        ("", False),
    ],
)
def test_json_is_declared_by_its_media_type(content_type: str, verdict: bool) -> None:
    """application/json, text/json and +json are JSON, whatever their case and parameters."""
    assert is_json_type(content_type) is verdict


def test_many_names_are_looked_through_once() -> None:
    """A name that stands twice among very many is found without comparing each with each."""
    members: list[tuple[str, object]] = [(str(number), 1) for number in range(500_000)]
    with pytest.raises(ValueError, match="stands twice"):
        refuse_duplicate_names([*members, ("499999", 1)])
