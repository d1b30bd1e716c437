"""Payments, shops and books."""

from typing import Final

from hookrack.edge.schemes import Preset, Scheme

_UNSIGNED_TIME: Final = "No signed time: a recorded request passes again."
_ADYEN_ITEM: Final = "body.notificationItems.0.NotificationRequestItem"

MONEY: Final = {
    "stripe": Preset(
        title="Stripe",
        schemes=(
            Scheme(
                header="stripe-signature",
                signed="{timestamp}.{body}",
                prefix="v1=",
                separator=",",
                timestamp="member.t",
                tolerance=300,
            ),
        ),
        delivery=("body.id",),
        event="body.type",
        caution="The secret is used as it is, whsec_ and all.",
    ),
    "paypal": Preset(
        title="PayPal",
        schemes=(
            Scheme(
                header="paypal-transmission-sig",
                signed="{header.paypal-transmission-id}|{timestamp}|{webhookId}|{crc32}",
                algorithm="rsaSha256",
                encoding="base64",
                timestamp="header.paypal-transmission-time",
                unit="iso",
                tolerance=300,
                requires=(("paypal-auth-algo", "SHA256withRSA"),),
            ),
        ),
        delivery=("body.id",),
        event="body.event_type",
        caution="The certificate isn't fetched: write its PEM into secrets. Of the body a checksum "
        "is signed, which can be forged by who records a request, for as long as the tolerance. "
        "Unverified: whether a retry has a new time; the 300 s are ours.",
    ),
    "adyen": Preset(
        title="Adyen, standard notifications",
        schemes=(Scheme(header="", signed="", encoding="base64", key="hex", extract="adyen"),),
        delivery=(f"{_ADYEN_ITEM}.pspReference+{_ADYEN_ITEM}.eventCode",),
        event=f"{_ADYEN_ITEM}.eventCode",
        answer="[accepted]",
        caution="Signed are eight fields of each item, not the rest of it. " + _UNSIGNED_TIME,
    ),
    "adyenHeader": Preset(
        title="Adyen, other webhooks",
        schemes=(Scheme(header="hmacsignature", encoding="base64", key="hex"),),
        delivery=("hash",),
        caution=_UNSIGNED_TIME,
    ),
    "square": Preset(
        title="Square",
        schemes=(
            Scheme(header="x-square-hmacsha256-signature", signed="{url}{body}", encoding="base64"),
        ),
        delivery=("body.event_id",),
        event="body.type",
        caution=_UNSIGNED_TIME,
    ),
    "shopify": Preset(
        title="Shopify",
        schemes=(Scheme(header="x-shopify-hmac-sha256", encoding="base64"),),
        delivery=("header.x-shopify-webhook-id",),
        event="header.x-shopify-topic",
        caution="After a rotation the old secret is used for up to an hour: keep both. "
        + _UNSIGNED_TIME,
    ),
    "woocommerce": Preset(
        title="WooCommerce",
        schemes=(Scheme(header="x-wc-webhook-signature", encoding="base64"),),
        delivery=("header.x-wc-webhook-delivery-id",),
        event="header.x-wc-webhook-topic",
        caution="Unverified: the form of the first ping; unsigned it is refused. " + _UNSIGNED_TIME,
    ),
    "paddle": Preset(
        title="Paddle Billing",
        schemes=(
            Scheme(
                header="paddle-signature",
                signed="{timestamp}:{body}",
                prefix="h1=",
                separator=";",
                timestamp="member.ts",
                tolerance=5,
            ),
        ),
        delivery=("body.event_id",),
        event="body.event_type",
        caution="Five seconds are Paddle's own; set tolerance where retries come later.",
    ),
    "xero": Preset(
        title="Xero",
        schemes=(Scheme(header="x-xero-signature", encoding="base64"),),
        delivery=("hash",),
        event="body.events.0.eventType",
        answer="",
        caution="Unverified: whether a body in the answer disturbs its test; there is none. "
        + _UNSIGNED_TIME,
    ),
    "razorpay": Preset(
        title="Razorpay",
        schemes=(Scheme(header="x-razorpay-signature"),),
        delivery=("header.x-razorpay-event-id",),
        event="body.event",
        caution=_UNSIGNED_TIME,
    ),
}
