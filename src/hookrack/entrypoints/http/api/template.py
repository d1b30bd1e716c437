"""Trying a mapping template out by HTTP; nothing is kept."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body

from hookrack.cpu_time import LIMITS
from hookrack.edge.mapping.cases import CaseInvalid, read_request
from hookrack.edge.mapping.trial import try_template
from hookrack.entrypoints.http.api.caller import Admin
from hookrack.errors import Code, Rejected

router = APIRouter(prefix="/v1/template", tags=["templates"])
_Trial = Annotated[
    dict[str, Any],
    Body(
        description="template (the text), request {body, headers, query, path, contentType}, "
        "context, stageVariables"
    ),
]


@router.post("/render")
async def render_template(*, trial: _Trial, token: Admin) -> dict[str, Any]:
    """What a template makes of a request: output or error, and a trace of its references."""
    del token
    source = trial.get("template")
    if not isinstance(source, str):
        raise Rejected(Code.QUERY_INVALID, "The field template has to be the template's text.")
    try:
        request = read_request(trial)
    except CaseInvalid as exc:
        raise Rejected(Code.QUERY_INVALID, f"The trial can't be run: {exc}.") from exc
    tried = await asyncio.to_thread(try_template, source, request, limits=LIMITS)
    return tried.document()
