"""What a server takes that has nothing to do."""

import time
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Final

from bench import servers
from bench.machine import cpu_seconds, resident_mb
from bench.row import Line, NotRunError, Row, Sizes

_FLOWS: Final = {"orders": ["erp"]}
_SETTLE_SECONDS: Final = 2.0
_OURS: Final = Counter(info=2)  # what the second look at the counters finds of both


def _start(sizes: Sizes) -> Iterator[Line]:
    found = []
    for _ in range(sizes.starts):
        with servers.folder() as folder, servers.hookrack(_FLOWS, data_dir=folder / "d") as ours:
            found.append(ours.ready_seconds)
    yield Line(
        "start to ready, empty data",
        f"{median(found):.2f} s",
        ratio=f"({min(found):.2f}..{max(found):.2f})",
        goal="<= 1.5 s",
        reached=median(found) <= 1.5,
    )


def _idle(sizes: Sizes) -> Iterator[Line]:
    with servers.folder() as folder, servers.hookrack(_FLOWS, data_dir=folder / "d") as ours:
        time.sleep(min(_SETTLE_SECONDS, sizes.idle))
        resident = resident_mb(ours.pid)
        yield Line(
            "memory of the server (RSS)",
            f"{resident:.0f} MB",
            goal="<= 100 MB",
            reached=resident <= 100,
        )
        engine_pid = int(str(ours.engine.info("server")["process_id"]))
        commands, total = _commands(ours.engine)
        used, engine_used = cpu_seconds(ours.pid), cpu_seconds(engine_pid)
        began = time.perf_counter()
        time.sleep(sizes.idle)
        seconds = time.perf_counter() - began
        used_after, engine_after = cpu_seconds(ours.pid), cpu_seconds(engine_pid)
        after, total_after = _commands(ours.engine)
    asked = (total_after - total - sum(_OURS.values())) * 60 / seconds
    often = (after - commands - _OURS).most_common(4)
    yield Line(
        "engine commands per idle minute",
        f"{asked:.0f}",
        goal="<= 60",
        reached=asked <= 60,
        note=", ".join(f"{name} {count * 60 / seconds:.0f}" for name, count in often),
    )
    if used is None or used_after is None or engine_used is None or engine_after is None:
        raise NotRunError("this system doesn't tell the CPU time of another process")
    percent = (used_after - used) / seconds * 100
    engine_percent = (engine_after - engine_used) / seconds * 100
    yield Line(
        "idle CPU of the server",
        f"{percent:.2f} %",
        goal="<= 0.5 %",
        reached=percent <= 0.5,
        note=f"engine {engine_percent:.2f} %; over {seconds:.0f} s",
    )


def _commands(engine: servers.Engine) -> tuple[Counter[str], int]:
    """Calls by command, and how many in all."""
    calls: Counter[str] = Counter()
    for name, stats in engine.info("commandstats").items():
        if isinstance(stats, dict):
            calls[name.removeprefix("cmdstat_")] = int(stats["calls"])
    return calls, int(str(engine.info("stats")["total_commands_processed"]))


ROWS: Final = (
    Row("start", "start to ready on empty data", _start),
    Row("idle", "memory, CPU and engine commands of a server without work", _idle),
)
