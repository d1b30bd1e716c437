"""The mapping step: which template a request gets, what that sees, and what it has to yield.

What API Gateway doesn't have stands here too: the variables `$webhookKeys`, `$ttl` and
`$dedupeId`, read after the template ran, and that its output must be JSON.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl

from hookrack.edge.mapping import (
    MappingFault,
    MappingRequest,
    Rendering,
    Template,
)
from hookrack.errors import Code, Rejected
from hookrack.jsontext import find_json_fault
from hookrack.model import (
    DEDUPE_ID_CHARS,
    JSON_TYPE,
    KEYS_PER_EVENT,
    Event,
    Request,
    is_webhook_key,
    own_ttl,
)

DEFAULT_TYPE: Final = "$default"
PASSTHROUGHS: Final = ("when_no_match", "when_no_templates", "never")
STAGE: Final = "local"
_SECONDS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FlowMapping:
    """The templates of a flow by media type (lower case, or `$default`), and what goes with them."""

    templates: Mapping[str, Template]
    passthrough: str = PASSTHROUGHS[0]
    stage_variables: Mapping[str, str] = field(default_factory=dict)

    def choose(self, content_type: str) -> Template | None:
        """The template for a request; None where its body passes through.

        Raises: Rejected (`CONTENT_TYPE_UNSUPPORTED`).
        """
        media_type = content_type.partition(";")[0].strip().lower()
        found = self.templates.get(media_type) or self.templates.get(DEFAULT_TYPE)
        if found is not None:
            return found
        refuses = self.passthrough == "never" or (
            self.passthrough == "when_no_templates" and self.templates
        )
        if refuses:
            detail = "No template of this flow is for the content type."
            raise Rejected(Code.CONTENT_TYPE_UNSUPPORTED, detail)
        return None

    def apply(self, template: Template, request: Request, *, event_id: str) -> Event:
        """The event that a template makes of a request.

        Raises: Rejected (`MAPPING_FAILED`, `KEYS_INVALID`, `TTL_INVALID`).
        """
        rendering = _render(template, self._seen(request, event_id))
        data = rendering.text.encode(errors="surrogatepass")
        if fault := find_json_fault(data):
            raise _failed(template, f"its output is not JSON: {fault}")
        return Event(
            id=event_id,
            account=request.account,
            flow=request.flow,
            received_at=request.received_at,
            content_type=JSON_TYPE,
            data=data,
            keys=_keys(rendering.webhook_keys),
            ttl=_ttl(rendering.ttl),
            dedupe_id=_dedupe_id(rendering.dedupe_id),
        )

    def _seen(self, request: Request, event_id: str) -> MappingRequest:
        try:
            body = request.body.decode()
        except UnicodeDecodeError as exc:
            detail = "The body is not UTF-8, which a template can't read."
            raise Rejected(Code.MAPPING_FAILED, detail) from exc
        headers = _multi((str(k, "latin-1"), str(v, "latin-1")) for k, v in request.headers)
        return MappingRequest(
            body=body,
            headers=headers,
            query=_multi(parse_qsl(request.query, keep_blank_values=True)),
            path={},
            context=_context(request, headers, event_id),
            stage_variables=self.stage_variables,
        )


def _multi(pairs: Any) -> dict[str, str | list[str]]:  # noqa: ANN401 - an iterable of pairs
    """Names with their value, or the list of them where there are several."""
    found: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = found.get(name)
        if before is None:
            found[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            found[name] = [before, value]
    return found


def _context(
    request: Request, headers: Mapping[str, str | list[str]], event_id: str
) -> dict[str, Any]:
    """What stands in `$context` of a request that came in here; names are API Gateway's."""
    at = dt.datetime.fromtimestamp(request.received_at / 1000, dt.UTC)
    path = f"/in/{request.account}/{request.flow}"
    host = headers.get("host", "")
    agent = headers.get("user-agent", "")
    return {
        "requestId": event_id,
        "extendedRequestId": event_id,
        "httpMethod": "POST",
        "path": path,
        "resourcePath": path,
        "protocol": "HTTP/1.1",
        "stage": STAGE,
        "domainName": host if isinstance(host, str) else host[0],
        "requestTime": at.strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": request.received_at,
        "identity": {
            "sourceIp": request.client,
            "userAgent": agent if isinstance(agent, str) else agent[0],
        },
    }


def _render(template: Template, request: MappingRequest) -> Rendering:
    try:
        return template.render(request)
    except MappingFault as exc:
        raise _failed(template, str(exc)) from exc


def _failed(template: Template, why: str) -> Rejected:
    return Rejected(Code.MAPPING_FAILED, f"The template {template.name} failed: {why}.")


def _keys(given: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - whatever a template set
    """The webhook keys that a template names instead of the flow's; each once."""
    if given is None:
        return None
    if not isinstance(given, list) or not 1 <= len(given) <= KEYS_PER_EVENT:
        detail = f"$webhookKeys is no list of 1 to {KEYS_PER_EVENT} webhook keys."
        raise Rejected(Code.KEYS_INVALID, detail)
    keys = tuple(dict.fromkeys(given if all(isinstance(key, str) for key in given) else ()))
    if not keys or not all(is_webhook_key(key) for key in keys):
        raise Rejected(Code.KEYS_INVALID, "One of $webhookKeys is no webhook key.")
    return keys


def _ttl(given: Any) -> timedelta | None:  # noqa: ANN401 - whatever a template set
    """The time to live that a template gives, in whole seconds; an empty one is none."""
    if given is None or given == "":
        return None
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or not _SECONDS.fullmatch(text) or int(text) == 0:
        raise Rejected(Code.TTL_INVALID, "$ttl is no whole number of seconds above 0.")
    return own_ttl(int(text))


def _dedupe_id(given: Any) -> str | None:  # noqa: ANN401 - whatever a template set
    """The dedupe id that a template gives; an empty one is none."""
    if given is None or given == "":
        return None
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or len(text) > DEDUPE_ID_CHARS:
        detail = f"$dedupeId is no text of at most {DEDUPE_ID_CHARS} characters."
        raise Rejected(Code.MAPPING_FAILED, detail)
    return text
