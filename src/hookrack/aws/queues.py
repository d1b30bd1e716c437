"""The queue, its dead-letter queue, and who may do what with them."""

from typing import Any, Final

Json = dict[str, Any]

WORKER_SECONDS: Final = 60
LONGEST_WINDOW: Final = 60  # seconds that a batch may wait until it is full
# Six runs and a window: a message comes back when its batch has surely ended, retries included.
VISIBILITY_SECONDS: Final = 6 * WORKER_SECONDS + LONGEST_WINDOW
RETENTION_SECONDS: Final = 4 * 24 * 3600
DEAD_RETENTION_SECONDS: Final = 14 * 24 * 3600
MESSAGE_BYTES: Final = 1_048_576
MAX_RECEIVES: Final = 20  # above maxAttempts: what fails is buried with its reason first

QUEUE: Final = {"Fn::GetAtt": ["Queue", "Arn"]}
DEAD: Final = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
# By name: each of the two queues names the other, and CloudFormation makes one first.
_SOURCE: Final = (
    "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-events"
)


def queue_resources() -> Json:
    """Both queues and their policies."""
    return {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "QueueName": {"Fn::Sub": "${AWS::StackName}-events"},
                "VisibilityTimeout": VISIBILITY_SECONDS,
                "MessageRetentionPeriod": RETENTION_SECONDS,
                "MaximumMessageSize": MESSAGE_BYTES,
                "ReceiveMessageWaitTimeSeconds": 20,
                "SqsManagedSseEnabled": True,
                "RedrivePolicy": {"deadLetterTargetArn": DEAD, "maxReceiveCount": MAX_RECEIVES},
            },
        },
        "DeadLetters": {
            "Type": "AWS::SQS::Queue",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "QueueName": {"Fn::Sub": "${AWS::StackName}-dead-letters"},
                "MessageRetentionPeriod": DEAD_RETENTION_SECONDS,
                "MaximumMessageSize": MESSAGE_BYTES,
                "SqsManagedSseEnabled": True,
                "RedriveAllowPolicy": {
                    "redrivePermission": "byQueue",
                    "sourceQueueArns": [{"Fn::Sub": _SOURCE}],
                },
            },
        },
        "QueuePolicy": _tls_only("Queue", QUEUE),
        "DeadLettersPolicy": _tls_only("DeadLetters", DEAD),
    }


def _tls_only(name: str, arn: Json) -> Json:
    """Nobody, whatever else they may, without TLS."""
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    queues = [{"Ref": name}]
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": queues, "PolicyDocument": document},
    }
