"""Log lines: one JSON object each, or text for people, and never more than a screenful."""

import io
import json
import logging
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.telemetry import (
    LINES_PER_SECOND,
    LOGGER,
    JsonFormatter,
    Line,
    TextFormatter,
    configure_logging,
    emit,
    log,
    log_lines,
)

SOME = settings(deadline=None, max_examples=150)
FORGERY = "x\n12:00:00 ERROR   engine.lost\r\n\0\x1b[31m\x1b]0;title\x07\b\x7f"
Read = Callable[[], list[str]]


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger of the package, put back as it was."""
    before = (LOGGER.handlers[:], LOGGER.level, LOGGER.propagate)
    yield LOGGER
    LOGGER.handlers[:], LOGGER.propagate = before[0], before[2]
    LOGGER.setLevel(before[1])


@pytest.fixture
def lines(logger: logging.Logger) -> Read:
    """What was logged so far, as JSON lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return lambda: stream.getvalue().splitlines()


def line(name: str = "thing.happened", level: int = logging.INFO) -> Line:
    """A kind of line of this test's own."""
    return Line(name, level, "something for a test")


def record(exc_info: Any = None, **fields: object) -> logging.LogRecord:
    """What reaches a formatter."""
    made = logging.LogRecord("hookrack", logging.INFO, "", 0, "thing.happened", (), exc_info)
    made.fields = fields
    made.created, made.msecs = 1_795_380_000.123, 123.0
    return made


def test_a_line_is_one_json_object(lines: Read) -> None:
    """A line tells time, level and event first, then its fields as they were given."""
    fields: dict[str, Any] = {
        "account": "acme",
        "bytes": 12,
        "keys": ["a"],
        "outcomes": {"stored": 1},
        "no": None,
    }
    emit(line(), **fields)
    (text,) = lines()
    found = json.loads(text)
    assert list(found)[:3] == ["ts", "level", "event"]
    assert found.pop("ts")[-1] == "Z"
    assert found.pop("level") == "info"
    assert found.pop("event") == "thing.happened"
    assert found == fields


def test_the_time_is_utc_with_milliseconds() -> None:
    """The time of a line is RFC 3339 in UTC."""
    assert json.loads(JsonFormatter().format(record()))["ts"] == "2026-11-22T20:40:00.123Z"


@SOME
@given(value=st.one_of(st.text(), st.just(FORGERY)))
def test_no_field_can_forge_a_json_line(value: str) -> None:
    """Whatever a field holds, a line stays one line and reads back as it was."""
    text = JsonFormatter().format(record(route=value))
    assert not [letter for letter in text if letter < " "]
    assert json.loads(text)["route"] == value


@SOME
@given(value=st.one_of(st.text(), st.just(FORGERY)))
def test_no_field_can_forge_a_text_line(value: str) -> None:
    """On a terminal too a field can't begin a line of its own."""
    text = TextFormatter().format(record(route=value, more=1))
    assert not [letter for letter in text if letter < " "]
    assert text.startswith('20:40:00 INFO    thing.happened route="')
    assert text.endswith('" more=1')


@pytest.mark.parametrize("letter", ["\x7f", "\x85", "\x9b"], ids=["DEL", "NEL", "CSI"])
def test_no_control_character_reaches_the_terminal(letter: str) -> None:
    """A terminal is sent no control character at all, of one byte or of two."""
    text = TextFormatter().format(record(route=f"/in/{letter}31m"))
    assert not [each for each in text if unicodedata.category(each) == "Cc"]


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()], ids=["json", "text"])
@pytest.mark.parametrize("value", ["caf\udce9", 2**64], ids=["bytes-of-a-path", "big-number"])
def test_odd_values_never_lose_a_line(formatter: logging.Formatter, value: object) -> None:
    """A path that isn't UTF-8 or a number beyond 64 bits is written somehow."""
    assert "thing.happened" in formatter.format(record(value=value))


def test_values_that_json_does_not_know_are_written_as_text() -> None:
    """What JSON has no form for is written as Python would print it."""
    found = json.loads(JsonFormatter().format(record(error=ValueError("x"), numbers={1: 2})))
    assert (found["error"], found["numbers"]) == ("x", {"1": 2})


def test_a_trace_stands_in_its_line() -> None:
    """A bug's trace is one field of one JSON line; in text it follows the line."""
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    exc_info = (caught.type, caught.value, caught.tb)
    made = record(exc_info=exc_info, route="/in/a/b")
    text = JsonFormatter().format(made)
    assert "\n" not in text
    assert json.loads(text)["trace"].endswith("ZeroDivisionError: division by zero")
    first, second, *_ = TextFormatter().format(made).splitlines()
    assert first == '20:40:00 INFO    thing.happened route="/in/a/b"'
    assert second == "    | Traceback (most recent call last):"


def test_a_trace_can_not_forge_a_line() -> None:
    """What an error's text holds stays on lines that are marked as its trace, and printable."""
    with pytest.raises(ValueError, match="x") as caught:
        raise ValueError("x\n12:00:00 ERROR engine.lost\x1b[31m")
    made = record(exc_info=(caught.type, caught.value, caught.tb))
    _, *trace = TextFormatter().format(made).splitlines()
    assert all(line.startswith("    | ") and line.isprintable() for line in trace)


def test_long_fields_are_cut_for_people() -> None:
    """A field takes at most 2,000 characters of a text line."""
    assert len(TextFormatter().format(record(detail="x" * 100_000))) < 2_100


def test_a_flood_of_one_kind_is_capped_and_counted(lines: Read) -> None:
    """Of one kind at most 20 lines a second are written; the next one says how many weren't."""
    flood = line()
    for _ in range(1_000):
        emit(flood)
    flood.second = 0  # as if the clock had moved on
    emit(flood)
    found = [json.loads(text) for text in lines()]
    seconds = {text["ts"][:19] for text in found}
    assert len(found) <= LINES_PER_SECOND * (len(seconds) + 1) + 1
    assert len(found) + sum(text.get("droppedBefore", 0) for text in found) == 1_001
    assert found[-1]["droppedBefore"] > 0


def test_what_was_dropped_is_said_once(lines: Read) -> None:
    """Only the first line after a flood counts what was dropped."""
    flood = line()
    flood.dropped = 7
    emit(flood)
    emit(flood)
    assert [json.loads(text).get("droppedBefore") for text in lines()] == [7, None]


def test_one_kind_never_silences_another(lines: Read) -> None:
    """Each kind has a cap of its own."""
    loud, quiet = line("loud.happened"), line("quiet.happened")
    for _ in range(100):
        emit(loud)
    emit(quiet)
    assert json.loads(lines()[-1])["event"] == "quiet.happened"


def test_what_is_below_the_level_costs_nothing(lines: Read, logger: logging.Logger) -> None:
    """Lines below the level are neither written nor counted."""
    logger.setLevel(logging.ERROR)
    info, error = line(), line(level=logging.ERROR)
    emit(info)
    emit(error)
    assert [json.loads(text)["level"] for text in lines()] == ["error"]
    assert info.in_second == 0


@pytest.mark.parametrize(("text", "begin"), [(True, ""), (False, "{"), (None, "{")])
def test_lines_go_to_standard_error(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], text: bool | None, begin: str
) -> None:
    """Lines go to standard error: text on a terminal or when asked for, else JSON."""
    configure_logging(text=text)
    configure_logging(text=text)  # twice is as good as once
    emit(line())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith(begin)
    assert ("{" in captured.err) == (not text)
    assert not logger.propagate


def test_every_kind_is_in_the_table() -> None:
    """The table lists every kind of line once, each with what it means."""
    found = log_lines()
    assert log.SERVER_READY in found
    assert len({each.name for each in found}) == len(found) > 10
    assert all(each.meaning for each in found)
