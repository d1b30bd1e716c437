"""Signatures that providers or their libraries published, checked by ours."""

import base64
import json

import pytest
from signing import Signed, rule, verdict

from hookrack.errors import Code

FORM = {"content-type": "application/x-www-form-urlencoded"}
SLACK = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
TWILIO = (
    b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309"
    b"&To=%2B18005551212"
)
SENDGRID = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",'
    b'"timestamp":1600112492}]\r\n'
)
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw"
    "+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
SENDGRID_SIGNATURE = (
    "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtE"
    "ZtM="
)
ADYEN_ITEM = {
    "additionalData": {"hmacSignature": "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="},
    "amount": {"value": 1130, "currency": "EUR"},
    "pspReference": "7914073381342284",
    "eventCode": "AUTHORISATION",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "TestPayment-1407325143704",
    "paymentMethod": "visa",
    "success": "true",
}
HUBSPOT = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
    b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
    b'"changeFlag":"NEW","appId":54321}]'
)
HUBSPOT_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"

VECTORS = {
    "standardWebhooks": Signed(
        rule("standardWebhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
    ),
    "github": Signed(
        rule("github", "It's a Secret to Everybody"),
        {
            "x-hub-signature-256": "sha256="
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        },
        b"Hello, World!",
    ),
    "slack": Signed(
        rule("slack", "8f742231b10e8888abcd99yyyzzz85a5"),
        {
            **FORM,
            "x-slack-signature": SLACK_SIGNATURE,
            "x-slack-request-timestamp": "1531420618",
        },
        SLACK,
        now=1_531_420_618_000,
    ),
    "twilio": Signed(
        rule("twilio", "12345"),
        {**FORM, "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        TWILIO,
        url="https://mycompany.com/myapp.php?foo=1&bar=2",
    ),
    "sendgrid": Signed(
        rule("sendgrid", SENDGRID_KEY),
        {
            "x-twilio-email-event-webhook-signature": SENDGRID_SIGNATURE,
            "x-twilio-email-event-webhook-timestamp": "1600112502",
        },
        SENDGRID,
        now=1_600_112_502_000,
    ),
    "adyen": Signed(
        rule("adyen", "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"),
        {},
        json.dumps({"notificationItems": [{"NotificationRequestItem": ADYEN_ITEM}]}).encode(),
    ),
    "square": Signed(
        rule("square", "asdf1234"),
        {"x-square-hmacsha256-signature": "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og="},
        b'{"hello":"world"}',
        url="https://example.com/webhook",
    ),
    "hubspotV1": Signed(
        rule("hubspotV1", HUBSPOT_SECRET),
        {
            "x-hubspot-signature": "232db2615f3d666fe21a8ec971ac7b54"
            "02d33b9a925784df3ca654d05f4817de",
            "x-hubspot-signature-version": "v1",
        },
        HUBSPOT,
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_published_signature_is_right(name: str) -> None:
    """What the provider says its signature is, is one here; not so with another byte."""
    signed = VECTORS[name]
    assert verdict(signed) is None
    body = signed.body.replace(b"5", b"6", 1).replace(b"ello", b"allo").replace(b"432", b"433")
    changed = Signed(signed.auth, signed.headers, body, signed.now, signed.url)
    assert body != signed.body
    assert verdict(changed) is Code.SIGNATURE_INVALID


def test_version_2_of_hubspot_has_method_and_address() -> None:
    """HubSpot's published example is a GET, and only as a GET its signature is right."""
    signed = Signed(
        rule("hubspotV2", HUBSPOT_SECRET),
        {
            "x-hubspot-signature": "eee2dddcc73c94d699f5e395f4b9d454"
            "a069a6855fbfa152e91e88823087200e",
            "x-hubspot-signature-version": "v2",
        },
        b"",
        url="https://www.example.com/webhook_uri",
    )
    assert verdict(signed, method="GET") is None
    assert verdict(signed) is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("port", [":443", ""])
def test_twilio_may_or_may_not_name_the_port(port: str) -> None:
    """The address is tried with its port and without it."""
    signed = VECTORS["twilio"]
    url = signed.url.replace("mycompany.com", f"mycompany.com{port}")
    assert verdict(Signed(signed.auth, signed.headers, signed.body, url=url)) is None


def test_base64_of_a_secret_is_not_its_text() -> None:
    """The key of Standard Webhooks is what the base64 stands for."""
    signed = VECTORS["standardWebhooks"]
    text = base64.b64encode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").decode()
    wrong = Signed(rule("standardWebhooks", text), signed.headers, signed.body)
    assert verdict(wrong) is Code.SIGNATURE_INVALID
