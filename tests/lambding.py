"""What tests of the Lambda handlers stand on: the real runtime client, and the API it talks to."""

import asyncio
import contextlib
import json
import os
import platform
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import awslambdaric
from harness import ADMIN_TOKEN, SECRET_KEY, missing
from sqsing import ENVIRON

HERE: Final = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
HANDLERS: Final = "hookrack.entrypoints.awslambda"
PAUSE_MS: Final = 30_000


@dataclass
class RuntimeApi:
    """Lambda's side: hands out events one by one, and collects what the function says."""

    port: int = 0
    events: "asyncio.Queue[tuple[str, Any, int]]" = field(default_factory=asyncio.Queue)
    answers: dict[str, "asyncio.Future[tuple[str, Any]]"] = field(default_factory=dict)
    init_errors: list[Any] = field(default_factory=list)
    serving: set["asyncio.Task[Any]"] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["RuntimeApi"]:
        """Listen, as long as the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)

    async def invoke(self, event: Any, *, milliseconds: int = PAUSE_MS) -> tuple[str, Any]:
        """Hand out an event; `response` or `error`, and what came with it."""
        name = secrets.token_hex(8)
        self.answers[name] = asyncio.get_running_loop().create_future()
        await self.events.put((name, event, milliseconds))
        async with asyncio.timeout(60):
            return await self.answers[name]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._exchange(reader, writer)
        finally:
            writer.close()
            self.serving.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, *_ = head.split()
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if method == "GET":
            writer.write(await self._next(reader))
        else:
            self._take(path.split("/")[3:], json.loads(body or b"null"))
            writer.write(_answer(202, {}, b'{"status":"OK"}'))
        await writer.drain()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        """The next event; a container that dies in its wait takes none."""
        gone = asyncio.ensure_future(reader.read())
        came = asyncio.ensure_future(self.events.get())
        try:
            await asyncio.wait([gone, came], return_when=asyncio.FIRST_COMPLETED)
            if not came.done():
                raise ConnectionResetError
        finally:
            gone.cancel()
            came.cancel()
        name, event, milliseconds = came.result()
        deadline = time.time_ns() // 1_000_000 + milliseconds
        told = {
            "Lambda-Runtime-Aws-Request-Id": name,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:f",
            "Content-Type": "application/json",
        }
        return _answer(200, told, json.dumps(event).encode())

    def _take(self, parts: Sequence[str], body: Any) -> None:
        if parts[0] == "init":
            self.init_errors.append(body)
        elif not self.answers[parts[1]].done():
            self.answers[parts[1]].set_result((parts[2], body))


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status} OK", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


class Function:
    """A Lambda function: the real runtime client in a process, with hookrack's handler in it."""

    def __init__(self, api: RuntimeApi, folder: Path, handler: str, **environ: str) -> None:
        self.api = api
        self._folder = folder
        self._command = [sys.executable, "-m", "awslambdaric", f"{HANDLERS}.{handler}"]
        if (folder / "hookrack").is_dir():  # an unpacked package: nothing but what is in it
            start = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(runtime_client(folder))!r}]"
            run = "from awslambdaric.__main__ import main; main(sys.argv)"
            self._command[1:3] = ["-I", "-S", "-c", f"{start}; {run}"]
        self._environ = (
            os.environ
            | ENVIRON
            | {
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.port}",
                "AWS_LAMBDA_FUNCTION_NAME": "f",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                "AWS_LAMBDA_LOG_GROUP_NAME": "g",
                "AWS_LAMBDA_LOG_STREAM_NAME": "s",
                "HOOKRACK_DATA_DIR": str(folder / "tmp"),
                "HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN,
                "HOOKRACK_SECRET_KEY": SECRET_KEY,
            }
            | environ
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a container."""
        self._log = (self._folder / "log").open("ab")
        self.process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=self._environ,
            cwd=self._folder,
        )

    @property
    def pid(self) -> int:
        """The container's process."""
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        """What it wrote so far."""
        return (self._folder / "log").read_text()

    def stop(self) -> None:
        """Kill the container, as Lambda does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=15)
            self._log.close()
            self.process = None


def build_packages(folder: Path, file: Path, *words: str) -> dict[str, Path]:
    """Build packages; by their names."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "hookrack", "aws", "package", "--out", str(folder)),
            *("--python", version, *words, str(file)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if "could not be had" in done.stderr:
        missing(f"no package index: {done.stderr}")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row in rows:
        assert Path(row["file"]).stat().st_size == row["bytes"]
    return {Path(row["file"]).name: Path(row["file"]) for row in rows}


def runtime_client(folder: Path) -> Path:
    """A folder with Lambda's runtime client and nothing else, as Lambda itself brings it."""
    own = folder / "runtime"
    own.mkdir()
    for place in Path(str(awslambdaric.__file__)).parent.parent.iterdir():
        if place.name.startswith(("awslambdaric", "runtime_client", "simplejson", "snapshot_")):
            (own / place.name).symlink_to(place)
    return own


def batch(*bodies: bytes, received: int = 1) -> dict[str, Any]:
    """A batch of SQS as Lambda hands it over; each message's id is `m-` and its place."""
    return {"Records": [record(f"m-{n}", body, received=received) for n, body in enumerate(bodies)]}


def record(name: str, body: bytes, *, received: int = 1) -> dict[str, Any]:
    """One record of it."""
    return {
        "messageId": name,
        "receiptHandle": f"handle-{name}",
        "body": body.decode(),
        "attributes": {
            "ApproximateReceiveCount": str(received),
            "SentTimestamp": "1795380000123",
            "SenderId": "AIDAEXAMPLE",
            "ApproximateFirstReceiveTimestamp": "1795380000124",
        },
        "messageAttributes": {},
        "md5OfBody": "0" * 32,
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:q",
        "awsRegion": "eu-west-1",
    }


def undone(answer: Any) -> list[str]:
    """The message ids that an answer keeps; it has nothing else in it."""
    assert set(answer) == {"batchItemFailures"}
    for each in answer["batchItemFailures"]:
        assert set(each) == {"itemIdentifier"}
        assert each["itemIdentifier"]
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]
