"""Where the engine's things lie below DATA_DIR, and whether that directory can be used at all.

DATA_DIR/              0700
  serve.lock           held by the hookrack process that owns the engine; holds its pid
  engine.lock          held by the engine itself (and whatever it forks), so it survives us
  engine.pid           the engine's pid, for people and scripts
  engine.sock          where it listens, and nowhere else
  engine/              its working directory: appendonlydir/, engine.log
    torn/              tails that the guard cut off
"""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hookrack.errors import ConfigError

# sizeof(sockaddr_un.sun_path) less the closing NUL: unix(4) on macOS, unix(7) on Linux
SOCKET_PATH_LIMIT: Final = 103 if sys.platform == "darwin" else 107
PID_MAX_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Layout:
    """The absolute paths below one DATA_DIR."""

    data_dir: Path

    @property
    def serve_lock(self) -> Path:
        """Held by the hookrack process."""
        return self.data_dir / "serve.lock"

    @property
    def engine_lock(self) -> Path:
        """Held by the engine."""
        return self.data_dir / "engine.lock"

    @property
    def pid_file(self) -> Path:
        """The engine's pid in decimal."""
        return self.data_dir / "engine.pid"

    @property
    def socket(self) -> Path:
        """The engine's only address."""
        return self.data_dir / "engine.sock"

    @property
    def engine_dir(self) -> Path:
        """The engine's working directory."""
        return self.data_dir / "engine"

    @property
    def log(self) -> Path:
        """What the engine writes to its standard output and error."""
        return self.engine_dir / "engine.log"

    def write_pid(self, pid: int) -> None:
        """Put the pid file there whole, or write over the old pid: that works on a full disk."""
        there = self.pid_file.exists()
        place = self.pid_file if there else self.pid_file.with_suffix(".pid.new")
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, b"%-10d\n" % pid, 0)  # one width, so that nothing of an old one stays
        finally:
            os.close(fd)
        if not there:
            place.replace(self.pid_file)


def prepare(data_dir: Path) -> Layout:
    """Make DATA_DIR and DATA_DIR/engine, both 0700 and ours, and return the paths in it.

    A directory that was there, holds something and is open to others is refused rather than
    closed: it may be somebody's home or /tmp.

    Raises: ConfigError if it can't be made, written, or trusted, or its path is too long.
    """
    layout = Layout(data_dir.absolute())
    length = len(os.fsencode(layout.socket))
    if length > SOCKET_PATH_LIMIT:
        detail = f"{layout.socket} has {length} bytes, a socket's path {SOCKET_PATH_LIMIT} at most"
        raise _refusal(layout.data_dir, detail, mend="Choose a shorter --data-dir.")
    try:
        _make_private(layout.data_dir)
        _make_private(layout.engine_dir)
        with layout.serve_lock.open("ab"):  # the honest test of "can be written"
            pass
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise _refusal(layout.data_dir, f"can't be made or written ({reason})") from exc
    return layout


def _make_private(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise _refusal(path, "is not a directory")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = path.stat()
    if state.st_uid != os.geteuid():
        detail = f"belongs to user {state.st_uid}, not to us ({os.geteuid()})"
        raise _refusal(path, detail, mend="Choose a directory below it, or change its owner.")
    if not stat.S_IMODE(state.st_mode) & 0o077:
        return
    if any(path.iterdir()) and not (path / "serve.lock").exists():
        raise _refusal(path, "is open to other users", mend=f"Run: chmod 700 {path}")
    path.chmod(0o700)


def _refusal(path: Path, detail: str, *, mend: str = "Choose another --data-dir.") -> ConfigError:
    return ConfigError(detail, where=f"data-dir {path}", mend=mend)
