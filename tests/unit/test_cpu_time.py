"""The clock of renderings counts what they do, and not what the collector does meanwhile."""

import gc
import time

from hookrack.cpu_time import LIMITS, work_ns
from hookrack.edge.mapping import MappingRequest, compile_template


def test_a_full_collection_is_no_work() -> None:
    """It takes the thread's CPU time, and nothing of a rendering's."""
    held = [[number] for number in range(300_000)]
    began, worked = time.thread_time_ns(), work_ns()
    for _ in range(5):
        gc.collect()
    taken, counted = time.thread_time_ns() - began, work_ns() - worked
    assert held
    assert counted < taken / 2


def test_a_rendering_is_not_ended_by_the_collector() -> None:
    """However long a full collection takes in the middle of it: all of them are counted apart."""
    body = '{"items": [' + ",".join(['{"n": [[1], [2]]}'] * 3_000) + "]}"
    template = compile_template("$input.json('$')")
    held = [[number] for number in range(600_000)]
    before = gc.get_threshold()
    gc.set_threshold(500, 2, 1)
    try:
        for _ in range(20):
            assert template.render(MappingRequest(body), limits=LIMITS).text
    finally:
        gc.set_threshold(*before)
    assert held
