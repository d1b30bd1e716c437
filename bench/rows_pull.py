"""How fast entries are leased and acked, and what readers cost that wait."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

from bench import http, leasing, servers, waiters
from bench.interleave import Sample, compare, interleave, ratio
from bench.load import drive
from bench.machine import cpu_seconds
from bench.payload import order
from bench.row import Line, Row, Sizes
from bench.rows_ingest import sampler

_PAIRS: Final = 3  # each begins with thousands of connections


def _lease(sizes: Sizes) -> Iterator[Line]:
    """Each sample begins with as many fresh entries, and ends when all are acked."""
    with ExitStack() as stack:
        data_dir = stack.enter_context(servers.folder()) / "d"
        ours = stack.enter_context(servers.hookrack({"orders": ["erp"]}, data_dir=data_dir))
        sides = {"stream": _streamed(ours, sizes.drained), "ours": _leased(ours, sizes.drained)}
        found = interleave(sides, pairs=sizes.pairs)
    yield compare("lease + ack / XREADGROUP + XACK", found["ours"], found["stream"], goal=0.5)


def _leased(ours: servers.Hookrack, count: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        ours.engine.clear()
        drive(ours.port, [http.post(ours.path("orders"), order())], count=count)
        ours.engine.drained()
        before = cpu_seconds(ours.pid)
        entries, seconds = leasing.share("ours", str(ours.port), ours.token)
        after = cpu_seconds(ours.pid)
        assert entries == count
        used = (after - before) / count * 1e6 if before is not None and after else None
        return Sample(entries / seconds, used)

    return measure


def _streamed(ours: servers.Hookrack, count: int) -> Callable[[], Sample]:
    client = ours.engine.client

    def measure() -> Sample:
        ours.engine.clear()
        client.xgroup_create(leasing.STREAM, leasing.GROUP, mkstream=True)
        for _ in range(count // 100):
            with client.pipeline(transaction=False) as pipe:
                for _ in range(100):
                    pipe.xadd(leasing.STREAM, {"e": order()})
                pipe.execute()
        entries, seconds = leasing.share("stream", str(ours.engine.socket))
        assert entries == count // 100 * 100
        client.delete(leasing.STREAM)
        return Sample(entries / seconds)

    return measure


def _waiting(sizes: Sizes) -> Iterator[Line]:
    options = ("--max-connections", str(sizes.waiting + 500), "--keep-alive-seconds", "300")
    with ExitStack() as stack:
        data_dir = stack.enter_context(servers.folder()) / "d"
        served = servers.hookrack({"orders": ["erp"]}, data_dir=data_dir, options=options)
        ours = stack.enter_context(served)
        request = http.post(ours.path("orders"), order())
        load = sampler(ours.port, ours.pid, [request], sizes, engine=None)
        load()  # warm
        with waiters.waiting(ours, sizes.waiting) as crowd:
            woken = crowd.wake(min(200, sizes.waiting))
        found: dict[str, list[Sample]] = {"alone": [], "crowded": []}
        for _ in range(min(_PAIRS, sizes.pairs)):
            found["alone"].append(load())
            with waiters.waiting(ours, sizes.waiting):
                found["crowded"].append(load())
    memory = crowd.memory
    many = f"{sizes.waiting:,}"
    yield Line(
        f"memory of each of {many} waiting readers",
        f"{memory.waiting:.1f} KB in all",
        f"{memory.idle:.1f} KB idle",
        f"{memory.waiting - memory.idle:+.1f} KB",
        "<= 14 KB, <= +2 KB",
        memory.waiting <= 14 and memory.waiting - memory.idle <= 2,
        "idle: a connection that has been answered 404 and waits for another request",
    )
    p50, p99 = woken
    yield Line(
        f"woken, with {many} waiting",
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        goal="p50 <= 10 ms",
        reached=p50 <= 10,
        note="from the answer to the PUT until the reader has its entry",
    )
    each = ratio(found["crowded"], found["alone"])
    line = compare(f"ingest with {many} waiting / alone", found["crowded"], found["alone"])
    yield Line(line.name, line.ours, line.reference, line.ratio, ">= 0.9", each.median >= 0.9)


ROWS: Final = (
    Row("lease", "lease and ack in batches of 10, against a stream by redis-py", _lease),
    Row("waiting", "readers that wait: memory, wake-up, and what they cost ingest", _waiting),
)
