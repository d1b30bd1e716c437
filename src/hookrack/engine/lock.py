"""Two flock locks, so that one AOF never has two writers.

`serve.lock` is held by the hookrack process. `engine.lock` is opened here and handed down to the
engine: a flock belongs to the open file, so it is free exactly when the engine and everything it
forked is gone, however it went and whoever is left to reap it. That is also how we know of its
death: pids are reused and zombies answer to signal 0, a free lock means what it says.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from hookrack.engine.layout import PID_MAX_BYTES, Layout
from hookrack.errors import ConfigError


def try_lock(path: Path) -> int | None:
    """Take the lock and return its file descriptor (not inheritable), or None if it is held."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextlib.contextmanager
def serving(layout: Layout) -> Iterator[None]:
    """Hold `serve.lock` and write our pid into it.

    Raises: ConfigError that names the holder, if another process has it.
    """
    fd = try_lock(layout.serve_lock)
    if fd is None:
        raise ConfigError(
            f"in use by another hookrack (pid {_holder(layout.serve_lock)})",
            where=f"data-dir {layout.data_dir}",
            mend=f"Stop that one, choose another --data-dir, or share its engine with "
            f"--store unix://{layout.socket}",
        )
    try:
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError as exc:
            raise ConfigError(
                f"can't be written ({exc.strerror})",
                where=f"data-dir {layout.data_dir}",
                mend="Make room there, or choose another --data-dir.",
            ) from exc
        yield
    finally:
        os.close(fd)


def _holder(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(PID_MAX_BYTES).decode("ascii", "replace").strip() or "not known"
