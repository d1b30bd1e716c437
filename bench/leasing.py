"""Readers that lease and ack until nothing is left: ours by HTTP, and those of a plain stream.

`python -m bench.leasing ours PORT TOKEN | stream SOCKET` prints entries and seconds as JSON.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any, Final

import orjson
import redis.asyncio
import uvloop

from bench.http import Connection, connect
from bench.machine import pin
from bench.servers import ACCOUNT

READERS: Final = 16
BATCH: Final = 10
STREAM: Final = "bench:stream"
GROUP: Final = "g"
_SECONDS: Final = 120.0


def share(*words: str) -> tuple[int, float]:
    """Run the readers of one kind in a process of their own; entries and seconds."""
    command = [sys.executable, "-m", "bench.leasing", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode:
        raise RuntimeError(f"the readers ended with {done.returncode}: {done.stderr[-300:]}")
    entries, seconds = json.loads(done.stdout)
    return entries, seconds


def _post(path: str, token: str, body: bytes) -> bytes:
    head = f"POST /v1/keys/erp/{path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += f"authorization: Bearer {token}\r\nhookrack-account: {ACCOUNT}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def _ours(port: int, token: str) -> int:
    lease = _post("lease", token, b'{"max": %d}' % BATCH)

    async def read() -> int:
        connection, read = await connect(port, _lost), 0
        while entries := orjson.loads(await _asked(connection, lease))["entries"]:
            receipts = orjson.dumps({"receipts": [each["receipt"] for each in entries]})
            results = orjson.loads(await _asked(connection, _post("ack", token, receipts)))
            assert all(each["status"] == "acked" for each in results["results"])
            read += len(entries)
        connection.close()
        return read

    return sum(await asyncio.gather(*(read() for _ in range(READERS))))


def _lost() -> None:
    raise ConnectionResetError("the server hung up")


async def _asked(connection: Connection, request: bytes) -> bytes:
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def answered(status: int, answer: bytes) -> None:
        assert status == 200, answer
        future.set_result(answer.partition(b"\r\n\r\n")[2])

    connection.ask(request, answered)
    return await future


async def _stream(socket: str) -> int:
    async def read(number: int) -> int:
        client: Any = redis.asyncio.Redis(unix_socket_path=socket)
        read, new = 0, {STREAM: ">"}
        while found := await client.xreadgroup(GROUP, f"c{number}", new, count=BATCH):
            ids = [each for each, _ in found[0][1]]
            await client.xack(STREAM, GROUP, *ids)
            read += len(ids)
        await client.aclose()
        return read

    return sum(await asyncio.gather(*(read(number) for number in range(READERS))))


async def _main(kind: str, *words: str) -> None:
    began = time.perf_counter()
    entries = await (_ours(int(words[0]), words[1]) if kind == "ours" else _stream(words[0]))
    print(json.dumps([entries, time.perf_counter() - began]))


if __name__ == "__main__":
    pin(os.getpid(), "load")
    uvloop.run(_main(*sys.argv[1:]))
