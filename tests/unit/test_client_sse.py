"""Server-sent events cut out of a stream of bytes, however it arrives."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrack.client.errors import ServerFault
from hookrack.client.sse import EVENT_BYTES, Event, Events

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


def test_an_event_without_end_is_refused() -> None:
    """What a stream may make a reader hold has a bound."""
    events = Events()
    piece = b"data: " + b"x" * (EVENT_BYTES // 4)
    for _ in range(3):
        assert events.feed(piece) == []
    with pytest.raises(ServerFault):
        events.feed(piece)
