"""The page about scaling is what its script makes, and the arithmetic holds."""

from pathlib import Path

import pytest
from bench.scaling import IN_FLIGHT, STEPS, Measured, Stack, limits, main, need, page, run_seconds

OURS = Measured()
STACK = Stack()


def test_the_page_is_what_the_script_makes() -> None:
    """Whoever changes a figure writes the page anew: `python -m bench.scaling`."""
    assert main(["--check"]) == 0


def test_a_page_that_differs_is_noticed(tmp_path: Path) -> None:
    """Another figure in the page, or no page, is a difference; writing mends it."""
    path = tmp_path / "scaling.md"
    assert main(["--check"], path=path) == 1
    path.write_text(page(Measured(engine_us=1)))
    assert main(["--check"], path=path) == 1
    assert main([], path=path) == 0
    assert main(["--check"], path=path) == 0


def test_own_figures_make_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """With other costs of an event the tables are printed, and the page stays."""
    assert main(["--handler-us", "1000", "--engine-us", "100"]) == 0
    told = capsys.readouterr().out
    assert "| stores, by their core | 1 | 17 | 167 |" in told
    assert main(["--check"]) == 0


@pytest.mark.parametrize("rate", STEPS)
def test_what_is_needed_grows_with_the_rate(rate: int) -> None:
    """Full batches cost the same each: twice the rate takes twice of everything, rounded."""
    one, two = need(rate, OURS, STACK), need(2 * rate, OURS, STACK)
    for name in ("at_once", "in_flight", "runs", "gb_hour"):
        assert getattr(two, name) == pytest.approx(2 * getattr(one, name))
    assert sum(two.dollars_hour.values()) == pytest.approx(2 * sum(one.dollars_hour.values()))
    assert 2 * one.cores - 1 <= two.cores <= 2 * one.cores


def test_a_limit_is_where_the_need_reaches_it() -> None:
    """Just below its rate a limit isn't met, and just above it is."""
    at = next(at for at, name, _ in limits(OURS, STACK) if "worked on" in name)
    assert (
        need(0.999 * at, OURS, STACK).in_flight
        < IN_FLIGHT
        < need(1.001 * at, OURS, STACK).in_flight
    )
    at = next(at for at, name, _ in limits(OURS, STACK) if "core" in name)
    assert need(0.999 * at, OURS, STACK).cores == 1
    assert need(1.001 * at, OURS, STACK).cores == 2


def test_a_small_function_is_slower_by_its_share_of_a_cpu() -> None:
    """Time that waits for the store stays, time on the CPU grows; a whole CPU is the least."""
    half = Stack(memory_gb=STACK.vcpu_gb / 2)
    whole = Stack(memory_gb=2 * STACK.vcpu_gb)
    assert run_seconds(OURS, whole, 1) * 1e6 == pytest.approx(OURS.handler_us)
    assert run_seconds(OURS, half, 1) * 1e6 == pytest.approx(OURS.handler_us + OURS.handler_cpu_us)
