"""The DeadLetters of a queue on SQS: what its dead-letter queue shows when it is asked.

SQS has no list, no order and no search: to look at messages is to receive them, which hides them
from others for `HOLD`. So a look takes what comes, `LOOK` letters and `LOOK_BYTES` at most, keeps
them here for as long as they are hidden, and sorts, filters and pages among those. Whether there
is more is said. What was looked at is redriven or dropped by the receipts kept with it.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from hookrack.errors import Code, Rejected, Unavailable
from hookrack.ports import DeadLetter, LetterFilter, LetterPage, LetterStats
from hookrack.queues.sqs import count
from hookrack.queues.sqs_batches import send_batch, settle
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_letters import fits, read_letter
from hookrack.queues.sqs_queues import QueuePair
from hookrack.queues.sqs_text import PER_CALL, Message, portions, to_message
from hookrack.telemetry import metrics

HOLD: Final = timedelta(seconds=60)  # for which what was looked at is hidden from others
LOOK: Final = 1_000  # letters kept here
LOOK_BYTES: Final = 64 * 1024 * 1024  # of envelopes, likewise
FRESH: Final = timedelta(seconds=20)  # for which a look serves the pages that follow
PAGE_BYTES: Final = 4 * 1024 * 1024  # of envelopes in one page, which has at least one
AT_ONCE: Final = 4  # calls that look
ROUNDS: Final = 100  # of such calls in one look
MOVE_WAIT: Final = timedelta(seconds=20)  # for a move task to end
_MOVE_POLL_SECONDS: Final = 1.0
_CURSOR: Final = re.compile(r"([0-9]{1,15})-([A-Za-z0-9-]{1,80})")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A letter, hidden from others until `ends` by the loop's clock."""

    letter: DeadLetter
    receipt: str
    ends: float

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands among all."""
        return self.letter.last_failed_at, self.letter.id


class SqsDeadLetters:
    """The dead letters of one queue."""

    def __init__(
        self, client: SqsClient, pair: QueuePair, *, hold: timedelta = HOLD, most: int = LOOK
    ) -> None:
        self._client = client
        self._pair = pair
        self._most = most
        self._hold = int(hold.total_seconds())
        self._loop = asyncio.get_running_loop()
        self._seen: dict[str, _Seen] = {}  # by letter id
        self._looked_at = float("-inf")
        self._is_partial = False
        self._looking = asyncio.Lock()

    async def page(
        self,
        wanted: LetterFilter,
        *,
        after: str | None = None,
        limit: int,
        oldest_first: bool = False,
        bare: bool = False,
    ) -> LetterPage:
        """See `ports.DeadLetters`; among what a look brings."""
        place = None if after is None else _read_cursor(after)
        if place is None or self._loop.time() - self._looked_at > FRESH.total_seconds():
            await self._look()
        found = sorted(
            (each for each in self._alive() if fits(each.letter, wanted)),
            key=lambda each: each.place,
            reverse=not oldest_first,
        )
        if place is not None:
            found = [each for each in found if (each.place > place) == oldest_first]
            found = [each for each in found if each.place != place]
        some = _cut(found, 0 if bare else PAGE_BYTES, limit)
        letters = [replace(each.letter, envelope=b"") if bare else each.letter for each in some]
        more = len(some) < len(found)
        cursor = "{}-{}".format(*some[-1].place) if more else None
        return LetterPage(tuple(letters), cursor, self._is_partial)

    def _alive(self) -> list[_Seen]:
        """What is still hidden; the rest may be anywhere by now."""
        now = self._loop.time()
        self._seen = {name: each for name, each in self._seen.items() if each.ends > now}
        return list(self._seen.values())

    async def _look(self) -> None:
        """Receive until nothing comes or enough is here.

        A call that waits asks all of SQS's servers, one that doesn't only some: it is the one that
        waits which tells the end.
        """
        async with self._looking:
            for _ in range(ROUNDS):
                polls = (self._receive(0) for _ in range(AT_ONCE))
                found = any(await asyncio.gather(*polls)) or await self._receive(1)
                if not found or self._is_full:
                    break
            self._looked_at = self._loop.time()
            depth, _ = await count(self._client, self._pair.dead_url)
            self._is_partial = depth > len(self._seen)

    @property
    def _is_full(self) -> bool:
        alive = self._alive()
        size = sum(len(each.letter.envelope) for each in alive)
        return len(alive) >= self._most or size >= LOOK_BYTES

    async def _receive(self, seconds: int) -> int:
        """One call; how many it brought."""
        ends = self._loop.time() + self._hold
        reply = await self._client.call(
            "receive_message",
            wait=seconds,
            QueueUrl=self._pair.dead_url,
            MaxNumberOfMessages=PER_CALL,
            WaitTimeSeconds=seconds,
            VisibilityTimeout=self._hold,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: Sequence[dict[str, Any]] = reply.get("Messages") or ()
        for message in messages:
            letter = read_letter(message, max_receives=self._pair.max_receives)
            self._seen[letter.id] = _Seen(letter, message["ReceiptHandle"], ends)
        return len(messages)

    async def get(self, event_id: str) -> DeadLetter | None:
        """See `ports.DeadLetters`; None, too, where a look didn't bring it."""
        page = await self.page(LetterFilter(ids=frozenset({event_id})), limit=1)
        return page.letters[0] if page.letters else None

    async def redrive(self, letters: Sequence[DeadLetter]) -> int:
        """See `ports.DeadLetters`."""
        sent = 0
        here = await self._find(letters)
        messages = [self._message(letter) for letter, _ in here]
        rest = iter(here)
        for portion in portions(messages):
            some = [next(rest)[1] for _ in portion]
            faults = await send_batch(self._client, portion, url=self._pair.url)
            went = [each for each, fault in zip(some, faults, strict=True) if fault is None]
            await self._drop(went)
            metrics.DLQ_REDRIVEN.add(count=len(went))
            sent += len(went)
            if len(went) < len(some):
                refused = next(fault for fault in faults if fault is not None)
                detail = f"The queue refused a dead letter ({refused})."
                raise Unavailable(Code.STORE_UNAVAILABLE, detail)
        return sent

    def _message(self, letter: DeadLetter) -> Message:
        made = to_message(letter.envelope)
        # A copy of its own on FIFO queues, which may remember the event's first one.
        group = self._pair.group(letter.account or "", unique=letter.id)
        return Message(made.fields | group, made.size)

    async def _find(self, letters: Sequence[DeadLetter]) -> list[tuple[DeadLetter, _Seen]]:
        """Those that are in our hands; one look for those that aren't."""
        self._alive()
        if any(each.id not in self._seen for each in letters):
            await self._look()
        return [(each, self._seen[each.id]) for each in letters if each.id in self._seen]

    async def _drop(self, some: Sequence[_Seen]) -> int:
        entries = [{"ReceiptHandle": each.receipt} for each in some]
        faults = await settle(
            self._client, entries, action="delete_message_batch", url=self._pair.dead_url
        )
        for each in some:
            self._seen.pop(each.letter.id, None)
        return faults.count(None)

    async def redrive_all(self) -> int | None:
        """See `ports.DeadLetters`: a task of SQS's own, where there are more than a look brings."""
        depth, _ = await count(self._client, self._pair.dead_url)
        if depth <= self._most:
            return None
        await self._let_go()
        source = self._pair.dead_arn
        try:
            # Its destination is named: what was sent there by us has none of its own.
            await self._client.call(
                "start_message_move_task", SourceArn=source, DestinationArn=self._pair.arn
            )
        except Unavailable:
            return None  # not allowed, one runs already, or a server that doesn't know it
        moved = await self._moved(source, depth)
        metrics.DLQ_REDRIVEN.add(count=moved)
        return moved

    async def _moved(self, source: str, depth: int) -> int:
        """How many a task moved; if it takes longer than we wait, how many it has to."""
        ends = self._loop.time() + MOVE_WAIT.total_seconds()
        while self._loop.time() < ends:
            reply = await self._client.call(
                "list_message_move_tasks", SourceArn=source, MaxResults=1
            )
            task = (reply.get("Results") or [{}])[0]
            if task.get("Status") == "FAILED":
                detail = f"The move of the dead letters failed ({task.get('FailureReason')})."
                raise Unavailable(Code.STORE_UNAVAILABLE, detail)
            if task.get("Status") != "RUNNING":
                return int(task.get("ApproximateNumberOfMessagesMoved", depth))
            await asyncio.sleep(_MOVE_POLL_SECONDS)
        return depth

    async def discard(self, letters: Sequence[DeadLetter]) -> int:
        """See `ports.DeadLetters`."""
        return await self._drop([seen for _, seen in await self._find(letters)])

    async def stats(self) -> LetterStats:
        """See `ports.DeadLetters`; SQS tells its age to CloudWatch only."""
        depth, _ = await count(self._client, self._pair.dead_url)
        return LetterStats(depth, None)

    async def _let_go(self) -> None:
        """Show what is hidden to all others again."""
        entries = [{"ReceiptHandle": x.receipt, "VisibilityTimeout": 0} for x in self._alive()]
        self._seen.clear()
        hide = "change_message_visibility_batch"
        await settle(self._client, entries, action=hide, url=self._pair.dead_url)

    async def close(self) -> None:
        """See `ports.DeadLetters`; what is hidden shows again."""
        try:
            await self._let_go()
        except Unavailable:
            return  # it shows by itself


def _cut(found: Sequence[_Seen], room: int, limit: int) -> list[_Seen]:
    """As many as a page holds; without `room` bytes don't count."""
    some: list[_Seen] = []
    size = 0
    for each in found[:limit]:
        size += len(each.letter.envelope)
        if some and room and size > room:
            break
        some.append(each)
    return some


def _read_cursor(text: str) -> tuple[int, str]:
    """A place. Raises: Rejected (`CURSOR_INVALID`)."""
    found = _CURSOR.fullmatch(text)
    if found is None or not text.isascii():
        raise Rejected(Code.CURSOR_INVALID, "This is no cursor of a list of dead letters.")
    return int(found[1]), found[2]
