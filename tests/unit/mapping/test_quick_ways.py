"""What is printed or looped over quickly is what is printed one by one.

A traced rendering takes no quick way, so it is what the other is compared with; that both are
right is for the golden cases to say.
"""

import pytest

from hookrack.edge.mapping import Limits, MappingFault, MappingRequest, compile_template

_BODY = """{
  "text": "plain", "quoted": "a\\"b'c/d\\\\e\\u00e9\\u0001", "percent": "100 %s %%", "null": null,
  "yes": true, "no": false, "int": -7, "long": 12345678901234567890, "one": 1.0, "large": 1e7,
  "small": 0.00001, "exact": 1.2345678901234567890123, "zero": -0.0, "list": [1, "a", null],
  "empty": {}, "object": {"text": "inner", "flag": false}, "index": "own", "hasNext": false,
  "rows": [{"a": "x", "b": 1}, {"a": "it's", "b": null}, null, {"b": false}, 5, "s", [1]]
}"""
_NAMES = (
    *("text", "quoted", "percent", "null", "yes", "no", "int", "long", "one", "large", "small"),
    *("exact", "zero", "list", "empty", "object", "index", "hasNext", "absent", "rows", "class"),
    *("object.text", "object.flag", "absent.text", "text.length", "list.empty"),
)
_ORDER = "#set($o = $input.path('$'))"
_ROWS = "#foreach($r in $o.rows)"
_SOURCES = (
    *(f"{_ORDER}% $o.{name} %s$o.text" for name in _NAMES),
    *(f"{_ORDER}a$util.escapeJavaScript($o.{name})b$o.text" for name in _NAMES),
    *(f"{_ORDER}$o.text #if($o.{name})yes#{{else}}no#end" for name in _NAMES),
    "$input $util $context $foreach.index $none #if($none.text)a#end $!none.text",
    "#set($util = {'a': 1})$util.escapeJavaScript('\"')$util.escapeJavaScript($input.body) $util.a",
    f"{_ORDER}{_ROWS}$foreach.index,$foreach.count:$r.a-$r.b#if($foreach.hasNext);#else.#end#end",
    f"{_ORDER}{_ROWS}[$util.escapeJavaScript($r.a)$!r]#set($r = 'set')$r#end|$r $foreach.index",
    f"{_ORDER}{_ROWS}$velocityCount $velocityHasNext#if($velocityCount == 2)#break#end#end",
    f"{_ORDER}{_ROWS}#foreach($r in $o.list)$r;$foreach.parent.index#end$r,#end$!r",
    f"{_ORDER}{_ROWS}#set($foreach.index = 9)$foreach.index #set($foreach.x = 'x')$foreach.x#end",
    f"{_ORDER}#foreach($k in $o.keySet())$k=$o.get($k);#end#foreach($v in $o)$v#end",
    f"{_ORDER}#foreach($r in $o.list)#set($done = $o.list.add(1))$r#end",
    "#foreach($i in [1..2000])$i#if($foreach.hasNext),#end#end#foreach($i in [])x#end$!i",
)


def _outcome(source: str, *, is_traced: bool) -> str:
    template = compile_template(source)
    try:
        return template.render(MappingRequest(_BODY), trace=[] if is_traced else None).text
    except MappingFault as exc:
        return f"failed: {exc}"


@pytest.mark.parametrize("source", _SOURCES)
def test_quick_or_one_by_one_prints_the_same(source: str) -> None:
    """A template prints, or fails, the same with a trace and without one."""
    assert _outcome(source, is_traced=False) == _outcome(source, is_traced=True)


def test_a_definition_is_rendered_as_often_as_it_is_used() -> None:
    """What prints quickly may be asked twice, so a definition, which can count, never does."""
    found = _outcome(
        "#set($n = 1)#define($d)#set($n = $n + 1)[$n]#end#set($m = {'d': $d, 't': 't'})"
        "$m.t$m.d #if($m.d)+#end $util.escapeJavaScript($m.d) $util.escapeJavaScript($d) $n",
        is_traced=False,
    )
    assert found == "t[2] + [4] [5] 5"


@pytest.mark.parametrize(
    ("source", "limits"),
    [
        ("#foreach($i in [1..900])#foreach($j in [1..900])#end#end", Limits(steps=10_000)),
        ("#foreach($i in [1..900])$i#end", Limits(steps=100)),
        ("#set($o = {'a': 'aaaaaaaaaa'})#foreach($i in [1..99])$o.a#end", Limits(output=100)),
        ("#set($o = {'a': 'a'})#foreach($i in [1..99])$o.a,#end", Limits(output=150)),
    ],
)
def test_quick_ways_keep_to_the_budgets(source: str, limits: Limits) -> None:
    """Turns without a body count as steps, and what is printed together as output."""
    with pytest.raises(MappingFault, match="more than"):
        compile_template(source).render(MappingRequest(), limits=limits)
