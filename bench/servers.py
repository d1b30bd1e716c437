"""What is measured, as processes: hookrack, an engine of our own, and the references.

Each is a context that starts one and stops it by its pid, listens on 127.0.0.1 or a unix socket
only, and keeps its files in a temporary directory.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from bench import http
from bench.machine import pin
from hookrack.engine import find_server

ACCOUNT: Final = "bench"
SECRET: Final = "bench-3fB7qLz9"  # noqa: S105 - guards nothing
_SECRET_KEY: Final = "bench-" + 32 * "0"  # one is asked for beside a store of one's own
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0
_QUEUE: Final = "hr1:{q}:s:"
_PARTITIONS: Final = 10


class StartError(Exception):
    """A server didn't start; the text has the last it wrote."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine, asked over one connection of redis-py."""

    socket: Path
    client: redis.Redis

    @property
    def url(self) -> str:
        """Its address for `--store`."""
        return f"unix://{self.socket}"

    def info(self, section: str) -> Mapping[str, object]:
        """One section of INFO."""
        found: Mapping[str, object] = self.client.info(section)
        return found

    @property
    def memory(self) -> int:
        """Bytes in use."""
        return int(str(self.info("memory")["used_memory"]))

    def clear(self) -> None:
        """Delete everything but the configuration, so that each sample begins alike."""
        kept = {name: self.client.dump(name) or b"" for name in self.client.keys("*{cfg}*")}
        with self.client.pipeline() as at_once:
            at_once.flushall()
            for name, value in kept.items():
                at_once.restore(name, 0, value)
            at_once.execute()

    def queued(self) -> int:
        """How many envelopes are not settled yet."""
        return sum(int(self.client.xlen(f"{_QUEUE}{each}")) for each in range(_PARTITIONS))

    def drained(self, *, seconds: float = 120.0) -> None:
        """Wait until the queue is empty. Raises: TimeoutError."""
        wait_for(lambda: not self.queued(), what="the queue to be empty", seconds=seconds)


@dataclass(frozen=True, slots=True)
class Hookrack:
    """A running hookrack with the flows of the bench."""

    port: int
    pid: int
    token: str
    engine: Engine
    ready_seconds: float

    def path(self, flow: str) -> str:
        """Where to post to a flow."""
        return f"/in/{ACCOUNT}/{flow}/{SECRET}"

    def get(self, key: str) -> bytes:
        """The request for the newest entry under a key."""
        headers = {"authorization": f"Bearer {self.token}", "hookrack-account": ACCOUNT}
        return http.get(f"/v1/keys/{key}", headers)


def wait_for(done: Callable[[], bool], *, what: str, seconds: float) -> None:
    """Ask every 10 ms until it is so. Raises: TimeoutError."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.01)


@contextmanager
def folder() -> Iterator[Path]:
    """A directory with a short path (unix sockets need one), removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="hr-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def hookrack(
    flows: Mapping[str, Sequence[str]],
    *,
    data_dir: Path,
    role: str = "edge,worker,api",
    store: str = "",
    accept_loss: str = "",
    model: Mapping[str, Any] | None = None,
    options: Sequence[str] = (),
    auths: Mapping[str, Mapping[str, Any]] | None = None,
    templates: Mapping[str, str] | None = None,
) -> Iterator[Hookrack]:
    """Serve `flows` (id -> webhook keys), each with a secret unless `auths` says another way.

    Server and engine are pinned.
    """
    config = data_dir.with_name(f"{data_dir.name}.yaml")
    config.write_text(_flow_file(flows, model, auths or {}, templates or {}), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("hookrack")), "serve", "--config", str(config)]
    command += ["--port", "0", "--data-dir", str(data_dir), "--role", role, *options]
    if store:
        command += ["--store", store, "--store-accept-loss", accept_loss]
    began = time.perf_counter()
    log = data_dir.with_name(f"{data_dir.name}.log")
    with _process(command, log=log) as process:
        _read_until(process, b"ready", log=log)
        ready = time.perf_counter() - began
        address = json.loads((data_dir / "server.json").read_text(encoding="utf-8"))
        token = (data_dir / "admin-token").read_text(encoding="ascii").strip()
        socket = Path(store.removeprefix("unix://")) if store else data_dir / "engine.sock"
        pin(process.pid, "server")
        with _asked(socket) as engine:
            port = int(address["url"].rpartition(":")[2])
            yield Hookrack(port, process.pid, token, engine, ready)


def _flow_file(
    flows: Mapping[str, Sequence[str]],
    model: Mapping[str, Any] | None,
    auths: Mapping[str, Mapping[str, Any]],
    templates: Mapping[str, str],
) -> str:
    """JSON, which is YAML too."""
    secret: Mapping[str, Any] = {"type": "secret", "secrets": [SECRET]}
    shared = {"model": model} if model else {}
    listed: dict[str, dict[str, Any]] = {
        flow: {"keys": list(keys), "auth": auths.get(flow, secret), **shared}
        for flow, keys in flows.items()
    }
    for flow, source in templates.items():
        listed[flow]["templates"] = {"application/json": {"inline": source}}
    return json.dumps({"version": 1, "accounts": {ACCOUNT: {"ttl": "1d", "flows": listed}}})


@contextmanager
def engine(*, fsync: str) -> Iterator[Engine]:
    """An engine of our own, set up as hookrack sets up its own but for `fsync`."""
    with folder() as path:
        socket = path / "engine.sock"
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "dir": str(path),
            "save": "",
            "appendonly": "yes",
            "appendfsync": fsync,
            "maxmemory-policy": "noeviction",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with _process([str(find_server().path), *words], log=path / "log"):
            wait_for(socket.exists, what="the engine", seconds=_START_SECONDS)
            with _asked(socket) as found:
                yield found


@contextmanager
def reference(name: str, *, socket: Path | None = None) -> Iterator[tuple[int, int]]:
    """The port and pid of a server of `references`, pinned as ours."""
    command = [sys.executable, "-m", "bench.references", name]
    command += [str(socket)] if socket else []
    with folder() as path, _process(command, log=path / "log") as process:
        port = int(_read_until(process, b"port ", log=path / "log").split()[1])
        pin(process.pid, "server")
        yield port, process.pid


@contextmanager
def _asked(socket: Path) -> Iterator[Engine]:
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=60)
    try:
        pin(int(client.info("server")["process_id"]), "load")
        yield Engine(socket, client)
    finally:
        client.close()


@contextmanager
def _process(command: Sequence[str], *, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environ = {name: value for name, value in os.environ.items() if name[:9] != "HOOKRACK_"}
    environ["HOOKRACK_SECRET_KEY"] = _SECRET_KEY
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environ)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _read_until(process: "subprocess.Popen[bytes]", mark: bytes, *, log: Path) -> bytes:
    """The first line of its output that begins with `mark`. Raises: StartError."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(mark):
            return line
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise StartError(f"it ended before it was ready: {said[-300:]}")
