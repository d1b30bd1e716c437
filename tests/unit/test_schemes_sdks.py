"""The senders' own libraries sign, and what they sign is let in."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlencode

import pytest
from Adyen.util import generate_notification_sig, generate_payload_sig
from paddle_billing.Notifications import Secret as PaddleSecret
from paddle_billing.Notifications import Verifier
from signing import NOW, SECRET, URL, Signed, hmac_signed, rule, verdict
from slack_sdk.signature import SignatureVerifier
from standardwebhooks.webhooks import Webhook
from stripe import WebhookSignature
from svix.webhooks import Webhook as SvixWebhook
from twilio.request_validator import RequestValidator

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
    """As Svix's library makes it."""
    moment = dt.datetime.fromtimestamp(time, dt.UTC)
    made = SvixWebhook(f"whsec_{SECRET}").sign("msg_7", moment, BODY)
    headers = {"svix-id": "msg_7", "svix-timestamp": str(time), "svix-signature": made}
    return Signed(rule("svix", f"whsec_{SECRET}"), headers, BODY.encode())


class Form(dict[str, list[str]]):
    """A form of Django's kind, which Twilio's library knows."""

    def getlist(self, name: str) -> list[str]:
        """All values of a field."""
        return self[name]


def twilio(_time: int) -> Signed:
    """A form as Twilio's library signs it, a field with two values in it."""
    fields = Form(CallSid=["CA12"], To=["+1 23"], Digit=["7", "5"], Text=["\u00fc&"])
    made = RequestValidator(SECRET).compute_signature(URL, fields)
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": made}
    return Signed(rule("twilio", SECRET), headers, urlencode(fields, doseq=True).encode())


def twilio_json(_time: int) -> Signed:
    """JSON as Twilio's library signs it: by its hash in the address."""
    validator = RequestValidator(SECRET)
    url = f"{URL}&bodySHA256={sha256(BODY.encode()).hexdigest()}"
    headers = {"content-type": "application/json"}
    made = validator.compute_signature(url, {})
    assert validator.validate(url, BODY, made)
    signed = Signed(rule("twilio", SECRET), headers | {"x-twilio-signature": made}, BODY.encode())
    return replace(signed, url=url)


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
    "sign", [stripe, slack, standard_webhooks, svix, adyen, adyen_header, twilio, twilio_json]
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
        if name == "content-type":  # Twilio doesn't sign it
            continue
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


@dataclass
class Received:
    """A request as Paddle's library takes it."""

    headers: Mapping[str, str]
    body: bytes


def test_paddles_library_takes_what_ours_takes() -> None:
    """The library only verifies: what is signed for our tests is right by it, changed it isn't."""
    signed = hmac_signed("paddle", BODY.encode())
    headers = {"Paddle-Signature": signed.headers["paddle-signature"]}

    def verify(body: bytes) -> bool:
        request = Received(headers, body)
        return bool(Verifier().verify(request, PaddleSecret(SECRET), verify_time_drift=False))

    assert verify(signed.body)
    assert not verify(signed.body + b" ")
    assert verdict(signed) is None
