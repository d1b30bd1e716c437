"""What tests of SQS stand on: a server that speaks it, queues made there, and one that lies."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from harness import missing, wait_until

from hookrack.queues.sqs_client import TRIES, SqsClient
from hookrack.queues.sqs_open import SqsSource
from hookrack.sqs_address import QueueAddress, read_address

# How often a call is made that is always refused: once the quick way, then by the SDK.
ASKED: Final = 1 + TRIES
REGION: Final = "eu-west-1"
OWNER: Final = "123456789012"
# What moto takes; nothing of the machine's own is read.
ENVIRON: Final = {
    "AWS_ACCESS_KEY_ID": OWNER,
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.asynccontextmanager
async def moto() -> AsyncIterator[str]:
    """The address of a moto server in a process of its own.

    HOOKRACK_TEST_SQS names another server that speaks SQS, to run the same tests on it.
    """
    if other := os.environ.get("HOOKRACK_TEST_SQS"):
        yield other
        return
    path = shutil.which("moto_server", path=str(Path(sys.executable).parent))
    if path is None:
        missing("moto is not installed")
    port = free_port()
    process = subprocess.Popen(
        [path, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | ENVIRON,
    )
    try:
        await wait_until(lambda: _answers(port), what="moto's start", seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=15)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


@dataclass(frozen=True)
class Sqs:
    """A server that speaks SQS, and a client of its own to do what an operator could do."""

    url: str
    client: SqsClient

    async def make(
        self, *, max_receives: int = 100, fifo: bool = False, **attributes: str
    ) -> QueueAddress:
        """A queue with a dead-letter queue behind it."""
        name, end = f"q{secrets.token_hex(4)}", ".fifo" if fifo else ""
        kind = {"FifoQueue": "true"} if fifo else {}
        long = kind | {"MessageRetentionPeriod": "1209600"}
        await self.client.call("create_queue", QueueName=f"{name}-dead{end}", Attributes=long)
        dead = f"arn:aws:sqs:{REGION}:{OWNER}:{name}-dead{end}"
        policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": max_receives})
        own = kind | {"RedrivePolicy": policy} | attributes
        await self.client.call("create_queue", QueueName=name + end, Attributes=own)
        return read_address(f"{self.url}/{OWNER}/{name}{end}")

    async def put(self, address: QueueAddress, body: str, **fields: Any) -> None:
        """Send a message as anybody could."""
        await self.client.call("send_message", QueueUrl=address.url, MessageBody=body, **fields)

    async def take(self, url: str) -> list[dict[str, Any]]:
        """Receive ten messages with all there is to know about them."""
        reply = await self.client.call(
            "receive_message",
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(reply.get("Messages") or ())

    async def size(self, url: str) -> int:
        """How many messages a queue has, leased ones included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reply = await self.client.call("get_queue_attributes", QueueUrl=url, AttributeNames=names)
        return sum(int(each) for each in reply["Attributes"].values())

    async def open(
        self, address: QueueAddress, *, lease: timedelta = timedelta(seconds=30)
    ) -> SqsSource:
        """A queue as the app opens it."""
        return await SqsSource.open(address, lease=lease, max_attempts=5)


@dataclass
class Liar:
    """A server in front of another that answers some calls itself, as SQS would on a bad day.

    `lies` holds, by action, answers (status, JSON) that are given before any call goes through.
    """

    behind: str
    url: str = ""
    lies: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    signers: list[str] = field(default_factory=list)  # the access keys of those calls
    agents: list[str] = field(default_factory=list)  # their user agents: the SDK tells its name

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["Liar"]:
        """Listen, as long as the block lasts."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            action = headers.get("x-amz-target", ".").rpartition(".")[2]
            self.heard.append((action, json.loads(body or b"{}")))
            signed = headers.get("authorization", "")
            self.signers.append(signed.partition("Credential=")[2].partition("/")[0])
            self.agents.append(headers.get("user-agent", ""))
            if self.lies.get(action):
                status, told = self.lies[action].pop(0)
                if status > 0:  # else it hangs up, below 0 without a goodbye
                    writer.write(_answer(status, told))
                elif status < 0:
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                writer.write(await self._pass_on(first, headers, body))
            await writer.drain()
        writer.close()

    async def _pass_on(self, first: str, headers: dict[str, str], body: bytes) -> bytes:
        host, _, port = self.behind.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        kept = {name: value for name, value in headers.items() if name != "connection"}
        lines = [first, *(f"{name}: {value}" for name, value in kept.items()), "connection: close"]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = await reader.read()
        writer.close()
        return answer


def refusal(code: str, text: str = "", *, status: int = 400) -> tuple[int, dict[str, Any]]:
    """An error as SQS's JSON protocol has it."""
    return status, {"__type": f"com.amazonaws.sqs#{code}", "message": text}


def _answer(status: int, told: dict[str, Any]) -> bytes:
    body = json.dumps(told).encode()
    head = f"HTTP/1.1 {status} Told\r\ncontent-type: application/x-amz-json-1.0\r\n"
    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
