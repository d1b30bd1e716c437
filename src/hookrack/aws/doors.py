"""Which flow goes through API Gateway alone, and which needs the edge function, with the reason.

Direct is cheaper and has no code that could fail; it is chosen wherever API Gateway can do what
the flow asks for. `aws: {front: lambda}` forces the function; `front: direct` refuses to go on
where something would be lost.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hookrack.aws.models import Schemas, schemas_of
from hookrack.edge.mapping.aws import NotDirect, sqs_template
from hookrack.edge.mapping.select import DEFAULT, Passthrough
from hookrack.errors import ConfigError
from hookrack.flows import Configuration, Flow
from hookrack.jsontext import is_json_type

TEMPLATE_BYTES: Final = 300 * 1024  # that API Gateway takes
API_KEY_HEADER: Final = "x-api-key"
_RESOLVE: Final = "{{resolve:"  # CloudFormation would put a secret in its place
_STAGE_VALUE: Final = re.compile(r"[A-Za-z0-9._~:/?#&=,-]*")


@dataclass(frozen=True, slots=True)
class Direct:
    """What API Gateway gets of a flow: templates by media type, schemas, the types they are for."""

    flow: Flow
    templates: Mapping[str, str]
    schemas: Schemas
    modelled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByFunction:
    """A flow that goes through the edge function, and why."""

    flow: Flow
    reason: str


Door = Direct | ByFunction


def choose_doors(configuration: Configuration) -> list[Door]:
    """A door for each flow, sorted by account and flow.

    Raises: ConfigError: a flow is to be direct, and can't be.
    """
    flows = sorted(configuration.flows(), key=lambda flow: (flow.account, flow.id))
    return [_choose(flow, number) for number, flow in enumerate(flows)]


def _choose(flow: Flow, number: int) -> Door:
    if flow.front == "lambda":
        return ByFunction(flow, "the flow file says so (aws.front)")
    try:
        return _direct(flow, number)
    except NotDirect as exc:
        if flow.front == "direct":
            raise ConfigError(
                f"can't go directly through API Gateway: {exc}",
                where=f"accounts.{flow.account}.flows.{flow.id}.aws.front",
                mend="Change that, or write front: auto, and the edge function takes it.",
            ) from exc
        return ByFunction(flow, str(exc))


def _direct(flow: Flow, number: int) -> Direct:
    """What API Gateway gets. Raises: NotDirect."""
    for reason in _lacks(flow):
        raise NotDirect(reason)
    mapping = flow.mapping
    if mapping is None or not mapping.templates:
        raise NotDirect("it has no template, and API Gateway would pass text on unescaped")
    if mapping.passthrough is not Passthrough.NEVER:
        raise NotDirect(
            f"a type without a template passes through (passthrough: {mapping.passthrough.value}; "
            "never is direct)"
        )
    templates = {}
    for media_type, template in sorted(mapping.templates.items()):
        written = sqs_template(template, account=flow.account, flow=flow.id)
        if len(written.encode()) > TEMPLATE_BYTES:
            raise NotDirect(f"its template for {media_type} has more than {TEMPLATE_BYTES} bytes")
        templates[media_type] = written
    schemas: Schemas = {}
    modelled: tuple[str, ...] = ()
    if flow.model is not None:
        if DEFAULT in templates:
            raise NotDirect(f"it has a model and a template for {DEFAULT}: which types are JSON?")
        schemas = schemas_of(flow.model, name=f"Flow{number}")
        modelled = tuple(each for each in templates if is_json_type(each))
    _refuse_resolving([*templates.values(), schemas])
    return Direct(flow, templates, schemas, modelled)


def _lacks(flow: Flow) -> Iterator[str]:
    """What a flow has that API Gateway can't do, other than with templates."""
    auth = flow.auth
    if auth.type not in ("none", "apiKey"):
        yield f"its senders show who they are by {auth.type}, which API Gateway can't check"
    if auth.type == "apiKey" and auth.header.lower() != API_KEY_HEADER:
        yield f"its key comes in {auth.header}, and API Gateway looks in {API_KEY_HEADER}"
    if not all(each.variable for each in auth.credentials):
        yield 'its key stands in the flow file; write "${NAME}", so that it can be a secret'
    if flow.allow:
        yield "only some networks may send (allow)"
    if flow.dedupe.source is not None:
        yield "its dedupe id comes from the request (dedupe.from); a template can set $dedupeId"
    variables = flow.mapping.stage_variables if flow.mapping else {}
    for name, value in variables.items():
        if not _STAGE_VALUE.fullmatch(value):
            yield f"its stage variable {name} has letters that API Gateway's may not have"


def _refuse_resolving(parts: list[Any]) -> None:
    """No text of a flow may have CloudFormation look a secret up. Raises: NotDirect."""
    if any(_RESOLVE in (each if isinstance(each, str) else json.dumps(each)) for each in parts):
        raise NotDirect(f"{_RESOLVE} in it would be replaced by CloudFormation")
