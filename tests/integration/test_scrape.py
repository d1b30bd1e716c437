"""GET /metrics of a real server: counts that agree with what was sent, and nothing unbounded."""

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial

import httpx
import redis.asyncio
from harness import Served, wait_until
from prometheus_client.parser import text_string_to_metric_families

from hookrack.telemetry import metrics

Start = Callable[..., Served]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(client: httpx.AsyncClient) -> Samples:
    """All samples by name and labels."""
    answer = await client.get("/metrics", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """One sample; 0 where there is none."""
    return samples.get((name, frozenset(labels.items())), 0.0)


async def test_counts_agree_with_what_happened(own_server: Start) -> None:
    """After some traffic each count is exactly what was sent, refused, stored and buried."""
    served = own_server()
    async with served.client() as client:
        for number in range(20):
            assert (await client.post("/in/acme/github", json=number)).status_code == 202
        await client.post("/in/acme/github", content=b"{")
        for _ in range(2):
            await client.post("/in/acme/nothing", json={})
        await client.post("/in/acme/orders/wrong-secret", json={})
        await _send_nonsense(served)

        async def settled() -> bool:
            found = await scrape(client)
            return value(found, "gateway_dlq_depth") == 1 and not value(
                found, metrics.QUEUE_DEPTH.name
            )

        await wait_until(settled, what="an empty queue and one dead letter")
        found = await scrape(client)
    assert value(found, metrics.SENT.name, flow="acme/github") == 20
    assert value(found, metrics.REJECTED.name, reason="BODY_NOT_JSON") == 1
    assert value(found, metrics.REJECTED.name, reason="FLOW_UNKNOWN") == 2
    assert value(found, metrics.REJECTED.name, reason="CREDENTIAL_INVALID") == 1
    assert value(found, metrics.AUTH_FAILURES.name) == 1
    assert value(found, metrics.CONSUMED.name, outcome="stored") == 20
    assert value(found, metrics.CONSUMED.name, outcome="buried") == 1
    assert value(found, metrics.DLQ_MOVED.name, reason="ENVELOPE_INVALID") == 1
    assert value(found, "gateway_e2e_latency_seconds_count") == 20
    ingest = {"route": "/in/{account}/{flow}"}
    assert value(found, "http_server_request_duration_seconds_count", **ingest, status="202") == 20
    assert value(found, "http_server_request_duration_seconds_count", **ingest, status="404") == 2
    assert value(found, "messaging_client_operation_duration_seconds_count", operation="send") == 20
    assert value(found, metrics.AOF_REPAIRS.name) == 0
    assert abs(value(found, metrics.CLOCK_STEP.name)) < 1
    for engine in ("store", "queue"):
        assert 0 < value(found, metrics.MEMORY_RATIO.name, engine=engine) < 1


async def _send_nonsense(served: Served) -> None:
    """Put something on the queue that is no envelope."""
    async with redis.asyncio.Redis(unix_socket_path=f"{served.data_dir}/engine.sock") as store:
        await store.xadd("hr1:{q}:s:0", {"e": b"nonsense"})


async def test_strangers_make_no_series(served: Served, client: httpx.AsyncClient) -> None:
    """Made-up flows, keys, paths and ids leave no trace in the metrics."""
    before = set(await scrape(client))
    for number in range(200):
        await asyncio.gather(
            client.post(f"/in/acme/flow-{number}", json={}),
            client.get(f"/v1/keys/key-{number}"),
            client.get(f"/v1/accounts/account-{number}"),
            client.get(f"/nowhere/{number}"),
        )
    after = set(await scrape(client))
    assert len(after - before) < 100
    new = {dict(labels).get("route", "") for _, labels in after - before}
    assert not any(character.isdigit() for route in new for character in route.replace("v1", ""))
    assert served.pid


async def test_every_role_has_metrics(own_server: Start) -> None:
    """A process that only works off the queue tells its metrics, too."""
    edge = own_server("--role", "edge")
    store = f"unix://{edge.data_dir}/engine.sock"
    worker = own_server("--role", "worker", "--store", store, name="worker")
    async with edge.client() as front, worker.client() as back:
        await front.post("/in/acme/github", json={})

        async def stored() -> bool:
            return value(await scrape(back), metrics.CONSUMED.name, outcome="stored") == 1

        await wait_until(stored, what="a stored event")
        assert value(await scrape(front), metrics.SENT.name, flow="acme/github") == 1
        assert (metrics.AOF_REPAIRS.name, frozenset()) in await scrape(front)


async def test_metrics_are_there_while_the_engine_is_not(own_server: Start) -> None:
    """While the engine hangs the counts are told all the same, without gauges that would be old."""
    served = own_server()
    async with served.client() as client:
        assert value(await scrape(client), metrics.MEMORY_RATIO.name, engine="store") > 0
        os.kill(served.engine_pid, signal.SIGSTOP)
        try:
            found = await scrape(client)
        finally:
            os.kill(served.engine_pid, signal.SIGCONT)
        assert (metrics.MEMORY_RATIO.name, frozenset({("engine", "store")})) not in found
        assert value(found, metrics.WORKERS_STOPPED.name) == 0

        async def back() -> bool:
            return (metrics.QUEUE_DEPTH.name, frozenset[tuple[str, str]]()) in await scrape(client)

        await wait_until(partial(back), what="the gauges again", seconds=20)
