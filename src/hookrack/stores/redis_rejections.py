"""The Rejections of RedisStore's engine. Keys, all of one account in its slot:

    {acct}:j            ZSET    score us since 1970, member event id: all of the account
    {acct}:j:<flow>:<c> ZSET    the same of one flow; c = 1 where the sender was verified, else 0
    {acct}:r:<eid>      STRING  record, JSON
    {acct}:b:<eid>      STRING  body, where it was kept

Everything has a time to live. A flow's two rings are bounded apart, so that who can't show who he
is never pushes out what could be let in again.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, Script
from hookrack.errors import Code, Rejected
from hookrack.model import is_event_id, milliseconds
from hookrack.refusals import Rejection, RejectionFilter, RejectionPage

TTL: Final = timedelta(days=7)
RINGS: Final = {True: 200, False: 50}  # of one flow, by whether the sender was verified
SCAN: Final = 200  # candidates that are looked at together
SCANS: Final = 50  # such looks for one page at most
_KEEP: Final = Script(Path(__file__).with_name("keep_rejections.lua"))
_HIGHEST: Final = 2**53  # scores are doubles

_Scored = tuple[int, str, str]  # score, event id, account


class RedisRejections:
    """The refused requests of one installation."""

    def __init__(self, pipe: Pipe, *, prefix: str) -> None:
        self._pipe = pipe
        self._prefix = prefix
        self._last = 0

    def _name(self, account: str, rest: str) -> str:
        return f"{self._prefix}{{{account}}}:{rest}"

    async def keep(self, account: str, rejections: Sequence[Rejection]) -> None:
        """See `ports.Rejections`."""
        keys = [self._name(account, "j")]
        gone = time.time_ns() // 1_000 - milliseconds(TTL) * 1_000
        args: list[bytes | str | int] = [milliseconds(TTL), gone]
        args += [self._name(account, "r:"), self._name(account, "b:")]
        for each in rejections:
            ring = self._name(account, f"j:{each.flow}:{int(each.verified)}")
            keys += [ring, self._name(account, f"r:{each.event_id}")]
            keys.append(self._name(account, f"b:{each.event_id}"))
            self._last = max(self._last + 1, each.received_at * 1_000)
            args += [self._last, each.event_id, RINGS[each.verified], _record(each)]
            args.append(each.body or b"")
        await _KEEP.run(self._pipe, keys, args)

    async def page(
        self, wanted: RejectionFilter, *, after: str | None = None, limit: int
    ) -> RejectionPage:
        """See `ports.Rejections`."""
        place = (_HIGHEST, "") if after is None else _read_cursor(after)
        found: list[Rejection] = []
        for _ in range(SCANS):
            some = await self._candidates(wanted, place)
            for scored, one in zip(some, await self._records(some), strict=True):
                place = scored[:2]
                if one is not None and wanted.fits(one):
                    found.append(one)
                if len(found) == limit:
                    return RejectionPage(tuple(found), _cursor(place))
            if len(some) < SCAN:
                return RejectionPage(tuple(found), None)
        return RejectionPage(tuple(found), _cursor(place))

    async def _candidates(self, wanted: RejectionFilter, place: tuple[int, str]) -> list[_Scored]:
        """What comes next, whatever it is: times are looked at a little too generously."""
        high = place[0]
        low = 0 if wanted.since is None else max(0, wanted.since * 1_000)
        lists = await asyncio.gather(
            *(self._listed(account, low, high) for account in dict.fromkeys(wanted.accounts))
        )
        latest = merge(*lists, reverse=True)
        if place[0] == _HIGHEST:
            return list(islice(latest, SCAN))
        return list(islice((each for each in latest if each[:2] < place), SCAN))

    async def _listed(self, account: str, low: int, high: int) -> list[_Scored]:
        flat = await self._pipe.call(
            *(b"ZREVRANGEBYSCORE", self._name(account, "j"), high, low),
            *(b"WITHSCORES", b"LIMIT", 0, SCAN + 1),
        )
        pairs = zip(flat[::2], flat[1::2], strict=True)
        # of equal scores Redis has ids in the order of their bytes, as we do
        return [(int(float(score)), member.decode(), account) for member, score in pairs]

    async def _records(self, some: Sequence[_Scored]) -> list[Rejection | None]:
        """The records of these, without their bodies; None where one is gone."""
        if not some:
            return []
        asks = (
            self._pipe.call(b"GET", self._name(account, f"r:{event_id}"))
            for _, event_id, account in some
        )
        return [None if text is None else _read(text) for text in await asyncio.gather(*asks)]

    async def get(self, account: str, event_id: str) -> Rejection | None:
        """See `ports.Rejections`."""
        if not is_event_id(event_id):
            return None
        text, body = await asyncio.gather(
            self._pipe.call(b"GET", self._name(account, f"r:{event_id}")),
            self._pipe.call(b"GET", self._name(account, f"b:{event_id}")),
        )
        return None if text is None else _read(text, body)

    async def drop(self, account: str, event_ids: Sequence[str]) -> None:
        """See `ports.Rejections`."""
        for event_id in event_ids:
            record = await self._pipe.call(b"GET", self._name(account, f"r:{event_id}"))
            names = [self._name(account, f"{kind}:{event_id}") for kind in ("r", "b")]
            await self._pipe.call(b"UNLINK", *names)
            await self._pipe.call(b"ZREM", self._name(account, "j"), event_id)
            if record is not None:
                one = _read(record)
                ring = self._name(account, f"j:{one.flow}:{int(one.verified)}")
                await self._pipe.call(b"ZREM", ring, event_id)

    async def close(self) -> None:
        """See `ports.Rejections`."""
        await self._pipe.close()


def _record(one: Rejection) -> str:
    names = ("event_id", "account", "flow", "code", "detail", "received_at", "client", "verified")
    fields = {name: getattr(one, name) for name in (*names, "content_type", "headers", "query")}
    return json.dumps(fields | {"whole": one.body is not None})


def _read(text: bytes, body: bytes | None = None) -> Rejection:
    """A record again; an empty body is kept as nothing but the word that it was whole."""
    fields = json.loads(text)
    whole = fields.pop("whole")
    fields["headers"] = tuple((name, value) for name, value in fields["headers"])
    return Rejection(**fields, body=(body or b"") if whole else None)


def _cursor(place: tuple[int, str]) -> str:
    return f"{place[0]}.{place[1]}"


def _read_cursor(text: str) -> tuple[int, str]:
    """Raises: Rejected (`CURSOR_INVALID`)."""
    score, _, event_id = text.partition(".")
    good = score.isascii() and score.isdigit() and len(score) <= len(str(_HIGHEST))
    if not good or not is_event_id(event_id):
        raise Rejected(Code.CURSOR_INVALID, "This is no cursor of a list of rejections.")
    return int(score), event_id
