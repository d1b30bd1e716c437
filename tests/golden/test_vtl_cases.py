"""Templates against what API Gateway printed for them: the recorded cases, and a few of our own."""

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from hookrack.edge.mapping import (
    MappingFault,
    MappingRequest,
    Rendering,
    TemplateInvalid,
    compile_template,
)
from hookrack.edge.mapping.gateway import ResponseType, missing_parameters, response
from hookrack.edge.mapping.select import PassThrough, Passthrough, Transform, select
from hookrack.edge.schema import Model

OWN: Final = Path(__file__).parent / "cases.json"
CORPUS: Final = os.environ.get("HOOKRACK_CORPUS")
RECORDED: Final = Path(CORPUS or "/nowhere") / "vtl_cases.json"
Case = dict[str, Any]


def cases(path: Path) -> list[Case]:
    """The cases of a file, or none if it isn't there."""
    found: list[Case] = json.loads(path.read_text()) if path.exists() else []
    return found


def of_kind(kind: str) -> list[Case]:
    """The recorded cases of one kind."""
    return [each for each in cases(RECORDED) if each["kind"] == kind]


def name(case: Case) -> str:
    """A case as a test report shows it."""
    return str(case["name"])


def rendered(case: Case) -> Rendering:
    """What our engine makes of a case."""
    given = case.get("request") or {}
    request = MappingRequest(
        given.get("body") or "",
        headers=given.get("headers") or {},
        query=given.get("query") or {},
        path=given.get("path") or {},
        context=case.get("context") or {},
        stage_variables=case.get("stage_variables") or {},
    )
    return compile_template(case["template"]).render(request)


def includes(found: Any, wanted: Any) -> bool:
    """Whether a map has every key of another, each with its value."""
    if not isinstance(wanted, dict):
        return bool(found == wanted)
    return all(key in found and includes(found[key], each) for key, each in wanted.items())


def holds(case: Case) -> bool:
    """Whether our engine gives what a case expects."""
    try:
        found = rendered(case)
    except (MappingFault, TemplateInvalid):
        return bool(case["compare"] == "error")
    overrides = [
        (found.request_override, case.get("expected_request_override") or {}),
        (found.response_override, case.get("expected_response_override") or {}),
    ]
    if not all(includes(map_, wanted) for map_, wanted in overrides):
        return False
    if case["compare"] == "exact":
        return bool(found.text == case["expected_output"])
    if case["compare"] == "json":
        return bool(json.loads(found.text) == case["expected_json"])
    wanted = case.get("expected_output", "")
    return bool(found.text.split() == wanted.split())


@pytest.mark.parametrize("case", cases(OWN), ids=name)
def test_a_template_prints_what_api_gateway_prints(case: Case) -> None:
    """Each rule that people trip over holds, white space included."""
    assert rendered(case).text == case["expected_output"]


@pytest.mark.skipif(not RECORDED.exists(), reason="HOOKRACK_CORPUS names no recorded cases")
def test_what_aws_recorded_or_documents_comes_out_exactly() -> None:
    """Every rendering recorded on AWS, and every one of its documents, is ours too."""
    known = [each for each in of_kind("render") if each["aws_validated"] or is_documented(each)]
    assert len(known) > 100
    assert not [name(each) for each in known if not holds(each)]


def is_documented(case: Case) -> bool:
    """Whether AWS's documents say what comes out."""
    return bool(case["confidence"] == "aws-doc")


@pytest.mark.skipif(not RECORDED.exists(), reason="HOOKRACK_CORPUS names no recorded cases")
def test_what_the_engine_itself_gives_comes_out() -> None:
    """Of the renderings that only the engine's own libraries vouch for, 98 in 100 are ours."""
    others = [each for each in of_kind("render") if not each["aws_validated"]]
    wrong = [name(each) for each in others if not holds(each)]
    assert len(wrong) <= len(others) * 0.02, wrong


@pytest.mark.parametrize("case", of_kind("select"), ids=name)
def test_a_template_is_chosen_as_on_api_gateway(case: Case) -> None:
    """Type, default and passthrough decide as recorded; refusing says 415."""
    found = select(
        case["templates"],
        case["request"]["content_type"],
        passthrough=Passthrough[case["passthrough_behavior"]],
    )
    wanted = case["expected"]
    if isinstance(found, Transform):
        assert (wanted["action"], wanted["output"]) == ("transform", found.template)
    elif isinstance(found, PassThrough):
        assert wanted["action"] == "passthrough"
    else:
        refusal = response(ResponseType.UNSUPPORTED_MEDIA_TYPE)
        assert wanted["action"] == "reject"
        assert (wanted["status"], wanted["message"]) == (refusal.status, refusal.message)


@pytest.mark.parametrize("case", of_kind("validate"), ids=name)
def test_a_request_is_validated_as_on_api_gateway(case: Case) -> None:
    """Missing parameters come first, in one message; then the body against its model."""
    given = case["request"]
    found = missing_parameters(
        case["required_parameters"],
        headers=given["headers"],
        path=given["path"],
        query=given["query"],
    )
    model = case["models"].get(given["content_type"])
    if found is None and model is not None:
        body = (given["body"] or "{}").encode()
        if Model.compile(model).violations(body):
            found = response(ResponseType.BAD_REQUEST_BODY)
    wanted = case["expected"]
    assert (found.status if found else 200) == wanted["status"]
    if found is not None:
        assert found.type.name == wanted["response_type"]
        assert json.loads(found.body()) == wanted["body"]
