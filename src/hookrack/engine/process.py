"""The engine as an operating-system process: started, asked for its state, told to end."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from hookrack.engine.find import Server
from hookrack.engine.layout import Layout
from hookrack.engine.resp import ReplyError, call

LOG_LIMIT: Final = 1 << 20  # bytes; looked at before each start
LAST_WORDS: Final = 8 << 10  # bytes of the log that are read when a start failed
FIRST_PAUSE: Final = timedelta(milliseconds=2)
ASK_TO_END_WAIT: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(milliseconds=50)
# Ours, and the cloud's: none of the engine's business, and readable in its environment.
_PRIVATE: Final = ("HOOKRACK_", "AWS_")

Process = subprocess.Popen[bytes]


def spawn(server: Server, layout: Layout, *, options: list[str], lock: int) -> Process:
    """Start the server in a session of its own, holding the file descriptor `lock`.

    Nothing of ours is inherited but that: no signal from our terminal, no pipe that a reader of
    our output would wait on, no secret. Raises: OSError.
    """
    log = os.open(layout.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - the binary that find.py chose
            [f"{server.flavour}-server", *options],  # by this name it knows what it is
            executable=server.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=layout.engine_dir,
            env={k: v for k, v in os.environ.items() if not k.startswith(_PRIVATE)},
            pass_fds=(lock,),
            start_new_session=True,
            umask=0o077,
        )
    finally:
        os.close(log)


def tidy(layout: Layout) -> int:
    """Before a start, holding the lock: drop half-written rewrites, move a long log aside.

    A rewrite that its engine didn't live to finish is in no manifest, and as large as the data.
    Returns the length of the log. Raises: OSError.
    """
    for left in layout.engine_dir.glob("temp-*"):
        left.unlink()
    with contextlib.suppress(FileNotFoundError):
        if (size := layout.log.stat().st_size) <= LOG_LIMIT:
            return size
        layout.log.replace(layout.log.with_suffix(".log.old"))
    return 0


def last_words(process: Process, log: Path, *, since: int) -> str:
    """What an ended engine logged after the offset `since`: at most the LAST_WORDS bytes of it."""
    with log.open("rb") as file:
        file.seek(max(since, file.seek(0, os.SEEK_END) - LAST_WORDS))
        words = file.read().decode("utf-8", "replace")
    killed = f"killed by signal {-process.returncode}" if process.returncode < 0 else ""
    return f"{words.rstrip()}\n{killed}".rstrip()


async def ask(socket: Path) -> str | None:
    """PONG, or the code of the error (such as LOADING or BUSY), or None if nobody answers."""
    try:
        return str(await call(socket, "PING"))
    except ReplyError as exc:
        return str(exc).partition(" ")[0]
    except OSError:
        return None


async def shut_down(socket: Path) -> bool:
    """Send SHUTDOWN; whether it reached the engine. The AOF holds everything: NOSAVE."""
    try:
        await call(socket, "SHUTDOWN", "NOSAVE", wait=ASK_TO_END_WAIT)
    except (ConnectionRefusedError, FileNotFoundError):
        return False
    except (OSError, ReplyError):  # hanging up is its yes; an error leaves it to the signals
        return True
    return True


def send_signal(pid: int, number: signal.Signals) -> bool:
    """Signal the engine, for SIGKILL with all it forked; whether there was one.

    To be called only while the engine's lock is held: then the pid is still its own.
    """
    try:
        if number is signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def pauses(limit: timedelta | None = None) -> Iterator[float]:
    """Seconds to sleep in a waiting loop: 2 ms growing to 50 ms, until `limit` is over."""
    end = None if limit is None else time.monotonic() + limit.total_seconds()
    pause = FIRST_PAUSE.total_seconds()
    while end is None or time.monotonic() < end:
        yield pause
        pause = min(pause * 1.25, LONGEST_PAUSE.total_seconds())
