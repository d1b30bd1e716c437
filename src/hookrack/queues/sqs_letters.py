"""What a dead letter is on SQS: a message of the dead-letter queue, its record an attribute of it.

    body                the envelope, as it stood in the queue
    hookrackLetter      JSON: eventId, account, flow (where known), reason, detail, attempts,
                        crashes, firstFailedAt, lastFailedAt
    hookrackEncoding    as in the queue

A message without a record is one that SQS itself moved there: it was received maxReceiveCount
times and nobody settled it. Its reason is MAX_RECEIVES, and whose it is stands in the envelope.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from hookrack.errors import Code
from hookrack.heads import read_head
from hookrack.ports import DeadLetter, Failure, LetterFilter
from hookrack.queues.letter_records import letter_of
from hookrack.queues.sqs_text import (
    ENCODING,
    Message,
    attribute,
    record_text,
    to_envelope,
    to_message,
)

LETTER: Final = "hookrackLetter"
_DETAIL_CHARS: Final = 500
_MOVED: Final = "SQS moved it here: it was received {} times and never settled."
_COUNTS: Final = ("attempts", "crashes", "firstFailedAt", "lastFailedAt")


def letter_message(failure: Failure, *, first_failed_at: int, now: int) -> Message:
    """The message that a failed delivery becomes."""
    delivery = failure.delivery
    record = {
        "eventId": failure.event_id,
        "account": failure.account,
        "flow": failure.flow,
        "reason": failure.reason.value,
        "detail": failure.detail[:_DETAIL_CHARS],
        "attempts": delivery.attempts + failure.spends_attempt,
        "crashes": delivery.crashes,
        "firstFailedAt": first_failed_at,
        "lastFailedAt": now,
    }
    return to_message(delivery.body, attributes={LETTER: record_text(record)})


def read_letter(message: Mapping[str, Any], *, max_receives: int) -> DeadLetter:
    """The letter that a received message of the dead-letter queue is."""
    envelope = to_envelope(message["Body"], attribute(message, ENCODING))
    record = _record(attribute(message, LETTER))
    if record is None:
        return _moved(message, envelope, max_receives)
    return letter_of(record, letter_id=message["MessageId"], envelope=envelope)


def _record(text: str | None) -> dict[str, Any] | None:
    """A record of ours; anybody may send to the queue, so it is looked at."""
    try:
        record = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    texts = [record.get(name) for name in ("eventId", "account", "flow")]
    told = [record.get(name) for name in ("reason", "detail")]
    counts = [record.get(name) for name in _COUNTS]
    is_ours = (
        all(each is None or isinstance(each, str) for each in texts)
        and all(isinstance(each, str) for each in told)
        and all(type(each) is int and 0 <= each < 2**47 for each in counts)
    )
    return record if is_ours else None


def _moved(message: Mapping[str, Any], envelope: bytes, max_receives: int) -> DeadLetter:
    head = read_head(envelope)
    attributes = message.get("Attributes") or {}
    sent = int(attributes.get("SentTimestamp", 0))
    return DeadLetter(
        id=message["MessageId"],
        event_id=head.event_id if head else message["MessageId"],
        account=head.account if head else None,
        flow=head.flow if head else None,
        reason=Code.MAX_RECEIVES.value,
        detail=_MOVED.format(max_receives),
        attempts=max_receives,
        crashes=0,
        first_failed_at=sent,
        last_failed_at=int(attributes.get("ApproximateFirstReceiveTimestamp", sent)),
        envelope=envelope,
    )


def fits(letter: DeadLetter, wanted: LetterFilter) -> bool:
    """Whether a letter is meant by a filter."""
    return (
        (wanted.accounts is None or letter.account in wanted.accounts)
        and (wanted.flow is None or letter.flow == wanted.flow)
        and (wanted.reason is None or letter.reason == wanted.reason)
        and (wanted.since is None or letter.last_failed_at >= wanted.since)
        and (wanted.until is None or letter.last_failed_at < wanted.until)
        and (wanted.ids is None or letter.event_id in wanted.ids)
    )
