"""The engine's configuration as data, and which settings of a running server break the promise.

The promise: what was acknowledged is on disk, and nothing leaves memory but by its own TTL.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from hookrack.engine.find import Server
from hookrack.engine.layout import Layout

# What a server must answer to CONFIG GET, be it ours, adopted or external.
PROMISE: Final = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",  # with yes, `always` silently stops during a rewrite
    "aof-load-truncated": "no",  # with yes, some versions lose what follows a torn MULTI block
    "maxmemory-policy": "noeviction",
}
_NO_LIMIT: Final = 1 << 62  # bytes, about what the kernel says for "unlimited"
_MEMORY_V1 = re.compile(r"^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(/.*)$", re.MULTILINE)
_MEMORY_V2 = re.compile(r"^0::(/.*)$", re.MULTILINE)


def check_config(values: Mapping[str, str], *, loads_torn_tail: bool = False) -> list[str]:
    """Name every setting (as CONFIG GET gives them) that breaks the promise; [] is fine.

    A setting that is missing counts as broken. `loads_torn_tail`: the server is known to load a
    torn AOF without harm (Valkey >= 9.1.2), so `aof-load-truncated yes` is no risk.
    """
    wanted = dict(PROMISE)
    if loads_torn_tail:
        del wanted["aof-load-truncated"]
    return [
        f"{name} is {values.get(name, 'not known')}, must be {value}"
        for name, value in wanted.items()
        if values.get(name) != value
    ]


def arguments(server: Server, *, layout: Layout, maxmemory: int) -> list[str]:
    """The engine's command line; only options that this version knows.

    No file: what somebody sets on the live engine can't outlive it. `hz` stays at the default 10
    (0.17 % of a core when idle): one sweep of expired keys may take a quarter of 1/hz, so that a
    lower one trades idle CPU for stalls.
    """
    settings: list[tuple[str, ...]] = [
        *PROMISE.items(),
        ("port", "0"),
        ("unixsocket", str(layout.socket)),
        ("unixsocketperm", "700"),
        ("dir", str(layout.engine_dir)),
        ("save", ""),
        ("maxmemory", str(maxmemory)),
        ("databases", "1"),
        ("daemonize", "no"),
        ("logfile", ""),  # standard output, which is engine.log
        ("loglevel", "notice"),
    ]
    if server.flavour == "valkey" or server.version >= (7, 0, 0):
        settings += [
            ("aof-use-rdb-preamble", "yes"),
            ("enable-debug-command", "no"),
            ("enable-module-command", "no"),
            ("latency-tracking", "no"),
        ]
    else:  # one AOF file, which the guard reads: without RDB in front
        settings += [("aof-use-rdb-preamble", "no")]
        settings += [("rename-command", command, "") for command in ("DEBUG", "MODULE")]
    return [word for name, *values in settings for word in (f"--{name}", *values)]


def default_maxmemory() -> int:
    """Half of the machine's memory or of our cgroup's limit, whichever is smaller, in bytes."""
    return min(_physical_memory(), *_cgroup_limits(), _NO_LIMIT) // 2


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):  # not told: let the cgroup or the operator decide
        return _NO_LIMIT


def _cgroup_limits(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """The memory limits of our group and all above it, cgroup v1 and v2; none off Linux.

    Inside a container the path may name groups that are not mounted: then those above count.
    """
    try:
        text = groups.read_text()
    except OSError:
        return
    for pattern, mount, file in (
        (_MEMORY_V2, root, "memory.max"),
        (_MEMORY_V1, root / "memory", "memory.limit_in_bytes"),
    ):
        for group in pattern.findall(text):
            for path in (Path(group), *Path(group).parents):
                with contextlib.suppress(OSError, ValueError):  # "max", or not there
                    yield int((mount / path.relative_to("/") / file).read_text())
