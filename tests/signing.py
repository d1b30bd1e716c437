"""How senders sign, written down a second time and without the table under test."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from zlib import crc32

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from hookrack.edge.auth import Auth, Credential, check_credential, check_sent
from hookrack.edge.covered import Choices
from hookrack.edge.handshakes import Reply
from hookrack.edge.sent import Sent
from hookrack.errors import Code, Rejected
from hookrack.settings import Secret

_PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
NOW: Final = 1_614_265_330  # seconds
URL: Final = "https://hooks.example.com/in/acme/orders?a=1"
BODY: Final = b'{"id": "evt_1", "type": "order.paid", "n": 1e400, "caf\xc3\xa9": "\\u00e9"}'
SECRET: Final = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="  # base64, and a text as well
HEX_SECRET: Final = "44782def547aaa06"
DATE: Final = "2021-02-25T15:02:10Z"  # NOW

ED25519: Final = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
P256: Final = ec.derive_private_key(20_260_131, ec.SECP256R1())
RSA: Final = rsa.generate_private_key(65_537, 2_048)
_RAW: Final = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
_SPKI: Final = serialization.PublicFormat.SubjectPublicKeyInfo
ED25519_HEX: Final = ED25519.public_key().public_bytes(*_RAW).hex()
ED25519_BASE64: Final = base64.b64encode(ED25519.public_key().public_bytes(*_RAW)).decode()
P256_BASE64: Final = base64.b64encode(
    P256.public_key().public_bytes(serialization.Encoding.DER, _SPKI)
).decode()
OTHER_KEYS: Final[dict[str, _PublicKey]] = {
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(),
    "ecdsaSha256": ec.derive_private_key(7, ec.SECP256R1()).public_key(),
    "rsaSha256": rsa.generate_private_key(65_537, 2_048).public_key(),
}
RSA_PEM: Final = RSA.public_key().public_bytes(serialization.Encoding.PEM, _SPKI).decode()


def pem(key: _PublicKey) -> str:
    """A public key as most tools write it."""
    return key.public_bytes(serialization.Encoding.PEM, _SPKI).decode()


@dataclass(frozen=True)
class Signed:
    """A request that a sender signed, and the rule that has to let it in."""

    auth: Auth
    headers: Mapping[str, str]
    body: bytes = BODY
    now: int = NOW * 1_000
    url: str = URL


def rule(name: str, *secrets: str, choices: Choices | None = None) -> Auth:
    """The rule of a preset with these secrets."""
    credentials = tuple(Credential(Secret(each)) for each in secrets)
    return Auth(name, credentials, choices=choices or Choices())


def reply_to(signed: Signed, *, method: str = "POST") -> Reply | None:
    """What the door says; refusals are raised."""
    headers = {name.encode(): value for name, value in signed.headers.items()}
    check_credential(signed.auth, None, header=headers.get)
    sent = Sent(signed.body, signed.now, headers.get, lambda: signed.url, method)
    return check_sent(signed.auth, sent)


def verdict(signed: Signed, *, method: str = "POST") -> Code | None:
    """Why a request is refused, or None where it is let in."""
    try:
        reply_to(signed, method=method)
    except Rejected as exc:
        return exc.code
    return None


# name: the headers, what is signed, digest, encoding. {t} is the time and {s} the signature.
_HMACS: Final[dict[str, tuple[dict[str, str], str, str, str]]] = {
    "github": ({"x-hub-signature-256": "sha256={s}"}, "{b}", "sha256", "hex"),
    "bitbucket": ({"x-hub-signature": "sha256={s}"}, "{b}", "sha256", "hex"),
    "jira": ({"x-hub-signature": "sha256={s}"}, "{b}", "sha256", "hex"),
    "slack": (
        {"x-slack-signature": "v0={s}", "x-slack-request-timestamp": "{t}"},
        *("v0:{t}:{b}", "sha256", "hex"),
    ),
    "zoom": (
        {"x-zm-signature": "v0={s}", "x-zm-request-timestamp": "{t}"},
        *("v0:{t}:{b}", "sha256", "hex"),
    ),
    "meta": ({"x-hub-signature-256": "sha256={s}"}, "{b}", "sha256", "hex"),
    "x": ({"x-twitter-webhooks-signature": "sha256={s}"}, "{b}", "sha256", "base64"),
    "hubspot": (
        {"x-hubspot-signature-v3": "{s}", "x-hubspot-request-timestamp": "{t}000"},
        *("POST{u}{b}{t}000", "sha256", "base64"),
    ),
    "stripe": ({"stripe-signature": "t={t},v1={s}"}, "{t}.{b}", "sha256", "hex"),
    "square": ({"x-square-hmacsha256-signature": "{s}"}, "{u}{b}", "sha256", "base64"),
    "shopify": ({"x-shopify-hmac-sha256": "{s}"}, "{b}", "sha256", "base64"),
    "woocommerce": ({"x-wc-webhook-signature": "{s}"}, "{b}", "sha256", "base64"),
    "paddle": ({"paddle-signature": "ts={t};h1={s}"}, "{t}:{b}", "sha256", "hex"),
    "xero": ({"x-xero-signature": "{s}"}, "{b}", "sha256", "base64"),
    "razorpay": ({"x-razorpay-signature": "{s}"}, "{b}", "sha256", "hex"),
    "intercom": ({"x-hub-signature": "sha1={s}"}, "{b}", "sha1", "hex"),
    "typeform": ({"typeform-signature": "sha256={s}"}, "{b}", "sha256", "base64"),
    "calendly": ({"calendly-webhook-signature": "t={t},v1={s}"}, "{t}.{b}", "sha256", "hex"),
    "calcom": ({"x-cal-signature-256": "{s}"}, "{b}", "sha256", "hex"),
    "zendesk": (
        {"x-zendesk-webhook-signature": "{s}", "x-zendesk-webhook-signature-timestamp": DATE},
        *(DATE + "{b}", "sha256", "base64"),
    ),
    "pagerduty": ({"x-pagerduty-signature": "v1={s}"}, "{b}", "sha256", "hex"),
    "sentry": ({"sentry-hook-signature": "{s}"}, "{b}", "sha256", "hex"),
    "notion": ({"x-notion-signature": "sha256={s}"}, "{b}", "sha256", "hex"),
    "vercel": ({"x-vercel-signature": "{s}"}, "{b}", "sha1", "hex"),
    "docusign": ({"x-docusign-signature-1": "{s}"}, "{b}", "sha256", "base64"),
    "workos": ({"workos-signature": "t={t}000, v1={s}"}, "{t}000.{b}", "sha256", "hex"),
    "elevenlabs": ({"elevenlabs-signature": "t={t},v0={s}"}, "{t}.{b}", "sha256", "hex"),
    "dropbox": ({"x-dropbox-signature": "{s}"}, "{b}", "sha256", "hex"),
    "asana": ({"x-hook-signature": "{s}"}, "{b}", "sha256", "hex"),
    "trello": ({"x-trello-webhook": "{s}"}, "{b}{u}", "sha1", "base64"),
}
_TOKENS: Final = {
    "telegram": "x-telegram-bot-api-secret-token",
    "googleCalendar": "x-goog-channel-token",
    "huggingFace": "x-webhook-secret",
}


def _filled(text: str, *, time: int, body: bytes) -> bytes:
    return (
        text.encode()
        .replace(b"{t}", b"%d" % time)
        .replace(b"{u}", URL.encode())
        .replace(b"{b}", body)
    )


def _written(raw: bytes, encoding: str) -> str:
    return raw.hex() if encoding == "hex" else base64.b64encode(raw).decode()


def hmac_signed(name: str, body: bytes = BODY, *, secret: str = SECRET, time: int = NOW) -> Signed:
    """A request of a provider that signs with an HMAC over a text, the key a text."""
    layout, signed, digest, encoding = _HMACS[name]
    raw = hmac.digest(secret.encode(), _filled(signed, time=time, body=body), digest)
    parts = {"{s}": _written(raw, encoding), "{t}": str(time)}
    headers = {}
    for header, text in layout.items():
        for mark, value in parts.items():
            text = text.replace(mark, value)  # noqa: PLW2901 - built up
        headers[header] = text
    return Signed(rule(name, secret), headers, body)


def standard(name: str, family: str, *, version: str = "v1") -> Signed:
    """Standard Webhooks, symmetric or not."""
    data = b"msg_1.%d.%b" % (NOW, BODY)
    if version == "v1a":
        secret, raw = f"whpk_{ED25519_BASE64}", ED25519.sign(data)
    else:
        secret = f"whsec_{SECRET}"
        raw = hmac.digest(base64.b64decode(SECRET), data, "sha256")
    names = {"id": "msg_1", "timestamp": str(NOW)}
    headers = {f"{family}-{each}": value for each, value in names.items()}
    headers[f"{family}-signature"] = f"{version},{base64.b64encode(raw).decode()}"
    return Signed(rule(name, secret), headers)


def _asymmetric() -> dict[str, Signed]:
    discord = ED25519.sign(b"%d%b" % (NOW, BODY)).hex()
    telnyx = base64.b64encode(ED25519.sign(b"%d|%b" % (NOW, BODY))).decode()
    sendgrid = P256.sign(b"%d%b" % (NOW, BODY), ec.ECDSA(SHA256()))
    paypal = RSA.sign(f"tid-1|{DATE}|WH-1|{crc32(BODY)}".encode(), padding.PKCS1v15(), SHA256())
    mail = "x-twilio-email-event-webhook"
    return {
        "discord": Signed(
            rule("discord", ED25519_HEX),
            {"x-signature-ed25519": discord, "x-signature-timestamp": str(NOW)},
        ),
        "telnyx": Signed(
            rule("telnyx", ED25519_BASE64),
            {"telnyx-signature-ed25519": telnyx, "telnyx-timestamp": str(NOW)},
        ),
        "sendgrid": Signed(
            rule("sendgrid", P256_BASE64),
            {
                f"{mail}-signature": base64.b64encode(sendgrid).decode(),
                f"{mail}-timestamp": str(NOW),
            },
        ),
        "paypal": Signed(
            rule("paypal", RSA_PEM, choices=Choices(webhook_id="WH-1")),
            {
                "paypal-transmission-id": "tid-1",
                "paypal-transmission-time": DATE,
                "paypal-transmission-sig": base64.b64encode(paypal).decode(),
                "paypal-auth-algo": "SHA256withRSA",
            },
        ),
    }


def sns_signed(kind: str = "Notification", **more: str) -> Signed:
    """A message of Amazon SNS, as its version 2 signs it."""
    document = {
        "Type": kind,
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:orders",
        "Message": "sold",
        "Timestamp": "2021-02-25T15:02:10.000Z",
        **more,
    }
    data = "".join(f"{name}\n{document[name]}\n" for name in sorted(document)).encode()
    raw = RSA.sign(data, padding.PKCS1v15(), SHA256())
    document |= {"SignatureVersion": "2", "Signature": base64.b64encode(raw).decode()}
    choices = Choices(topic_arn="arn:aws:sns:eu-west-1:1:orders", confirm=True)
    return Signed(rule("sns", RSA_PEM, choices=choices), {}, json.dumps(document).encode())


def qstash_signed(**changed: str | int) -> Signed:
    """A JWT as QStash makes it."""

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    claims = {
        "iss": "Upstash",
        "sub": URL,
        "nbf": NOW - 5,
        "exp": NOW + 300,
        "body": part(sha256(BODY).digest()),
        **changed,
    }
    head = {"alg": claims.pop("alg", "HS256"), "typ": "JWT"}
    text = f"{part(json.dumps(head).encode())}.{part(json.dumps(claims).encode())}"
    made = part(hmac.digest(SECRET.encode(), text.encode(), "sha256"))
    return Signed(rule("qstash", SECRET), {"upstash-signature": f"{text}.{made}"})


def adyen_signed(*amounts: int) -> Signed:
    """Adyen's items, each with a signature of its own."""
    items = []
    for amount in amounts:
        data = f"psp-1::Merchant:ref-1:{amount}:EUR:AUTHORISATION:true"
        raw = hmac.digest(bytes.fromhex(HEX_SECRET), data.encode(), "sha256")
        item = {
            "pspReference": "psp-1",
            "merchantAccountCode": "Merchant",
            "merchantReference": "ref-1",
            "amount": {"value": amount, "currency": "EUR"},
            "eventCode": "AUTHORISATION",
            "success": "true",
            "additionalData": {"hmacSignature": base64.b64encode(raw).decode()},
        }
        items.append({"NotificationRequestItem": item})
    return Signed(rule("adyen", HEX_SECRET), {}, json.dumps({"notificationItems": items}).encode())


def _bodies() -> dict[str, Signed]:
    made = hmac.digest(SECRET.encode(), b"%dtok-1" % NOW, "sha256").hex()
    mailgun = {"signature": {"timestamp": str(NOW), "token": "tok-1", "signature": made}}
    graph = {"value": [{"clientState": SECRET, "changeType": "updated"}]}
    form = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    twilio = hmac.digest(
        SECRET.encode(), f"{URL}Az=1b+2b\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode(), "sha1"
    )
    raw = hmac.digest(bytes.fromhex(HEX_SECRET), BODY, "sha256")
    v1 = sha256(SECRET.encode() + BODY).hexdigest()
    v2 = sha256(f"{SECRET}POST{URL}".encode() + BODY).hexdigest()
    return {
        "mailgun": Signed(rule("mailgun", SECRET), {}, json.dumps(mailgun).encode()),
        "microsoftGraph": Signed(rule("microsoftGraph", SECRET), {}, json.dumps(graph).encode()),
        "adyen": adyen_signed(1130, 5),
        "adyenHeader": Signed(
            rule("adyenHeader", HEX_SECRET), {"hmacsignature": base64.b64encode(raw).decode()}
        ),
        "twilio": Signed(
            rule("twilio", SECRET),
            {**form, "x-twilio-signature": base64.b64encode(twilio).decode()},
            b"b=%2B2&A=z%3D1&b=%C3%BC&b=%2B2",
        ),
        "hubspotV1": Signed(
            rule("hubspotV1", SECRET),
            {"x-hubspot-signature": v1, "x-hubspot-signature-version": "v1"},
        ),
        "hubspotV2": Signed(
            rule("hubspotV2", SECRET),
            {"x-hubspot-signature": v2, "x-hubspot-signature-version": "v2"},
        ),
        "sns": sns_signed(),
        "qstash": qstash_signed(),
    }


SIGNED: Final[dict[str, Signed]] = {
    **{name: hmac_signed(name) for name in _HMACS},
    "linear": Signed(
        rule("linear", SECRET),
        {
            "linear-signature": hmac.digest(
                SECRET.encode(), b'{"webhookTimestamp": %d000}' % NOW, "sha256"
            ).hex()
        },
        b'{"webhookTimestamp": %d000}' % NOW,
    ),
    **{name: Signed(rule(name, SECRET), {header: SECRET}) for name, header in _TOKENS.items()},
    "standardWebhooks": standard("standardWebhooks", "webhook"),
    "standardWebhooks v1a": standard("standardWebhooks", "webhook", version="v1a"),
    "svix": standard("svix", "svix"),
    "svix by the other name": standard("svix", "webhook"),
    "gitlab": standard("gitlab", "webhook"),
    "gitlab token": Signed(rule("gitlab", "glpat"), {"x-gitlab-token": "glpat"}),
    **_asymmetric(),
    **_bodies(),
}
