"""The senders' own libraries sign, and what they sign is let in."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from Adyen.util import generate_notification_sig, generate_payload_sig
from signing import NOW, SECRET, Signed, rule, verdict
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook
from stripe import WebhookSignature

from hookrack.errors import Code

BODY = '{"id": "evt_7", "type": "x", "text": "\u00fc \\u00fc", "amount": 1.10}'
ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"


def stripe(time: int) -> Signed:
    """As stripe-python makes it for its own tests of webhooks."""
    made = WebhookSignature._compute_signature(f"{time}.{BODY}", SECRET)
    headers = {"stripe-signature": f"t={time},v1={made},v0=ignored"}
    return Signed(rule("stripe", SECRET), headers, BODY.encode())


def slack(time: int) -> Signed:
    """As slack_sdk makes it."""
    made = SignatureVerifier(SECRET).generate_signature(timestamp=str(time), body=BODY)
    assert made is not None
    headers = {"x-slack-signature": made, "x-slack-request-timestamp": str(time)}
    return Signed(rule("slack", SECRET), headers, BODY.encode())


def standard_webhooks(time: int) -> Signed:
    """As the standardwebhooks library makes it."""
    moment = dt.datetime.fromtimestamp(time, dt.UTC)
    made = Webhook(f"whsec_{SECRET}").sign("msg_7", moment, BODY)
    headers = {"webhook-id": "msg_7", "webhook-timestamp": str(time), "webhook-signature": made}
    return Signed(rule("standardWebhooks", f"whsec_{SECRET}"), headers, BODY.encode())


def svix(time: int) -> Signed:
    """The same signature under the header names of Svix."""
    signed = standard_webhooks(time)
    renamed = {name.replace("webhook", "svix"): text for name, text in signed.headers.items()}
    return replace(signed, auth=rule("svix", f"whsec_{SECRET}"), headers=renamed)


def adyen(_time: int) -> Signed:
    """A notification as the Adyen library signs it."""
    item = {
        "pspReference": "psp-\u00fc",
        "originalReference": "o-1",
        "merchantAccountCode": "M",
        "merchantReference": "a:b",
        "amount": {"value": 10199, "currency": "EUR"},
        "eventCode": "REFUND",
        "success": "false",
    }
    made = generate_notification_sig(item, ADYEN_KEY).decode()
    whole = item | {"additionalData": {"hmacSignature": made}}
    body = json.dumps({"live": "true", "notificationItems": [{"NotificationRequestItem": whole}]})
    return Signed(rule("adyen", ADYEN_KEY), {}, body.encode())


def adyen_header(_time: int) -> Signed:
    """A payload as the Adyen library signs it."""
    made = generate_payload_sig(BODY.encode(), ADYEN_KEY).decode()
    return Signed(rule("adyenHeader", ADYEN_KEY), {"hmacsignature": made}, BODY.encode())


Sign = Callable[[int], Signed]
each_library = pytest.mark.parametrize(
    "sign", [stripe, slack, standard_webhooks, svix, adyen, adyen_header]
)


@each_library
def test_what_a_library_signs_is_let_in(sign: Sign) -> None:
    """A request as the provider's library signs it opens the door."""
    assert verdict(sign(NOW)) is None


@each_library
def test_what_was_changed_after_signing_is_refused(sign: Sign) -> None:
    """Each digit of the body counts, and each letter of each header."""
    signed = sign(NOW)
    for place, letter in enumerate(signed.body):
        if chr(letter).isdigit():
            other = b"%d" % ((letter - 47) % 10)
            body = signed.body[:place] + other + signed.body[place + 1 :]
            assert verdict(replace(signed, body=body)) is Code.SIGNATURE_INVALID, place
    for name, text in signed.headers.items():
        for place in range(len(text.partition(",v0=")[0])):
            changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            headers = dict(signed.headers) | {name: changed}
            assert verdict(replace(signed, headers=headers)) is Code.SIGNATURE_INVALID, (
                name,
                place,
            )


@pytest.mark.parametrize("sign", [stripe, slack, standard_webhooks, svix])
@pytest.mark.parametrize("seconds", [-301, 301])
def test_what_was_signed_at_another_time_is_refused(sign: Sign, seconds: int) -> None:
    """Five minutes are what these providers allow; one second more is refused."""
    assert verdict(sign(NOW + seconds)) is Code.SIGNATURE_INVALID
    assert verdict(sign(NOW + seconds - (1 if seconds > 0 else -1))) is None
