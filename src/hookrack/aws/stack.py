"""The whole template for a flow file; the other modules here each make a part of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hookrack.aws.doors import ByFunction, Direct, Door, choose_doors
from hookrack.aws.functions import API, EDGE, WORKER, function_resources
from hookrack.aws.gateways import BY_FUNCTION, READING, STAGE, gateway_resources, shared_apis
from hookrack.aws.network import network_resources
from hookrack.aws.openapi import path_of
from hookrack.aws.parameters import conditions, parameters, rules
from hookrack.aws.queues import queue_resources
from hookrack.aws.reading import Source
from hookrack.aws.stores import store_resources
from hookrack.aws.watching import watching_resources
from hookrack.errors import ConfigError

RESOURCES: Final = 500  # that CloudFormation takes in a stack
API_RESOURCES: Final = 300  # that API Gateway takes in an API: paths, and what they begin with
_MADE_OF_API: Final = 3  # the API, a deployment and a stage

Json = dict[str, Any]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """A SAM template, and the words that stand above some of its parts."""

    document: Json
    comments: Mapping[Path, str]


def build_stack(source: Source) -> Stack:
    """The template for a flow file. Raises: ConfigError."""
    doors = choose_doors(source.configuration)
    apis = shared_apis(doors)
    functions = [WORKER, API, *([EDGE] if BY_FUNCTION in apis else [])]
    resources = {
        **gateway_resources(apis),
        **queue_resources(),
        **function_resources(functions, variables=source.variables),
        **store_resources(),
        **network_resources(),
        **watching_resources(functions, [*apis, READING]),
    }
    made = len(resources) + (len(apis) + 1) * _MADE_OF_API
    if made > RESOURCES:
        raise ConfigError(
            f"needs {made} resources, and a stack has {RESOURCES} at most",
            where=source.name,
            mend="Make several files of it; flows with keys or stage variables need the most.",
        )
    _check_paths(apis, name=source.name)
    document = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "hookrack: webhooks in by API Gateway, kept in SQS, handed out by key",
        "Parameters": parameters(),
        "Rules": rules(),
        "Conditions": conditions(),
        "Resources": resources,
        "Outputs": _outputs(apis),
    }
    return Stack(document, _FIXED_COMMENTS | _comments(apis))


def _check_paths(apis: Mapping[str, list[Door]], *, name: str) -> None:
    """Whether each API's paths fit into it. Raises: ConfigError."""
    for doors in apis.values():
        parts: set[tuple[str, ...]] = {()}
        for door in doors:
            steps = path_of(door).strip("/").split("/")
            if door.flow.auth.type == "secret":
                steps.append("{secret}")
            parts |= {tuple(steps[:end]) for end in range(1, len(steps) + 1)}
        if len(parts) > API_RESOURCES:
            raise ConfigError(
                f"{len(doors)} flows share an API and need {len(parts)} resources of it, "
                f"and API Gateway takes {API_RESOURCES}",
                where=name,
                mend="Make several files of it; a flow whose senders have a secret in their "
                "address needs two.",
            )


def _outputs(apis: Mapping[str, list[Door]]) -> Json:
    found: Json = {
        "QueueUrl": {"Value": {"Ref": "Queue"}},
        "DeadLettersUrl": {"Value": {"Ref": "DeadLetters"}},
        "ReadingUrl": {"Description": "The Set/Get API", "Value": _url(READING)},
    }
    for name, doors in apis.items():
        flows = ", ".join(f"{each.flow.account}/{each.flow.id}" for each in doors)
        words = f"Senders of {flows} post to this + /in/ACCOUNT/FLOW"
        found[f"{name}Url"] = {"Description": words[:1_000], "Value": _url(name)}
    return found


def _url(api: str) -> Json:
    host = f"${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}"
    return {"Fn::Sub": f"https://{host}/{STAGE}"}


def _comments(apis: Mapping[str, list[Door]]) -> dict[Path, str]:
    """Above each path: which way its flow goes, and why."""
    found: dict[Path, str] = {}
    for name, doors in apis.items():
        for each in doors:
            where = ("Resources", name, "Properties", "DefinitionBody", "paths", path_of(each))
            found[where] = _told(each)
    return found


def _told(door: Door) -> str:
    title = f"Flow {door.flow.account}/{door.flow.id}"
    match door:
        case ByFunction():
            return f"{title} goes through the edge function: {door.reason}."
        case Direct():
            return (
                f"{title} goes straight to SQS. Its limit of {door.flow.max_body_bytes} bytes "
                "isn't checked here: SQS refuses messages above 1 MiB, which answers 413."
            )


_FIXED_COMMENTS: Final[dict[Path, str]] = {
    ("Parameters", "SecretsArn"): "No secret stands in this template; all are looked up there.",
    ("Resources", "GatewayRole"): "All that API Gateway may do: send to the one queue.",
    ("Resources", "Queue", "Properties", "VisibilityTimeout"): (
        "Six times the worker's timeout, and the longest window of a batch."
    ),
    ("Resources", "Queue", "Properties", "RedrivePolicy"): (
        "Above maxAttempts: the worker buries with a reason before SQS moves without one."
    ),
    ("Resources", "DeadLetters", "Properties", "MessageRetentionPeriod"): (
        "Longer than the queue's, because the time runs from when an event was first sent."
    ),
    ("Resources", "Worker", "Properties", "Events"): (
        "No filter: SQS deletes what a filter doesn't let through."
    ),
    ("Resources", "MemoryDb"): (
        "Durable: it answers once its log in several zones has the write. One node, because its "
        "address then always leads to the primary; a failed node is replaced with nothing lost."
    ),
    ("Resources", "Cache"): (
        "Not durable: on failover the last writes can be lost after SQS has deleted them; deployed "
        "only with AcceptFailoverLoss=yes."
    ),
}
