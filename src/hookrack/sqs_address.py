"""How a queue on SQS is named: the queue URL, or `sqs://`; pure text, no SDK.

https://sqs.eu-west-1.amazonaws.com/123456789012/orders    the queue URL
sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders      the same
sqs://127.0.0.1:4566/000000000000/orders                   a server that speaks SQS, plain HTTP
sqs://orders                                               by name, in the region configured
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_AWS: Final = re.compile(
    r"(?:(?:.+\.)?sqs(?:-fips)?\.(?P<new>[a-z0-9-]+)(?:\.vpce)?|(?:(?P<old>[a-z0-9-]+)\.)?queue)"
    r"\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)
_PATH: Final = re.compile(r"/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?")
_OLDEST_REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class QueueAddress:
    """Where a queue is.

    `url` is empty where only its `name` is known, `region` None where the environment has to say,
    `endpoint` None for AWS itself.
    """

    name: str
    url: str = ""
    region: str | None = None
    endpoint: str | None = None


def is_sqs(url: str) -> bool:
    """Whether a queue setting means SQS at all."""
    return url.startswith(("sqs:", "https:", "http:"))


def read_address(url: str) -> QueueAddress:
    """Take a queue setting apart. Raises: ValueError, with words for the operator."""
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("credentials, query and fragment have no place in the URL of a queue")
    if parts.scheme == "sqs" and not parts.path.strip("/") and _NAME.fullmatch(parts.netloc):
        return QueueAddress(parts.netloc)
    if not parts.hostname or not _PATH.fullmatch(parts.path):
        raise ValueError(
            "not a queue URL such as https://sqs.eu-west-1.amazonaws.com/123456789012/orders "
            "or sqs://orders"
        )
    _ = parts.port  # says ValueError where it is none
    name = parts.path.rpartition("/")[2]
    found = _AWS.fullmatch(parts.hostname)
    if found is None:
        scheme = "http" if parts.scheme == "sqs" else parts.scheme
        endpoint = f"{scheme}://{parts.netloc}"
        return QueueAddress(name, f"{endpoint}{parts.path}", None, endpoint)
    region = found["new"] or found["old"] or _OLDEST_REGION
    return QueueAddress(name, f"https://{parts.netloc}{parts.path}", region)
