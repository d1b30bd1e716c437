"""A queue on SQS and its dead-letter queue, as they are set up there; asked once, at the start."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from hookrack.errors import ConfigError, Unavailable
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_text import MESSAGE_BYTES, RESERVE, Fields
from hookrack.sqs_address import QueueAddress
from hookrack.telemetry import emit, log

LONGEST_LEASE: Final = timedelta(hours=12)
_WHERE: Final = "queue"  # the setting


@dataclass(frozen=True, slots=True)
class QueuePair:
    """Both queues: `max_bytes` is the largest message that both take, without `RESERVE`."""

    url: str
    arn: str
    dead_url: str
    dead_arn: str
    is_fifo: bool
    max_bytes: int
    max_receives: int

    def group(self, account: str, *, unique: str) -> Fields:
        """Whose turn a message is: accounts take turns (fair queues); on FIFO queues their order.

        `unique` is what SQS tells copies by, within five minutes, on FIFO queues alone.
        """
        fields: Fields = {"MessageGroupId": account or "-"}
        return fields | ({"MessageDeduplicationId": unique} if self.is_fifo else {})


async def find_queues(
    client: SqsClient, address: QueueAddress, *, lease: timedelta, max_attempts: int
) -> QueuePair:
    """Look both up, and refuse what can't work. Raises: ConfigError."""
    if lease > LONGEST_LEASE:
        raise ConfigError("SQS leases for 12 h at most", where="lease", mend="Use a shorter one.")
    try:
        return await _find(client, address, max_attempts)
    except Unavailable as exc:
        raise ConfigError(
            f"the queue {address.name} on SQS can't be used: {exc.detail}",
            where=_WHERE,
            mend="Check its URL, the region, the credentials and their policy.",
        ) from exc


async def _find(client: SqsClient, address: QueueAddress, max_attempts: int) -> QueuePair:
    url = address.url
    if not url:
        url = (await client.call("get_queue_url", QueueName=address.name))["QueueUrl"]
    main = await _attributes(client, url)
    policy = _policy(main, address.name)
    *_, owner, dead_name = policy["deadLetterTargetArn"].split(":")
    found = await client.call("get_queue_url", QueueName=dead_name, QueueOwnerAWSAccountId=owner)
    dead = await _attributes(client, found["QueueUrl"])
    _tell_risks(main, dead, max_receives=int(policy["maxReceiveCount"]), max_attempts=max_attempts)
    sizes = (int(each.get("MaximumMessageSize", MESSAGE_BYTES)) for each in (main, dead))
    return QueuePair(
        url=url,
        arn=main["QueueArn"],
        dead_url=found["QueueUrl"],
        dead_arn=policy["deadLetterTargetArn"],
        is_fifo=main.get("FifoQueue") == "true",
        max_bytes=max(0, min(*sizes) - RESERVE),
        max_receives=int(policy["maxReceiveCount"]),
    )


async def _attributes(client: SqsClient, url: str) -> dict[str, str]:
    reply = await client.call("get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    found: dict[str, str] = reply.get("Attributes", {})
    return found


def _policy(attributes: dict[str, str], name: str) -> dict[str, Any]:
    """The redrive policy: without one, what fails has nowhere to go. Raises: ConfigError."""
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    if not isinstance(policy, dict) or not policy.get("deadLetterTargetArn"):
        raise ConfigError(
            f"the queue {name} on SQS has no redrive policy, so what fails has nowhere to go",
            where=_WHERE,
            mend="Make a dead-letter queue and name it in the queue's RedrivePolicy, with "
            "maxReceiveCount 10 or more.",
        )
    return policy


def _tell_risks(
    main: dict[str, str], dead: dict[str, str], *, max_receives: int, max_attempts: int
) -> None:
    """Settings that lose a reason, or an event, sooner than one would think."""
    if max_receives < max_attempts:
        emit(log.QUEUE_RISK, detail="maxReceiveCount is below maxAttempts: SQS buries first")
    kept, dead_kept = (int(each.get("MessageRetentionPeriod", 0)) for each in (main, dead))
    if 0 < dead_kept <= kept and main.get("FifoQueue") != "true":
        emit(
            log.QUEUE_RISK, detail="the dead-letter queue keeps messages no longer than its source"
        )
