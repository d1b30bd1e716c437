"""uvicorn with sockets that we bound, connections of our kind, and signals that we handle."""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import uvicorn

from hookrack.entrypoints.http.deadlines import sweep
from hookrack.entrypoints.http.limits import Limits
from hookrack.entrypoints.http.protocol import Connection, Crowd
from hookrack.errors import ConfigError
from hookrack.settings import Settings

_BACKLOG: Final = 2048
_GRACE_SECONDS: Final = 4  # for requests under way at a stop; a stop lasts 10 s in all
_SWEEP_SECONDS: Final = 1.0
# A sweep works for so long at a time, and then leaves so much to others.
_SLICE_SECONDS: Final = 0.001
_PAUSE_SECONDS: Final = 0.009
_TLS_GOODBYE_SECONDS: Final = 5.0
_BIND_TRIES: Final = 5  # for a free port that is free on every address of the host
_LOOPBACK: Final = ("127.0.0.1", "::1")
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class Server(uvicorn.Server):
    """A server that leaves signals to its caller; `stop` stops it."""

    def __init__(
        self, config: uvicorn.Config, limits: Limits, *, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(config)
        self.server_state: Crowd = Crowd()
        self.listening = asyncio.Event()
        self._limits = limits
        self._tls = tls
        self._asked_to_stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        loop, tls = asyncio.get_running_loop(), self._tls
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=sock,
                backlog=_BACKLOG,
                ssl=tls,
                ssl_handshake_timeout=self._limits.header_seconds if tls else None,
                ssl_shutdown_timeout=_TLS_GOODBYE_SECONDS if tls else None,
            )
            for sock in sockets or ()
        ]
        self.started = True
        self.listening.set()

    def _connection(self) -> Connection:
        return Connection(
            limits=self._limits, config=self.config, server_state=self.server_state, app_state={}
        )

    async def main_loop(self) -> None:
        """Once a second, renew the Date header and end what took too long."""
        before = time.monotonic()
        while not self._asked_to_stop.is_set():
            await self.on_tick(0)
            begun = time.monotonic()
            await self._sweep(min(begun - before, 2 * _SWEEP_SECONDS))
            before = begun
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(begun + _SWEEP_SECONDS - time.monotonic()):
                    await self._asked_to_stop.wait()

    async def _sweep(self, seconds: float) -> None:
        """Look at all connections. Thousands that end at once don't hold up the others.

        Nor do they all come back at once: what was cut off over a second comes again over one.
        """
        connections = self.server_state.connections
        turn = time.monotonic() + _SLICE_SECONDS
        for connection in list(connections):
            if isinstance(connection, Connection) and connection in connections:
                sweep(connection, seconds)
            if time.monotonic() > turn:
                await asyncio.sleep(_PAUSE_SECONDS)
                if self._asked_to_stop.is_set():
                    return
                turn = time.monotonic() + _SLICE_SECONDS

    def stop(self) -> None:
        """Take no more connections, finish what is under way, and end `serve`."""
        self.should_exit = True
        self._asked_to_stop.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the handlers as they are."""
        yield


def bind(settings: Settings) -> list[socket.socket]:
    """Bound sockets that don't listen yet, so that nobody is let in before all is ready.

    One for each address that the host has: `localhost` is 127.0.0.1 and ::1, with one port.

    Raises: ConfigError naming host and port.
    """
    tries = 1 if settings.port else _BIND_TRIES
    while True:
        tries -= 1
        try:
            return _bind_all(_places(settings), settings.port)
        except OSError as exc:
            if tries and exc.errno == errno.EADDRINUSE:
                continue
            raise ConfigError(
                f"{settings.host}:{settings.port} can't be listened on: {exc.strerror}",
                where=settings.origins["port"],
                mend="Stop what listens there, or choose another with --port (0 takes any free "
                "one); or choose another --host.",
            ) from exc


def _places(settings: Settings) -> list[tuple[int, Any]]:
    """Family and address of each place to listen on; IPv4 first."""
    # RFC 6761 section 6.3 knows what localhost is; a hosts file may know half of it
    hosts = _LOOPBACK if settings.host.lower() == "localhost" else (settings.host,)
    try:
        found = [
            each
            for host in hosts
            for each in socket.getaddrinfo(
                host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        ]
    except (OSError, UnicodeError) as exc:
        raise ConfigError(
            f"{settings.host} is no address of this machine: {exc}",
            where=settings.origins["host"],
            mend="Name an address of this machine, such as 127.0.0.1 or ::1.",
        ) from exc
    places = {(int(family), address) for family, _, _, _, address in found}
    return sorted(places, key=lambda place: (place[0] != socket.AF_INET, place[1]))


def _bind_all(places: Sequence[tuple[int, Any]], port: int) -> list[socket.socket]:
    """Bind every place that this machine has, at least one, all to the same port."""
    absent: OSError | None = None
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        for family, address in places:
            try:
                sock = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    both = int(address[0] != "::")  # the wildcard is for IPv4 too
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, both)
                sock.bind((address[0], port, *address[2:]))
            except OSError as exc:
                if exc.errno not in _NOT_HERE:
                    raise
                absent = exc
                continue
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            port = sock.getsockname()[1]
            sockets.append(sock)
        if not sockets and absent is not None:
            raise absent
        stack.pop_all()
        return sockets


def build(app: Any, limits: Limits, *, tls: ssl.SSLContext | None = None) -> Server:  # noqa: ANN401 - any ASGI callable
    """A server for an ASGI callable; nothing of uvicorn's defaults that trusts a client."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # ours says what there is to say
    return Server(config, limits, tls=tls)
