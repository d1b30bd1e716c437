"""The DeadLetters that `redis_streams.py` buries; keys stand at the head of `redis_keys.py`.

Letters are listed by the time of their last failure, which is a score that no two have in common,
so a score is a cursor. A listing looks at `SCAN` letters in one script, so that however many there
are none holds up the engine; a filter is applied to those.

A redrive is a plain XADD for each envelope, and only then a script that drops the letters: after a
crash between the two the event is in the queue and its letter still there. Storing is idempotent,
so it is stored once; a letter that is left over can be redriven or discarded again.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, Script
from hookrack.door_ports import Headroom
from hookrack.errors import Code, Rejected
from hookrack.model import milliseconds
from hookrack.ports import DeadLetter, LetterFilter, LetterPage, LetterStats
from hookrack.queues.letter_records import letter_of
from hookrack.queues.redis_keys import DEAD_LETTER_TTL, QueueKeys, bulk_of
from hookrack.telemetry import metrics

SCAN: Final = 200  # letters that one script looks at
SCANS: Final = 100  # such scripts for one page at most
PAGE_BYTES: Final = 4 * 1024 * 1024  # of envelopes in one page, which has at least one
AT_ONCE: Final = 100  # letters that are redriven or dropped together
TOLD: Final = timedelta(days=1)  # for how long a redriven event's place in the queue is known
_HIGHEST: Final = 2**53  # scores are doubles

_LETTERS: Final = Script(Path(__file__).with_name("letters.lua"))
_DROP: Final = Script(Path(__file__).with_name("drop_letters.lua"))

_Scored = tuple[bytes, int]  # letter id, score
_Args = list[bytes | str | int]


class RedisDeadLetters:
    """The dead letters of one installation."""

    def __init__(self, pipe: Pipe, *, prefix: str, headroom: Headroom | None = None) -> None:
        self._pipe = pipe
        self._headroom = headroom
        self._keys = QueueKeys(prefix)

    async def page(
        self,
        wanted: LetterFilter,
        *,
        after: str | None = None,
        limit: int,
        oldest_first: bool = False,
        bare: bool = False,
    ) -> LetterPage:
        """See `ports.DeadLetters`."""
        span = _Span.of(wanted)
        place = None if after is None else _read_cursor(after)
        letters: list[DeadLetter] = []
        room = PAGE_BYTES
        for _ in range(SCANS):
            some = await self._candidates(wanted, span.beyond(place, oldest_first), oldest_first)
            args: _Args = [limit - len(letters), room, int(not letters), int(bare)]
            looked_at, found = await self._read(some, wanted, args)
            letters += found
            room -= sum(len(each.envelope) for each in found)
            if looked_at == len(some) < SCAN:
                return LetterPage(tuple(letters), None)
            if looked_at:
                place = some[looked_at - 1][1]
            if looked_at < len(some) or len(letters) >= limit:
                break
        return LetterPage(tuple(letters), str(place))

    async def _candidates(
        self,
        wanted: LetterFilter,
        span: "_Span",
        oldest_first: bool,
    ) -> Sequence[_Scored]:
        """The next letters in order; no filter but times and ids is applied yet."""
        if wanted.ids is not None:
            named = await self._named(sorted(wanted.ids))
            inside = [each for each in named if span.low <= each[1] < span.high]
            return sorted(inside, key=_score, reverse=not oldest_first)[:SCAN]
        ends = (span.low, f"({span.high}")
        verb, first, last = (
            ("ZRANGEBYSCORE", *ends) if oldest_first else ("ZREVRANGEBYSCORE", *ends[::-1])
        )
        paged = (b"WITHSCORES", b"LIMIT", 0, SCAN)
        flat = await self._pipe.call(verb, self._keys.letters, first, last, *paged)
        return [(flat[at], int(float(flat[at + 1]))) for at in range(0, len(flat), 2)]

    async def _named(self, event_ids: Sequence[str]) -> list[_Scored]:
        """The letters of these events that are there."""
        if not event_ids:
            return []
        ids = await self._pipe.call(b"MGET", *map(self._keys.index, event_ids))
        found = [each for each in ids if each is not None]
        if not found:
            return []
        scores = await self._pipe.call(b"ZMSCORE", self._keys.letters, *found)
        pairs = zip(found, scores, strict=True)
        return [(each, int(float(score))) for each, score in pairs if score is not None]

    async def _read(
        self, some: Sequence[_Scored], wanted: LetterFilter, args: _Args
    ) -> tuple[int, list[DeadLetter]]:
        """How many of these were looked at, and those of them that fit."""
        if not some or wanted.accounts == frozenset():
            return len(some), []
        ids = [each[0].decode() for each in some]
        args += [wanted.reason or "", wanted.flow or "", *sorted(wanted.accounts or ())]
        keys = [self._keys.letter(each) for each in ids]
        looked_at, rows = await _LETTERS.run(self._pipe, keys, args)
        letters = [
            letter_of(json.loads(text), letter_id=ids[place], envelope=body)
            for place, text, body in rows
        ]
        return looked_at, letters

    async def get(self, event_id: str) -> DeadLetter | None:
        """See `ports.DeadLetters`."""
        page = await self.page(LetterFilter(ids=frozenset({event_id})), limit=1)
        return page.letters[0] if page.letters else None

    async def redrive(self, letters: Sequence[DeadLetter]) -> int:
        """See `ports.DeadLetters`."""
        sent = 0
        for begun in range(0, len(letters), AT_ONCE):
            some = letters[begun : begun + AT_ONCE]
            sends = (self._send(letter) for letter in some)
            places = await asyncio.gather(*sends, return_exceptions=True)
            went = {letter: at for letter, at in zip(some, places, strict=True) if type(at) is str}
            await self._drop(list(went), list(went.values()))
            metrics.DLQ_REDRIVEN.add(count=len(went))
            if failed := next((at for at in places if isinstance(at, BaseException)), None):
                raise failed
            sent += len(some)
        return sent

    async def _send(self, letter: DeadLetter) -> str:
        """Add an envelope to its stream; where it stands now. Raises: Unavailable."""
        if self._headroom is not None:
            self._headroom.check_send(len(letter.envelope))
        partition = bulk_of(letter.account or "")
        stream = self._keys.streams[partition]
        entry_id = await self._pipe.call(b"XADD", stream, b"*", b"e", letter.envelope)
        return f"{partition}:{entry_id.decode()}"

    async def redrive_all(self) -> int | None:
        """See `ports.DeadLetters`; here all of them can be looked at."""

    async def discard(self, letters: Sequence[DeadLetter]) -> int:
        """See `ports.DeadLetters`."""
        dropped = 0
        for begun in range(0, len(letters), AT_ONCE):
            some = letters[begun : begun + AT_ONCE]
            dropped += await self._drop(some, [""] * len(some))
        return dropped

    async def _drop(self, letters: Sequence[DeadLetter], places: Sequence[str]) -> int:
        keys = [self._keys.letters]
        args: _Args = [milliseconds(TOLD)]
        for letter, place in zip(letters, places, strict=True):
            keys += [self._keys.letter(letter.id), self._keys.index(letter.event_id)]
            args += [letter.id, place]
        return int(await _DROP.run(self._pipe, keys, args))

    async def stats(self) -> LetterStats:
        """See `ports.DeadLetters`."""
        seconds, micros = await self._pipe.call(b"TIME")
        now = int(seconds) * 1_000_000 + int(micros)
        alive = now - milliseconds(DEAD_LETTER_TTL) * 1000
        depth, oldest = await asyncio.gather(
            self._pipe.call(b"ZCOUNT", self._keys.letters, alive, b"+inf"),
            self._pipe.call(
                *(b"ZRANGEBYSCORE", self._keys.letters, alive, b"+inf"),
                *(b"WITHSCORES", b"LIMIT", 0, 1),
            ),
        )
        age = now - int(float(oldest[1])) if oldest else 0
        return LetterStats(int(depth), timedelta(microseconds=max(0, age)))

    async def close(self) -> None:
        """See `ports.DeadLetters`."""
        await self._pipe.close()


@dataclass(frozen=True, slots=True)
class _Span:
    """Scores from `low` up to and without `high`."""

    low: int
    high: int

    @classmethod
    def of(cls, wanted: LetterFilter) -> "_Span":
        """The times of a filter."""
        return cls(
            0 if wanted.since is None else max(0, wanted.since * 1000),
            _HIGHEST if wanted.until is None else min(wanted.until * 1000, _HIGHEST),
        )

    def beyond(self, place: int | None, oldest_first: bool) -> "_Span":
        """What follows a place."""
        if place is None:
            return self
        if oldest_first:
            return _Span(max(self.low, place + 1), self.high)
        return _Span(self.low, min(self.high, place))


def _score(scored: _Scored) -> int:
    return scored[1]


def _read_cursor(text: str) -> int:
    """A score. Raises: Rejected (`CURSOR_INVALID`)."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST))):
        raise Rejected(Code.CURSOR_INVALID, "This is no cursor of a list of dead letters.")
    return int(text)
