"""Processes that start warm are processes like others: streams, environment, signals, codes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import warm

MODULE = """
import atexit, os, signal, sys
atexit.register(print, "at exit")
print(sys.argv[1:], sys.stdin.read(), os.environ.get("OWN"), os.getcwd(), flush=True)
print("to errors", file=sys.stderr)
match sys.argv[1]:
    case "code": sys.exit(7)
    case "error": raise ValueError("wrong")
    case "signal": os.kill(os.getpid(), signal.SIGKILL)
    case "text": sys.exit("last words")
    case "interrupt": os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("way", ["end", "code", "error", "signal", "text", "interrupt"])
def test_a_warm_process_is_as_a_cold_one(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it prints, where, and how it ends is the same."""
    (tmp_path / "odd_one.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    environ = os.environ | {"OWN": "yes"}
    cold = subprocess.run(
        [sys.executable, "-m", "odd_one", way, "å"],
        input="in",
        capture_output=True,
        text=True,
        env=environ,
        check=False,
    )
    hot = warm.run(["odd_one", way, "å"], environ, stdin="in")
    assert hot.returncode == cold.returncode
    assert hot.stdout == cold.stdout
    assert hot.stderr.splitlines()[-1] == cold.stderr.splitlines()[-1]


def test_many_at_once_end_each_with_its_own_code() -> None:
    """Ends are told to whoever started the process, in whatever order they come."""
    with Path(os.devnull).open("r+b") as nothing:
        streams = (nothing, nothing, nothing)
        words = ["hookrack", "--help"]
        fine = [warm.Warm(words, os.environ, streams=streams) for _ in range(5)]
        bad = [warm.Warm(["hookrack", "nope"], os.environ, streams=streams) for _ in range(5)]
        assert [each.wait() for each in (*reversed(bad), *fine)] == [2] * 5 + [0] * 5
    assert len({each.pid for each in (*fine, *bad)}) == 10
    fine[0].send_signal(signal.SIGKILL)  # one that was waited for is left alone
