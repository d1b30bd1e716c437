"""What the keys of the queue are called in Redis; the hash tag {q} puts them all in one slot.

    {q}:s:0..7    STREAM  field e = envelope; group w; partition = crc32(account) % 8; permanent
    {q}:s:8..9    STREAM  the same, the bulk: what an account has waiting beyond a bounded number,
                          and redriven letters (redis_lanes.py)
    {q}:a:<p>     HASH    stream id -> attempts, crashes, due, first and last failure (JSON);
                          written on failure only, dropped when settled; permanent
    {q}:alone     STRING  the one delivery that is tried alone now, "<p>:<stream id>"; a day
    {q}:dl        ZSET    dead letters: score lastFailedAt (us, no two equal), member letter id;
                          permanent, trimmed at each burial
    {q}:dl:<id>   HASH    record (JSON: attempts, crashes, reason, detail, times, whose), envelope;
                          14 days
    {q}:dli:<eid> STRING  the letter of an event, or after a redrive its place in the queue,
                          "<p>:<stream id>"; 14 days, 1 day

What was no envelope has its letter id for an event id. Two accounts' events of one id (ids are
random, so somebody made it up) are both kept and listed; the index leads to the first of them.
Streams hold only what is still to do; letters and their index go by their own time.
"""

import zlib
from datetime import timedelta
from typing import Final

DEAD_LETTER_TTL: Final = timedelta(days=14)
PARTITIONS: Final = 8
BULK: Final = 2  # more streams, behind the partitions
GROUP: Final = "w"


class QueueKeys:
    """The names below one prefix."""

    def __init__(self, prefix: str) -> None:
        self._tag = f"{prefix}{{q}}:"
        self.streams = tuple(f"{self._tag}s:{place}" for place in range(PARTITIONS + BULK))
        self.records = tuple(f"{self._tag}a:{place}" for place in range(PARTITIONS + BULK))
        self.alone = f"{self._tag}alone"
        self.letters = f"{self._tag}dl"

    def letter(self, letter_id: str) -> str:
        """The key of one dead letter."""
        return f"{self._tag}dl:{letter_id}"

    def index(self, event_id: str) -> str:
        """The key that leads from an event to its dead letter."""
        return f"{self._tag}dli:{event_id}"


def partition_of(account: str) -> int:
    """The partition that an account's envelopes go to."""
    return zlib.crc32(account.encode()) % PARTITIONS


def bulk_of(account: str) -> int:
    """The stream that an account's envelopes go to where too many of its own wait already."""
    return PARTITIONS + zlib.crc32(account.encode()) // PARTITIONS % BULK
