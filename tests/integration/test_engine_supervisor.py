"""The supervisor with real engines: start, adopt, watch, restart, stop."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from harness import wait_until

from hookrack.engine import Engine, Server, find_server, open_engine, supervisor
from hookrack.engine.config import arguments
from hookrack.engine.layout import prepare
from hookrack.engine.lock import try_lock
from hookrack.engine.process import spawn
from hookrack.engine.resp import ReplyError, call
from hookrack.errors import ConfigError

# Another hookrack: says its engine's pid, then runs until it is killed.
OTHER = """
import asyncio, pathlib, sys
from hookrack.engine import open_engine
async def main():
    async with open_engine(pathlib.Path(sys.argv[1])) as engine:
        print(engine.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture
def data_dir(short_dir: Path) -> Iterator[Path]:
    """A DATA_DIR; an engine that a test left behind is killed."""
    yield short_dir
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.killpg(int((short_dir / "engine.pid").read_text()), signal.SIGKILL)


def engine_is_gone(data_dir: Path) -> bool:
    """Whether nobody holds the engine's lock."""
    lock = try_lock(data_dir / "engine.lock")
    if lock is not None:
        os.close(lock)
    return lock is not None


@contextlib.asynccontextmanager
async def other_hookrack(data_dir: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Another process with an engine on the same directory, and the engine's pid."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER, data_dir, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        yield process, int(await process.stdout.readline())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        assert await process.stdout.read() == b""  # the engine doesn't hold our output open
        await process.wait()


async def left_alive(data_dir: Path) -> int:
    """The pid of an engine whose hookrack was killed with -9."""
    async with other_hookrack(data_dir) as (_, pid):
        await call(data_dir / "engine.sock", "SET", "kept", "yes")
    return pid


async def test_start_and_stop(data_dir: Path) -> None:
    """Files are private while it runs, and pid file and socket are gone afterwards."""
    async with open_engine(data_dir, maxmemory=123_456_789) as engine:
        assert (engine.up, engine.adopted, engine.restarts, engine.repairs) == (True, False, 0, 0)
        assert engine.version == str(find_server())
        assert engine.socket == data_dir / "engine.sock"
        assert int((data_dir / "engine.pid").read_text()) == engine.pid != os.getpid()
        assert os.getsid(engine.pid) == engine.pid
        for path in (data_dir, data_dir / "engine", engine.socket):
            assert path.stat().st_mode & 0o777 == 0o700
        assert all(not p.stat().st_mode & 0o077 for p in (data_dir / "engine").rglob("*.*"))
        assert await call(engine.socket, "CONFIG", "GET", "port") == ["port", "0"]
        assert await call(engine.socket, "CONFIG", "GET", "maxmemory") == ["maxmemory", "123456789"]
        for forbidden in (("DEBUG", "SLEEP", "0"), ("MODULE", "LOAD", "x")):
            with pytest.raises(ReplyError):
                await call(engine.socket, *forbidden)
    assert not engine.up
    assert engine_is_gone(data_dir)
    left = sorted(path.name for path in data_dir.iterdir())
    assert left == ["engine", "engine.lock", "serve.lock"]


async def test_data_outlives_a_stop(data_dir: Path) -> None:
    """What was written is there at the next start, in a directory with an awkward name."""
    place = data_dir / 'it\'s a "plåce"'
    async with open_engine(place) as engine:
        await call(engine.socket, "SET", "a", "1")
    async with open_engine(place) as engine:
        assert await call(engine.socket, "GET", "a") == "1"
        assert not engine.adopted


async def test_engine_gets_none_of_our_secrets(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our variables are not in its environment, as a stand-in that prints its own shows."""
    monkeypatch.setenv("HOOKRACK_SECRET_KEY", "do-not-tell")
    stand_in = data_dir / "server"
    stand_in.write_text("#!/bin/sh\nenv\n")
    stand_in.chmod(0o755)
    with pytest.raises(ConfigError):
        async with open_engine(data_dir, server=Server(stand_in, "valkey", (9, 1, 2), "given")):
            pass
    said = (data_dir / "engine/engine.log").read_text()
    assert "PATH=" in said
    assert "HOOKRACK" not in said


async def test_a_second_one_is_refused(data_dir: Path) -> None:
    """Of two on one directory the second is refused, and the first doesn't notice."""
    async with other_hookrack(data_dir) as (process, pid):
        with pytest.raises(ConfigError, match=rf"in use by another hookrack \(pid {process.pid}\)"):
            async with open_engine(data_dir):
                pass
        assert await call(data_dir / "engine.sock", "PING") == "PONG"
        assert int((data_dir / "engine.pid").read_text()) == pid


async def test_an_engine_left_alive_is_adopted(data_dir: Path) -> None:
    """After kill -9 of hookrack the engine lives on, is taken over with its data, and stopped."""
    pid = await left_alive(data_dir)
    (data_dir / "engine.pid").write_text("1\n")  # stale: the engine itself is asked
    async with open_engine(data_dir, maxmemory=99_000_000) as engine:
        assert engine.adopted
        assert engine.pid == pid == int((data_dir / "engine.pid").read_text())
        assert engine.version == str(find_server())
        assert await call(engine.socket, "GET", "kept") == "yes"
        assert await call(engine.socket, "CONFIG", "GET", "maxmemory") == ["maxmemory", "99000000"]
    assert engine_is_gone(data_dir)


async def test_an_adopted_engine_is_restarted_when_it_dies(data_dir: Path) -> None:
    """Its death is noticed and mended as that of a child would be."""
    pid = await left_alive(data_dir)
    async with open_engine(data_dir) as engine:
        os.kill(pid, signal.SIGKILL)
        await wait_until(lambda: engine.restarts == 1, what="a restart")
        assert not engine.adopted
        assert engine.pid != pid
        assert await call(engine.socket, "GET", "kept") == "yes"


async def test_an_engine_that_still_starts_is_adopted(data_dir: Path) -> None:
    """Hookrack was killed while its engine loaded: the next one waits for it."""
    layout = prepare(data_dir)
    lock = try_lock(layout.engine_lock)
    assert lock is not None
    server = find_server()
    options = arguments(server, layout=layout, maxmemory=100_000_000)
    process = spawn(server, layout, options=options, lock=lock)
    os.close(lock)
    async with open_engine(data_dir) as engine:
        assert engine.adopted
        assert engine.pid == process.pid
    process.wait()


async def test_config_drift_is_not_adopted(data_dir: Path) -> None:
    """A live engine that was made to break the promise is named and left running."""
    pid = await left_alive(data_dir)
    await call(data_dir / "engine.sock", "CONFIG", "SET", "appendfsync", "everysec")
    await call(data_dir / "engine.sock", "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(ConfigError) as caught:
        async with open_engine(data_dir):
            pass
    assert "appendfsync is everysec, must be always" in caught.value.detail
    assert "maxmemory-policy is allkeys-lru, must be noeviction" in caught.value.detail
    assert f"kill {pid}" in caught.value.mend
    assert await call(data_dir / "engine.sock", "GET", "kept") == "yes"


async def test_a_mute_engine_is_not_adopted(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is stopped in its tracks is named after a bounded wait, and left alone."""
    monkeypatch.setattr(supervisor, "ADOPT_WAIT", timedelta(milliseconds=50))
    pid = await left_alive(data_dir)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ConfigError, match=r"does not answer.* that .*engine\.pid names"):
        async with open_engine(data_dir):
            pass
    os.kill(pid, signal.SIGCONT)
    assert await call(data_dir / "engine.sock", "GET", "kept") == "yes"


async def kill_and_wait(engine: Engine) -> float:
    """Kill the engine; the seconds until it is up again."""
    began, before = time.monotonic(), engine.restarts
    os.kill(engine.pid, signal.SIGKILL)
    await wait_until(lambda: engine.restarts > before, what="a restart")
    return time.monotonic() - began


async def test_a_dead_engine_is_restarted_with_growing_delay(data_dir: Path) -> None:
    """Each death in a row waits twice as long; nothing acknowledged is lost."""
    async with open_engine(data_dir) as engine:
        took = []
        for turn in range(3):
            await call(engine.socket, "SET", f"k{turn}", "v")
            took.append(await kill_and_wait(engine))
        assert took[0] >= 0.1
        assert took[1] >= 0.2
        assert took[2] >= 0.4
        assert await call(engine.socket, "EXISTS", "k0", "k1", "k2") == 3
        assert (engine.restarts, engine.up) == (3, True)


async def test_restart_goes_on_until_the_cause_is_gone(data_dir: Path) -> None:
    """While the engine can't start it is tried again and again, then serves with its data."""
    async with open_engine(data_dir) as engine:
        await call(engine.socket, "SET", "a", "1")
        incr = data_dir / "engine/appendonlydir/appendonly.aof.1.incr.aof"
        good = incr.read_bytes()
        incr.write_bytes(good.replace(b"*3", b"+3"))
        os.kill(engine.pid, signal.SIGKILL)
        log = data_dir / "engine/engine.log"
        refused = "Bad file format"
        await wait_until(lambda: log.read_text().count(refused) >= 2, what="a second try")
        assert not engine.up
        incr.write_bytes(good)
        await wait_until(lambda: engine.up, what="a restart")
        assert await call(engine.socket, "GET", "a") == "1"
        assert engine.repairs == 0


async def test_a_cut_watch_is_not_a_dead_engine(data_dir: Path) -> None:
    """Closing our idle connection restarts nothing, and the next death is noticed all the same."""
    async with open_engine(data_dir) as engine:
        pid = engine.pid
        await call(engine.socket, "CLIENT", "KILL", "TYPE", "normal")
        assert await call(engine.socket, "PING") == "PONG"
        assert (engine.restarts, engine.pid) == (0, pid)
        await kill_and_wait(engine)
        assert engine.restarts == 1


async def test_death_in_the_middle_of_a_rewrite(data_dir: Path) -> None:
    """The forked rewriter holds the lock too, but not the restart up; its file is dropped."""
    async with open_engine(data_dir) as engine:
        fill = "for i = 1, 150000 do redis.call('SET', 'k' .. i, string.rep('x', 100)) end"
        await call(engine.socket, "EVAL", fill, "0", wait=timedelta(seconds=20))
        await call(engine.socket, "BGREWRITEAOF")
        assert await kill_and_wait(engine) < 5
        assert await call(engine.socket, "DBSIZE") == 150_000
        assert not list((data_dir / "engine").glob("temp-*"))


async def test_leftovers_of_a_crash_do_no_harm(data_dir: Path) -> None:
    """A stale pid file and a dead socket are replaced."""
    (data_dir / "serve.lock").write_text("999999\n")
    (data_dir / "engine.pid").write_text("999999\n")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(data_dir / "engine.sock"))
    async with open_engine(data_dir) as engine:
        assert await call(engine.socket, "PING") == "PONG"
        assert engine.pid == int((data_dir / "engine.pid").read_text())


async def test_a_start_that_fails_says_why(data_dir: Path) -> None:
    """The engine's own last words are in the error, and nothing is left running."""
    (data_dir / "engine").mkdir(mode=0o700)
    (data_dir / "engine/appendonlydir").write_text("in the way")
    with pytest.raises(ConfigError, match=r"the engine does not start: .*appendonlydir"):
        async with open_engine(data_dir):
            pass
    assert engine_is_gone(data_dir)
    assert not (data_dir / "engine.pid").exists()


async def test_a_cancelled_start_leaves_nothing(data_dir: Path) -> None:
    """Whoever gives up while the engine boots has no engine."""

    async def start() -> None:
        async with open_engine(data_dir):
            pass

    task = asyncio.create_task(start())
    await wait_until((data_dir / "engine.pid").exists, what="the engine's process")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine_is_gone(data_dir)
    assert not (data_dir / "engine.pid").exists()


async def test_an_error_in_the_body_stops_the_engine(data_dir: Path) -> None:
    """The engine goes with the context, however that ends; even when it is dead already."""
    with pytest.raises(KeyError):
        async with open_engine(data_dir):
            raise KeyError
    assert engine_is_gone(data_dir)
    async with open_engine(data_dir) as engine:
        os.kill(engine.pid, signal.SIGKILL)
    assert engine_is_gone(data_dir)


async def test_an_engine_that_will_not_stop_is_killed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hears neither SHUTDOWN nor SIGTERM is killed."""
    short = dict.fromkeys(supervisor.STOP_WAITS, timedelta(milliseconds=50))
    monkeypatch.setattr(supervisor, "STOP_WAITS", short | {"SIGKILL": timedelta(seconds=5)})
    async with open_engine(data_dir) as engine:
        os.kill(engine.pid, signal.SIGSTOP)
    assert engine_is_gone(data_dir)


async def test_the_log_is_bounded(data_dir: Path) -> None:
    """A log of more than 1 MiB is moved aside at the next start."""
    log = data_dir / "engine/engine.log"
    log.parent.mkdir(mode=0o700)
    log.write_bytes(b"x" * (1 << 20) + b"x")
    async with open_engine(data_dir):
        assert 0 < log.stat().st_size < 10_000
        assert log.with_name("engine.log.old").stat().st_size > 1 << 20
