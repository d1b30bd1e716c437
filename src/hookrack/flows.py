"""The flow file: read, checked once, and turned into accounts and flows.

Every fault names its field, the file and line, and the mend; an unknown field gets a suggestion.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from hookrack.edge.auth import Auth
from hookrack.errors import ConfigError
from hookrack.model import (
    DEFAULT_MAX_TTL,
    DEFAULT_TTL,
    KEYS_PER_EVENT,
    is_name,
    is_webhook_key,
    parse_duration,
)

VERSION: Final = 1
DEFAULT_BODY_BYTES: Final = 700 * 1024
LARGEST_BODY_BYTES: Final = 25 * 1024 * 1024

_NOT_YET: Final = ("model", "templates", "passthrough", "stageVariables", "dedupe", "response")
_NOT_YET_AWS: Final = ("aws",)
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """One address of a flow's events, with a time to live of its own or None."""

    key: str
    ttl: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """One integration of an account: its door, its keys, its time to live."""

    account: str
    id: str
    keys: tuple[WebhookKey, ...]
    auth: Auth
    ttl: timedelta | None = None
    max_body_bytes: int = DEFAULT_BODY_BYTES


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant; `max_ttl` caps every time to live in it."""

    id: str
    flows: Mapping[str, Flow]
    ttl: timedelta | None = None
    max_ttl: timedelta = DEFAULT_MAX_TTL

    def resolve_ttl(
        self, flow: Flow, key: WebhookKey, *, own: timedelta | None = None
    ) -> timedelta:
        """Event's own > key's > flow's > account's > 24 h, capped by `max_ttl`."""
        return min(own or key.ttl or flow.ttl or self.ttl or DEFAULT_TTL, self.max_ttl)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one file says: settings for the process, and accounts by id."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)  # a token among them

    def find_flow(self, account: str, flow: str) -> Flow | None:
        """The flow of that account, or None."""
        found = self.accounts.get(account)
        return found.flows.get(flow) if found else None


def read_configuration(path: Path, *, environ: Mapping[str, str]) -> Configuration:
    """Read and check a flow file.

    Raises: ConfigError, naming the file, line and field, and the mend.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
        raise ConfigError(
            f"can't be read: {reason}", where=str(path), mend="Name a flow file with --config."
        ) from exc
    return parse_configuration(text, name=str(path), environ=environ)


def parse_configuration(text: str, *, name: str, environ: Mapping[str, str]) -> Configuration:
    """Check the text of a flow file; `name` is what faults call it. Raises: ConfigError."""
    document = _load_yaml(text, name)
    if not isinstance(document, Mapping):
        raise ConfigError("is not a mapping", where=name, mend=_SHAPE)
    top = _Fields(document, at=_Place(name, environ))
    top.only("version", "settings", "accounts")
    if type(version := top.required("version")) is not int or version != VERSION:
        top.refuse("version", "is not a version that this hookrack reads", f"Write {VERSION}.")
    settings = top.mapping("settings") if "settings" in top.values else top.empty("settings")
    accounts = top.mapping("accounts") if "accounts" in top.values else top.empty("accounts")
    return Configuration(
        accounts={each: _account(each, accounts) for each in accounts.names(is_name, _NAME_RULE)},
        settings={str(key): settings.expanded(str(key)) for key in settings.values},
    )


_NAME_RULE: Final = "Use 1 to 63 of a-z 0-9 _ -, the first a letter or digit."


def _account(name: str, accounts: "_Fields") -> Account:
    own = accounts.mapping(name)
    own.only("ttl", "maxTtl", "flows")
    max_ttl = own.duration("maxTtl") or DEFAULT_MAX_TTL
    flows = own.mapping("flows") if "flows" in own.values else own.empty("flows")
    ttl = own.duration("ttl", at_most=max_ttl)
    found = {
        each: _flow(name, each, flows, max_ttl=max_ttl) for each in flows.names(is_name, _NAME_RULE)
    }
    return Account(id=name, flows=found, ttl=ttl, max_ttl=max_ttl)


def _flow(account: str, name: str, flows: "_Fields", *, max_ttl: timedelta) -> Flow:
    own = flows.mapping(name)
    own.not_yet(*_NOT_YET, *_NOT_YET_AWS)
    own.only("ttl", "keys", "auth", "limits", soon=(*_NOT_YET, *_NOT_YET_AWS))
    limits = own.mapping("limits") if "limits" in own.values else own.empty("limits")
    limits.not_yet("perSecond")
    limits.only("maxBodyBytes", soon=("perSecond",))
    return Flow(
        account=account,
        id=name,
        keys=_keys(own, max_ttl=max_ttl),
        auth=_auth(own),
        ttl=own.duration("ttl", at_most=max_ttl),
        max_body_bytes=limits.whole("maxBodyBytes", DEFAULT_BODY_BYTES, 1, LARGEST_BODY_BYTES),
    )


def _keys(flow: "_Fields", *, max_ttl: timedelta) -> tuple[WebhookKey, ...]:
    listed = flow.required("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= KEYS_PER_EVENT:
        flow.refuse("keys", f"is not a list of 1 to {KEYS_PER_EVENT}", "Write keys: [erp, crm].")
    keys = [_key(flow, place, max_ttl=max_ttl) for place in range(len(listed))]
    names = [each.key for each in keys]
    for place, key in enumerate(names):
        if key in names[:place]:
            flow.refuse(f"keys[{place}]", f"{key!r} stands twice", "Drop one of the two.")
    return tuple(keys)


def _key(flow: "_Fields", place: int, *, max_ttl: timedelta) -> WebhookKey:
    name, value = f"keys[{place}]", flow.values["keys"][place]
    rule = "Use 1 to 128 of A-Z a-z 0-9 . _ ~ : - and not dots alone."
    if isinstance(value, Mapping):
        own = _Fields(value, at=flow.at.below(name))
        own.only("key", "ttl")
        key, ttl = own.text("key"), own.duration("ttl", at_most=max_ttl)
    else:
        key, ttl = flow.as_text(name, value), None
    if not is_webhook_key(key):
        flow.refuse(name, f"{key!r} is no webhook key", rule)
    return WebhookKey(key, ttl)


def _auth(flow: "_Fields") -> Auth:
    if "auth" not in flow.values:
        flow.refuse("auth", "is missing", "Write auth: {type: none} to let everybody in.")
    own = flow.mapping("auth")
    kind = own.text("type")
    if kind == "none":
        own.only("type")
        return Auth("none")
    if kind != "secret":
        own.refuse("type", f"{kind!r} is not supported yet", "Use none or secret.")
    own.only("type", "secrets")
    listed = own.required("secrets")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _SECRETS_PER_FLOW:
        own.refuse("secrets", "is not a list of 1 to 8 texts", 'Write secrets: ["${NAME}"].')
    secrets = [own.as_text(f"secrets[{place}]", value) for place, value in enumerate(listed)]
    if not all(secret.strip() for secret in secrets):
        own.refuse("secrets", "holds an empty text", "Give each secret a value.")
    return Auth.of_secrets(secrets)


_SECRETS_PER_FLOW: Final = 8


@dataclass(frozen=True, slots=True)
class _Place:
    """Where we are in which file, and where `${NAME}` is looked up."""

    file: str
    environ: Mapping[str, str]
    path: str = ""

    def below(self, name: str) -> "_Place":
        return _Place(self.file, self.environ, f"{self.path}.{name}" if self.path else name)


class _Fields:
    """One mapping of the file, with readers that complain in the operator's terms."""

    def __init__(self, values: Mapping[Any, Any], *, at: _Place, line: int | None = None) -> None:
        self.values = values
        self.at = at
        self._line = line  # of the mapping as a whole

    def refuse(self, name: str, detail: str, mend: str) -> NoReturn:
        """Raise the ConfigError of field `name`."""
        line = _line_of(self.values, name) or self._line
        place = f"{self.at.file}, line {line}" if line else self.at.file
        raise ConfigError(detail, where=f"{self.at.below(name).path} in {place}", mend=mend)

    def only(self, *known: str, soon: tuple[str, ...] = ()) -> None:
        """Refuse fields that are none of `known`."""
        for name in self.values:
            if name not in known:
                close = difflib.get_close_matches(str(name), (*known, *soon), n=1)
                mend = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."
                self.refuse(str(name), "is no field", mend)

    def not_yet(self, *names: str) -> None:
        """Refuse fields that a later version will know."""
        for name in names:
            if name in self.values:
                self.refuse(name, "is not supported yet", "Leave it out for this version.")

    def required(self, name: str) -> Any:  # noqa: ANN401 - YAML holds anything
        """The value of a field that must be there."""
        if name not in self.values:
            self.refuse(name, "is missing", _SHAPE)
        return self.values[name]

    def names(self, valid: Any, rule: str) -> Iterator[str]:  # noqa: ANN401 - a predicate
        """The names of the fields, each checked."""
        for name in self.values:
            if not isinstance(name, str) or not valid(name):
                self.refuse(str(name), "is not a valid id", rule)
            yield name

    def mapping(self, name: str) -> "_Fields":
        """A field that is a mapping itself; an empty one may be left blank."""
        value = self.required(name)
        if value is not None and not isinstance(value, Mapping):
            self.refuse(name, "is not a mapping", _SHAPE)
        return _Fields(value or {}, at=self.at.below(name), line=_line_of(self.values, name))

    def empty(self, name: str) -> "_Fields":
        """A mapping that isn't there."""
        return _Fields({}, at=self.at.below(name))

    def text(self, name: str) -> str:
        """A field that is a text."""
        return self.as_text(name, self.required(name))

    def as_text(self, name: str, value: object) -> str:
        """`value` as text, its `${NAME}`s replaced from the environment."""
        if not isinstance(value, str):
            self.refuse(name, "is not a text", "Put it in quotes.")
        if "${" in _VARIABLE.sub("", value):
            self.refuse(name, "has a ${ that begins no variable", "Write ${NAME}.")
        text = _VARIABLE.sub(lambda found: self._variable(name, found[1]), value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self.refuse(name, "is not valid text", "Write it in UTF-8.")
        return text

    def expanded(self, name: str) -> Any:  # noqa: ANN401 - YAML holds anything
        """A field of any kind; the texts in it with their `${NAME}`s replaced."""
        value = self.values[name]
        if isinstance(value, list):
            return [self.as_text(name, each) for each in value]
        return self.as_text(name, value) if isinstance(value, str) else value

    def _variable(self, name: str, variable: str) -> str:
        if variable not in self.at.environ:
            self.refuse(
                name, f"environment variable {variable} is not set", f"export {variable}=..."
            )
        return self.at.environ[variable]

    def duration(self, name: str, *, at_most: timedelta | None = None) -> timedelta | None:
        """A field that is a duration, or None where it isn't there."""
        if name not in self.values:
            return None
        value = self.values[name]
        try:
            span = parse_duration(self.as_text(name, value) if isinstance(value, str) else value)
        except ValueError as exc:
            self.refuse(name, str(exc), "Write for example 6h.")
        if at_most and span > at_most:
            self.refuse(name, "is above the account's maxTtl", "Lower it or raise maxTtl.")
        return span

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A field that is a whole number from `low` to `high`."""
        value = self.values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(name, "is not in its range", f"Write a number from {low} to {high}.")
        return int(value)


_SHAPE: Final = "See examples/hookrack.yaml for the shape."


def _load_yaml(text: str, name: str) -> Any:  # noqa: ANN401 - YAML holds anything
    try:
        return YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as exc:
        mark = exc.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            _yaml_fault(str(exc.problem or exc.context)),
            where=f"{name}{line}",
            mend="Mend the YAML, or drop the second of two equals.",
        ) from exc
    except (YAMLError, LookupError, TypeError, ValueError, AttributeError, AssertionError) as exc:
        raise ConfigError("is not YAML", where=name, mend=_SHAPE) from exc
    except RecursionError as exc:
        raise ConfigError("is nested too deep", where=name, mend=_SHAPE) from exc


def _yaml_fault(problem: str) -> str:
    """The parser's words without what it quotes, which can be a secret; a field's name may stay."""
    if found := re.match(r'found duplicate key "[A-Za-z0-9_-]{1,63}"', problem):
        return found[0]
    return problem.partition("\n")[0].partition('"')[0].partition("'")[0].strip() or "is not YAML"


def _line_of(values: object, name: str) -> int | None:
    """The line of a field (of its mapping, if it isn't there), 1-based, where it is known."""
    place = getattr(values, "lc", None)
    if place is None:
        return None
    rows = {str(key): row for key, row in (place.data or {}).items()}
    found = rows.get(name.partition("[")[0])
    return int(found[0] if found else place.line) + 1
