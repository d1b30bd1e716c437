"""The mapping engine against Velocity 1.7 itself: a short round of what `make conformance` runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance import oracle as second
from conformance.corpus import corpus, misses
from conformance.drawing import check_drawn
from conformance.engine import answer, difference
from conformance.fuzz import KINDS, Tally, differences
from conformance.oracle import Oracle, running

CASES = {"templates": 1_200, "typed": 600, "paths": 1_500, "bodies": 1_500, "sent": 600}
DRAWN = 300
CLEAN = ("templates", "paths", "bodies")  # a long round finds nothing in these


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """The oracle; in CI it has to be there."""
    absent = second.missing()
    if absent:
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
    with running() as started:
        yield started


def test_the_oracle_is_velocity(oracle: Oracle) -> None:
    """It renders, and it notices a template that is none: so agreeing with it says something."""
    case = {"template": "$input.json('$.a')", "request": {"body": "{a:[1,'x/y',]}"}}
    assert oracle.ask(case)["output"] == '[1,"x/y"]'
    assert "ParseException" in oracle.ask({"template": "#if("})["error"]
    wrong = difference(answer(case), {"output": "[1]"})
    assert wrong is not None


def test_overrides_are_compared(oracle: Oracle) -> None:
    """What a template overrides is part of what both have to agree on."""
    case = {"template": "#set($context.requestOverride.header.h = 'a')", "request": {}}
    assert difference(answer(case), oracle.ask(case)) is None
    other = {**case, "template": "#set($context.requestOverride.header.h = 'b')"}
    assert difference(answer(case), oracle.ask(other)) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_generated_cases_render_alike(kind: str, oracle: Oracle) -> None:
    """Templates, paths and bodies, well and ill-formed, come out of both the same."""
    tally = Tally()
    found = list(differences(kind, oracle, seeds=range(CASES[kind]), tally=tally))
    assert not found, "\n".join(each.told() for each in found)
    assert tally.cases == CASES[kind]
    assert tally.failing < tally.cases * 0.7, "too many cases that only fail say little"


@pytest.mark.parametrize("kind", CLEAN)
def test_drawn_cases_render_alike(kind: str, oracle: Oracle) -> None:
    """The same as hypothesis draws them, which makes a difference simple."""
    check_drawn(kind, oracle, cases=DRAWN, start=1)


def test_the_corpus_is_sent_as_it_is_accepted(oracle: Oracle) -> None:
    """What API Gateway would send of a sample of real templates and payloads, rendered by Velocity,
    is the event that the local door makes of them; `make conformance` asks for all.
    """
    named = os.environ.get("HOOKRACK_CORPUS")
    if not named:
        pytest.skip("HOOKRACK_CORPUS names no folder")
    sample = list(corpus(Path(named)))[::7]
    assert len(sample) > 100
    assert not list(misses(sample, oracle))
