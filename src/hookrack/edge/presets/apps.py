"""Everything that people work with."""

from typing import Final

from hookrack.edge.schemes import Preset, Scheme

_UNSIGNED_TIME: Final = "No signed time: a recorded request passes again."
_NO_SIGNATURE: Final = "No signature: the secret itself is in the header."


def _token(title: str, header: str, *, delivery: str = "hash", event: str = "") -> Preset:
    """A provider that sends the secret itself."""
    return Preset(
        title=title,
        schemes=(Scheme(header=header, signed="", algorithm="token"),),
        delivery=(delivery,),
        event=event,
        caution=_NO_SIGNATURE,
    )


APPS: Final = {
    "intercom": Preset(
        title="Intercom",
        schemes=(Scheme(header="x-hub-signature", algorithm="hmacSha1", prefix="sha1="),),
        delivery=("body.id",),
        event="body.topic",
        caution="Unverified: whether it asks with HEAD first; that is refused. " + _UNSIGNED_TIME,
    ),
    "typeform": Preset(
        title="Typeform",
        schemes=(Scheme(header="typeform-signature", encoding="base64", prefix="sha256="),),
        delivery=("body.event_id",),
        event="body.event_type",
        caution=_UNSIGNED_TIME,
    ),
    "calendly": Preset(
        title="Calendly",
        schemes=(
            Scheme(
                header="calendly-webhook-signature",
                signed="{timestamp}.{body}",
                prefix="v1=",
                separator=",",
                timestamp="member.t",
                tolerance=180,
            ),
        ),
        delivery=("hash",),
        event="body.event",
    ),
    "calcom": Preset(
        title="Cal.com",
        schemes=(Scheme(header="x-cal-signature-256"),),
        delivery=("hash",),
        event="body.triggerEvent",
        caution=_UNSIGNED_TIME,
    ),
    "zendesk": Preset(
        title="Zendesk",
        schemes=(
            Scheme(
                header="x-zendesk-webhook-signature",
                signed="{timestamp}{body}",
                encoding="base64",
                timestamp="header.x-zendesk-webhook-signature-timestamp",
                unit="iso",
                tolerance=300,
            ),
        ),
        delivery=("hash",),
        event="body.type",
        caution="The provider names no tolerance; 300 s is ours.",
    ),
    "pagerduty": Preset(
        title="PagerDuty",
        schemes=(Scheme(header="x-pagerduty-signature", prefix="v1=", separator=","),),
        delivery=("body.event.id",),
        event="body.event.event_type",
        caution=_UNSIGNED_TIME,
    ),
    "sentry": Preset(
        title="Sentry",
        schemes=(Scheme(header="sentry-hook-signature"),),
        delivery=("header.request-id",),
        event="header.sentry-hook-resource",
        caution=_UNSIGNED_TIME,
    ),
    "notion": Preset(
        title="Notion",
        schemes=(Scheme(header="x-notion-signature", prefix="sha256="),),
        delivery=("body.id",),
        event="body.type",
        caution="The first request, which brings the token, isn't signed: take it with a flow of "
        "auth none, then change over. " + _UNSIGNED_TIME,
    ),
    "vercel": Preset(
        title="Vercel",
        schemes=(Scheme(header="x-vercel-signature", algorithm="hmacSha1"),),
        delivery=("body.id",),
        event="body.type",
        caution=_UNSIGNED_TIME,
    ),
    "docusign": Preset(
        title="DocuSign Connect",
        schemes=(Scheme(header="x-docusign-signature-1", encoding="base64"),),
        delivery=("hash",),
        event="body.event",
        caution="Of several keys the first one's header is looked at. " + _UNSIGNED_TIME,
    ),
    "workos": Preset(
        title="WorkOS",
        schemes=(
            Scheme(
                header="workos-signature",
                signed="{timestamp}.{body}",
                prefix="v1=",
                separator=",",
                timestamp="member.t",
                unit="ms",
                tolerance=180,
            ),
        ),
        delivery=("body.id",),
        event="body.event",
        caution="Unverified: its tolerance; 180 s is ours.",
    ),
    "elevenlabs": Preset(
        title="ElevenLabs",
        schemes=(
            Scheme(
                header="elevenlabs-signature",
                signed="{timestamp}.{body}",
                prefix="v0=",
                separator=",",
                timestamp="member.t",
                tolerance=1_800,
            ),
        ),
        delivery=("hash",),
        event="body.type",
    ),
    "telnyx": Preset(
        title="Telnyx",
        schemes=(
            Scheme(
                header="telnyx-signature-ed25519",
                signed="{timestamp}|{body}",
                algorithm="ed25519",
                encoding="base64",
                key="base64",
                timestamp="header.telnyx-timestamp",
                tolerance=300,
            ),
        ),
        delivery=("body.data.id",),
        event="body.data.event_type",
    ),
    "dropbox": Preset(
        title="Dropbox",
        schemes=(Scheme(header="x-dropbox-signature"),),
        delivery=("hash",),
        greeting="dropbox",
        caution=_UNSIGNED_TIME,
    ),
    "asana": Preset(
        title="Asana",
        schemes=(Scheme(header="x-hook-signature"),),
        delivery=("hash",),
        event="body.events.0.action",
        greeting="asana",
        caution="The secret comes with its first request and in the answer to your call that made "
        "the webhook; put it into secrets, until then its events are refused. " + _UNSIGNED_TIME,
    ),
    "trello": Preset(
        title="Trello",
        schemes=(
            Scheme(
                header="x-trello-webhook",
                signed="{body}{url}",
                algorithm="hmacSha1",
                encoding="base64",
            ),
        ),
        delivery=("body.action.id",),
        event="body.action.type",
        greeting="trello",
        caution=_UNSIGNED_TIME,
    ),
    "qstash": Preset(
        title="Upstash QStash",
        schemes=(
            Scheme(
                header="upstash-signature",
                signed="{url}{body}",
                encoding="base64",
                extract="qstash",
            ),
        ),
        delivery=("header.upstash-message-id",),
        caution="The times stand in the token, which is short-lived. Unverified: the name of the "
        "header with the delivery id. List the current and the next signing key.",
    ),
    "telegram": _token(
        "Telegram bots", "x-telegram-bot-api-secret-token", delivery="body.update_id"
    ),
    "googleCalendar": _token(
        "Google Calendar",
        "x-goog-channel-token",
        delivery="header.x-goog-channel-id+header.x-goog-message-number",
        event="header.x-goog-resource-state",
    ),
    "huggingFace": _token("Hugging Face", "x-webhook-secret", event="body.event.action"),
}
