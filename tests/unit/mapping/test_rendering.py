"""What a rendering gives besides its text, and what can be seen of a template."""

import pytest

from hookrack.edge.mapping import (
    MappingFault,
    MappingRequest,
    Rendering,
    Trace,
    compile_template,
    describe,
    warnings,
)
from hookrack.edge.mapping.gateway import ResponseType, missing_parameters, response
from hookrack.edge.mapping.select import Passthrough, Transform, media_type, select


def render(source: str, request: MappingRequest | None = None) -> Rendering:
    """A template for one request."""
    return compile_template(source).render(request or MappingRequest('{"id": 7, "on": false}'))


def test_the_variables_of_hookrack_are_read_after_the_run() -> None:
    """Keys, time to live and dedupe id are what the template left in them."""
    found = render(
        "#set($webhookKeys = ['erp', \"o-$input.path('$.id')\"])#set($ttl = 3600)"
        "#set($dedupeId = $input.path('$.id'))"
    )
    assert (found.webhook_keys, found.ttl, found.dedupe_id) == (["erp", "o-7"], 3600, 7)


def test_variables_that_arent_set_are_none() -> None:
    """A template that sets nothing brings nothing."""
    found = render("x")
    assert (found.webhook_keys, found.ttl, found.dedupe_id) == (None, None, None)
    assert (found.request_override, found.response_override) == ({}, {})


def test_overrides_come_with_the_rendering() -> None:
    """What is set below the override maps is there afterwards, lists included."""
    found = render(
        "#set($context.requestOverride.header.X-Id = '1')"
        "#set($context.requestOverride.querystring['q'] = ['a', 'b'])"
        "#set($context.responseOverride.status = 202)"
    )
    assert found.request_override["header"] == {"X-Id": "1"}
    assert found.request_override["querystring"] == {"q": ["a", "b"]}
    assert found.response_override["status"] == 202


def test_a_template_keeps_nothing_between_requests() -> None:
    """Each rendering begins with fresh variables and a fresh context."""
    template = compile_template("#set($n = \"${n}x$context.foo\")#set($context.foo = 'b')[$n]")
    request = MappingRequest(context={"stage": "s"})
    assert [template.render(request).text for _ in range(2)] == ["[x]", "[x]"]
    assert request.context == {"stage": "s"}


@pytest.mark.parametrize(("name", "value"), [("X-Id", "1"), ("x-id", "1"), ("x-no", "")])
def test_headers_match_exactly_and_then_in_any_case(name: str, value: str) -> None:
    """A header is found by its own spelling first, then by any."""
    request = MappingRequest(headers={"X-Id": "1"})
    assert render(f"$input.params('{name}')", request).text == value
    both = MappingRequest(headers={"x-id": "low", "X-Id": "1"})
    assert render("$input.params('X-Id')", both).text == "1"


def test_parameters_are_looked_up_in_order() -> None:
    """The path comes before the query string, and that before the headers."""
    request = MappingRequest(path={"a": "p"}, query={"a": "q", "b": ["1", "2"]}, headers={"a": "h"})
    assert render("$input.params('a') $input.params('b')", request).text == "p 2"


def test_a_trace_says_what_each_reference_yields() -> None:
    """Reference, place and print, in the order of their evaluation; the text is the same."""
    trace: Trace = []
    template = compile_template("#set($x = $input.path('$.id'))\n#if($x > 1)$x!#end")
    assert template.render(MappingRequest('{"id": 7}'), trace=trace).text == "7!"
    seen = [(each.reference, each.place.line, each.yielded) for each in trace]
    assert seen == [("$input.path('$.id')", 1, "7"), ("$x", 2, "7"), ("$x", 2, "7")]


def test_a_template_can_be_described() -> None:
    """The tree has a line per node, indented, with places."""
    text = describe(compile_template("a#if($x && !$y)$x.b#{else}c#end#foreach($i in [1..2])$i#end"))
    assert text.splitlines() == [
        "text 'a'",
        "if $x && !$y  [1:2]",
        "  reference $x.b  [1:16]",
        "else",
        "  text 'c'",
        "foreach $i in [1..2]  [1:32]",
        "  reference $i  [1:54]",
    ]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("#if($nope)x#end", "counts as true"),
        ("#set($a = 3)$a-1", "is one name"),
        ("$util.escapeJavaScript($input.body)", "no JSON"),
        ("{\n  #set($x = 1)}", "stay in the output"),
        ('{"a": "$input.path(\'$.a\')"}', "isn't escaped"),
    ],
)
def test_the_classic_traps_are_pointed_out(source: str, words: str) -> None:
    """Each trap is a warning with its place and the mend."""
    found = warnings(compile_template(source))
    assert [each for each in found if words in str(each)], found


def test_a_careful_template_has_no_warnings() -> None:
    """What is written the safe way passes without a word."""
    source = "#set($x = 1)\n#if($x != '')\n{\"a\": $input.json('$.a'), \"n\": $x}\n#end"
    assert warnings(compile_template(source)) == []


def test_types_are_compared_without_parameters() -> None:
    """A charset or another case makes no other type, and no type is JSON."""
    assert media_type("Application/JSON; charset=UTF-8") == "application/json"
    assert media_type(None) == media_type("") == "application/json"
    found = select({"text/plain": 1}, "TEXT/plain", passthrough=Passthrough.NEVER)
    assert found == Transform(1)


def test_gateway_responses_are_those_of_api_gateway() -> None:
    """Status, body and header by the type of the failure."""
    refused = response(ResponseType.UNSUPPORTED_MEDIA_TYPE)
    assert (refused.status, refused.body()) == (415, '{"message":"Unsupported Media Type"}')
    assert refused.headers()["x-amzn-ErrorType"] == "UnsupportedMediaTypeException"
    missing = missing_parameters(
        ["method.request.querystring.q", "method.request.header.h"],
        headers={},
        path={},
        query={"q": " "},
    )
    assert missing is not None
    assert missing.message == "Missing required request parameters: [h, q]"
    assert all(response(each).status >= 400 for each in ResponseType)


@pytest.mark.parametrize(
    "source",
    [
        "$input.path('$.id[')",
        "$util.parseJson('{a')",
        "$util.urlDecode('%zz')",
        "$util.base64Decode('!')",
        "#set($l = [1])$l.get(3)",
        "#set($l = [1])$l[3]",
        "#set($s = 'a')$s.charAt(2)",
        "#set($s = 'a')$s.compareTo(1)",
        "#set($s = 'a')$s[-1]",
        "#set($s = 'a')$s.replaceAll('(', '')",
        "#set($l = [1, 2])#foreach($i in $l)$l.add(3)#end",
        "#include('x')",
    ],
)
def test_a_java_exception_ends_the_rendering(source: str) -> None:
    """What throws in Java is a fault with a place, and the fault of the template: 500."""
    with pytest.raises(MappingFault) as caught:
        render(source)
    assert (caught.value.status, caught.value.line) == (500, 1)
