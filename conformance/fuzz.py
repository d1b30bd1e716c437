"""Generated cases, put to both engines; what differs is made small and told with its seed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from conformance.bodies import BODIES, PATHS
from conformance.engine import answer, difference, is_bounded
from conformance.known import reason
from conformance.oracle import Case, Oracle
from conformance.templates import TEMPLATES

ROUND: Final = 500  # cases between two differences that can be told
_REQUEST: Final[dict[str, Any]] = {
    "headers": {"h": "H", "p": "header"},
    "query": {"q": "1 2&"},
    "path": {"p": "path/x"},
}
_CONTEXT: Final = {"stage": "prod", "identity": {"sourceIp": "10.0.0.1"}, "authorizer": {"a": "1"}}


def _case(template: str, body: str, path: str) -> Case:
    return {
        "template": template,
        "request": {**_REQUEST, "body": body},
        "context": _CONTEXT,
        "stage_variables": {"v": "V", "path": path},
    }


PATH_CASES: Final = st.builds(
    _case,
    template=st.sampled_from(
        ["$input.json($stageVariables.path)", "$input.path($stageVariables.path)"]
    ),
    body=BODIES,
    path=PATHS,
)
BODY_CASES: Final = st.builds(
    _case,
    template=st.sampled_from(["$input.json('$')", "$input.path('$')", "$util.parseJson($input.body)"]),
    body=BODIES,
    path=st.just("$"),
)
TEMPLATE_CASES: Final = st.builds(_case, template=TEMPLATES, body=BODIES, path=st.just("$"))
KINDS: Final = {"templates": TEMPLATE_CASES, "paths": PATH_CASES, "bodies": BODY_CASES}


class _Differs(AssertionError):
    """A case that the two render differently."""

    def __init__(self, case: Case, how: str) -> None:
        super().__init__(how)
        self.case = case
        self.how = how


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference, as small as it could be made."""

    seed: int
    case: Case
    how: str

    def told(self) -> str:
        """For a person: the case, both results, and how to get it again."""
        request = self.case["request"]
        return "\n".join(
            [
                f"seed {self.seed}",
                f"template {json.dumps(self.case['template'])}",
                f"body     {json.dumps(request['body'])}",
                f"path     {json.dumps(self.case['stage_variables']['path'])}",
                self.how,
            ]
        )


@dataclass(slots=True)
class Tally:
    """How many cases were put to both, how many of them a known difference or a bound excused."""

    cases: int = 0
    failing: int = 0
    excused: int = 0


def differences(
    kind: str, oracle: Oracle, *, cases: int, first_seed: int, tally: Tally
) -> Iterator[Difference]:
    """Round after round, each with a seed of its own."""
    for number in range(-(-cases // ROUND)):
        one = first_seed + number
        check = _check(KINDS[kind], oracle, number=min(ROUND, cases - number * ROUND), tally=tally)
        try:
            seed(one)(check)()
        except _Differs as exc:
            yield Difference(one, exc.case, exc.how)


def _check(
    strategy: st.SearchStrategy[Case], oracle: Oracle, *, number: int, tally: Tally
) -> Callable[[], None]:
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(strategy)
    def check(case: Case) -> None:
        theirs, ours = oracle.ask(case), answer(case)
        tally.cases += 1
        tally.failing += "error" in theirs
        how = difference(ours, theirs)
        if how is None:
            return
        if is_bounded(ours) or reason(case, ours, theirs):
            tally.excused += 1
            return
        raise _Differs(case, how)

    return check
