"""Processes of ours that start warm: real ones, forked from one that has imported everything.

Imports are nearly all of what a start costs (0.8 s of CPU for `serve`), and a run of the tests
starts hundreds. A warm process has its own pid, signals, environment and streams, runs what
`python -m MODULE` runs, and ends as that would. Tests of the start itself, and all commands in
the docs, use cold ones.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

IMPORTED: Final = (
    *("hookrack.entrypoints.serve", "hookrack.entrypoints.http.api"),
    *("hookrack.entrypoints.http.metrics", "hookrack.entrypoints.cli", "harness"),
)
STREAMS: Final = (0, 1, 2)


class Warm:
    """A process that was forked; the part of `subprocess.Popen` that tests use."""

    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str], *, streams: Sequence[IO[bytes]]
    ) -> None:
        """Run module `words[0]` with arguments; `streams` are its input, output and errors."""
        asked, ask = os.pipe()
        told, tell = os.pipe()
        self._told = os.fdopen(told)
        wanted = {"words": list(words), "environ": dict(environ), "folder": str(Path.cwd())}
        with os.fdopen(ask, "w") as request:
            json.dump(wanted, request)
        handed = [*(each.fileno() for each in streams), asked, tell]
        socket.send_fds(_parent(), [b"."], handed)
        os.close(asked)
        os.close(tell)
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float = 30.0) -> int:
        """Its exit code, below zero where a signal ended it. Raises: TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it was waited for."""
        if self.returncode is None:
            os.kill(self.pid, number)


def run(
    words: Sequence[str], environ: Mapping[str, str], *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one to its end, as `subprocess.run` with text and captured output."""
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(tempfile.TemporaryFile()) for _ in STREAMS]
        streams[0].write(stdin.encode())
        for each in streams:
            each.seek(0)
        code = Warm(words, environ, streams=streams).wait()
        texts = []
        for each in streams[1:]:
            each.seek(0)
            texts.append(each.read().decode())
    return subprocess.CompletedProcess(list(words), code, *texts)


@functools.cache
def _parent() -> socket.socket:
    """The line to the process that forks; it ends when the line does."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )

    def end() -> None:
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def _fork_for(line: socket.socket) -> bool:
    """Fork for each request until the line ends: False; in a child, which has its part: True."""
    told = dict[int, int]()  # where to tell the end of each child
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    heard: list[socket.socket | int] = [line, woken]
    while True:
        ready = select.select(heard, [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _reap(told)
        if line in ready:
            message, handed, _, _ = socket.recv_fds(line, 1, 5)
            if not message:
                return False
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _become(handed, [line.detach(), woken, wake, *told.values()])
                return True
            *given, told[pid] = handed
            os.write(told[pid], b"%d\n" % pid)
            for each in given:
                os.close(each)


def _reap(told: dict[int, int]) -> None:
    """Tell the end of every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with contextlib.suppress(BrokenPipeError):
                os.write(told[pid], b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(told.pop(pid))


def _become(handed: Sequence[int], others: Sequence[int]) -> None:
    """Take on streams, environment, folder and words as they were asked for."""
    for number in STREAMS:
        os.dup2(handed[number], number)
    with os.fdopen(os.dup(handed[3])) as request:
        wanted = json.load(request)
    for each in (*handed, *others):
        os.close(each)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.environ.clear()
    os.environ.update(wanted["environ"])
    os.chdir(wanted["folder"])
    sys.argv = wanted["words"]
    sys.path.insert(0, wanted["folder"])


def main() -> None:
    """Import everything, and fork until nobody asks any more."""
    for each in IMPORTED:
        importlib.import_module(each)
    gc.freeze()
    if _fork_for(socket.socket(fileno=int(sys.argv[1]))):
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
