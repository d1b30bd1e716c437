"""New times to live for what is stored: retime.lua behind `RedisStore.retime`."""

import json
import re
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, Script
from hookrack.entries import Retimed, Times
from hookrack.model import milliseconds
from hookrack.stores.redis_codec import Keyspace

_SCAN_COUNT: Final = 1_000
_EVENTS: Final = 200  # in one call

_RETIME: Final = Script(
    Path(__file__).with_name("retime.lua"), Path(__file__).with_name("ledger.lua")
)


async def retime(pipe: Pipe, space: Keyspace, *, account: str, times: Times) -> Retimed:
    """See `ports.Store.retime`: page by page through the payloads of the account."""
    tag = space.tag(account)
    payloads = f"{tag}p:".encode()
    pattern = re.sub(rb"([*?\[\\])", rb"\\\1", payloads) + b"*"
    text = _text(times)
    total = [0, 0, 0]
    at = b"0"
    while True:  # SCAN ends by itself
        at, names = await pipe.call(b"SCAN", at, b"MATCH", pattern, b"COUNT", _SCAN_COUNT)
        ids = [name[len(payloads) :] for name in names]
        while ids:
            args = [space.clock(), tag, text, *ids[:_EVENTS]]
            done, *counts = await _RETIME.run(pipe, [f"{tag}seq"], args)
            total = [sum(each) for each in zip(total, counts, strict=True)]
            ids = ids[done:]
        if at == b"0":
            return Retimed(*total)


def _text(times: Times) -> str:
    """As the script reads them."""
    flows = {
        name: {
            "ttl": milliseconds(each.ttl),
            "keys": {key: milliseconds(ttl) for key, ttl in each.keys.items()},
        }
        for name, each in times.flows.items()
    }
    return json.dumps({"most": milliseconds(times.most), "flows": flows, "others": times.others})
