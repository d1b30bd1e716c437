"""The guard with real engines: an AOF cut at every byte, and one damaged in the middle."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import find_engine

from hookrack.engine import Engine, Server, guard, open_engine
from hookrack.engine.resp import call
from hookrack.errors import ConfigError

INCR = Path("engine/appendonlydir/appendonly.aof.1.incr.aof")
BLOCK = "for i, v in ipairs(ARGV) do redis.call('SET', 'b' .. i, v) end"
VALUES = ("one", "two\r\n", "")
AT_ONCE = 3  # cuts that are tried at the same time


@dataclass(frozen=True)
class Written:
    """A stopped DATA_DIR: `one` acknowledged before, then one script's block from `start` on."""

    data_dir: Path
    aof: bytes
    start: int
    server: Server


async def write(data_dir: Path, server: Server) -> Written:
    """Have an engine write a value and a block, and stop it."""
    async with open_engine(data_dir, server=server) as engine:
        await call(engine.socket, "SET", "before", "kept")
        await call(engine.socket, "EVAL", BLOCK, "0", *VALUES)
    aof = (data_dir / INCR).read_bytes()
    return Written(data_dir, aof, aof.index(b"*1\r\n$5\r\nMULTI"), server)


async def read(engine: Engine, *keys: str) -> list[object]:
    """The values of these keys."""
    values = await call(engine.socket, "MGET", *keys)
    assert isinstance(values, list)
    return list(values)


async def survives(written: Written, cut: int, *, padding: int = 0) -> None:
    """Tear the file at `cut` and start; write more, kill -9, start again: nothing is lost."""
    data_dir = written.data_dir.with_name(f"cut{cut}")
    shutil.copytree(written.data_dir, data_dir)
    os.truncate(data_dir / INCR, cut)
    os.truncate(data_dir / INCR, cut + padding)  # with NULs
    whole = cut == len(written.aof)
    async with open_engine(data_dir, server=written.server) as engine:
        assert await read(engine, "before") == ["kept"]
        assert await read(engine, "b1", "b2", "b3") == (list(VALUES) if whole else [None] * 3)
        torn = padding > 0 or written.start < cut < len(written.aof)
        assert engine.repairs == torn
        assert len(list(data_dir.glob("engine/torn/*"))) == torn
        await call(engine.socket, "SET", "after", "kept too")
        os.kill(engine.pid, signal.SIGKILL)
    async with open_engine(data_dir, server=written.server) as engine:
        assert await read(engine, "before", "after") == ["kept", "kept too"]
        assert engine.repairs == 0
    shutil.rmtree(data_dir)


async def try_cuts(written: Written, cuts: range, *, padding: int = 0) -> None:
    """Each of the cuts survives."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(cut: int) -> None:
        async with slots:
            await survives(written, cut, padding=padding)

    async with asyncio.TaskGroup() as group:
        for cut in cuts:
            group.create_task(one(cut))


async def test_torn_at_every_byte_of_a_block(short_dir: Path) -> None:
    """Earlier and later writes stay, the block is there whole or not at all."""
    written = await write(short_dir / "data", find_engine("embedded"))
    assert 100 <= len(written.aof) - written.start <= 250
    await try_cuts(written, range(written.start, len(written.aof) + 1))


async def test_torn_under_redis(short_dir: Path) -> None:
    """So it is with the server from PATH, Redis 7.0.15 with its fault included."""
    written = await write(short_dir / "data", find_engine("redis-server"))
    await try_cuts(written, range(written.start, len(written.aof) + 1, 4))


@pytest.mark.parametrize(("kind", "step"), [("embedded", 1), ("redis-server", 3)])
async def test_the_engines_own_checker_agrees(short_dir: Path, kind: str, step: int) -> None:
    """Our offset is the one that check-aof finds, wherever the file is cut."""
    server = find_engine(kind)
    written = await write(short_dir / "data", server)
    torn = short_dir / "torn.aof"
    for cut in range(1, len(written.aof), step):
        torn.write_bytes(written.aof[:cut])
        checker = subprocess.run(
            [f"{server.flavour}-check-aof", torn],
            executable=server.path,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"ok_up_to=(\d+)", checker.stdout)
        assert found, checker
        assert guard.good_until(written.aof[:cut]) == int(found[1])


async def test_padding_of_the_file_system_is_cut(short_dir: Path) -> None:
    """NULs after the last command, as a power failure leaves them, are a torn tail."""
    written = await write(short_dir / "data", find_engine("embedded"))
    await try_cuts(written, range(written.start, len(written.aof) + 1, 7), padding=5000)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param(b"before", b"befor\0", id="a byte of a value: not ours to see"),
        pytest.param(b"$6\r\nbefore", b"$5\r\nbefore", id="length too low"),
        pytest.param(b"$6\r\nbefore", b"$900\r\nbefore", id="length swallows the rest"),
        pytest.param(b"*3\r\n$3\r\nSET\r\n$6", b"*4\r\n$3\r\nSET\r\n$6", id="count"),
        pytest.param(b"*3\r\n$3\r\nSET\r\n$6", b"\0" * 17, id="a hole"),
        pytest.param(b"$4\r\nEXEC", b"$4\r\nEXEB", id="EXEC is gone"),
        pytest.param(b"$5\r\nMULTI", b"$5\r\nMULTJ", id="MULTI is gone"),
        pytest.param(b"$3\r\nSET", b"$3\r\nSES", id="unknown command"),
    ],
)
async def test_damage_in_the_middle_is_refused(short_dir: Path, good: bytes, bad: bytes) -> None:
    """No byte is cut where acknowledged data follows; the error names the file or the reason."""
    written = await write(short_dir / "data", find_engine("embedded"))
    damaged = written.aof.replace(good, bad, 1)
    (written.data_dir / INCR).write_bytes(damaged)
    refusal = pytest.raises(ConfigError, match=r"the engine does not start: .*Nothing was cut")
    with contextlib.nullcontext() if bad == b"befor\0" else refusal:
        async with open_engine(written.data_dir):
            pass
    assert (written.data_dir / INCR).read_bytes() == damaged
    assert not (written.data_dir / "engine/torn").exists()
