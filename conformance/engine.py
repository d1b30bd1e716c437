"""Our engine, asked as the oracle is; and when two results are the same."""

import json
import re
from functools import lru_cache
from typing import Any, Final

from conformance.oracle import Case, Result

from hookrack.edge.mapping import (
    Limits,
    MappingFault,
    MappingRequest,
    Template,
    TemplateInvalid,
    compile_template,
)
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.jsonwrite import TooMuchText, dump

# What only we bound: such a case says nothing about the rules.
_BOUNDED: Final = re.compile(r"more than \d+|longer than \d+|nested too deep|too long|too many")
_UNTOUCHED: Final[dict[str, Any]] = {
    "requestOverride": {"path": {}, "header": {}, "querystring": {}},
    "responseOverride": {"header": {}},
}


@lru_cache(maxsize=16)
def compiled(template: str) -> Template:
    """A template, for as long as the next cases have the same one. Raises: TemplateInvalid."""
    return compile_template(template)


def answer(case: Case) -> Result:
    """What our engine makes of a case, in the oracle's words."""
    request = case.get("request") or {}
    asked = MappingRequest(
        body=request.get("body") or "",
        headers=request.get("headers") or {},
        query=request.get("query") or {},
        path=request.get("path") or {},
        context=case.get("context") or {},
        stage_variables=case.get("stage_variables") or {},
    )
    try:
        made = compiled(case["template"]).render(asked, limits=Limits(output=2**22))
    except (TemplateInvalid, MappingFault) as exc:
        return {"error": str(exc)}
    return {
        "output": made.text,
        "requestOverride": made.request_override,
        "responseOverride": made.response_override,
    }


def is_bounded(ours: Result) -> bool:
    """Whether a budget of ours ended the rendering."""
    return bool(_BOUNDED.search(ours.get("error", "")))


def difference(ours: Result, theirs: Result) -> str | None:
    """How two results differ, or None. That both fail is enough, whatever they say."""
    if "error" in ours or "error" in theirs:
        if ("error" in ours) == ("error" in theirs):
            return None
        return f"ours   {_told(ours)}\ntheirs {_told(theirs)}"
    if _units(ours["output"]) != _units(theirs["output"]):
        return f"ours   {ours['output']!r}\ntheirs {theirs['output']!r}"
    overridden, wanted = _overrides(ours), _overrides(theirs)
    if "requestOverride" in theirs and None is not overridden != wanted:
        return f"ours   {overridden}\ntheirs {wanted}"
    return None


def _told(result: Result) -> str:
    return f"fails: {result['error']}" if "error" in result else repr(result["output"])


def _units(text: str) -> bytes:
    """Text as Java has it, where two halves of a pair are one character."""
    return text.encode("utf-16-le", "surrogatepass")


def _overrides(result: Result) -> dict[str, Any] | None:
    """What the template overrode, as JSON; None where that can't be written as such."""
    try:
        return {
            name: json.loads(dump(result.get(name) or default, limit=2**20))
            for name, default in _UNTOUCHED.items()
        }
    except (TooMuchText, JavaException, ValueError):
        return None
