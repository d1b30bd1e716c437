"""What AWS's part costs: sending to SQS, and the worker's handler on Lambda."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Final

from bench import servers
from bench.drain import drain
from bench.handling import handle
from bench.interleave import Ratio, Sample, compare, interleave
from bench.row import Line, Row, Sizes
from bench.sending import AT_ONCE, send

_SENT_SHARE: Final = 1 / 4
_HANDLED_TIMES: Final = 1.2
_IMPORT_SECONDS: Final = 0.4
_HANDLER: Final = "from hookrack.entrypoints.awslambda import batches"


@contextmanager
def _stub() -> Iterator[int]:
    """The port of an SQS that takes everything at once; on the core of the load."""
    command = [sys.executable, "-m", "bench.sqs_stub"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().split()[1])
        finally:
            process.terminate()


def cost_ratio(ours: list[Sample], reference: list[Sample]) -> Ratio:
    """The CPU time of one side to that of the other, pair by pair."""
    each = [
        (a.cpu_us or 0) / (b.cpu_us or float("nan")) for a, b in zip(ours, reference, strict=True)
    ]
    return Ratio(median(each), min(each), max(each))


def _costs(name: str, ours: list[Sample], reference: list[Sample], *, goal: float) -> Line:
    """The line where less CPU time is better."""
    found = cost_ratio(ours, reference)
    return replace(
        compare(name, ours, reference),
        ratio=str(found),
        goal=f"<= {goal} of its CPU",
        reached=found.median <= goal,
    )


def _sending(sizes: Sizes) -> Iterator[Line]:
    calls = max(AT_ONCE, sizes.drained // 10 // AT_ONCE * AT_ONCE)
    with _stub() as port:
        sides: dict[str, Callable[[], Sample]] = {
            way: partial(send, port, way, calls) for way in ("ours", "boto3", "sdk")
        }
        found = interleave(sides, pairs=sizes.pairs)
    name = "10 x 1 KB to SQS, 16 at once"
    yield _costs(f"{name} / boto3", found["ours"], found["boto3"], goal=_SENT_SHARE)
    share = cost_ratio(found["sdk"], found["boto3"])
    yield replace(compare("aiobotocore / boto3", found["sdk"], found["boto3"]), ratio=str(share))


def _handling(sizes: Sizes) -> Iterator[Line]:
    count = sizes.drained
    with servers.engine(fsync="always") as engine:

        def sample(measure: Callable[[], Sample]) -> Sample:
            try:
                return measure()
            finally:
                engine.clear()

        sides: dict[str, Callable[[], Sample]] = {
            "handler": lambda: sample(partial(handle, engine.socket, count)),
            "worker": lambda: sample(partial(drain, engine.socket, "store", count)),
        }
        found = interleave(sides, pairs=sizes.pairs)
    line = compare("Lambda handler, 1,000 x 1 KB / worker", found["handler"], found["worker"])
    each = [b.rate / a.rate for a, b in zip(found["handler"], found["worker"], strict=True)]
    times = Ratio(median(each), min(each), max(each))
    yield replace(
        line,
        ratio=str(times),
        goal=f"<= {_HANDLED_TIMES} of its time",
        reached=times.median <= _HANDLED_TIMES,
    )
    yield _cold(sizes)


def _cold(sizes: Sizes) -> Line:
    """The handler's imports in a fresh process, against one that imports nothing."""
    found = [_seconds(_HANDLER) - _seconds("") for _ in range(sizes.starts)]
    return Line(
        "cold import of the worker's handler",
        f"{median(found):.2f} s",
        ratio=f"({min(found):.2f}..{max(found):.2f})",
        goal=f"<= {_IMPORT_SECONDS} s",
        reached=median(found) <= _IMPORT_SECONDS,
    )


def _seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
    return time.perf_counter() - began


ROWS: Final = (
    Row("aws", "batches of ten to SQS, against boto3's CPU time", _sending),
    Row("lambda", "the worker's handler, against the local worker; its imports", _handling),
)
