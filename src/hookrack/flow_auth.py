"""`auth` of a flow: who may send, read from a flow file or the API, and written out again.

A secret that is no key of its scheme is told here, with its field, and not by the first request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final, get_args
from urllib.parse import urlsplit

from hookrack.edge.auth import DEFAULT_KEY_HEADER, Auth, Credential
from hookrack.edge.covered import PLACES, Choices
from hookrack.edge.presets import PRESETS
from hookrack.edge.schemes import HMACS, PLACE, PUBLIC, Scheme, TimeUnit
from hookrack.fields import Fields
from hookrack.model import is_header_name
from hookrack.settings import Secret

CREDENTIALS_PER_FLOW: Final = 8
CREDENTIAL_FIELDS: Final = ("secrets", "passwords", "verifyTokens")
DEFAULT_TOLERANCE: Final = 300
_PLAIN: Final = ("none", "secret", "basic", "apiKey", "signature")
_ALGORITHMS: Final = (*HMACS, *PUBLIC)
_KEY_FORMS: Final = ("text", "hex", "base64")
_SIGNATURE_FIELDS: Final = (
    *("type", "secrets", "algorithm", "encoding", "header", "prefix", "separator", "signed"),
    *("timestamp", "unit", "tolerance", "key", "url"),
)
_TEXT_CHARS: Final = 200
_LONGEST_TOLERANCE: Final = timedelta(days=30)


def read_auth(flow: Fields) -> Auth:
    """Who may send to a flow. Raises: ConfigError."""
    if "auth" not in flow.values:
        flow.refuse("auth", "is missing", "Write auth: {type: none} to let everybody in.")
    own = flow.mapping("auth")
    kind = own.text("type")
    match kind:
        case "none":
            own.only("type")
            return Auth("none")
        case "secret":
            own.only("type", "secrets")
            return Auth("secret", _credentials(own, "secrets"))
        case "basic":
            return _basic(own)
        case "apiKey":
            own.only("type", "header", "secrets")
            header = _header(own, "header", DEFAULT_KEY_HEADER)
            return Auth("apiKey", _credentials(own, "secrets"), header=header)
        case "signature":
            return _signature(own)
    if kind in PRESETS:
        return _preset(own, kind)
    close = get_close_matches(kind, (*_PLAIN, *PRESETS), n=1)
    hint = f"Did you mean {close[0]}?" if close else f"Use {', '.join(_PLAIN)} or a preset."
    own.refuse("type", "is no type of auth", hint)


def _basic(own: Fields) -> Auth:
    own.only("type", "username", "passwords")
    username = own.text("username")
    if not username or ":" in username:
        own.refuse("username", "is empty or holds a colon", "RFC 7617 allows neither.")
    return Auth("basic", _credentials(own, "passwords"), username=username)


def _header(own: Fields, name: str, default: str = "") -> str:
    header = own.text(name) if name in own.values or not default else default
    if not is_header_name(header):
        own.refuse(name, f"{header!r} is no header name", "Write for example x-api-key.")
    return header.lower()


def _preset(own: Fields, kind: str) -> Auth:
    """A signature as one of the providers in the table makes it."""
    options = PRESETS[kind].options
    own.only("type", "secrets", *options)
    for name in ("webhookId", "topicArn"):
        if name in options and not own.text(name):
            own.refuse(name, "is empty", "Write what the provider shows of it.")
    welcomes = _credentials(own, "verifyTokens") if "verifyTokens" in own.values else ()
    return _keyed(own, Auth(kind, choices=_choices(own), welcomes=welcomes))


def _choices(own: Fields) -> Choices:
    tolerance = own.duration("tolerance")
    if tolerance is not None and tolerance > _LONGEST_TOLERANCE:
        own.refuse("tolerance", "is above 30 days", "Write for example 5m.")
    confirm = own.values.get("confirm", False)
    if not isinstance(confirm, bool):
        own.refuse("confirm", "is neither true nor false", "Write true or false.")
    return Choices(
        tolerance=tolerance,
        url=_url(own) if "url" in own.values else "",
        webhook_id=own.text("webhookId") if "webhookId" in own.values else "",
        topic_arn=own.text("topicArn") if "topicArn" in own.values else "",
        confirm=confirm,
    )


def _url(own: Fields) -> str:
    """The address that the provider was given, letter by letter."""
    url = own.text("url")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.fragment
        good = good and "@" not in parts.netloc and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable():
        own.refuse("url", "is no address", "Write it as the provider was given it, with https://.")
    return url


def _signature(own: Fields) -> Auth:
    """A signature by fields of its own."""
    own.only(*_SIGNATURE_FIELDS)
    signed = _short(own, "signed", "{body}")
    timestamp = _timestamp(own) if "timestamp" in own.values else ""
    _check_signed(own, signed, timestamp=timestamp)
    for name in ("unit", "tolerance"):
        if name in own.values and not timestamp:
            own.refuse(name, "stands without a timestamp", "Say with timestamp where the time is.")
    algorithm = _choice(own, "algorithm", _ALGORITHMS)
    separator = _short(own, "separator", "")
    if timestamp.startswith("member.") and not separator:
        own.refuse("timestamp", "is a member, but the header has none", 'Add separator: ",".')
    scheme = Scheme(
        header=_header(own, "header"),
        signed=signed,
        algorithm=algorithm,
        encoding=_choice(own, "encoding", ("hex", "base64")),
        prefix=_short(own, "prefix", ""),
        separator=separator,
        key=_choice(own, "key", _KEY_FORMS),
        timestamp=timestamp,
        unit=_choice(own, "unit", get_args(TimeUnit)),
        tolerance=DEFAULT_TOLERANCE if timestamp else 0,
    )
    return _keyed(own, Auth("signature", scheme=scheme, choices=_choices(own)))


def _choice(own: Fields, name: str, known: Sequence[str]) -> Any:  # noqa: ANN401 - one of `known`
    """One of the words that a field may have; the first where it isn't there."""
    found = own.text(name) if name in own.values else known[0]
    if found not in known:
        own.refuse(name, "is none of its words", f"Use {', '.join(known)}.")
    return found


def _short(own: Fields, name: str, default: str) -> str:
    found = own.text(name) if name in own.values else default
    if len(found) > _TEXT_CHARS or not found.isascii() or not found.isprintable():
        own.refuse(name, f"is not of 1 to {_TEXT_CHARS} ASCII letters", "Make it shorter.")
    return found


def _timestamp(own: Fields) -> str:
    place = own.text("timestamp")
    kind, _, name = place.partition(".")
    good = is_header_name(name) if kind == "header" else bool(name)
    if kind not in ("header", "member") or not good:
        own.refuse("timestamp", "is no place of a time", "Write header.x-time or member.t.")
    return place.lower() if kind == "header" else place


def _check_signed(own: Fields, signed: str, *, timestamp: str) -> None:
    """Each place known, the body among them, and the time where there is one."""
    names = [each[1:-1] for each in PLACE.findall(signed)]
    for name in names:
        header = name.removeprefix("header.")
        if name not in PLACES and (header == name or not is_header_name(header)):
            own.refuse("signed", f"has an unknown place {{{name}}}", _PLACES_MEND)
    if "body" not in names:
        own.refuse("signed", "is without {body}", "A body that isn't signed can be anybody's.")
    if bool(timestamp) != ("timestamp" in names):
        detail = "and timestamp do not go together"
        own.refuse("signed", detail, "A time counts when it is signed: use both or neither.")


_PLACES_MEND: Final = "Use {body}, {timestamp}, {method}, {url} or {header.x-name}."


def _keyed(own: Fields, auth: Auth) -> Auth:
    """The rule with its secrets, each tried as a key. Raises: ConfigError."""
    credentials = _credentials(own, "secrets")
    for place, each in enumerate(credentials):
        try:
            replace(auth, credentials=(each,))
        except ValueError as exc:
            mend = "See docs/reference/schemes.md for what this scheme asks for."
            own.refuse(f"secrets[{place}]", str(exc), mend)
    return replace(auth, credentials=credentials)


def _credentials(auth: Fields, name: str) -> tuple[Credential, ...]:
    listed = auth.required(name)
    if not isinstance(listed, list) or not 1 <= len(listed) <= CREDENTIALS_PER_FLOW:
        detail = f"is not a list of 1 to {CREDENTIALS_PER_FLOW} texts"
        auth.refuse(name, detail, f'Write {name}: ["${{NAME}}"].')
    return tuple(_credential(auth, f"{name}[{place}]", each) for place, each in enumerate(listed))


def _credential(auth: Fields, name: str, given: object) -> Credential:
    """A text, or from elsewhere than a file `{value, variable}`, as the registry keeps it."""
    if isinstance(given, Mapping) and auth.at.environ is None:
        own = Fields(given, at=auth.at.below(name))
        own.only("value", "variable")
        value = own.text("value")
        variable = own.text("variable") if own.values.get("variable") is not None else None
    else:
        value, variable = auth.as_text(name, given), auth.variable_of(given)
    if not value.strip():
        auth.refuse(name, "is empty", "Give each secret a value.")
    return Credential(Secret(value), variable)


def auth_document(auth: Auth, *, show: Callable[[int, Credential], Any]) -> dict[str, Any]:
    """The fields of `auth`, as `read_auth` takes them; `show` says what stands for a credential."""
    document: dict[str, Any] = {"type": auth.type}
    if auth.type == "basic":
        document["username"] = auth.username
    if auth.type == "apiKey":
        document["header"] = auth.header
    if auth.scheme is not None:
        document |= _scheme_document(auth.scheme)
    document |= _choices_document(auth.choices)
    if auth.credentials:
        name = "passwords" if auth.type == "basic" else "secrets"
        document[name] = [show(place, each) for place, each in enumerate(auth.credentials)]
    if auth.welcomes:
        first = len(auth.credentials)
        document["verifyTokens"] = [
            show(first + place, each) for place, each in enumerate(auth.welcomes)
        ]
    return document


def _scheme_document(scheme: Scheme) -> dict[str, Any]:
    names = ("algorithm", "encoding", "header", "prefix", "separator", "signed", "key", "timestamp")
    document = {name: getattr(scheme, name) for name in names if getattr(scheme, name)}
    return document | ({"unit": scheme.unit} if scheme.timestamp else {})


def _choices_document(choices: Choices) -> dict[str, Any]:
    tolerance = choices.tolerance
    found = {
        "tolerance": int(tolerance.total_seconds()) if tolerance else None,
        "url": choices.url,
        "webhookId": choices.webhook_id,
        "topicArn": choices.topic_arn,
        "confirm": choices.confirm,
    }
    return {name: value for name, value in found.items() if value}
