"""The REST APIs: which flows share one, how fast each may be asked, and who holds a key.

Flows without a key share an API. A flow with one has its own, because a key opens all that is
deployed with it; so has a flow with stage variables, because those are the API's. An API is
named after its flow, so its address stays when other flows come and go. Flows by function share an
API that takes all bytes as they are, which is a property of a whole API.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from hookrack.aws.doors import ByFunction, Direct, Door
from hookrack.aws.functions import API, EDGE, SECRET, gateway_role, log_group, trusted
from hookrack.aws.openapi import direct_api, function_api, path_of, reading_api
from hookrack.flows import APIGATEWAY

Json = dict[str, Any]

STAGE: Final = "live"
READING: Final = "ReadingApi"
BY_FUNCTION: Final = "FunctionApi"
# What an address shows is the pattern of the path: a secret may be in the path itself.
_LOGGED: Final = (
    '{"id": "$context.extendedRequestId", "at": "$context.requestTime", '
    '"from": "$context.identity.sourceIp", "method": "$context.httpMethod", '
    '"path": "$context.resourcePath", "status": "$context.status", '
    '"bytes": "$context.responseLength", "error": "$context.error.responseType", '
    '"integrationStatus": "$context.integrationStatus", '
    '"milliseconds": "$context.responseLatency"}'
)


def shared_apis(doors: Sequence[Door]) -> dict[str, list[Door]]:
    """The flows of each API by its logical name, sorted."""
    found: dict[str, list[Door]] = {}
    for each in doors:
        found.setdefault(_api_of(each), []).append(each)
    return dict(sorted(found.items()))


def _api_of(door: Door) -> str:
    if isinstance(door, ByFunction):
        return BY_FUNCTION
    flow = door.flow
    if flow.auth.type == "apiKey" or (flow.mapping and flow.mapping.stage_variables):
        return "Flow" + hashlib.sha256(path_of(door).encode()).hexdigest()[:8] + "Api"
    return "GatewayApi" if flow.responses == APIGATEWAY else "DirectApi"


def gateway_resources(apis: dict[str, list[Door]]) -> Json:
    """Every API with its log, its permission or keys, and the role to send with."""
    found: Json = {}
    for name, doors in apis.items():
        if name == BY_FUNCTION:
            listed = [each for each in doors if isinstance(each, ByFunction)]
            body = function_api(listed, title=_title(name), function=EDGE)
            found |= _api(name, body, binary=True) | _permission(name, EDGE)
        else:
            found |= _direct(name, [each for each in doors if isinstance(each, Direct)])
    body = reading_api(title=_title(READING), function=API)
    found |= _api(READING, body, binary=True) | _permission(READING, API)
    if set(apis) - {BY_FUNCTION}:
        found["GatewayRole"] = gateway_role()
    return found | _account()


def _direct(name: str, doors: list[Direct]) -> Json:
    flow = doors[0].flow
    variables = flow.mapping.stage_variables if flow.mapping else {}
    body = direct_api(doors, title=_title(name), problems=flow.responses != APIGATEWAY)
    found = _api(name, body, variables=dict(variables))
    if flow.auth.type == "apiKey":
        found |= _keys(name, [each.variable or "" for each in flow.auth.credentials])
    return found


def _title(name: str) -> str:
    return f"${{AWS::StackName}}-{name}"


def _api(
    name: str, body: Json, *, binary: bool = False, variables: dict[str, str] | None = None
) -> Json:
    """An API with one stage and its access log."""
    every = {
        "ResourcePath": "/*",
        "HttpMethod": "*",
        "ThrottlingRateLimit": {"Ref": "RateLimit"},
        "ThrottlingBurstLimit": {"Ref": "BurstLimit"},
        "MetricsEnabled": True,
        "DataTraceEnabled": False,
    }
    # Naming the account's setting here has it made first: without it no stage can have a log.
    words = {"Fn::If": ["SetsLogRole", {"Fn::Sub": "Logs by ${LogAccount}"}, "hookrack"]}
    properties: Json = {
        "Name": {"Fn::Sub": _title(name)},
        "Description": words,
        "StageName": STAGE,
        "OpenApiVersion": "3.0.1",
        "EndpointConfiguration": {"Type": "REGIONAL"},
        "MethodSettings": [every],
        "AccessLogSetting": {
            "DestinationArn": {"Fn::GetAtt": [f"{name}Log", "Arn"]},
            "Format": _LOGGED,
        },
        "DefinitionBody": body,
    }
    if binary:
        properties["BinaryMediaTypes"] = ["*~1*"]
    if variables:
        properties["Variables"] = variables
    log = log_group({"LogGroupName": {"Fn::Sub": f"/aws/apigateway/{_title(name)}"}})
    api = {"Type": "AWS::Serverless::Api", "Properties": properties}
    return {name: api, f"{name}Log": log}


def _permission(api: str, function: str) -> Json:
    """That one API may call one function."""
    source = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:"
    return {
        f"{api}Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": function},
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": f"{source}${{{api}}}/{STAGE}/*"},
            },
        }
    }


def _keys(api: str, variables: Iterable[str]) -> Json:
    """The plan of an API, and a key for each secret of its flow; several while one changes over.

    Flows with the same secret share the key: API Gateway takes no value twice.
    """
    throttle = {"RateLimit": {"Ref": "RateLimit"}, "BurstLimit": {"Ref": "BurstLimit"}}
    plan = f"{api}Plan"
    found: Json = {
        plan: {
            "Type": "AWS::ApiGateway::UsagePlan",
            "Properties": {
                "ApiStages": [{"ApiId": {"Ref": api}, "Stage": {"Ref": f"{api}.Stage"}}],
                "Throttle": throttle,
            },
        }
    }
    for variable in variables:
        own = hashlib.sha256(variable.encode()).hexdigest()[:8]
        key = f"SenderKey{own}"
        found[key] = {
            "Type": "AWS::ApiGateway::ApiKey",
            "Properties": {"Enabled": True, "Value": {"Fn::Sub": SECRET % variable}},
        }
        found[f"{plan}Key{own}"] = {
            "Type": "AWS::ApiGateway::UsagePlanKey",
            "Properties": {
                "KeyId": {"Ref": key},
                "KeyType": "API_KEY",
                "UsagePlanId": {"Ref": plan},
            },
        }
    return found


def _account() -> Json:
    """The role by which API Gateway writes any log at all; one for an account and region."""
    managed = (
        "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    )
    return {
        "LogRole": {
            "Type": "AWS::IAM::Role",
            "Condition": "SetsLogRole",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "AssumeRolePolicyDocument": trusted("apigateway.amazonaws.com"),
                "ManagedPolicyArns": [{"Fn::Sub": managed}],
            },
        },
        "LogAccount": {
            "Type": "AWS::ApiGateway::Account",
            "Condition": "SetsLogRole",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"CloudWatchRoleArn": {"Fn::GetAtt": ["LogRole", "Arn"]}},
        },
    }
