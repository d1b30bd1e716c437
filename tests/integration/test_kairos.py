"""The example examples/kairos, with a real broker where there is one and without."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from examples.kairos.broker import why_missing
from harness import missing

ROOT: Final = Path(__file__).parents[2]


def run(**environ: str) -> subprocess.CompletedProcess[str]:
    """The example with few webhooks."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if "HOOKRACK_" not in name and name != "CI"
    }
    return subprocess.run(
        [sys.executable, "-m", "examples.kairos", "--webhooks", "5"],
        env=clean | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def rows(output: str) -> dict[int, list[str]]:
    """The cells of the table by number of systems."""
    found = [line.split() for line in output.splitlines()]
    return {int(cells[0]): cells[1:] for cells in found if len(cells) == 7 and cells[0].isdigit()}


def test_without_a_broker_it_says_what_it_skips() -> None:
    """What can't be measured is a dash and said; hookrack's side runs all the same."""
    done = run(ACTIVEMQ_HOME="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")
    table = rows(done.stdout)
    assert list(table) == [1, 3, 30]
    assert all(cells[:4] == ["-"] * 4 for cells in table.values())
    assert all(int(cells[4]) >= 2 * systems for systems, cells in table.items())
    assert "The side with the broker was skipped" in done.stdout
    assert "in /nonexistent" in done.stdout or "java is not installed" in done.stdout


def test_where_the_broker_has_to_be_it_fails() -> None:
    """With CI set, a missing broker is a failure and no dash."""
    done = run(ACTIVEMQ_HOME="/nonexistent", CI="true")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CI must have it" in done.stderr


@pytest.mark.slow
def test_with_a_broker_both_sides_are_measured() -> None:
    """Before, messages and bytes grow with the systems; after, no byte goes through the broker."""
    if why := why_missing():
        missing(why)
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    table = rows(done.stdout)
    assert [cells[0] for cells in table.values()] == ["5", "15", "150"]
    sizes = [int(cells[1].replace(",", "")) for cells in table.values()]
    assert sizes[1] > 2.5 * sizes[0] > 0
    assert sizes[2] > 8 * sizes[1]
    assert all(cells[2:4] == ["0", "0"] for cells in table.values())
    assert all(int(cells[4]) >= 2 * systems for systems, cells in table.items())
