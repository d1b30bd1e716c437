"""What is decided about dead letters: which may go round again, and which it is too late for."""

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hookrack.errors import Poison
from hookrack.flows import Configuration
from hookrack.model import decode_envelope, encode_envelope, milliseconds
from hookrack.placing import place
from hookrack.ports import DeadLetter, DeadLetters, LetterFilter

PAGE: Final = 100
CLOCK_SKEW: Final = 5_000  # ms that the queue's clock may be ahead of ours


class Verdict(StrEnum):
    """What a redrive does with one letter."""

    REDRIVEN = "redriven"
    SKIPPED = "skipped"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Redrive:
    """How many letters went round again; how many could not, for what they are or their time."""

    redriven: int
    skipped: int
    expired: int


async def redrive(
    wanted: LetterFilter,
    *,
    letters: DeadLetters,
    configuration: Configuration,
    now: int,
    dry_run: bool = False,
    renew_ttl: bool = False,
) -> Redrive:
    """Send dead letters round again, those that failed first first; the others stay.

    Id and `receivedAt` are kept; what could not be processed by the configuration of now is
    skipped, and what has no time left under any of its keys is expired. `renew_ttl` makes `now`
    (ms) the time of receipt of all that are meant, `dry_run` only counts. Letters that fail again
    meanwhile are left for the next time. Too many to look at, on SQS, go round unseen if all are
    meant. Raises: Unavailable; then some may be sent.
    """
    if wanted == LetterFilter() and not (dry_run or renew_ttl):
        moved = await letters.redrive_all()
        if moved is not None:
            return Redrive(moved, 0, 0)
    latest = now + CLOCK_SKEW
    wanted = replace(wanted, until=latest if wanted.until is None else min(wanted.until, latest))
    done: Counter[Verdict] = Counter()
    cursor = None
    while True:
        page = await letters.page(wanted, after=cursor, limit=PAGE, oldest_first=True)
        ready = []
        for letter in page.letters:
            verdict, renewed = judge(letter, configuration, now=now, renew_ttl=renew_ttl)
            done[verdict] += 1
            if verdict is Verdict.REDRIVEN:
                ready.append(renewed)
        if not dry_run:
            await letters.redrive(ready)
        cursor = page.cursor
        if cursor is None:
            return Redrive(*(done[verdict] for verdict in Verdict))


def judge(
    letter: DeadLetter, configuration: Configuration, *, now: int, renew_ttl: bool
) -> tuple[Verdict, DeadLetter]:
    """What a redrive does with a letter, and the letter as it would be sent."""
    try:
        event = decode_envelope(letter.envelope)
        placement = place(event, configuration)
    except Poison:
        return Verdict.SKIPPED, letter
    if renew_ttl:
        event = replace(event, received_at=now)
        letter = replace(letter, envelope=encode_envelope(event))
    elif all(event.received_at + milliseconds(ttl) <= now for _, ttl in placement.keys):
        return Verdict.EXPIRED, letter
    return Verdict.REDRIVEN, replace(letter, account=event.account)


async def discard(wanted: LetterFilter, *, letters: DeadLetters) -> int:
    """Drop dead letters; how many there were. Raises: Unavailable; then some may be dropped."""
    dropped, cursor = 0, None
    while True:
        page = await letters.page(wanted, after=cursor, limit=PAGE, bare=True)
        dropped += await letters.discard(page.letters)
        cursor = page.cursor
        if cursor is None:
            return dropped
