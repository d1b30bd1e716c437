"""The HTTP reference: the hot routes in words, the others from the OpenAPI document."""

from collections.abc import Mapping
from typing import Any, Final

from docs.generate.text import code, page, table

from hookrack.entrypoints.http.api import describe_api

_METHODS: Final = ("get", "put", "post", "delete")
_HEAD: Final = """
Bodies are JSON; refusals are problem documents, see [errors](errors.md). A running server shows the
calls at `/docs`, and for programs at `/openapi.json`.

A token comes in `Authorization: Bearer <token>`. A token for one account needs no more; one for
several or all names the account in the header `Hookrack-Account`. No or a bad token is 401, a
missing scope 403, and another account's anything 404.

## Front door

### POST /in/{account}/{flow}

Takes a webhook; for a flow with auth `secret` the address is `/in/{account}/{flow}/{secret}`. No
token: the flow's own auth decides, a signature among the ways (see [schemes](schemes.md)). A
request without a Content-Type counts as JSON, which must be valid; any other type is kept as bytes.

202 `{"eventId": "...", "status": "accepted"}` once the queue has it on disk, with the id in the
header `Hookrack-Event-Id` too. Refusals: 400 `BODY_NOT_JSON`, `MODEL_VIOLATION`; 401
`CREDENTIAL_INVALID`, `SIGNATURE_INVALID`; 403 `ADDRESS_NOT_ALLOWED`; 404 `FLOW_UNKNOWN`,
`NOT_FOUND`; 405 `METHOD_NOT_ALLOWED`; 413 `BODY_TOO_LARGE`; 415 `CONTENT_TYPE_UNSUPPORTED`; 502
`CONFIRMATION_FAILED`; 503 `STORE_UNAVAILABLE`, `STORE_FULL` with `Retry-After`.

Questions that some providers ask of their address are answered instead, and nothing is kept. Only
for those that ask by GET or HEAD is anything but POST allowed here.

## Webhook keys

### GET /v1/keys/{key}

The newest live entry under a webhook key. Scope `read`.

| query | is |
| --- | --- |
| `raw` | true or false; true gives the data alone, with its own content type |
| `wait` | 0 to 30 seconds; holds the answer until there is an entry that isn't in `If-None-Match` |

200 with `{"eventId", "webhookKey", "account", "flow", "receivedAt", "storedAt", "expiresAt",
"cursor", "contentType", "data"}`; `dataBase64` instead of `data` where it isn't JSON. The ETag is
the event id; with a fitting `If-None-Match` the answer is 304. Refusals: 400 `KEY_INVALID`,
`ACCOUNT_REQUIRED`, `QUERY_INVALID`; 401 `TOKEN_INVALID`; 403 `SCOPE_MISSING`; 404 `NO_EVENT`,
`ACCOUNT_UNKNOWN`; 503 `STORE_UNAVAILABLE`, and for `wait` `TOO_MANY_WAITERS`.

## Health

### GET /livez

200 `{"status": "live"}` while the process serves. No token.

### GET /readyz

200 `{"status": "ready", "checks": {...}}` when the store and the queue answer and the workers of
this process run; else 503, and the check that fails says so. No token.
"""


def http_page() -> str:
    """The hot routes, then what the OpenAPI document says of the others."""
    document = describe_api().openapi()
    groups: dict[str, list[str]] = {}
    for path, calls in document["paths"].items():
        for method in (each for each in _METHODS if each in calls):
            call = calls[method]
            section = _call(f"{method.upper()} {path}", call, document["components"]["schemas"])
            groups.setdefault(call["tags"][0], []).append(section)
    tagged = [f"## {tag.capitalize()}\n\n" + "\n\n".join(each) for tag, each in groups.items()]
    return page("HTTP", _HEAD, *tagged)


def _call(title: str, call: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    parts = [f"### {title}", call["description"]]
    queries = [each for each in call.get("parameters", ()) if each["in"] == "query"]
    if queries:
        rows = [(code(each["name"]), _kind(each["schema"])) for each in queries]
        parts.append(table(("query", "is"), rows))
    if "requestBody" in call:
        (content,) = call["requestBody"]["content"].values()
        about = call["requestBody"].get("description")
        parts.append(f"Body: {about}." if about else _body(content["schema"], schemas))
    statuses = [status for status in call["responses"] if status != "default"]
    parts.append(f"Answers {' or '.join(statuses)}.")
    return "\n\n".join(parts)


def _body(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    if "anyOf" in schema:  # one that may be left out
        schema = schema["anyOf"][0]
    schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "properties" not in schema:
        return f"Body: {schema['description']}"
    needed = schema.get("required", ())
    rows = [
        (code(name), _kind(each) + (", needed" if name in needed else ""))
        for name, each in schema["properties"].items()
    ]
    return table(("field of the body", "is"), rows)


def _kind(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words."""
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each["type"] != "null")
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return "of " + ", ".join(code(each) for each in schema["enum"])
    if schema["type"] == "array":
        most = f", at most {schema['maxItems']:,}" if "maxItems" in schema else ""
        return f"a list ({_kind(schema['items'])}{most})"
    words = {"string": "a text", "boolean": "true or false", "integer": "a whole number"}
    kind = "a time (RFC 3339)" if schema.get("format") == "date-time" else words[schema["type"]]
    reach = f" from {schema['minimum']} to {schema['maximum']}" if "maximum" in schema else ""
    default = schema.get("default")
    if default is None:
        return kind + reach
    return f"{kind}{reach}; default {code(str(default).lower())}"
