"""uvicorn with a socket that we bound and signals that we handle."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from hookrack.errors import ConfigError
from hookrack.settings import Settings

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 20
_GRACE_SECONDS: Final = 4  # for requests under way at a stop; a stop lasts 10 s in all


class Server(uvicorn.Server):
    """A server that leaves signals to its caller; `should_exit = True` stops it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the handlers as they are."""
        yield


def bind(settings: Settings) -> socket.socket:
    """A bound socket that doesn't listen yet, so that nobody is let in before all is ready.

    Raises: ConfigError naming host and port.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as exc:
        sock.close()
        raise ConfigError(
            f"{settings.host}:{settings.port} can't be listened on: {exc.strerror}",
            where=settings.origins["port"],
            mend="Stop what listens there, or choose another with --port (0 takes any free one).",
        ) from exc
    sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return sock


def build(app: Any) -> Server:  # noqa: ANN401 - any ASGI callable
    """A server for an ASGI callable; nothing of uvicorn's defaults that trusts a client."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # ours says what there is to say
    return Server(config)
