"""Bad events among good ones: each ends where it belongs, and takes nobody with it."""

import asyncio
import json
import os
import time
from collections import Counter

import pytest
import redis.asyncio
import warm

from hookrack._redis import Pipe
from hookrack.model import Event, encode_envelope, new_event_id

DEATHS = 21  # hand-overs that it may take before it is buried untried


def envelope(data: bytes, flow: str = "github") -> bytes:
    """An envelope of acme, received just now."""
    now = time.time_ns() // 1_000_000
    return encode_envelope(Event(new_event_id(now), "acme", flow, now, "application/json", data))


async def run_until_it_lives(url: str, prefix: str) -> int:
    """Start the mortal worker again and again until it ends by itself; how often it died."""
    for deaths in range(2 * DEATHS):
        done = await asyncio.to_thread(warm.run, ["mortal", url, prefix, "deadly"], os.environ)
        code = done.returncode
        if code == 0:
            return deaths
        assert code == 9
    pytest.fail("the worker dies for ever")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_one_that_kills_the_worker_takes_no_other_with_it(
    pipe: Pipe, url: str, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """Among 300 events 1 % is bad, and one kills its worker each time: that one is buried as
    WORKER_CRASHED, the bad ones with their reasons, and every other is stored, once.
    """
    good = [envelope(b'{"n": %d}' % number) for number in range(296)]
    bad = [b"nonsense", envelope(b"{}", "gone"), b'{"v": 9}']
    sent = [*good[:150], *bad, envelope(b'"deadly"'), *good[150:]]
    await asyncio.gather(*(pipe.call(b"XADD", f"{prefix}{{q}}:s:3", b"*", b"e", e) for e in sent))
    assert await run_until_it_lives(url, prefix) == DEATHS
    reasons: Counter[str] = Counter()
    async for letter in direct.scan_iter(match=f"{prefix}{{q}}:dl:*", count=1000):
        record = json.loads((await direct.hgetall(letter))[b"record"])
        reasons[record["reason"]] += 1
        if record["reason"] == "WORKER_CRASHED":
            assert (record["attempts"], record["crashes"]) == (0, DEATHS)
    assert reasons == {
        "WORKER_CRASHED": 1,
        "FLOW_UNKNOWN": 1,
        "ENVELOPE_INVALID": 1,
        "ENVELOPE_VERSION": 1,
    }
    stored = await direct.zrange(f"{prefix}{{acme}}:k:deploys", 0, -1)
    late = await direct.zrange(f"{prefix}{{acme}}:o:deploys", 0, -1)
    assert sorted(each[12:] for each in stored + late) == sorted(
        json.loads(each)["id"].encode() for each in good
    )
