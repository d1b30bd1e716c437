"""The entries of a key in storing order: history.lua and sweep.lua behind `RedisStore.history`."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, Script
from hookrack.entries import Page
from hookrack.errors import Code, HookrackError, Rejected
from hookrack.model import Entry
from hookrack.stores.redis_codec import (
    ENTRY_BYTES,
    Keyspace,
    decode_cursor,
    decode_entry,
    encode_cursor,
    seq_before,
)

LOOKS_PER_PAGE: Final = 64  # calls for one page, each past up to 1,024 dead references
_SWEEP_FROM: Final = 256  # dead references in one look, from which dropping them pays

_HISTORY: Final = Script(Path(__file__).with_name("history.lua"))
_SWEEP: Final = Script(Path(__file__).with_name("sweep.lua"))


class History:
    """Reads pages, and clears away the dead that it had to pass over."""

    def __init__(self, pipe: Pipe, space: Keyspace) -> None:
        self._pipe = pipe
        self._space = space

    async def page(
        self,
        account: str,
        key: str,
        *,
        after: str | None,
        since: int | None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """See `ports.Store.history`.

        Where dead references fill all looks, the page may be empty with `more`: its cursor is
        then the place that was reached.
        """
        realm, tag = self._space.realm(account), self._space.tag(account)
        place = decode_cursor(realm, after) if after is not None else 0
        start = max(place, seq_before(since) if since is not None else 0)
        sets = [f"{tag}k:{key}", f"{tag}o:{key}", f"{tag}seq"]
        entries: list[Entry] = []
        ended, last, left = b"look", start, max_bytes
        for _ in range(LOOKS_PER_PAGE):
            bounds = (start, limit - len(entries), left, int(not entries))
            args = [self._space.clock(), f"{tag}p:", *bounds]
            ended, reached, last, dead, found, now = await _HISTORY.run(self._pipe, sets, args)
            _check_place(place, last=int(last), now=now)
            entries += [decode_entry(account, key, realm=realm, found=each) for each in found]
            left -= sum(len(payload) + ENTRY_BYTES for _, payload, _ in found)
            if dead >= _SWEEP_FROM:
                await self._sweep(account, key, start, int(reached))
            start = int(reached)
            if ended != b"look":
                break
        if entries:
            cursor = entries[-1].cursor
        elif ended == b"look":
            cursor = encode_cursor(realm, start)
        else:
            cursor = after if after is not None else encode_cursor(realm, int(last))
        return Page(tuple(entries), cursor, more=ended != b"end")

    async def _sweep(self, account: str, key: str, start: int, reached: int) -> None:
        """Drop dead references; a store that takes no writes keeps them a little longer."""
        tag = self._space.tag(account)
        sets = [f"{tag}{kind}:{key}" for kind in ("k", "o", "n")]
        with suppress(HookrackError):
            await _SWEEP.run(self._pipe, sets, [self._space.clock(), f"{tag}p:", start, reached])


def _check_place(place: int, *, last: int, now: int) -> None:
    """Refuse a cursor beyond which entries could be stored unseen. Raises: Rejected.

    One behind the last entry is harmless as long as the clock is past it: what is stored from now
    on follows it.
    """
    if place > max(last, seq_before(now)):
        words = "The cursor is from the future: the store hasn't come that far."
        raise Rejected(Code.CURSOR_INVALID, words)
