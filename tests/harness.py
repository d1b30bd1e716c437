"""What tests are made with: a real server process, waiting for conditions, finding engines."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, Self
from urllib.parse import urlsplit

import httpx
import pytest
import warm

from hookrack.engine import Server, find_server
from hookrack.engine.find import inspect_server

EXAMPLE: Final = Path(__file__).parent.parent / "examples" / "hookrack.yaml"
ADMIN_TOKEN: Final = "admin-token-for-tests-0123456789abcdef"
SECRET_KEY: Final = "secret-key-for-tests-0123456789abcdef"
TRUST: Final = ssl.create_default_context()  # one for all clients: to make one costs 20 ms


def missing(reason: str) -> NoReturn:
    """A server that isn't there: in CI that is a failure, elsewhere the test is skipped."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; CI must have it")
    pytest.skip(reason)


async def wait_until(
    condition: Callable[[], Awaitable[bool] | bool], *, what: str, seconds: float = 10.0
) -> None:
    """Wait for a condition instead of for a time."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        if time.monotonic() > end:
            pytest.fail(f"{what} did not happen within {seconds} s")
        await asyncio.sleep(0.005)


def find_engine(kind: str) -> Server:
    """The binary of one kind of engine."""
    if kind == "embedded":
        return find_server()
    path = shutil.which(kind)
    if path is None:
        missing(f"{kind} is not installed")
    return inspect_server(Path(path))


@dataclass(frozen=True)
class Answer:
    """What came back on a wire: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of a refusal, which is a whole problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert all(problem[field] for field in ("type", "title", "detail"))
        return str(problem["code"])


class Wire:
    """A connection without an HTTP client: any bytes out, answers in; all within a time."""

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, seconds: float = 20) -> None:
        self._where = urlsplit(url)
        self._tls = tls
        self._seconds = seconds

    async def __aenter__(self) -> Self:
        """Connect."""
        where = self._where
        async with asyncio.timeout(self._seconds):
            self.reader, self.writer = await asyncio.open_connection(
                where.hostname, where.port, ssl=self._tls
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, *parts: bytes, pause: float = 0.0, end: bool = False) -> None:
        """Send each part by itself, `pause` seconds apart; with `end` nothing will follow."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(pause)
        if end:
            self.writer.write_eof()

    async def answer(self, *, to: str = "POST") -> Answer:
        """The next answer."""
        async with asyncio.timeout(self._seconds):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            size = 0 if to == "HEAD" else int(headers.get("content-length", 0))
            body = await self.reader.readexactly(size)
        return Answer(int(first.split()[1]), headers, body)

    async def ended(self) -> bool:
        """Whether the server closes, without another word."""
        async with asyncio.timeout(self._seconds):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


def hookrack(*words: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command line once; with modules of its own (PYTHONPATH) it starts cold."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HOOKRACK_")}
    if "PYTHONPATH" not in environ:
        return warm.run(["hookrack", *words], clean | environ, stdin=stdin)
    return subprocess.run(
        [sys.executable, "-m", "hookrack", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        env=clean | environ,
        check=False,
    )


def refused_start(*words: str, **environ: str) -> str:
    """Try to serve; it ends with exit code 2 and says why. The error output."""
    done = hookrack("serve", *words, **environ)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


class Served:
    """A real `hookrack serve` in a process of its own."""

    def __init__(self, data_dir: Path, *options: str, config: Path = EXAMPLE) -> None:
        self.data_dir = data_dir
        self.command = [
            *("hookrack", "serve", "--port", "0"),
            *("--config", str(config), "--data-dir", str(data_dir), *options),
        ]
        self.process: warm.Warm | None = None
        self.url = ""
        self.banner: list[str] = []

    def start(self) -> None:
        """Start it; returns when it is ready. Fails with its error output if it ends."""
        self._output = (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab+")
        environ = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}
        told, tell = os.pipe()
        self._told = os.fdopen(told, "rb")
        with Path(os.devnull).open("rb") as nothing, os.fdopen(tell, "wb") as out:
            streams = (nothing, out, self._output)
            self.process = warm.Warm(self.command, os.environ | environ, streams=streams)
        self.banner = []
        for line in self._told:
            self.banner.append(line.decode())
            if line.startswith(b"ready"):
                break
        else:
            self._output.seek(0)
            pytest.fail(f"serve ended at its start: {self._output.read()[-2000:]!r}")
        self.url = json.loads((self.data_dir / "server.json").read_text())["url"]

    @property
    def pid(self) -> int:
        """The process id of the server."""
        assert self.process is not None
        return self.process.pid

    @property
    def engine_pid(self) -> int:
        """The process id of its engine."""
        return int((self.data_dir / "engine.pid").read_text())

    def log(self) -> list[dict[str, object]]:
        """The log lines so far."""
        text = (self.data_dir.parent / f"{self.data_dir.name}.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=15)
        self._told.close()
        self._output.close()
        self.process = None
        return code

    def kill(self) -> None:
        """Kill server and engine as a power cut would, the engine first."""
        for pid in (self.engine_pid, self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stop()

    def client(self, *, account: str | None = "acme") -> httpx.AsyncClient:
        """An HTTP client with the admin token."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        if account:
            headers["Hookrack-Account"] = account
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=30, verify=TRUST, trust_env=False
        )
