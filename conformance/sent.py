"""The template written out for API Gateway: what it sends is what is accepted here, or nothing.

The other side is the rendering of the written-out template, by Velocity or by our own engine: its
form must be one message, and the envelope in it the event that the flow makes here of the same
request, or one that becomes a dead letter where the flow refuses the request.
"""

from functools import lru_cache
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl

from conformance.bodies import body
from conformance.engine import compiled, is_bounded
from conformance.oracle import Case, Result
from conformance.templates import piece
from conformance.templates import template as any_template

from hookrack.edge.mapping import Limits, TemplateInvalid
from hookrack.edge.mapping.aws import NotDirect, sqs_template
from hookrack.edge.mapping.step import FlowMapping
from hookrack.errors import Code, Poison, Rejected
from hookrack.model import Event, Request, decode_envelope

ACCOUNT: Final = "acme"
FLOW: Final = "orders"
EVENT_ID: Final = "JKJaXmPLvHcESHA="
# What a dead letter of a refused request may give as its reason.
REASONS: Final = frozenset(
    {Code.KEYS_INVALID, Code.TTL_INVALID, Code.BODY_NOT_JSON, Code.ENVELOPE_INVALID}
)

_HOSTILE: Final = [
    *('a"b', "it's", "&MessageBody=x", "a+b%26c", "\\", "\\'", "%", "\x01\x1f\x7f", "é\U0001f600"),
    *('"}],"account":"evil","flow":"x', "\\ud83d", "\\ude00", "\\ud83d\\ude00", "\n", "=", ";"),
    *("$util", "#stop", "</script>", "\u2028", "k" * 129, "x" * 1_025, "erp", "crm:1", "60", "007"),
]
_VALUES: Final = [
    *("$j.a", "$j", "$j.b", "$input.body", "$input.path('$..*')", "'erp'", "['erp', 'crm']", "[]"),
    *("$j.keySet()", "$j.values()", "{'a': 'erp'}", "[$j.a, $j.b]", "60", "'007'", "-5", "1.5"),
    *("$nope", "false", "''", "'60'", "999999999999999999", "'1000000000000000000'", "[1..1001]"),
    *("[1..1000]", '"$!j.a$!j.b"', "$input.params('h')", "[[], {}]", "$input.json('$')", "3.0"),
    *("$input.path('$.a')", "$j.a.length()", "['erp', $nope]", "$context.requestId", "[$t]"),
]
_PRINTED: Final = [
    *("$input.json('$')", "$input.json('$.a')", '{"a": "$!j.a"}', "$input.body", "$j", "[1]"),
    *('"$util.escapeJavaScript($j.a)"', "$!webhookKeys", "{}", '"$j.a$j.b"', "null", "$t"),
]
_STARTS: Final = ["", "", "\n", "  ", "\r\n", "##c\n", "  #set($q=1)", ".a", "[0]", "(", "}", "-"]
_ENDS: Final = ["", "", "", "##", "## x", "\n", "\\", "\\\\", "#break x", "#* c *#", "#", "$", " "]


_SOUND: Final = {
    "webhookKeys": [
        "['erp', 'crm']",
        "$j.k",
        "{'a': 'erp'}",
        "$j.k.values()",
        "[1..1000]",
        "$nope",
    ],
    "ttl": ["60", "'60'", "$j.t", "''", "999999999999999999"],
    "dedupeId": ["$j.a", "$j", "$input.body", '"$!j.a$!j.b"', "$input.json('$.a')", "$j.k"],
}
_WHOLE: Final = [
    *("$input.json('$')", "$input.json('$.a')", '{"a": "$util.urlEncode($j.a)"}', "[$j.t,1]"),
    """["$util.escapeJavaScript("$j.a").replaceAll("\\\\'","'")"]""",
]


def case(rnd: Random) -> Case:
    """A template that sets our variables, and a request; `context` is what a flow here has."""
    return case_of(_template(rnd), _request(rnd))


def case_of(template: str, request: Request) -> Case:
    """A request to a flow with that template, as API Gateway and a flow here see it."""
    seen = FlowMapping({}).seen(request, EVENT_ID)
    return {
        "template": template,
        "request": {
            "body": seen.body,
            "headers": dict(seen.headers),
            "query": dict(seen.query),
            "path": {},
        },
        "context": dict(seen.context),
        "stage_variables": {},
    }


def _template(rnd: Random) -> str:
    kind = rnd.random()
    if kind < 0.5:
        return _sound(rnd)
    if kind < 0.6:
        return any_template(rnd)
    parts = ["#set($j = $input.path('$'))" if rnd.random() < 0.9 else ""]
    for name in _SOUND:
        if rnd.random() < 0.5:
            parts.append(f"#set(${name} = {rnd.choice(_VALUES)})")
        elif rnd.random() < 0.1:
            parts.append(f"#define(${name}){rnd.choice(_PRINTED)}#end")
    if rnd.random() < 0.3:
        parts.append(piece(rnd))
    parts.append(rnd.choice(_PRINTED))
    if rnd.random() < 0.2:
        rnd.shuffle(parts)
    return rnd.choice(_STARTS) + "".join(parts) + rnd.choice(_ENDS)


def _sound(rnd: Random) -> str:
    """A template that works with most bodies."""
    parts = [rnd.choice(["", "", "\n", " \n  ", "##c\n"]), "#set($j = $input.path('$'))"]
    for name, values in _SOUND.items():
        if rnd.random() < 0.5:
            parts += [f"#set(${name} = {rnd.choice(values)})", rnd.choice(["", "\n", "\r\n  "])]
    return "".join([*parts, rnd.choice(_WHOLE), rnd.choice(["", "", "##", "## \\", "\n", " "])])


def _request(rnd: Random) -> Request:
    sent = body(rnd)
    if rnd.random() < 0.6:
        one, two = (_quoted(rnd.choice(_HOSTILE)) for _ in range(2))
        keys = rnd.choice(['["erp", "crm"]', '["erp"]', '{"x": "erp"}', f'["{two}"]'])
        sent = f'{{"a": "{one}", "b": "{two}", "k": {keys}, "t": {rnd.choice(["60", "7", "0"])}}}'
    return request_of(sent.encode(errors="replace"), header=rnd.choice(["H", "a'&\"+%"]))


def _quoted(text: str) -> str:
    return text if text.startswith("\\u") else text.replace("\\", "\\\\").replace('"', '\\"')


def request_of(sent: bytes, *, header: str = "H") -> Request:
    """A request to the flow that all of this is about."""
    return Request(
        account=ACCOUNT,
        flow=FLOW,
        content_type="application/json",
        body=sent,
        received_at=1_795_380_000_123,
        headers=[(b"h", header.encode())],
        query="q=1+2%26",
    )


def written(asked: Case) -> Case:
    """The case with its template written out, or as it is where that can't be done."""
    text = _direct(asked["template"])
    return asked if text is None else {**asked, "template": text}


@lru_cache(maxsize=16)
def _direct(template: str) -> str | None:
    try:
        return sqs_template(compiled(template), account=ACCOUNT, flow=FLOW)
    except (TemplateInvalid, NotDirect):
        return None


def difference(asked: Case, theirs: Result) -> str | None:
    """How what is sent differs from what is accepted here, or None."""
    if written(asked) is asked:
        return None
    accepted = _accepted(asked)
    if isinstance(accepted, Rejected) and is_bounded({"error": accepted.detail}):
        return None
    if "error" in theirs:
        return None if isinstance(accepted, Rejected) else f"here {accepted}\nthere {theirs}"
    event = _sent(theirs["output"])
    if isinstance(accepted, Event):
        return None if event == accepted else f"here  {accepted}\nthere {event!r}"
    if isinstance(event, Poison) and event.code in REASONS:
        return None
    return f"here  {accepted!r}: {accepted.detail}\nthere {event!r}"


def _accepted(asked: Case) -> Event | Rejected:
    sent: dict[str, Any] = asked["request"]
    request = request_of(sent["body"].encode(), header=sent["headers"].get("h", "H"))
    try:
        return FlowMapping({}).apply(
            compiled(asked["template"]), request, event_id=EVENT_ID, limits=Limits(output=2**22)
        )
    except Rejected as exc:
        return exc


def _sent(form: str) -> Event | Poison | str:
    """What SQS gets and a worker reads: an event, or a message that it buries, or no message."""
    try:
        fields = parse_qsl(form, strict_parsing=True, keep_blank_values=True, errors="strict")
    except ValueError as exc:
        return f"no form: {exc}"
    *fixed, (name, message) = fields
    if fixed != [("Action", "SendMessage"), ("MessageGroupId", ACCOUNT)] or name != "MessageBody":
        return f"other fields: {fields}"
    try:
        return decode_envelope(message.encode())
    except Poison as exc:
        return exc
