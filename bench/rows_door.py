"""What it costs to check a signature, against a secret in the address; one server for both."""

import hmac
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from bench import http, servers
from bench.interleave import compare, interleave
from bench.payload import order
from bench.row import Line, Row, Sizes
from bench.rows_ingest import sampler

_FLOWS: Final = {"secret": ["erp"], "signed": ["crm"], "timed": ["pim"]}
_AUTHS: Final = {
    "signed": {"type": "github", "secrets": [servers.SECRET]},
    "timed": {"type": "stripe", "secrets": [servers.SECRET], "tolerance": "30d"},
}
_TIME_HEADER: Final = "stripe-signature"


def _signed(data: bytes) -> str:
    return hmac.digest(servers.SECRET.encode(), data, "sha256").hex()


def _door(sizes: Sizes) -> Iterator[Line]:
    body = order()
    now = int(time.time())
    headers = {
        "signed": {"x-hub-signature-256": f"sha256={_signed(body)}"},
        "timed": {_TIME_HEADER: f"t={now},v1={_signed(b'%d.%b' % (now, body))}"},
    }
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        server = stack.enter_context(
            servers.hookrack(_FLOWS, data_dir=folder / "d", role="edge", auths=_AUTHS)
        )
        requests = {"secret": http.post(server.path("secret"), body)}
        for flow, lines in headers.items():
            requests[flow] = http.post(f"/in/{servers.ACCOUNT}/{flow}", body, headers=lines)
        sides = {
            flow: sampler(server.port, server.pid, [request], sizes, engine=None)
            for flow, request in requests.items()
        }
        found = interleave(sides, pairs=sizes.pairs)
        server.engine.clear()
    yield compare("HMAC-SHA256 / secret in the address", found["signed"], found["secret"], goal=0.9)
    yield compare("the same with a signed time", found["timed"], found["secret"], goal=0.9)


ROWS: Final = (Row("door", "POST 1 KB to flows that check an HMAC, against a secret", _door),)
