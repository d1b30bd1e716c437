"""How fast the worker empties the queue into the store."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from bench import servers
from bench.drain import drain
from bench.interleave import Sample, compare, interleave
from bench.row import Line, Row, Sizes


def _sample(engine: servers.Engine, way: str, count: int) -> Sample:
    try:
        return drain(engine.socket, way, count)
    finally:
        engine.clear()


def _worker(sizes: Sizes) -> Iterator[Line]:
    with servers.engine(fsync="always") as engine:
        sides: dict[str, Callable[[], Sample]] = {
            way: partial(_sample, engine, way, sizes.drained) for way in ("ack", "store", "plain")
        }
        found = interleave(sides, pairs=sizes.pairs)
    yield compare("worker, queue to store / receive + ack", found["store"], found["ack"], goal=0.5)
    yield compare("the same / XREADGROUP, XACK, XDEL", found["store"], found["plain"])


ROWS: Final = (Row("worker", "1 KB from the queue to the store, against ack alone", _worker),)
