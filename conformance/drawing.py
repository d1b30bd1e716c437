"""The same cases as hypothesis draws them, who makes what differs simpler, draw by draw."""

import json

from conformance.fuzz import KINDS
from conformance.oracle import Case, Oracle
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import randoms


class Differs(AssertionError):  # noqa: N818 - what it says
    """A case that the engines don't agree on: the simplest that was found."""


def check_drawn(kind: str, oracle: Oracle, *, cases: int, start: int) -> None:
    """Put so many cases to both engines; `start` gives the same ones again. Raises: Differs."""
    own = KINDS[kind]

    @seed(start)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(randoms(use_true_random=False).map(own.make))
    def check(case: Case) -> None:
        how, is_excused = own.compare(case, oracle.ask(own.asked(case)))
        if how is not None and not is_excused:
            raise Differs(f"{json.dumps(case)}\n{how}")

    check()
