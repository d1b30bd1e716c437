"""Signatures by fields of one's own, and what a provider calls its deliveries."""

import base64
import hmac
from typing import Any

import pytest
from signing import BODY, ED25519, ED25519_HEX, NOW, SIGNED, URL, Signed, hmac_signed, verdict

from hookrack.edge.deliveries import Verified, read_delivery
from hookrack.edge.presets import PRESETS
from hookrack.edge.sent import Sent
from hookrack.errors import Code
from hookrack.flows import read_flow

KEY = "00ff10"
REFUSED = Code.SIGNATURE_INVALID


def signed_by(headers: dict[str, str], **fields: Any) -> Signed:
    """A request to a flow with these fields of a signature."""
    auth = {"type": "signature", "header": "X-Sig", "secrets": ["k"], **fields}
    flow = read_flow("orders", {"keys": ["erp"], "auth": auth}, account="acme")
    return Signed(flow.auth, headers)


def made(data: bytes, *, key: bytes = b"k", digest: str = "sha256") -> bytes:
    """An HMAC."""
    return hmac.digest(key, data, digest)


def test_a_header_and_a_secret_are_enough() -> None:
    """Without other fields it is the hex of an HMAC-SHA256 of the body."""
    good = made(BODY).hex()
    assert verdict(signed_by({"x-sig": good})) is None
    assert verdict(signed_by({"x-sig": good[:-1]})) is REFUSED
    assert verdict(signed_by({"x-sig": made(BODY, key=b"l").hex()})) is REFUSED


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_digests_and_encodings(digest: str, encoding: str) -> None:
    """Every HMAC in every encoding, the key written in hex."""
    raw = made(BODY, key=bytes.fromhex(KEY), digest=digest)
    text = raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()
    algorithm = f"hmacSha{digest[3:]}"
    fields = {"encoding": encoding, "key": "hex", "secrets": [KEY], "prefix": "s="}
    assert verdict(signed_by({"x-sig": f"s={text}"}, algorithm=algorithm, **fields)) is None
    assert verdict(signed_by({"x-sig": text}, algorithm=algorithm, **fields)) is REFUSED
    other = "hmacSha1" if digest != "sha1" else "hmacSha256"
    assert verdict(signed_by({"x-sig": f"s={text}"}, algorithm=other, **fields)) is REFUSED


def test_all_places_can_be_signed() -> None:
    """Method, address, headers and the time go in as they were sent."""
    data = f"POST {URL} abc {NOW}000 ".encode() + BODY
    headers = {"x-sig": f"a=1, t={NOW}000, v2={made(data).hex()}", "x-id": "abc"}
    fields = {
        "signed": "{method} {url} {header.X-Id} {timestamp} {body}",
        "timestamp": "member.t",
        "separator": ",",
        "prefix": "v2=",
        "unit": "ms",
    }
    assert verdict(signed_by(headers, **fields)) is None
    assert verdict(signed_by(headers | {"x-id": "abd"}, **fields)) is REFUSED
    assert verdict(signed_by({"x-sig": headers["x-sig"]}, **fields)) is REFUSED
    twice = headers["x-sig"].replace("a=1", f"t={NOW}001")
    assert verdict(signed_by(headers | {"x-sig": twice}, **fields)) is REFUSED


def test_the_address_can_be_said_beforehand() -> None:
    """Where a proxy changes it, the address of the flow counts, with the query that came."""
    url = "https://public.example.com/hooks"
    header = {"x-sig": made(f"{url}?a=1".encode() + BODY).hex()}
    assert verdict(signed_by(header, signed="{url}{body}", url=url)) is None
    assert verdict(signed_by(header, signed="{url}{body}")) is REFUSED
    fixed = {"x-sig": made(f"{url}?b=2".encode() + BODY).hex()}
    assert verdict(signed_by(fixed, signed="{url}{body}", url=f"{url}?b=2")) is None


def test_public_keys_serve_too() -> None:
    """An Ed25519 signature over time and body, in either encoding."""
    raw = ED25519.sign(b"%d|" % NOW + BODY)
    fields = {
        "algorithm": "ed25519",
        "secrets": [ED25519_HEX],
        "signed": "{timestamp}|{body}",
        "timestamp": "header.X-T",
    }
    time = {"x-t": str(NOW)}
    assert verdict(signed_by({"x-sig": raw.hex(), **time}, **fields)) is None
    text = base64.b64encode(raw).decode()
    assert verdict(signed_by({"x-sig": text, **time}, **fields)) is REFUSED
    assert verdict(signed_by({"x-sig": text, **time}, encoding="base64", **fields)) is None


@pytest.mark.parametrize(
    "time", ["", "1e9", "-1", "+1614265330", " 1614265330", "1614265330.0", "\u00b2", "9" * 16]
)
def test_a_time_is_plain_digits(time: str) -> None:
    """A time in any other form is refused, even if it was signed."""
    headers = {"x-sig": made(time.encode("latin-1") + b"." + BODY).hex(), "x-t": time}
    fields = {"signed": "{timestamp}.{body}", "timestamp": "header.x-t"}
    assert verdict(signed_by(headers, **fields)) is REFUSED


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2021-02-25T15:02:10Z", None),
        ("2021-02-25T16:02:10.5+01:00", None),
        ("2021-02-25T15:02:10", REFUSED),
        ("2021-02-25T16:02:10Z", REFUSED),
        ("yesterday", REFUSED),
    ],
)
def test_a_date_has_a_zone(time: str, expected: Code | None) -> None:
    """A time can be a date, if it says where."""
    headers = {"x-sig": made(time.encode() + BODY).hex(), "x-t": time}
    fields = {"signed": "{timestamp}{body}", "timestamp": "header.x-t", "unit": "iso"}
    assert verdict(signed_by(headers, **fields)) is expected


HEADERS = {
    "github": {"x-github-delivery": "d-1", "x-github-event": "push"},
    "shopify": {"x-shopify-webhook-id": "d-1", "x-shopify-topic": "orders/create"},
    "gitlab": {"x-gitlab-event-uuid": "d-1", "x-gitlab-event": "Push Hook"},
}
DELIVERIES = [
    ("github", b"{}", HEADERS["github"], Verified("d-1", "push")),
    ("shopify", b"{}", HEADERS["shopify"], Verified("d-1", "orders/create")),
    ("gitlab", b"{}", HEADERS["gitlab"], Verified("d-1", "Push Hook")),
    ("stripe", b'{"id": "evt_1", "type": "a.b"}', {}, Verified("evt_1", "a.b")),
    ("slack", b'{"event_id": "E1", "event": {"type": "m"}}', {}, Verified("E1", "m")),
    ("linear", b'{"type": "Issue", "action": "create"}', {}, Verified(None, "Issue:create")),
    ("telegram", b'{"update_id": 12345678901234567890}', {}, Verified("12345678901234567890")),
    ("stripe", b'{"id": ["x"], "type": null}', {}, Verified()),
    ("stripe", b"no", {}, Verified()),
    ("stripe", b'{"id": "%b"}' % (b"x" * 257), {}, Verified()),
    ("stripe", b"[" * 900 + b"]" * 900, {}, Verified()),
    ("github", b"{}", {}, Verified()),
]


@pytest.mark.parametrize(("name", "body", "headers", "expected"), DELIVERIES)
def test_a_delivery_has_the_senders_id(
    name: str, body: bytes, headers: dict[str, str], expected: Verified
) -> None:
    """Id and event type come from where the provider puts them; what is odd is none."""
    raw = {each.encode(): value for each, value in headers.items()}
    assert read_delivery(PRESETS[name], Sent(body, header=raw.get)) == expected


def test_forms_and_items_have_ids_as_well() -> None:
    """Twilio's id stands in a form with its status, Adyen's in the first item; some get a hash."""
    form = {b"content-type": "application/x-www-form-urlencoded"}
    sent = Sent(b"MessageSid=SM1&MessageStatus=sent", header=form.get)
    assert read_delivery(PRESETS["twilio"], sent).delivery_id == "SM1:sent"
    call = Sent(b"CallSid=CA1", header=form.get)
    assert read_delivery(PRESETS["twilio"], call).delivery_id == "CA1:"
    assert read_delivery(PRESETS["twilio"], Sent(b"\xff", header=form.get)) == Verified()
    adyen = read_delivery(PRESETS["adyen"], Sent(SIGNED["adyen"].body))
    assert adyen == Verified("psp-1:AUTHORISATION", "AUTHORISATION")
    hashes = {
        read_delivery(PRESETS["xero"], Sent(each)).delivery_id
        for each in (BODY, hmac_signed("xero").body, b"x")
    }
    assert len(hashes) == 2
