"""A sender to SQS by itself: a process that sends batches of ten to a stub, in one of three ways.

    ours    hookrack's queue: 160 sends at once, coalesced into calls of ten, 16 of them out
    sdk     the same calls by the asyncio SDK alone
    boto3   boto3 in 16 threads, each sending one call after the other

`send` starts the process and returns calls a second and the CPU time of one.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

import uvloop

from bench.interleave import Sample
from bench.machine import pin
from bench.payload import order
from bench.servers import ACCOUNT
from bench.sqs_stub import PER_CALL
from hookrack.model import Event, encode_envelope, new_event_id
from hookrack.queues.sqs import SqsQueue
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_queues import QueuePair
from hookrack.queues.sqs_text import MESSAGE_BYTES
from hookrack.sqs_address import read_address

AT_ONCE: Final = 16
_WARM_UP: Final = 20  # calls of each of them, not counted
_LONGEST_SECONDS: Final = 120.0
_REGION: Final = "eu-west-1"
_ENVIRON: Final = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": _REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def send(port: int, way: str, calls: int) -> Sample:
    """Send `calls` batches. Raises: RuntimeError."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.sending", str(port), way, str(calls)],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * _LONGEST_SECONDS,
        env=os.environ | _ENVIRON,
    )
    if done.returncode:
        raise RuntimeError(f"the sender ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    found = json.loads(done.stdout)
    return Sample(calls / found["seconds"], found["cpu"] / calls * 1e6)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/123456789012/q"


def _envelopes() -> list[bytes]:
    now = time.time_ns() // 1_000_000
    return [
        encode_envelope(
            Event(new_event_id(now), ACCOUNT, "orders", now, "application/json", order())
        )
        for _ in range(PER_CALL)
    ]


def _entries() -> list[dict[str, Any]]:
    return [
        {"Id": str(place), "MessageBody": each.decode(), "MessageGroupId": ACCOUNT}
        for place, each in enumerate(_envelopes())
    ]


async def _out(
    calls: int, send_one: Callable[[], Awaitable[object]], *, at_once: int = AT_ONCE
) -> tuple[float, float]:
    """Seconds and CPU seconds for that many calls or sends, `at_once` of them at a time."""

    async def several(number: int) -> None:
        for _ in range(number):
            await send_one()

    await asyncio.gather(*(several(_WARM_UP) for _ in range(at_once)))
    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(several(calls // at_once) for _ in range(at_once)))
    return time.perf_counter() - began, time.process_time() - used


async def _ours(port: int, calls: int) -> tuple[float, float]:
    client = await SqsClient.open(read_address(_url(port)))
    url = _url(port)
    pair = QueuePair(url, "", url, "", is_fifo=False, max_bytes=MESSAGE_BYTES, max_receives=20)
    queue = SqsQueue(client, pair, lease=timedelta(seconds=30))
    envelope = _envelopes()[0]
    sends, at_once = calls * PER_CALL, AT_ONCE * PER_CALL
    try:
        return await _out(sends, lambda: queue.send(ACCOUNT, envelope), at_once=at_once)
    finally:
        await queue.close()
        await client.close()


async def _sdk(port: int, calls: int) -> tuple[float, float]:
    from aiobotocore.session import get_session  # noqa: PLC0415 - a side pays for its own imports

    made = get_session().create_client(
        "sqs", region_name=_REGION, endpoint_url=f"http://127.0.0.1:{port}"
    )
    entries = _entries()
    async with made as client:
        return await _out(
            calls, lambda: client.send_message_batch(QueueUrl=_url(port), Entries=entries)
        )


def _boto3(port: int, calls: int) -> tuple[float, float]:
    import boto3  # noqa: PLC0415 - as above
    from botocore.config import Config  # noqa: PLC0415

    client = boto3.client(
        "sqs",
        region_name=_REGION,
        endpoint_url=f"http://127.0.0.1:{port}",
        config=Config(max_pool_connections=AT_ONCE),
    )
    entries = _entries()

    def several(number: int) -> None:
        for _ in range(number):
            client.send_message_batch(QueueUrl=_url(port), Entries=entries)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(several, [_WARM_UP] * AT_ONCE))
        began, used = time.perf_counter(), time.process_time()
        list(pool.map(several, [calls // AT_ONCE] * AT_ONCE))
        return time.perf_counter() - began, time.process_time() - used


def main(port: int, way: str, calls: int) -> None:
    """Send, and print what it took."""
    pin(os.getpid(), "server")
    if way == "boto3":
        seconds, cpu = _boto3(port, calls)
    else:
        seconds, cpu = uvloop.run({"ours": _ours, "sdk": _sdk}[way](port, calls))
    print(json.dumps({"seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
