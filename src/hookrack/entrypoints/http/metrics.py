"""GET /metrics: this process's counts, and how queue and engine are right now.

Imported when first asked for. Gauges are the same in every process of an installation; counts are
each process's own, since its start.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from itertools import accumulate
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from hookrack.app import App
from hookrack.entrypoints.worker import Worker
from hookrack.errors import HookrackError
from hookrack.telemetry import SERIES, Counter, Gauge, Histogram, Labels, metric_rows, metrics

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()
_ANSWER_SECONDS: Final = 2.0  # for queue and engine; what doesn't answer has no gauges

Gauges = dict[str, dict[Labels, float]]


async def render(app: App, workers: Sequence[Worker], *, offset: float) -> bytes:
    """All metrics as Prometheus reads them.

    `offset` is the wall clock less the monotonic one at the start; it changes only when the wall
    clock is set.
    """
    measured: Gauges = {
        metrics.CLOCK_STEP.name: {(): time.time() - time.monotonic() - offset},
        metrics.WAITING.name: {(): app.arrivals.waiting},
        metrics.WORKERS_STOPPED.name: {(): sum(not worker.alive for worker in workers)},
    }
    if app.engine is not None:
        metrics.AOF_REPAIRS.values[()] = app.engine.repairs
        metrics.ENGINE_RESTARTS.values[()] = app.engine.restarts
    asks = (_ask_queue, _ask_letters, _ask_memory, _ask_usage)
    for found in await asyncio.gather(*(_answered(ask, app) for ask in asks)):
        measured |= found
    registry = CollectorRegistry()
    registry.register(_Collected(measured))
    return generate_latest(registry)


async def _answered(ask: Callable[[App], Awaitable[Gauges]], app: App) -> Gauges:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await ask(app)
    except (HookrackError, TimeoutError):
        return {}


async def _ask_queue(app: App) -> Gauges:
    stats = await app.queue.stats()
    return {
        metrics.QUEUE_DEPTH.name: {(): stats.depth},
        metrics.INFLIGHT.name: {(): stats.in_flight},
        metrics.QUEUE_AGE.name: _age(stats.oldest_age),
    }


async def _ask_letters(app: App) -> Gauges:
    stats = await app.letters.stats()
    return {
        metrics.DLQ_DEPTH.name: {(): stats.depth},
        metrics.DLQ_AGE.name: _age(stats.oldest_age),
    }


def _age(age: timedelta | None) -> dict[Labels, float]:
    """A gauge without a value where the queue doesn't tell."""
    return {} if age is None else {(): age.total_seconds()}


async def _ask_memory(app: App) -> Gauges:
    """A ratio for each engine that has a limit."""
    use = await app.headroom.read()
    pairs = {"store": (use.store_used, use.store_limit), "queue": (use.queue_used, use.queue_limit)}
    ratios: dict[Labels, float] = {
        (name,): used / limit for name, (used, limit) in pairs.items() if limit
    }
    return {metrics.MEMORY_RATIO.name: ratios}


async def _ask_usage(app: App) -> Gauges:
    """What accounts with quotas have; of the first `SERIES` of them."""
    bound = [each.id for each in app.configuration.accounts.values() if each.quotas.bound_store]
    found = await asyncio.gather(*(app.store.usage(each) for each in bound[:SERIES]))
    pairs = list(zip(bound, found, strict=False))
    return {
        metrics.ACCOUNT_KEYS.name: {(name,): each.keys for name, each in pairs},
        metrics.ACCOUNT_BYTES.name: {(name,): each.stored_bytes for name, each in pairs},
    }


class _Collected(Collector):
    """Our table in the client library's terms."""

    def __init__(self, measured: Gauges) -> None:
        self._measured = measured

    def collect(self) -> Iterator[Metric]:
        """One family for each metric that has values."""
        for row in metric_rows():
            match row:
                case Counter():
                    yield _counter(row)
                case Histogram():
                    yield _histogram(row)
                case Gauge():
                    yield _gauge(row, self._measured.get(row.name, {}))


def _counter(row: Counter) -> Metric:
    family = CounterMetricFamily(row.name, row.meaning, labels=row.labels)
    for labels, value in (row.values or ({} if row.labels else {(): 0.0})).items():
        family.add_metric(labels, value)
    return family


def _histogram(row: Histogram) -> Metric:
    family = HistogramMetricFamily(row.name, row.meaning, labels=row.labels)
    ends = [*(str(bucket) for bucket in row.buckets), "+Inf"]
    for labels, series in row.values.items():
        reached = accumulate(series.counts)
        family.add_metric(labels, list(zip(ends, reached, strict=True)), series.total)
    return family


def _gauge(row: Gauge, values: dict[Labels, float]) -> Metric:
    family = GaugeMetricFamily(row.name, row.meaning, labels=row.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
