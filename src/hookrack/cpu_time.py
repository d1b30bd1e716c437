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
        self.is_watched = False
        self._began = 0

    def watch(self) -> None:
        """Count from now on; nothing happens at import."""
        self.is_watched = True
        gc.callbacks.append(self.told)

    def told(self, phase: str, info: dict[str, Any]) -> None:
        """A collection begins or ends."""
        if info["generation"] != _FULL:
            return
        if phase == "start":
            self._began = time.thread_time_ns()
        else:
            self.taken += time.thread_time_ns() - self._began


_collections: Final = _Collections()


def work_ns() -> int:
    """Nanoseconds of CPU that this thread has worked; only good for differences."""
    if not _collections.is_watched:
        _collections.watch()
    return time.thread_time_ns() - _collections.taken


LIMITS: Final = Limits(clock=work_ns)
