"""The clock that renderings are bounded by: a thread's CPU time, but for the garbage collector's.

A full collection in a process that holds much can take longer than a rendering may, and would then
end one that did nothing wrong.
"""

import gc
import time
from typing import Any, Final

from hookrack.edge.mapping import Limits

_FULL: Final = 2  # the generation whose collections can take long


class _Collections:
    """How long full collections have taken so far."""

    def __init__(self) -> None:
        self.taken = 0
        self._began = 0

    def told(self, phase: str, info: dict[str, Any]) -> None:
        """A collection begins or ends."""
        if info["generation"] != _FULL:
            return
        if phase == "start":
            self._began = time.thread_time_ns()
        else:
            self.taken += time.thread_time_ns() - self._began


_collections: Final = _Collections()
gc.callbacks.append(_collections.told)


def work_ns() -> int:
    """Nanoseconds of CPU that this thread has worked; only good for differences."""
    return time.thread_time_ns() - _collections.taken


LIMITS: Final = Limits(clock=work_ns)
