"""Models: what fits is taken, and the quick look says the same as the exact one."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.edge.schema import VIOLATIONS_SHOWN, Model

MANY = settings(deadline=None, max_examples=200)
# Numbers around where parsers differ: 53 and 64 bits, doubles, zeros with a sign, no fraction left.
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "-0.0", "1", "1.0", "1e2", "10e-1", "0.1", "1e400", "-1e400"),
        *("9007199254740993", "9007199254740992.5", "18446744073709551615"),
        *("18446744073709551616", "1" + "0" * 30, "1" + "0" * 30 + ".0", "9" * 5_000),
        *("999999999999999", "1000000000000000", "123456789012345.25", "0.1234567890123456789"),
    ]
)
SHAPES: list[Any] = [
    {"type": "integer"},
    {"type": "number"},
    {"not": {"type": "integer"}},
    {"not": {"type": "number"}},
    {"multipleOf": 2},
    {"not": {"multipleOf": 3}},
    {"maximum": 2**64},
    {"minimum": 2**64},
    {"enum": [0, 1, 100, 2**53 + 1]},
    {"not": {"enum": [0, 1, 100, 2**53, 2**64]}},
]


def exact(schema: object, body: bytes) -> bool:
    """Whether a body fits, by the way that reads every number whole."""
    value = json.loads(body, parse_int=lambda text: int(text) if len(text) < 4_000 else float(text))
    return not list(Model.compile(schema)._validator.iter_errors(value))


@MANY
@given(
    number=NUMBERS,
    shape=st.sampled_from(SHAPES),
    draft=st.sampled_from(["04", "07"]),
    form=st.sampled_from(["%s", '{"a":%s}', "[[%s]]", '{"a":"1234567890123456","b":[%s, 2]}']),
)
def test_the_quick_look_never_lets_in_more(
    number: str, shape: dict[str, Any], draft: str, form: str
) -> None:
    """Whatever a number is written like, a body fits if and only if it fits by exact reading."""
    deep: dict[str, Any] = {"additionalProperties": shape, "items": {"anyOf": [shape, {}]}}
    schema = {"$schema": f"http://json-schema.org/draft-{draft}/schema#", **shape, **deep}
    body = (form % number).encode()
    assert (not Model.compile(schema).violations(body)) == exact(schema, body)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"id": 1}', []),
        (b'{"id": "1"}', ["/id"]),
        (b'{"id": 9007199254740993}', []),
        (b'{"id": 1' + b"0" * 30 + b"}", []),
        (b'{"id": 1' + b"0" * 30 + b".5}", ["/id"]),
        (b'{"id": "x", "id": 1}', []),
        (b'{"id": 1, "id": "x"}', ["/id"]),
        (b'{"id": 1, "a/b~c": "x"}', ["/a~1b~0c"]),
        (b"[]", [""]),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_breaks_the_model_is_named(body: bytes, pointers: list[str]) -> None:
    """A violation names its place by RFC 6901; of a name that stands twice the last one counts."""
    shape = {"id": {"type": "integer"}, "a/b~c": {"type": "integer"}}
    model = Model.compile({"type": "object", "properties": shape})
    assert [each.pointer for each in model.violations(body)] == pointers


def test_a_bounded_number_of_violations_is_shown() -> None:
    """However much is wrong with a body, the answer stays small."""
    model = Model.compile({"items": {"type": "string"}})
    assert len(model.violations(json.dumps([1] * 500).encode())) == VIOLATIONS_SHOWN
