"""A serving process from outside: what it prints where, and how long it takes to stop."""

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from harness import ADMIN_TOKEN, SECRET_KEY, Served, hookrack, wait_until

Start = Callable[..., Served]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("hangs", ["engine", "nobody"])
async def test_a_stop_takes_ten_seconds_at_most(own_server: Start, hangs: str) -> None:
    """SIGTERM ends server and engine within 10 s, even while the engine hangs."""
    served = own_server()
    async with served.client() as client:
        assert (await client.post("/in/acme/github", json={})).status_code == 202
    engine = served.engine_pid
    if hangs == "engine":
        os.kill(engine, signal.SIGSTOP)
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began <= 10
    with pytest.raises(ProcessLookupError):
        os.kill(engine, 0)


@pytest.mark.parametrize("wanted", [True, False])
async def test_successes_are_logged_only_when_asked_for(own_server: Start, wanted: bool) -> None:
    """An accepted event is a line of the log with logSuccess, and none without."""
    served = own_server(*(["--log-success"] if wanted else []))
    async with served.client() as client:
        event_id = (await client.post("/in/acme/github", json={})).json()["eventId"]
    assert served.stop() == 0
    lines = [line for line in served.log() if line.get("eventId") == event_id]
    assert [line["event"] for line in lines] == (["event.accepted"] if wanted else [])


async def test_the_log_is_text_for_eyes_and_json_for_programs(short_dir: Path) -> None:
    """On a terminal the log has lines to read; into a file it is JSON, line by line."""
    environ = os.environ | {
        "HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN,
        "HOOKRACK_SECRET_KEY": SECRET_KEY,
    }
    words = ["hookrack", "serve", "--port", "0", "--data-dir", str(short_dir / "data")]
    ours, theirs = pty.openpty()
    text = b""
    with os.fdopen(theirs, "wb") as terminal, Path(os.devnull).open("r+b") as nothing:
        process = warm.Warm(words, environ, streams=(nothing, nothing, terminal))
        address = short_dir / "data" / "server.json"
        await wait_until(address.exists, what="the server")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        os.set_blocking(ours, False)
        text = os.read(ours, 65_536)
    os.close(ours)
    lines = text.decode().splitlines()
    assert any("engine" in line for line in lines)
    assert not any(line.startswith("{") for line in lines)
    served = Served(short_dir / "data")
    served.start()
    assert served.stop() == 0
    told = (short_dir / "data.log").read_text().splitlines()
    assert all({"event", "level"} <= set(json.loads(line)) for line in told)
    assert told


def test_make_run_takes_port_and_directory() -> None:
    """PORT= and DATA_DIR= of `make run` arrive at serve."""
    command = ["make", "--dry-run", "run", "PORT=9123", "DATA_DIR=/some/where"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (line,) = (line for line in done.stdout.splitlines() if " serve " in line)
    assert '--port "9123"' in line
    assert '--data-dir "/some/where"' in line
    assert "--config examples/hookrack.yaml" in line


def test_the_data_directory_is_hookrack_s_own_by_default(tmp_path: Path) -> None:
    """Without --data-dir it is ./.hookrack, for the owner alone."""
    environ = os.environ | {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN}
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        done = warm.run(["hookrack", "token", "list"], environ)
    finally:
        os.chdir(before)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".hookrack").stat().st_mode & 0o777 == 0o700
    assert hookrack("doctor", "--data-dir", str(tmp_path / ".hookrack")).returncode == 0
