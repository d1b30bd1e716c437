"""Accounts, flows and webhook keys: read from a flow file or the API, and written out again.

Every fault names its field, the file and line where there is one, and the mend.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hookrack import mapping_fields
from hookrack.edge.auth import Auth, Credential
from hookrack.edge.dedupe import NO_SOURCE, Dedupe
from hookrack.edge.mapping.step import FlowMapping
from hookrack.edge.schema import Model
from hookrack.errors import ConfigError
from hookrack.fields import SHAPE, Fields, Place, load_yaml
from hookrack.flow_auth import auth_document, read_auth
from hookrack.limit_fields import account_limits_document, limits_of, read_quotas, read_rate
from hookrack.model import (
    DEDUPE_WINDOW,
    DEFAULT_MAX_TTL,
    DEFAULT_TTL,
    KEYS_PER_EVENT,
    is_name,
    is_webhook_key,
)
from hookrack.quotas import NO_QUOTAS, Quotas
from hookrack.settings import Network, parse_network

VERSION: Final = 1
DEFAULT_BODY_BYTES: Final = 700 * 1024
LARGEST_BODY_BYTES: Final = 25 * 1024 * 1024
LONGEST_WINDOW: Final = timedelta(days=30)
NETWORKS_PER_FLOW: Final = 100
MODEL_BYTES: Final = 400 * 1024  # API Gateway's limit

APIGATEWAY: Final = "apigateway"
ACCEPTED: Final = 202  # what a sender is answered with, unless `response` says 200 or 201
RESPONSES: Final = ("problem", APIGATEWAY)  # whose words a refusal has

FRONTS: Final = ("auto", "direct", "lambda")  # what takes requests on AWS, see aws/doors.py

_FLOW_FIELDS: Final = (
    *("ttl", "keys", "auth", "allow", "model"),
    *mapping_fields.FIELDS,
    *("dedupe", "response", "responses", "senderRetries", "limits", "aws"),
)
_ID_RULE: Final = "Use 1 to 63 of a-z 0-9 _ -, the first a letter or digit."
_KEY_RULE: Final = "Use 1 to 128 of A-Z a-z 0-9 . _ ~ : - and not dots alone."


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """One address of a flow's events, with a time to live of its own or None."""

    key: str
    ttl: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """One integration of an account: its door, its model, its keys, its time to live."""

    account: str
    id: str
    keys: tuple[WebhookKey, ...]
    auth: Auth
    ttl: timedelta | None = None
    model: Model | None = None
    max_body_bytes: int = DEFAULT_BODY_BYTES
    per_second: int | None = None
    per_address: int | None = None
    mapping: FlowMapping | None = None
    dedupe: Dedupe = NO_SOURCE
    response_status: int = ACCEPTED
    responses: str = RESPONSES[0]
    allow: tuple[Network, ...] = ()
    front: str = FRONTS[0]
    sender_retries: bool | None = None

    @property
    def tried_again(self) -> bool:
        """Whether its sender tries again after a refusal; if it isn't said, as its auth has it."""
        return self.auth.retries if self.sender_retries is None else self.sender_retries


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant; `max_ttl` caps every time to live in it."""

    id: str
    flows: Mapping[str, Flow]
    ttl: timedelta | None = None
    max_ttl: timedelta = DEFAULT_MAX_TTL
    per_second: int | None = None
    quotas: Quotas = NO_QUOTAS

    def resolve_ttl(
        self, flow: Flow, key: WebhookKey, *, own: timedelta | None = None
    ) -> timedelta:
        """Event's own > key's > flow's > account's > 24 h, capped by `max_ttl`."""
        return self.resolve_direct_ttl(own or key.ttl or flow.ttl)

    def resolve_direct_ttl(self, own: timedelta | None) -> timedelta:
        """The same for what belongs to no flow: own > account's > 24 h, capped by `max_ttl`."""
        return min(own or self.ttl or DEFAULT_TTL, self.max_ttl)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one file says: settings for the process, and accounts by id."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)  # a token among them

    def find_flow(self, account: str, flow: str) -> Flow | None:
        """The flow of that account, or None."""
        found = self.accounts.get(account)
        return found.flows.get(flow) if found else None

    def flows(self) -> Iterator[Flow]:
        """Every flow of every account."""
        for account in self.accounts.values():
            yield from account.flows.values()


def read_configuration(path: Path, *, environ: Mapping[str, str]) -> Configuration:
    """Read and check a flow file and the models it names.

    Raises: ConfigError, naming the file, line and field, and the mend.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
        raise ConfigError(
            f"can't be read: {reason}",
            where=str(path),
            mend="Name a flow file that is there, in UTF-8.",
        ) from exc
    return parse_configuration(text, name=str(path), environ=environ, folder=path.parent)


def parse_configuration(
    text: str, *, name: str, environ: Mapping[str, str], folder: Path | None = None
) -> Configuration:
    """Check the text of a flow file; `name` is what faults call it. Raises: ConfigError."""
    document = load_yaml(text, name)
    if not isinstance(document, Mapping):
        raise ConfigError("is not a mapping", where=name, mend=SHAPE)
    top = Fields(document, at=Place(name, environ, folder))
    top.only("version", "settings", "accounts")
    if type(version := top.required("version")) is not int or version != VERSION:
        top.refuse("version", "is not a version that this hookrack reads", f"Write {VERSION}.")
    settings = top.mapping("settings") if "settings" in top.values else top.empty("settings")
    accounts = top.mapping("accounts") if "accounts" in top.values else top.empty("accounts")
    return Configuration(
        accounts={each: _account(each, accounts) for each in accounts.names(is_name, _ID_RULE)},
        settings={str(key): settings.expanded(key) for key in settings.values},
    )


def read_account(name: str, document: object, *, flows: Mapping[str, Flow]) -> Account:
    """An account of its own fields, as the API and the registry have them. Raises: ConfigError."""
    top = Fields({name: document}, at=Place("the request"))
    own = top.mapping(name)
    own.only("ttl", "maxTtl", "limits")
    return _account_of(name, own, flows=flows)


def read_flow(
    name: str, document: object, *, account: str, max_ttl: timedelta | None = None
) -> Flow:
    """A flow of its fields, as the API and the registry have them. Raises: ConfigError."""
    return _flow(account, name, Fields({name: document}, at=Place("the request")), max_ttl=max_ttl)


def _account(name: str, accounts: Fields) -> Account:
    own = accounts.mapping(name)
    own.only("ttl", "maxTtl", "limits", "flows")
    max_ttl = own.duration("maxTtl") or DEFAULT_MAX_TTL
    listed = own.mapping("flows") if "flows" in own.values else own.empty("flows")
    flows = {
        each: _flow(name, each, listed, max_ttl=max_ttl) for each in listed.names(is_name, _ID_RULE)
    }
    return _account_of(name, own, flows=flows)


def _account_of(name: str, own: Fields, *, flows: Mapping[str, Flow]) -> Account:
    max_ttl = own.duration("maxTtl") or DEFAULT_MAX_TTL
    ttl = own.duration("ttl", at_most=max_ttl)
    limits = limits_of(own)
    return Account(
        id=name,
        flows=flows,
        ttl=ttl,
        max_ttl=max_ttl,
        quotas=read_quotas(limits),
        per_second=read_rate(limits, "perSecond"),
    )


def _flow(account: str, name: str, flows: Fields, *, max_ttl: timedelta | None) -> Flow:
    own = flows.mapping(name)
    own.only(*_FLOW_FIELDS)
    limits = limits_of(own)
    limits.only("maxBodyBytes", "perSecond", "perSecondPerAddress")
    mapping = mapping_fields.read_mapping(own)
    return Flow(
        account=account,
        id=name,
        keys=_keys(own, max_ttl=max_ttl, may_lack=mapping is not None),
        auth=read_auth(own),
        allow=_allow(own),
        ttl=own.duration("ttl", at_most=max_ttl),
        model=_model(own),
        max_body_bytes=limits.whole(
            "maxBodyBytes", DEFAULT_BODY_BYTES, low=1, high=LARGEST_BODY_BYTES
        ),
        per_second=read_rate(limits, "perSecond"),
        per_address=read_rate(limits, "perSecondPerAddress"),
        mapping=mapping,
        dedupe=_dedupe(own),
        response_status=_response_status(own),
        responses=own.choice("responses", RESPONSES),
        front=_front(own),
        sender_retries=own.flag("senderRetries"),
    )


def _front(flow: Fields) -> str:
    """What takes this flow's requests on AWS."""
    if "aws" not in flow.values:
        return FRONTS[0]
    own = flow.mapping("aws")
    own.only("front")
    return own.choice("front", FRONTS)


def _response_status(flow: Fields) -> int:
    own = flow.mapping("response") if "response" in flow.values else flow.empty("response")
    own.only("status")
    return own.whole("status", ACCEPTED, low=200, high=ACCEPTED)


def _keys(flow: Fields, *, max_ttl: timedelta | None, may_lack: bool) -> tuple[WebhookKey, ...]:
    """The webhook keys; a flow without any needs a template, which can name them."""
    if may_lack and flow.values.get("keys", []) == []:
        return ()
    listed = flow.required("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= KEYS_PER_EVENT:
        flow.refuse("keys", f"is not a list of 1 to {KEYS_PER_EVENT}", "Write keys: [erp, crm].")
    keys = [_key(flow, place, max_ttl=max_ttl) for place in range(len(listed))]
    seen = set[str]()
    for place, each in enumerate(keys):
        if each.key in seen:
            flow.refuse(f"keys[{place}]", f"{each.key!r} stands twice", "Drop one of the two.")
        seen.add(each.key)
    return tuple(keys)


def _key(flow: Fields, place: int, *, max_ttl: timedelta | None) -> WebhookKey:
    name, value = f"keys[{place}]", flow.values["keys"][place]
    if isinstance(value, Mapping):
        own = Fields(value, at=flow.at.below(name))
        own.only("key", "ttl")
        key, ttl = own.text("key"), own.duration("ttl", at_most=max_ttl)
    else:
        key, ttl = flow.as_text(name, value), None
    if not is_webhook_key(key):
        flow.refuse(name, f"{key!r} is no webhook key", _KEY_RULE)
    return WebhookKey(key, ttl)


def _dedupe(flow: Fields) -> Dedupe:
    if "dedupe" not in flow.values:
        return NO_SOURCE
    own = flow.mapping("dedupe")
    own.only("from", "window")
    window = own.duration("window") or DEDUPE_WINDOW
    if window > LONGEST_WINDOW:
        own.refuse("window", "is longer than 30 days", "Write for example 96h.")
    if "from" not in own.values:
        return Dedupe(window=window)
    try:
        return Dedupe.of(own.text("from"), window)
    except ValueError as exc:
        own.refuse("from", str(exc), "Write for example header.x-github-delivery.")


def _allow(flow: Fields) -> tuple[Network, ...]:
    """Networks that may send, none for all."""
    if "allow" not in flow.values:
        return ()
    listed = flow.values["allow"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= NETWORKS_PER_FLOW:
        detail = f"is not a list of 1 to {NETWORKS_PER_FLOW} networks"
        flow.refuse("allow", detail, "Write allow: [192.0.2.0/24].")
    return tuple(_network(flow, f"allow[{place}]", each) for place, each in enumerate(listed))


def _network(flow: Fields, name: str, value: object) -> Network:
    text = flow.as_text(name, value)
    try:
        return parse_network(text)
    except ValueError as exc:
        flow.refuse(name, str(exc), "Write for example 192.0.2.0/24 or 2001:db8::/32.")


def _model(flow: Fields) -> Model | None:
    """A model given inline, or as a path relative to the flow file."""
    if "model" not in flow.values:
        return None
    given = flow.values["model"]
    if isinstance(given, str):
        given = _read_model(flow, flow.as_text("model", given))
    try:
        return Model.compile(_plain(given))
    except ValueError as exc:
        flow.refuse("model", f"is no usable JSON Schema: {exc}", "Mend the schema.")


def _read_model(flow: Fields, name: str) -> object:
    if flow.at.folder is None:
        flow.refuse("model", "is a path", "Write the schema itself here.")
    path = flow.at.folder / name
    try:
        text = path.read_bytes()
        if len(text) > MODEL_BYTES:
            flow.refuse("model", f"{path} has more than {MODEL_BYTES} bytes", "Make it smaller.")
        return json.loads(text)
    except OSError as exc:
        flow.refuse("model", f"{path} can't be read: {exc.strerror}", "Paths begin at this file.")
    except (ValueError, RecursionError):
        flow.refuse("model", f"{path} is not JSON", "Mend it.")


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON holds anything
    """What a YAML reader or JSON parser gave, as plain dicts and lists."""
    return json.loads(json.dumps(value))


def seconds(span: timedelta) -> int:
    """A span of time in the unit of documents."""
    return int(span.total_seconds())


def account_document(account: Account) -> dict[str, Any]:
    """An account's own fields, as `read_account` takes them."""
    document: dict[str, Any] = {"maxTtl": seconds(account.max_ttl)}
    if account.ttl is not None:
        document["ttl"] = seconds(account.ttl)
    if limits := account_limits_document(account.per_second, account.quotas):
        document["limits"] = limits
    return document


def flow_document(flow: Flow, *, show: Callable[[int, Credential], Any]) -> dict[str, Any]:
    """A flow's fields, as `read_flow` takes them; `show` says what stands for a credential."""
    document: dict[str, Any] = {
        "keys": [
            each.key if each.ttl is None else {"key": each.key, "ttl": seconds(each.ttl)}
            for each in flow.keys
        ],
        "auth": auth_document(flow.auth, show=show),
        "limits": _limits_document(flow),
    }
    if flow.ttl is not None:
        document["ttl"] = seconds(flow.ttl)
    if flow.allow:
        document["allow"] = [str(each) for each in flow.allow]
    if flow.model is not None:
        document["model"] = flow.model.document
    if flow.mapping is not None:
        document |= mapping_fields.mapping_document(flow.mapping)
    if flow.dedupe != NO_SOURCE:
        document["dedupe"] = {"window": seconds(flow.dedupe.window)}
        if flow.dedupe.source is not None:
            document["dedupe"]["from"] = flow.dedupe.source
    if flow.response_status != ACCEPTED:
        document["response"] = {"status": flow.response_status}
    plain = {"responses": flow.responses, "senderRetries": flow.sender_retries}
    document |= {name: each for name, each in plain.items() if each not in (None, RESPONSES[0])}
    if flow.front != FRONTS[0]:
        document["aws"] = {"front": flow.front}
    return document


def _limits_document(flow: Flow) -> dict[str, int]:
    rates = {"perSecond": flow.per_second, "perSecondPerAddress": flow.per_address}
    set_ones = {name: rate for name, rate in rates.items() if rate is not None}
    return {"maxBodyBytes": flow.max_body_bytes, **set_ones}
