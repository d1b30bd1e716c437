"""The worker's handler on Lambda by itself: a process that is handed batches as Lambda would.

`handle` starts it and returns the rate: events a second from the batch to the answer. Making the
batches isn't timed, nor is the first one, in which the container opens its connections.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.interleave import Sample
from bench.machine import pin
from bench.payload import order
from bench.servers import ACCOUNT
from hookrack.model import Event, encode_envelope, new_event_id

BATCH: Final = 1_000
_LONGEST_SECONDS: Final = 240.0
_FLOWS: Final = {
    "version": 1,
    "accounts": {ACCOUNT: {"flows": {"orders": {"keys": ["erp"], "auth": {"type": "none"}}}}},
}


class _Context:
    """What the handler asks of Lambda's context."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def handle(socket: Path, count: int) -> Sample:
    """Store `count` envelopes of 1 KB. Raises: RuntimeError."""
    file = socket.with_name("flows.yaml")
    file.write_text(json.dumps(_FLOWS), encoding="utf-8")
    own = {
        "HOOKRACK_CONFIG": str(file),
        "HOOKRACK_STORE": f"unix://{socket}",
        "HOOKRACK_QUEUE": "http://127.0.0.1:9/123456789012/q",
        "HOOKRACK_DATA_DIR": str(socket.with_name("data")),
        "HOOKRACK_SECRET_KEY": "bench-" + 32 * "0",
        "HOOKRACK_STORE_ACCEPT_LOSS": "unverified",
        "AWS_REGION": "eu-west-1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench.handling", str(count)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_SECONDS,
        env={name: each for name, each in os.environ.items() if name[:9] != "HOOKRACK_"} | own,
    )
    if done.returncode:
        said = done.stderr.strip()[-300:]
        raise RuntimeError(f"the handler ended with {done.returncode}: {said}")
    found = json.loads(done.stdout)
    return Sample(count / found["seconds"], found["cpu"] / count * 1e6)


def _batch(size: int) -> dict[str, Any]:
    """A batch as Lambda hands it over, parsed."""
    now = time.time_ns() // 1_000_000
    records = []
    for place in range(size):
        event = Event(new_event_id(now), ACCOUNT, "orders", now, "application/json", order())
        records.append(
            {
                "messageId": f"m-{place}",
                "receiptHandle": f"h-{place}",
                "body": encode_envelope(event).decode(),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(now),
                    "ApproximateFirstReceiveTimestamp": str(now),
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:q",
                "awsRegion": "eu-west-1",
            }
        )
    return {"Records": records}


def _main(count: int) -> None:
    from hookrack.entrypoints.awslambda import worker_handler  # noqa: PLC0415 - as Lambda does

    seconds, used = 0.0, 0.0
    sizes = [1, *(min(BATCH, count - begun) for begun in range(0, count, BATCH))]
    for place, size in enumerate(sizes):
        event = _batch(size)
        began, cpu = time.perf_counter(), time.process_time()
        answer = worker_handler(event, _Context)
        if place:
            seconds += time.perf_counter() - began
            used += time.process_time() - cpu
        assert answer == {"batchItemFailures": []}, answer
    print(json.dumps({"seconds": seconds, "cpu": used}))


if __name__ == "__main__":
    pin(os.getpid(), "server")
    _main(int(sys.argv[1]))
