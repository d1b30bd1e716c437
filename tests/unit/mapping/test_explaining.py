"""The classic traps of templates: each is warned of, and only where it is one."""

import pytest

from hookrack.edge.mapping import compile_template, warnings


def told(source: str) -> list[str]:
    """The warnings about a template."""
    return [each.text for each in warnings(compile_template(source))]


TRAPS = [
    ("#if($nope)1#end", "is never set"),
    ("#set($a = $input.path('$.a'))#if($a)1#end", "may be missing"),
    ("#set($a = $input.path('$.a'))#if(!$a)1#end", "may be missing"),
    ("#if($nope.isEmpty())1#end", "is never set"),
    ("#if($foreach.hasNext)1#end", "may be missing"),
    ("#foreach($i in [1])#end#if($foreach.hasNext)1#end", "may be missing"),
    ("#set($a = 1)$a-1", "one name"),
    ("$util.escapeJavaScript($input.body)", "no JSON"),
    ('{"a": "$input.path("$.a")"}', "isn't escaped"),
    ('{"a": "Mr. $input.body"}', "isn't escaped"),
    ("{\n  #set($a = 1)}", "stay in the output"),
    ("#set($a = {'b': 1})$a.b##x", "prints the ##"),
]


@pytest.mark.parametrize(("source", "part"), TRAPS)
def test_a_trap_is_warned_of(source: str, part: str) -> None:
    """With what it does and what to write instead."""
    found = told(source)
    assert len(found) == 1
    assert part in found[0]


@pytest.mark.parametrize(
    "source",
    [
        "#foreach($i in [1..2])$i#if($foreach.hasNext),#end#end",
        "#foreach($i in [1..2])#if(!$foreach.last),#end#if($velocityHasNext),#end#end",
        "#set($m = $input.path('$'))#if($m.containsKey('a') && $m.a != '')1#end",
        "#set($m = $input.path('$'))#if($m.containsKey('a'))1#elseif($m.isEmpty())2#end",
        "#set($a = 1)${a}-1 $a - 1",
        """{"a": "$util.escapeJavaScript($input.body).replaceAll("\\\\'","'")"}""",
        '{"a": $input.json("$.a"), "n": "$input.body.length()"}',
        '{"a": "b", "n": $input.path("$.n")}',
        "#set($a = 1)  #set($b = 2)\n#set($c = 3)",
        "#set($a = {'b': 1})$a.b ##x",
        "#set($a = 1)$a##x",
        '#foreach($i in [1..2])"$foreach.index"#end',
    ],
)
def test_what_is_no_trap_is_passed_over(source: str) -> None:
    """A warning that isn't true teaches to read none."""
    assert told(source) == []
