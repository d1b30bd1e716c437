"""What FastAPI leaves out of the OpenAPI document: what may follow an answer, how ids look."""

from typing import Any, Final

_ACCOUNT: Final = {"account": "$request.path.account"}
_FLOW: Final = _ACCOUNT | {"flow": "$request.path.flow"}
_KEY: Final = {"key": "$request.path.key"}
_EVENT: Final = {"event_id": "$response.body#/eventId"}
# A call, its answer, the call that may follow it, and where that finds what it needs.
_LINKS: Final[tuple[tuple[str, str, str, dict[str, str]], ...]] = (
    ("PUT /v1/keys/{key}", "201", "GET /v1/keys/{key}", _KEY),
    ("PUT /v1/keys/{key}", "201", "GET /v1/events/{event_id}", _EVENT),
    ("PUT /v1/keys/{key}", "201", "DELETE /v1/keys/{key}/events/{event_id}", _KEY | _EVENT),
    ("POST /v1/set", "201", "GET /v1/events/{event_id}", _EVENT),
    ("GET /v1/keys/{key}", "200", "GET /v1/events/{event_id}", _EVENT),
    ("PUT /v1/accounts/{account}", "201", "GET /v1/accounts/{account}", _ACCOUNT),
    ("PUT /v1/accounts/{account}", "201", "GET /v1/accounts/{account}/flows", _ACCOUNT),
    ("PUT /v1/accounts/{account}", "201", "PUT /v1/accounts/{account}/flows/{flow}", _ACCOUNT),
    ("PUT /v1/accounts/{account}", "201", "DELETE /v1/accounts/{account}", _ACCOUNT),
    *(
        ("PUT /v1/accounts/{account}/flows/{flow}", status, call, _FLOW)
        for status in ("200", "201")
        for call in (
            "GET /v1/accounts/{account}/flows/{flow}",
            "PUT /v1/accounts/{account}/flows/{flow}",
            "DELETE /v1/accounts/{account}/flows/{flow}",
        )
    ),
    ("POST /v1/tokens", "201", "DELETE /v1/tokens/{token_id}", {"token_id": "$response.body#/id"}),
)


# Our own codes refuse what doesn't fit, so FastAPI isn't to check it.
_NAME: Final = "^[a-z0-9][a-z0-9_-]{0,62}$"
_PATTERNS: Final = {
    "account": _NAME,
    "flow": _NAME,
    "key": "^[A-Za-z0-9._~:-]{1,128}$",
    "event_id": "^[A-Za-z0-9_=-]{1,64}$",
}


def linked(document: dict[str, Any]) -> dict[str, Any]:
    """The document with links and patterns; done twice it is the same."""
    for path in document["paths"].values():
        for call in path.values():
            for each in call.get("parameters", ()):
                if each["in"] == "path" and each["name"] in _PATTERNS:
                    each["schema"]["pattern"] = _PATTERNS[each["name"]]
    for call, status, then, parameters in _LINKS:
        name = _operation(document, then)["operationId"]
        links = _operation(document, call)["responses"][status].setdefault("links", {})
        links[name] = {"operationId": name, "parameters": parameters}
    return document


def _operation(document: dict[str, Any], call: str) -> dict[str, Any]:
    method, _, path = call.partition(" ")
    found: dict[str, Any] = document["paths"][path][method.lower()]
    return found
