"""Slow and vanishing clients in numbers. The same as chaos/slow.py and chaos/cancel.py, smaller."""

import pytest
from chaos import cancel, slow


@pytest.mark.slow
async def test_a_slow_crowd_fails_no_honest_sender() -> None:
    """Beside sockets that dribble or are silent, and come again, every request is taken in time."""
    report = await slow.run(400, seconds=2, pairs=1)
    assert report.failures == []
    assert report.connected >= 380
    assert len(report.crowded[0]) == 2 * slow.PACE
    assert slow.p99(report.crowded[0]) < 2_000


@pytest.mark.slow
async def test_nobody_sees_bytes_of_another_account() -> None:
    """Clients of many accounts hang up in mid-request: what others get is theirs alone."""
    report = await cancel.run(1_500, accounts=20, seed=20261124)
    assert report.foreign == []
    assert report.failures == []
    assert report.cancelled >= 1_500
    assert report.words > 500


def test_a_foreign_word_would_be_told() -> None:
    """An answer with another account's word in it is a finding, whatever stands around it."""
    report = cancel.Report()
    own = cancel.Account("a", f"own-{'1' * 24}", "t")
    got = b'HTTP/1.1 200 OK\r\n\r\n{"word": "own-%b"}{"word": "own-%b"}' % (b"1" * 24, b"2" * 24)
    cancel._judge(own, got, 3, report, whole=False)
    assert report.foreign == [f"a saw own-{'2' * 24}"]
    assert (report.cancelled, report.words) == (2, 2)
