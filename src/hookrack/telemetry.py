"""Every log line and every metric, in one table each; nothing else names them.

A log line is `emit(log.XXX, field=value, ...)`: JSON on one line of stderr, or text on a terminal.
Fields never hold a body, a secret or a query string. Metric names follow the Prometheus form of
OpenTelemetry's; labels are bounded (flow, outcome, code), never a key or an event id.
"""

import datetime as dt
import json
import logging
import sys
from dataclasses import dataclass
from typing import Any, Final

LOGGER: Final = logging.getLogger("hookrack")
LINES_PER_SECOND: Final = 20  # of one kind; what is above it is counted and said once
_TEXT_LIMIT: Final = 2_000


@dataclass(slots=True)
class Line:
    """One kind of log line: its name (noun first, past tense), level, and what it means."""

    name: str
    level: int
    meaning: str
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
    STORE_LOST = Line("store.lost", logging.ERROR, "the store doesn't answer")
    STORE_FOUND = Line("store.found", logging.INFO, "the store answers again")
    CONFIGURATION_CHANGED = Line("configuration.changed", logging.INFO, "another one is in force")
    CONFIGURATION_STALE = Line("configuration.stale", logging.ERROR, "a change can't be read yet")
    SERVER_READY = Line("server.ready", logging.INFO, "requests are served")
    SERVER_STOPPING = Line("server.stopping", logging.INFO, "a stop was asked for")
    SERVER_STOPPED = Line("server.stopped", logging.INFO, "everything is stopped")
    EVENT_ACCEPTED = Line("event.accepted", logging.INFO, "a request was kept (logSuccess only)")
    REQUEST_REJECTED = Line("request.rejected", logging.WARNING, "a request was turned away")
    REQUEST_FAILED = Line("request.failed", logging.ERROR, "a request met a bug")
    ANSWER_UNREAD = Line("answer.unread", logging.WARNING, "a client didn't take its answer")
    BATCH_PROCESSED = Line("batch.processed", logging.INFO, "the worker settled a batch")
    EVENT_BURIED = Line("event.buried", logging.ERROR, "an envelope became a dead letter")
    WORKER_RETRYING = Line("worker.retrying", logging.WARNING, "the worker waits for the store")
    PAYLOAD_CORRUPT = Line("payload.corrupt", logging.ERROR, "a stored payload fails its checksum")


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
    if line.in_second > LINES_PER_SECOND:
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
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


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


def _time(record: logging.LogRecord) -> dt.datetime:
    return dt.datetime.fromtimestamp(record.created, tz=dt.UTC)


def _head(record: logging.LogRecord) -> dict[str, Any]:
    stamp = f"{_time(record):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"
    return {"ts": stamp, "level": record.levelname.lower(), "event": record.getMessage()}
