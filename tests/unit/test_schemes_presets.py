"""Every preset: what its provider signs is let in, and every change of it is refused."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signing import (
    BODY,
    NOW,
    OTHER_KEYS,
    SECRET,
    SIGNED,
    Signed,
    adyen_signed,
    hmac_signed,
    pem,
    qstash_signed,
    rule,
    sns_signed,
    standard,
    verdict,
)

from hookrack.edge.auth import Auth, Credential, check_credential
from hookrack.edge.covered import Choices
from hookrack.edge.presets import PRESETS
from hookrack.edge.schemes import HMACS, PUBLIC
from hookrack.errors import Code, Rejected
from hookrack.settings import Secret

REFUSED = Code.SIGNATURE_INVALID
each_preset = pytest.mark.parametrize("name", SIGNED)
TOKENS = ("telegram", "googleCalendar", "huggingFace", "gitlab token", "microsoftGraph")
TIMED = [
    name
    for name, signed in SIGNED.items()
    if any(each.timestamp for each in signed.auth.schemes) and name != "gitlab token"
]
PART_SIGNED = (*TOKENS, "mailgun", "adyen", "sns")  # something else than the body is signed
IN_HEADER = [name for name, signed in SIGNED.items() if signed.auth.schemes[0].header]


def test_every_preset_is_tried() -> None:
    """The second writing-down of the schemes leaves none out."""
    assert {signed.auth.type for signed in SIGNED.values()} == set(PRESETS)


@each_preset
def test_what_the_provider_signs_is_let_in(name: str) -> None:
    """A request signed as the provider does it opens the door."""
    assert verdict(SIGNED[name]) is None


def other_secret(signed: Signed) -> str:
    """A secret of the right kind that isn't the one that was signed with."""
    secret = signed.auth.credentials[0].secret.reveal()
    scheme = next(each for each in signed.auth.schemes if secret.startswith(each.claims))
    if scheme.public:
        return pem(OTHER_KEYS[scheme.algorithm])
    if scheme.key == "hex":
        return "00ff"
    return "whsec_b3RoZXI=" if secret.startswith("whsec_") else "b3RoZXItc2VjcmV0"


@pytest.mark.parametrize("name", [each for each in SIGNED if "v1a" not in each])
def test_another_secret_is_refused(name: str) -> None:
    """The same request doesn't open the door of a flow with another secret."""
    signed = SIGNED[name]
    auth = replace(signed.auth, credentials=(Credential(Secret(other_secret(signed))),))
    assert verdict(replace(signed, auth=auth)) is REFUSED


@pytest.mark.parametrize("name", [each for each in SIGNED if each not in PART_SIGNED])
def test_a_changed_body_is_refused(name: str) -> None:
    """One letter more or another one in the body is refused, where the body is signed."""
    signed = SIGNED[name]
    for body in (signed.body + b"0", signed.body[:-1], signed.body.replace(b"1", b"7"), b""):
        assert verdict(replace(signed, body=body)) is REFUSED, body


@pytest.mark.parametrize("name", IN_HEADER)
def test_a_changed_header_is_refused(name: str) -> None:
    """Each header that takes part is needed as it is, every letter of it."""
    signed = SIGNED[name]
    for header, value in signed.headers.items():
        without = {each: text for each, text in signed.headers.items() if each != header}
        assert verdict(replace(signed, headers=without)) is REFUSED, header
        if header == "content-type":
            continue
        for place in range(len(value)):
            letter = "1" if value[place] != "1" else "2"
            changed = value[:place] + letter + value[place + 1 :]
            assert (
                verdict(replace(signed, headers=dict(signed.headers) | {header: changed}))
                is REFUSED
            )


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("way", [1, -1], ids=["ahead", "late"])
def test_a_time_is_taken_up_to_the_tolerance(name: str, way: int) -> None:
    """A signed time may be off by the tolerance, in either direction, and no millisecond more."""
    signed = SIGNED[name]
    tolerance = signed.auth.schemes[0].tolerance * 1_000
    assert tolerance > 0
    assert verdict(replace(signed, now=NOW * 1_000 + way * tolerance)) is None
    assert verdict(replace(signed, now=NOW * 1_000 + way * (tolerance + 1))) is REFUSED


def test_a_flow_may_set_the_tolerance() -> None:
    """The tolerance of the flow stands in the place of the scheme's."""
    signed = hmac_signed("stripe")
    auth = rule("stripe", SECRET, choices=Choices(tolerance=timedelta(seconds=10)))
    assert verdict(replace(signed, auth=auth, now=(NOW + 10) * 1_000)) is None
    assert verdict(replace(signed, auth=auth, now=(NOW + 11) * 1_000)) is REFUSED


@pytest.mark.parametrize("name", ["github", "stripe", "slack", "xero"])
def test_several_secrets_are_valid_at_once(name: str) -> None:
    """While a secret is rotated, what either one signed is let in."""
    signed = hmac_signed(name)
    for secrets in (("old", SECRET), (SECRET, "new")):
        assert verdict(replace(signed, auth=rule(name, *secrets))) is None


def test_one_of_several_signatures_is_enough() -> None:
    """A sender that rotates signs twice; up to eight signatures are tried."""
    signed = hmac_signed("stripe")
    time, good = signed.headers["stripe-signature"].split(",")
    for count, expected in ((7, None), (8, REFUSED)):
        header = ",".join([time, *["v1=" + "0" * 64] * count, good])
        assert verdict(replace(signed, headers={"stripe-signature": header})) is expected


def test_hex_is_one_signature_in_either_case() -> None:
    """The letters of hex may be capital or small."""
    signed = hmac_signed("github")
    prefix, _, digits = signed.headers["x-hub-signature-256"].partition("=")
    for text in (digits.upper(), digits[:9] + digits[9:].upper()):
        assert verdict(replace(signed, headers={"x-hub-signature-256": f"{prefix}={text}"})) is None


@pytest.mark.parametrize("name", ["shopify", "telnyx"])
def test_base64_is_taken_in_its_canonical_form_only(name: str) -> None:
    """Other texts that would decode to the same bytes are refused."""
    signed = SIGNED[name]
    header = signed.auth.schemes[0].header
    text = signed.headers[header]
    last = text.rstrip("=")[-1]
    sloppy = text.rstrip("=")[:-1] + chr(ord(last) + 1)
    pad = "=" * (len(text) - len(text.rstrip("=")))
    assert pad
    for odd in (
        text.rstrip("="),
        text + "=",
        f" {text}",
        f"{text}\n",
        sloppy + pad,
        text[:4] + "!" + text[4:],
    ):
        assert verdict(replace(signed, headers=dict(signed.headers) | {header: odd})) is REFUSED, (
            odd
        )


def test_a_border_between_signed_parts_can_not_be_moved() -> None:
    """An id with the dot that follows it in the signed text is refused."""
    signed = standard("standardWebhooks", "webhook")
    moved = {"webhook-id": f"msg_1.{NOW}", "webhook-timestamp": str(NOW)}
    assert verdict(replace(signed, headers=dict(signed.headers) | moved)) is REFUSED


def test_the_signature_decides_where_a_token_comes_too() -> None:
    """A right token doesn't mend a wrong signature: the first header that is there decides."""
    signed = SIGNED["gitlab"]
    auth = rule("gitlab", signed.auth.credentials[0].secret.reveal(), "glpat")
    both = dict(signed.headers) | {"x-gitlab-token": "glpat"}
    assert verdict(replace(signed, auth=auth, headers=both)) is None
    assert verdict(replace(signed, auth=auth, headers=both, body=b"x")) is REFUSED


def test_every_item_of_adyen_is_checked() -> None:
    """An item that nobody signed spoils its neighbours; so does a changed field, and no item."""
    good = adyen_signed(1130, 5)
    for body in (
        good.body.replace(b"1130", b"1131"),
        good.body.replace(b'"value": 5', b'"value": 50000'),
        good.body.replace(b'{"value": 5', b'{"value": 7, "value": 5'),
        b'{"notificationItems": []}',
    ):
        assert body != good.body
        assert verdict(replace(good, body=body)) is REFUSED


def test_sns_is_of_one_topic_and_version() -> None:
    """A message of another topic, type or version is refused, whoever signed it."""
    good = sns_signed(Subject="s")
    assert verdict(good) is None
    for old, new in ((b"sold", b"gone"), (b'"2"', b'"1"'), (b'"Notification"', b'"Other"')):
        assert verdict(replace(good, body=good.body.replace(old, new))) is REFUSED
    assert verdict(sns_signed(TopicArn="arn:aws:sns:eu-west-1:2:orders")) is REFUSED


@pytest.mark.parametrize(
    "changed",
    [
        {"alg": "none"},
        {"alg": "HS512"},
        {"iss": "Other"},
        {"sub": "https://hooks.example.com/in/acme/other?a=1"},
        {"nbf": NOW + 1},
        {"exp": NOW - 1},
        {"exp": ""},
        {"nbf": "x"},
        {"body": ""},
    ],
    ids=str,
)
def test_a_token_has_to_say_all_of_it(changed: dict[str, str | int]) -> None:
    """A token of another kind, for another address, time or body is refused, though well signed."""
    assert verdict(qstash_signed()) is None
    assert verdict(qstash_signed(**changed)) is REFUSED


def test_twilio_signs_json_by_its_hash() -> None:
    """A body that is no form has to have the hash in the query; else nothing would cover it."""
    signed = SIGNED["twilio"]
    headers = {"x-twilio-signature": signed.headers["x-twilio-signature"]}
    assert verdict(replace(signed, headers=headers, body=BODY)) is REFUSED


@pytest.mark.parametrize("name", [each for each in IN_HEADER if each != "asana"])
def test_a_missing_header_is_told_before_the_body(name: str) -> None:
    """What has no signature at all is turned away without its body being read."""
    auth = SIGNED[name].auth
    with pytest.raises(Rejected) as caught:
        check_credential(auth, None)
    assert caught.value.code is REFUSED
    assert auth.schemes[-1].header in caught.value.detail or "gitlab" in name


@each_preset
def test_nothing_stands_behind_the_address(name: str) -> None:
    """A flow with a signature has no address with a secret."""
    with pytest.raises(Rejected) as caught:
        check_credential(SIGNED[name].auth, "x")
    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("show", [repr, str, ascii])
def test_a_rule_never_shows_its_secrets(show: object) -> None:
    """Neither the rule nor its refusal repeats a secret."""
    auth: Auth = rule("github", "hunter2")
    assert callable(show)
    assert "hunter2" not in show(auth)


_HEADERS = st.text(st.characters(max_codepoint=255), max_size=60)
_LIKELY = st.sampled_from(
    ["t=1,v1=", "v1,", "sha256=", "9" * 400, "t=" + "9" * 30, ",,,;;=", "\xff\xfe", "0" * 5_000]
)


@settings(deadline=None, max_examples=40)
@each_preset
@given(data=st.data())
def test_garbage_is_refused_and_never_an_error(name: str, data: st.DataObject) -> None:
    """Whatever stands in headers, body and address, the answer is 401."""
    signed = SIGNED[name]
    garbage = st.one_of(_HEADERS, _LIKELY)
    names = [each for each in signed.headers if each != "x-hub-signature"]
    changed = {each: data.draw(st.one_of(garbage, st.just(signed.headers[each]))) for each in names}
    body = data.draw(st.one_of(st.binary(max_size=80), st.just(signed.body)))
    url = data.draw(st.one_of(_HEADERS, st.sampled_from(["https://[::1", "http://h:99999/?x=%zz"])))
    now = data.draw(st.integers(0, 2**45))
    tried = Signed(signed.auth, changed, body, now, url)
    if (tried.headers, body, name in TOKENS) in (
        (signed.headers, signed.body, False),
        (signed.headers, body, True),
    ):
        assert verdict(tried) in (None, REFUSED)
    else:
        assert verdict(tried) is REFUSED or name in (*TOKENS, "mailgun", "adyen", "twilio")


@settings(deadline=None, max_examples=40)
@given(raw=st.binary(max_size=300))
@pytest.mark.parametrize(
    "name", ["discord", "telnyx", "sendgrid", "paypal", "standardWebhooks v1a"]
)
def test_any_bytes_as_an_asymmetric_signature_are_refused(name: str, raw: bytes) -> None:
    """Bytes that are well written and no signature are refused like any others."""
    signed = SIGNED[name]
    scheme = next(each for each in signed.auth.schemes if each.public)
    text = raw.hex() if scheme.encoding == "hex" else base64.b64encode(raw).decode()
    headers = dict(signed.headers) | {scheme.header: scheme.prefix + text}
    assert verdict(replace(signed, headers=headers)) is REFUSED


def test_the_table_is_whole() -> None:
    """Each row names headers in small letters and an algorithm that is there, the body in it."""
    for preset in PRESETS.values():
        assert preset.title
        for scheme in preset.schemes:
            assert scheme.header == scheme.header.lower()
            assert scheme.algorithm in (*HMACS, *PUBLIC, "sha256", "token")
            by_hand = scheme.extract or scheme.algorithm == "token" or "{crc32}" in scheme.signed
            assert by_hand or "{body}" in scheme.signed
            assert bool(scheme.timestamp) == bool(scheme.tolerance)
