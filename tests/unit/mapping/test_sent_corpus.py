"""Real templates and payloads: the direct path of API Gateway sends what the local door accepts.

Here both sides are rendered by our engine; `make conformance` asks Velocity for the other one.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from conformance.corpus import TEMPLATES, Named, corpus
from conformance.engine import answer
from conformance.sent import case_of, difference, request_of, written


@pytest.fixture(scope="module")
def cases() -> list[Named]:
    """All cases of the corpus."""
    named = os.environ.get("HOOKRACK_CORPUS")
    if not named:
        pytest.skip("HOOKRACK_CORPUS names no folder")
    return list(corpus(Path(named)))


@pytest.mark.timeout(300)
def test_every_template_and_payload_is_the_same_event(cases: list[Named]) -> None:
    """Data byte for byte, keys, time to live and dedupe id; or a dead letter where it is refused
    here.
    """
    assert len(cases) > 1_000
    wrong = {
        each.name: how
        for each in cases
        if (how := difference(each.case, answer(written(each.case)))) is not None
    }
    assert not wrong


def test_most_of_the_corpus_can_be_sent_directly(cases: list[Named]) -> None:
    """Few templates can't be written out, so that the test above says something."""
    kinds = Counter(written(each.case) is not each.case for each in cases)
    assert kinds[True] > 0.9 * kinds.total()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_difference_would_be_noticed(name: str) -> None:
    """A rendering with one letter more isn't taken for the same event."""
    one = case_of(
        TEMPLATES[name], request_of(b'{"action": "a", "sender": {"id": 7, "login": "x"}}')
    )
    sent = dict(answer(written(one)))
    assert difference(one, sent) is None
    sent["output"] += "A"
    assert difference(one, sent) is not None
