"""Errors as answers: RFC 9457 problem details, one place for all of them."""

import math
import random
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from hookrack.entrypoints.http.exchange import Header
from hookrack.errors import CATALOGUE, Code, CodedError, Rejected, Violation

_TYPE: Final[Header] = (b"content-type", b"application/problem+json")
_LEAST_SPREAD: Final = 3  # seconds
NO_JSON: Final = "The body is JSON: send it with Content-Type: application/json."
# After these the rest of the request may still be on its way: the connection can't be used again.
_CLOSING: Final = frozenset(
    {
        Code.REQUEST_INVALID,
        Code.REQUEST_TIMEOUT,
        Code.URL_TOO_LONG,
        Code.HEADERS_TOO_LARGE,
        Code.TOO_MANY_CONNECTIONS,
        Code.BODY_TOO_LARGE,
        Code.BODY_INCOMPLETE,
    }
)


def problem(error: CodedError) -> tuple[int, list[Header], bytes]:
    """Status, headers and body for an error with a code."""
    row = CATALOGUE[error.code]
    headers = [_TYPE]
    if error.retry_after is not None:
        headers.append(retry_after(error.retry_after))
    if error.code is Code.TOKEN_INVALID:
        headers.append((b"www-authenticate", b'Bearer realm="hookrack"'))
    if isinstance(error, Rejected) and error.challenge:
        headers.append((b"www-authenticate", b'%b realm="hookrack"' % error.challenge.encode()))
    if error.code in _CLOSING:
        headers.append((b"connection", b"close"))
    body: dict[str, object] = {
        "type": f"urn:hookrack:problem:{error.code}",
        "title": row.title,
        "status": row.status,
        "detail": error.detail,
        "code": error.code,
    }
    if isinstance(error, Rejected) and error.violations:
        body["errors"] = [{"pointer": v.pointer, "message": v.message} for v in error.violations]
    return row.status, headers, orjson.dumps(body)


def retry_after(seconds: float) -> Header:
    """When to come back: not before, and not all at once."""
    whole = math.ceil(seconds)
    spread = max(_LEAST_SPREAD, whole // 2)
    return (b"retry-after", b"%d" % (whole + random.randint(0, spread)))  # noqa: S311 - jitter


def method_not_allowed(*allowed: str) -> tuple[int, list[Header], bytes]:
    """405 with the methods that are there."""
    names = ", ".join(allowed)
    error = CodedError(Code.METHOD_NOT_ALLOWED, f"Allowed here: {names}.")
    status, headers, body = problem(error)
    return status, [*headers, (b"allow", names.encode())], body


def unfit(faults: Iterable[tuple[Sequence[object], str]]) -> Rejected:
    """What a body or query of another shape is refused with; each fault is a place and words."""
    found = [Violation("/" + "/".join(map(str, place)), words) for place, words in faults]
    detail = f"{found[0].pointer or '/'}: {found[0].message}." if found else "See the reference."
    return Rejected(Code.QUERY_INVALID, detail, violations=found)
