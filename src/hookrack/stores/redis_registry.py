"""The Registry on Redis/Valkey. Keys, in one slot by the hash tag {cfg}, all permanent:

{cfg}:acct   HASH    account id -> JSON
{cfg}:flow   HASH    account/flow -> JSON, secrets sealed
{cfg}:tok    HASH    token digest -> JSON
{cfg}:v      STRING  version, grows with each change; published on the channel {cfg}:changed
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, Script, connect
from hookrack._redis.control import translated
from hookrack.errors import Unavailable
from hookrack.records import Change, Records

RECHECK: Final = timedelta(seconds=60)  # in case a notice was lost
_RETRY_SECONDS: Final = 0.5

_WRITE: Final = Script(Path(__file__).with_name("registry_write.lua"))
_HASHES: Final[Mapping[str, str]] = {"account": "acct", "flow": "flow", "token": "tok"}


class RedisRegistry:
    """The configuration of one installation."""

    def __init__(self, pipe: Pipe, *, url: str, prefix: str) -> None:
        self._pipe = pipe
        self._url = url
        self._tag = f"{prefix}{{cfg}}:"

    async def load(self) -> Records:
        """See `ports.Registry`. The version is read first: what is newer comes with the next."""
        version, *hashes = await asyncio.gather(
            self._pipe.call(b"GET", f"{self._tag}v"),
            *(self._pipe.call(b"HGETALL", self._tag + name) for name in _HASHES.values()),
        )
        accounts, flows, tokens = (
            {key.decode(): value.decode() for key, value in zip(flat[::2], flat[1::2], strict=True)}
            for flat in hashes
        )
        return Records(version=int(version or 0), account=accounts, flow=flows, token=tokens)

    async def write(self, changes: Sequence[Change], *, expected: int) -> int | None:
        """See `ports.Registry`."""
        keys = [f"{self._tag}v", *(self._tag + _HASHES[each.kind] for each in changes)]
        args: list[bytes | str | int] = [expected, f"{self._tag}changed"]
        for each in changes:
            args += (each.name, each.text or "")
        version = int(await _WRITE.run(self._pipe, keys, args))
        return None if version < 0 else version

    async def changes(self) -> AsyncIterator[None]:
        """See `ports.Registry`."""
        yield None
        while True:
            try:
                async with aclosing(self._notices()) as notices:
                    async for _ in notices:
                        yield None
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _notices(self) -> AsyncGenerator[None]:
        """One subscription: once when it stands, then at each change or after `RECHECK`."""
        client = connect(self._url, wait=RECHECK)
        subscriber = client.pubsub(ignore_subscribe_messages=True)
        try:
            with translated():
                await subscriber.subscribe(f"{self._tag}changed")
            while True:
                yield None
                with translated():
                    await subscriber.get_message(timeout=RECHECK.total_seconds())
        finally:
            await subscriber.aclose()  # type: ignore[no-untyped-call]
            await client.aclose()
