"""Arrivals on Redis/Valkey: one subscribed line per process, however many readers wait.

    {acct}:new    CHANNEL   `SEQ KEY KEY ...` by put.lua, for what it has just stored;
                            `- KEY` by the scripts of leases, when entries can be leased again

A message that is lost costs time, never an entry. After a cut all readers look for themselves; and
every `RECHECK` the last sequence of each watched account is compared with the last one heard of.
What was there at the look before and still hasn't been heard of was lost.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final

from hookrack._redis import Pipe, Subscriber
from hookrack.errors import Code, HookrackError, Limited, Unavailable
from hookrack.readers import Watch
from hookrack.telemetry import metrics

RECHECK: Final = timedelta(seconds=5)
_RETRY_SECONDS: Final = 5
_TICKS: Final = 20  # in a second: waits end together, at one of these, and share its timer


class _Account:
    """The watches of one account by key, and what was heard of it."""

    __slots__ = ("channel", "heard", "keys", "seen", "waiting")

    def __init__(self, channel: bytes) -> None:
        self.channel = channel
        self.keys: dict[str, _Watch | set[_Watch]] = {}  # a set is larger than a watch
        self.heard = -1  # the last sequence that a message told of
        self.seen = -1  # the last sequence at the last look
        self.waiting = 0

    def tell(self, text: bytes) -> None:
        """A message of the channel."""
        mark, *keys = text.split()
        given_back = mark == b"-"
        if not given_back:
            self.heard = max(self.heard, int(mark))
        for key in keys:
            for watch in self.of(key.decode()):
                if watch.leases or not given_back:
                    watch.wake()

    def look(self, last: int) -> None:
        """The account's last sequence is `last`: wake everybody if messages were lost."""
        if self.heard < self.seen:
            self.wake_all()
            self.heard = self.seen
        elif self.seen < 0:
            self.heard = max(self.heard, last)  # whoever watches has looked since
        self.seen = last

    def wake_all(self) -> None:
        """Everybody had better look."""
        for key in list(self.keys):
            for watch in self.of(key):
                watch.wake()

    def of(self, key: str) -> "tuple[_Watch, ...]":
        """The watches of a key, as they are now."""
        found = self.keys.get(key, ())
        return (found,) if isinstance(found, _Watch) else tuple(found)

    def enter(self, key: str, watch: "_Watch") -> None:
        """One more watches a key."""
        found = self.keys.get(key)
        if isinstance(found, set):
            found.add(watch)
        else:
            self.keys[key] = watch if found is None else {found, watch}

    def leave(self, key: str, watch: "_Watch") -> None:
        """One less; who isn't there may not leave."""
        found = self.keys[key]
        if isinstance(found, set) and len(found) > 1:
            found.remove(watch)
        else:
            del self.keys[key]


class RedisArrivals:
    """See `readers.Arrivals`; `recheck` is shorter in tests."""

    def __init__(
        self,
        pipe: Pipe,
        *,
        url: str,
        prefix: str,
        limit: int,
        recheck: timedelta = RECHECK,
    ) -> None:
        self.waiting = 0
        self.stopped = False
        self._pipe = pipe
        self._prefix = prefix
        self._limit = limit
        self._recheck = recheck
        self._accounts: dict[str, _Account] = {}
        self._ends: dict[int, set[_Watch]] = {}  # by tick
        self._by_channel: dict[bytes, _Account] = {}
        self._line = Subscriber(url, on_message=self._tell, on_gap=self._resume)
        self._looking: asyncio.Task[None] | None = None

    def waiting_of(self, account: str) -> int:
        """See `readers.Arrivals`."""
        found = self._accounts.get(account)
        return found.waiting if found else 0

    async def watch(
        self,
        account: str,
        key: str,
        *,
        wait: timedelta | None,
        leases: bool = False,
        most: int | None = None,
    ) -> Watch:
        """See `readers.Arrivals`."""
        if most is not None and self.waiting_of(account) >= most:
            metrics.QUOTA_REFUSALS.add("waitingReaders")
            detail = f"{most} readers of the account may wait here at once."
            raise Limited(Code.QUOTA_EXCEEDED, detail, retry_after=_RETRY_SECONDS)
        if self.waiting >= self._limit:
            words = f"{self._limit} readers wait here; maxWaitingReaders allows no more."
            raise Unavailable(Code.TOO_MANY_WAITERS, words, retry_after=_RETRY_SECONDS)
        found = self._accounts.get(account)
        if found is None:
            channel = f"{self._prefix}{{{account}}}:new".encode()
            found = self._accounts[account] = self._by_channel[channel] = _Account(channel)
        watch = _Watch(self, found, key=key, leases=leases)
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking(), name="recheck-arrivals")
        try:
            await self._line.subscribe(found.channel)
        except BaseException:
            watch.close()
            raise
        watch.begin(wait)
        return watch

    def stop(self) -> None:
        """See `readers.Arrivals`."""
        self.stopped = True
        self._wake_all()

    async def close(self) -> None:
        """See `readers.Arrivals`."""
        self.stop()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._line.close()
        await self._pipe.close()

    def end_later(self, watch: "_Watch", seconds: float) -> int:
        """Close a watch after so many seconds, up to a tick late; the tick."""
        loop = asyncio.get_running_loop()
        tick = math.ceil((loop.time() + seconds) * _TICKS)
        found = self._ends.get(tick)
        if found is None:
            found = self._ends[tick] = set()
            loop.call_at(tick / _TICKS, self._end, tick)
        found.add(watch)
        return tick

    def end_not(self, watch: "_Watch", tick: int) -> None:
        """What `end_later` had begun is called off."""
        self._ends.get(tick, set()).discard(watch)

    def _end(self, tick: int) -> None:
        for watch in self._ends.pop(tick):
            watch.close()

    def _tell(self, channel: bytes, text: bytes) -> None:
        found = self._by_channel.get(channel)
        if found is not None:
            found.tell(text)

    def _resume(self, channel: bytes) -> None:
        found = self._by_channel.get(channel)
        if found is not None:
            found.wake_all()

    def _wake_all(self) -> None:
        for account in self._accounts.values():
            account.wake_all()

    async def _keep_looking(self) -> None:
        """As long as anybody waits: is the line alive, was a message lost, who waits no more?"""
        while self._accounts:
            await asyncio.sleep(self._recheck.total_seconds())
            self._line.probe()
            for name, account in list(self._accounts.items()):
                if not account.keys:
                    self._forget(name, account)
                    continue
                with suppress(HookrackError):  # no answer: there will be another look
                    last = await self._pipe.call(b"GET", account.channel[: -len(b"new")] + b"seq")
                    account.look(int(last or 0))
        self._looking = None

    def _forget(self, name: str, account: _Account) -> None:
        """Nobody has waited there for a while, or has just begun to leave."""
        del self._accounts[name], self._by_channel[account.channel]
        self._line.unsubscribe(account.channel)


class _Watch:
    """One reader; many of them, so small."""

    __slots__ = (
        *("_account", "_call", "_end", "_hub", "_key", "_open", "_timer", "_woken"),
        *("leases", "over", "woke"),
    )

    def __init__(self, hub: RedisArrivals, account: _Account, *, key: str, leases: bool) -> None:
        self.leases = leases
        self.over = False
        self.woke = False
        self._hub = hub
        self._account = account
        self._key = key
        self._call: Callable[[], None] | None = None  # whom to rouse
        self._timer: asyncio.TimerHandle | None = None
        self._end: int | None = None
        self._woken = False
        self._open = True
        account.enter(key, self)
        hub.waiting += 1
        account.waiting += 1

    def begin(self, wait: timedelta | None) -> None:
        """From now on the time to wait runs."""
        if wait is not None:
            self._end = self._hub.end_later(self, wait.total_seconds())

    async def wait(self, at_most: timedelta | None = None) -> bool:
        """See `readers.Watch`."""
        if not self._is_due():
            future = asyncio.get_running_loop().create_future()
            self._sleep(partial(_resolve, future), at_most)
            try:
                await future
            finally:
                self._wake_up()
        return self.awake()

    def then(self, call: Callable[[], None], *, at_most: timedelta | None = None) -> bool:
        """See `readers.Watch`."""
        if self._is_due():
            return False
        self._sleep(call, at_most)
        return True

    def awake(self) -> bool:
        """See `readers.Watch`."""
        self.over = self.over or self._hub.stopped
        self.woke, self._woken = self._woken, False
        return self._open and not self.over

    def _is_due(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._woken or self.over or not self._open or self._hub.stopped

    def _sleep(self, call: Callable[[], None], at_most: timedelta | None) -> None:
        self._call = call
        if at_most is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(at_most.total_seconds(), self._rouse)

    def _wake_up(self) -> None:
        self._call = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wake(self) -> None:
        """Something came."""
        self._woken = True
        self._rouse()

    def stop(self) -> None:
        """See `readers.Watch`."""
        self.over = True
        self._rouse()

    def close(self) -> None:
        """See `readers.Watch`; also what happens when the time is up."""
        if not self._open:
            return
        self._open = False
        if self._end is not None:
            self._hub.end_not(self, self._end)
        self._hub.waiting -= 1
        self._account.waiting -= 1
        self._account.leave(self._key, self)
        self._rouse()

    def _rouse(self) -> None:
        call = self._call
        self._wake_up()
        if call is not None:
            call()


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
