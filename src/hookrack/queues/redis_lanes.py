"""Which stream an envelope goes to, so that no account's backlog stands before the others'.

An account has a lane that it shares with some others, and a bulk lane. In the shared one at most
`WAITING` of what a process has sent for it wait for a worker; what is more goes to the bulk lane.
While much of it is there, or some that has just come, the account stays there: few events overtake
older ones. Workers take from all lanes in turn, so whoever sends little waits behind a bounded
number of envelopes, however much somebody else has sent. The same books say how many bytes of an
account wait, which is what its share of a scarce queue is measured by (`redis_memory.py`).

Nothing is counted in the engine. A process knows the ids that its sends were given; how far each
stream was handed over it asks now and then while it sends, and what is not behind that has left.
What another process sends, or an earlier one has sent, isn't in its books.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, ReplyError, Script
from hookrack.errors import Unavailable
from hookrack.queues.redis_keys import GROUP, QueueKeys, bulk_of, partition_of

WAITING: Final = 128  # of an account in its shared lane, for each process that sends
LOOK_EVERY: Final = timedelta(milliseconds=100)
_CHUNKS: Final = 128  # of one account and lane; beyond it neighbours are joined
_JUST_NOW: Final = 10  # looks
_START: Final = (0, 0)

_LANES: Final = Script(Path(__file__).with_name("lanes.lua"))

Id = tuple[int, int]


class Line:
    """What this process sent for one account into one lane, and isn't known to have left."""

    __slots__ = ("_chunks", "count", "lane", "size")

    def __init__(self, lane: int) -> None:
        self.lane = lane
        self.count = self.size = 0  # what is on its way counts, too
        self._chunks: list[tuple[int, Id, int, int]] = []  # look, last id, count, bytes

    def begin(self, size: int) -> None:
        """One is being sent."""
        self.count += 1
        self.size += size

    def drop(self, size: int) -> None:
        """It wasn't sent."""
        self.count -= 1
        self.size -= size

    def sent(self, entry_id: Id, size: int, *, look: int) -> None:
        """It was, under this id; those between two looks are one chunk."""
        chunks = self._chunks
        if chunks and chunks[-1][0] == look:
            _, last, count, total = chunks.pop()
            chunks.append((look, max(last, entry_id), count + 1, total + size))
            return
        if len(chunks) >= _CHUNKS:
            self._join()
        chunks.append((look, entry_id, 1, size))

    def _join(self) -> None:
        """Make one of the two neighbours that have the fewest together."""
        chunks = self._chunks
        at = min(range(len(chunks) - 1), key=lambda at: chunks[at][2] + chunks[at + 1][2])
        (look, one, count, size), (_, other, more, bytes_) = chunks[at : at + 2]
        chunks[at : at + 2] = [(look, max(one, other), count + more, size + bytes_)]

    def settle(self, handed_over: Id) -> None:
        """All up to this id have left."""
        chunks, gone = self._chunks, 0
        while gone < len(chunks) and chunks[gone][1] <= handed_over:
            self.count -= chunks[gone][2]
            self.size -= chunks[gone][3]
            gone += 1
        if gone:
            del chunks[:gone]

    def is_held(self, look: int) -> bool:
        """Whether what comes next should stay behind what is in it, so that it isn't overtaken:
        much is, or what is has come just now.
        """
        if self.count > WAITING:
            return True
        oldest = self._chunks[0][0] if self._chunks else look
        return self.count > 0 and look - oldest <= _JUST_NOW


class Lanes:
    """The books of one process."""

    def __init__(self, pipe: Pipe, keys: QueueKeys) -> None:
        self._pipe = pipe
        self._keys = keys
        self._lines: dict[str, tuple[Line, Line]] = {}
        self._loop = asyncio.get_running_loop()
        self._handed_over: Sequence[Id] = [_START] * len(keys.streams)
        self._looks = 0
        self._look_at = 0.0
        self._looking: asyncio.Task[None] | None = None

    def waiting(self, account: str) -> int:
        """Bytes of an account that wait; 0 as long as it is the only one that sends."""
        shared, bulk = self._lines_of(account)
        return shared.size + bulk.size if len(self._lines) > 1 else 0

    def choose(self, account: str) -> Line:
        """The lane for the next envelope of an account."""
        if self._loop.time() >= self._look_at and self._looking is None:
            self._look_at = self._loop.time() + LOOK_EVERY.total_seconds()
            self._looking = self._loop.create_task(self.look())
            self._looking.add_done_callback(self._looked)
        shared, bulk = self._lines_of(account)
        return bulk if shared.count >= WAITING or bulk.is_held(self._looks) else shared

    def sent(self, line: Line, entry_id: bytes, *, size: int) -> None:
        """It was sent."""
        milliseconds, _, rest = entry_id.partition(b"-")
        line.sent((int(milliseconds), int(rest)), size, look=self._looks)

    def _lines_of(self, account: str) -> tuple[Line, Line]:
        lines = self._lines.get(account)
        if lines is None:
            lines = Line(partition_of(account)), Line(bulk_of(account))
            self._lines[account] = lines
        for line in lines:
            line.settle(self._handed_over[line.lane])
        return lines

    async def look(self) -> None:
        """Ask how far the streams were handed over; without an answer the last one counts."""
        try:
            found = await _LANES.run(self._pipe, self._keys.streams, [GROUP])
        except (Unavailable, ReplyError):
            return
        self._looks += 1
        parts = (each.partition(b"-") for each in found)
        self._handed_over = [(int(first), int(rest)) for first, _, rest in parts]

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()

    def close(self) -> None:
        """End the question."""
        if self._looking is not None:
            self._looking.cancel()
