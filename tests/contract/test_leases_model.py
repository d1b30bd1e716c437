"""Leases against a model of a few dictionaries, in sequences of steps that hypothesis finds."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from storing import PLENTY, Clock, event, told

from hookrack._redis import Pipe
from hookrack.entries import FlowTimes, Times
from hookrack.model import Placement
from hookrack.stores.redis import RedisStore
from hookrack.stores.redis_leases import RedisLeases
from leasing import ask

MS = timedelta(milliseconds=1)
DAY = timedelta(days=1)
GROUPS = st.sampled_from(["one", "two"])
TTLS = st.sampled_from([3_600_000, 3_600_000, 2_000, 500])
SPANS = st.sampled_from([300, 1, 1_000])
DELAYS = st.sampled_from([0, 0, 200, 1_000])
STEPS = st.lists(st.sampled_from([0, 1, 299, 300]), min_size=1, max_size=4)
AGES = st.sampled_from([0, 0, 3, 400])
LIMITS = st.integers(1, 4)
_Answer = TypeVar("_Answer")


@dataclass
class Kept:
    """An entry under the key."""

    id: str
    order: int
    received: int
    expiry: int


@dataclass
class Out:
    """One that was handed out and isn't settled; without `due` it is back."""

    attempts: int
    receipt: str
    due: int | None


@dataclass
class Reading:
    """How far a group is."""

    reached: int = -1
    out: dict[str, Out] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)


class Machine(RuleBasedStateMachine):
    """One key with two groups; every step is taken by the store and by the model, and compared."""

    url = ""
    prefix = ""
    runs = count()

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.kept: dict[str, Kept] = {}
        self.groups: dict[str, Reading] = {}
        self.receipts: list[tuple[str, str, str]] = [("one", "A" * 20, "nothing")]
        self.order = count()
        self.places: dict[str, int] = {}  # of every entry that ever was
        self.own = f"{self.prefix}{next(self.runs)}:"
        self.runner = asyncio.Runner()
        self.run(self.open())

    async def open(self) -> None:
        """What a process of hookrack has."""
        self.pipe = Pipe(self.url)
        self.pipe.connect()
        self.store = RedisStore(self.pipe, prefix=self.own, epoch=b"epoch1", now=self.clock)
        self.leases = RedisLeases(self.pipe, prefix=self.own, epoch=b"epoch1", now=self.clock)

    async def again(self) -> None:
        """A new process, and an engine without scripts."""
        await self.pipe.call(b"SCRIPT", b"FLUSH")
        await self.pipe.close()
        await self.open()

    def run(self, step: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Take a step of the store's."""
        return self.runner.run(step)

    def teardown(self) -> None:
        """Close the connection."""
        self.run(self.pipe.close())
        self.runner.close()

    def live(self, name: str) -> bool:
        """Whether an entry is there."""
        return name in self.kept and self.kept[name].expiry > self.clock.now

    def ordered(self) -> list[Kept]:
        """The live entries in storing order."""
        found = [each for each in self.kept.values() if self.live(each.id)]
        return sorted(found, key=lambda each: each.order)

    @rule(puts=st.lists(st.tuples(TTLS, AGES), min_size=1, max_size=5))
    def put(self, puts: list[tuple[int, int]]) -> None:
        """Store events, on time or late."""
        placements = []
        for ttl, age in puts:
            one = event(at=self.clock.now - age)
            placements.append(Placement(one, (("erp", ttl * MS),)))
            if ttl > age:
                expiry = one.received_at + ttl
                self.kept[one.id] = Kept(one.id, next(self.order), one.received_at, expiry)
                self.places[one.id] = self.kept[one.id].order
        self.run(self.store.put("acme", placements))
        assert self.run(told(self.store)) == [each.id for each in self.ordered()]

    def expect(
        self, reading: Reading, limit: int, *, ordered: bool, most: int | None
    ) -> list[tuple[str, int]]:
        """What a lease must give, ids and attempts; what it drops on its way is dropped."""
        now = self.clock.now
        for out in reading.out.values():
            if out.due is not None and out.due <= now:
                out.due = None
        held = [self.places[each] for each, out in reading.out.items() if out.due is not None]
        barrier = min(held, default=2**60) if ordered else 2**60
        taken, full = self.expect_back(reading, limit, barrier=barrier, most=most)
        if full or barrier < 2**60:
            return taken
        fresh = [each.id for each in self.ordered() if each.order > reading.reached]
        return taken + [(name, 1) for name in fresh[: limit - len(taken)]]

    def expect_back(
        self, reading: Reading, limit: int, *, barrier: int, most: int | None
    ) -> tuple[list[tuple[str, int]], bool]:
        """The same of those that came back, and whether it must end with them."""
        taken: list[tuple[str, int]] = []
        back = [each for each, out in reading.out.items() if out.due is None]
        for name in sorted(back, key=self.places.__getitem__):
            out = reading.out[name]
            if self.places[name] > barrier:
                return taken, True
            if not self.live(name):
                del reading.out[name]
            elif most is not None and out.attempts >= most:
                del reading.out[name]
                reading.dead.add(name)
            elif len(taken) >= limit:
                return taken, True
            else:
                taken.append((name, out.attempts + 1))
        return taken, False

    @rule(
        group=GROUPS,
        limit=LIMITS,
        span=SPANS,
        ordered=st.booleans(),
        most=st.sampled_from([None, None, 1, 2]),
    )
    def lease(self, group: str, limit: int, span: int, *, ordered: bool, most: int | None) -> None:
        """Lease, in order or not, with or without a limit on attempts."""
        self.lease_once(group, limit, span, ordered=ordered, most=most)

    def lease_once(
        self, group: str, limit: int, span: int, *, ordered: bool, most: int | None
    ) -> None:
        """One lease, compared."""
        reading = self.groups.setdefault(group, Reading())
        expected = self.expect(reading, limit, ordered=ordered, most=most)
        batch = self.run(
            ask(
                self.leases,
                limit,
                group=group,
                span=span * MS,
                ordered=ordered,
                max_attempts=most,
            )
        )
        given = [(each.entry.event_id, each.attempt) for each in batch.entries]
        assert given == expected
        for leased in batch.entries:
            name = leased.entry.event_id
            assert leased.until == self.clock.now + span
            assert leased.entry.expires_at == self.kept[name].expiry
            reading.out[name] = Out(leased.attempt, leased.receipt, leased.until)
            reading.reached = max(reading.reached, self.places[name])
            self.receipts.append((group, leased.receipt, name))
        held = [out.due for out in reading.out.values() if out.due is not None]
        due = None if not held else (min(held) - self.clock.now) * MS
        assert batch.due == due

    def draw(self, data: st.DataObject) -> tuple[str, list[str], list[bool | None]]:
        """Receipts of one group, old and new, and whether each counts; None: it is open, because
        the entry is gone and the group may have noticed or not.
        """
        group, _, _ = data.draw(st.sampled_from(self.receipts[::-1]))
        own = [each for each in self.receipts[::-1] if each[0] == group]
        drawn = data.draw(st.lists(st.sampled_from(own), min_size=1, max_size=3, unique=True))
        reading = self.groups.setdefault(group, Reading())
        counts: list[bool | None] = []
        for _, receipt, name in drawn:
            out = reading.out.get(name)
            current = out is not None and out.receipt == receipt
            counts.append(None if current and not self.live(name) else current)
        return group, [receipt for _, receipt, _ in drawn], counts

    def settle(self, group: str, drawn: list[str], found: list[bool]) -> list[str]:
        """The names of those that counted."""
        names = {receipt: name for of, receipt, name in self.receipts if of == group}
        return [names[receipt] for receipt, good in zip(drawn, found, strict=True) if good]

    @staticmethod
    def agree(found: list[bool], counts: list[bool | None]) -> None:
        """What was said is what is so."""
        pairs = zip(found, counts, strict=True)
        assert all(expected is None or said == expected for said, expected in pairs)

    @rule(group=GROUPS, spans=STEPS, limit=LIMITS, ordered=st.booleans())
    def go_on(self, group: str, spans: list[int], limit: int, *, ordered: bool) -> None:
        """A reader that takes what there is again and again, and is late with all of it."""
        for span in spans:
            self.lease_once(group, limit, 300, ordered=ordered, most=None)
            self.clock.now += span

    @rule(group=GROUPS)
    def go_back(self, group: str) -> None:
        """A reader that takes what there is and gives it back."""
        self.lease_once(group, 4, 300, ordered=False, most=None)
        reading = self.groups[group]
        held = {name: out for name, out in reading.out.items() if out.receipt and self.live(name)}
        given = [out.receipt for out in held.values()]
        if given:
            step = self.leases.release("acme", "erp", group=group, receipts=given, delay=0 * MS)
            assert all(self.run(step))
        for out in held.values():
            out.due = None

    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        """Settle with receipts of now and of before."""
        group, drawn, counts = self.draw(data)
        found = self.run(self.leases.ack("acme", "erp", group=group, receipts=drawn))
        self.agree(found, counts)
        for name in self.settle(group, drawn, found):
            del self.groups[group].out[name]

    @rule(data=st.data(), delay=DELAYS)
    def release(self, data: st.DataObject, delay: int) -> None:
        """Give back, at once or after a while."""
        group, drawn, counts = self.draw(data)
        found = self.run(
            self.leases.release("acme", "erp", group=group, receipts=drawn, delay=delay * MS)
        )
        self.agree(found, counts)
        for name in self.settle(group, drawn, found):
            self.groups[group].out[name].due = self.clock.now + delay if delay else None

    @rule(data=st.data(), span=SPANS)
    def extend(self, data: st.DataObject, span: int) -> None:
        """Hold longer, or less long; what is gone can't be held."""
        group, drawn, counts = self.draw(data)
        ends = self.run(
            self.leases.extend("acme", "erp", group=group, receipts=drawn, span=span * MS)
        )
        found = [end is not None for end in ends]
        assert found == [bool(each) for each in counts]
        assert {end for end in ends if end is not None} <= {self.clock.now + span}
        for name in self.settle(group, drawn, found):
            self.groups[group].out[name].due = self.clock.now + span

    @rule(group=GROUPS)
    def redrive(self, group: str) -> None:
        """List a group's dead letters and hand them out again."""
        reading = self.groups.setdefault(group, Reading())
        letters = sorted(
            (each for each in reading.dead if self.live(each)), key=self.places.__getitem__
        )
        listed = self.run(self.leases.abandoned("acme", "erp", group=group, limit=1000))
        assert [each.event_id for each in listed] == letters
        assert self.run(self.leases.redrive("acme", "erp", group=group)) == len(letters)
        reading.out |= {name: Out(0, "", None) for name in letters}
        reading.dead.clear()

    @rule(data=st.data())
    def purge_one(self, data: st.DataObject) -> None:
        """Purge an entry, held or not."""
        if live := self.ordered():
            one = data.draw(st.sampled_from(live))
            assert self.run(self.store.delete("acme", "erp", event_id=one.id)) == 1
            del self.kept[one.id]

    @rule()
    def purge_all(self) -> None:
        """Purge the key: nothing is known of its groups any more."""
        assert self.run(self.store.delete("acme", "erp")) == len(self.ordered())
        self.kept.clear()
        self.groups.clear()

    @rule(ttl=st.sampled_from([500, 2_000, 3_600_000]))
    def retime(self, ttl: int) -> None:
        """Another time to live for what is there, held or not: exact, and nothing comes back."""
        live, now = self.ordered(), self.clock.now
        for each in live:
            each.expiry = each.received + ttl
        asked = Times(most=30 * DAY, flows={"orders": FlowTimes(ttl * MS, {})}, others=False)
        found = self.run(self.store.retime("acme", asked))
        ended = sum(each.expiry <= now for each in live)
        assert (found.changed + found.kept, found.ended) == (len(live) - ended, ended)
        assert self.run(told(self.store)) == [each.id for each in self.ordered()]

    @rule(span=st.sampled_from([1, 299, 700, 2_000]))
    def time_passes(self, span: int) -> None:
        """Leases end, entries expire."""
        self.clock.now += span

    @rule()
    def restart(self) -> None:
        """The process starts anew, and the engine has forgotten all scripts."""
        self.run(self.again())

    @rule()
    def read(self) -> None:
        """Leases take nothing away from those who read."""
        found = self.run(self.store.history("acme", "erp", limit=1000, max_bytes=PLENTY))
        assert [each.event_id for each in found.entries] == [each.id for each in self.ordered()]


def test_leases_do_what_the_model_does(url: str, prefix: str) -> None:
    """Whatever is put, leased, settled, purged and waited for: store and model agree."""
    profile = settings(
        max_examples=int(os.environ.get("HOOKRACK_EXAMPLES", "100")),
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    kind = type("Here", (Machine,), {"url": url, "prefix": prefix})
    run_state_machine_as_test(kind, settings=profile)
