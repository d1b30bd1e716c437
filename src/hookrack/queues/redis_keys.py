"""What the keys of the queue are called in Redis; the hash tag {q} puts them all in one slot.

    {q}:s:0..7    STREAM  field e = envelope; group w; partition = crc32(account) % 8; permanent
    {q}:a:<p>     HASH    stream id -> attempts, crashes, due, first and last failure (JSON);
                          written on failure only, dropped when settled; permanent
    {q}:alone     STRING  the one delivery that is tried alone now, "<p>:<stream id>"; a day

Streams hold only what is still to do; letters and their index go by their own time.
"""

import zlib
from typing import Final

PARTITIONS: Final = 8
GROUP: Final = "w"


class QueueKeys:
    """The names below one prefix."""

    def __init__(self, prefix: str) -> None:
        self._tag = f"{prefix}{{q}}:"
        self.streams = tuple(f"{self._tag}s:{place}" for place in range(PARTITIONS))
        self.records = tuple(f"{self._tag}a:{place}" for place in range(PARTITIONS))
        self.alone = f"{self._tag}alone"
        self.letters = f"{self._tag}dl"

    def letter(self, letter_id: str) -> str:
        """The key of one dead letter."""
        return f"{self._tag}dl:{letter_id}"


def partition_of(account: str) -> int:
    """The partition that an account's envelopes go to."""
    return zlib.crc32(account.encode()) % PARTITIONS
