"""Platforms where code, messages and mail are at home."""

from typing import Final

from hookrack.edge.schemes import KeyForm, Preset, Scheme

_FIVE_MINUTES: Final = 300
_UNSIGNED_TIME: Final = "No signed time: a recorded request passes again."
_OWN_WINDOW: Final = "The provider names no tolerance; 300 s is ours."


def _standard(family: str, *, key: KeyForm = "whsec", claims: str = "") -> Scheme:
    """Standard Webhooks, whose headers begin with a word of the sender's choice."""
    public = key == "whpk"
    return Scheme(
        header=f"{family}-signature",
        signed=f"{{header.{family}-id}}.{{timestamp}}.{{body}}",
        algorithm="ed25519" if public else "hmacSha256",
        encoding="base64",
        prefix="v1a," if public else "v1,",
        separator=" ",
        key=key,
        claims=claims,
        timestamp=f"header.{family}-timestamp",
        tolerance=_FIVE_MINUTES,
    )


PLATFORMS: Final = {
    "standardWebhooks": Preset(
        title="Standard Webhooks",
        schemes=(_standard("webhook"), _standard("webhook", key="whpk", claims="whpk_")),
        delivery=("header.webhook-id",),
        event="body.type",
    ),
    "svix": Preset(
        title="Svix, and who sends with it (Clerk, Resend, OpenAI ...)",
        schemes=(_standard("svix"), _standard("webhook")),
        delivery=("header.svix-id", "header.webhook-id"),
        event="body.type",
    ),
    "github": Preset(
        title="GitHub",
        schemes=(Scheme(header="x-hub-signature-256", prefix="sha256="),),
        delivery=("header.x-github-delivery",),
        event="header.x-github-event",
        retries=False,
        caution="The SHA-1 header beside it is not looked at. " + _UNSIGNED_TIME,
    ),
    "gitlab": Preset(
        title="GitLab",
        schemes=(
            _standard("webhook", claims="whsec_"),
            Scheme(header="x-gitlab-token", signed="", algorithm="token"),
        ),
        delivery=("header.webhook-id", "header.x-gitlab-event-uuid"),
        event="header.x-gitlab-event",
        caution="Secrets with whsec_ are signing tokens, others the older secret token. Where both "
        "come the signature decides. Keep only the signing token once you use it.",
    ),
    "bitbucket": Preset(
        title="Bitbucket Cloud and Data Center",
        schemes=(Scheme(header="x-hub-signature", prefix="sha256="),),
        delivery=("header.x-request-uuid", "header.x-request-id"),
        event="header.x-event-key",
        caution="Unverified: the connection test of Data Center; unsigned it is refused. "
        + _UNSIGNED_TIME,
    ),
    "jira": Preset(
        title="Jira Cloud",
        schemes=(Scheme(header="x-hub-signature", prefix="sha256="),),
        delivery=("header.x-atlassian-webhook-identifier",),
        event="body.webhookEvent",
        caution="Sources disagree whether dynamic webhooks are signed; unsigned ones are refused. "
        + _UNSIGNED_TIME,
    ),
    "linear": Preset(
        title="Linear",
        schemes=(
            Scheme(
                header="linear-signature",
                timestamp="body.webhookTimestamp",
                unit="ms",
                tolerance=60,
            ),
        ),
        delivery=("header.linear-delivery",),
        event="body.type+body.action",
        caution="The time is the body's; the header's isn't signed.",
    ),
    "slack": Preset(
        title="Slack",
        schemes=(
            Scheme(
                header="x-slack-signature",
                signed="v0:{timestamp}:{body}",
                prefix="v0=",
                timestamp="header.x-slack-request-timestamp",
                tolerance=_FIVE_MINUTES,
            ),
        ),
        delivery=("body.event_id",),
        event="body.event.type",
        greeting="slack",
    ),
    "discord": Preset(
        title="Discord",
        schemes=(
            Scheme(
                header="x-signature-ed25519",
                signed="{timestamp}{body}",
                algorithm="ed25519",
                key="hex",
                timestamp="header.x-signature-timestamp",
                tolerance=_FIVE_MINUTES,
            ),
        ),
        delivery=("hash",),
        event="body.event.type",
        greeting="discord",
        caution=_OWN_WINDOW,
    ),
    "zoom": Preset(
        title="Zoom",
        schemes=(
            Scheme(
                header="x-zm-signature",
                signed="v0:{timestamp}:{body}",
                prefix="v0=",
                timestamp="header.x-zm-request-timestamp",
                tolerance=_FIVE_MINUTES,
            ),
        ),
        delivery=("hash",),
        event="body.event",
        greeting="zoom",
        caution=_OWN_WINDOW,
    ),
    "meta": Preset(
        title="Meta: Messenger, WhatsApp, Instagram",
        schemes=(Scheme(header="x-hub-signature-256", prefix="sha256="),),
        delivery=("hash",),
        event="body.entry.0.changes.0.field",
        greeting="meta",
        caution=_UNSIGNED_TIME,
    ),
    "x": Preset(
        title="X",
        schemes=(
            Scheme(
                header="x-twitter-webhooks-signature",
                encoding="base64",
                prefix="sha256=",
                objects=True,
            ),
        ),
        delivery=("hash",),
        greeting="x",
        caution="The answer to crc_token is a signature of it, for whoever asks: so tokens are "
        "bare words only, and events JSON objects only. " + _UNSIGNED_TIME,
    ),
    "microsoftGraph": Preset(
        title="Microsoft Graph",
        schemes=(Scheme(header="", signed="", algorithm="token", extract="microsoftGraph"),),
        delivery=("hash",),
        event="body.value.0.changeType",
        greeting="microsoftGraph",
        caution="No signature: every notification repeats clientState, which is the secret.",
    ),
    "sns": Preset(
        title="Amazon SNS",
        schemes=(
            Scheme(
                header="",
                signed="",
                algorithm="rsaSha256",
                encoding="base64",
                timestamp="body.Timestamp",
                unit="iso",
                tolerance=3_600,
                extract="sns",
            ),
        ),
        delivery=("body.MessageId",),
        event="body.Type",
        greeting="sns",
        caution="Give the topic SignatureVersion 2; version 1 signs with SHA-1 and is refused. The "
        "certificate isn't fetched: write its PEM into secrets. The hour of tolerance is ours.",
    ),
    "twilio": Preset(
        title="Twilio",
        schemes=(
            Scheme(
                header="x-twilio-signature",
                signed="{url}{form}",
                algorithm="hmacSha1",
                encoding="base64",
                extract="twilio",
            ),
        ),
        delivery=("form.MessageSid+form.MessageStatus", "form.CallSid+form.CallStatus"),
        caution="Of a form neither the order nor repeats are signed. A body that is no form needs "
        "bodySHA256 in the query. " + _UNSIGNED_TIME,
    ),
    "sendgrid": Preset(
        title="SendGrid",
        schemes=(
            Scheme(
                header="x-twilio-email-event-webhook-signature",
                signed="{timestamp}{body}",
                algorithm="ecdsaSha256",
                encoding="base64",
                timestamp="header.x-twilio-email-event-webhook-timestamp",
                tolerance=_FIVE_MINUTES,
            ),
        ),
        delivery=("hash",),
        event="body.0.event",
        caution="One request brings many events. " + _OWN_WINDOW,
    ),
    "mailgun": Preset(
        title="Mailgun",
        schemes=(
            Scheme(
                header="",
                signed="",
                timestamp="body.signature.timestamp",
                tolerance=_FIVE_MINUTES,
                extract="mailgun",
            ),
        ),
        delivery=("body.signature.token",),
        event="body.event-data.event",
        caution="Signed are a time and a token, not what the body says, so a token is taken once: "
        "who records a request and sends it with another body sends a duplicate. Not so where "
        "dedupe names another place, such as body.$['event-data'].id. Unverified: whether a retry "
        "has the token of the first try; if not, it is an event of its own.",
    ),
    "hubspot": Preset(
        title="HubSpot, version 3",
        schemes=(
            Scheme(
                header="x-hubspot-signature-v3",
                signed="{method}{url}{body}{timestamp}",
                encoding="base64",
                timestamp="header.x-hubspot-request-timestamp",
                unit="ms",
                tolerance=_FIVE_MINUTES,
                extract="hubspot",
            ),
        ),
        delivery=("hash",),
        event="body.0.subscriptionType",
        caution="Unverified: which characters of the address are decoded first. The address counts "
        "as sent, and with : / ? @ ! $ ' ( ) * , ; decoded.",
    ),
    "hubspotV1": Preset(
        title="HubSpot, version 1",
        schemes=(
            Scheme(
                header="x-hubspot-signature",
                algorithm="sha256",
                requires=(("x-hubspot-signature-version", "v1"),),
            ),
        ),
        delivery=("hash",),
        event="body.0.subscriptionType",
        caution="A plain hash, weaker than the others; use version 3. " + _UNSIGNED_TIME,
    ),
    "hubspotV2": Preset(
        title="HubSpot, version 2",
        schemes=(
            Scheme(
                header="x-hubspot-signature",
                signed="{method}{url}{body}",
                algorithm="sha256",
                requires=(("x-hubspot-signature-version", "v2"),),
            ),
        ),
        delivery=("hash",),
        event="body.0.subscriptionType",
        caution="A plain hash, weaker than the others; use version 3. " + _UNSIGNED_TIME,
    ),
}
