"""What signals do to a server that starts, hangs, or serves. Real processes."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
import pytest
from harness import ADMIN_TOKEN, SECRET_KEY, Served, Wire, wait_until

Start = Callable[..., Served]
HEADERS: Final = (
    b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nHookrack-Account: acme\r\n"
    b"Authorization: Bearer %b\r\n\r\n{}" % ADMIN_TOKEN.encode()
)
UNDER_WAY: Final = (
    b"POST /in/acme/github",
    b"GET /v1/keys/deploys",
    b"PUT /v1/keys/deploys",
    b"GET /v1/keys/deploys/events",
)
STOP_SECONDS: Final = 10.0  # the promise; on a machine that is not busy it takes 8.3


async def test_a_stop_is_in_time_when_the_engine_hangs(own_server: Start) -> None:
    """With an engine that doesn't move any more and requests under way, SIGTERM ends within 10 s:
    with exit code 0, without the engine, and with a 503 for each that says to come again.
    """
    served = own_server()
    engine = served.engine_pid
    os.kill(engine, signal.SIGSTOP)
    async with contextlib.AsyncExitStack() as stack:
        asked = [await stack.enter_async_context(Wire(served.url)) for _ in UNDER_WAY]
        for wire, line in zip(asked, UNDER_WAY, strict=True):
            await wire.send(line + HEADERS)
        async with served.client() as client:  # whose request comes behind the others
            assert (await client.get("/livez")).status_code == 200
        began = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(served.stop))
        answers = await asyncio.gather(*(wire.answer() for wire in asked))
        code = await stopping
        took = time.monotonic() - began
    assert code == 0
    assert took < STOP_SECONDS
    for answer in answers:
        assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
    with pytest.raises(ProcessLookupError):
        os.kill(engine, 0)


async def test_a_hang_up_during_the_start_is_obeyed_after_it(short_dir: Path) -> None:
    """SIGHUP while the flow file is being read for the first time neither ends the process nor is
    lost: when all is ready the file is read again.
    """
    file = short_dir / "hookrack.yaml"
    os.mkfifo(file)
    command = [sys.executable, "-m", "hookrack", "serve", "--port", "0", "--config", str(file)]
    environ = {"HOOKRACK_ADMIN_TOKEN": ADMIN_TOKEN, "HOOKRACK_SECRET_KEY": SECRET_KEY}
    process = subprocess.Popen(
        [*command, "--data-dir", str(short_dir / "data")],
        stdout=subprocess.PIPE,
        env=os.environ | environ,
    )
    try:
        with file.open("w") as slowly:  # opens when the process reads
            process.send_signal(signal.SIGHUP)
            file.unlink()
            file.write_text(flows("later"))
            slowly.write(flows("early"))
        assert process.stdout is not None
        lines = await asyncio.to_thread(banner, process)
        assert lines[-1].startswith("ready"), lines
        ingest = next(line.split()[1] for line in lines if line.startswith("  ingest"))
        base = ingest.partition("/in/")[0]

        async def takes() -> bool:
            async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
                return (await client.post("/in/acme/later", json={})).status_code == 202

        await wait_until(takes, what="the flow of the file as it is now")
    finally:
        process.terminate()
        assert process.wait(15) == 0
        assert process.stdout is not None
        process.stdout.close()


def flows(name: str) -> str:
    """A flow file with one flow."""
    flow = f"{name}: {{keys: [k], auth: {{type: none}}}}"
    return f"version: 1\naccounts: {{acme: {{flows: {{{flow}}}}}}}\n"


def banner(process: subprocess.Popen[bytes]) -> list[str]:
    """What is printed up to `ready`, or up to the end."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.decode())
        if line.startswith(b"ready"):
            break
    return lines
