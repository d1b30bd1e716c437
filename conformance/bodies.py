"""Generated bodies (strict JSON, and what only a permissive parser reads) and JSONPaths."""

from typing import Final

from hypothesis import strategies as st

NAMES: Final = ["a", "b", "c", "d", "x y", "length", "it's", "1", "class", "size", "empty"]
_SCALARS: Final = [
    *("1", "2", "-1", "0", "1.5", '"a"', '"b"', '"x y"', "null", "true", "false", '"null"', '"1"'),
    *('"it\'s"', "1e7", "12345678901", '""', '"a/b"', "1e400", "0.12345678901234567890", "-0.0"),
    *('"\\u2028\\u007f\\u0001"', '"é\U0001f600"', "9223372036854775808", '"a,b,,c,"', "100000.0"),
]
_LOOSE: Final = [
    *("{", "}", "[", "]", ",", ":", '"', "'", "\\", " ", "a", "n", "t", "0", "1", "-", ".", "e"),
    *("~", "é", "\t", "\n", "\x01", "\x1a", "\x7f", "/", "null", "NaN", "tru", "1e5", "\\u0041"),
    *("\\x41", "\\q", "\\ud83d", "\\ude00", "1e+", ".5", "007", "+", "x", "1e"),
]


def _objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.tuples(st.sampled_from(NAMES), inner).map(lambda pair: f'"{pair[0]}":{pair[1]}')
    return st.lists(member, max_size=4).map(lambda each: "{" + ",".join(each) + "}")


STRICT: Final = st.recursive(
    st.sampled_from(_SCALARS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda each: "[" + ",".join(each) + "]"), _objects(inner)
    ),
    max_leaves=10,
)


@st.composite
def _bent(draw: st.DrawFn) -> str:
    """A strict text with a few letters put in or taken out."""
    text = draw(STRICT)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        taken = draw(st.integers(0, 1))
        put = draw(st.sampled_from(["", *_LOOSE]))
        text = text[:place] + put + text[place + taken :]
    return text


BODIES: Final = st.one_of(
    STRICT, _objects(STRICT), _bent(), st.lists(st.sampled_from(_LOOSE), max_size=8).map("".join)
)

_OPERANDS: Final = [
    *("@.a", "@.b", "@", "$.a", "@['a']", "@.a.b", "@[0]", "'a'", "'b'", "1", "2", "null", "true"),
    *("'1'", "/a/", "/A/i", "/.*/", "'it\\'s'", "1.5", "''", "abc", "@..a", "!@.a", "-1", "'x y'"),
]
_OPERATORS: Final = ["==", "!=", "<", ">", "<=", ">=", "=~", " == ", " =~ ", " > "]
_INDEXES: Final = [
    *("0", "1", "-1", "0,1", "1:", "0:2", ":2", ":-1", "-1:", "*", "-2:", "(@.length-1)", "1:3:2"),
    *("(@.size()-1)", "0,5", "1,", "0:", "-1:1", "?", "1 , 0", "(@.length)", "::", "1-", "1a", '"1"'),
]
_STEPS: Final = [
    *(f".{name}" for name in ["a", "b", "c", "*", "x y", "length"]),
    *(f"['{name}']" for name in ["a", "b", "x y", "a','b", "c','d','a", "*"]),
    *(f"[{index}]" for index in _INDEXES),
    *("..a", "..b", "..*", "..[0]", "..[*]", "..['a']", "..['a','b']", "..[?(@.a)]", "..", "."),
]


def _joined(parts: tuple[str, str, str]) -> str:
    return "".join(parts)


_CRITERIA: Final = st.one_of(
    st.sampled_from(["@.a", "!@.a", "@", "@.a.b", "@[0]", "$.a", "@['b']", ""]),
    st.tuples(
        st.sampled_from(_OPERANDS), st.sampled_from(_OPERATORS), st.sampled_from(_OPERANDS)
    ).map(_joined),
)
_FILTERS: Final = st.lists(_CRITERIA, min_size=1, max_size=3).flatmap(
    lambda criteria: st.sampled_from([" && ", " || ", "&&"]).map(
        lambda joiner: f"[?({joiner.join(criteria)})]"
    )
)
PATHS: Final = st.tuples(
    st.sampled_from(["$", "$", "$", "", "@", "$.", " $"]),
    st.lists(st.one_of(st.sampled_from(_STEPS), _FILTERS), max_size=4).map("".join),
    st.sampled_from(["", "", "", "", " ", "]", "[", "'", ".", "x"]),
).map(_joined)
