"""Refusals in API Gateway's own words, for flows that say `responses: apigateway`."""

from typing import Final

from hookrack.edge.mapping.gateway import ResponseType, response
from hookrack.entrypoints.http.exchange import Header
from hookrack.entrypoints.http.problems import retry_after
from hookrack.errors import CATALOGUE, Code, CodedError

_TYPES: Final = {
    Code.BODY_NOT_JSON: ResponseType.BAD_REQUEST_BODY,
    Code.MODEL_VIOLATION: ResponseType.BAD_REQUEST_BODY,
    Code.BODY_TOO_LARGE: ResponseType.REQUEST_TOO_LARGE,
    Code.CONTENT_TYPE_UNSUPPORTED: ResponseType.UNSUPPORTED_MEDIA_TYPE,
    Code.CREDENTIAL_INVALID: ResponseType.INVALID_API_KEY,
    Code.METHOD_NOT_ALLOWED: ResponseType.MISSING_AUTHENTICATION_TOKEN,
    Code.MAPPING_FAILED: ResponseType.API_CONFIGURATION_ERROR,
    Code.KEYS_INVALID: ResponseType.API_CONFIGURATION_ERROR,
    Code.TTL_INVALID: ResponseType.API_CONFIGURATION_ERROR,
}
_BY_STATUS: Final = {
    400: ResponseType.BAD_REQUEST_BODY,
    401: ResponseType.UNAUTHORIZED,
    403: ResponseType.ACCESS_DENIED,
    429: ResponseType.THROTTLED,
}


def gateway_answer(error: CodedError) -> tuple[int, list[Header], bytes]:
    """Status, headers and body that API Gateway would answer with; Retry-After stays."""
    status = CATALOGUE[error.code].status
    default = ResponseType.INTEGRATION_FAILURE if status >= 500 else ResponseType.BAD_REQUEST_BODY
    found = response(_TYPES.get(error.code) or _BY_STATUS.get(status, default))
    headers = [(k.lower().encode(), v.encode()) for k, v in found.headers().items()]
    if error.retry_after is not None:
        headers.append(retry_after(error.retry_after))
    return found.status, headers, found.body().encode()
