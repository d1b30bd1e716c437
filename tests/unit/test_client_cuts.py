"""What the client cuts: events out of a stream of bytes, items out of an array."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrack.client.errors import ServerFault
from hookrack.client.sse import EVENT_BYTES, Event, Events
from hookrack.jsontext import split_items

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)

STREAM = (
    b'retry: 1000\n\nid: a\ndata: {"n":\ndata:  1}\n\n'
    b":\n\nevent: closed\ndata: {}\n\nid: b\ndata: cut"
)
WHOLE = [Event("a", "", b'{"n":\n 1}'), Event("", "closed", b"{}")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_pieces_don_t_matter(cuts: list[int]) -> None:
    """However the bytes are cut, the same events come out; what isn't whole never does."""
    places = [0, *sorted(cuts), len(STREAM)]
    events = Events()
    found = [event for start, end in pairwise(places) for event in events.feed(STREAM[start:end])]
    assert found == WHOLE


@given(st.lists(JSON), st.sampled_from([None, 1]))
def test_items_are_cut_as_they_are_written(items: list[object], indent: int | None) -> None:
    """The items of an array come as the text they were written in, whatever stands between."""
    texts = [json.dumps(item, indent=indent).encode() for item in items]
    assert split_items(b" [ " + b" ,\n".join(texts) + b"]\t") == texts


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[", b"[1", b"[1,]", b"[,1]", b"[1 2]", b"[1]]", b"[1] 2", b'["]', b"[nul]"],
)
def test_what_is_no_array_is_refused(text: bytes) -> None:
    """A text that is no JSON array is a ValueError."""
    with pytest.raises(ValueError, match="byte"):
        split_items(text)


def test_an_event_without_end_is_refused() -> None:
    """What a stream may make a reader hold has a bound."""
    events = Events()
    piece = b"data: " + b"x" * (EVENT_BYTES // 4)
    for _ in range(3):
        assert events.feed(piece) == []
    with pytest.raises(ServerFault):
        events.feed(piece)
