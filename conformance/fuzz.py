"""Generated cases, put to both engines; what differs is made small and told with its seed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from conformance.bodies import body, path
from conformance.engine import answer, difference, is_bounded
from conformance.known import reason
from conformance.oracle import BATCH, Case, Oracle, Result
from conformance.templates import template

TRIES: Final = 600  # questions to the oracle while a difference is made small
_REQUEST: Final[dict[str, Any]] = {
    "headers": {"h": "H", "p": "header"},
    "query": {"q": "1 2&"},
    "path": {"p": "path/x"},
}
_CONTEXT: Final = {"stage": "prod", "identity": {"sourceIp": "10.0.0.1"}, "authorizer": {"a": "1"}}
_ASKED: Final = ["$input.json($stageVariables.path)", "$input.path($stageVariables.path)"]
_READ: Final = ["$input.json('$')", "$input.path('$')", "$util.parseJson($input.body)"]


def _case(template: str, body: str, path: str = "$") -> Case:
    return {
        "template": template,
        "request": {**_REQUEST, "body": body},
        "context": _CONTEXT,
        "stage_variables": {"v": "V", "path": path},
    }


KINDS: Final[dict[str, Callable[[Random], Case]]] = {
    "templates": lambda rnd: _case(template(rnd), body(rnd)),
    "paths": lambda rnd: _case(rnd.choice(_ASKED), body(rnd), path(rnd)),
    "bodies": lambda rnd: _case(rnd.choice(_READ), body(rnd)),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference, as small as it could be made, and the seed that gives it again."""

    seed: int
    case: Case
    how: str

    def told(self) -> str:
        """For a person: the case and both results."""
        lines = [f"seed {self.seed}", f"template {json.dumps(self.case['template'])}"]
        lines.append(f"body     {json.dumps(self.case['request']['body'])}")
        lines.append(f"path     {json.dumps(self.case['stage_variables']['path'])}")
        return "\n".join([*lines, self.how])


@dataclass(slots=True)
class Tally:
    """How many cases were put to both, and how many the oracle fails, or a reason excuses."""

    cases: int = 0
    failing: int = 0
    excused: int = 0


def differences(kind: str, oracle: Oracle, *, seeds: range, tally: Tally) -> Iterator[Difference]:
    """One case per seed; each that differs is made small."""
    waiting = iter(seeds)
    while batch := list(islice(waiting, BATCH)):
        cases = [KINDS[kind](Random(seed)) for seed in batch]
        for seed, case, theirs in zip(batch, cases, list(oracle.ask_all(cases)), strict=True):
            tally.cases += 1
            tally.failing += "error" in theirs
            how = _how(case, theirs)
            if how is None:
                tally.excused += difference(answer(case), theirs) is not None
                continue
            small, how = _smaller(case, how, oracle)
            yield Difference(seed, small, how)


def _how(case: Case, theirs: Result) -> str | None:
    """How the two differ for no known reason, or None."""
    ours = answer(case)
    how = difference(ours, theirs)
    if how is None or is_bounded(ours) or reason(case, ours, theirs):
        return None
    return how


def _smaller(case: Case, how: str, oracle: Oracle) -> tuple[Case, str]:
    """The case with as much as possible cut from its template, body and path."""
    left = TRIES
    for part in ("template", "body", "path"):
        cut = 1 << max(len(_part(case, part)).bit_length() - 1, 0)
        while cut:
            at = 0
            while at < len(_part(case, part)) and left:
                text = _part(case, part)
                tried = _with(case, part, text[:at] + text[at + cut :])
                left -= 1
                found = _how(tried, oracle.ask(tried))
                if found is None:
                    at += cut
                else:
                    case, how = tried, found
            cut //= 2
    return case, how


def _part(case: Case, part: str) -> str:
    whole = {"template": case["template"], **case["request"], **case["stage_variables"]}
    return str(case["stage_variables"]["path"] if part == "path" else whole[part])


def _with(case: Case, part: str, text: str) -> Case:
    parts = {each: _part(case, each) for each in ("template", "body", "path")}
    return _case(**{**parts, part: text})
