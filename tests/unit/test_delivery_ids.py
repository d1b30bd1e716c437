"""What a provider calls a delivery, as dedupe takes it: quick, and never the hash of a body."""

import pytest

from hookrack.edge.deliveries import compile_id, read_delivery
from hookrack.edge.presets import PRESETS
from hookrack.edge.sent import Sent


@pytest.mark.parametrize(
    ("name", "body", "headers", "expected"),
    [
        ("github", b"{}", {b"x-github-delivery": "d-1"}, "d-1"),
        ("github", b"{}", {}, None),
        ("github", b"{}", {b"x-github-delivery": "d" * 257}, None),
        ("stripe", b'{"id": "evt_1"}', {}, "evt_1"),
        ("stripe", b'{"id": true}', {}, "true"),
        ("stripe", b'{"id": {}}', {}, None),
        ("stripe", b'{"id": ""}', {}, None),
        ("stripe", b"\xff{", {}, None),
        ("telegram", b'{"update_id": 12345678901234567890}', {}, "12345678901234567890"),
        ("mailgun", b'{"signature": {"token": "t-1"}, "event-data": {"id": "e"}}', {}, "t-1"),
        ("calcom", b"{}", {}, None),
        ("dropbox", b"{}", {}, None),
    ],
)
def test_an_id_is_found_where_the_provider_puts_it(
    name: str, body: bytes, headers: dict[bytes, str], expected: str | None
) -> None:
    """A header or a member of the body is the id; what is too long or no text is none."""
    reader = compile_id(PRESETS[name])
    found = reader(Sent(body, header=headers.get)) if reader else None
    assert found == expected


def test_joined_places_are_one_id() -> None:
    """Where a provider needs several fields to tell deliveries apart, all of them are the id."""
    reader = compile_id(PRESETS["twilio"])
    assert reader is not None
    kind = {b"content-type": "application/x-www-form-urlencoded"}
    sent = Sent(b"MessageSid=SM1&MessageStatus=sent", header=kind.get)
    assert reader(sent) == read_delivery(PRESETS["twilio"], sent).delivery_id == "SM1:sent"


def test_no_preset_takes_a_hash_for_an_id() -> None:
    """Equal bodies of a provider without ids are events of their own."""
    only_hash = [each for each in PRESETS.values() if each.delivery == ("hash",)]
    assert len(only_hash) > 5
    assert all(compile_id(each) is None for each in only_hash)
