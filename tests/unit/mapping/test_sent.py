"""A flow's template written out for API Gateway: one message, ours but for the escaped rest."""

from collections import Counter
from random import Random
from typing import Final
from urllib.parse import parse_qsl

import pytest
from conformance.engine import answer
from conformance.oracle import Case
from conformance.sent import EVENT_ID, case, difference, request_of, written
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.edge.mapping import Limits, compile_template
from hookrack.edge.mapping.aws import NotDirect, sqs_template
from hookrack.edge.mapping.step import FlowMapping
from hookrack.errors import Code, Poison, Rejected
from hookrack.model import Event, decode_envelope

HOSTILE: Final = [
    *('a"b', "it's", "\\", "\\'", "&MessageBody=x&DelaySeconds=900", "a+b%26c %", "é\U0001f600"),
    *("\x00\x01\x1f", "\u2028", '","account":"evil', "\r\n", "</script>", "$util #stop #end"),
]


def accepted(source: str, body: bytes = b"{}") -> Event | Rejected:
    """What the flow makes of the request here."""
    try:
        return FlowMapping({}).apply(
            compile_template(source), request_of(body), event_id=EVENT_ID, limits=Limits()
        )
    except Rejected as exc:
        return exc


def message(source: str, body: bytes = b"{}") -> bytes:
    """The one message that the written-out template sends of it."""
    text = sqs_template(compile_template(source), account="acme", flow="orders")
    request = FlowMapping({}).seen(request_of(body), EVENT_ID)
    form = compile_template(text).render(request).text
    fields = parse_qsl(form, strict_parsing=True, keep_blank_values=True, errors="strict")
    assert fields[:-1] == [("Action", "SendMessage"), ("MessageGroupId", "acme")]
    assert fields[-1][0] == "MessageBody"
    return fields[-1][1].encode()


def buried(source: str, body: bytes = b"{}") -> Code:
    """The reason with which a worker buries what is sent; the request is refused here, too."""
    assert isinstance(accepted(source, body), Rejected)
    with pytest.raises(Poison) as caught:
        decode_envelope(message(source, body))
    return caught.value.code


@pytest.mark.parametrize(
    "source",
    [
        '\n\n  {"a": 1}',
        "  \t#set($x = 1)\n [$x]",
        "\r\n#if(true)\r\n1#end",
        '{"a": 1}##',
        '{"a": 1} ## to the end \\',
        '{"a": 1}\n##\n##',
        '{"a": 1}#* c *#',
        "[1]#break never",
        "#foreach($i in [1..3])#if($i == 2)#break#end$i#end",
        "#set($x = '##')1##$x",
        "#define($d)[$input.json('$')]#end$d",
        "#set($util = 'u')#set($input = 1)#set($context = {})[1]",
        "#set($context.requestTimeEpoch = 7)#set($x = $context.put('requestId', 'x'))1",
    ],
)
def test_what_is_sent_is_what_is_accepted_here(source: str) -> None:
    """White space, comments, and what a template does to its own variables change nothing."""
    event = accepted(source)
    assert isinstance(event, Event)
    assert decode_envelope(message(source)) == event


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{}#stop", "#stop"),
        ('#set($x = "#if(true)#stop#end")$x', "#stop"),
        ("#define($d)#stop#{end}1", "#stop"),
        ("#set($hookrackOut = 1)$hookrackOut", "hookrack"),
        ("$!{hookrackEnvelope}", "hookrack"),
        ("#foreach($hookrackKey in [1])#{end}1", "hookrack"),
        ("#set($context.requestOverride.querystring.DelaySeconds = 900)1", "requestOverride"),
        ("{}\\", "backslash"),
        ("{}\\\\", "backslash"),
        ("1" * (300 * 1024 - 10), "300 KB"),
    ],
)
def test_what_cannot_be_written_out_is_refused(source: str, why: str) -> None:
    """A template that would end, change or outgrow the one around it is refused with the reason."""
    with pytest.raises(NotDirect, match=why):
        sqs_template(compile_template(source), account="acme", flow="orders")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["$dedupeId", "$d"])
def test_no_text_of_a_sender_leaves_its_place(name: str, text: str) -> None:
    """Quotes, ampersands and control characters stay in the data and in the dedupe id."""
    body = b'{"a": %s}' % quoted(text)
    source = f"#set({name} = $input.path('$.a'))$input.json('$')"
    event = accepted(source, body)
    assert isinstance(event, Event)
    assert event.dedupe_id == (text if name == "$dedupeId" else None)
    assert decode_envelope(message(source, body)) == event


def quoted(text: str) -> bytes:
    """A text as a JSON string, in UTF-8 and with as few escapes as there can be."""
    return b'"' + "".join(
        f"\\u{ord(each):04x}" if each < " " else "\\" + each if each in '"\\' else each
        for each in text
    ).encode() + b'"'  # fmt: skip


@pytest.mark.parametrize("text", [*HOSTILE, "k" * 129, "..", "\U0001f600", "\\u0000"])
def test_a_sender_s_text_is_a_webhook_key_or_the_reason_for_burying(text: str) -> None:
    """What is no webhook key is buried as such."""
    body = b'{"a": %s}' % quoted(text)
    assert buried("#set($webhookKeys = ['erp', $input.path('$.a')])1", body) is Code.KEYS_INVALID


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("['erp', 'crm', 'erp']", ("erp", "crm")),
        ("{'x': 'erp', 'y': 7}", ("erp", "7")),
        ("$input.path('$.k')", ("a", "b")),
        ("[1..1000]", tuple(map(str, range(1, 1001)))),
        ("''", None),
        ("$nope", None),
    ],
)
def test_the_keys_of_a_template_are_sent(value: str, keys: tuple[str, ...] | None) -> None:
    """Lists, maps by their values, arrays of the body; nothing is none."""
    source, body = f"#set($webhookKeys = {value})1", b'{"k": ["a", "b"]}'
    event = decode_envelope(message(source, body))
    assert event.keys == keys
    assert event == accepted(source, body)


@pytest.mark.parametrize(
    "value",
    [
        *("[1..1001]", "[1..1500]", "[]", "{}", "'erp'", "7", "false", "$input.path('$')", "['']"),
        *("[$nope]", "[['a']]", "['a b']", "['.']", '"$input.body"'),
    ],
)
def test_keys_that_are_none_are_buried_as_that(value: str) -> None:
    """More than a thousand aren't cut to a thousand; a text is no list of keys."""
    assert buried(f"#set($webhookKeys = {value})1") is Code.KEYS_INVALID


@pytest.mark.parametrize(
    "value", ["60", "'60'", "$nope", "''", "1", f"'{'9' * 18}'", f"'1{'0' * 4999}'"]
)
def test_the_ttl_of_a_template_is_sent(value: str) -> None:
    """Whole seconds however written, and however many; nothing is none."""
    event = accepted(f"#set($ttl = {value})1")
    assert isinstance(event, Event)
    assert decode_envelope(message(f"#set($ttl = {value})1")) == event


@pytest.mark.parametrize(
    "value", ["'007'", "-5", "0", "1.5", "60.0", "1e3", "'6h'", "'1\"'", "[]", "true", "' 1'"]
)
def test_a_ttl_that_is_none_is_buried_as_that(value: str) -> None:
    """Leading zeros, signs, fractions and units are no whole seconds."""
    assert buried(f"#set($ttl = {value})1") is Code.TTL_INVALID


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", Code.BODY_NOT_JSON),
        ("{", Code.BODY_NOT_JSON),
        ('{"a": "$input.path("$.q")"}', Code.BODY_NOT_JSON),
        ("#set($dedupeId = $input.path('$.long'))1", Code.ENVELOPE_INVALID),
        ("#set($dedupeId = $input.path('$.half'))1", Code.ENVELOPE_INVALID),
        ('"$input.path("$.half")"', Code.BODY_NOT_JSON),
        ('{"a": "it\'s $input.path("$.half")"}', Code.BODY_NOT_JSON),
    ],
)
def test_what_is_refused_here_is_buried_there(source: str, code: Code) -> None:
    """Output that isn't JSON, long ids, halves of surrogate pairs: with a reason, never stored."""
    body = b'{"q": "\\"", "half": "\\ud83d", "long": "%s"}' % (b"x" * 1025)
    assert buried(source, body) is code


def test_halves_that_meet_are_a_character() -> None:
    """Two halves of a pair that a template puts side by side are one, as they are in Java."""
    body = b'{"a": "\\ud83d", "b": "\\ude00"}'
    source = '#set($p = $input.path(\'$\'))#set($dedupeId = "$p.a$p.b")"$p.a$p.b"'
    event = accepted(source, body)
    assert isinstance(event, Event)
    assert event.data.decode() == '"\U0001f600"'
    assert event.dedupe_id == "\U0001f600"
    assert decode_envelope(message(source, body)) == event


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_generated_templates_send_what_is_accepted(seed: int) -> None:
    """Whatever the template and the body, what is sent is the event here, or is buried."""
    asked = case(Random(seed))
    assert difference(asked, answer(written(asked))) is None


def test_the_generated_cases_say_something() -> None:
    """Enough of them are accepted, sent and buried; and a wrong rendering is noticed."""
    kinds: Counter[str] = Counter()
    for seed in range(300):
        asked = case(Random(seed))
        kinds[kind_of(asked)] += 1
    assert min(kinds["stored"], kinds["refused"], kinds["not written out"]) > 20, kinds
    one: Case = {**case(Random(1)), "template": "[1]"}
    assert difference(one, answer(one)) is not None
    two = {**one, "template": "[2]"}
    assert difference(one, answer(written(two))) is not None


def kind_of(asked: Case) -> str:
    """What becomes of a case."""
    if written(asked) is asked:
        return "not written out"
    found = accepted(asked["template"], asked["request"]["body"].encode())
    return "stored" if isinstance(found, Event) else "refused"
