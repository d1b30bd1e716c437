"""The envelope, the one document that crosses the queue: written, read, and attacked."""

import base64
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.errors import Code, Poison
from hookrack.jsontext import find_json_fault, is_json_type
from hookrack.model import Event, decode_envelope, encode_envelope

MANY = settings(deadline=None, max_examples=100)
SOME = settings(deadline=None, max_examples=60)
LETTERS = "ABCXYZabcxyz0189"

# What a sender would write to break out of its own field.
SPLICES = [
    *(',"data":', ',"data":1}', '","id":"x', '"}', '"},{"v":1', r"\",\"id\":\"x", r"\u0022,"),
    *('"dataBase64":"', ',"keys":["evil"]', "\\", '"', "}", ',"data":{"a":1}}', ',"v":2,'),
    *("\n", "\u2028", "\0", "\x7f"),
]
TEXTS = st.one_of(
    st.text(max_size=10), st.lists(st.sampled_from(SPLICES), min_size=1, max_size=3).map("".join)
)
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
BLANKS = st.sampled_from(["", " ", "\n", "\r\n\t ", "  "])
DUPLICATES = st.just('{"data":1,"data":[{"id":2,"id":3}],"n":10000000000000000000000,"e":1e400}')
JSON_TEXTS = st.one_of(
    DUPLICATES,
    st.builds(
        lambda value, ascii_only, before, after: (
            before + json.dumps(value, ensure_ascii=ascii_only, indent=len(before) or None) + after
        ),
        JSON_VALUES,
        st.booleans(),
        BLANKS,
        BLANKS,
    ),
).map(str.encode)
DATA = {True: JSON_TEXTS, False: st.binary(max_size=30)}
IDS = st.text(alphabet=LETTERS + "_=-", min_size=1, max_size=64)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
KEYS = st.from_regex(r"[A-Za-z0-9_~:-][A-Za-z0-9._~:-]{0,9}", fullmatch=True)
JSON_TYPES = ["application/json", "text/json;charset=utf-8", 'a/b+json; x=","data":1}"']
OTHER_TYPES = ["text/plain", 'text/x; y=","id":"x', "application/octet-stream", "a/b;\\"]


@st.composite
def events(draw: st.DrawFn, data: st.SearchStrategy[bytes] | None = None) -> Event:
    """Any event that the front door lets in."""
    is_json = data is not None or draw(st.booleans())
    return Event(
        id=draw(IDS),
        account=draw(NAMES),
        flow=draw(NAMES),
        received_at=draw(st.integers(1, 2**47 - 1)),
        content_type=draw(st.sampled_from(JSON_TYPES if is_json else OTHER_TYPES)),
        data=draw(data if data is not None else DATA[is_json]),
        keys=draw(st.none() | st.lists(KEYS, min_size=1, max_size=4, unique=True).map(tuple)),
        ttl=draw(st.none() | st.integers(1, 10**10).map(lambda s: timedelta(seconds=s))),
        dedupe_id=draw(st.none() | TEXTS.filter(bool)),
    )


def members(event: Event) -> dict[str, str]:
    """The fields of an event's envelope, each as JSON text."""
    found: dict[str, Any] = json.loads(encode_envelope(event))
    texts = {name: json.dumps(value) for name, value in found.items() if name != "data"}
    if is_json_type(event.content_type):
        texts["data"] = event.data.decode().strip()
    return texts


def joined(named: Iterable[tuple[str, str]], blanks: str = "") -> bytes:
    """One JSON object of these members, with blanks wherever they may stand."""
    pairs = [f"{blanks}{json.dumps(name)}{blanks}:{blanks}{text}{blanks}" for name, text in named]
    return f"{blanks}{{{','.join(pairs)}}}{blanks}".encode()


def without_blanks(event: Event) -> Event:
    """The event as it is known when blanks around its data are the envelope's."""
    if not is_json_type(event.content_type):
        return event
    data = event.data.strip(b" \t\r\n")
    return Event(**{name: getattr(event, name) for name in Event.__slots__} | {"data": data})


def reason(body: bytes) -> Code | None:
    """Why an envelope is a dead letter, or None where it is read."""
    try:
        decode_envelope(body)
    except Poison as exc:
        return exc.code
    return None


GOOD = Event("a", "acme", "orders", 5, "application/json", b'{"n":1}')
HEAD = encode_envelope(GOOD).partition(b',"data":')[0]


@MANY
@given(event=events())
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    """Every event comes out of its envelope as it went in, its data byte for byte."""
    assert decode_envelope(encode_envelope(event)) == event


@MANY
@given(event=events())
def test_an_envelope_is_json_that_anybody_can_read(event: Event) -> None:
    """An envelope is one JSON object with the documented fields and no others."""
    body = encode_envelope(event)
    assert find_json_fault(body) is None
    found = json.loads(body, object_pairs_hook=list)
    optional = {"keys": event.keys, "ttl": event.ttl, "dedupeId": event.dedupe_id}
    assert [name for name, _ in found] == [
        *("v", "id", "account", "flow", "receivedAt", "contentType"),
        *(name for name, value in optional.items() if value is not None),
        "data" if is_json_type(event.content_type) else "dataBase64",
    ]


@MANY
@given(
    event=events(),
    order=st.randoms(use_true_random=False),
    unknown=st.dictionaries(TEXTS.map("x".__add__), JSON_VALUES, max_size=3),
    blanks=BLANKS,
)
def test_a_foreign_envelope_is_read_alike(
    event: Event, order: Any, unknown: dict[str, Any], blanks: str
) -> None:
    """Members may stand in any order, spaced anyhow, and unknown ones among them are ignored."""
    texts = members(event) | {name: json.dumps(value) for name, value in unknown.items()}
    named = list(texts.items())
    order.shuffle(named)
    body = joined(named, blanks)
    assert without_blanks(decode_envelope(body)) == without_blanks(event)


@SOME
@given(event=events(), data=st.data())
def test_a_name_that_stands_twice_is_refused(event: Event, data: st.DataObject) -> None:
    """Two members of one name make an envelope a dead letter, wherever they stand."""
    texts = members(event)
    name = data.draw(st.sampled_from(sorted(texts)))
    escaped = f'"\\u{ord(name[0]):04x}{name[1:]}"'
    spelt = data.draw(st.sampled_from([json.dumps(name), escaped]))
    parts = [f"{json.dumps(each)}:{text}" for each, text in texts.items()]
    parts.insert(data.draw(st.integers(0, len(parts))), f"{spelt}:{texts[name]}")
    assert reason(f"{{{','.join(parts)}}}".encode()) is Code.ENVELOPE_INVALID


@MANY
@given(splices=st.lists(st.sampled_from(SPLICES), min_size=1, max_size=4).map("".join))
def test_a_body_never_changes_another_field(splices: str) -> None:
    """Whatever a sender writes in body, content type or dedupe id stays there."""
    quoted = json.dumps(splices, ensure_ascii=False).encode()
    for data in (quoted, b"[%b]" % quoted, b"{%b:%b}" % (quoted, quoted)):
        event = Event("a", "acme", "orders", 5, "application/json", data, dedupe_id=splices)
        assert decode_envelope(encode_envelope(event)) == event
    event = Event("a", "acme", "orders", 5, "text/plain", splices.encode(), dedupe_id=splices)
    assert decode_envelope(encode_envelope(event)) == event


RAW = st.builds(
    lambda start, splices: (start + "".join(splices)).encode(),
    st.sampled_from(["", "1", "{}", '"x"', '"x', '{"a":1', "[1"]),
    st.lists(st.sampled_from(SPLICES), max_size=3),
)


@MANY
@given(event=events(data=RAW))
def test_what_the_front_door_lets_by_cannot_break_out(event: Event) -> None:
    """A raw body either has a fault, and is turned away, or comes out whole."""
    if find_json_fault(event.data) is None:
        assert decode_envelope(encode_envelope(event)) == event


PIECES = st.sampled_from(
    [
        *rb"""
" { } [ ] , : \ 1 - null "v":1 {} ,"data": "dataBase64":"MQ==", "keys":["a"], "x":{"data":1},
""".split(),
        *(b" ", b"\xff", b"\0"),
    ]
)


@MANY
@given(event=events(), data=st.data())
def test_a_damaged_envelope_is_read_or_refused(event: Event, data: st.DataObject) -> None:
    """Whatever stands in a queue is read, or refused with a reason; nothing else happens."""
    body = encode_envelope(event)
    for _ in range(data.draw(st.integers(1, 3))):
        at, drop = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 2))
        body = body[:at] + data.draw(PIECES) + body[at + drop :]
    found = reason(body)
    assert found in {
        *(None, Code.ENVELOPE_INVALID, Code.ENVELOPE_VERSION, Code.BODY_NOT_JSON, Code.KEYS_INVALID)
    }
    if found is None:
        assert find_json_fault(body) is None


def test_json_data_may_come_as_base64() -> None:
    """API Gateway sends JSON as dataBase64 too; it is read as the same event."""
    coded = base64.b64encode(GOOD.data)
    assert decode_envelope(HEAD + b',"dataBase64":"%b"}' % coded) == GOOD


def test_keys_named_twice_count_once() -> None:
    """A webhook key that an event names twice is one key."""
    assert decode_envelope(HEAD + b',"keys":["b","a","b"],"data":1}').keys == ("b", "a")


def test_null_is_as_good_as_left_out() -> None:
    """keys, ttl and dedupeId may be null."""
    event = decode_envelope(HEAD + b',"keys":null,"ttl":null,"dedupeId":null,"data":{"n":1}}')
    assert event == GOOD


@pytest.mark.parametrize(
    "version", ["0", "2", '"1"', "null", "true", "[1]", "1.5", "99999999999999999999"]
)
def test_an_unknown_version_is_refused(version: str) -> None:
    """Version 1 is read; any other is a dead letter that says so."""
    body = HEAD.replace(b'"v":1', b'"v":' + version.encode()) + b',"data":1}'
    assert reason(body) is Code.ENVELOPE_VERSION


MANY_KEYS = json.dumps([f"k{place}" for place in range(1_001)])


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("id", '""', Code.ENVELOPE_INVALID),
        ("id", '"a b"', Code.ENVELOPE_INVALID),
        ("id", f'"{"a" * 65}"', Code.ENVELOPE_INVALID),
        ("id", "5", Code.ENVELOPE_INVALID),
        ("account", '"Acme"', Code.ENVELOPE_INVALID),
        ("account", '"acme\\n"', Code.ENVELOPE_INVALID),
        ("account", "null", Code.ENVELOPE_INVALID),
        ("flow", '"../x"', Code.ENVELOPE_INVALID),
        ("flow", '["orders"]', Code.ENVELOPE_INVALID),
        ("receivedAt", "0", Code.ENVELOPE_INVALID),
        ("receivedAt", "-5", Code.ENVELOPE_INVALID),
        ("receivedAt", "1.5", Code.ENVELOPE_INVALID),
        ("receivedAt", "true", Code.ENVELOPE_INVALID),
        ("receivedAt", '"5"', Code.ENVELOPE_INVALID),
        ("receivedAt", str(2**47), Code.ENVELOPE_INVALID),
        ("receivedAt", "9" * 40, Code.ENVELOPE_INVALID),
        ("contentType", '"json"', Code.ENVELOPE_INVALID),
        ("contentType", '"a/b\\r\\nx: y"', Code.ENVELOPE_INVALID),
        ("contentType", "{}", Code.ENVELOPE_INVALID),
        ("ttl", "0", Code.TTL_INVALID),
        ("ttl", "-1", Code.TTL_INVALID),
        ("ttl", '"6h"', Code.TTL_INVALID),
        ("dedupeId", '""', Code.ENVELOPE_INVALID),
        ("dedupeId", "7", Code.ENVELOPE_INVALID),
        ("keys", '"erp"', Code.KEYS_INVALID),
        ("keys", "[]", Code.KEYS_INVALID),
        ("keys", '["erp",1]', Code.KEYS_INVALID),
        ("keys", '[".."]', Code.KEYS_INVALID),
        ("keys", '["a b"]', Code.KEYS_INVALID),
        ("keys", MANY_KEYS, Code.KEYS_INVALID),
    ],
    ids=lambda value: str(value)[:16],
)
@pytest.mark.parametrize("data_last", [True, False])
def test_a_bad_field_is_named(name: str, value: str, code: Code, data_last: bool) -> None:
    """A field that can't be used makes the envelope a dead letter that says which one it is."""
    texts = members(GOOD) | {name: value}
    data = texts.pop("data")
    named = [*texts.items(), ("data", data)] if data_last else [("data", data), *texts.items()]
    with pytest.raises(Poison, match=name) as caught:
        decode_envelope(joined(named))
    assert caught.value.code is code


@pytest.mark.parametrize("name", ["v", "id", "account", "flow", "receivedAt", "contentType"])
def test_a_missing_field_is_named(name: str) -> None:
    """An envelope without one of its fields is a dead letter that says which one."""
    texts = {n: t for n, t in members(GOOD).items() if n != name}
    with pytest.raises(Poison, match=f"'{name}' is missing"):
        decode_envelope(joined(texts.items()))


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        pytest.param("}", Code.ENVELOPE_INVALID, id="no-data"),
        pytest.param(',"data":1,"dataBase64":"MQ=="}', Code.ENVELOPE_INVALID, id="both-data"),
        pytest.param(',"dataBase64":"MQ==","data":1}', Code.ENVELOPE_INVALID, id="both-data-last"),
        pytest.param(',"dataBase64":"M"}', Code.ENVELOPE_INVALID, id="cut-base64"),
        pytest.param(',"dataBase64":"M Q="}', Code.ENVELOPE_INVALID, id="blank-in-base64"),
        pytest.param(',"dataBase64":"\u00e9"}', Code.ENVELOPE_INVALID, id="letters-in-base64"),
        pytest.param(',"dataBase64":5}', Code.ENVELOPE_INVALID, id="number-as-base64"),
        pytest.param(',"dataBase64":null}', Code.ENVELOPE_INVALID, id="null-as-base64"),
        pytest.param(',"dataBase64":"e30"}', Code.ENVELOPE_INVALID, id="unpadded-base64"),
        pytest.param(',"dataBase64":""}', Code.BODY_NOT_JSON, id="empty-json"),
        pytest.param(',"dataBase64":"ew=="}', Code.BODY_NOT_JSON, id="broken-json"),
        pytest.param(',"data":{}}', None, id="good"),
        pytest.param(',"data":{}', Code.ENVELOPE_INVALID, id="cut-off"),
        pytest.param(',"data":{}} x', Code.ENVELOPE_INVALID, id="something-behind"),
        pytest.param(',"data":}', Code.ENVELOPE_INVALID, id="empty-data"),
        pytest.param(',"data":NaN}', Code.ENVELOPE_INVALID, id="constant"),
        pytest.param(',"data":"\\ud800"}', Code.ENVELOPE_INVALID, id="lone-surrogate"),
        pytest.param(f',"data":{"[" * 1_001}{"]" * 1_001}}}', Code.ENVELOPE_INVALID, id="too-deep"),
    ],
)
def test_the_data_is_there_once_and_whole(tail: str, code: Code | None) -> None:
    """An envelope has data or dataBase64, and JSON under a JSON type is JSON."""
    assert reason(HEAD + tail.encode()) is code


def test_data_that_is_no_json_comes_as_base64() -> None:
    """Data in the bare needs a JSON content type."""
    body = HEAD.replace(b"application/json", b"text/plain") + b',"data":"x"}'
    assert reason(body) is Code.ENVELOPE_INVALID


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"hello",
        b'"{}"',
        b"\x00",
        b"\xff\xfe",
        b"{" * 100_000,
        b'{"v":1}',
    ],
    ids=lambda body: repr(body[:10]),
)
def test_what_is_no_envelope_is_refused(body: bytes) -> None:
    """Anything can stand in a queue; what is no envelope is a dead letter with a reason."""
    assert reason(body) is Code.ENVELOPE_INVALID


BAD_HEADS = {
    "constant": HEAD + b',"x":NaN',
    "lone-surrogate": HEAD + b',"dedupeId":"\\ud800"',
    "encoded-surrogate": HEAD + b',"dedupeId":"\xed\xa0\x80"',
    "byte-order-mark": b"\xef\xbb\xbf" + HEAD,
    "utf-16": HEAD.decode().encode("utf-16-be") + b"\0",
}


@pytest.mark.parametrize("head", BAD_HEADS.values(), ids=BAD_HEADS)
def test_all_of_an_envelope_is_json(head: bytes) -> None:
    """What is no JSON before the data is as bad as behind it."""
    assert reason(head + b',"data":1}') is Code.ENVELOPE_INVALID


@pytest.mark.parametrize("seconds", [10**14, 2**47 - 1])
def test_a_ttl_of_any_length_is_read_or_refused(seconds: int) -> None:
    """A ttl beyond all bounds is capped later or refused now, and is no bug's doing."""
    assert reason(HEAD + b',"ttl":%d,"data":1}' % seconds) in {None, Code.TTL_INVALID}
