"""The recorded cases, put to both: the oracle has to know them all, and our engine as well."""

import json
from collections.abc import Iterator
from pathlib import Path

from conformance.engine import answer
from conformance.oracle import Case, Oracle, Result


def load(path: Path) -> list[Case]:
    """The cases that render a template."""
    return [case for case in json.loads(path.read_text()) if case["kind"] == "render"]


def misses(cases: list[Case], oracle: Oracle) -> Iterator[tuple[str, str, str]]:
    """Name, who, and how: every case that one of the two doesn't render as expected."""
    for case, theirs in zip(cases, oracle.ask_all(cases), strict=True):
        for who, result in (("oracle", theirs), ("engine", answer(case))):
            if not is_expected(case, result):
                wanted = case.get("expected_output", case.get("expected_json"))
                said = result.get("output", result.get("error"))
                yield case["name"], who, f"{said!r}, expected {wanted!r}"


def is_expected(case: Case, result: Result) -> bool:
    """Whether the result is what the case expects, by its own way of comparing."""
    if case["compare"] == "error":
        return "error" in result
    if "error" in result:
        return False
    output = result["output"]
    if case["compare"] == "json":
        try:
            wanted = (
                case["expected_json"]
                if "expected_json" in case
                else json.loads(case["expected_output"])
            )
            return bool(json.loads(output) == wanted)
        except ValueError:
            return False
    expected = case["expected_output"]
    if case["compare"] == "collapse_whitespace":
        return "".join(output.split()) == "".join(expected.split())
    return bool(output == expected)
