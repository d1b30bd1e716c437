"""The text of a JSONPath, read as Jayway JsonPath 2.0 reads it: letter by letter, oddities too."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NoReturn, TypeAlias

_INT: Final = re.compile(r"[+-]?[0-9]{1,10}")
_BARE_FILTERS: Final = re.compile(r"\[\s*\?\s*[,\s*?]*\s*\]")
_TRIMMED: Final = "".join(map(chr, range(0x21)))
_NUMBER_PARTS: Final = frozenset(", :-")


class PathInvalid(ValueError):  # noqa: N818 - named for what is the case, as all ours are
    """A path that the gateway refuses, at all or for this document; the request fails (500)."""


@dataclass(frozen=True, slots=True)
class Root:
    """`$` itself, wherever it stands."""


@dataclass(frozen=True, slots=True)
class Names:
    """`.a`, `['a']`, `['a','b']`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """`*`: whatever stands in it."""


@dataclass(frozen=True, slots=True)
class Scan:
    """`..`: at whatever depth."""


class Places(Enum):
    """Which items of an array an index asks for."""

    ONE = auto()
    SOME = auto()
    FROM = auto()
    TO = auto()
    BETWEEN = auto()
    FROM_LENGTH = auto()


@dataclass(frozen=True, slots=True)
class Index:
    """`[0]`, `[0,1]`, `[1:]`, `[:1]`, `[1:2]`, `[(@.length-1)]`."""

    places: Places
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?(...)]`; without a text it is `[?]`, which waits for a filter that nobody can give."""

    text: str | None


Token: TypeAlias = Root | Names | Every | Scan | Index | Filter


def is_definite(token: Token) -> bool:
    """Whether the token names one thing at most."""
    if isinstance(token, Index):
        return token.places in {Places.ONE, Places.FROM_LENGTH}
    return isinstance(token, (Root, Names))


def read_path(path: str) -> tuple[bool, list[Token]]:
    """Whether the path starts at the document (`$`, not `@`), and its tokens, the root first.

    Raises: PathInvalid.
    """
    text = path.strip(_TRIMMED)
    if not text or text.endswith(".."):
        refuse(path, "it is empty or ends with ..")
    if text[0] not in "$@":
        text = "$." + text
    from_document = text[0] == "$"
    text = "$" + text[1:]
    if len(text) > 1 and text[1] not in ".[":
        refuse(path, "after $ comes . or [")
    try:
        tokens = _tokens(text)
    except IndexError:
        raise PathInvalid(f"path {path[:200]!r}: it ends too early") from None
    if isinstance(tokens[-1], Scan):
        refuse(path, "it ends with ..")
    return from_document, tokens


def refuse(path: str, why: str) -> NoReturn:
    """Raise: PathInvalid, with the path and the reason."""
    raise PathInvalid(f"path {path[:200]!r}: {why}")


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == " ":
            refuse(text, "a blank stands where a name should begin")
        if letter == "$":
            tokens.append(Root())
            at += 1
        elif letter == "[":
            end = _closing(text, at)
            tokens.append(_analyse(text[at:end]))
            at = end
        elif letter == "*":
            tokens.append(Every())
            at += 1
        elif letter == ".":
            at += 1
            if text[at] == ".":
                tokens.append(Scan())
                at += 1
            elif text[at] not in ".[ ":
                at = _named(text, at, tokens)
        else:
            at = _named(text, at, tokens)
    return tokens


def _named(text: str, at: int, tokens: list[Token]) -> int:
    end = at
    while end < len(text) and text[end] not in ".[ ":
        end += 1
    name = text[at:end]
    tokens.append(Every() if name == "*" else _analyse(f"['{name}']"))
    return end


def _closing(text: str, at: int) -> int:
    """Behind the bracket that closes the one at `at`; quotes don't count."""
    depth = 0
    for place in range(at + 1, len(text)):
        if text[place] == "]":
            if depth == 0:
                return place + 1
            depth -= 1
        elif text[place] == "[":
            depth += 1
    return len(text)


def _analyse(part: str) -> Token:
    """What a part in brackets means: the first telling letter decides."""
    if part == "[*]":
        return Every()
    if _BARE_FILTERS.fullmatch(part):
        return Filter(None)
    for at, letter in enumerate(part):
        if letter in "?'@":
            return _TOLD_BY[letter](part, at)
        if letter.isdecimal() or letter in ":-":
            return _Indexes(part, at).read()
    return refuse(part, "nothing in it can be understood")


def _names(part: str, at: int) -> Names:
    names: list[str] = []
    name: list[str] | None = None
    while part[at] != "]":
        if part[at] == "'":
            if name is None:
                name = []
            else:
                names.append("".join(name))
                name = None
        elif name is not None:
            name.append(part[at])
        at += 1
    return Names(tuple(names))


def _filter(part: str, at: int) -> Filter:
    """The filter with its brackets; those in strings don't count."""
    start = part.rindex("[", 0, at)
    squares = rounds = 0
    quoted = False
    before = " "
    for place in range(start, len(part)):
        letter = part[place]
        if letter == "'":
            quoted = quoted if before == "\\" else not quoted
        elif not quoted and letter in "()":
            rounds += 1 if letter == "(" else -1
        elif not quoted and letter in "[]":
            squares += 1 if letter == "[" else -1
            if letter == "]" and rounds == 0:
                if squares:
                    refuse(part, "the brackets of the filter are not balanced")
                return Filter(part[start : place + 1])
        before = letter
    return refuse(part, "the filter doesn't end")


def _from_length(part: str, at: int) -> Index:
    """`(@.length-1)` or `(@.size()-1)`."""
    at += 2
    dash = part.index("-", at) if "-" in part[at:] else len(part)
    function = "".join(letter for letter in part[at:dash] if letter not in " ()")
    if function not in {"size", "length"}:
        refuse(part, "only @.length - n and @.size() - n can be asked")
    end = part.find(")", dash)
    if dash == len(part) or end < 0:
        refuse(part, "it ends too early")
    number = part[dash:end].replace(" ", "")
    return Index(Places.FROM_LENGTH, (_int(number),))


_TOLD_BY: Final[dict[str, Callable[[str, int], Token]]] = {
    "?": _filter,
    "'": _names,
    "@": _from_length,
}


def _int(digits: str) -> int:
    if not _INT.fullmatch(digits) or not -(2**31) <= int(digits) < 2**31:
        refuse(digits, "this is no index")
    return int(digits)


class _Indexes:
    """Reads indexes and slices."""

    def __init__(self, part: str, at: int) -> None:
        self.part = part
        self.at = at
        self.digits = ""
        self.numbers: list[int] = []
        self.some = self.from_ = self.to = self.between = False

    def read(self) -> Index:
        """The index, with as many numbers as stand there; of a slice the first two count."""
        while self._letter().isdecimal() or self._letter() in _NUMBER_PARTS:
            letter = self._letter()
            if letter == ":":
                self._slice()
            elif letter == ",":
                self._number()
                self.some = True
            elif letter != " ":
                self.digits += letter
            if self._letter() == "]":
                break
            self.at += 1
        if self.digits:
            self._number()
        return Index(self._places(), tuple(self.numbers))

    def _letter(self) -> str:
        return self.part[self.at]

    def _number(self) -> None:
        self.numbers.append(_int(self.digits))
        self.digits = ""

    def _slice(self) -> None:
        began = bool(self.digits)
        if began:
            self._number()
        self.at += 1
        while self._letter().isdecimal() or self._letter() in " -":
            self.digits += self._letter().strip()
            self.at += 1
        if not began:
            self.to = True
            self._number()
        elif self.digits:
            self.between = True
            self._number()
        else:
            self.from_ = True

    def _places(self) -> Places:
        if len(self.numbers) == 1 and not self.to and not self.from_:
            return Places.ONE
        if self.some:
            return Places.SOME
        if self.from_:
            return Places.FROM
        return Places.TO if self.to else Places.BETWEEN
