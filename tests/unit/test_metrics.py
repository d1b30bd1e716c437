"""Metrics as plain numbers: counted, put into buckets, and bounded; and the alerts on them."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hookrack.telemetry import SERIES, Counter, Gauge, Histogram, Metric, metric_rows, metrics

ALERTS: Final = Path(__file__).parents[2] / "deploy" / "alerts.yaml"
NAMES: Final = {row.name: row for row in metric_rows()}
LABELS: Final = {
    *("account", "flow", "outcome", "operation", "quota", "route", "status", "reason", "code"),
    "engine",
}


def rules() -> list[dict[str, Any]]:
    """The rules of the alerts file."""
    document = YAML(typ="safe", pure=True).load(ALERTS.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_a_counter_counts_by_its_labels() -> None:
    """Each set of labels has a count of its own."""
    counter = Counter("x_total", "Something.", ("flow",))
    counter.add("a")
    counter.add("a", count=2)
    counter.add("b")
    assert counter.values == {("a",): 3, ("b",): 1}


def test_a_metric_has_a_bounded_number_of_series() -> None:
    """However many different labels come, they take no more memory than so many, and none is lost
    from the count.
    """
    counter, histogram = Counter("x_total", "X.", ("a", "b")), Histogram("y", "Y.", ("a",))
    for number in range(3 * SERIES):
        counter.add(str(number), "x")
        histogram.observe(1.0, str(number))
    assert len(counter.values) == len(histogram.values) == SERIES + 1
    assert sum(counter.values.values()) == 3 * SERIES
    assert counter.values["other", "other"] == 2 * SERIES
    assert sum(sum(each.counts) for each in histogram.values.values()) == 3 * SERIES


@given(seconds=st.lists(st.floats(0, 20), max_size=20))
def test_an_observation_falls_into_the_first_bucket_that_holds_it(seconds: list[float]) -> None:
    """Up to a bucket's end, its end included; what is above all is in the last one."""
    histogram = Histogram("x", "X.")
    for each in seconds:
        histogram.observe(each)
    counts = histogram.values[()].counts if seconds else [0] * (len(histogram.buckets) + 1)
    for place, end in enumerate(histogram.buckets):
        assert sum(counts[: place + 1]) == sum(each <= end for each in seconds)
    assert sum(counts) == len(seconds)


@pytest.mark.parametrize("row", metric_rows(), ids=lambda row: row.name)
def test_a_metric_is_named_as_prometheus_wants_it(row: Metric) -> None:
    """Counters end in _total, durations in _seconds; labels are bounded by what they are."""
    assert re.fullmatch(r"(messaging|http_server|gateway)(_[a-z0-9]+)+", row.name)
    assert row.name.endswith("_total") == isinstance(row, Counter)
    assert row.name.endswith("_seconds") or not isinstance(row, Histogram)
    assert set(row.labels) <= LABELS
    assert re.fullmatch(r"[A-Z].*\.", row.meaning)


def test_names_are_told_apart() -> None:
    """No two metrics have one name."""
    assert len(NAMES) == len(metric_rows()) > 20
    assert isinstance(metrics.QUEUE_DEPTH, Gauge)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_is_about_metrics_that_there_are(rule: dict[str, Any]) -> None:
    """Every metric and label in a rule's expression is in the table, each as what it is."""
    found = re.findall(r"\b((?:messaging|http_server|gateway)_[a-z0-9_]+)", rule["expr"])
    assert found
    for name in found:
        row = NAMES[name.removesuffix("_bucket")]
        assert isinstance(row, Histogram) == name.endswith("_bucket")
        if isinstance(row, Counter):
            assert re.search(rf"(rate|increase)\({name}(\{{[^}}]*\}})?\[", rule["expr"])
        for label in re.findall(rf"{name}\{{([a-z]+)=", rule["expr"]):
            assert label in row.labels
    for labels in re.findall(r"by \(([a-z, ]+)\)", rule["expr"]):
        assert set(labels.split(", ")) <= LABELS | {"le"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    """A rule has a name, a severity, a summary and the mend."""
    assert re.fullmatch(r"Hookrack[A-Z][A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["mend"].endswith((".", "%"))
    assert re.fullmatch(r"\d+m", rule.get("for", "1m"))


def test_what_means_loss_has_an_alert() -> None:
    """The signs of events lost or about to be are each watched."""
    watched = " ".join(rule["expr"] for rule in rules())
    for row in (
        *(metrics.DLQ_DEPTH, metrics.QUEUE_AGE, metrics.REJECTED, metrics.OPERATION_SECONDS),
        *(metrics.MEMORY_RATIO, metrics.EXPIRED, metrics.AOF_REPAIRS, metrics.CLOCK_STEP),
        *(metrics.SENT, metrics.WORKERS_STOPPED, metrics.FULL_REFUSALS),
    ):
        assert row.name in watched
