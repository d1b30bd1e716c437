"""Every log line and every metric, in one table each; nothing else names them.

A log line is `emit(log.NAME, field=value, ...)`: JSON on one line of stderr, or text on a terminal.
Fields never hold a body, a secret or a query string.

A metric is counted with `metrics.NAME.add(...)` or `.observe(...)`, in plain numbers of a process
(some 0.3 us, because the hot path does it). They become text in `entrypoints/http/metrics.py`,
where gauges are asked for as well. Names follow the Prometheus form of OpenTelemetry's; labels are
bounded (flow, outcome, code, route), never a key or an event id.
"""

import datetime as dt
import json
import logging
import sys
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Final

LOGGER: Final = logging.getLogger("hookrack")
LINES_PER_SECOND: Final = 20  # of one kind; what is above it is counted and said once
SERIES: Final = 200  # of one metric; what has other labels counts as "other"
_TEXT_LIMIT: Final = 2_000


@dataclass(slots=True)
class Line:
    """One kind of log line: its name (noun first, past tense), level, and what it means."""

    name: str
    level: int
    meaning: str
    capped: bool = True  # whether there may be too many in a second
    second: int = 0
    in_second: int = 0
    dropped: int = 0


class log:  # noqa: N801 - read as `log.ENGINE_STARTED`, a table and not a type
    """The log lines."""

    ENGINE_STARTED = Line("engine.started", logging.INFO, "the embedded engine runs")
    ENGINE_ADOPTED = Line("engine.adopted", logging.INFO, "a live engine was taken over")
    ENGINE_LOST = Line("engine.lost", logging.ERROR, "the embedded engine died; it is restarted")
    ENGINE_RETRYING = Line(
        "engine.retrying", logging.WARNING, "the engine could not be started yet"
    )
    ENGINE_REPAIRED = Line("engine.repaired", logging.WARNING, "a torn AOF tail was cut off")
    ENGINE_STOPPED = Line("engine.stopped", logging.INFO, "the embedded engine was stopped")
    STORE_RISK = Line("store.risk", logging.WARNING, "the operator accepted a loss")
    QUEUE_RISK = Line("queue.risk", logging.WARNING, "how a queue on SQS is set up costs something")
    STORE_FULL = Line("store.full", logging.ERROR, "what comes in is refused until memory is free")
    MEMORY_UNKNOWN = Line(
        "memory.unknown", logging.WARNING, "the store doesn't tell how full it is: no early refusal"
    )
    STORE_LOST = Line("store.lost", logging.ERROR, "the store doesn't answer")
    STORE_FOUND = Line("store.found", logging.INFO, "the store answers again")
    CONFIGURATION_CHANGED = Line("configuration.changed", logging.INFO, "another one is in force")
    CONFIGURATION_STALE = Line("configuration.stale", logging.ERROR, "a change can't be read yet")
    SERVER_READY = Line("server.ready", logging.INFO, "requests are served")
    SERVER_STOPPING = Line("server.stopping", logging.INFO, "a stop was asked for")
    SERVER_STOPPED = Line("server.stopped", logging.INFO, "everything is stopped")
    EVENT_ACCEPTED = Line("event.accepted", logging.INFO, "a request was kept (logSuccess only)")
    SUBSCRIPTION_CONFIRMED = Line(
        "subscription.confirmed", logging.INFO, "Amazon SNS was told that a flow takes its topic"
    )
    REQUEST_REJECTED = Line("request.rejected", logging.WARNING, "a request was turned away")
    ADMIN_CALLED = Line(
        "admin.called",
        logging.INFO,
        "an admin changed something, somebody purged, or either was denied",
        capped=False,
    )
    REQUEST_FAILED = Line("request.failed", logging.ERROR, "a request met a bug")
    ANSWER_UNREAD = Line("answer.unread", logging.WARNING, "a client didn't take its answer")
    STREAM_UNREAD = Line("stream.unread", logging.WARNING, "a client didn't read its stream")
    BATCH_PROCESSED = Line("batch.processed", logging.INFO, "the worker settled a batch")
    EVENT_BURIED = Line("event.buried", logging.ERROR, "an envelope became a dead letter")
    WORKER_RETRYING = Line("worker.retrying", logging.WARNING, "the worker waits for the store")
    WORKER_LOST = Line("worker.lost", logging.ERROR, "the worker met a bug and ended")
    PAYLOAD_CORRUPT = Line("payload.corrupt", logging.ERROR, "a stored payload fails its checksum")


Labels = tuple[str, ...]
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class Counter:
    """What only grows; `labels` are the names of what `add` is given."""

    name: str
    meaning: str
    labels: Labels = ()
    values: dict[Labels, float] = field(default_factory=dict)

    def add(self, *labels: str, count: float = 1) -> None:
        """Count something."""
        if labels in self.values:
            self.values[labels] += count
        elif len(self.values) < SERIES:
            self.values[labels] = count
        else:
            other = ("other",) * len(labels)
            self.values[other] = self.values.get(other, 0) + count


@dataclass(slots=True)
class Series:
    """The observations of one set of labels: how many fell into each bucket, and their sum."""

    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Histogram:
    """How long something takes, in seconds; a last bucket has what is above all others."""

    name: str
    meaning: str
    labels: Labels = ()
    buckets: tuple[float, ...] = _SECONDS
    values: dict[Labels, Series] = field(default_factory=dict)

    def observe(self, seconds: float, *labels: str) -> None:
        """Note one of them."""
        series = self.values.get(labels)
        if series is None:
            if len(self.values) >= SERIES:
                labels = ("other",) * len(labels)
            empty = Series([0] * (len(self.buckets) + 1))
            series = self.values.setdefault(labels, empty)
        series.counts[bisect_left(self.buckets, seconds)] += 1
        series.total += seconds


@dataclass(frozen=True, slots=True)
class Gauge:
    """What goes up and down; asked for when somebody looks, and kept nowhere."""

    name: str
    meaning: str
    labels: Labels = ()


Metric = Counter | Histogram | Gauge


class metrics:  # noqa: N801 - read as `metrics.SENT`, a table and not a type
    """The metrics."""

    SENT = Counter(
        "messaging_client_sent_messages_total", "Events accepted, durably queued.", ("flow",)
    )
    CONSUMED = Counter(
        "messaging_client_consumed_messages_total", "Deliveries settled.", ("outcome",)
    )
    OPERATION_SECONDS = Histogram(
        "messaging_client_operation_duration_seconds",
        "Sending to the queue (until it is on disk) and settling, as the engine answers.",
        ("operation",),
    )
    PROCESS_SECONDS = Histogram(
        "messaging_process_duration_seconds", "Processing one batch, storing included."
    )
    HTTP_SECONDS = Histogram(
        "http_server_request_duration_seconds", "One request.", ("route", "status")
    )
    E2E_SECONDS = Histogram(
        "gateway_e2e_latency_seconds",
        "From an event's receipt until it is visible under its keys.",
        buckets=(*_SECONDS, 60.0, 600.0, 3600.0),
    )
    QUEUE_DEPTH = Gauge("gateway_queue_depth", "Envelopes that are queued.")
    QUEUE_AGE = Gauge("gateway_queue_oldest_age_seconds", "Age of the oldest of them.")
    INFLIGHT = Gauge("gateway_inflight", "Those of them that a worker has in hand.")
    DLQ_DEPTH = Gauge("gateway_dlq_depth", "Dead letters.")
    DLQ_AGE = Gauge("gateway_dlq_oldest_age_seconds", "How long ago the oldest of them failed.")
    DLQ_MOVED = Counter("gateway_dlq_moved_total", "Envelopes that became dead.", ("reason",))
    DLQ_REDRIVEN = Counter("gateway_dlq_redriven_total", "Dead letters sent round again.")
    EXPIRED = Counter(
        "gateway_expired_unread_total", "Events whose time was up before they could be stored."
    )
    DEDUPE_HITS = Counter("gateway_dedupe_hits_total", "Events that were duplicates.")
    DEDUPE_CONFLICTS = Counter(
        "gateway_dedupe_conflict_total", "Direct sets under an id that was taken."
    )
    REDELIVERED = Counter("gateway_redelivered_total", "Deliveries that were not the first.")
    REJECTED = Counter("gateway_rejected_total", "Requests that weren't accepted.", ("reason",))
    LIMITED = Counter("gateway_rate_limited_total", "Requests that were one too many.")
    SHARE_REFUSALS = Counter(
        "gateway_share_refusals_total", "What was refused to leave room for other accounts."
    )
    QUOTA_REFUSALS = Counter(
        "gateway_quota_refusals_total", "What an account had no room for.", ("quota",)
    )
    RATES_ALONE = Counter(
        "gateway_rate_rounds_alone_total", "Half seconds in which no process knew of the others."
    )
    REJECTIONS_KEPT = Counter(
        "gateway_rejections_kept_total", "Refused requests that can be looked at and replayed."
    )
    REJECTIONS_LEFT_OUT = Counter(
        "gateway_rejections_left_out_total", "Refused requests that weren't kept.", ("reason",)
    )
    SIGNATURE_FAILURES = Counter("gateway_signature_failures_total", "Signatures that were wrong.")
    AUTH_FAILURES = Counter("gateway_auth_failures_total", "Answers 401 and 403.")
    FULL_REFUSALS = Counter(
        "gateway_store_full_refusals_total", "What was refused because the store is nearly full."
    )
    MEMORY_RATIO = Gauge("gateway_store_memory_ratio", "Used of allowed memory.", ("engine",))
    AOF_REPAIRS = Counter("gateway_aof_repairs_total", "Torn file tails that were cut off.")
    ENGINE_RESTARTS = Counter("gateway_engine_restarts_total", "Deaths of the embedded engine.")
    ACCOUNT_KEYS = Gauge(
        "gateway_account_keys", "Keys with something alive, of accounts with quotas.", ("account",)
    )
    ACCOUNT_BYTES = Gauge(
        "gateway_account_stored_bytes", "Bytes of events, of accounts with quotas.", ("account",)
    )
    WAITING = Gauge("gateway_waiting_readers", "Readers that wait at this process.")
    WORKERS_STOPPED = Gauge("gateway_workers_stopped", "Workers that ended by a bug.")
    CLOCK_STEP = Gauge(
        "gateway_clock_step_seconds", "How far the wall clock was set since the start."
    )


def metric_rows() -> list[Metric]:
    """All metrics, in the order of the table."""
    return [value for value in vars(metrics).values() if isinstance(value, Metric)]


def log_lines() -> list[Line]:
    """All log lines, in the order of the table."""
    return [value for value in vars(log).values() if isinstance(value, Line)]


def emit(line: Line, /, *, exc_info: BaseException | None = None, **fields: Any) -> None:  # noqa: ANN401 - log fields
    """Write one log line; at most `LINES_PER_SECOND` of a kind, the rest counted."""
    if not LOGGER.isEnabledFor(line.level):
        return
    now = int(dt.datetime.now(tz=dt.UTC).timestamp())
    if line.second != now:
        if line.dropped:
            fields["droppedBefore"] = line.dropped
        line.second, line.in_second, line.dropped = now, 0, 0
    line.in_second += 1
    if line.capped and line.in_second > LINES_PER_SECOND:
        line.dropped += 1
        return
    LOGGER.log(line.level, line.name, extra={"fields": fields}, exc_info=exc_info)


class JsonFormatter(logging.Formatter):
    """One JSON object per line; control characters are escaped by JSON itself."""

    def format(self, record: logging.LogRecord) -> str:
        """Ts, level and event first, then the fields."""
        out = _head(record) | getattr(record, "fields", {})
        if record.exc_info:
            out["trace"] = self.formatException(record.exc_info)
        return _plain_json(out)


class TextFormatter(logging.Formatter):
    """`12:00:00 INFO  engine.started pid=12`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Fields as name=value, each a JSON value so that no field can forge a line."""
        fields = getattr(record, "fields", {})
        tail = "".join(
            f" {name}={_plain_json(value)[:_TEXT_LIMIT]}" for name, value in fields.items()
        )
        text = f"{_time(record):%H:%M:%S} {record.levelname:<7} {record.getMessage()}{tail}"
        if not record.exc_info:
            return text
        trace = self.formatException(record.exc_info).splitlines()
        return "\n    | ".join([text, *map(_printable, trace)])


def configure_logging(*, text: bool | None = None, level: int = logging.INFO) -> None:
    """Send our lines to stderr, as text on a terminal and as JSON elsewhere."""
    handler = logging.StreamHandler(sys.stderr)
    as_text = sys.stderr.isatty() if text is None else text
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def _plain_json(value: object) -> str:
    """Any value as JSON in printable ASCII: whatever it is, it can't forge or lose a line."""
    return json.dumps(value, default=str, separators=(",", ":")).replace("\x7f", "\\u007f")


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _time(record: logging.LogRecord) -> dt.datetime:
    return dt.datetime.fromtimestamp(record.created, tz=dt.UTC)


def _head(record: logging.LogRecord) -> dict[str, Any]:
    stamp = f"{_time(record):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"
    return {"ts": stamp, "level": record.levelname.lower(), "event": record.getMessage()}
