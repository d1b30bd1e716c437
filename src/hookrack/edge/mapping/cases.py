"""Trying a template out: a request written as JSON, what comes of it, and what was expected.

The shape is that of a case file and of `POST /v1/template/render`:

    name, template, templateFile, request {body, headers, query, path, contentType},
    context, stageVariables, expected | expectedJson | expectedError

A field that is null is left out, but for an expectedJson that is the only expectation.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hookrack.edge.mapping import Limits, MappingRequest
from hookrack.edge.mapping.trial import Trial, try_template

_EXPECTATIONS: Final = ("expected", "expectedJson", "expectedError")


class CaseInvalid(ValueError):  # noqa: N818 - named for what is the case
    """A case that can't be run, with the reason."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One trial of a template."""

    name: str
    source: str
    request: MappingRequest
    expectations: Mapping[str, Any]


def read_request(document: Mapping[str, Any]) -> MappingRequest:
    """What a template sees. Raises: CaseInvalid."""
    request = _mapping(document, "request")
    headers = _several(request, "headers")
    content_type = request.get("contentType")
    if content_type is not None and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = _text(content_type, "request.contentType")
    body = request.get("body", "")
    return MappingRequest(
        body="" if body is None else body if isinstance(body, str) else _as_json(body),
        headers=headers,
        query=_several(request, "query"),
        path=_several(request, "path"),
        context=_mapping(document, "context"),
        stage_variables=_mapping(document, "stageVariables"),
    )


def _read_case(document: object, *, files: Mapping[str, str], place: str) -> _Case:
    """One case. Raises: CaseInvalid."""
    if not isinstance(document, dict):
        raise CaseInvalid(f"{place} is no object")
    name = _text(document.get("name", place), f"{place}.name")
    if document.get("templateFile") is not None:
        file = _text(document["templateFile"], f"{place}.templateFile")
        if file not in files:
            raise CaseInvalid(f"{name}: {file} can't be read")
        source = files[file]
    elif document.get("template") is not None:
        source = _text(document["template"], f"{place}.template")
    else:
        raise CaseInvalid(f"{name} has neither template nor templateFile")
    given = {each: document[each] for each in _EXPECTATIONS if document.get(each) is not None}
    if not given and "expectedJson" in document:
        given = {"expectedJson": None}
    if not given:
        raise CaseInvalid(f"{name} needs one of {', '.join(_EXPECTATIONS)}")
    return _Case(name, source, read_request(document), given)


def judge(
    document: object, *, files: Mapping[str, str], place: str, limits: Limits
) -> dict[str, Any]:
    """The outcome of a case as a row: name, outcome, and where it failed expected and actual.

    `files` holds the texts that `templateFile` names; `place` is the name of a case without one.
    """
    try:
        case = _read_case(document, files=files, place=place)
    except CaseInvalid as exc:
        name = document.get("name", place) if isinstance(document, dict) else place
        return {"name": name, "outcome": "failed", "expected": None, "actual": f"error: {exc}"}
    tried = try_template(case.source, case.request, limits=limits)
    broken = [
        (kind, each) for kind, each in case.expectations.items() if not _holds(kind, each, tried)
    ]
    if not broken:
        return {"name": case.name, "outcome": "passed"}
    expected = broken[0][1]
    actual = tried.rendering.text if tried.rendering else f"error: {tried.fault}"
    return {"name": case.name, "outcome": "failed", "expected": expected, "actual": actual}


def _holds(kind: str, expected: Any, tried: Trial) -> bool:
    if kind == "expectedError":
        if tried.fault is None:
            return expected is False
        return expected is True or (isinstance(expected, str) and expected in str(tried.fault))
    if tried.rendering is None:
        return False
    if kind == "expected":
        return bool(tried.rendering.text == expected)
    try:
        return _are_alike(json.loads(tried.rendering.text), expected)
    except (ValueError, RecursionError):
        return False


def _are_alike(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON; true and 1 aren't, as they are to Python."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _are_alike(one[each], other[each]) for each in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_are_alike, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _mapping(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CaseInvalid(f"{name} is no object")
    return value


def _several(request: Mapping[str, Any], name: str) -> dict[str, str | list[str]]:
    """Names with one value or several."""
    found: dict[str, str | list[str]] = {}
    for key, value in _mapping(request, name).items():
        if isinstance(value, list):
            found[key] = [_text(each, f"request.{name}.{key}") for each in value]
        else:
            found[key] = _text(value, f"request.{name}.{key}")
    return found


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return _as_json(value)
    if not isinstance(value, str):
        raise CaseInvalid(f"{name} is no text")
    return value


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
