"""The newest live entry of a key, or of many: get.lua and trim.lua behind `RedisStore.get`.

Gets that are asked for in one loop tick leave as one command per account.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from hookrack._redis import Pipe, Script
from hookrack.entries import Found
from hookrack.errors import Code, Unavailable
from hookrack.model import Entry
from hookrack.stores.redis_codec import ENTRY_BYTES, Keyspace, decode_entry

KEYS_PER_GET: Final = 64
_TRIMS_PER_GET: Final = 64
_ROUNDS_PER_MANY: Final = 128  # calls one after the other, for what is large or full of dead

_GET: Final = Script(Path(__file__).with_name("get.lua"))
_TRIM: Final = Script(Path(__file__).with_name("trim.lua"))
_Asked = dict[str, list[asyncio.Future[Any]]]  # by key; each caller has a future of its own


class Newest:
    """Looks for the newest entries, and clears away the dead that stand before them."""

    def __init__(self, pipe: Pipe, space: Keyspace) -> None:
        self._pipe = pipe
        self._space = space
        self._asked: dict[str, _Asked] = {}

    async def one(self, account: str, key: str) -> Entry | None:
        """See `ports.Store.get`."""
        for _ in range(_TRIMS_PER_GET):
            found = await self._ask(account, key)
            if found != b"trim":
                realm = self._space.realm(account)
                return decode_entry(account, key, realm=realm, found=found) if found else None
            await self._trim(account, key)
        raise Unavailable(Code.STORE_UNAVAILABLE, "Too many expired entries stand before it.")

    async def _ask(self, account: str, key: str) -> Any:  # noqa: ANN401 - a reply
        """Join the next get of this account; the same key asked twice is one look."""
        asked = self._asked.get(account)
        if asked is None or (key not in asked and len(asked) >= KEYS_PER_GET):
            asked = self._asked[account] = {}
            loop = asyncio.get_running_loop()
            task = loop.create_task(self._fetch(account, asked))
            task.add_done_callback(_retrieve)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        asked.setdefault(key, []).append(future)
        return await future

    async def _fetch(self, account: str, asked: _Asked) -> None:
        if self._asked.get(account) is asked:
            del self._asked[account]
        try:
            replies = await self._look(account, tuple(asked))
        except BaseException as exc:
            for future in _live(asked.values()):
                future.set_exception(exc)
            raise
        for futures, reply in zip(asked.values(), replies, strict=True):
            for future in _live([futures]):
                future.set_result(reply)

    async def _look(self, account: str, keys: Sequence[str], *limits: int) -> Any:  # noqa: ANN401 - replies
        """One call of get.lua; `limits` are bytes, and 1 to have the first one all the same."""
        tag = self._space.tag(account)
        sets = [f"{tag}{kind}:{key}" for key in keys for kind in ("k", "n")]
        return await _GET.run(self._pipe, sets, [self._space.clock(), f"{tag}p:", *limits])

    async def _trim(self, account: str, key: str) -> None:
        tag = self._space.tag(account)
        sets = [f"{tag}k:{key}", f"{tag}n:{key}"]
        await _TRIM.run(self._pipe, sets, [self._space.clock(), f"{tag}p:"])

    async def many(self, account: str, keys: Sequence[str], *, max_bytes: int) -> Found:
        """See `ports.Store.get_many`; mostly one round trip.

        In that each call has its share of the bytes, so that the replies together keep to them.
        What found no room then is asked for again, one call after the other.
        """
        chunks = [keys[at : at + KEYS_PER_GET] for at in range(0, len(keys), KEYS_PER_GET)]
        limits = max_bytes // max(1, len(chunks)), int(len(chunks) == 1)
        looks = (self._look(account, chunk, *limits) for chunk in chunks)
        gathered = _Gathered(account, self._space.realm(account))
        for chunk, replies in zip(chunks, await asyncio.gather(*looks), strict=True):
            gathered.add(chunk, replies)
        for _ in range(_ROUNDS_PER_MANY):
            await asyncio.gather(*(self._trim(account, key) for key in gathered.take_buried()))
            room = max_bytes - gathered.size
            chunk = [key for key in keys if key not in gathered.entries][:KEYS_PER_GET]
            if not chunk or room <= 0:
                break
            replies = await self._look(account, chunk, room, int(not gathered.size))
            if gathered.add(chunk, replies):
                break
        entries = gathered.entries
        return Found(
            {key: entries[key] for key in keys if key in entries},
            tuple(key for key in keys if key not in entries),
        )


class _Gathered:
    """What the calls of one `many` have found so far; `size` in bytes, as get.lua counts."""

    def __init__(self, account: str, realm: bytes) -> None:
        self.entries: dict[str, Entry | None] = {}
        self.size = 0
        self._account = account
        self._realm = realm
        self._buried: list[str] = []

    def add(self, keys: Sequence[str], replies: Sequence[Any]) -> bool:
        """Take in the replies of one call; whether its bytes were used up."""
        for key, reply in zip(keys, replies, strict=True):
            if reply == b"trim":
                self._buried.append(key)
            elif reply is None:
                self.entries[key] = None
            elif reply != b"left":
                self.entries[key] = decode_entry(self._account, key, realm=self._realm, found=reply)
                self.size += len(reply[1]) + ENTRY_BYTES
        return b"left" in replies

    def take_buried(self) -> list[str]:
        """The keys with too many dead references on top, once."""
        buried, self._buried = self._buried, []
        return buried


def _live(asked: Iterable[list[asyncio.Future[Any]]]) -> Iterator[asyncio.Future[Any]]:
    """Those whose callers still wait."""
    return (each for futures in asked for each in futures if not each.done())


def _retrieve(done: "asyncio.Future[Any]") -> None:
    """Look at the exception, so that one which nobody waits for isn't reported as forgotten."""
    if not done.cancelled():
        done.exception()
