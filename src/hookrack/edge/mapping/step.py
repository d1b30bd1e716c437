"""The mapping step: which template a request gets, what that sees, and what it has to yield.

What API Gateway doesn't have stands here too: the variables `$webhookKeys`, `$ttl` and
`$dedupeId`, read after the template ran, and that its output must be JSON.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl

from hookrack.edge.mapping import Limits, MappingFault, MappingRequest, Rendering, Template
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.select import Passthrough, Transform, Unsupported, select
from hookrack.edge.mapping.values import paired, show
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

STAGE: Final = "local"
_HALF: Final = re.compile("[\ud800-\udfff]")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_SECONDS: Final = re.compile(r"[1-9][0-9]*", re.ASCII)
_SHOWN: Final = 4 * DEDUPE_ID_CHARS  # letters of a list or map that are printed
_SECONDS_DIGITS: Final = 18  # what has more is capped all the same


@dataclass(frozen=True, slots=True)
class FlowMapping:
    """The templates of a flow by media type (lower case, or `$default`), and what they need."""

    templates: Mapping[str, Template]
    passthrough: Passthrough = Passthrough.WHEN_NO_MATCH
    stage_variables: Mapping[str, str] = field(default_factory=dict)

    def choose(self, content_type: str) -> Template | None:
        """The template for a request; None where its body passes through.

        Raises: Rejected (`CONTENT_TYPE_UNSUPPORTED`).
        """
        if (exact := self.templates.get(content_type)) is not None:
            return exact
        found = select(self.templates, content_type, passthrough=self.passthrough)
        if isinstance(found, Unsupported):
            detail = "No template of this flow is for the content type."
            raise Rejected(Code.CONTENT_TYPE_UNSUPPORTED, detail)
        return found.template if isinstance(found, Transform) else None

    def apply(
        self, template: Template, request: Request, *, event_id: str, limits: Limits
    ) -> Event:
        """The event that a template makes of a request.

        Raises: Rejected (`MAPPING_FAILED`, `KEYS_INVALID`, `TTL_INVALID`).
        """
        rendering = _render(template, self.seen(request, event_id), limits)
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

    def seen(self, request: Request, event_id: str) -> MappingRequest:
        """What a template sees of a request. Raises: Rejected (`MAPPING_FAILED`)."""
        try:
            body = request.body.decode()
        except UnicodeDecodeError as exc:
            detail = "The body is not UTF-8, which a template can't read."
            raise Rejected(Code.MAPPING_FAILED, detail) from exc
        headers = _Late(_headers, request)
        return MappingRequest(
            body=body,
            headers=headers,
            query=_Late(_query, request) if request.query else _NONE,
            context=_Late(_context, request, headers, event_id),
            stage_variables=self.stage_variables,
        )


class _Late(Mapping[str, Any]):
    """A mapping that is made when a template first looks into it."""

    __slots__ = ("_given", "_made", "_make")

    def __init__(self, make: Callable[..., Mapping[str, Any]], *given: Any) -> None:
        self._make = make
        self._given = given
        self._made: Mapping[str, Any] | None = None

    def _all(self) -> Mapping[str, Any]:
        if self._made is None:
            self._made = self._make(*self._given)
        return self._made

    def __getitem__(self, name: str) -> Any:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


def _headers(request: Request) -> dict[str, str | list[str]]:
    return _multi((str(name, "latin-1"), str(value, "latin-1")) for name, value in request.headers)


def _query(request: Request) -> dict[str, str | list[str]]:
    return _multi(parse_qsl(request.query, keep_blank_values=True))


def _multi(pairs: Iterable[tuple[str, str]]) -> dict[str, str | list[str]]:
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


def _context(request: Request, headers: Mapping[str, Any], event_id: str) -> dict[str, Any]:
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


def _render(template: Template, request: MappingRequest, limits: Limits) -> Rendering:
    try:
        return template.render(request, limits=limits)
    except MappingFault as exc:
        raise _failed(template, str(exc)) from exc


def _failed(template: Template, why: str) -> Rejected:
    return Rejected(Code.MAPPING_FAILED, f"The template {template.name} failed: {why}.")


def _keys(given: Any) -> tuple[str, ...] | None:
    """The webhook keys that a template names instead of the flow's, as they print; each once."""
    if given is None or given == "":
        return None
    listed = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(listed, list) or not 1 <= len(listed) <= KEYS_PER_EVENT:
        detail = f"$webhookKeys is no list of 1 to {KEYS_PER_EVENT} webhook keys."
        raise Rejected(Code.KEYS_INVALID, detail)
    keys: dict[str, None] = {}
    for each in listed:
        key = _shown(each)
        if not is_webhook_key(key):
            raise Rejected(Code.KEYS_INVALID, "One of $webhookKeys is no webhook key.")
        keys[key] = None
    return tuple(keys)


def _shown(value: Any) -> str:
    """The print of what a variable was set to; of what prints too much, a text that is too long."""
    try:
        return "" if value is None else show(value, limit=_SHOWN)
    except (JavaException, RecursionError):
        return "." * _SHOWN


def _ttl(given: Any) -> timedelta | None:
    """The time to live that a template gives, in whole seconds; an empty one is none."""
    text = _shown(given)
    if not text:
        return None
    if not _SECONDS.fullmatch(text):
        raise Rejected(Code.TTL_INVALID, "$ttl is no whole number of seconds above 0.")
    return own_ttl(int(text[: _SECONDS_DIGITS + 1]))


def _dedupe_id(given: Any) -> str | None:
    """The dedupe id that a template gives; an empty one is none."""
    text = paired(_shown(given))
    if len(text) > DEDUPE_ID_CHARS:
        detail = f"$dedupeId is longer than {DEDUPE_ID_CHARS} characters."
        raise Rejected(Code.MAPPING_FAILED, detail)
    if _HALF.search(text):
        raise Rejected(Code.MAPPING_FAILED, "$dedupeId holds half of a surrogate pair.")
    return text or None
