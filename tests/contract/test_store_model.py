"""The store against a model of a few dictionaries, in sequences of steps that hypothesis finds."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from storing import PLENTY, Clock, event, ids, page

from hookrack._redis import Pipe
from hookrack.entries import DirectSet, Life, LifeStatus
from hookrack.errors import Code, Rejected
from hookrack.model import Duplicate, Event, Expired, Outcome, Placement, Stored
from hookrack.stores.redis import RedisStore

KEYS = ("a", "b", "c")
SOME_KEYS = st.lists(st.sampled_from(KEYS), min_size=1, unique=True)
TTLS = st.sampled_from([1, 800, 2_000, 3_600_000])  # ms
AGES = st.sampled_from([0, 0, 0, 1, 1, 700, 1_900])  # ms between receipt and storing
GRACE = timedelta(minutes=5)
DEDUPE_IDS = st.sampled_from([None, None, None, "d-1", "d-2"])
_Answer = TypeVar("_Answer")


@dataclass
class Known:
    """What the model knows of an event; `keys` without those that it was purged from."""

    id: str
    flow: str | None
    received: int
    status: LifeStatus
    stored: int | None = None
    order: int = -1
    keys: dict[str, int] = field(default_factory=dict)
    original: str | None = None
    duplicates: int = 0


class Machine(RuleBasedStateMachine):
    """One account; every step is taken by the store and by the model, and compared."""

    url = ""
    prefix = ""
    runs = count()

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.known: dict[str, Known] = {}
        self.placements: list[Placement] = []
        self.marks: dict[str, str] = {}
        self.direct: dict[str, tuple[DirectSet, Known]] = {}
        self.cursors: list[tuple[str | None, int]] = [(None, -1)]
        self.order = count()
        self.runner = asyncio.Runner()
        self.store = self.run(self.open())

    async def open(self) -> RedisStore:
        """A store of this run's own."""
        self.pipe = Pipe(self.url)
        self.pipe.connect()
        prefix = f"{self.prefix}{next(self.runs)}:"
        return RedisStore(self.pipe, prefix=prefix, epoch=b"epoch1", now=self.clock)

    def run(self, step: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Take a step of the store's."""
        return self.runner.run(step)

    def teardown(self) -> None:
        """Close the connection."""
        self.run(self.store.close())
        self.runner.close()

    def live(self, key: str) -> list[Known]:
        """The live events under a key, in storing order."""
        found = [each for each in self.known.values() if each.keys.get(key, 0) > self.clock.now]
        return sorted(found, key=lambda each: each.order)

    def expect(self, placement: Placement) -> Outcome:
        """What storing an event must come to, and remember it."""
        one, now = placement.event, self.clock.now
        if one.id in self.known:
            return Stored(one.id, again=True)
        received = min(one.received_at, now)
        original = self.marks.get(one.dedupe_id) if one.dedupe_id else None
        if original:
            known = Known(one.id, one.flow, received, LifeStatus.DUPLICATE, original=original)
            self.known[one.id] = known
            self.known[original].duplicates += 1
            return Duplicate(one.id, original)
        spans = {key: received + ttl // timedelta(milliseconds=1) for key, ttl in placement.keys}
        keys = {key: expiry for key, expiry in spans.items() if expiry > now}
        if not keys:
            self.known[one.id] = Known(one.id, one.flow, received, LifeStatus.EXPIRED)
            return Expired(one.id)
        if one.dedupe_id:
            self.marks[one.dedupe_id] = one.id
        known = Known(one.id, one.flow, received, LifeStatus.STORED, now, next(self.order), keys)
        self.known[one.id] = known
        return Stored(one.id)

    @rule(
        batch=st.lists(
            st.tuples(SOME_KEYS, AGES, st.lists(TTLS, min_size=3, max_size=3), DEDUPE_IDS),
            min_size=1,
            max_size=4,
        )
    )
    def put(self, batch: list[tuple[list[str], int, list[int], str | None]]) -> None:
        """Store new events, on time or late, each key with its own time to live."""
        placements = []
        for keys, age, ttls, dedupe_id in batch:
            one: Event = event(at=self.clock.now - age, dedupe_id=dedupe_id)
            spans = (timedelta(milliseconds=ttl) for ttl in ttls)
            placements.append(Placement(one, tuple(zip(keys, spans, strict=False))))
        expected = [self.expect(each) for each in placements]
        assert self.run(self.store.put("acme", placements)) == expected
        self.placements += placements

    @rule(data=st.data())
    def redeliver(self, data: st.DataObject) -> None:
        """Store an event once more, whatever became of it."""
        if self.placements:
            placement = data.draw(st.sampled_from(self.placements))
            expected = [Stored(placement.event.id, again=True)]
            assert self.run(self.store.put("acme", [placement])) == expected

    @rule(keys=SOME_KEYS, ttl=TTLS, dedupe_id=DEDUPE_IDS, body=st.sampled_from([b"1", b"2"]))
    def set_direct(self, keys: list[str], ttl: int, dedupe_id: str | None, body: bytes) -> None:
        """Set an event; an id that is known is answered with the first one, or refused."""
        span, now = timedelta(milliseconds=ttl), self.clock.now
        event_id = f"direct-{len(self.known)}"
        direct = DirectSet(event_id, tuple(keys), span, "text/plain", body, dedupe_id)
        before, first = self.direct.get(dedupe_id or "", (None, None))
        if before and (set(before.keys), before.data) != (set(keys), body):
            with pytest.raises(Rejected, match=Code.ID_CONFLICT):
                self.run(self.store.set_direct("acme", direct))
            return
        written = self.run(self.store.set_direct("acme", direct))
        assert written.again == (first is not None)
        if first is None:
            status, spans = LifeStatus.STORED, dict.fromkeys(keys, now + ttl)
            first = Known(event_id, None, now, status, now, next(self.order), spans)
            self.known[event_id] = first
            if dedupe_id:
                self.direct[dedupe_id] = (direct, first)
        assert [each.webhook_key for each in written.entries] == keys
        assert {each.event_id for each in written.entries} == {first.id}
        assert {each.stored_at for each in written.entries} == {first.stored}

    @rule()
    def get(self) -> None:
        """The newest of each key, one by one and all at once."""
        expected = {}
        for key in KEYS:
            live = self.live(key)
            best = max(live, key=lambda each: (each.received, each.order)) if live else None
            expected[key] = (best.id, best.received, best.keys[key]) if best else None
        found = self.run(self.store.get_many("acme", KEYS, max_bytes=PLENTY))
        seen = {
            key: (entry.event_id, entry.received_at, entry.expires_at) if entry else None
            for key, entry in found.entries.items()
        }
        assert seen == expected
        for key in KEYS:
            assert self.run(self.store.get("acme", key)) == found.entries[key]

    @rule(data=st.data(), key=st.sampled_from(KEYS), limit=st.integers(1, 4))
    def history(self, data: st.DataObject, key: str, limit: int) -> None:
        """One page from any cursor that was ever given; its own cursor is kept."""
        after, place = data.draw(st.sampled_from(self.cursors))
        expected = [each for each in self.live(key) if each.order > place]
        found = self.run(page(self.store, key, after=after, limit=limit))
        assert ids(found) == [each.id for each in expected[:limit]]
        assert found.more == (len(expected) > limit)
        if found.entries:
            place = expected[len(found.entries) - 1].order
        elif after is None:
            place = max((each.order for each in self.known.values()), default=-1)
        self.cursors.append((found.cursor, place))

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def purge_one(self, data: st.DataObject, key: str) -> None:
        """Purge an event from under a key, be it there or not."""
        if self.known:
            one = data.draw(st.sampled_from(list(self.known.values())))
            there = one in self.live(key)
            assert self.run(self.store.delete("acme", key, event_id=one.id)) == there
            if there:
                self.forget(one, key)

    @rule(key=st.sampled_from(KEYS))
    def purge_all(self, key: str) -> None:
        """Purge all under a key."""
        live = self.live(key)
        assert self.run(self.store.delete("acme", key)) == len(live)
        for each in live:
            self.forget(each, key)

    def forget(self, one: Known, key: str) -> None:
        """Take a key from an event; without a live one it is purged."""
        del one.keys[key]
        if all(expiry <= self.clock.now for expiry in one.keys.values()):
            one.status, one.keys = LifeStatus.PURGED, {}

    @rule(span=st.sampled_from([1, 300, 900, 2_500]))
    def forward(self, span: int) -> None:
        """Let time pass."""
        self.clock.now += span

    @rule(data=st.data())
    def life(self, data: st.DataObject) -> None:
        """What became of an event."""
        if not self.known:
            return
        one = data.draw(st.sampled_from(list(self.known.values())))
        status = one.status
        if status is LifeStatus.STORED and max(one.keys.values()) <= self.clock.now:
            status = LifeStatus.EXPIRED
        assert self.run(self.store.life("acme", one.id)) == Life(
            event_id=one.id,
            account="acme",
            flow=one.flow,
            status=status,
            received_at=one.received,
            stored_at=one.stored,
            keys=tuple(one.keys.items()),
            duplicate_of=one.original,
            duplicates=one.duplicates,
        )

    @rule()
    def usage(self) -> None:
        """Keys with something alive are counted exactly; bytes until an event has ended and no
        longer than its payload stays.
        """
        found = self.run(self.store.usage("acme", KEYS))
        live = sum(bool(self.live(key)) for key in KEYS)
        assert (found.keys, found.unknown) == (live, len(KEYS) - live)
        least = sum(self.size(one) for one in self.stored(timedelta(0)))
        assert least <= found.stored_bytes <= sum(map(self.size, self.stored(GRACE)))

    def stored(self, grace: timedelta) -> list[Known]:
        """What ended no longer ago than that, or hasn't."""
        since = self.clock.now - grace // timedelta(milliseconds=1)
        return [one for one in self.known.values() if max(one.keys.values(), default=0) > since]

    def size(self, one: Known) -> int:
        """What an event counts for: its head, flow, content type, and data."""
        return 26 + (
            len("text/plain") + 1 if one.flow is None else len("ordersapplication/json") + 8
        )


@pytest.mark.timeout(400)  # hypothesis makes a failure short for up to 5 minutes
def test_the_store_does_what_the_model_does(url: str, prefix: str) -> None:
    """Whatever is put, set, read and purged, and whenever: the store answers as the model."""

    class Here(Machine):
        """The machine on this test's engine."""

    Here.url, Here.prefix = url, prefix
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=int(os.environ.get("HOOKRACK_EXAMPLES", "60")),
            stateful_step_count=40,
            deadline=None,
            database=None,
            phases=(__import__("hypothesis").Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
