"""What generated cases showed to differ from Velocity, each mended and kept here."""

import pytest

from hookrack.edge.mapping import MappingFault, MappingRequest, compile_template

# Template, body, and what Velocity 1.7 prints.
CASES = [
    ("\\$$5", "", "\\$5"),
    ("\\$$$5", "", "\\$$5"),
    ("\\\\$$5", "", "\\\\$5"),
    ("\\$$!5", "", "\\$5"),
    ("\\$$.", "", "\\$$."),
    ("$input.equals(1) $util.equals($util)", "", "false true"),
    ("#foreach($v in [1])$foreach.containsValue('') $foreach.size()#end", "", "false 0"),
    ("$util.escapeJavaScript($input.path('$'))", '"\\\U0001f600"', "\\uDE00"),
    ("#set($s = 'abc')$s.replaceAll('x', null)", "", "abc"),
    ("#set($x = 78901234)$x.floatValue()", "", "7.890123E7"),
    ("#set($x = 0.1)$x.floatValue()", "", "0.1"),
    ('#set($p = $input.path("$"))#set($s = "$p.a$p.b")$s.length()',
     '{"a": "\\ud83d", "b": "\\ude00"}', "2"),
    ("$util.urlEncode($input.path('$.a').concat($input.path('$.b')))",
     '{"a": "\\ud83d", "b": "\\ude00"}', "%F0%9F%98%80"),
    ("$util.base64Encode($input.path('$.a').concat($input.path('$.b')))",
     '{"a": "\\ud83d", "b": "\\ude00"}', "8J+YgA=="),
]  # fmt: skip


@pytest.mark.parametrize(("source", "body", "printed"), CASES)
def test_what_differed_once_is_alike_now(source: str, body: str, printed: str) -> None:
    """Dollars behind backslashes, null that nobody needs, floats, halves of pairs."""
    assert compile_template(source).render(MappingRequest(body)).text == printed


def test_null_instead_of_a_replacement_fails_where_something_matches() -> None:
    """It is asked for only then."""
    with pytest.raises(MappingFault, match="NullPointerException"):
        compile_template("#set($s = 'abc')$s.replaceAll('b', null)").render(MappingRequest())


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("#set($p = $input.path('$'))$p.a%$p.b%%s", "1%x%%s"),
        ("#set($p = $input.path('$'))[$p.none$p.nil|$p.a]", "[|1]"),
        ("#define($d)<$d2>#end#set($d2 = 3)#set($m = {'d': $d, 'x': 1})$m.x$m.d$m.x", "1<3>1"),
        ("#set($m = {'x': 1})#define($d)#set($m = {'x': 2})#end#set($m.d = $d)$m.x$m.d$m.x", "12"),
        ("#set($m = {'f': 1e9, 'l': [1, 'a'], 't': true})$m.f $m.l $m.t", "1.0E9 [1, a] true"),
        ("#foreach($i in [1..2])$foreach.count$foreach.index,#end", "10,21,"),
        ("#set($l = 'none')$l.x$nope.x.", "."),
        ("#set($util = 1)#set($p = $input.path('$'))$util.escapeJavaScript($p.b)$p.b", "x"),
    ],
)
def test_references_side_by_side_print_as_each_by_itself(source: str, printed: str) -> None:
    """They are printed at once where all are strings or numbers, and one by one elsewhere."""
    body = '{"a": 1, "b": "x", "nil": null}'
    assert compile_template(source).render(MappingRequest(body)).text == printed


@pytest.mark.parametrize(
    "change", ["#set($p.a = $p.b)", "#set($i = $p.put('a', $p.b))", "#set($i = $p.l.add($p.b))"]
)
def test_json_of_a_changed_document_is_bounded(change: str) -> None:
    """A document whose parts a template made hold each other is written within a bound."""
    grow = "#foreach($n in [1..30])#set($p.b = [$p.b, $p.b])#end"
    source = f"#set($p = $input.path('$')){grow}{change}$input.json('$')"
    with pytest.raises(MappingFault, match="longer than"):
        compile_template(source).render(MappingRequest('{"a": 1, "b": 2, "l": []}'))
