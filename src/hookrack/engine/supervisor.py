"""Keeps one engine running below DATA_DIR: adopts or starts it, watches, restarts and stops it.

Nothing is polled while it runs: one idle connection ends when the engine does.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from hookrack.engine import guard
from hookrack.engine.config import arguments, check_config, default_maxmemory
from hookrack.engine.find import Server, find_server
from hookrack.engine.layout import Layout, prepare
from hookrack.engine.lock import serving, try_lock
from hookrack.engine.process import (
    Process,
    ask,
    last_words,
    pauses,
    send_signal,
    shut_down,
    spawn,
    tidy,
)
from hookrack.engine.resp import ReplyError, call, connected
from hookrack.errors import ConfigError, HookrackError
from hookrack.telemetry import emit, log

ADOPT_WAIT: Final = timedelta(seconds=10)  # for a live engine to answer
LINGER_WAIT: Final = timedelta(seconds=5)  # for one that hung up to end; then it is killed
STOP_WAITS: Final = {  # how an engine is stopped, and how long each gets
    "SHUTDOWN": timedelta(seconds=1.5),  # after up to one of asking
    "SIGTERM": timedelta(seconds=1),
    "SIGKILL": timedelta(seconds=1),
}
RETRY_FIRST: Final = timedelta(milliseconds=100)
RETRY_LONGEST: Final = timedelta(seconds=5)
STEADY: Final = timedelta(seconds=30)  # one that lived so long starts the back-off anew
WATCH_PAUSE: Final = timedelta(seconds=1)

T = TypeVar("T")


@dataclass(slots=True)
class Engine:
    """The engine as others see it; its supervisor keeps this true."""

    socket: Path
    pid: int = 0
    version: str = ""  # such as "valkey 9.1.2"
    adopted: bool = False  # it was left alive by an earlier hookrack
    up: bool = False
    repairs: int = 0  # torn AOF tails cut off
    restarts: int = 0  # after it died under us

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{quote(str(self.socket.absolute()))}"


@contextlib.asynccontextmanager
async def open_engine(
    data_dir: Path, *, maxmemory: int | None = None, server: Server | None = None
) -> AsyncIterator[Engine]:
    """Run the engine below `data_dir` and keep it up until the context ends, then stop it.

    An engine that an earlier process left alive is adopted. `maxmemory` in bytes, None for half
    of what there is; `server` instead of the binary that `find_server` would take. If this
    process is killed the engine lives on, for the next one to adopt.

    Raises: ConfigError if the directory, the binary, the files or the settings of a live engine
    can't be used, or another hookrack has the directory. A later death of the engine raises
    nothing: it is logged, and the engine restarted until it is up.
    """
    layout = prepare(data_dir)
    with serving(layout):
        supervisor = _Supervisor(layout, server=server, maxmemory=maxmemory)
        try:
            await supervisor.open()
            watch = asyncio.create_task(supervisor.watch(), name="engine-watch")
            try:
                yield supervisor.engine
            finally:
                watch.cancel()
                await asyncio.wait([watch])
            if not watch.cancelled():
                watch.result()  # it ends by itself only by a bug
        finally:
            await supervisor.close()


class _Supervisor:
    """The steps of `open_engine`; one per DATA_DIR, guarded by `serve.lock`."""

    def __init__(self, layout: Layout, *, server: Server | None, maxmemory: int | None) -> None:
        self.engine = Engine(layout.socket)
        self._layout = layout
        self._server = server
        self._maxmemory = maxmemory
        self._process: Process | None = None  # None: adopted, or none yet
        self._ours = False  # to be stopped at the end: started, or found fit and adopted

    async def open(self) -> None:
        """Start the engine, or adopt the one that holds the lock. Raises: ConfigError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + ADOPT_WAIT.total_seconds()
        with _translated(self._layout):
            for pause in pauses():
                if (lock := try_lock(self._layout.engine_lock)) is not None:
                    await self._start(lock)
                    return
                match answer := await ask(self._layout.socket):
                    case "PONG":
                        with contextlib.suppress(ConnectionError, FileNotFoundError, TimeoutError):
                            await self._adopt()  # or it was on its way out: then the lock is next
                            return
                    case "LOADING" | "BUSY":
                        end = loop.time() + ADOPT_WAIT.total_seconds()
                if loop.time() > end:
                    raise self._mute(answer)
                await asyncio.sleep(pause)

    async def _start(self, lock: int) -> None:
        """Start it, mending a torn AOF once; `lock` is closed, from then on it is the engine's."""
        started = asyncio.get_running_loop().time()
        try:
            server = self._server
            if server is None:
                server = await asyncio.to_thread(find_server)
            refusal = await self._launch(server, lock)
            if refusal is not None:
                await self._mend(refusal)
                refusal = await self._launch(server, lock)
            if refusal is not None:
                raise guard.refused(self._layout.engine_dir, refusal)
        finally:
            os.close(lock)
        ms = round((asyncio.get_running_loop().time() - started) * 1000)
        emit(log.ENGINE_STARTED, pid=self.engine.pid, server=str(server), ms=ms)

    async def _launch(self, server: Server, lock: int) -> str | None:
        """Spawn it and wait until it serves: None, or its last words if it ended instead.

        It may load for as long as it takes.
        """
        since = tidy(self._layout)
        maxmemory = default_maxmemory() if self._maxmemory is None else self._maxmemory
        options = arguments(server, layout=self._layout, maxmemory=maxmemory)
        process = self._process = spawn(server, self._layout, options=options, lock=lock)
        self._ours = True
        self.engine.pid, self.engine.version, self.engine.adopted = process.pid, str(server), False
        self._layout.write_pid(process.pid)
        for pause in pauses():
            if process.poll() is not None:
                return last_words(process, self._layout.log, since=since)
            if await ask(self._layout.socket) == "PONG":
                break
            await asyncio.sleep(pause)
        self.engine.up = True
        return None

    async def _mend(self, refusal: str) -> None:
        repair = await _finished(partial(guard.mend, self._layout.engine_dir, refusal=refusal))
        self.engine.repairs += 1
        emit(
            log.ENGINE_REPAIRED,
            file=repair.file.name,
            offset=repair.offset,
            bytes=repair.size,
            kept=str(repair.kept),
        )

    async def _adopt(self) -> None:
        """Take over the live engine if it keeps the promise. Raises: ConfigError if not."""
        socket = self._layout.socket
        info = str(await call(socket, "INFO", "server"))
        about = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        pid = int(about["process_id"])
        flat = await call(socket, "CONFIG", "GET", "*")
        words = [str(word) for word in flat] if isinstance(flat, list) else []
        if faults := check_config(dict(zip(words[::2], words[1::2], strict=True))):
            raise ConfigError(
                f"the engine that runs there (pid {pid}) breaks the promise: {'; '.join(faults)}",
                where=f"data-dir {self._layout.data_dir}",
                mend=f"Stop it (kill {pid}) and start again, or mend it with CONFIG SET.",
            )
        if self._maxmemory is not None:
            await call(socket, "CONFIG", "SET", "maxmemory", str(self._maxmemory))
        flavour = "valkey" if "valkey_version" in about else "redis"
        if self._process and self._process.pid != pid:
            self._process = None
        self._ours = True
        self.engine.pid, self.engine.version = pid, f"{flavour} {about[f'{flavour}_version']}"
        self.engine.adopted, self.engine.up = self._process is None, True
        self._layout.write_pid(pid)
        emit(log.ENGINE_ADOPTED, pid=pid, server=self.engine.version)

    async def watch(self) -> None:
        """Restart the engine whenever it dies; a crash loop waits longer and longer."""
        clock = asyncio.get_running_loop().time
        delay = RETRY_FIRST
        while True:
            since = clock()
            await self._death()
            self.engine.up = False
            emit(log.ENGINE_LOST, pid=self.engine.pid)
            if clock() - since > STEADY.total_seconds():
                delay = RETRY_FIRST
            delay = await self._restart(delay)
            self.engine.restarts += 1

    async def _restart(self, delay: timedelta) -> timedelta:
        """Try until it is up; return the delay for the next time."""
        while True:
            await asyncio.sleep(delay.total_seconds())
            delay = min(delay * 2, RETRY_LONGEST)
            try:
                await self.open()
            except HookrackError as exc:
                emit(log.ENGINE_RETRYING, error=str(exc), ms=delay // timedelta(milliseconds=1))
            else:
                return delay

    async def _death(self) -> None:
        """Return once the engine, and whatever it forked, is gone."""
        while True:
            with contextlib.suppress(OSError):
                async with connected(self._layout.socket) as (reader, _):
                    await reader.read(1)
            if await self._is_dead():
                return
            await asyncio.sleep(WATCH_PAUSE.total_seconds())

    async def _is_dead(self) -> bool:
        """After it hung up: False if it answers; one that neither answers nor ends is killed."""
        for pause in pauses(LINGER_WAIT):
            if self._ended():
                return True
            if self._process and self._process.poll() is not None:
                break  # only its forks are left, in the middle of a rewrite that nobody awaits
            if await ask(self._layout.socket):
                return False
            await asyncio.sleep(pause)
        send_signal(self.engine.pid, signal.SIGKILL)
        return await self._ends(STOP_WAITS["SIGKILL"])

    def _ended(self) -> bool:
        """Whether it and all it forked are gone; a child of ours is reaped then."""
        lock = try_lock(self._layout.engine_lock)
        if lock is None:
            return False
        os.close(lock)
        if self._process:
            self._process.wait()  # its files are closed already: it is a zombie, or will be at once
        return True

    async def _ends(self, wait: timedelta) -> bool:
        for pause in pauses(wait):
            if self._ended():
                return True
            await asyncio.sleep(pause)
        return False

    async def close(self) -> None:
        """Stop the engine, if it is ours to stop: it is asked, then told, then killed."""
        if not self._ours:
            return
        how = "itself" if self._ended() else await self._stop()
        self.engine.up = False
        self._layout.pid_file.unlink(missing_ok=True)
        self._layout.socket.unlink(missing_ok=True)
        emit(log.ENGINE_STOPPED, pid=self.engine.pid, by=how)

    async def _stop(self) -> str:
        for how, wait in STOP_WAITS.items():
            if how == "SHUTDOWN":
                heard = await shut_down(self._layout.socket)
            else:
                heard = send_signal(self.engine.pid, signal.Signals[how])
            if heard and await self._ends(wait):
                return how
        return "nothing"

    def _mute(self, answer: str | None) -> ConfigError:
        return ConfigError(
            f"an engine holds {self._layout.engine_lock.name} but "
            + (f"answers {answer}" if answer else "does not answer"),
            where=f"data-dir {self._layout.data_dir}",
            mend=f"Stop the process that {self._layout.pid_file} names, then start again.",
        )


@contextlib.contextmanager
def _translated(layout: Layout) -> Iterator[None]:
    try:
        yield
    except (OSError, ReplyError) as exc:
        raise ConfigError(
            f"the engine can't be started or spoken to ({exc})",
            where=f"data-dir {layout.data_dir}",
            mend=f"See {layout.log}.",
        ) from exc


async def _finished(work: Callable[[], T]) -> T:
    """Run blocking `work` in a thread; one who is cancelled leaves only when it is done."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    finally:
        await asyncio.wait([task])
