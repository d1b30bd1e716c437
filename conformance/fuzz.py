"""Generated cases, put to both engines; what differs is made small and told with its seed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from conformance import sent
from conformance.bodies import body, path
from conformance.engine import answer, difference, is_bounded
from conformance.known import reason
from conformance.oracle import BATCH, Case, Oracle, Result
from conformance.templates import template
from conformance.typed import typed

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


def _rendered(case: Case, theirs: Result) -> tuple[str | None, bool]:
    """How the two renderings differ, and whether that is known or ours to bound."""
    ours = answer(case)
    how = difference(ours, theirs)
    return how, how is not None and (is_bounded(ours) or reason(case, ours, theirs) is not None)


def _sent(case: Case, theirs: Result) -> tuple[str | None, bool]:
    """The same for what a template sends that is written out for API Gateway."""
    how = sent.difference(case, theirs)
    return how, how is not None and reason(case, answer(case), theirs) is not None


@dataclass(frozen=True, slots=True)
class Kind:
    """What is generated, what the oracle is asked of it, and how the results are compared."""

    make: Callable[[Random], Case]
    asked: Callable[[Case], Case] = lambda case: case
    compare: Callable[[Case, Result], tuple[str | None, bool]] = _rendered


KINDS: Final[dict[str, Kind]] = {
    "templates": Kind(lambda rnd: _case(template(rnd), body(rnd))),
    "typed": Kind(lambda rnd: _case(typed(rnd), body(rnd))),
    "paths": Kind(lambda rnd: _case(rnd.choice(_ASKED), body(rnd), path(rnd))),
    "bodies": Kind(lambda rnd: _case(rnd.choice(_READ), body(rnd))),
    "sent": Kind(sent.case, sent.written, _sent),
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
        lines.append(f"path     {json.dumps(_part(self.case, 'path'))}")
        return "\n".join([*lines, self.how])


@dataclass(slots=True)
class Tally:
    """How many cases were put to both, and how many the oracle fails, or a reason excuses."""

    cases: int = 0
    failing: int = 0
    excused: int = 0


def differences(kind: str, oracle: Oracle, *, seeds: range, tally: Tally) -> Iterator[Difference]:
    """One case per seed; each that differs is made small."""
    own = KINDS[kind]
    waiting = iter(seeds)
    while batch := list(islice(waiting, BATCH)):
        cases = [own.make(Random(seed)) for seed in batch]
        results = list(oracle.ask_all(map(own.asked, cases)))
        for seed, case, theirs in zip(batch, cases, results, strict=True):
            tally.cases += 1
            tally.failing += "error" in theirs
            how, is_excused = own.compare(case, theirs)
            tally.excused += is_excused
            if how is not None and not is_excused:
                small, how = _smaller(case, how, kind=own, oracle=oracle)
                yield Difference(seed, small, how)


def _smaller(case: Case, how: str, *, kind: Kind, oracle: Oracle) -> tuple[Case, str]:
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
                found, is_excused = kind.compare(tried, oracle.ask(kind.asked(tried)))
                if found is None or is_excused:
                    at += cut
                else:
                    case, how = tried, found
            cut //= 2
    return case, how


def _part(case: Case, part: str) -> str:
    if part == "path":
        return str(case["stage_variables"].get("path", ""))
    return str(case["template"] if part == "template" else case["request"][part])


def _with(case: Case, part: str, text: str) -> Case:
    """The case with one part of it changed."""
    if part == "path":
        return {**case, "stage_variables": {**case["stage_variables"], "path": text}}
    if part == "body":
        return {**case, "request": {**case["request"], "body": text}}
    return {**case, "template": text}
