"""Names, keys, ids, media types, durations and times, and an entry as JSON."""

import base64
import json
import string
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrack.model import (
    Entry,
    encode_entry,
    format_time,
    is_content_type,
    is_event_id,
    is_name,
    is_webhook_key,
    milliseconds,
    new_event_id,
    parse_duration,
)

SOME = settings(deadline=None, max_examples=200)
LOWER, ALNUM = string.ascii_lowercase + string.digits, string.ascii_letters + string.digits
# Letters that a careless pattern lets through: other scripts' digits, line ends, blanks.
STRANGE = "\n\r\0 \t/\\\"'%${}?#@,\u00e9\u0663\uff11\u212a"
TEXTS = st.text(alphabet=ALNUM + "._~:-=" + STRANGE, max_size=8)
UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
NOT_AMOUNTS = ["", "s", "1w", "1S", "1.5h", "-1", "+1", " 1", "1 ", "1\n", "1_0", "1e3", "0x1"]


@SOME
@given(text=TEXTS)
def test_a_name_is_lower_case_and_starts_with_a_letter_or_digit(text: str) -> None:
    """Account and flow ids are 1 to 63 of a-z 0-9 _ -, the first a letter or digit."""
    assert is_name(text) == (
        0 < len(text) <= 63 and text[0] in LOWER and not set(text) - set(LOWER + "_-")
    )


@SOME
@given(text=TEXTS)
def test_a_webhook_key_is_what_an_address_can_hold(text: str) -> None:
    """Webhook keys are 1 to 128 of A-Z a-z 0-9 . _ ~ : - and not dots alone."""
    assert is_webhook_key(text) == (
        bool(text) and not set(text) - set(ALNUM + "._~:-") and set(text) != {"."}
    )


@SOME
@given(text=TEXTS)
def test_an_event_id_is_ours_or_a_gateways(text: str) -> None:
    """Event ids are 1 to 64 of A-Z a-z 0-9 _ = -."""
    assert is_event_id(text) == (bool(text) and not set(text) - set(ALNUM + "_=-"))


@pytest.mark.parametrize(("check", "longest"), [(is_name, 63), (is_webhook_key, 128)])
def test_names_and_keys_have_a_longest(check: object, longest: int) -> None:
    """A name has at most 63 characters, a webhook key 128."""
    assert callable(check)
    assert [check("a" * (longest + more)) for more in (0, 1)] == [True, False]


def test_event_ids_have_a_longest() -> None:
    """An event id has at most 64 characters."""
    assert [is_event_id("a" * size) for size in (64, 65)] == [True, False]


@pytest.mark.parametrize("key", [".", "..", "." * 128])
def test_dots_alone_are_no_key(key: str) -> None:
    """Dots alone would be a path of their own and are no webhook key."""
    assert not is_webhook_key(key)
    assert is_webhook_key(key[:-1] + "a")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("application/json", True),
        ("text/plain; charset=utf-8", True),
        ('multipart/form-data; boundary="a b,c"', True),
        ("a/b ;", True),
        ("x/" + "y" * 253, True),
        ("x/" + "y" * 254, False),
        ("", False),
        ("json", False),
        ("a/", False),
        ("/b", False),
        ("a/b/c", False),
        ("a b/c", False),
        (" a/b", False),
        ("a/b c", False),
        ("a/b\r\nSet-Cookie: x", False),
        ("a/b;x=\r\nSet-Cookie: x", False),
        ("a/b\n", False),
        ("a/b;x=\0", False),
        ("a/b;x=é", False),
        ("é/b", False),
    ],
)
def test_a_content_type_is_safe_to_send_out_again(text: str, verdict: bool) -> None:
    """A media type with printable ASCII parameters is taken; line ends and the like are not."""
    assert is_content_type(text) is verdict


@SOME
@given(amount=st.integers(1, 36_500), unit=st.sampled_from(sorted(UNITS)))
def test_durations_are_whole_numbers_with_a_unit(amount: int, unit: str) -> None:
    """90s, 15m, 6h, 7d and bare seconds are spans of time."""
    assert parse_duration(f"{amount}{unit}") == timedelta(seconds=amount * UNITS[unit])


@SOME
@given(seconds=st.integers(1, 36_500 * 86_400))
def test_whole_seconds_are_a_duration(seconds: int) -> None:
    """A number is seconds, as a number or as digits."""
    span = timedelta(seconds=seconds)
    assert (parse_duration(seconds), parse_duration(str(seconds))) == (span, span)


@pytest.mark.parametrize(
    "value",
    [
        *NOT_AMOUNTS,
        None,
        True,
        1.0,
        ["1s"],
        {"s": 1},
        b"1s",
        -1,
        10**20,
        "10000000000",
        "9" * 5_000,
    ],
    ids=lambda value: repr(value)[:12],
)
def test_anything_else_is_no_duration(value: object) -> None:
    """What is no duration is refused with the forms that are."""
    with pytest.raises(ValueError, match="write whole seconds or 90s, 15m, 6h, 7d"):
        parse_duration(value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\u0663s", id="arabic"),
        pytest.param("\uff11\uff15m", id="full-width"),
        pytest.param("\u096f", id="devanagari"),
    ],
)
def test_digits_of_other_scripts_are_no_duration(text: str) -> None:
    """A duration is written with 0 to 9."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


def test_a_number_too_long_to_print_is_no_duration() -> None:
    """A number of thousands of digits is refused in the operator's terms."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(10**5_000)


@pytest.mark.parametrize("value", [0, "0", "0s", "000d"])
def test_no_time_is_no_duration(value: object) -> None:
    """A duration is at least one second."""
    with pytest.raises(ValueError, match="at least 1 second"):
        parse_duration(value)


@pytest.mark.parametrize("value", ["36501d", "876001h", "9999999999", "9999999999d"])
def test_durations_end_at_a_hundred_years(value: object) -> None:
    """A duration is at most 36,500 days, which themselves are one."""
    assert parse_duration("36500d") == timedelta(days=36_500)
    with pytest.raises(ValueError, match="at most 36500d"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (1_795_380_000_123, "2026-11-22T20:40:00.123Z"),
        (1_795_380_000_999, "2026-11-22T20:40:00.999Z"),
        (1_709_210_096_000, "2024-02-29T12:34:56.000Z"),
        (2**47 - 1, "6429-10-17T02:45:55.327Z"),
    ],
)
def test_times_are_written_in_utc_with_milliseconds(stamp: int, text: str) -> None:
    """Times are RFC 3339 in UTC with three digits behind the second."""
    assert format_time(stamp) == text


@SOME
@given(span=st.timedeltas(timedelta(0), timedelta(days=40_000)))
def test_spans_lose_less_than_a_millisecond(span: timedelta) -> None:
    """A span in milliseconds is the whole ones of it, without the errors of a double."""
    assert 0 <= (span - timedelta(milliseconds=milliseconds(span))) / timedelta(milliseconds=1) < 1


def test_event_ids_are_valid_and_differ() -> None:
    """Ids made in the same millisecond differ and are valid event ids of 22 characters."""
    ids = [new_event_id(1_795_380_000_123) for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert all(is_event_id(each) and len(each) == 22 for each in ids)


def test_an_event_id_tells_its_time() -> None:
    """The first 8 characters of an id are its time."""
    head = base64.urlsafe_b64decode(new_event_id(1_795_380_000_123)[:8])
    assert int.from_bytes(head, "big") == 1_795_380_000_123


ENTRY = Entry(
    event_id="abc",
    webhook_key="erp",
    account="acme",
    flow="orders",
    received_at=0,
    stored_at=1,
    expires_at=2,
    cursor="c1",
    content_type="application/json",
    data=b' {"b":1.0, "b":9007199254740993} ',
)


def test_an_entry_shows_json_as_it_was_written() -> None:
    """JSON data stands in an entry byte for byte, behind its ten other fields."""
    assert encode_entry(ENTRY) == (
        b'{"eventId":"abc","webhookKey":"erp","account":"acme","flow":"orders",'
        b'"receivedAt":"1970-01-01T00:00:00.000Z","storedAt":"1970-01-01T00:00:00.001Z",'
        b'"expiresAt":"1970-01-01T00:00:00.002Z","cursor":"c1","contentType":"application/json",'
        b'"data": {"b":1.0, "b":9007199254740993} }'
    )


@SOME
@given(data=st.binary(max_size=40), flow=st.sampled_from([None, "orders"]))
def test_an_entry_shows_other_data_as_base64(data: bytes, flow: str | None) -> None:
    """Data that isn't JSON stands in an entry as base64; the flow of a direct set is null."""
    entry = Entry("abc", "erp", "acme", flow, 0, 1, 2, "c1", 'text/x; a="b"', data)
    found = json.loads(encode_entry(entry))
    assert base64.b64decode(found["dataBase64"]) == data
    assert (found["flow"], found["contentType"], "data" in found) == (flow, 'text/x; a="b"', False)
