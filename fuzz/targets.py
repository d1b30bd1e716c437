"""What is fuzzed: each takes any bytes, and fails where one of its promises doesn't hold."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from signing import NOW, SIGNED, Signed

from hookrack.edge.auth import check_credential, check_sent
from hookrack.edge.deliveries import compile_id, read_delivery
from hookrack.edge.handshakes import Reply
from hookrack.edge.mapping import (
    Limits,
    MappingFault,
    MappingRequest,
    TemplateInvalid,
    compile_template,
)
from hookrack.edge.mapping.jsonpath import PathInvalid, compile_path
from hookrack.edge.mapping.jsonsmart import BodyUnreadable, dump, parse
from hookrack.edge.presets import PRESETS
from hookrack.edge.sent import Sent
from hookrack.errors import Poison, Rejected
from hookrack.jsontext import NESTING_LIMIT, find_json_fault, split_items, split_members
from hookrack.model import Event, decode_envelope, encode_envelope

Target = Callable[[bytes], None]
NAMES: Final = tuple(SIGNED)
# Whose signature is of less than the body, or is the secret itself: others may be let in as well.
_PARTLY: Final = frozenset(
    {"adyen", "mailgun", "microsoftGraph", "paypal", "sns", "twilio", "gitlab token"}
    | {
        name
        for name in NAMES
        if PRESETS.get(name) and PRESETS[name].schemes[0].algorithm == "token"
    }
)
_LIMITS: Final = Limits(
    output=2**16, steps=20_000, turns=200, cpu_ns=50_000_000, clock=time.thread_time_ns
)
_SLOW_S: Final = 2.0  # of CPU; budgets are 50 ms, and a fuzzer's instruments cost a multiple
DOCUMENT: Final = parse(
    '{"a":[{"b":1,"c":"x"},{"b":2.5,"d":null}],"a b":{"c":[[1,2],[3]]},'
    '"n":9007199254740993,"t":true}'
)


def pack(name: str, signed: Signed) -> bytes:
    """A signed request as the bytes that `verifier` reads."""
    head = "".join(f"{header}: {value}\n" for header, value in signed.headers.items())
    return bytes([NAMES.index(name)]) + head.encode("latin-1") + b"\n" + signed.body


def verifier(data: bytes) -> None:
    """A request is let in or refused; a body that nobody signed is never let in as an event."""
    if not data:
        return
    name = NAMES[data[0] % len(NAMES)]
    head, _, body = data[1:].partition(b"\n\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\n")]
    headers = {header.lower().encode("latin-1"): value for header, _, value in lines if header}
    signed = replace(SIGNED[name], body=body)
    sent = Sent(body, NOW * 1_000, headers.get, lambda: signed.url, "POST")
    try:
        check_credential(signed.auth, None, header=headers.get)
        reply = check_sent(signed.auth, sent)
    except Rejected:
        return
    assert reply is None or isinstance(reply, Reply)
    if reply is None and name not in _PARTLY:
        assert body == SIGNED[name].body, f"{name} let a body in that nobody signed"
    preset = PRESETS[signed.auth.type]
    found = read_delivery(preset, sent)
    assert found.delivery_id is None or len(found.delivery_id) <= 256
    if (name_of := compile_id(preset)) is not None:
        name_of(sent)


def envelope(data: bytes) -> None:
    """A message is an event or Poison; an event written and read again is the same one."""
    try:
        event = decode_envelope(data)
    except Poison:
        return
    assert decode_envelope(encode_envelope(event)) == event
    if event.content_type == "application/json":
        assert find_json_fault(event.data) is None


def json_scan(data: bytes) -> None:
    """The scan agrees with a second reader of RFC 8259, and its parts are those of the text."""
    fault = find_json_fault(data)
    expected = _second_opinion(data)
    assert (fault is None) == (expected is None), f"{fault!r} against {expected!r}"
    for split, kind in ((split_members, dict), (split_items, list)):
        try:
            parts: Any = split(data)
        except ValueError:
            if fault is None and kind is list:
                assert data.lstrip(b" \t\r\n")[:1] != b"[" or _depth(data) >= NESTING_LIMIT
            continue
        assert fault is None or "deep" in fault
        for part in parts.values() if isinstance(parts, dict) else parts:
            assert find_json_fault(part) is None
            assert part in data


def _second_opinion(data: bytes) -> str | None:
    """What the standard library has against a text, with what it allows beyond the RFC refused."""
    try:
        text = data.decode()
        if text.startswith("\ufeff"):
            return "a byte order mark"
        json.loads(text, parse_constant=_no_constant, parse_int=str, parse_float=str)
    except RecursionError:
        return "too deep"
    except ValueError as exc:
        return str(exc)
    if _depth(data) > NESTING_LIMIT:
        return "too deep"
    return _surrogates(text)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _surrogates(text: str) -> str | None:
    """Escapes of half a pair, in names as well as in values."""
    pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    written = json.dumps(pairs, ensure_ascii=False)
    return "a lone surrogate" if any("\ud800" <= each <= "\udfff" for each in written) else None


def _depth(data: bytes) -> int:
    """How deep brackets nest, letter by letter."""
    depth = most = 0
    inside = escaped = False
    for each in data.decode(errors="replace"):
        if inside:
            inside, escaped = each != '"' or escaped, each == "\\" and not escaped
        elif each == '"':
            inside = True
        else:
            depth += (each in "[{") - (each in "]}")
            most = max(most, depth)
    return most


def jsonpath(data: bytes) -> None:
    """A path finds something or is refused, in bounded time, whatever the document is."""
    path, _, body = data.decode("utf-8", "replace").partition("\0")
    try:
        document = parse(body) if body else DOCUMENT
    except BodyUnreadable:
        document = DOCUMENT
    try:
        found = compile_path(path).find(document)
    except PathInvalid:
        return
    dump(found)


def template(data: bytes) -> None:
    """A template is refused, fails with a place, or gives a text; within its budgets."""
    source, _, body = data.decode("utf-8", "replace").partition("\0")
    try:
        made = compile_template(source)
    except TemplateInvalid as exc:
        assert exc.report()
        return
    request = MappingRequest(
        body=body, headers={"X-Id": "7"}, query={"q": ["1", "2"]}, context={"requestId": "r"}
    )
    try:
        rendering = made.render(request, limits=_LIMITS)
    except MappingFault as exc:
        assert exc.line >= 1
        return
    assert len(rendering.text.encode("utf-8", "surrogatepass")) <= _LIMITS.output


def _timed(target: Target) -> Target:
    """The target, which also fails where it took far too long."""

    def run(data: bytes) -> None:
        begun = time.thread_time()
        target(data)
        spent = time.thread_time() - begun
        assert spent < _SLOW_S, f"took {spent:.1f} s"

    return run


TARGETS: Final[Mapping[str, Target]] = {
    name: _timed(target)
    for name, target in {
        "verifier": verifier,
        "envelope": envelope,
        "json": json_scan,
        "jsonpath": jsonpath,
        "template": template,
    }.items()
}


def an_event(**changes: Any) -> Event:
    """An event for a seed."""
    event = Event(
        id="AAECAwQFBgcICQoLDA0ODw",
        account="acme",
        flow="orders",
        received_at=1_795_380_000_123,
        content_type="application/json",
        data=b'{"a": [1, 1e400, "\\u00e9"]}',
        keys=("erp", "crm"),
        ttl=timedelta(hours=1),
        dedupe_id="d-1",
    )
    return replace(event, **changes)
