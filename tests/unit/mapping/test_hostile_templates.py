"""What costs more than its size is ended in time, with its place, and in little memory."""

import gc
import time
import tracemalloc
from typing import Final

import pytest

from hookrack.edge.mapping import (
    Limits,
    MappingFault,
    MappingRequest,
    TemplateInvalid,
    compile_template,
)
from hookrack.edge.mapping.template import TEMPLATE_BYTES

CLOCKED: Final = Limits(clock=time.thread_time_ns)
SECONDS: Final = 1.0  # of CPU that no attack takes; most take a twentieth
LOOP: Final = "#foreach($i in [1..1000])"
TWICE: Final = "#set($l = ['0123456789'])" + "#set($l = [$l, $l])" * 22
LARGE: Final = '{"a":"' + "x" * 700_000 + '"}'
ITEMS: Final = "[" + ",".join(["1"] * 350_000) + "]"
OBJECTS: Final = "[" + ",".join(['{"a":1}'] * 87_000) + "]"
LONG: Final = '{"a":' + "7" * 690_000 + "}"
BEYOND: Final = '{"a":1.00000000000000000000e999999999}'


def ended(source: str, body: str = "{}", *, limits: Limits = CLOCKED) -> MappingFault | str:
    """The fault that a rendering ends with, or its text; it didn't take long."""
    template = compile_template(source)
    started = time.thread_time()
    try:
        return template.render(MappingRequest(body), limits=limits).text
    except MappingFault as exc:
        return exc
    finally:
        assert time.thread_time() - started < SECONDS


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (f"{TWICE}{LOOP}#set($s = $l.toString())#end", "{}"),
        (f"{TWICE}{LOOP}#if($l == 'x')a#end#end", "{}"),
        (f"{TWICE}{LOOP}#set($s = $l + 'x')#end", "{}"),
        (f"{LOOP}#set($s = $input.body.replaceAll('(x)(x)(x)(x)', '$4$3$2$1'))#end", LARGE),
        ("#set($s = $input.body.replaceAll('x*y|x', 'z'))", LARGE),
        ("#set($s = $input.body.split('x'))", LARGE),
        ("$input.body.matches('.*.{0,999}x.{0,999}')", LARGE),
        (f'{LOOP}#set($t = $input.body.matches("[\\p{{L}}\\p{{N}}]{{1,99}}$i"))#end', "{}"),
        (f"{LOOP}#set($x = $input.path('$..a').size())#end", ITEMS),
        (f"{LOOP}#set($x = $input.path('$[?(@.a==1)]').size())#end", OBJECTS),
        (f"{LOOP}#set($x = $util.parseJson($input.body))#end", ITEMS),
        (f"{LOOP}#set($x = $input.body.hashCode())#end", LARGE),
        (f"{LOOP}{LOOP}#set($x = $input.body.charAt(5))#end#end", "\U0001f600" * 170_000),
        (f"{LOOP}$util.escapeJavaScript($input.body)#end", "é" * 300_000),
        (f"{LOOP}#set($x = 1{'+1' * 9_000})#end", "{}"),
        (f"{LOOP}#set($x = [1{',1' * 9_000}])#end", "{}"),
        ("$input.path('$').size()", "[" + "a," * 350_000 + "]"),
        ("#set($m = $input.path('$'))#set($i = $m.put('m', [$m, $m]))$input.path('$..a')", "{}"),
    ],
)
def test_a_loop_within_a_method_is_ended_by_the_clock(source: str, body: str) -> None:
    """Prints, comparisons, patterns, paths and long expressions are asked while they go on."""
    found = ended(source, body)
    assert isinstance(found, MappingFault), found[:50]
    known = ("CPU", "steps", "more than", "many letters")
    assert any(each in found.detail for each in known), found


@pytest.mark.parametrize(
    "source",
    [
        f"#set($k = []){LOOP}#set($x = $k.add([1..999999]))#end",
        f"#set($k = []){LOOP}#set($x = $k.add($input.path('$').subList(0, 300000)))#end",
        f"#set($k = []){LOOP}#set($x = $k.add($input.path('$.*')))#end",
        f"#set($k = []){LOOP}#set($x = $k.add($input.body.substring($i)))#end",
        f"#set($k = []){LOOP}#set($x = $k.add($input.body.replace('1', '2')))#end",
        f"#set($k = []){LOOP}#set($x = $k.add($input.path('$').toString()))#end",
    ],
)
def test_what_is_kept_is_bounded_in_all(source: str) -> None:
    """Lists and strings that a template keeps don't add up to more than some tens of megabytes."""
    template = compile_template(source)
    tracemalloc.start()
    try:
        with pytest.raises(MappingFault):
            template.render(MappingRequest(ITEMS), limits=Limits())
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("source", "body", "text"),
    [
        ("$input.path('$.a').intValue()", BEYOND, "0"),
        ("$input.path('$.a').longValue()", '{"a":-1.50000000000000000000}', "-1"),
        ("$input.path('$.a').intValue()", LONG, str((int("7" * 64) + 2**31) % 2**32 - 2**31)),
        ("#set($l = [1..$input.path('$.a')])$l", BEYOND, "[1, 0]"),
        ("#set($n = 1.0E300)#set($q = '')$q.format('%.1f', $n)", "{}", f"1{'0' * 300}.0"),
        (
            "#set($n = $input.path('$.a'))#set($q = '')$q.format('%f', $n)",
            '{"a":1e400}',
            "Infinity",
        ),
        ("$input.path('$.a')", LONG, "7" * 690_000),
        ("$input.json('$')", ITEMS, ITEMS),
        ("$input.path('$')", ITEMS, ITEMS),
        ("#set($i = $input.path('$').add(1))$input.json('$')", ITEMS, ITEMS[:-1] + ",1]"),
    ],
)
def test_large_is_not_hostile(source: str, body: str, text: str) -> None:
    """Numbers beyond a double, and the longest bodies, are what they are to Java, and at once."""
    assert ended(source, body, limits=Limits()) == text


@pytest.mark.parametrize(
    "source",
    [
        "#set($n = $input.path('$.a') + 1)$n",
        "#set($n = $input.path('$.a') * $input.path('$.a'))$n",
        "$input.path('$.a').toPlainString()",
        "#set($n = $input.path('$.a'))#set($q = '')$q.format('%f', $n)",
    ],
)
def test_a_number_beyond_every_use_is_a_fault(source: str) -> None:
    """Nobody writes out a billion digits."""
    assert isinstance(ended(source, BEYOND), MappingFault)


@pytest.mark.parametrize(
    "source",
    [
        "\\" * TEMPLATE_BYTES,
        "\\" * (TEMPLATE_BYTES - 9) + "#foo",
        "\\" * (TEMPLATE_BYTES - 8) + "#{foo",
        "$" + "\\" * (TEMPLATE_BYTES - 9) + "x",
        "##" + "\\" * (TEMPLATE_BYTES - 9) + "#foo",
        "#*" + "\\" * (TEMPLATE_BYTES - 9) + "#if*#",
        ("\\" * 999 + "#1") * 300,
        "#if($a)" * 40_000,
        "#set($a = " + "[" * 300_000,
        "#if(" + "!" * 300_000,
    ],
)
def test_no_template_takes_long_to_be_read(source: str) -> None:
    """Backslashes are looked at once, whatever stands behind them; nesting ends at 200 levels."""
    started = time.thread_time()
    try:
        compile_template(source)
    except TemplateInvalid as exc:
        if "200 levels" not in exc.detail:
            raise
    assert time.thread_time() - started < 3


def test_two_renderings_share_nothing() -> None:
    """What one rendering puts into constants, maps and `$context` isn't there in the next."""
    source = (
        "#set($l = [1])#set($m = {'a': 1})$l$m$context.x#set($i = $l.add(2))"
        "#set($m.b = 2)#set($context.x = 'x')#set($stageVariables.y = 'y')$l$m$context.x"
    )
    template, context, stage = compile_template(source), {"stage": "s"}, {"v": "1"}
    request = MappingRequest("{}", context=context, stage_variables=stage)
    first = template.render(request).text
    assert first == "[1]{a=1}[1, 2]{a=1, b=2}x"
    assert template.render(request).text == first
    assert (context, stage) == ({"stage": "s"}, {"v": "1"})


def test_the_budget_of_one_rendering_is_not_the_next_ones() -> None:
    """A rendering that ended for want of time leaves the next one in its thread all of its own."""
    assert isinstance(ended(f"{TWICE}#set($s = $l.toString())", limits=CLOCKED), MappingFault)
    assert ended("#set($l = [1..999])$l.size()") == "999"


def test_a_large_template_leaves_nothing_behind() -> None:
    """What a large template is made of is gone with it, although no collector looks at it."""
    gc.collect()
    before = gc.get_freeze_count()
    template = compile_template('$a.b("$c")[0]#set($m = {"k": [1, $x]})' * 600)
    assert gc.get_freeze_count() - before > 10_000
    before = gc.get_freeze_count()
    del template
    assert before - gc.get_freeze_count() > 10_000
    assert gc.isenabled()
