"""Reading what operators write: YAML, and mappings whose every fault names field, line and mend."""

import difflib
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from hookrack.errors import ConfigError
from hookrack.model import parse_duration

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SHAPE: Final = "See examples/hookrack.yaml for the shape."


@dataclass(frozen=True, slots=True)
class Place:
    """Where we are in which document.

    `${NAME}` is looked up in `environ`; where that is None, as in what the API brings, it is text
    like any other. Files are looked up below `folder`; where that is None there are none.
    """

    file: str
    environ: Mapping[str, str] | None = None
    folder: Path | None = None
    path: str = ""

    def below(self, name: str) -> "Place":
        """The place of a field here."""
        return replace(self, path=f"{self.path}.{name}" if self.path else name)


class Fields:
    """One mapping of the file, with readers that complain in the operator's terms."""

    def __init__(self, values: Mapping[Any, Any], *, at: Place, line: int | None = None) -> None:
        self.values = values
        self.at = at
        self._line = line  # of the mapping as a whole

    def refuse(self, name: str, detail: str, mend: str) -> NoReturn:
        """Raise the ConfigError of field `name`."""
        line = _line_of(self.values, name) or self._line
        place = f"{self.at.file}, line {line}" if line else self.at.file
        raise ConfigError(detail, where=f"{self.at.below(name).path} in {place}", mend=mend)

    def only(self, *known: str) -> None:
        """Refuse fields that are none of `known`."""
        for name in self.values:
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                mend = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."
                self.refuse(_shown(name), "is no field", mend)

    def required(self, name: str) -> Any:  # noqa: ANN401 - YAML holds anything
        """The value of a field that must be there."""
        if name not in self.values:
            self.refuse(name, "is missing", SHAPE)
        return self.values[name]

    def names(self, valid: Any, rule: str) -> Iterator[str]:  # noqa: ANN401 - a predicate
        """The names of the fields, each checked."""
        for name in self.values:
            if isinstance(name, int | float | date):
                self.refuse(str(name), "is a number or a date, not a text", "Put it in quotes.")
            if not isinstance(name, str) or not valid(name):
                self.refuse(str(name), "is not a valid id", rule)
            yield name

    def mapping(self, name: str) -> "Fields":
        """A field that is a mapping itself; an empty one may be left blank."""
        value = self.required(name)
        if value is not None and not isinstance(value, Mapping):
            self.refuse(name, "is not a mapping", SHAPE)
        return Fields(value or {}, at=self.at.below(name), line=_line_of(self.values, name))

    def empty(self, name: str) -> "Fields":
        """A mapping that isn't there."""
        return Fields({}, at=self.at.below(name))

    def text(self, name: str) -> str:
        """A field that is a text."""
        return self.as_text(name, self.required(name))

    def as_text(self, name: str, value: object) -> str:
        """`value` as text, its `${NAME}`s replaced from the environment."""
        if not isinstance(value, str):
            self.refuse(name, "is not a text", "Put it in quotes.")
        if self.at.environ is None:
            return self._proper(name, value)
        if "${" in _VARIABLE.sub("", value):
            self.refuse(name, "has a ${ that begins no variable", "Write ${NAME}.")
        return self._proper(
            name, _VARIABLE.sub(lambda found: self._variable(name, found[1]), value)
        )

    def _proper(self, name: str, text: str) -> str:
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self.refuse(name, "is not valid text", "Write it in UTF-8.")
        return text

    def expanded(self, name: str) -> Any:  # noqa: ANN401 - YAML holds anything
        """A field of any kind; the texts in it with their `${NAME}`s replaced."""
        value = self.values[name]
        if not isinstance(name, str):
            self.refuse(str(name), "is no field", SHAPE)
        if isinstance(value, list):
            return [self.as_text(name, each) for each in value]
        return self.as_text(name, value) if isinstance(value, str) else value

    def variable_of(self, value: object) -> str | None:
        """The name of the variable where a text is nothing but one."""
        if self.at.environ is None or not isinstance(value, str):
            return None
        found = _VARIABLE.fullmatch(value)
        return found[1] if found else None

    def _variable(self, name: str, variable: str) -> str:
        value = (self.at.environ or {}).get(variable)
        if value is None:
            mend = f"export {variable}=..."
            self.refuse(name, f"environment variable {variable} is not set", mend)
        return value

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

    def flag(self, name: str) -> bool | None:
        """A field that is true or false, or None where it isn't there."""
        value = self.values.get(name)
        if name in self.values and not isinstance(value, bool):
            self.refuse(name, "is neither true nor false", "Write true or false.")
        return value

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """A field that is one of `known`; the first where it isn't there."""
        found = self.text(name) if name in self.values else known[0]
        if found not in known:
            self.refuse(name, f"is none of {', '.join(known)}", f"Use one of {', '.join(known)}.")
        return found

    def whole(self, name: str, default: int, *, low: int, high: int) -> int:
        """A field that is a whole number from `low` to `high`."""
        value = self.values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.refuse(name, "is not in its range", f"Write a number from {low} to {high}.")
        return int(value)


def load_yaml(text: str, name: str) -> Any:  # noqa: ANN401 - YAML holds anything
    """The document in `text`; `name` is what faults call it. Raises: ConfigError with the line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote the file, and a secret can be there
            return YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as exc:
        raise _yaml_fault(exc, name) from exc
    except (YAMLError, LookupError, TypeError, ValueError, AttributeError, AssertionError) as exc:
        raise ConfigError("is not YAML", where=name, mend=SHAPE) from exc
    except RecursionError as exc:
        raise ConfigError("is nested too deep", where=name, mend=SHAPE) from exc


def _yaml_fault(exc: MarkedYAMLError, name: str) -> ConfigError:
    """The fault as the parser has it: where it noticed, what, and within what that began before."""
    mark, began = exc.problem_mark or exc.context_mark, exc.context_mark
    detail = _without_quotes(str(exc.problem or exc.context or "")) or "is not YAML"
    if exc.problem and exc.context and began is not None and mark is not None:
        line = f" that begins in line {began.line + 1}" if began.line != mark.line else ""
        detail = f"{detail} ({_without_quotes(str(exc.context))}{line})"
    mends = (mend for words, mend in _YAML_MENDS.items() if words in detail)
    return ConfigError(
        detail,
        where=f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name,
        mend=next(mends, "Mend the YAML there, or in what begins before it."),
    )


_YAML_MENDS: Final = {
    "duplicate key": "Drop one of the two.",
    "'\\t'": "Indent with spaces.",
    "cannot start any token": "Put a text that begins so in quotes.",
    "mapping values are not allowed": "Put a text with a colon in quotes, or mend the indentation.",
    "undefined alias": "Put a text that begins with * in quotes.",
    "unknown escape": "Write a backslash twice, or use single quotes.",
}
# Of what the parser quotes, the names of tokens and single characters; else it can be a secret.
_HARMLESS: Final = re.compile(r"""(?:[^'"]|'(?:<[a-z ]{1,30}>|\\?[^'"])')*""")


def _without_quotes(told: str) -> str:
    """The parser's words up to what it quotes of the file; a field's name may stay."""
    told = told.partition("\n")[0]
    if found := re.match(r'found duplicate key "[A-Za-z0-9_-]{1,63}"', told):
        return found[0]
    found = _HARMLESS.match(told)
    return found[0].strip() if found else ""


def _shown(name: object) -> str:
    """A field's name, unless it looks like anything but one: then it can be a secret."""
    plain = isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,30}", name)
    return str(name) if plain else "(a field)"


def _line_of(values: object, name: str) -> int | None:
    """The line of a field (of its mapping, if it isn't there), 1-based, where it is known."""
    place = getattr(values, "lc", None)
    if place is None:
        return None
    rows = {str(key): row for key, row in (place.data or {}).items()}
    found = rows.get(name.partition("[")[0])
    return int(found[0] if found else place.line) + 1
