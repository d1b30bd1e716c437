"""What whoever deploys decides: parameters with safe defaults, rules that hold, conditions."""

from typing import Any, Final

from hookrack.aws.queues import LONGEST_WINDOW

Json = dict[str, Any]

_YES_NO: Final = ("no", "yes")


def parameters() -> Json:
    """Every parameter, in the order in which they are asked for."""
    return {
        "ArtifactBucket": _text("The bucket that holds what `hookrack aws package` made"),
        "ArtifactPrefix": _text(
            "What stands before the names there, such as v1/; a new one brings new code", ""
        ),
        "SecretsArn": _text("The secret in Secrets Manager with the keys that the guide names"),
        "Architecture": _choice("The processor of the functions", "arm64", "x86_64"),
        "Store": _choice("Where entries live", "memorydb", "elasticache", "existing"),
        "AcceptFailoverLoss": _choice(
            "ElastiCache can lose what it has just answered when its primary fails", *_YES_NO
        ),
        "AcceptedLosses": _text(
            "Losses of the store that you accept: unverified (its settings can't be asked for), "
            "for an existing one maybe eviction, aof or fsync",
            "unverified",
        ),
        "MemoryDbNodeType": _text("The size of MemoryDB", "db.t4g.small"),
        "ElastiCacheNodeType": _text("The size of ElastiCache", "cache.t4g.small"),
        "VpcId": _text("A network that is there, with an endpoint for SQS; empty makes one", ""),
        "SubnetIds": {
            "Type": "CommaDelimitedList",
            "Default": "",
            "Description": "Two or more private subnets of it, in different zones",
        },
        "VpcCidr": _text("The addresses of the network", "10.42.0.0/24"),
        "BatchSize": _number("Messages of one run of the worker at most", 100, 1, 10_000),
        "BatchWindowSeconds": _number("How long a batch may wait for more", 1, 1, LONGEST_WINDOW),
        "WorkerConcurrency": _number("Runs of the worker at once", 10, 2, 1_000),
        "RateLimit": _number("Requests a second that an API takes", 1_000, 1, 10_000),
        "BurstLimit": _number("Requests at once that an API takes", 500, 1, 5_000),
        "LogRetentionDays": _number("Days that logs are kept", 30, 1, 3_653),
        "AlarmTopicArn": _text("The SNS topic that alarms go to; empty for none", ""),
        "SetApiGatewayLogRole": _choice(
            "Whether to set the role by which API Gateway writes logs, for the whole account and "
            "region; yes where none is set",
            *_YES_NO,
        ),
    }


def rules() -> Json:
    """What may not be deployed by accident."""
    is_cache = {"Fn::Equals": [{"Ref": "Store"}, "elasticache"]}
    accepted = {"Fn::Equals": [{"Ref": "AcceptFailoverLoss"}, "yes"]}
    words = "ElastiCache can lose acknowledged events: say AcceptFailoverLoss=yes, or use memorydb"
    return {
        "LossIsAccepted": {
            "RuleCondition": is_cache,
            "Assertions": [{"Assert": accepted, "AssertDescription": words}],
        }
    }


def conditions() -> Json:
    """What the parameters mean."""
    return {
        "UseMemoryDb": _is("Store", "memorydb"),
        "UseElastiCache": _is("Store", "elasticache"),
        "OwnStore": {"Fn::Not": [_is("Store", "existing")]},
        "OwnVpc": _is("VpcId", ""),
        "HasTopic": {"Fn::Not": [_is("AlarmTopicArn", "")]},
        "SetsLogRole": _is("SetApiGatewayLogRole", "yes"),
    }


def _is(name: str, value: str) -> Json:
    return {"Fn::Equals": [{"Ref": name}, value]}


def _text(words: str, default: str | None = None) -> Json:
    found: Json = {"Type": "String", "Description": words}
    return found if default is None else found | {"Default": default}


def _choice(words: str, *values: str) -> Json:
    """One of some; the first is the default."""
    return _text(words, values[0]) | {"AllowedValues": list(values)}


def _number(words: str, default: int, low: int, high: int) -> Json:
    return {
        "Type": "Number",
        "Description": words,
        "Default": default,
        "MinValue": low,
        "MaxValue": high,
    }
