"""What stands before the framework: it reads bodies whole, and ahead of asking who sends them."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI

from hookrack.app import App
from hookrack.entrypoints.http.exchange import Message, Receive, Scope, Send, header, too_large
from hookrack.errors import Rejected
from hookrack.flows import LARGEST_BODY_BYTES

_CALLS: Final = "/v1/"
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def guarded(api: FastAPI, app: App) -> Asgi:
    """The application, with strangers turned away unheard, and bodies that have an end.

    It raises Rejected (`TOKEN_INVALID`, `BODY_TOO_LARGE`).
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(_CALLS):
            app.tokens.known(header(scope, b"authorization"))
        size, refusal = 0, list[Rejected]()

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY_BYTES:
                refusal.append(too_large(LARGEST_BODY_BYTES))
                raise refusal[0]
            return message

        async def unless_refused(message: Message) -> None:
            if not refusal:  # else the framework has its own words for it
                await send(message)

        await api(scope, counted, unless_refused)
        if refusal:
            raise refusal[0]

    return serve
