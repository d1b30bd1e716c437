"""JSONPath: what each form finds, and what fails."""

from typing import Any

import pytest

from hookrack.edge.mapping.jsonpath import KEPT, LETTERS, PathInvalid, compile_path
from hookrack.edge.mapping.jsonsmart import Value

SHOP: Value = {
    "o": {"c": [1, 2, 3], "d": "x", "class": "k", "n": None},
    "items": [
        {"p": 1, "s": "x", "tags": ["a"]},
        {"p": 5, "s": "Yes", "tags": []},
        {"q": None, "s": "it's"},
    ],
}
FOUND: list[tuple[str, Any]] = [
    ("$.o.d", "x"),
    ("o.d", "x"),
    (" $['o']['d'] ", "x"),
    ("$.o.n", None),
    ("$.o.nope", None),
    ("$.o.d.deeper", None),
    ("$.o.c", [1, 2, 3]),
    ("$.o.c[0]", 1),
    ("$.o.c[9]", None),
    ("$.o.c[-1]", None),
    ("$.o.c[-1:]", [3]),
    ("$.o.c[:2]", [1, 2]),
    ("$.o.c[:-1]", [1, 2]),
    ("$.o.c[1:2]", [2]),
    ("$.o.c[0:3:2]", [1, 2, 3]),
    ("$.o.c[0,2]", [1, 3]),
    ("$.o.c[0,9]", None),
    ("$.o.c[1,]", 2),
    ("$.o.c[(@.length-1)]", 3),
    ("$.o.c[(@.size() - 2)]", 2),
    ("$.o.c.*", [1, 2, 3]),
    ("$.o.c[*]", [1, 2, 3]),
    ("$.items[*].p", [1, 5]),
    ("$.*.p", None),
    ("$['o','nope']", {"o": SHOP["o"]} if isinstance(SHOP, dict) else None),
    ("$..p", [1, 5]),
    ("$..c[0]", [1]),
    ("$..nope", []),
    ("$.items[?(@.p)].s", ["x", "Yes"]),
    ("$.items[?(!@.p)].s", ["it's"]),
    ("$.items[?(@.p > 1 && @.s == 'Yes')].p", [5]),
    ("$.items[?(@.p == 1 || @.p == 5)].p", [1, 5]),
    ("$.items[?(@.p >= $.o.c[0])].p", [1, 5]),
    ("$.items[?(@.s =~ /y.s/i)].p", [5]),
    ("$.items[?(@.s =~ /y.s/)].p", []),
    ("$.items[?(@.s == 'it\\'s')].s", ["it's"]),
    ("$.items[?(@.q == null)].s", ["it's"]),
    ("$.items[?(@.p != 1)].s", ["Yes"]),
]


@pytest.mark.parametrize(("path", "value"), FOUND)
def test_a_path_finds(path: str, value: Value) -> None:
    """A definite path gives the value or nothing; any other gives a list, even an empty one."""
    assert compile_path(path).find(SHOP) == value


@pytest.mark.parametrize(
    "path",
    [
        *("", " ", "$.", "$..", "$x", "$.a b", "$[", "$[]", "$['a'", '$["a"]', "$[:]"),
        *("$[::2]", "$[99999999999]", "$[(@.foo-1)]", "$[?(@..a)]", "$[?(@.a == )", "$[?()]"),
        *("$[?(@.a && )]", "$[?(1)]", "$[?(@.a =~ /(/)]", "$[?(@.a == !@.b)]", "$[?(@.a =~ /)]"),
        *("a" * (LETTERS + 1), "$" + ".a" * 300, "$" + "[?(@" * 300),
    ],
)
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    """Whatever is no path, or is longer than one may be, raises PathInvalid and nothing else."""
    with pytest.raises(PathInvalid):
        compile_path(path)


@pytest.mark.parametrize(
    "path",
    [
        *("$.o[0]", "$.o.d[0]", "$.o.d[?(@.a)]", "$['o','items'].d", "$.items[?(@.p == 'x')]"),
        *("$.items[?(@.s =~ 'x')]", "$.items[?]"),
    ],
)
def test_a_path_that_does_not_fit_the_document_fails(path: str) -> None:
    """An index of no array, a filter of no container, a text that should be a number: an error."""
    with pytest.raises(PathInvalid):
        compile_path(path).find(SHOP)


def test_a_null_document_cannot_be_asked() -> None:
    """A body of null fails, for any path."""
    for path in ("$", "$.a", "$..a"):
        with pytest.raises(PathInvalid):
            compile_path(path).find(None)


def test_a_search_that_multiplies_ends() -> None:
    """Scans after scans over a deep document end with an error, not after hours."""
    deep: Value = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(PathInvalid, match="values"):
        compile_path("$..*..*..*..*..*").find(deep)


def test_a_deep_document_needs_no_recursion() -> None:
    """A scan goes as deep as the parser lets bodies be."""
    deep: Value = {"a": 1}
    for _ in range(5_000):
        deep = [deep]
    assert compile_path("$..a").find(deep) == [1]


def test_compiled_paths_are_kept_within_a_bound() -> None:
    """The same path is compiled once, and old ones make room."""
    assert compile_path("$.kept") is compile_path("$.kept")
    for number in range(KEPT + 10):
        compile_path(f"$.a{number}")
    assert compile_path.cache_info().currsize == KEPT
