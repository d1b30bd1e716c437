"""Buckets and rates: what they let through, whom they charge, and what they remember."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrack.buckets import Bucket
from hookrack.edge.auth import Auth
from hookrack.errors import Code, Limited, Unavailable
from hookrack.flows import Account, Flow
from hookrack.rates import FAILURES_AT_ONCE, SYNC_SECONDS, Rates, network_of

NONE = Auth("none")


def flow(name: str = "f", **more: int) -> Flow:
    """A flow with limits."""
    return Flow("acme", name, (), NONE, **more)  # type: ignore[arg-type]


class Alone:
    """A store that nobody else uses, or that is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.counts: dict[tuple[str, str], int] = {}

    async def add(self, asked: Mapping[tuple[str, str], int]) -> Mapping[tuple[str, str], int]:
        """Add them up."""
        if self.away:
            raise Unavailable(Code.STORE_UNAVAILABLE, "away")
        for name, count in asked.items():
            self.counts[name] = self.counts.get(name, 0) + count
        return {name: self.counts[name] for name in asked}


@given(
    rate=st.integers(1, 500),
    gaps=st.lists(st.floats(0, 0.05), min_size=1, max_size=300),
)
def test_a_bucket_never_gives_more_than_its_rate(rate: int, gaps: list[float]) -> None:
    """Whenever it is asked, it gave at most its burst and its rate; and who waits gets one."""
    bucket, now, given_out = Bucket(rate, rate, now=0.0), 0.0, 0
    for gap in gaps:
        now += gap
        wait = bucket.take(now)
        given_out += not wait
        assert given_out <= rate + rate * now + 1e-6
        if wait:
            now += wait + 1e-9
            assert bucket.take(now) == 0.0
            given_out += 1


def test_a_clock_that_steps_back_gives_nothing() -> None:
    """Time that didn't pass fills no bucket."""
    bucket = Bucket(1, 1, now=10.0)
    assert bucket.take(10.0) == 0.0
    assert bucket.take(5.0) == pytest.approx(1.0)
    assert bucket.wait(11.0) == 0.0
    assert bucket.full(11.0)


async def test_a_flow_and_its_account_pay_apart() -> None:
    """A flow's limit is its own, an account's is that of all its flows."""
    rates = Rates(Alone())
    account = Account("acme", {}, per_second=5)
    one, other = flow("one", per_second=3), flow("other")
    for _ in range(3):
        rates.spend(one, account)
    with pytest.raises(Limited, match="This flow"):
        rates.spend(one, account)
    rates.spend(other, account)
    rates.spend(other, account)
    with pytest.raises(Limited, match="This account") as caught:
        rates.spend(other, account)
    assert (caught.value.code, caught.value.retry_after) == (Code.RATE_LIMITED, 1)
    await rates.close()


async def test_bad_credentials_shut_out_one_address_of_one_flow() -> None:
    """After many failures an address is refused at that flow, and nowhere else, nor is another."""
    rates = Rates(Alone())
    victim, other = flow("victim"), flow("other")
    for _ in range(int(FAILURES_AT_ONCE)):
        rates.check_sender(victim, lambda: "192.0.2.1")
        rates.failed(victim, lambda: "192.0.2.1")
    with pytest.raises(Limited):
        rates.check_sender(victim, lambda: "192.0.2.1")
    rates.check_sender(victim, lambda: "192.0.2.2")
    rates.check_sender(other, lambda: "192.0.2.1")


async def test_an_address_has_a_limit_of_its_own() -> None:
    """Who sends too often holds up no other; of IPv6 the first half is the address."""
    rates = Rates(Alone())
    limited = flow(per_address=2)
    for host in ("1", "2"):
        rates.check_sender(limited, lambda host=host: f"2001:db8::{host}")  # type: ignore[misc]
    with pytest.raises(Limited):
        rates.check_sender(limited, lambda: "2001:db8::3")
    rates.check_sender(limited, lambda: "2001:db8:0:1::3")
    assert network_of("unknown") == "unknown"
    assert network_of("192.0.2.1") != network_of("192.0.2.2")


def let_in(rates: Rates, one: Flow, count: int) -> int:
    """How many of so many requests were let in."""
    good = 0
    for _ in range(count):
        try:
            rates.spend(one, Account("acme", {}))
        except Limited:
            continue
        good += 1
    return good


@pytest.mark.parametrize("away", [False, True])
async def test_processes_share_a_rate(away: bool) -> None:
    """Three processes together let in what the flow takes; with the store away each does."""
    tally, one = Alone(away=away), flow(per_second=200)
    processes = [Rates(tally) for _ in range(3)]
    clock = asyncio.get_running_loop()

    async def asked_for(seconds: float) -> float:
        """How many a second are let in while much more is asked for."""
        good, begun = 0, clock.time()
        while clock.time() < begun + seconds:
            good += sum(let_in(rates, one, 5) for rates in processes)
            await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.005)
        return good / (clock.time() - begun)

    await asked_for(3 * SYNC_SECONDS)
    rate = await asked_for(6 * SYNC_SECONDS)
    expected = 600 if away else 200
    assert expected * 0.93 < rate < expected * 1.07
    for rates in processes:
        await rates.close()


async def test_nobody_is_remembered_for_ever() -> None:
    """However many addresses there are, a bounded number of buckets is kept."""
    rates = Rates(Alone())
    for place in range(12_000):
        rates.failed(flow(), lambda place=place: f"10.0.{place >> 8}.{place & 255}")  # type: ignore[misc]
    assert len(rates._failing) == 10_000
