"""Answers that take their time: given once the framework has gone, whose frames would cost memory.

A route checks what it was asked and returns a `Later`; `asgi.Front` does the rest.
"""

from collections.abc import Awaitable, Callable

from fastapi import Response

from hookrack.entrypoints.http.exchange import LATER, Receive, Scope, Send
from hookrack.entrypoints.http.parking import Parked

Work = Callable[[Scope, Receive, Send], Awaitable[Parked | None]]


class Later(Response):
    """Stands for an answer that `work` gives; it may raise what a route may."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave it to whoever called the framework."""
        del receive, send
        scope[LATER] = self._work
