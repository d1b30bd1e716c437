"""API Gateway's own answers: what it says where hookrack would say a problem of its own."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class ResponseType(Enum):
    """The gateway responses, by name."""

    BAD_REQUEST_BODY = auto()
    BAD_REQUEST_PARAMETERS = auto()
    UNAUTHORIZED = auto()
    ACCESS_DENIED = auto()
    INVALID_API_KEY = auto()
    MISSING_AUTHENTICATION_TOKEN = auto()
    REQUEST_TOO_LARGE = auto()
    UNSUPPORTED_MEDIA_TYPE = auto()
    THROTTLED = auto()
    QUOTA_EXCEEDED = auto()
    API_CONFIGURATION_ERROR = auto()
    INTEGRATION_FAILURE = auto()
    INTEGRATION_TIMEOUT = auto()


# Status, message, and the header that names the kind of failure.
_SERVER_ERROR: Final = "InternalServerErrorException"
_ANSWERS: Final = {
    ResponseType.BAD_REQUEST_BODY: (400, "Invalid request body", "BadRequestException"),
    ResponseType.BAD_REQUEST_PARAMETERS: (
        400,
        "Missing required request parameters",
        "BadRequestException",
    ),
    ResponseType.UNAUTHORIZED: (401, "Unauthorized", "UnauthorizedException"),
    ResponseType.ACCESS_DENIED: (403, "Forbidden", "AccessDeniedException"),
    ResponseType.INVALID_API_KEY: (403, "Forbidden", "ForbiddenException"),
    ResponseType.MISSING_AUTHENTICATION_TOKEN: (
        403,
        "Missing Authentication Token",
        "MissingAuthenticationTokenException",
    ),
    ResponseType.REQUEST_TOO_LARGE: (413, "Request Too Long", "RequestTooLargeException"),
    ResponseType.UNSUPPORTED_MEDIA_TYPE: (
        415,
        "Unsupported Media Type",
        "UnsupportedMediaTypeException",
    ),
    ResponseType.THROTTLED: (429, "Too Many Requests", "TooManyRequestsException"),
    ResponseType.QUOTA_EXCEEDED: (429, "Limit Exceeded", "LimitExceededException"),
    ResponseType.API_CONFIGURATION_ERROR: (500, "Internal server error", _SERVER_ERROR),
    ResponseType.INTEGRATION_FAILURE: (504, "Internal server error", _SERVER_ERROR),
    ResponseType.INTEGRATION_TIMEOUT: (504, "Endpoint request timed out", _SERVER_ERROR),
}


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """An answer as API Gateway gives it."""

    type: ResponseType
    message: str

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _ANSWERS[self.type][0]

    def body(self) -> str:
        """The body: a JSON object with the message alone."""
        return json.dumps({"message": self.message}, ensure_ascii=False, separators=(",", ":"))

    def headers(self) -> dict[str, str]:
        """The headers that say what the body is and what kind of failure it tells of."""
        return {"Content-Type": "application/json", "x-amzn-ErrorType": _ANSWERS[self.type][2]}


def response(kind: ResponseType) -> GatewayResponse:
    """The default answer of a type."""
    return GatewayResponse(kind, _ANSWERS[kind][1])


_SOURCES: Final = ("header", "path", "querystring")
_PREFIX: Final = "method.request."


def missing_parameters(
    required: Iterable[str],
    *,
    headers: Mapping[str, str],
    path: Mapping[str, str],
    query: Mapping[str, str],
) -> GatewayResponse | None:
    """The 400 that names required parameters which are missing or blank, or None.

    `required` are full names such as `method.request.header.x-id`; their case counts.
    """
    given = {"header": headers, "path": path, "querystring": query}
    found = []
    for name in sorted(required):
        source, _, own = name.removeprefix(_PREFIX).partition(".")
        if source in _SOURCES and not (given[source].get(own) or "").strip():
            found.append(own)
    if not found:
        return None
    kind = ResponseType.BAD_REQUEST_PARAMETERS
    return GatewayResponse(kind, f"{_ANSWERS[kind][1]}: [{', '.join(found)}]")
