"""SQS as far as a sender notices: a server that takes every batch of ten at once and keeps nothing.

What it answers is always the same, so what is measured is the client.
"""

import asyncio
import json
from typing import Final, cast

import uvloop

PER_CALL: Final = 10
_KEPT: Final = [
    {"Id": str(place), "MessageId": f"{place:032x}", "MD5OfMessageBody": f"{place:032x}"}
    for place in range(PER_CALL)
]
_BODY: Final = json.dumps({"Successful": _KEPT, "Failed": []}).encode()
_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 0\r\ncontent-type: application/x-amz-json-1.0\r\n"
    f"content-length: {len(_BODY)}\r\n\r\n"
).encode()
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"


class Stub(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        assert self._transport is not None
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            head = bytes(self._buffer[:end]).lower()
            length = int(head.partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)
            whole = end + len(_END) + length
            if len(self._buffer) < whole:
                return
            del self._buffer[:whole]
            self._transport.write(_HEAD + _BODY)


async def _main() -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
