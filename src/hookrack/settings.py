"""One frozen `Settings`, made from option > environment > file > default.toml.

default.toml beside this file IS the defaults and their documentation: names, help texts and
reference pages are read from it.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from hookrack.errors import ConfigError
from hookrack.model import parse_duration
from hookrack.redis_address import is_redis_url
from hookrack.sqs_address import is_sqs, read_address

ROLES: Final = ("edge", "worker", "api")
LOSSES: Final = ("aof", "fsync", "eviction", "unverified")
SECRET_CHARS: Final = 32  # at least, for tokens and keys that people choose
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_DEFAULTS_FILE: Final = Path(__file__).with_name("default.toml")


class Secret:
    """A text that doesn't print itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text, for the one place that needs it."""
        return self._value

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Equal texts."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """By the text."""
        return hash(self._value)

    def __repr__(self) -> str:
        """Never the text."""
        return "Secret('***')" if self._value else "Secret('')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this process was told; see default.toml for what each one means."""

    config: Path
    host: str
    port: int
    tls_cert: Path | None
    tls_key: Path | None
    trusted_proxies: tuple[Network, ...]
    max_header_bytes: int
    max_headers: int
    header_seconds: timedelta
    body_seconds: timedelta
    min_bytes_per_second: int
    keep_alive_seconds: timedelta
    max_connections: int
    max_connections_per_address: int
    max_waiting_readers: int
    data_dir: Path
    store: Secret
    queue: Secret
    store_accept_loss: tuple[str, ...]
    store_prefix: str
    max_memory: int
    role: tuple[str, ...]
    workers: int
    batch_size: int
    lease: timedelta
    max_attempts: int
    admin_token: Secret
    secret_key: Secret
    log_success: bool
    origins: Mapping[str, str]

    @property
    def embedded(self) -> bool:
        """Whether hookrack starts the store itself."""
        return not self.store


@dataclass(frozen=True, slots=True)
class Documented:
    """A setting as default.toml has it: `name` in camelCase, its default, its comment."""

    name: str
    default: Any
    help: str

    @property
    def field(self) -> str:
        """The attribute of `Settings`."""
        return re.sub(r"([A-Z])", r"_\1", self.name).lower()

    @property
    def option(self) -> str:
        """The command-line option."""
        return "--" + self.field.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "HOOKRACK_" + self.field.upper()


@cache
def documented_settings() -> tuple[Documented, ...]:
    """Every setting, in the order of default.toml."""
    text = _DEFAULTS_FILE.read_text(encoding="utf-8")
    defaults = tomllib.loads(text)
    rows, comment = [], list[str]()
    for line in text.splitlines():
        name = line.partition("=")[0].strip()
        if line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        elif name in defaults:
            rows.append(Documented(name, defaults[name], " ".join(comment)))
        if not line.startswith("#"):
            comment.clear()
    return tuple(rows)


def load_settings(
    options: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    file: Mapping[str, Any] | None = None,
    file_name: str = "",
) -> Settings:
    """Merge the four sources; `options` by field name, `file` by camelCase name.

    Raises: ConfigError, naming the setting, where its value came from, and what would be valid.
    """
    known = {row.name for row in documented_settings()}
    for name in file or {}:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                "no such setting",
                where=f"settings.{name} in {file_name}",
                mend=f"Did you mean {close[0]}?"
                if close
                else f"Known: {', '.join(sorted(known))}.",
            )
    values, origins = {}, {}
    for row in documented_settings():
        value, origin = _pick(row, options, environ, file or {}, file_name)
        values[row.field] = _parse(row, value, origin)
        origins[row.field] = origin
    settings = Settings(**values, origins=origins)
    _check_together(settings)
    return settings


def pick_setting(
    field: str, options: Mapping[str, Any], *, environ: Mapping[str, str]
) -> tuple[Any, str]:
    """One setting that doesn't come from a file, and where it came from. Raises: ConfigError."""
    row = next(row for row in documented_settings() if row.field == field)
    value, origin = _pick(row, options, environ, {}, "")
    return _parse(row, value, origin), origin


def _pick(
    row: Documented,
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    file: Mapping[str, Any],
    file_name: str,
) -> tuple[Any, str]:
    if options.get(row.field) is not None:
        return options[row.field], row.option
    if row.variable in environ:
        return environ[row.variable], f"{row.variable} in the environment"
    if row.name in file:
        value = file[row.name]
        if row.field == "data_dir" and isinstance(value, str) and value:
            value = Path(file_name).parent / Path(value).expanduser()  # as all paths in a file
        return value, f"settings.{row.name} in {file_name}"
    return row.default, f"{row.name} in default.toml"


def _parse(row: Documented, value: object, origin: str) -> Any:  # noqa: ANN401 - one type per setting
    try:
        return _PARSERS[row.field](value)
    except ValueError as exc:
        raise ConfigError(f"{exc}", where=origin, mend=row.help) from exc


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - becomes a ConfigError
    return value


def _path(value: object) -> Path:
    text = str(value) if isinstance(value, Path) else _text(value)
    if not text:
        raise ValueError("an empty path")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("a path that is not UTF-8")
    try:
        return Path(text).expanduser()
    except RuntimeError as exc:
        raise ValueError("the home of a user that isn't there") from exc


def _optional_path(value: object) -> Path | None:
    return None if value == "" else _path(value)


def _host(value: object) -> str:
    """An address or a name; an IPv6 address may stand in brackets, as in a URL."""
    text = _text(value).strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if not text or any(letter.isspace() or letter in "/[]" for letter in text):
        raise ValueError(f"{value!r} is no address and no name")
    return text


def _flag(value: object) -> bool:
    known = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in known:
        raise ValueError(f"{value!r} is neither true nor false")
    return known[str(value).lower()]


def _whole(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"\d{1,18}", text):
            raise ValueError(f"{value!r} is not a whole number from {low} to {high}")
        if not low <= int(text) <= high:
            raise ValueError(f"{text} is not between {low} and {high}")
        return int(text)

    return parse


def _texts(value: object) -> list[str]:
    """What stands between commas, or in a list; without blanks and empty ones."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list | tuple):
        raise ValueError("not a list")  # noqa: TRY004 - becomes a ConfigError
    return [text for text in (_text(each).strip() for each in listed) if text]


def _networks(value: object) -> tuple[Network, ...]:
    return tuple(parse_network(text) for text in _texts(value))


def parse_network(text: str) -> Network:
    """A network such as 10.0.0.0/8, or one address. Raises: ValueError with words."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as exc:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text!r} is no network such as 10.0.0.0/8") from exc
        raise ValueError(f"{text} has bits beyond its prefix; did you mean {meant}?") from exc


def _some_of(choices: tuple[str, ...], *, at_least: int) -> Callable[[object], tuple[str, ...]]:
    def parse(value: object) -> tuple[str, ...]:
        names = _texts(value)
        wrong = [name for name in names if name not in choices]
        if wrong or len(names) < at_least:
            raise ValueError(f"{', '.join(wrong) or 'nothing'} is not of {', '.join(choices)}")
        return tuple(dict.fromkeys(names))

    return parse


def _redis_url(value: object) -> Secret:
    """A URL can hold a password, so it doesn't print itself."""
    url = _text(value)
    if url and not is_redis_url(url):
        raise ValueError("not a URL such as redis://host:6379/0, rediss://host or unix:///path")
    return Secret(url)


def _queue_url(value: object) -> Secret:
    url = _text(value)
    if is_sqs(url):
        read_address(url)
        return Secret(url)
    return _redis_url(url)


def _prefix(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z0-9:._-]{1,64}", _text(value)):
        raise ValueError("not 1 to 64 of A-Z a-z 0-9 : . _ -")
    return _text(value)


def _long_secret(value: object) -> Secret:
    text = _text(value)
    if text and len(text) < SECRET_CHARS:
        raise ValueError(f"shorter than {SECRET_CHARS} characters")
    if any(letter < " " or letter == "\x7f" for letter in text):
        raise ValueError("holds a control character")
    return Secret(text)


_PARSERS: Final[dict[str, Callable[[object], Any]]] = {
    "config": _path,
    "host": _host,
    "port": _whole(0, 65_535),
    "tls_cert": _optional_path,
    "tls_key": _optional_path,
    "trusted_proxies": _networks,
    "max_header_bytes": _whole(1_024, 2**20),
    "max_headers": _whole(10, 1_000),
    "header_seconds": parse_duration,
    "body_seconds": parse_duration,
    "min_bytes_per_second": _whole(1, 2**30),
    "keep_alive_seconds": parse_duration,
    "max_connections": _whole(0, 1_000_000),
    "max_connections_per_address": _whole(0, 1_000_000),
    "max_waiting_readers": _whole(1, 1_000_000),
    "data_dir": _path,
    "store": _redis_url,
    "queue": _queue_url,
    "store_accept_loss": _some_of(LOSSES, at_least=0),
    "store_prefix": _prefix,
    "max_memory": _whole(0, 2**50),
    "role": _some_of(ROLES, at_least=1),
    "workers": _whole(1, 64),
    "batch_size": _whole(1, 1_000),
    "lease": parse_duration,
    "max_attempts": _whole(1, 100),
    "admin_token": _long_secret,
    "secret_key": _long_secret,
    "log_success": _flag,
}
_SETTING_FIELDS: Final = {field.name for field in fields(Settings)} - {"origins"}
assert set(_PARSERS) == _SETTING_FIELDS  # noqa: S101 - a slip here is a bug of ours


def _check_together(settings: Settings) -> None:
    """Refuse combinations that are each legal alone."""
    for name, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        if getattr(settings, name) and not getattr(settings, other):
            raise ConfigError(
                "a certificate and its key go together",
                where=settings.origins[name],
                mend=f"Name the other one too, with --{other.replace('_', '-')}.",
            )
    if not (_is_loopback(settings.host) or settings.tls_cert or settings.trusted_proxies):
        raise ConfigError(
            f"{settings.host} can be reached by others without TLS or a trusted proxy",
            where=settings.origins["host"],
            mend="Give it --tls-cert and --tls-key, or name the proxies in front of it with "
            "--trusted-proxies; or use 127.0.0.1.",
        )
    if settings.queue and not settings.store and not is_sqs(settings.queue.reveal()):
        raise ConfigError(
            "a queue of its own beside an embedded store",
            where=settings.origins["queue"],
            mend="Name the store too (--store URL), or neither.",
        )


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
