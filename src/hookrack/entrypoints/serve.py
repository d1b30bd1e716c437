"""One serving process: everything started in order, a banner, and everything stopped in order."""

import asyncio
import gc
import os
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from hookrack import __version__
from hookrack.app import App, open_app
from hookrack.entrypoints.http.asgi import Front
from hookrack.entrypoints.http.limits import Limits
from hookrack.entrypoints.http.outlet import write_whole
from hookrack.entrypoints.http.server import Server, bind, build
from hookrack.entrypoints.http.tls import leaf_certificate, renew_certificate, server_context
from hookrack.entrypoints.worker import Worker
from hookrack.errors import HookrackError
from hookrack.flows import Configuration, Flow, read_configuration
from hookrack.server_file import Announcement, announced
from hookrack.settings import Settings
from hookrack.telemetry import emit, log
from hookrack.tokens import ADMIN_TOKEN_FILE

# Objects more than there were, until the young, the middle-aged, and all are looked through. Each
# connection is some fifty: at Python's own figures a thousand of them mean a look at everything, in
# which nobody is answered.
_GARBAGE: Final = (2_000, 5, 50)


async def serve(
    settings: Settings, file: Configuration | None, *, hang_ups: Sequence[int] = ()
) -> int:
    """Serve until SIGTERM (exit code 0) or SIGINT (130); SIGHUP reads the flow file again.

    `hang_ups` are the SIGHUPs that came before there was a loop, and may still come meanwhile.
    Raises: ConfigError, Unavailable.
    """
    began = time.monotonic()
    signals = _Signals(hang_ups)
    limits, tls = Limits.of(settings), server_context(settings)
    sockets = bind(settings)
    url = _url(sockets[0], tls=tls is not None)
    with suppress(asyncio.CancelledError), ExitStack() as bound:
        for sock in sockets:
            bound.enter_context(sock)
        async with open_app(settings, file) as app, _workers(app) as workers:
            front = Front(app, workers, write_whole=write_whole)
            server = build(front, limits, tls=tls)
            async with _listening(server, sockets, app=app, workers=workers):
                with _announced(app, url) as announce:
                    signals.ready()
                    seconds = time.monotonic() - began
                    print(_banner(app, url, seconds=seconds), flush=True)  # noqa: T201
                    emit(log.SERVER_READY, version=__version__, role=settings.role)
                    _settle_garbage()
                    await signals.obey(partial(_read_again, app, announce=announce, tls=tls))
                    emit(log.SERVER_STOPPING)
    emit(log.SERVER_STOPPED)
    return signals.exit_code


class _Signals:
    """SIGTERM and SIGINT cancel a start, and stop what is ready; SIGHUP waits until all is."""

    def __init__(self, hang_ups: Sequence[int]) -> None:
        self.exit_code = 0
        self._ready = False
        self._asked = asyncio.Event()
        self._hung_up = asyncio.Event()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - we run in one
        self._task = task
        loop = asyncio.get_running_loop()
        for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
            loop.add_signal_handler(number, self._ask, code)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up.set)
        if hang_ups:  # looked at when no more can come
            self._hung_up.set()

    def _ask(self, code: int) -> None:
        self.exit_code = code
        if self._ready:
            self._asked.set()
        else:
            self._task.cancel()

    def ready(self) -> None:
        """From now on a signal begins an orderly stop."""
        self._ready = True

    async def obey(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Reload whenever SIGHUP says so, one after the other, until a signal to stop."""
        reloading = asyncio.ensure_future(self._reload(reload))
        await self._asked.wait()
        reloading.cancel()

    async def _reload(self, reload: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._hung_up.wait()
            self._hung_up.clear()
            await reload()


async def _read_again(
    app: App, *, announce: Callable[[], None], tls: ssl.SSLContext | None
) -> None:
    """What SIGHUP asks for: flow file and certificate. A fault is told and changes nothing."""
    path = app.settings.config
    try:
        await app.live.adopt_file(read_configuration(path, environ=os.environ))
        if tls is not None:
            renew_certificate(tls, app.settings)
            announce()
    except HookrackError as exc:
        emit(log.CONFIGURATION_STALE, file=str(path), detail=str(exc))
    else:
        emit(log.CONFIGURATION_CHANGED, file=str(path))


@asynccontextmanager
async def _workers(app: App) -> AsyncIterator[list[Worker]]:
    workers = [
        Worker(queue, app.process, batch_size=app.settings.batch_size)
        for queue in app.worker_queues
    ]
    try:
        for worker in workers:
            await worker.start()
        yield workers
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers))


def _settle_garbage() -> None:
    """What is there now stays: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


@asynccontextmanager
async def _listening(
    server: Server, sockets: list[socket.socket], *, app: App, workers: Sequence[Worker]
) -> AsyncIterator[None]:
    """Serve; at the end the last answers and the last batches have the same few seconds."""
    task = asyncio.create_task(server.serve(sockets=sockets))
    try:
        await server.listening.wait()
        yield
    finally:
        app.arrivals.stop()
        server.stop()
        await asyncio.gather(task, *(worker.stop() for worker in workers))


@contextmanager
def _announced(app: App, url: str) -> Iterator[Callable[[], None]]:
    """Keep our address in the data directory, for the client commands; yields what renews it.

    Where another server that is alive has announced itself, that stands, unless it serves no API
    and we do.
    """
    settings = app.settings
    other = announced(settings.data_dir)
    ours = Announcement(settings.data_dir)

    def announce() -> None:
        content = {"url": url, "pid": os.getpid(), "version": __version__, "role": settings.role}
        if certificate := leaf_certificate(settings):
            content["certificate"] = certificate  # what to expect there, whatever its names are
        ours.put(content)

    if other and ("api" in other.get("role", ()) or "api" not in settings.role):
        yield lambda: None
        return
    announce()
    try:
        yield announce
    finally:
        ours.withdraw()


def _url(sock: socket.socket, *, tls: bool) -> str:
    """Where this machine reaches us; a wildcard is no address to connect to."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what was bound  # nosec B104
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def _banner(app: App, url: str, *, seconds: float) -> str:
    """What a newcomer needs next: where to send, a line to send, a line to fetch."""
    settings = app.settings
    flows = list(app.configuration.flows())
    where = f"embedded, in {settings.data_dir}" if settings.embedded else "as named by --store"
    lines = [
        f"hookrack {__version__}",
        f"  flows   {', '.join(f'{flow.account}/{flow.id}' for flow in flows) or 'none'}",
        f"  store   {where}",
        f"  ingest  {url}/in/{{account}}/{{flow}}",
    ]
    shown = [flow for flow in flows if flow.keys]  # others' templates say where events go
    if shown:
        flow = next((flow for flow in shown if flow.auth.type == "none"), shown[0])
        lines += ["", *_curl_lines(flow, url, settings)]
    return "\n".join([*lines, "", f"ready in {seconds:.1f} s; Ctrl-C stops"])


def _curl_lines(flow: Flow, url: str, settings: Settings) -> list[str]:
    secret = "/THE-SECRET" if flow.auth.type == "secret" else ""
    token = "$HOOKRACK_ADMIN_TOKEN"  # noqa: S105 - a variable's name
    if not settings.admin_token:
        token = f"$(cat {_short(settings.data_dir / ADMIN_TOKEN_FILE)})"
    ingest = f"{url}/in/{flow.account}/{flow.id}{secret}"
    key = f"{url}/v1/keys/{flow.keys[0].key}"
    headers = f'-H "Authorization: Bearer {token}" -H "Hookrack-Account: {flow.account}"'
    # From here to here: the certificate is for the names that others know us by.
    curl = "curl -k" if settings.tls_cert else "curl"
    return [
        f"""  {curl} -H 'Content-Type: application/json' -d '{{"hello": "world"}}' {ingest}""",
        f"  {curl} {headers} {key}",
    ]


def _short(path: Path) -> str:
    """As short as it can be copied from here, in quotes where a shell needs them."""
    text = str(path)
    return f"'{text}'" if " " in text else text
