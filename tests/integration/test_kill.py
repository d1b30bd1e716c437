"""kill -9 in mid-traffic. The same as `make chaos`, with fewer cycles; .ci/run does fifty."""

import os

import pytest
from chaos import lease
from chaos.kill import run

CYCLES = int(os.environ.get("HOOKRACK_KILLS", "10"))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_what_was_acknowledged_survives_kill_9() -> None:
    """Server and engine are killed in mid-traffic, in every order: each 202 is there, once, within
    5 s of ready.
    """
    report = await run(CYCLES, seed=20261123)
    assert report.violations == []
    assert report.cycles == CYCLES
    assert report.acknowledged >= CYCLES * 16


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_leases_survive_kill_9() -> None:
    """Killed in mid-lease, nothing is lost, and nothing is handed out twice within a lease."""
    report = await lease.run(max(3, CYCLES // 3), seed=20261124)
    assert report.violations == []
    assert len(report.stored) >= report.cycles * 3
    assert len(report.acked) >= report.cycles * 3
