"""The roles of the template, in a server that enforces them: what they may do, and nothing else."""

import json
from collections.abc import Callable, Iterator
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


def maker(url: str, **credentials: str) -> Callable[[str], Any]:
    """Makes clients of the server's services."""
    own = {"aws_access_key_id": OWNER, "aws_secret_access_key": "test"} | credentials
    return lambda name: boto3.client(name, endpoint_url=url, region_name=REGION, **own)


def calls(make: Callable[[str], Any], queue: str) -> Iterator[tuple[str, Any]]:
    """What anybody could try on a queue, by the right that it needs; GetQueueUrl aside, of which
    the server doesn't know whose it is.
    """
    sqs = make("sqs")
    url = f"{sqs.meta.endpoint_url}/{OWNER}/{queue}"
    handle = {"QueueUrl": url, "ReceiptHandle": "none"}
    yield "SendMessage", lambda: sqs.send_message(QueueUrl=url, MessageBody="x")
    yield "ReceiveMessage", lambda: sqs.receive_message(QueueUrl=url)
    yield "DeleteMessage", lambda: sqs.delete_message(**handle)
    yield (
        "ChangeMessageVisibility",
        lambda: sqs.change_message_visibility(VisibilityTimeout=0, **handle),
    )
    yield "GetQueueAttributes", lambda: sqs.get_queue_attributes(QueueUrl=url)
    yield "PurgeQueue", lambda: sqs.purge_queue(QueueUrl=url)
    yield "SetQueueAttributes", lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={})
    yield (
        "AddPermission",
        lambda: sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=[OWNER], Actions=["*"]),
    )
    yield "TagQueue", lambda: sqs.tag_queue(QueueUrl=url, Tags={"a": "b"})
    yield "DeleteQueue", lambda: sqs.delete_queue(QueueUrl=url)


def other_calls(make: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    """What has nothing to do with a queue that is there, in the same service and in others."""
    sqs, s3, iam, secrets = (make(name) for name in ("sqs", "s3", "iam", "secretsmanager"))
    yield "ListQueues", sqs.list_queues
    yield "CreateQueue", lambda: sqs.create_queue(QueueName="new")
    yield "ListBuckets", s3.list_buckets
    yield (
        "CreateBucket",
        lambda: s3.create_bucket(
            Bucket="new", CreateBucketConfiguration={"LocationConstraint": REGION}
        ),
    )
    yield "ListUsers", iam.list_users
    yield "CreateUser", lambda: iam.create_user(UserName="mallory")
    yield (
        "PutRolePolicy",
        lambda: iam.put_role_policy(RoleName="any", PolicyName="more", PolicyDocument=MORE),
    )
    yield "GetSecretValue", lambda: secrets.get_secret_value(SecretId="any")


def is_allowed(call: Any) -> bool:
    """Whether it is let through to be carried out, however that ends."""
    try:
        call()
    except ClientError as exc:
        error = exc.response["Error"]
        return "AccessDenied" not in error["Code"] and "not authorized" not in error["Message"]
    return True


MORE: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}],
    }
)
_LOOK: Final = "GetQueueAttributes"
_TAKE: Final = ("ReceiveMessage", "DeleteMessage")
_ALL: Final = ("SendMessage", "ChangeMessageVisibility", *_TAKE, _LOOK)
ALLOWED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "GatewayRole": {"Queue": ("SendMessage",)},
    "EdgeRole": {"Queue": ("SendMessage", _LOOK), "DeadLetters": (_LOOK,)},
    "WorkerRole": {"Queue": (*_TAKE, _LOOK), "DeadLetters": ("SendMessage", _LOOK)},
    "ApiRole": {"Queue": _ALL, "DeadLetters": _ALL},
}


@pytest.mark.parametrize("role", ALLOWED)
async def test_a_role_may_do_its_work_and_nothing_else(role: str) -> None:
    """With authorisation switched on, each call outside the role's few is refused: on its queues,
    on another queue, and in other services.
    """
    (policy,) = of_type(translated(printed()), "AWS::IAM::Role")[role]["Policies"]
    async with moto() as url:
        admin = maker(url)
        for name in (*QUEUES.values(), OTHER):
            admin("sqs").create_queue(QueueName=name)
        made = admin("iam").create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
        document = json.dumps(resolved(policy["PolicyDocument"]))
        admin("iam").put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=document)
        keys = admin("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="gateway")
        taken = keys["Credentials"]
        own = maker(
            url,
            aws_access_key_id=taken["AccessKeyId"],
            aws_secret_access_key=taken["SecretAccessKey"],
            aws_session_token=taken["SessionToken"],
        )
        httpx.post(f"{url}/moto-api/reset-auth", content=b"0").raise_for_status()
        found = {
            (name, right)
            for name, queue in (*QUEUES.items(), ("Other", OTHER))
            for right, call in calls(own, queue)
            if is_allowed(call)
        }
        elsewhere = {right for right, call in other_calls(own) if is_allowed(call)}
    assert found == {(queue, right) for queue, rights in ALLOWED[role].items() for right in rights}
    assert elsewhere == set()


async def test_the_calls_that_roles_are_tried_with_are_real() -> None:
    """Without authorisation none of them is refused, so a refusal above is the role's."""
    async with moto() as url:
        admin = maker(url)
        admin("sqs").create_queue(QueueName=OTHER)
        tried = [*calls(admin, OTHER), *other_calls(admin)]
        assert [right for right, call in tried if not is_allowed(call)] == []
