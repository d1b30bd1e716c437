"""The machine below: which core does what, and what a process has used of it."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from bench.row import NotRunError

Part = Literal["server", "load"]

_CPUCLOCK_SCHED: Final = 2  # Linux: the clock of all CPU time of a process, by its pid


def pin(pid: int, part: Part) -> None:
    """Keep all threads of a process on the core of its part.

    The server has the first core, load and engine have the last. Does nothing where a process
    can't be pinned, or where there is one core only.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0] if part == "server" else cores[-1]
    tasks = Path(f"/proc/{pid}/task")
    for task in tasks.iterdir() if tasks.exists() else [Path(str(pid))]:
        os.sched_setaffinity(int(task.name), {core})


def cpu_seconds(pid: int) -> float | None:
    """User and system time that a process has used so far; None where it isn't told."""
    if sys.platform != "linux":
        return None
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def resident_mb(pid: int) -> float:
    """The memory that a process holds (RSS). Raises: NotRunError."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except FileNotFoundError as exc:
        raise NotRunError("this system has no /proc to read it from") from exc
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


def core_count() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Share:
    """What part of the machine others use from the making of this on, for a word of caution."""

    began: float
    busy: float
    own: float

    @classmethod
    def begin(cls) -> Self:
        """From now on."""
        return cls(time.monotonic(), _busy_seconds(), _own_seconds())

    def of_others(self) -> float:
        """0 to 1 of all cores; 0 where it isn't told. Ours count once they have ended."""
        seconds = (time.monotonic() - self.began) * (os.cpu_count() or 1)
        others = _busy_seconds() - self.busy - (_own_seconds() - self.own)
        return min(1.0, max(0.0, others / seconds))


def _busy_seconds() -> float:
    """The time that all cores were not idle, since the machine started."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()
    except FileNotFoundError:
        return 0.0
    user, nice, system, _idle, _wait, *interrupts = map(int, words[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """What we used, and those who were started here and have ended."""
    return sum(os.times()[:4])
