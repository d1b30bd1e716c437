"""How fast entries are read, and how soon after its 202 an event can be."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from typing import Final

from bench import http, servers
from bench.interleave import compare, interleave
from bench.load import CONNECTIONS, drive
from bench.payload import KILOBYTE, order
from bench.row import Line, Row, Sizes
from bench.rows_ingest import sampler
from bench.watch import PER_SECOND, Watching, watch

_KEYS: Final = [f"k{place}" for place in range(CONNECTIONS)]
_WIDE_KEYS: Final = 1_000
_WIDE_BYTES: Final = 10 * KILOBYTE
_VISIBLE_SECONDS: Final = 10.0


def _get(sizes: Sizes) -> Iterator[Line]:
    """Each connection asks for a key of its own, so that no two gets can be one look."""
    with ExitStack() as stack:
        data_dir = stack.enter_context(servers.folder()) / "d"
        ours = stack.enter_context(servers.hookrack({"orders": _KEYS}, data_dir=data_dir))
        drive(ours.port, [http.post(ours.path("orders"), order())], count=1, connections=1)
        ours.engine.drained()
        for key in _KEYS:
            ours.engine.client.set(key, order())
        port, pid = stack.enter_context(servers.reference("get", socket=ours.engine.socket))
        requests = [ours.get(key) for key in _KEYS]
        plain = [http.get(f"/{key}") for key in _KEYS]
        sides = {
            "reference": sampler(port, pid, plain, sizes, engine=None),
            "ours": sampler(ours.port, ours.pid, requests, sizes, engine=None),
        }
        found = interleave(sides, pairs=sizes.pairs)
    yield compare("GET / redis-py GET per request", found["ours"], found["reference"], goal=2)


def _visible(sizes: Sizes) -> Iterator[Line]:
    flows = {f"f{place}": [key] for place, key in enumerate(_KEYS)}
    with servers.folder() as folder, servers.hookrack(flows, data_dir=folder / "d") as ours:
        headers = {"authorization": f"Bearer {ours.token}", "hookrack-account": servers.ACCOUNT}
        paths = [ours.path(flow) for flow in flows]
        watch(Watching(ours.port, paths, _KEYS, headers, 0.5))  # warm
        ours.engine.clear()
        seen = watch(Watching(ours.port, paths, _KEYS, headers, sizes.open_loop))
    if seen.failed or not seen.events:
        raise RuntimeError(f"{seen.failed} events failed, one with: {seen.failure}")
    p50, p90, p99, most = seen.visible
    yield Line(
        f"202 to visible, open loop {PER_SECOND}/s",
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        goal="p50 <= 5 ms, p99 <= 30 ms",
        reached=p50 <= 5 and p99 <= 30,
        note=f"p90 {p90:.1f}, most {most:.0f} ms; POST to 202 p50 {seen.posted[0]:.1f}, "
        f"p99 {seen.posted[2]:.1f} ms; {seen.events:,} events, {seen.late} sent late",
    )


def _wide(sizes: Sizes) -> Iterator[Line]:
    """Fresh keys each time: the first event under a key costs the most memory."""
    wide = {
        f"w{turn}": [f"w{turn}-{key}" for key in range(_WIDE_KEYS)] for turn in range(sizes.pairs)
    }
    narrow = {f"n{turn}": [f"n{turn}-0"] for turn in range(sizes.pairs + 1)}
    found: dict[str, list[tuple[float, float]]] = {"w": [], "n": []}
    with (
        servers.folder() as folder,
        servers.hookrack(wide | narrow, data_dir=folder / "d") as ours,
    ):
        _store_one(ours, f"n{sizes.pairs}", f"n{sizes.pairs}-0")  # warm
        for turn in range(sizes.pairs):
            found["n"].append(_store_one(ours, f"n{turn}", f"n{turn}-0"))
            found["w"].append(_store_one(ours, f"w{turn}", f"w{turn}-{_WIDE_KEYS - 1}"))
    times = {side: median(each for each, _ in samples) for side, samples in found.items()}
    sizes_mb = {side: median(each for _, each in samples) for side, samples in found.items()}
    more = sizes_mb["w"] - sizes_mb["n"]
    slowest = max(each for each, _ in found["w"])
    yield Line(
        "10 KB under 1,000 keys, POST to last key",
        f"{times['w']:.1f} ms, {sizes_mb['w']:.3f} MB",
        f"{times['n']:.1f} ms, {sizes_mb['n']:.3f} MB",
        f"{times['w'] / times['n']:.1f}",
        "<= 20 ms, <= 0.3 MB more",
        times["w"] <= 20 and more <= 0.3,
        f"slowest {slowest:.1f} ms; {more:.3f} MB more; under keys never used before",
    )


def _store_one(ours: servers.Hookrack, flow: str, key: str) -> tuple[float, float]:
    """Milliseconds from POST to the answer of a GET that has it, and the memory it took in MB."""
    before = settled_memory(ours.engine)
    look, taken = ours.get(key), http.post(ours.path(flow), order(_WIDE_BYTES))
    began = time.perf_counter()
    with http.Client(ours.port) as client:
        assert client.ask(taken)[0] == 202
        while client.ask(look)[0] != 200:
            if time.perf_counter() - began > _VISIBLE_SECONDS:
                raise TimeoutError(f"{key} never became visible")
    took = (time.perf_counter() - began) * 1000
    ours.engine.drained()
    return took, (settled_memory(ours.engine) - before) / 1024 / 1024


def settled_memory(engine: servers.Engine) -> int:
    """Bytes in use once clients' buffers have shrunk: the same after a quarter of a second."""
    found = engine.memory
    for _ in range(20):
        time.sleep(0.25)
        before, found = found, engine.memory
        if abs(found - before) < KILOBYTE:
            break
    return found


ROWS: Final = (
    Row("get", "GET of the newest entry, token checked, against redis-py without one", _get),
    Row("visible", f"202 to visible under its key, {PER_SECOND} events a second", _visible),
    Row("wide", "one event of 10 KB under 1,000 keys", _wide),
)
