"""What an account may still send, by its quotas: asked at the front door, before the queue.

The store counts, and has the last word: what it finds too much becomes a dead letter. Here its
figures are asked for while an account that has quotas is sent to, and what was let in since counts
on top, so that a sender hears of it with 429 as long as there is no backlog to speak of.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from hookrack.errors import Code, Limited, Rejected, Unavailable
from hookrack.flows import Account, Flow
from hookrack.model import Event
from hookrack.ports import Store
from hookrack.quotas import QUOTA_SECONDS, Usage
from hookrack.telemetry import metrics

FRESH_SECONDS: Final = 0.25


class _Known:
    """What an account had at the last look, and bytes that were let in since."""

    __slots__ = ("at", "lock", "since", "usage")

    def __init__(self) -> None:
        self.usage = Usage(0, 0)
        self.at = 0.0
        self.since = 0
        self.lock = asyncio.Lock()


class Allowances:
    """The quotas as one process's front door holds them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}
        self._loop = asyncio.get_running_loop()

    async def check(self, event: Event, *, flow: Flow, account: Account) -> None:
        """Refuse an event that its account has no room for.

        While the store doesn't answer the last figures count. Raises: Rejected (`KEYS_INVALID`),
        Limited (`QUOTA_EXCEEDED`).
        """
        quotas = account.quotas
        keys = [each.key for each in flow.keys] if event.keys is None else event.keys
        if fault := quotas.find_fault(keys):
            raise Rejected(Code.KEYS_INVALID, fault)
        if not quotas.bound_store:
            return
        known = await self._look(account.id)
        size = len(event.data)
        most = quotas.stored_bytes
        if most is not None and known.usage.stored_bytes + known.since + size > most:
            raise exceeded("storedBytes", f"The account's events may have {most} bytes.")
        if quotas.keys is not None and known.usage.keys + len(keys) > quotas.keys:
            await self._check_keys(account.id, keys, quotas.keys)
        known.since += size

    async def _look(self, account: str) -> _Known:
        """The figures, not much older than `FRESH_SECONDS`; one question at a time."""
        known = self._known.get(account)
        if known is None:
            known = self._known[account] = _Known()
        if self._loop.time() >= known.at:
            async with known.lock:
                if self._loop.time() >= known.at:
                    since = known.since
                    known.at = self._loop.time() + FRESH_SECONDS
                    try:
                        known.usage = await self._store.usage(account)
                    except Unavailable:
                        return known
                    known.since -= since
        return known

    async def _check_keys(self, account: str, keys: Sequence[str], most: int) -> None:
        """Near the end it matters which keys are new."""
        try:
            found = await self._store.usage(account, keys)
        except Unavailable:
            return
        if found.keys + found.unknown > most:
            raise exceeded("keys", f"The account may have events under {most} webhook keys.")


def exceeded(quota: str, detail: str) -> Limited:
    """A refusal by a quota, counted."""
    metrics.QUOTA_REFUSALS.add(quota)
    return Limited(Code.QUOTA_EXCEEDED, detail, retry_after=QUOTA_SECONDS)
