"""Mapping templates: alone, against another engine and a JSON parser; and at the front door.

airspeed-ext is asked in a Python of its own, made for the run: it installs a package with the name
of another one, and nothing of it belongs into the project's environment.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson

from bench import http, orders, servers
from bench.interleave import Sample, compare, interleave, ratio
from bench.row import Line, NotRunError, Row, Sizes
from bench.rows_ingest import sampler
from hookrack.cpu_time import LIMITS
from hookrack.edge.mapping import MappingRequest, Template, compile_template

_PEER: Final = Path(__file__).with_name("airspeed_peer.py")
_PACKAGES: Final = ("airspeed-ext==0.6.9", "jsonpath-rw==1.4.0")
_ITEMS: Final = 7  # of the order that renders to 1 KB
_INSTALL_SECONDS: Final = 300
_FLOWS: Final = {"plain": ["erp"], "thirty": ["crm"], "five": ["pim"]}
_TIMES_GOAL: Final = 12


def _rate(work: Callable[[], object], seconds: float) -> Sample:
    count, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        work()
        count += 1
    return Sample(count / spent)


def _rendering(template: Template, body: str) -> Callable[[], object]:
    return lambda: template.render(MappingRequest(body), limits=LIMITS)


@contextmanager
def _peer(folder: Path, kind: str, *, expected: str) -> Iterator[Callable[[float], Sample]]:
    """airspeed-ext, which gives the same document, and how fast it does that."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        _install(folder / "venv")
    source, body = folder / "order.vtl", folder / "order.json"
    source.write_text(orders.THIRTY_LINES, encoding="utf-8")
    body.write_bytes(orders.order(_ITEMS))
    command = [str(python), str(_PEER), str(source), str(body), kind]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            text = json.loads(process.stdout.readline())
            assert json.loads(text) == json.loads(expected), "the engines disagree"
            given, gave = process.stdin, process.stdout

            def measure(seconds: float) -> Sample:
                print(seconds, file=given, flush=True)
                return Sample(float(gave.readline()))

            yield measure
        finally:
            process.kill()


def _install(place: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", *_PACKAGES],
        check=False,
        timeout=_INSTALL_SECONDS,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotRunError(f"{_PACKAGES[0]} can't be installed: {done.stderr.strip()[-200:]}")


def _engine(sizes: Sizes) -> Iterator[Line]:
    body = orders.order(_ITEMS).decode()
    template = compile_template(orders.THIRTY_LINES)
    expected = template.render(MappingRequest(body)).text
    ours = _rendering(template, body)
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        bare = stack.enter_context(_peer(folder, "bare", expected=expected))
        helped = stack.enter_context(_peer(folder, "helpers", expected=expected))
        found = interleave(
            {
                "ours": lambda: _rate(ours, sizes.sample),
                "bare": lambda: bare(sizes.sample),
                "helped": lambda: helped(sizes.sample),
            },
            pairs=sizes.pairs,
        )
    name = f"{len(expected):,} bytes out / airspeed-ext"
    yield compare(f"{name}, bare", found["ours"], found["bare"], goal=5)
    yield compare(f"{name}, jsonpath-rw", found["ours"], found["helped"], goal=5)
    yield _large(sizes)


def _large(sizes: Sizes) -> Line:
    body = orders.large()
    ours = _rendering(compile_template(orders.TEN_PATHS), body.decode())
    found = interleave(
        {
            "ours": lambda: _rate(ours, sizes.sample / 2),
            "orjson": lambda: _rate(lambda: orjson.dumps(orjson.loads(body)), sizes.sample / 2),
        },
        pairs=sizes.pairs,
    )
    line = compare("64 KB, 10 paths / orjson, times as long", found["ours"], found["orjson"])
    times = ratio(found["orjson"], found["ours"])
    return replace(
        line, ratio=str(times), goal=f"<= {_TIMES_GOAL}", reached=times.median <= _TIMES_GOAL
    )


def _door(sizes: Sizes) -> Iterator[Line]:
    """The same order to three flows of one server."""
    body = orders.order(_ITEMS)
    templates = {"thirty": orders.THIRTY_LINES, "five": orders.FIVE_LINES}
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        server = stack.enter_context(
            servers.hookrack(_FLOWS, data_dir=folder / "d", role="edge", templates=templates)
        )
        sides = {}
        for flow in _FLOWS:
            request = http.post(server.path(flow), body)
            sides[flow] = sampler(server.port, server.pid, [request], sizes, engine=None)
        found = interleave(sides, pairs=sizes.pairs)
        server.engine.clear()
    yield compare("ingest, 30-line template / none", found["thirty"], found["plain"], goal=0.4)
    yield compare("ingest, 5-line template / none", found["five"], found["plain"], goal=0.75)


ROWS: Final = (
    Row("templates", "a rendering against airspeed-ext, and against orjson", _engine),
    Row("mapping", "POST of an order to flows with and without a template", _door),
)
