"""Jayway JsonPath 2.0: paths compiled once to closures, then asked of documents.

The reading of a path follows that release letter by letter, its oddities included: an index of
something else than an array fails the request, `[1:5:2]` is `[1:5]`, `[-1]` finds nothing, and a
name that is missing below `..` or `*` sometimes ends the whole search.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hookrack.edge.mapping import pathtext
from hookrack.edge.mapping.jsonsmart import Value
from hookrack.edge.mapping.pathfilter import Inner, read_filter
from hookrack.edge.mapping.pathsteps import Missing, Search, Test, chain
from hookrack.edge.mapping.pathtext import (
    Names,
    Root,
    Token,
    is_definite,
    read_path,
    refuse,
)

PathInvalid = pathtext.PathInvalid
LETTERS: Final = 4_096  # of one path
TOKENS: Final = 200
KEPT: Final = 1_024  # compiled paths


@dataclass(frozen=True, slots=True)
class Path:
    """One compiled path."""

    definite: bool
    """Whether it can name one value at most; if not, `find` gives a list."""
    find: Callable[[Value], Value]
    """The value at the path, or None; a list of all matches where the path is indefinite.

    Raises: PathInvalid, where the gateway fails the request for this document.
    """


@lru_cache(maxsize=KEPT)
def compile_path(path: str) -> Path:
    """`path`, ready to be asked of documents; kept in a bounded cache.

    Raises: PathInvalid.
    """
    _, tokens = _read(path)
    definite = all(map(is_definite, tokens))
    names = _names(tokens)
    if names is not None:
        return Path(definite=True, find=_by_names(names))
    first = chain(tokens, _compile_filter)

    def find(document: Value) -> Value:
        if document is None:
            raise PathInvalid("the document is null, which no path can be asked of")
        search = Search(document)
        try:
            first(document, search)
        except Missing:
            return None
        if definite:
            return search.found[0] if search.found else None
        return search.found

    return Path(definite=definite, find=find)


def _read(path: str) -> tuple[bool, list[Token]]:
    if len(path) > LETTERS:
        refuse(path, f"it has more than {LETTERS} letters")
    from_document, tokens = read_path(path)
    if len(tokens) > TOKENS:
        refuse(path, f"it has more than {TOKENS} steps")
    return from_document, tokens


def _names(tokens: list[Token]) -> tuple[str, ...] | None:
    """The names of a path that is nothing but names, the usual case."""
    found: list[str] = []
    for token in tokens:
        if isinstance(token, Names) and len(token.names) == 1:
            found.append(token.names[0])
        elif not isinstance(token, Root):
            return None
    return tuple(found)


def _by_names(names: tuple[str, ...]) -> Callable[[Value], Value]:
    def find(document: Value) -> Value:
        if document is None:
            raise PathInvalid("the document is null, which no path can be asked of")
        value: Value = document
        for name in names:
            if not isinstance(value, dict) or name not in value:
                return None
            value = value[name]
        return value

    return find


def _compile_filter(text: str) -> Test:
    return read_filter(text, _compile_inner)


def _compile_inner(path: str) -> Inner:
    """A path within a filter, which has to be definite and so has no filter itself."""
    from_document, tokens = _read(path)
    if not all(map(is_definite, tokens)):
        refuse(path, "a path in a filter has to be definite")
    first = chain(tokens, _compile_filter)

    def find(document: Value, root: Value) -> Value:
        search = Search(root)
        first(document, search)
        if not search.found:
            raise Missing
        return search.found[0]

    return Inner(from_document=from_document, find=find)
