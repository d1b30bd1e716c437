"""Hostile templates and bodies: each costs the one request, says why and where, and no more."""

import time
from typing import Final

import pytest

from hookrack.edge.mapping import (
    Limits,
    MappingFault,
    MappingRequest,
    TemplateInvalid,
    compile_template,
)

CLOCKED: Final = Limits(clock=time.thread_time_ns)


def fault(source: str, *, body: str = "{}", limits: Limits = CLOCKED) -> MappingFault:
    """How a rendering ends that may not go on."""
    with pytest.raises(MappingFault) as caught:
        compile_template(source).render(MappingRequest(body), limits=limits)
    return caught.value


def rendered(source: str, body: str = "{}") -> str:
    """What a template prints."""
    return compile_template(source).render(MappingRequest(body)).text


DOUBLING: Final = '#set($s = "0123456789")#foreach($i in [1..99])#set($s = "$s$s")#end$s'


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (DOUBLING, "1048576 letters"),
        ("#set($s = 'x')#foreach($i in [1..99])#set($s = $s + $s)#end", "string of more than"),
        ("#set($s = 'x')#foreach($i in [1..99])#set($s = $s.concat($s))#end", "string of more"),
        ("#set($s = 'x')$s.repeat(2000000000)", "letters"),
        (
            "#set($s = 'aaaaaaaaaa')#foreach($i in [1..9])#set($s = $s.replace('a', $s))#end",
            "lette",
        ),
        ("#set($s = 'x')$s.format('%999999999d', 1)", "wider"),
        (
            "#foreach($i in [1..1000])#foreach($j in [1..1000])" + "0123456789" * 50 + "#end#end",
            "of output",
        ),
        ("#set($n = 9)#foreach($i in [1..99])#set($n = $n * $n)#end$n", "whole number"),
        ("#set($l = [1])$l.addAll([1..9])#foreach($i in [1..99])$l.addAll($l)#end", "list of more"),
        ("#foreach($i in [1..999999999])#end", "range of more"),
        ("#set($m = {})#set($i = $m.put('m', [$m, $m]))#set($m.n = $m.m)$m", ""),
        ("#define($a)$b$b#end#define($b)$c$c#end#define($c)$a$a$d$d#end$a#include('x')", "include"),
    ],
)
def test_what_grows_without_end_is_ended(source: str, why: str) -> None:
    """Strings, numbers, lists, ranges, output and what holds itself are bounded."""
    assert why in fault(source).detail


@pytest.mark.parametrize(
    "source",
    [
        "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])#end#end#end",
        "#set($l = [1..1000])#foreach($a in $l)#foreach($b in $l)$l.contains('x')#end#end",
    ],
)
def test_what_takes_long_is_ended_by_the_clock(source: str) -> None:
    """Nested loops end at 50 ms of CPU or at a million steps, whichever is first."""
    started = time.thread_time()
    found = fault(source)
    assert "CPU" in found.detail or "steps" in found.detail
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("source", "body", "looks"),
    [
        ("#foreach($i in [1..9])$i$input.path('$.a')#end", '{"a": 1}', 0),
        ("#foreach($i in [1..999])$i$i$i#end", '{"a": 1}', 2),
        ("x", '{"a": "%s"}' % ("x" * 5_000), 1),
    ],
)
def test_the_clock_is_read_only_for_what_can_take_long(source: str, body: str, looks: int) -> None:
    """Reading it can cost more than a small rendering, which ends before it is worth a look."""
    read: list[int] = []

    def clock() -> int:
        read.append(0)
        return 0

    compile_template(source).render(MappingRequest(body), limits=Limits(clock=clock))
    assert min(len(read), 2) == looks


def test_steps_end_what_no_clock_ends() -> None:
    """Without a clock a million steps are the bound."""
    loops = "#foreach($a in [1..1000])" * 3 + "#end" * 3
    assert "1000000 steps" in fault(loops, limits=Limits()).detail


def test_a_fault_names_its_place() -> None:
    """Line and column of what went wrong come with it."""
    found = fault("{\n  #set($s = 'abc')$s.substring(9)}")
    assert (found.line, found.column, found.status) == (2, 22, 500)
    assert str(found).startswith("line 2, column 22: StringIndexOutOfBounds")


def test_loops_are_cut_at_a_thousand_turns() -> None:
    """A loop over more simply ends, as on API Gateway."""
    assert rendered("#foreach($i in [1..5000])x#end") == "x" * 1000


def test_definitions_that_use_themselves_end() -> None:
    """A recursive #define goes two levels deep and prints its reference there."""
    assert rendered("#define($d)[$d]#end$d") == "[[$d]]"


def test_values_that_hold_themselves_print() -> None:
    """A list in itself prints as Java prints it."""
    assert rendered("#set($l = [1])#set($i = $l.add($l))$l") == "[1, (this Collection)]"


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*)*x", "a{1000}{1000}", "(?=a)a"])
def test_patterns_cant_run_away(pattern: str) -> None:
    """A pattern that is slow elsewhere is run in linear time, or refused."""
    source = f"#set($r = $input.body.replaceAll('{pattern}', ''))$r.length()"
    started = time.thread_time()
    try:
        found = rendered(source, "a" * 50_000)
    except MappingFault as exc:
        found = exc.detail
    assert found.isdigit() or "PatternSyntaxException" in found
    assert time.thread_time() - started < 1


@pytest.mark.parametrize("body", ["{a", "[a", '{"a": ', "[1,2", '{"a" 1}'])
def test_bodies_that_cant_be_read_are_the_senders_fault(body: str) -> None:
    """What even the permissive reader refuses is a 400, and only if the template asks for it."""
    assert fault("$input.path('$.a')", body=body).status == 400
    assert rendered("$input.body", body) == body


@pytest.mark.parametrize("body", ["a=b", "a{b", "true{", "<x/>"])
def test_bodies_that_are_no_json_are_strings(body: str) -> None:
    """A body that doesn't begin like an object or array is one string."""
    assert rendered("$input.path('$')", body) == body


@pytest.mark.parametrize(
    "source",
    [
        "$input.document()|$input.document|$input.text()|$input.parameter('x')|$input.json",
        "$input['__class__']|$input.path('$')['__class__']|$input.path('$').mro|$util.text()",
        "$context.setdefault('a', 'b')|$context.update({'a': 1})|$context.items()|$context.copy()",
        "#foreach($i in [1])$foreach.member('index')|$foreach.shadowed|$foreach.extra#end",
        "#set($s = 'x')$s.encode()|$s.casefold()|$s.title()|$s.translate({})|$s.upper",
        "#set($n = 1)$n.bit_length()|$n.real|$n.numerator|$n.to_bytes(1, 'big')",
        "#set($l = [1])$l.append(2)|$l.sort()|$l.pop()|$l.extend([1])|$l.index(1)",
        "#define($d)#end$d.run|$d.body|$d.emit([])|$d.place|$d.depth",
    ],
)
def test_nothing_of_python_can_be_reached(source: str) -> None:
    """A name that isn't in the tables of methods yields nothing, whatever Python has under it."""
    assert not rendered(source).strip("|")


def test_a_template_can_be_any_text() -> None:
    """Every pair of the signs that mean something is read or refused, and never anything else."""
    signs = [
        "$",
        "#",
        "\\",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "!",
        "a",
        ".",
        '"',
        "'",
        "\n",
        "if",
        "end",
    ]
    places = []
    for first in signs:
        for second in signs:
            for third in signs:
                try:
                    rendered(f"{first}{second}{third}#set($x = {second}{first})")
                    rendered(f"$a{first}{second}{third} ")
                except (TemplateInvalid, MappingFault) as exc:
                    places.append((exc.line, exc.column))
    assert places
    assert min(places) >= (1, 1)
