"""What a stored event takes, and how long a restart takes with many of them."""

from collections.abc import Iterator
from statistics import median
from typing import Final

from bench import http, servers
from bench.load import drive
from bench.payload import KILOBYTE, order
from bench.row import Line, Row, Sizes
from bench.rows_read import settled_memory

_FLOWS: Final = {"one": ["a0"], "ten": [f"b{place}" for place in range(10)]}


def _memory(sizes: Sizes) -> Iterator[Line]:
    with servers.folder() as folder, servers.hookrack(_FLOWS, data_dir=folder / "d") as ours:
        _store(ours, "one", sizes.stored // 20)  # warm: buffers and tables have their size
        for flow, goal in (("one", 1.7), ("ten", 3.0)):
            before = settled_memory(ours.engine)
            _store(ours, flow, sizes.stored)
            each = (settled_memory(ours.engine) - before) / sizes.stored
            yield Line(
                f"memory of a stored 1 KB event, {len(_FLOWS[flow])} key(s)",
                f"{each:,.0f} B",
                f"{KILOBYTE:,} B raw",
                f"{each / KILOBYTE:.2f}",
                f"<= {goal}",
                each / KILOBYTE <= goal,
                f"{sizes.stored:,} events",
            )


def _store(ours: servers.Hookrack, flow: str, count: int) -> None:
    drive(ours.port, [http.post(ours.path(flow), order())], count=count)
    ours.engine.drained()


def _restart(sizes: Sizes) -> Iterator[Line]:
    with servers.folder() as folder:
        data_dir = folder / "d"
        with servers.hookrack(_FLOWS, data_dir=data_dir) as ours:
            _store(ours, "one", sizes.stored)
        found = []
        for _ in range(sizes.starts):
            with servers.hookrack(_FLOWS, data_dir=data_dir) as ours:
                found.append(ours.ready_seconds)
                with http.Client(ours.port) as client:
                    assert client.ask(ours.get("a0"))[0] == 200
        size = sum(file.stat().st_size for file in data_dir.rglob("*") if file.is_file())
    yield Line(
        f"restart to ready, {sizes.stored:,} stored events",
        f"{median(found):.2f} s",
        ratio=f"({min(found):.2f}..{max(found):.2f})",
        goal="<= 3 s",
        reached=median(found) <= 3,
        note=f"{size / 1024 / 1024:.0f} MB of files",
    )


ROWS: Final = (
    Row("memory", "bytes of the engine per stored event of 1 KB", _memory),
    Row("restart", "restart to ready with stored events", _restart),
)
