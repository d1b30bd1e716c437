"""How fast requests are taken: against bare uvicorn, a tutorial's service, and a softer fsync."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

from bench import http, servers
from bench.interleave import Sample, compare, interleave
from bench.load import drive
from bench.machine import cpu_seconds
from bench.payload import MODEL, order
from bench.row import Line, Row, Sizes

_FLOWS: Final = {"orders": ["erp"]}


def sampler(
    port: int, pid: int, requests: list[bytes], sizes: Sizes, *, engine: servers.Engine | None
) -> Callable[[], Sample]:
    """One sample of load on a server; what it left in the engine is deleted after it."""

    def measure() -> Sample:
        before = cpu_seconds(pid)
        load = drive(port, requests, seconds=sizes.sample, warm_up=sizes.warm_up)
        after = cpu_seconds(pid)
        if engine:
            engine.clear()
        used = (after - before) / load.total * 1e6 if before is not None and after else None
        return Sample(load.answered / load.seconds, used, load.p99_ms)

    return measure


def _ours(
    stack: ExitStack,
    sizes: Sizes,
    *,
    role: str = "edge",
    model: Mapping[str, Any] | None = MODEL,
    engine: servers.Engine | None = None,
) -> tuple[Callable[[], Sample], servers.Engine]:
    """A sampler for a hookrack of one role; with an embedded engine unless one is given."""
    server = stack.enter_context(
        servers.hookrack(
            _FLOWS,
            data_dir=stack.enter_context(servers.folder()) / "d",
            role=role,
            store=engine.url if engine else "",
            accept_loss="fsync",
            model=model,
        )
    )
    request = http.post(server.path("orders"), order())
    sample = sampler(server.port, server.pid, [request], sizes, engine=server.engine)
    return sample, server.engine


def _ingest(sizes: Sizes) -> Iterator[Line]:
    with ExitStack() as stack:
        edge, _ = _ours(stack, sizes)
        bare, _ = _ours(stack, sizes, model=None)
        whole, _ = _ours(stack, sizes, model=None, role="edge,worker,api")
        port, pid = stack.enter_context(servers.reference("accept"))
        request = http.post("/in/bench/orders", order())
        accept = sampler(port, pid, [request], sizes, engine=None)
        sides = {"accept": accept, "edge": edge, "bare": bare, "whole": whole}
        found = interleave(sides, pairs=sizes.pairs)
    reference = found["accept"]
    yield compare("ingest / uvicorn answering 202", found["edge"], reference, goal=0.45)
    yield compare("the same without a model", found["bare"], reference)
    yield compare("that, storing in the same process", found["whole"], reference)


def _tutorial(sizes: Sizes) -> Iterator[Line]:
    with ExitStack() as stack:
        edge, engine = _ours(stack, sizes)
        port, pid = stack.enter_context(servers.reference("tutorial", socket=engine.socket))
        request = http.post("/orders", order())
        service = sampler(port, pid, [request], sizes, engine=engine)
        found = interleave({"tutorial": service, "edge": edge}, pairs=sizes.pairs)
    yield compare("ingest / FastAPI + model + XADD", found["edge"], found["tutorial"], goal=4)


def _fsync(sizes: Sizes) -> Iterator[Line]:
    with ExitStack() as stack:
        always, _ = _ours(stack, sizes)
        softer = stack.enter_context(servers.engine(fsync="everysec"))
        everysec, _ = _ours(stack, sizes, engine=softer)
        found = interleave({"everysec": everysec, "always": always}, pairs=sizes.pairs)
    yield compare("ingest, fsync always / everysec", found["always"], found["everysec"], goal=0.6)


ROWS: Final = (
    Row("ingest", "POST 1 KB to a 202, against uvicorn answering at once", _ingest),
    Row("tutorial", "the same against FastAPI with a model and one XADD", _tutorial),
    Row("fsync", "the same with appendfsync always, against everysec", _fsync),
)
