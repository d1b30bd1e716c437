"""A dead letter as its record tells it: the same JSON on every queue."""

from collections.abc import Mapping
from typing import Any

from hookrack.ports import DeadLetter


def letter_of(record: Mapping[str, Any], *, letter_id: str, envelope: bytes) -> DeadLetter:
    """The letter of a record; what was no envelope goes by the letter's own id."""
    return DeadLetter(
        id=letter_id,
        event_id=record.get("eventId") or letter_id,
        account=record.get("account"),
        flow=record.get("flow"),
        reason=record["reason"],
        detail=record["detail"],
        attempts=record["attempts"],
        crashes=record["crashes"],
        first_failed_at=record["firstFailedAt"],
        last_failed_at=record["lastFailedAt"],
        envelope=envelope,
    )
