"""What may be kept of a request that was turned away: its headers and query without credentials.

Whoever reads it later may not send in the name of the one who sent it.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, urlencode

from hookrack.edge.auth import Auth

_SECRET: Final = re.compile(
    r"auth|cookie|credential|key|passw|pwd|secret|session|token|jwt|bearer|login|\bsid\b|^sig$"
)
_HARMLESS: Final = re.compile(r"(idempotency|event|webhook|delivery|message|object)[-_]?key")
HEADERS: Final = 64
HEADER_BYTES: Final = 8 * 1024
QUERY_CHARS: Final = 4 * 1024
HIDDEN: Final = "***"


def kept_headers(headers: Iterable[tuple[bytes, bytes]], auth: Auth) -> tuple[tuple[str, str], ...]:
    """Names and values; `***` for a value that can be a credential, and an end to their number."""
    tokens = {each.header for each in auth.schemes if each.algorithm == "token"} | {auth.header}
    kept, size = list[tuple[str, str]](), 0
    for raw_name, raw_value in headers:
        name, value = str(raw_name, "latin-1"), str(raw_value, "latin-1")
        if name in tokens or is_secret(name):
            value = HIDDEN
        size += len(name) + len(value)
        if len(kept) == HEADERS or size > HEADER_BYTES:
            break
        kept.append((name, value))
    return tuple(kept)


def kept_query(query: str) -> str:
    """A query string in which values that can be credentials are `***`."""
    if not query:
        return ""
    pairs = parse_qsl(query[:QUERY_CHARS], keep_blank_values=True)
    hidden = {name: HIDDEN for name, _ in pairs if is_secret(name.lower())}
    return urlencode([(name, hidden.get(name, value)) for name, value in pairs], safe="*")


def is_secret(name: str) -> bool:
    """Whether what is called so can be a credential."""
    return _SECRET.search(_HARMLESS.sub("", name)) is not None
