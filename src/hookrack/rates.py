"""How often a flow may be sent to: by everybody, by one address, and with a bad credential.

Each process counts in buckets of its own, so no request waits for the store. Where several
processes serve, a task tells the store what was asked for here and learns what was asked for
everywhere; each then holds its share of the rate. It ends when nothing is asked for, so idle limits
cost nothing; while the store is away every process holds the whole rate, which is the worst that
can happen.

Flow and account pay for requests whose sender was verified, and for no others: a stranger can't
use up what is theirs.
"""

import asyncio
import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from hookrack.buckets import Bucket
from hookrack.door_ports import Tally
from hookrack.errors import Code, Limited, Unavailable
from hookrack.flows import Account, Flow
from hookrack.telemetry import metrics

FAILURES_PER_SECOND: Final = 5.0  # of one address at one flow
FAILURES_AT_ONCE: Final = 300.0
SYNC_SECONDS: Final = 0.5
_QUIET_ROUNDS: Final = 10  # without demand, before the task ends
_SMOOTH: Final = 0.5  # how much of a share is from the last round
_LEAST_SHARE: Final = 0.02
_REMEMBERED: Final = 10_000  # addresses; the one that came first makes room
_PARSED: Final = 4_096

_Key = tuple[str, str, str]  # account, flow, network
_Name = tuple[str, str]  # account, flow or ""


class _Shared:
    """A rate that all processes share; `demand` is what was asked for here since the last round."""

    __slots__ = ("bucket", "demand", "everywhere", "here", "rate", "seen")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.bucket = Bucket(rate, max(1.0, rate), now=now)
        self.demand = 0
        self.here = self.everywhere = 0.0  # smoothed
        self.seen: int | None = None  # the tally at the last round

    def learn(self, asked: int, total: int | None, *, now: float) -> None:
        """Take the share that is ours by now; None where nobody could say what others asked for."""
        before, self.seen = self.seen, total
        if total is None:
            self._hold(1.0, now)
            return
        everywhere = max(asked, total - before) if before is not None else asked
        self.here += (asked - self.here) * _SMOOTH
        self.everywhere += (everywhere - self.everywhere) * _SMOOTH
        share = self.here / self.everywhere if self.everywhere >= 1.0 else 1.0
        self._hold(min(1.0, max(_LEAST_SHARE, share)), now)

    def _hold(self, share: float, now: float) -> None:
        rate = self.rate * share
        self.bucket.change(rate, max(1.0, rate), now=now)


class Rates:
    """The limits of one process."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._shared: dict[_Name, _Shared] = {}
        self._senders: dict[_Key, Bucket] = {}
        self._failing: dict[_Key, Bucket] = {}
        self._task: asyncio.Task[None] | None = None

    def check_sender(self, flow: Flow, client: Callable[[], str]) -> None:
        """Refuse an address that sends, or was refused, too often; before its body is read.

        Raises: Limited.
        """
        if flow.per_address is None and not self._failing:
            return
        key, now = (flow.account, flow.id, network_of(client())), time.monotonic()
        failing = self._failing.get(key)
        if failing is not None:
            if failing.full(now):
                del self._failing[key]
            elif wait := failing.wait(now):
                raise _limited("Too many requests from your address were refused here.", wait)
        if flow.per_address is not None:
            rate = float(flow.per_address)
            bucket = _remembered(self._senders, key, rate, at_once=rate, now=now)
            if wait := bucket.take(now):
                raise _limited("Your address sends to this flow too often.", wait)

    def failed(self, flow: Flow, client: Callable[[], str]) -> None:
        """Note that a credential or signature was refused."""
        key, now = (flow.account, flow.id, network_of(client())), time.monotonic()
        _remembered(
            self._failing, key, FAILURES_PER_SECOND, at_once=FAILURES_AT_ONCE, now=now
        ).take(now)

    def spend(self, flow: Flow, account: Account) -> None:
        """One request more of a verified sender. Raises: Limited."""
        now = time.monotonic()
        for name, rate in ((flow.id, flow.per_second), ("", account.per_second)):
            if rate is not None:
                self._spend((account.id, name), rate, now)

    def _spend(self, name: _Name, rate: int, now: float) -> None:
        shared = self._shared.get(name)
        if shared is None or shared.rate != rate:
            shared = self._shared[name] = _Shared(rate, now)
        shared.demand += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._share(), name="share-rates")
        if wait := shared.bucket.take(now):
            whose = "flow" if name[1] else "account"
            raise _limited(f"This {whose} is sent to more often than it takes.", wait)

    async def _share(self) -> None:
        """Round after round: tell what was asked for here, learn what was everywhere."""
        quiet = 0
        while quiet < _QUIET_ROUNDS:
            await asyncio.sleep(SYNC_SECONDS)
            asked = {name: each.demand for name, each in self._shared.items()}
            for each in self._shared.values():
                each.demand = 0
            quiet = 0 if any(asked.values()) else quiet + 1
            totals: Mapping[_Name, int] = {}
            try:
                totals = await self._tally.add(asked)
            except Unavailable:
                metrics.RATES_ALONE.add()
            now = time.monotonic()
            for name, count in asked.items():
                if name in self._shared:
                    self._shared[name].learn(count, totals.get(name), now=now)
        self._shared.clear()

    async def close(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _remembered(
    buckets: dict[_Key, Bucket], key: _Key, rate: float, *, at_once: float, now: float
) -> Bucket:
    """The bucket of a key, new where there is none or another rate holds by now."""
    found = buckets.get(key)
    if found is None or found.rate != rate:
        while len(buckets) >= _REMEMBERED:
            del buckets[next(iter(buckets))]
        found = buckets[key] = Bucket(rate, max(1.0, at_once), now=now)
    return found


@lru_cache(maxsize=_PARSED)
def network_of(client: str) -> str:
    """Whose an address is: of IPv6 a customer has 2^64, so the first half counts."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:
        return client
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))


def _limited(detail: str, wait: float) -> Limited:
    metrics.LIMITED.add()
    return Limited(Code.RATE_LIMITED, detail, retry_after=max(1, math.ceil(min(wait, 3_600))))
