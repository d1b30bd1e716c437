"""Whose an envelope is, told of good ones, bad ones, and what is none."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.heads import Head, glance_at_head, read_head, time_of_event_id
from hookrack.model import Event, encode_envelope, new_event_id

ENVELOPE = encode_envelope(Event("e=-_1", "acme", "orders", 5, "application/json", b'{"a": 1}'))
HEAD = Head("e=-_1", "acme", "orders")


def test_an_envelope_of_ours_tells_whose_it_is() -> None:
    """Both ways of looking find the head of an envelope."""
    assert read_head(ENVELOPE) == HEAD
    assert glance_at_head(ENVELOPE) == HEAD


def test_an_envelope_tells_when_it_was_received() -> None:
    """The time is told where it is one that can be written as a date, else it is left out."""
    for look in (read_head, glance_at_head):
        for digits, told in ((b"5", 5), (b"9" * 14, int("9" * 14)), (b"9" * 15, None)):
            head = look(ENVELOPE.replace(b'"receivedAt":5', b'"receivedAt":' + digits))
            assert head is not None
            assert head.received_at == told


@pytest.mark.parametrize(
    "body",
    [
        ENVELOPE.replace(b'"v":1', b'"v":2'),
        ENVELOPE.replace(b'"data":', b'"keys":["a b"],"data":'),
        ENVELOPE.replace(b"receivedAt", b"received"),
        b' {"flow" : "orders", "id":"e=-_1" , "account": "acme"} ',
        b'{"id":"e=-_1","account":"\\u0061cme","flow":"orders","data":[[1e999]]}',
    ],
)
def test_a_head_is_read_even_if_the_rest_is_no_use(body: bytes) -> None:
    """Id, account and flow are known wherever the message is an object that has them."""
    assert read_head(body) == HEAD


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff",
        b"[]",
        b"{}",
        ENVELOPE[:-1],
        ENVELOPE + b"x",
        b'{"id":"a","account":"acme"}',
        b'{"id":7,"account":"acme","flow":"orders"}',
        b'{"id":' + b"[" * 900 + b"]" * 900 + b',"account":"acme","flow":"orders"}',
        b'{"id":' + b"9" * 5000 + b',"account":"acme","flow":"orders"}',
        b'{"id":"a b","account":"acme","flow":"orders"}',
        b'{"id":"a","account":"ACME","flow":"orders"}',
        b'{"id":"a","id":"b","account":"acme","flow":"orders"}',
    ],
)
def test_what_is_no_envelope_has_no_head(body: bytes) -> None:
    """Anything else belongs to nobody."""
    assert read_head(body) is None


def test_a_glance_parses_nothing() -> None:
    """A glance tells the head of a message of our form, whatever follows it."""
    assert glance_at_head(ENVELOPE[:60] + b"\xff" * 10) == HEAD
    assert glance_at_head(b" " + ENVELOPE) is None
    assert glance_at_head(b"") is None


@settings(deadline=None, max_examples=300)
@given(body=st.binary(max_size=80))
def test_no_bytes_are_too_strange(body: bytes) -> None:
    """Whatever comes over the queue, looking at it raises nothing."""
    assert read_head(body) is None
    assert glance_at_head(body) is None


@given(now=st.integers(0, 2**48 - 1))
def test_an_id_of_ours_tells_its_time(now: int) -> None:
    """The time that went into an id comes out of it."""
    assert time_of_event_id(new_event_id(now)) == now


def test_a_foreign_id_tells_no_time() -> None:
    """Ids of another form have no time in them."""
    assert time_of_event_id(new_event_id(time.time_ns() // 1_000_000) + "=") is None
    assert time_of_event_id("Jm5kEEtPIAMF4Zw=") is None
    assert time_of_event_id("") is None
