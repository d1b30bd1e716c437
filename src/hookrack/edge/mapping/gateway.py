"""API Gateway's own answers: what it says where hookrack would say a problem of its own."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final


class ResponseType(Enum):
    """A gateway response by its name, with status and message."""

    BAD_REQUEST_BODY = (400, "Invalid request body")
    BAD_REQUEST_PARAMETERS = (400, "Missing required request parameters")
    UNAUTHORIZED = (401, "Unauthorized")
    ACCESS_DENIED = (403, "Forbidden")
    INVALID_API_KEY = (403, "Forbidden ")
    MISSING_AUTHENTICATION_TOKEN = (403, "Missing Authentication Token")
    REQUEST_TOO_LARGE = (413, "Request Too Long")
    UNSUPPORTED_MEDIA_TYPE = (415, "Unsupported Media Type")
    THROTTLED = (429, "Too Many Requests")
    QUOTA_EXCEEDED = (429, "Limit Exceeded")
    API_CONFIGURATION_ERROR = (500, "Internal server error")
    INTEGRATION_FAILURE = (504, "Internal server error")
    INTEGRATION_TIMEOUT = (504, "Endpoint request timed out")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def message(self) -> str:
        """What the body says."""
        return self.value[1].strip()


# The header that names the kind of a failure, by response type.
_ERROR_TYPES: Final = {
    ResponseType.BAD_REQUEST_BODY: "BadRequestException",
    ResponseType.BAD_REQUEST_PARAMETERS: "BadRequestException",
    ResponseType.UNAUTHORIZED: "UnauthorizedException",
    ResponseType.ACCESS_DENIED: "AccessDeniedException",
    ResponseType.INVALID_API_KEY: "ForbiddenException",
    ResponseType.MISSING_AUTHENTICATION_TOKEN: "MissingAuthenticationTokenException",
    ResponseType.REQUEST_TOO_LARGE: "RequestTooLargeException",
    ResponseType.UNSUPPORTED_MEDIA_TYPE: "UnsupportedMediaTypeException",
    ResponseType.THROTTLED: "TooManyRequestsException",
    ResponseType.QUOTA_EXCEEDED: "LimitExceededException",
}
_SERVER_ERROR: Final = "InternalServerErrorException"


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """An answer as API Gateway gives it."""

    type: ResponseType
    message: str

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.type.status

    def body(self) -> str:
        """The body: a JSON object with the message alone."""
        return json.dumps({"message": self.message}, ensure_ascii=False, separators=(",", ":"))

    def headers(self) -> dict[str, str]:
        """The headers that say what the body is and what kind of failure it tells of."""
        kind = _ERROR_TYPES.get(self.type, _SERVER_ERROR)
        return {"Content-Type": "application/json", "x-amzn-ErrorType": kind}


def response(kind: ResponseType) -> GatewayResponse:
    """The default answer of a type."""
    return GatewayResponse(kind, kind.message)


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
    listed = f"{ResponseType.BAD_REQUEST_PARAMETERS.message}: [{', '.join(found)}]"
    return GatewayResponse(ResponseType.BAD_REQUEST_PARAMETERS, listed)
