"""The path's decisions, with a store and a queue that fail when told to.

What a real store and queue do is shown elsewhere; these exist only because a real one can't fail
on demand. A store here stores nothing: it says `Stored` of what it doesn't fail on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack import model, pipeline
from hookrack.edge.auth import Auth
from hookrack.errors import Code, Rejected, Unavailable
from hookrack.flows import Account, Configuration, Flow, WebhookKey
from hookrack.model import Dead, Delivery, Entry, Event, Outcome, Placement, Retry, Stored
from hookrack.pipeline import accept, process, read, retry_delay
from hookrack.quotas import NO_QUOTAS, Quotas

HOUR = timedelta(hours=1)
OUTAGE = Unavailable(Code.STORE_UNAVAILABLE, "The store doesn't answer.")
FULL = Unavailable(Code.STORE_FULL, "80 % are used.")
OURS = ("acme", "orders")


def account(name: str, *, keys: Sequence[WebhookKey] = (WebhookKey("erp"),)) -> Account:
    """An account with one open flow and one with a secret."""
    return Account(
        name,
        {
            "orders": Flow(name, "orders", tuple(keys), Auth("none")),
            "closed": Flow(name, "closed", tuple(keys), Auth.of_secrets(["s3cret"])),
        },
        max_ttl=30 * HOUR,
    )


KEYS = (WebhookKey("erp"), WebhookKey("audit", 5 * HOUR))
CONFIGURATION = Configuration({name: account(name, keys=KEYS) for name in ("acme", "kairos")})
ORDERS = CONFIGURATION.accounts["acme"].flows["orders"]


@dataclass
class FailingStore:
    """A store that fails as `fault` says of a call, and records its calls."""

    fault: Callable[[Sequence[Placement]], Exception | None] = lambda _: None
    calls: list[list[Placement]] = field(default_factory=list)
    entry: Entry | None = None

    async def put(
        self, account: str, placements: Sequence[Placement], *, quotas: Quotas = NO_QUOTAS
    ) -> list[Outcome]:
        """All or nothing of a call, as the port says."""
        assert quotas is NO_QUOTAS
        assert {each.event.account for each in placements} == {account}
        self.calls.append(list(placements))
        if fault := self.fault(placements):
            raise fault
        return [Stored(each.event.id) for each in placements]

    async def get(self, account: str, key: str) -> Entry | None:
        """The one entry, whatever is asked for."""
        assert (account, key) == ("acme", "erp")
        return self.entry

    async def _never(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("process only puts, and read only gets")

    set_direct = get_many = history = delete = life = purge_account = retime = usage = _never

    async def ping(self) -> None:
        """Nobody asks."""

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class FailingQueue:
    """A queue that takes nothing, and remembers what it was offered."""

    offered: list[tuple[str, bytes]] = field(default_factory=list)

    async def send(self, account: str, envelope: bytes, *, reserve: bool = True) -> None:
        """Refuse it."""
        assert not reserve  # none of these flows' senders is known to try only once
        self.offered.append((account, envelope))
        raise FULL

    async def _never(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError("accept only sends")

    lease = timedelta(seconds=30)
    receive = ack = retry = bury = extend = recover = give_back = _never
    find = purge = stats = close = _never


def event(name: str, **fields: Any) -> Event:
    """A small event of acme's orders."""
    return replace(Event(name, "acme", "orders", 5, "application/json", b"1"), **fields)


def delivery(name: str, *, attempts: int = 0, crashes: int = 0, **fields: Any) -> Delivery:
    """Its delivery."""
    return Delivery(f"r-{name}", model.encode_envelope(event(name, **fields)), attempts, crashes)


def bug_in(*names: str) -> Callable[[Sequence[Placement]], Exception | None]:
    """A store that has a bug with some events."""

    def fault(placements: Sequence[Placement]) -> Exception | None:
        bad = any(each.event.id in names for each in placements)
        return RuntimeError("hunter2, the body") if bad else None

    return fault


async def outcomes(
    deliveries: Sequence[Delivery], store: FailingStore | None = None, *, max_attempts: int = 5
) -> list[Outcome]:
    """What becomes of deliveries."""
    return await process(
        deliveries,
        configuration=CONFIGURATION,
        store=store or FailingStore(),
        max_attempts=max_attempts,
    )


async def test_one_bad_record_never_fails_its_neighbours() -> None:
    """Each of a batch gets its own outcome, in the batch's order."""
    batch = [
        delivery("a"),
        Delivery("r", b"not an envelope"),
        delivery("b", flow="gone"),
        delivery("bug"),
        delivery("c", account="gone"),
        delivery("d", account="kairos"),
        delivery("e", crashes=pipeline.MAX_CRASHES + 1),
        delivery("f"),
    ]
    found = await outcomes(batch, FailingStore(bug_in("bug")))
    assert [getattr(each, "reason", each) for each in found] == [
        *(Stored("a"), Code.ENVELOPE_INVALID, Code.FLOW_UNKNOWN, Code.INTERNAL),
        *(Code.FLOW_UNKNOWN, Stored("d"), Code.WORKER_CRASHED, Stored("f")),
    ]


KINDS: dict[str, Callable[[str], Delivery]] = {
    "good": delivery,
    "other account": lambda name: delivery(name, account="kairos"),
    "no envelope": lambda name: Delivery(name, b"{}"),
    "unknown flow": lambda name: delivery(name, flow="gone"),
    "bug": lambda name: delivery(f"bug-{name}"),
    "last try": lambda name: delivery(f"bug-{name}", attempts=4),
    "crashing": lambda name: delivery(name, crashes=99),
    "large": lambda name: delivery(name, data=b'"%b"' % (b"x" * 500_000)),
}


@settings(deadline=None, max_examples=40)
@given(kinds=st.lists(st.sampled_from(sorted(KINDS)), max_size=12))
async def test_an_outcome_is_its_deliverys_own(kinds: list[str]) -> None:
    """In any batch each delivery ends as it would have ended alone."""
    batch = [KINDS[kind](str(place)) for place, kind in enumerate(kinds)]

    def store() -> FailingStore:
        return FailingStore(bug_in(*(f"bug-{place}" for place in range(len(batch)))))

    alone = [(await outcomes([each], store()))[0] for each in batch]
    assert await outcomes(batch, store()) == alone


@pytest.mark.parametrize("outage", [OUTAGE, FULL])
@pytest.mark.parametrize("attempts", [0, 4, 99])
async def test_an_outage_spends_no_attempt(outage: Unavailable, attempts: int) -> None:
    """While the store is away or full, its events wait, however often they failed before."""
    store = FailingStore(lambda _: outage)
    (found,) = await outcomes([delivery("a", attempts=attempts)], store)
    assert found == Retry(outage.code, outage.detail, spends_attempt=False)
    assert len(store.calls) == 1


async def test_an_outage_is_only_that_calls() -> None:
    """What another account stores isn't held up by an outage."""

    def away_for_acme(placements: Sequence[Placement]) -> Exception | None:
        return OUTAGE if placements[0].event.account == "acme" else None

    batch = [delivery("a"), delivery("b", account="kairos"), delivery("c")]
    first, second, third = await outcomes(batch, FailingStore(away_for_acme))
    assert second == Stored("b")
    assert first == third == Retry(OUTAGE.code, OUTAGE.detail, spends_attempt=False)


async def test_an_outage_amid_a_bug_is_still_an_outage() -> None:
    """When events are tried alone because of a bug, an outage then spends no attempt."""

    def bug_then_outage(placements: Sequence[Placement]) -> Exception | None:
        return RuntimeError() if len(placements) > 1 else OUTAGE

    found = await outcomes([delivery("a"), delivery("b")], FailingStore(bug_then_outage))
    assert [isinstance(each, Retry) and each.spends_attempt for each in found] == [False, False]


@pytest.mark.parametrize(
    ("attempts", "limit", "dead"),
    [(0, 5, False), (3, 5, False), (4, 5, True), (9, 5, True), (0, 1, True)],
)
async def test_attempts_come_to_an_end(attempts: int, limit: int, dead: bool) -> None:
    """The fifth failure of five is the last; a bug's own words, a body maybe, aren't kept."""
    store = FailingStore(bug_in("bug"))
    (found,) = await outcomes([delivery("bug", attempts=attempts)], store, max_attempts=limit)
    expected = Dead(Code.ATTEMPTS_EXHAUSTED, f"RuntimeError, {limit} times", "bug", *OURS)
    assert found == (expected if dead else Retry(Code.INTERNAL, "RuntimeError"))


@pytest.mark.parametrize(("crashes", "dead"), [(0, False), (20, False), (21, True), (500, True)])
async def test_what_no_worker_survives_is_buried(crashes: int, dead: bool) -> None:
    """After more than 20 deliveries that nobody settled an event is a dead letter."""
    (found,) = await outcomes([delivery("a", crashes=crashes)])
    reason = found.reason if isinstance(found, Dead) else None
    assert reason == (Code.WORKER_CRASHED if dead else None)
    assert getattr(found, "event_id", None) == "a"


async def test_a_dead_letter_has_the_id_that_could_be_read() -> None:
    """An event of no known flow is kept with its id; what is no envelope has none."""
    flow, account_, junk = await outcomes(
        [delivery("a", flow="gone"), delivery("b", account="gone"), Delivery("r", b"\xff")]
    )
    assert flow == Dead(Code.FLOW_UNKNOWN, "There is no flow acme/gone.", "a", "acme", "gone")
    assert account_ == Dead(
        Code.FLOW_UNKNOWN, "There is no flow gone/orders.", "b", "gone", "orders"
    )
    assert isinstance(junk, Dead)
    assert (junk.reason, junk.event_id, junk.account) == (Code.ENVELOPE_INVALID, None, None)


async def test_an_event_without_any_key_is_a_dead_letter() -> None:
    """Where neither the flow nor the event names a key, there is nowhere to store it."""
    (found,) = await process(
        [delivery("a")],
        configuration=Configuration({"acme": account("acme", keys=())}),
        store=FailingStore(),
        max_attempts=5,
    )
    assert isinstance(found, Dead)
    assert (found.reason, found.event_id) == (Code.KEYS_INVALID, "a")


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        ({}, {"erp": 24, "audit": 5}),
        ({"ttl": 2 * HOUR}, {"erp": 2, "audit": 2}),
        ({"ttl": 1_000 * HOUR}, {"erp": 30, "audit": 30}),
        ({"ttl": timedelta(days=10**8)}, {"erp": 30, "audit": 30}),
        ({"keys": ("audit",)}, {"audit": 5}),
        ({"keys": ("new", "audit", "erp")}, {"new": 24, "audit": 5, "erp": 24}),
        ({"keys": ("new",), "ttl": HOUR}, {"new": 1}),
    ],
    ids=["flow", "own-ttl", "capped-ttl", "endless-ttl", "own-key", "own-keys", "own-both"],
)
async def test_keys_and_times_are_resolved_when_stored(
    fields: dict[str, Any], keys: dict[str, int]
) -> None:
    """The event's own keys and ttl count before the flow's, as they are configured now."""
    store = FailingStore()
    assert await outcomes([delivery("a", **fields)], store) == [Stored("a")]
    ((placement,),) = store.calls
    assert placement.keys == tuple((name, hours * HOUR) for name, hours in keys.items())


def sized(count: int, size: int) -> list[Delivery]:
    """Deliveries whose data has `size` bytes each."""
    return [delivery(str(place), data=b'"%b"' % (b"x" * (size - 2))) for place in range(count)]


def keyed(*counts: int) -> list[Delivery]:
    """Deliveries with so many keys each."""
    return [
        delivery(str(place), keys=tuple(f"k{each}" for each in range(count)))
        for place, count in enumerate(counts)
    ]


@pytest.mark.parametrize(
    ("batch", "sizes"),
    [
        pytest.param(sized(pipeline.PUT_EVENTS, 3), [64], id="64-events"),
        pytest.param(sized(pipeline.PUT_EVENTS * 2 + 1, 3), [64, 64, 1], id="129-events"),
        pytest.param(sized(5, pipeline.PUT_BYTES // 2), [2, 2, 1], id="one-mebibyte"),
        pytest.param(sized(3, pipeline.PUT_BYTES // 2 + 1), [1, 1, 1], id="a-byte-more"),
        pytest.param(sized(2, pipeline.PUT_BYTES + 1), [1, 1], id="one-too-large-for-any"),
        pytest.param(keyed(500, 500, 500, 500, 1), [2, 2, 1], id="1000-keys"),
        pytest.param(keyed(pipeline.PUT_KEYS, 1, pipeline.PUT_KEYS), [1, 1, 1], id="full-ones"),
    ],
)
async def test_a_call_of_the_store_is_bounded(batch: list[Delivery], sizes: list[int]) -> None:
    """A call holds at most 64 events, 1 MiB and 1,000 references, in the batch's order."""
    store = FailingStore()
    found = await outcomes(batch, store)
    assert [len(call) for call in store.calls] == sizes
    names = [str(place) for place in range(len(batch))]
    assert [each.event.id for call in store.calls for each in call] == names
    assert found == [Stored(name) for name in names]


async def test_after_a_bug_each_is_tried_alone_once() -> None:
    """A call that fails for a bug is repeated event by event, and no more than that."""
    store = FailingStore(bug_in("1"))
    found = await outcomes(sized(4, 3), store)
    assert [len(call) for call in store.calls] == [4, 1, 1, 1, 1]
    assert [type(each) for each in found] == [Stored, Retry, Stored, Stored]


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (99, 30), (10**9, 30)],
)
def test_pauses_double_to_half_a_minute(attempts: int, seconds: int) -> None:
    """A failed event waits 1 s, 2 s, 4 s and so on, to 30 s."""
    assert retry_delay(Delivery("r", b"", attempts)) == timedelta(seconds=seconds)


def request(body: bytes, content_type: str = "application/json") -> model.Request:
    """A request for acme's orders."""
    return model.Request("acme", "orders", content_type, body, 1_795_380_000_123)


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"", "application/json", Code.BODY_NOT_JSON),
        (b"{", "application/json", Code.BODY_NOT_JSON),
        (b'"\\ud800"', "application/problem+json", Code.BODY_NOT_JSON),
        (b"{", "text/json; charset=utf-8", Code.BODY_NOT_JSON),
        (b"{}", "json", Code.CONTENT_TYPE_UNSUPPORTED),
        (b"{}", "a/b\r\nx: y", Code.CONTENT_TYPE_UNSUPPORTED),
        (b"{}", "", Code.CONTENT_TYPE_UNSUPPORTED),
    ],
)
async def test_what_is_turned_away_never_reaches_the_queue(
    body: bytes, content_type: str, code: Code
) -> None:
    """A body that is no JSON, or of no media type, is refused before anything is kept."""
    queue = FailingQueue()
    with pytest.raises(Rejected) as caught:
        await accept(request(body, content_type), ORDERS, queue=queue)
    assert caught.value.code is code
    assert not queue.offered


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "a/b+json;x=y"])
async def test_a_queue_that_fails_is_the_answer(content_type: str) -> None:
    """An event that can't be kept is no 202; what was offered is the request, byte for byte."""
    queue = FailingQueue()
    with pytest.raises(Unavailable) as caught:
        await accept(
            request(b' {"b":1, "b":2} ', content_type),
            CONFIGURATION.accounts["acme"].flows["orders"],
            queue=queue,
        )
    assert caught.value is FULL
    ((name, envelope),) = queue.offered
    found = model.decode_envelope(envelope)
    assert (name, found.account, found.flow) == ("acme", "acme", "orders")
    assert (found.data, found.content_type) == (b' {"b":1, "b":2} ', content_type)
    assert (found.received_at, found.keys, found.ttl) == (1_795_380_000_123, None, None)


ENTRY = Entry("a", "erp", "acme", "orders", 1, 2, 3, "c", "text/plain", b"x")


async def test_reading_is_what_the_store_says() -> None:
    """A key gives its newest entry, and a 404 where there is none."""
    assert await read("acme", "erp", FailingStore(entry=ENTRY)) is ENTRY
    with pytest.raises(Rejected) as caught:
        await read("acme", "erp", FailingStore())
    assert caught.value.code is Code.NO_EVENT


@pytest.mark.parametrize("key", ["", "..", "a/b", "a b", "x" * 129, "a\n", "{acme}:k:erp"])
async def test_a_key_that_cannot_be_is_refused(key: str) -> None:
    """What is no webhook key is never looked up."""
    with pytest.raises(Rejected) as caught:
        await read("acme", key, FailingStore(entry=ENTRY))
    assert caught.value.code is Code.KEY_INVALID
