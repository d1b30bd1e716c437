"""The Tally of RedisStore's engine: {acct}:t:<flow> STRING, a count that ends a minute after use.

An account's own count stands under {acct}:t: with no flow.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from hookrack._redis import Pipe

_SECONDS: Final = 60


class RedisTally:
    """What was asked for everywhere."""

    def __init__(self, pipe: Pipe, *, prefix: str) -> None:
        self._pipe = pipe
        self._prefix = prefix

    async def add(self, asked: Mapping[tuple[str, str], int]) -> Mapping[tuple[str, str], int]:
        """See `ports.Tally`."""
        totals = await asyncio.gather(*(self._one(name, count) for name, count in asked.items()))
        return dict(zip(asked, totals, strict=True))

    async def _one(self, name: tuple[str, str], count: int) -> int:
        key = f"{self._prefix}{{{name[0]}}}:t:{name[1]}"
        total, _ = await asyncio.gather(
            self._pipe.call(b"INCRBY", key, count), self._pipe.call(b"EXPIRE", key, _SECONDS)
        )
        return int(total)

    async def close(self) -> None:
        """Let go of connections."""
        await self._pipe.close()
