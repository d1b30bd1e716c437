"""What becomes of an admitted request's body: checked, and mapped where the flow has a template."""

from collections.abc import Callable
from dataclasses import replace

from hookrack.edge.dedupe import nobody
from hookrack.edge.mapping import Limits, Template
from hookrack.edge.mapping.step import FlowMapping
from hookrack.edge.schema import Model
from hookrack.errors import Code, Rejected
from hookrack.flows import Flow
from hookrack.jsontext import is_json_type, read_json
from hookrack.model import Event, Request, is_content_type


def check_and_map(
    request: Request,
    flow: Flow,
    *,
    event_id: str,
    limits: Limits,
    delivery: Callable[[], str | None] = nobody,
) -> Event:
    """The event of a request: its body as it is, or what the flow's template makes of it.

    `delivery` tells what its sender calls it. Raises: Rejected.
    """
    mapping = flow.mapping
    template = None if mapping is None else _choose(mapping, request.content_type)
    if mapping is None or template is None:
        check_body(request.content_type, request.body, model=flow.model)
        if not flow.keys:
            raise Rejected(Code.KEYS_INVALID, "No template ran, and the flow has no webhook keys.")
        return Event(
            id=event_id,
            account=request.account,
            flow=request.flow,
            received_at=request.received_at,
            content_type=request.content_type,
            data=request.body,
            dedupe_id=flow.dedupe.find(request, delivery),
        )
    if flow.model is not None and is_json_type(request.content_type):
        check_body(request.content_type, request.body or b"{}", model=flow.model)
    event = mapping.apply(template, request, event_id=event_id, limits=limits)
    if event.dedupe_id is None and (found := flow.dedupe.find(request, delivery)) is not None:
        event = replace(event, dedupe_id=found)
    if not (event.keys or flow.keys):
        raise Rejected(Code.KEYS_INVALID, "The template set no $webhookKeys; the flow has none.")
    return event


def _choose(mapping: FlowMapping, content_type: str) -> Template | None:
    if not is_content_type(content_type):
        raise Rejected(Code.CONTENT_TYPE_UNSUPPORTED, "The Content-Type is no media type.")
    return mapping.choose(content_type)


def check_body(content_type: str, body: bytes, *, model: Model | None = None) -> None:
    """Type, JSON, model: in this order. Raises: Rejected."""
    if not is_content_type(content_type):
        raise Rejected(Code.CONTENT_TYPE_UNSUPPORTED, "The Content-Type is no media type.")
    if not is_json_type(content_type):
        if model is not None:
            detail = "This flow has a model, so it takes JSON only."
            raise Rejected(Code.CONTENT_TYPE_UNSUPPORTED, detail)
        return
    fault, value = read_json(body)
    if fault:
        raise Rejected(Code.BODY_NOT_JSON, f"The body is not JSON: {fault}.")
    if model is not None and (violations := model.violations(body, value=value)):
        detail = f"The body breaks the model at {violations[0].pointer or 'its top'}."
        raise Rejected(Code.MODEL_VIOLATION, detail, violations=violations)
