"""The REST APIs as OpenAPI documents with API Gateway's extensions.

A direct flow's request is checked against its model, rendered by its template, and sent to SQS by
API Gateway itself. What SQS answers decides: kept is 202; too long is 413; all else is 503, so that
the sender tries again. A flow by function, and the Set/Get API, go to a Lambda function as bytes.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hookrack.aws.doors import API_KEY_HEADER, ByFunction, Direct
from hookrack.errors import CATALOGUE, Code

Json = dict[str, Any]

RETRY_AFTER: Final = "5"
_JSON: Final = "application/json"
_PROBLEM: Final = "'application/problem+json'"
_FORM: Final = "'application/x-www-form-urlencoded'"
_SQS: Final = "arn:${AWS::Partition}:apigateway:${AWS::Region}:sqs:path/${AWS::AccountId}/"
_LAMBDA: Final = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
_TOO_LONG: Final = "Message must be shorter"  # what SQS says of a message above its limit
_ACCEPTED: Final = '{"eventId": "$context.extendedRequestId", "status": "accepted"}'
_LIMITED: Final = (
    '{"type": "urn:hookrack:problem:RATE_LIMITED", "title": "Too many requests", "status": 429, '
    '"detail": "Send again later.", "code": "RATE_LIMITED"}'
)
# What the answers of SQS become. API Gateway keeps one mapping for each status and drops the others
# of the same, so each pattern has its own; what the sender sees is 503, or 413, by the template.
_GONE: Final = {r"4\d{2}": "503", r"5\d{2}": "502", "default": "500"}
_HEADERS: Final = {
    "202": ("Hookrack-Event-Id",),
    **dict.fromkeys(_GONE.values(), ("Content-Type", "Retry-After")),
}
# What API Gateway says by itself, in the words of a problem; the rest keeps its status.
_REFUSALS: Final[Mapping[str, tuple[Code, int]]] = {
    "BAD_REQUEST_BODY": (Code.MODEL_VIOLATION, 400),
    "INVALID_API_KEY": (Code.CREDENTIAL_INVALID, 401),
    "MISSING_AUTHENTICATION_TOKEN": (Code.FLOW_UNKNOWN, 404),  # its name for an unknown path
    "UNSUPPORTED_MEDIA_TYPE": (Code.CONTENT_TYPE_UNSUPPORTED, 415),
    "INTEGRATION_FAILURE": (Code.STORE_UNAVAILABLE, 503),
    "INTEGRATION_TIMEOUT": (Code.STORE_UNAVAILABLE, 503),
}


def direct_api(doors: Iterable[Direct], *, title: str, problems: bool) -> Json:
    """An API whose flows go to SQS without any code."""
    listed = list(doors)
    document = _document(title)
    document["x-amazon-apigateway-request-validators"] = {
        "body": {"validateRequestBody": True, "validateRequestParameters": False}
    }
    document["paths"] = {path_of(each): {"post": _operation(each)} for each in listed}
    schemas = {name: schema for each in listed for name, schema in each.schemas.items()}
    components: Json = {"schemas": schemas} if schemas else {}
    if any(each.flow.auth.type == "apiKey" for each in listed):
        key = {"type": "apiKey", "name": API_KEY_HEADER, "in": "header"}
        components["securitySchemes"] = {"senderKey": key}
        document["x-amazon-apigateway-api-key-source"] = "HEADER"
    if components:
        document["components"] = components
    if problems:
        document["x-amazon-apigateway-gateway-responses"] = _gateway_responses()
    return document


def function_api(doors: Iterable[ByFunction], *, title: str, function: str) -> Json:
    """An API whose flows go to the edge function; its paths are the flows', and their secrets'."""
    paths: Json = {}
    for each in doors:
        paths[path_of(each)] = _proxied(function)
        if each.flow.auth.type == "secret":
            paths[f"{path_of(each)}/{{secret}}"] = _proxied(function, "secret")
    return _document(title) | {"paths": paths}


def reading_api(*, title: str, function: str) -> Json:
    """The Set/Get API."""
    paths = {"/v1/{rest+}": _proxied(function, "rest")}
    paths |= {path: _proxied(function) for path in ("/livez", "/readyz", "/openapi.json", "/docs")}
    return _document(title) | {"paths": paths}


def path_of(door: Direct | ByFunction) -> str:
    """Where a flow's senders post to, below the stage."""
    return f"/in/{door.flow.account}/{door.flow.id}"


def _document(title: str) -> Json:
    return {"openapi": "3.0.1", "info": {"title": {"Fn::Sub": title}, "version": "1"}}


def _operation(door: Direct) -> Json:
    """One flow's POST."""
    operation: Json = {}
    if door.modelled:
        name = next(iter(door.schemas))
        fits = {"schema": {"$ref": f"#/components/schemas/{name}"}}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(door.modelled, fits)}
        operation["x-amazon-apigateway-request-validator"] = "body"
    if door.flow.auth.type == "apiKey":
        operation["security"] = [{"senderKey": []}]
    operation["responses"] = {
        status: {
            "description": status,
            "headers": {name: {"schema": {"type": "string"}} for name in names},
        }
        for status, names in _HEADERS.items()
    }
    operation["x-amazon-apigateway-integration"] = _integration(door)
    return operation


def _integration(door: Direct) -> Json:
    """The call of SQS, and what becomes of its answer."""
    kept = {
        "statusCode": "202",
        "responseParameters": {
            "method.response.header.Hookrack-Event-Id": "context.extendedRequestId"
        },
        "responseTemplates": {_JSON: _ACCEPTED},
    }
    return {
        "type": "aws",
        "httpMethod": "POST",
        "uri": {"Fn::Sub": _SQS + "${Queue.QueueName}"},
        "credentials": {"Fn::GetAtt": ["GatewayRole", "Arn"]},
        "passthroughBehavior": "never",
        "timeoutInMillis": 10_000,
        "requestParameters": {"integration.request.header.Content-Type": _FORM},
        "requestTemplates": dict(door.templates),
        "responses": {r"2\d{2}": kept}
        | {pattern: _gone(pattern, status) for pattern, status in _GONE.items()},
    }


def _gone(pattern: str, status: str) -> Json:
    """What becomes of an answer that isn't a 2xx."""
    parameters = {"method.response.header.Content-Type": _PROBLEM}
    if pattern.startswith("4"):
        template = refusal_template()
    else:
        parameters["method.response.header.Retry-After"] = f"'{RETRY_AFTER}'"
        template = _overridden(503) + problem_text(Code.STORE_UNAVAILABLE)
    return {
        "statusCode": status,
        "responseParameters": parameters,
        "responseTemplates": {_JSON: template},
    }


def refusal_template() -> str:
    """What a 4xx of SQS becomes: 413 where the message was too long, else 503."""
    return (
        f'#if($input.body.contains("{_TOO_LONG}"))'
        f"{_overridden(413)}{problem_text(Code.BODY_TOO_LARGE)}#else"
        f'#set($context.responseOverride.header.Retry-After="{RETRY_AFTER}")'
        f"{problem_text(Code.STORE_UNAVAILABLE)}#end"
    )


def _overridden(status: int) -> str:
    return f"#set($context.responseOverride.status={status})"


def problem_text(code: Code, *, status: int | None = None) -> str:
    """A problem document as everybody may see it; nothing of the request is in it."""
    row = CATALOGUE[code]
    body = {
        "type": f"urn:hookrack:problem:{code}",
        "title": row.title,
        "status": status or row.status,
        "detail": row.mend,
        "code": str(code),
    }
    return json.dumps(body)


def _gateway_responses() -> Json:
    found: Json = {}
    for kind, (code, status) in _REFUSALS.items():
        found[kind] = _said(problem_text(code, status=status)) | {"statusCode": str(status)}
    found["THROTTLED"] = _said(_LIMITED)
    found["QUOTA_EXCEEDED"] = found["THROTTLED"]
    for kind in ("THROTTLED", "QUOTA_EXCEEDED", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT"):
        parameters = found[kind]["responseParameters"]
        parameters["gatewayresponse.header.Retry-After"] = f"'{RETRY_AFTER}'"
    return dict(sorted(found.items()))


def _said(body: str) -> Json:
    return {
        "responseParameters": {"gatewayresponse.header.Content-Type": _PROBLEM},
        "responseTemplates": {_JSON: body},
    }


def _proxied(function: str, parameter: str | None = None) -> Json:
    """Any method of a path, as it came, to a function."""
    operation: Json = {
        "responses": {"default": {"description": "what the function says"}},
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": {"Fn::Sub": f"{_LAMBDA}${{{function}.Arn}}/invocations"},
            "passthroughBehavior": "never",
            "timeoutInMillis": 29_000,
        },
    }
    if parameter:
        schema = {"type": "string"}
        own = {"name": parameter, "in": "path", "required": True, "schema": schema}
        operation["parameters"] = [own]
    return {"x-amazon-apigateway-any-method": operation}
