"""The roles of the template, in a server that enforces them: what they may do, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any, Final

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from sqsing import OWNER, REGION, moto
from stacking import of_type, printed, translated

QUEUES: Final = {"Queue": "stack-events", "DeadLetters": "stack-dead-letters"}
OTHER: Final = "somebody-elses"
TRUST: Final = "{}"


def resolved(value: Any) -> Any:
    """A policy with the queues' ARNs in it, as CloudFormation would have put them there."""
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return f"arn:aws:sqs:{REGION}:{OWNER}:{QUEUES[value['Fn::GetAtt'][0]]}"
    if isinstance(value, dict) and "Fn::Sub" in value:
        return f"arn:aws:lambda:{REGION}:{OWNER}:function:stack-worker"
    if isinstance(value, dict):
        return {name: resolved(each) for name, each in value.items()}
    if isinstance(value, list):
        return [resolved(each) for each in value]
    return value


def clients(url: str, **credentials: str) -> tuple[Any, Any, Any]:
    """Clients of IAM, STS and SQS."""
    own = {"aws_access_key_id": OWNER, "aws_secret_access_key": "test"} | credentials
    iam, sts, sqs = (
        boto3.client(name, endpoint_url=url, region_name=REGION, **own)
        for name in ("iam", "sts", "sqs")
    )
    return iam, sts, sqs


def calls(sqs: Any, queue: str) -> Iterator[tuple[str, Any]]:
    """Every call that anybody could make on a queue, by the right that it needs."""
    url = f"{sqs.meta.endpoint_url}/{OWNER}/{queue}"
    yield "SendMessage", lambda: sqs.send_message(QueueUrl=url, MessageBody="x")
    yield "ReceiveMessage", lambda: sqs.receive_message(QueueUrl=url)
    yield "GetQueueAttributes", lambda: sqs.get_queue_attributes(QueueUrl=url)
    yield "PurgeQueue", lambda: sqs.purge_queue(QueueUrl=url)
    yield "SetQueueAttributes", lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={})
    yield "DeleteQueue", lambda: sqs.delete_queue(QueueUrl=url)


def is_allowed(call: Any) -> bool:
    """Whether it is let through."""
    try:
        call()
    except ClientError as exc:
        if "is not authorized to perform" not in str(exc):
            raise
        return False
    return True


ALLOWED: Final = {
    "GatewayRole": {("Queue", "SendMessage")},
    "EdgeRole": {
        ("Queue", "SendMessage"),
        ("Queue", "GetQueueAttributes"),
        ("DeadLetters", "GetQueueAttributes"),
    },
    "WorkerRole": {
        ("Queue", "ReceiveMessage"),
        ("Queue", "GetQueueAttributes"),
        ("DeadLetters", "SendMessage"),
        ("DeadLetters", "GetQueueAttributes"),
    },
}


@pytest.mark.parametrize("role", ALLOWED)
async def test_a_role_may_do_its_work_and_nothing_else(role: str) -> None:
    """With authorisation switched on, each call outside the role's few is refused."""
    template = translated(printed())
    (policy,) = of_type(template, "AWS::IAM::Role")[role]["Policies"]
    async with moto() as url:
        iam, sts, admin = clients(url)
        for name in (*QUEUES.values(), OTHER):
            admin.create_queue(QueueName=name)
        made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        document = json.dumps(resolved(policy["PolicyDocument"]))
        iam.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)
        keys = sts.assume_role(RoleArn=made, RoleSessionName="gateway")["Credentials"]
        _, _, sqs = clients(
            url,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )
        httpx.post(f"{url}/moto-api/reset-auth", content=b"0").raise_for_status()
        found = {
            (name, right)
            for name, queue in (*QUEUES.items(), ("Other", OTHER))
            for right, call in calls(sqs, queue)
            if is_allowed(call)
        }
    assert found == ALLOWED[role]
