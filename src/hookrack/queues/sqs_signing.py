"""Signature Version 4 for the calls of SQS: a POST to `/` whose body is JSON.

Source: AWS, "Create a signed AWS API request". The rule is short because the path is `/`, there is
no query, and of the headers only our own are signed. What all calls of a day share is worked out
once: the key that signs, and the text around time and body.
"""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

ALGORITHM: Final = "AWS4-HMAC-SHA256"
CONTENT_TYPE: Final = "application/x-amz-json-1.0"
_SERVICE: Final = "sqs"
_TARGET: Final = "AmazonSQS."


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs; `token` is that of a session, or empty."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


class Signer:
    """Signs calls to one host in one region."""

    def __init__(self, host: str, region: str) -> None:
        self._host = host
        self._region = region
        self._made_for: tuple[Credentials, str] | None = None
        self._key = b""
        self._authority = ""  # the header's begin

    def headers(
        self, body: bytes, action: str, *, credentials: Credentials, now: str
    ) -> dict[str, str]:
        """The headers of a call; `now` is UTC as `20260131T235959Z`."""
        day = now[:8]
        if self._made_for != (credentials, day):
            self._prepare(credentials, day)
        target = _TARGET + action
        token = credentials.token
        told = f"content-type:{CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{now}\n"
        if token:
            told += f"x-amz-security-token:{token}\n"
        told += f"x-amz-target:{target}\n"
        request = f"POST\n/\n\n{told}\n{_names(token)}\n{sha256(body).hexdigest()}"
        text = f"{ALGORITHM}\n{now}\n{day}/{self._region}/{_SERVICE}/aws4_request\n"
        text += sha256(request.encode()).hexdigest()
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        found = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Date": now,
            "X-Amz-Target": target,
            "Authorization": f"{self._authority}{signature}",
        }
        return found | ({"X-Amz-Security-Token": token} if token else {})

    def _prepare(self, credentials: Credentials, day: str) -> None:
        key = f"AWS4{credentials.secret_key}".encode()
        for part in (day, self._region, _SERVICE, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key
        scope = f"{credentials.access_key}/{day}/{self._region}/{_SERVICE}/aws4_request"
        names = _names(credentials.token)
        self._authority = f"{ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature="
        self._made_for = (credentials, day)


def _names(token: str) -> str:
    """The headers that are signed, in their order."""
    return f"content-type;host;x-amz-date;{'x-amz-security-token;' if token else ''}x-amz-target"
