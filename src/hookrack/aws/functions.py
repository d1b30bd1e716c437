"""The three functions: each with a role that may do what it does, and a log that ends."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hookrack.aws.queues import DEAD, QUEUE, WORKER_SECONDS
from hookrack.errors import ConfigError

Json = dict[str, Any]

SECRET: Final = "{{resolve:secretsmanager:${SecretsArn}:SecretString:%s}}"  # noqa: S105 - a reference
_STORE_USER: Final = "hookrack"
_URL: Final = f"rediss://{_STORE_USER}:{SECRET % 'HOOKRACK_STORE_PASSWORD'}@%s:6379/0"
_OWN: Final = frozenset(
    {
        *("HOOKRACK_STORE", "HOOKRACK_QUEUE", "HOOKRACK_SECRET_KEY", "HOOKRACK_ADMIN_TOKEN"),
        *("HOOKRACK_STORE_ACCEPT_LOSS", "HOOKRACK_MAX_ATTEMPTS"),
    }
)
ENVIRONMENT_BYTES: Final = 4_096  # that a function's variables may have, names and values
# What our own ones come to: a password of 64 and the longest names that AWS gives.
_OWN_BYTES: Final[Mapping[str, int]] = {
    "HOOKRACK_STORE": 256,
    "HOOKRACK_STORE_ACCEPT_LOSS": 32,
    "HOOKRACK_QUEUE": 192,
    "HOOKRACK_SECRET_KEY": 64,
    "HOOKRACK_ADMIN_TOKEN": 64,
}
_VARIABLE: Final = re.compile(r"(?!AWS_|LAMBDA_)[A-Za-z][A-Za-z0-9_]+")
_READ: Final = ("sqs:GetQueueAttributes", "sqs:GetQueueUrl")
_TAKE: Final = ("sqs:ReceiveMessage", "sqs:DeleteMessage")
_LETTERS: Final = (
    *("sqs:SendMessage", "sqs:ChangeMessageVisibility"),
    *("sqs:StartMessageMoveTask", "sqs:ListMessageMoveTasks"),
)
# By function: handler, package, seconds, memory, what it may do with the queue, with dead letters.
WORKER: Final = "Worker"
EDGE: Final = "Edge"
API: Final = "Api"
_KINDS: Final = {
    WORKER: (
        *("worker_handler", "worker", WORKER_SECONDS, 512),
        *((*_TAKE, *_READ), ("sqs:SendMessage", *_READ)),
    ),
    EDGE: ("edge_handler", "worker", 28, 512, ("sqs:SendMessage", *_READ), _READ),
    API: (
        *("api_handler", "api", 28, 512),
        *(("sqs:SendMessage", "sqs:ChangeMessageVisibility", *_TAKE, *_READ),),
        (*_TAKE, *_READ, *_LETTERS),
    ),
}


def function_resources(names: Iterable[str], *, variables: Mapping[str, int]) -> Json:
    """The functions with their roles and log groups; `variables` of the flow file with their bytes.

    Raises: ConfigError.
    """
    extra = _variables(variables)
    _check_size(variables)
    found: Json = {}
    for name in names:
        found |= _function(name, extra)
    found[WORKER]["Properties"]["Events"] = {"FromQueue": _mapping()}
    return found


def _variables(variables: Iterable[str]) -> Json:
    """The flow file's own variables, each by reference. Raises: ConfigError."""
    found: Json = {}
    for name in variables:
        if name in _OWN:
            continue
        if not _VARIABLE.fullmatch(name):
            raise ConfigError(
                "is a name that Lambda doesn't take or keeps for itself",
                where=f"${{{name}}} in the flow file",
                mend="Rename it: 2 or more of A-Z a-z 0-9 _, not beginning with AWS_ or LAMBDA_.",
            )
        found[name] = {"Fn::Sub": SECRET % name}
    return found


def _check_size(variables: Mapping[str, int]) -> None:
    """Whether all variables fit into a function. Raises: ConfigError."""
    extra = {name: size for name, size in variables.items() if name not in _OWN}
    sizes = {**extra, **_OWN_BYTES}
    total = sum(len(name) + size for name, size in sizes.items())
    if total > ENVIRONMENT_BYTES:
        raise ConfigError(
            f"come to {total} bytes with hookrack's own, names and values, "
            f"and a Lambda function takes {ENVIRONMENT_BYTES}",
            where=f"the {len(extra)} variables of the flow file",
            mend="Make several flow files of it, or secrets shorter; one that isn't set here "
            "counts as 64 bytes.",
        )


def _function(name: str, variables: Json) -> Json:
    handler, package, seconds, memory, queue, dead = _KINDS[name]
    environment = {
        "HOOKRACK_STORE": _store_url(),
        "HOOKRACK_STORE_ACCEPT_LOSS": {"Ref": "AcceptedLosses"},
        "HOOKRACK_QUEUE": {"Ref": "Queue"},
        "HOOKRACK_SECRET_KEY": {"Fn::Sub": SECRET % "HOOKRACK_SECRET_KEY"},
        **variables,
    }
    if name == API:
        environment["HOOKRACK_ADMIN_TOKEN"] = {"Fn::Sub": SECRET % "HOOKRACK_ADMIN_TOKEN"}
    own_name = {"Fn::Sub": f"${{AWS::StackName}}-{name.lower()}"}
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": own_name,
            "Description": f"hookrack: {handler}",
            "CodeUri": {
                "Bucket": {"Ref": "ArtifactBucket"},
                "Key": {"Fn::Sub": f"${{ArtifactPrefix}}{package}-${{Architecture}}.zip"},
            },
            "Handler": f"hookrack.entrypoints.awslambda.{handler}",
            "Runtime": "python3.13",
            "Architectures": [{"Ref": "Architecture"}],
            "MemorySize": memory,
            "Timeout": seconds,
            "Role": {"Fn::GetAtt": [f"{name}Role", "Arn"]},
            "LoggingConfig": {"LogGroup": {"Ref": f"{name}Log"}},
            "Environment": {"Variables": environment},
            "VpcConfig": {
                "SubnetIds": {"Fn::If": ["OwnVpc", _own_subnets(), {"Ref": "SubnetIds"}]},
                "SecurityGroupIds": [{"Fn::GetAtt": ["FunctionsGroup", "GroupId"]}],
            },
        },
    }
    log = {"LogGroupName": {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{name.lower()}"}}
    return {
        name: function,
        f"{name}Role": _role(name, queue=queue, dead=dead),
        f"{name}Log": log_group(log),
    }


def log_group(properties: Json) -> Json:
    """A log that is thrown away after a time."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": properties | {"RetentionInDays": {"Ref": "LogRetentionDays"}},
    }


def _own_subnets() -> list[Json]:
    return [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]


def _store_url() -> Json:
    """Where the store is, with its password by reference."""
    memory_db = {"Fn::Sub": _URL % "${MemoryDb.ClusterEndpoint.Address}"}
    cache = {"Fn::Sub": _URL % "${Cache.PrimaryEndPoint.Address}"}
    given = {"Fn::Sub": SECRET % "HOOKRACK_STORE"}
    return {"Fn::If": ["UseMemoryDb", memory_db, {"Fn::If": ["UseElastiCache", cache, given]}]}


def _mapping() -> Json:
    """Batches of the queue for the worker: what it names comes back, the rest is deleted.

    There is no filter: what one doesn't let through is deleted.
    """
    return {
        "Type": "SQS",
        "Properties": {
            "Queue": QUEUE,
            "BatchSize": {"Ref": "BatchSize"},
            "MaximumBatchingWindowInSeconds": {"Ref": "BatchWindowSeconds"},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": {"Ref": "WorkerConcurrency"}},
        },
    }


def _role(name: str, *, queue: Iterable[str], dead: Iterable[str]) -> Json:
    """What a function may do: the named calls on the two queues, and be in a network."""
    functions = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
    own = f"{functions}${{AWS::StackName}}-{name.lower()}"
    statements = [
        {"Sid": "Queue", "Effect": "Allow", "Action": sorted(queue), "Resource": QUEUE},
        {"Sid": "DeadLetters", "Effect": "Allow", "Action": sorted(dead), "Resource": DEAD},
        {
            # The managed policy is for Lambda itself; the code that runs gets nothing of it.
            "Sid": "NoNetworksForTheCode",
            "Effect": "Deny",
            "Action": ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"],
            "Resource": "*",
            "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": {"Fn::Sub": own}}},
        },
    ]
    managed = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": trusted("lambda.amazonaws.com"),
            "ManagedPolicyArns": [{"Fn::Sub": managed}],
            "Policies": [{"PolicyName": "queues", "PolicyDocument": _policy(statements)}],
        },
    }


def gateway_role() -> Json:
    """What API Gateway may do in direct flows: send to the queue, and nothing else."""
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": trusted("apigateway.amazonaws.com"),
            "Policies": [{"PolicyName": "send", "PolicyDocument": _policy([statement])}],
        },
    }


def trusted(service: str) -> Json:
    """A trust policy for one service."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return _policy([statement])


def _policy(statements: list[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": statements}
