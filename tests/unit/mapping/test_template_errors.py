"""Templates that API Gateway refuses: each is named with its place, at compile time."""

import pytest

from hookrack.edge.mapping import MappingRequest, TemplateInvalid, compile_template


def refusal(source: str) -> TemplateInvalid:
    """How a template is refused."""
    with pytest.raises(TemplateInvalid) as caught:
        compile_template(source, name="order.vtl")
    return caught.value


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("#if(true)", 1, 1),
        ("a\n  #foreach($i in [1])b", 2, 3),
        ("#define($d)b", 1, 1),
        ("x\n#end", 2, 1),
        ("#if(true)a#else b#else c#end", 1, 18),
        ("cost: $", 1, 7),
        ("cost: #", 1, 7),
        ("$!", 1, 1),
        ("#set($x = null)", 1, 11),
        ("#set($x = $a -1)", 1, 14),
        ("#set($x 1)", 1, 9),
        ("#set(x = 1)", 1, 6),
        ('#set($x = "a)', 1, 11),
        ('#set($x = "\\"")', 1, 14),
        ("$x.f(1 + 2)", 1, 8),
        ("$x[$y + 1]", 1, 7),
        ("${x y}", 1, 4),
        ("#[[ raw", 1, 1),
        ("#foreach($i)a#end", 1, 1),
        ("#foreach x", 1, 1),
        ("#define(x)a#end", 1, 9),
        ("#macro()a#end", 1, 1),
        ("#foo(1 + 2)", 1, 8),
        ('#set($x = "a\\u00zz")', 1, 11),
        ('line\n#set($x = "b $y.f(1 + 2)")', 2, 21),
    ],
)
def test_a_fault_has_its_place(source: str, line: int, column: int) -> None:
    """What can't be read is refused, and line and column say where."""
    fault = refusal(source)
    assert (fault.line, fault.column) == (line, column)
    assert str(fault).startswith(f"order.vtl, line {line}, column {column}: ")


def test_a_caret_points_at_the_fault() -> None:
    """The report shows the line, a caret below the place, and a hint."""
    report = refusal('{\n  "id": $input.path(1 + 2)\n}').report().splitlines()
    assert report[1] == '  "id": $input.path(1 + 2)'
    assert report[2].index("^") == report[1].index("+")
    assert "#set before" in report[3]


def test_a_long_line_is_shown_in_part() -> None:
    """A line of a thousand letters is cut around the fault."""
    report = refusal("x" * 1_000 + "#end " + "y" * 1_000).report().splitlines()
    assert len(report[1]) == 100
    assert report[1][report[2].index("^")] == "#"


def test_a_template_is_at_most_300_kb() -> None:
    """A byte above API Gateway's limit is refused, the limit itself isn't."""
    assert len(compile_template("x" * 300 * 1024).source) == 300 * 1024
    assert "300 KB" in refusal("x" * (300 * 1024 + 1)).detail


@pytest.mark.parametrize(
    "source",
    [
        "#if(true)" * 201 + "#end" * 201,
        "#set($x = " + "(" * 201 + "1" + ")" * 201 + ")",
        "#set($x = " + "[" * 201 + "1" + "]" * 201 + ")",
        "#if(" + "!" * 201 + "true)#end",
        "$x" + ".f($x" * 201 + ")" * 201,
        "#set($x = " + "{'a':" * 50_000,
        "#set($x = " + "(" * 100_000,
    ],
)
def test_nesting_is_bounded(source: str) -> None:
    """More than 200 levels within each other are refused, by whatever they are made of."""
    assert "200 levels" in refusal(source).detail


def test_nesting_up_to_the_bound_works() -> None:
    """199 levels compile and run, of blocks, of loops, of parentheses, of calls."""
    blocks = "#if(true)" * 199 + "x" + "#end" * 199
    loops = "#foreach($i in [1])" * 199 + "x" + "#end" * 199
    sums = "#set($x = " + "(" * 198 + "1" + ")" * 198 + ")$x"
    calls = "$util.urlEncode(" * 198 + "'x'" + ")" * 198
    for source, printed in ((blocks, "x"), (loops, "x"), (sums, "1"), (calls, "x")):
        assert compile_template(source).render(MappingRequest()).text == printed


def test_a_long_chain_is_no_nesting() -> None:
    """Thousands of operators or branches beside each other are no deeper than one."""
    chain = "#set($x = 1" + " + 1" * 10_000 + ")$x"
    branches = "#if(false)" + "#elseif(false)" * 10_000 + "#{else}y#end"
    assert compile_template(chain + branches).render(MappingRequest()).text == "10001y"
