"""Signatures with what they are of beside them, in the body or a token, by their makers' rules."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from hookrack.edge.covered import Choices, address_of
from hookrack.edge.schemes import Extract
from hookrack.edge.sent import Sent, Unfit, read_json, text_at

_TOKEN_CHARS: Final = 4_096
_ITEMS: Final = 1_000  # in one body, each with a signature of its own
_ADYEN: Final = (
    *("pspReference", "originalReference", "merchantAccountCode", "merchantReference"),
    *("amount.value", "amount.currency", "eventCode", "success"),
)
_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = (
    *("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
)
_SNS: Final = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature, and the bytes that it is said to be of."""

    signature: bytes
    message: bytes = b""


# All claims of a body have to be right. Raises: ValueError where there is none.
Claims = Callable[[Sent, Choices], list[Claim]]


def _items(document: object, name: str) -> list[Any]:
    found = document.get(name) if isinstance(document, Mapping) else None
    if not isinstance(found, list) or not 1 <= len(found) <= _ITEMS:
        raise Unfit(f"the body has no {name}")
    return found


def _text(document: object, path: str) -> bytes:
    found = text_at(document, path)
    if found is None:
        raise Unfit(f"the body has no {path}")
    return found.encode()


def _adyen(sent: Sent, _choices: Choices) -> list[Claim]:
    """Eight fields of every item; what isn't there is empty."""
    items = [
        each.get("NotificationRequestItem") if isinstance(each, Mapping) else None
        for each in _items(read_json(sent.body), "notificationItems")
    ]
    return [
        Claim(
            _text(item, "additionalData.hmacSignature"),
            ":".join(text_at(item, each) or "" for each in _ADYEN).encode(),
        )
        for item in items
    ]


def _mailgun(sent: Sent, _choices: Choices) -> list[Claim]:
    """A time and a token, which say nothing of the rest."""
    document = read_json(sent.body)
    signed = _text(document, "signature.timestamp") + _text(document, "signature.token")
    return [Claim(_text(document, "signature.signature"), signed)]


def _sns(sent: Sent, choices: Choices) -> list[Claim]:
    """Names and values by lines; only of the topic that the flow is for."""
    document = read_json(sent.body)
    if text_at(document, "SignatureVersion") != "2":
        raise Unfit("the SignatureVersion is not 2")
    if text_at(document, "TopicArn") != choices.topic_arn:
        raise Unfit("the message is of another topic")
    names = _SNS.get(text_at(document, "Type") or "")
    if names is None:
        raise Unfit("the message is of no known Type")
    optional = ("Subject",)
    there = [name for name in names if name not in optional or text_at(document, name) is not None]
    signed = b"".join(b"%b\n%b\n" % (name.encode(), _text(document, name)) for name in there)
    return [Claim(_text(document, "Signature"), signed)]


def _microsoft_graph(sent: Sent, _choices: Choices) -> list[Claim]:
    """Every notification repeats the secret."""
    items = _items(read_json(sent.body), "value")
    return [Claim(_text(each, "clientState")) for each in items]


def _qstash(sent: Sent, choices: Choices) -> list[Claim]:
    """A JWT (RFC 7519) whose claims are the address, a span of time, and the body's hash."""
    value = sent.header(b"upstash-signature") or ""
    head, _, rest = value.partition(".")
    payload, _, signature = rest.partition(".")
    if len(value) > _TOKEN_CHARS or text_at(_decoded(head), "alg") != "HS256":
        raise Unfit("its header is no JWT of HS256")
    claims = _decoded(payload)
    wanted = base64.urlsafe_b64encode(sha256(sent.body).digest()).rstrip(b"=").decode()
    if (text_at(claims, "body") or "").rstrip("=") != wanted:
        raise Unfit("it is of another body")
    if text_at(claims, "sub") != address_of(sent, choices):
        raise Unfit("it is for another address")
    begin, end = (text_at(claims, each) or "" for each in ("nbf", "exp"))
    if not int(begin) * 1_000 <= sent.now <= int(end) * 1_000:
        raise Unfit("its time is over, or yet to come")
    if text_at(claims, "iss") != "Upstash":
        raise Unfit("another issuer made it")
    padded = signature.replace("-", "+").replace("_", "/") + "=" * (-len(signature) % 4)
    return [Claim(padded.encode("latin-1"), f"{head}.{payload}".encode("latin-1"))]


def _decoded(part: str) -> Any:  # noqa: ANN401 - JSON holds anything
    return read_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


CLAIMS: Final[dict[Extract, Claims]] = {
    "adyen": _adyen,
    "mailgun": _mailgun,
    "sns": _sns,
    "microsoftGraph": _microsoft_graph,
    "qstash": _qstash,
}
