"""Cases of a template: what counts as an expectation, and when it holds."""

from typing import Any

import pytest

from hookrack.edge.mapping import Limits
from hookrack.edge.mapping.cases import judge


def outcome(**case: Any) -> str:
    """How a case named `fails` ends."""
    return str(judge({"name": "fails", **case}, files={}, place="", limits=Limits())["outcome"])


@pytest.mark.parametrize(
    ("template", "expectations"),
    [
        ("a", {"expected": "a", "expectedError": None}),
        ("a", {"expected": "a", "expectedError": False}),
        ("a", {"expected": "a", "expectedJson": None}),
        ("#if", {"expected": None, "expectedError": True}),
        ("null", {"expectedJson": None}),
        ("[1]", {"expected": "[1]", "expectedJson": [1.0]}),
        ('{"b": 1, "a": [true, null]}', {"expectedJson": {"a": [True, None], "b": 1}}),
    ],
)
def test_every_expectation_that_is_given_holds(template: str, expectations: dict[str, Any]) -> None:
    """Several may be given, and one that is null is none."""
    assert outcome(template=template, templateFile=None, **expectations) == "passed"


@pytest.mark.parametrize(
    ("template", "expectations"),
    [
        ("[1]", {"expected": "[1]", "expectedJson": [2]}),
        ("[true]", {"expectedJson": [1]}),
        ('{"a": 0}', {"expectedJson": {"a": False}}),
        ("#if", {"expectedError": "fails"}),
        ("a", {"expected": "a", "expectedError": True}),
        ("a", {}),
        ("a", {"expected": None}),
    ],
)
def test_a_case_fails_where_one_does_not_hold(template: str, expectations: dict[str, Any]) -> None:
    """True isn't 1; the name of a case is no part of its error; nothing expected is no case."""
    assert outcome(template=template, **expectations) == "failed"
