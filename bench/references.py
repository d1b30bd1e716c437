"""The references: servers that do only what can't be avoided, each on uvicorn with uvloop.

    accept    raw ASGI: read the body, answer 202
    get       raw ASGI: one `await client.get(...)` of redis-py per request, no token
    tutorial  FastAPI with a model and one `await client.xadd(...)` per request (see `tutorial`)

`python -m bench.references NAME [SOCKET]` prints the port that it took and serves until SIGTERM.
"""

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import redis.asyncio
import uvicorn

from bench.http import HOST

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_JSON: Final = (b"content-type", b"application/json")
_ACCEPTED: Final = b'{"status": "accepted"}'


async def accept(_scope: Message, receive: Receive, send: Send) -> None:
    """Take a body and say so."""
    while (await receive()).get("more_body"):
        pass
    await _answer(send, 202, _ACCEPTED)


def get_from(path: str) -> App:
    """GET .../{key} from the engine at a socket."""
    client = redis.asyncio.Redis(unix_socket_path=path)

    async def get(scope: Message, _receive: Receive, send: Send) -> None:
        found: Any = await client.get(scope["path"].rpartition("/")[2])
        await _answer(send, 404 if found is None else 200, found or b"")

    return get


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _app(name: str, path: str) -> Any:  # noqa: ANN401 - an ASGI application
    if name == "tutorial":
        from bench.tutorial import build  # noqa: PLC0415 - the others do without FastAPI

        return build(path)
    return accept if name == "accept" else get_from(path)


def _main(name: str, path: str = "") -> None:
    config = uvicorn.Config(
        _app(name, path),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
    with socket.create_server((HOST, 0)) as sock:
        print(f"port {sock.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[sock])


if __name__ == "__main__":
    _main(*sys.argv[1:])
