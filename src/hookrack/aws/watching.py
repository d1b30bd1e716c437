"""Alarms for what must not last, and a dashboard of the same."""

import json
from collections.abc import Iterable
from typing import Any, Final

Json = dict[str, Any]

OLDEST_SECONDS: Final = 300
_ACTIONS: Final = {"Fn::If": ["HasTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}


def watching_resources(functions: Iterable[str], apis: Iterable[str]) -> Json:
    """An alarm each, and the dashboard."""
    listed, gateways = list(functions), list(apis)
    found = {
        "DeadLettersAlarm": _alarm(
            "An event became a dead letter: see hookrack dead-letters list",
            *("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
            dimension=("QueueName", {"Fn::GetAtt": ["DeadLetters", "QueueName"]}),
            statistic="Maximum",
        ),
        "OldestAlarm": _alarm(
            f"An event has waited for more than {OLDEST_SECONDS} s: the worker doesn't keep up",
            *("AWS/SQS", "ApproximateAgeOfOldestMessage"),
            dimension=("QueueName", {"Fn::GetAtt": ["Queue", "QueueName"]}),
            statistic="Maximum",
            above=OLDEST_SECONDS,
        ),
    }
    for name in listed:
        for metric in ("Errors", "Throttles"):
            found[f"{name}{metric}Alarm"] = _alarm(
                f"{metric} of the function {name}",
                *("AWS/Lambda", metric),
                dimension=("FunctionName", {"Ref": name}),
            )
    for name in gateways:
        found[f"{name}ServerErrorsAlarm"] = _alarm(
            f"Senders or readers got a 5xx from {name}",
            *("AWS/ApiGateway", "5XXError"),
            dimension=("ApiName", {"Fn::Sub": f"${{AWS::StackName}}-{name}"}),
        )
    return found | {"Dashboard": _dashboard(listed, gateways)}


def _alarm(
    words: str,
    namespace: str,
    metric: str,
    *,
    dimension: tuple[str, Json],
    statistic: str = "Sum",
    above: int = 0,
) -> Json:
    name, value = dimension
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": words,
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value}],
            "Statistic": statistic,
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": above,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": _ACTIONS,
        },
    }


def _dashboard(functions: Iterable[str], apis: Iterable[str]) -> Json:
    stack = "${AWS::StackName}"
    events, dead = f"{stack}-events", f"{stack}-dead-letters"
    lambdas = [f"{stack}-{each.lower()}" for each in functions]
    gateways = [f"{stack}-{each}" for each in apis]
    rows = [
        ("Requests", [("AWS/ApiGateway", "Count", "ApiName", each) for each in gateways]),
        ("Refused", [("AWS/ApiGateway", "4XXError", "ApiName", each) for each in gateways]),
        ("Failed", [("AWS/ApiGateway", "5XXError", "ApiName", each) for each in gateways]),
        (
            "Waiting",
            [
                ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", each)
                for each in (events, dead)
            ],
        ),
        ("Oldest", [("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", events)]),
        ("Function errors", [("AWS/Lambda", "Errors", "FunctionName", each) for each in lambdas]),
        ("Durations", [("AWS/Lambda", "Duration", "FunctionName", each) for each in lambdas]),
    ]
    widgets = [
        {
            "type": "metric",
            "width": 8,
            "height": 6,
            "properties": {"title": title, "region": "${AWS::Region}", "metrics": metrics},
        }
        for title, metrics in rows
    ]
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            "DashboardName": {"Ref": "AWS::StackName"},
            "DashboardBody": {"Fn::Sub": json.dumps({"widgets": widgets})},
        },
    }
