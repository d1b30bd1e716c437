"""Calls that wait, without a task where the server lets them: thousands wait at the same time.

A task keeps the frames of everything that called what waits. So a call is a `Parked` between two
looks at the store, and each look a task of its own.
"""

from abc import ABC, abstractmethod
from datetime import timedelta

from hookrack.entrypoints.http.exchange import Scope, Send, tell_when_gone
from hookrack.readers import Watch


class Parked(ABC):
    """A call that is looked at again whenever its watch wakes, until it is answered."""

    __slots__ = ("due", "scope", "send", "watch")

    def __init__(self, scope: Scope, send: Send, *, watch: Watch) -> None:
        self.scope = scope
        self.send = send
        self.watch = watch
        self.due: timedelta | None = None  # look again then, whatever comes
        tell_when_gone(scope, watch.stop)

    @abstractmethod
    async def look(self, *, last: bool) -> bool:
        """Answer if there is something to say, or if nothing more is waited for.

        Returns whether it has answered; the last time it has to.
        """

    async def go_on(self) -> "Parked | None":
        """Wait, then look: None when the call is answered. Raises: as `look`."""
        return await self._look(last=not await self.watch.wait(self.due))

    async def go_on_now(self) -> "Parked | None":
        """The same once the watch has woken."""
        return await self._look(last=not self.watch.awake())

    async def begin(self) -> "Parked | None":
        """The first look."""
        return await self._look(last=False)

    async def _look(self, *, last: bool) -> "Parked | None":
        answered = True
        try:
            answered = await self.look(last=last)
        finally:
            if answered:
                self.watch.close()
                tell_when_gone(self.scope, None)
        return None if answered else self
