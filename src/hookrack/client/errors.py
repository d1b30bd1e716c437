"""What a call can end with, one class for each family; `code` says which thing.

ApiError               code, status, detail; violations where a body breaks its model
├── BadCall            400, 405, 408, 413 ...: the call can't be used as it is
├── Denied             401, 403: the token
├── Missing            404
├── Conflict           409
├── CursorGone         410: go on with `since` instead of `after`
├── Unready            429, 503, or nobody answers (status None): try again later
└── ServerFault        any other 5xx, and answers that make no sense
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from hookrack.errors import Code, CodedError, Violation

_SHOWN: Final = 500  # characters of what a stranger says


class ApiError(CodedError):
    """A call that didn't give what was asked for."""

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        super().__init__(code, detail)
        self.status = status
        self.retry_after = retry_after
        self.violations = violations


class BadCall(ApiError):  # noqa: N818 - families are named for what is wrong
    """The call can't be used as it is: something in it must change."""


class Denied(ApiError):  # noqa: N818 - as above
    """The token is unknown, has ended, or lacks a scope."""


class Missing(ApiError):  # noqa: N818 - as above
    """What the call names isn't there."""


class Conflict(ApiError):  # noqa: N818 - as above
    """What is there stands against it."""


class CursorGone(ApiError):  # noqa: N818 - as above
    """The cursor is from before a restore: go on with a time."""


class Unready(ApiError):  # noqa: N818 - as above
    """Not now: the server is busy, full, or doesn't answer. Safe calls were repeated."""


class ServerFault(ApiError):  # noqa: N818 - as above
    """The server failed, or what answers is no hookrack."""


_FAMILIES: Final[Mapping[int, type[ApiError]]] = {
    401: Denied,
    403: Denied,
    404: Missing,
    409: Conflict,
    410: CursorGone,
    429: Unready,
    502: Unready,
    503: Unready,
    504: Unready,
}


def read_error(status: int, body: bytes, *, headers: Mapping[str, str]) -> ApiError:
    """The error that an answer is, from its problem document where it is one."""
    family = _FAMILIES.get(status, BadCall if 400 <= status < 500 else ServerFault)
    problem = _problem(body)
    detail = str(problem.get("detail") or f"The server answers {status}.")[:_SHOWN]
    try:
        code = Code(problem.get("code", ""))
    except ValueError:  # of a newer server, or of something before it
        named = problem.get("code")
        code, detail = Code.INTERNAL, f"{named}: {detail}"[:_SHOWN] if named else detail
    return family(
        code,
        detail,
        status=status,
        retry_after=_seconds(headers.get("retry-after", "")),
        violations=_violations(problem.get("errors")),
    )


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _violations(found: object) -> tuple[Violation, ...]:
    rows = found if isinstance(found, list) else []
    return tuple(
        Violation(str(row.get("pointer", "")), str(row.get("message", "")))
        for row in rows
        if isinstance(row, dict)
    )
