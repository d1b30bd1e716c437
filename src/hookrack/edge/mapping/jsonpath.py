"""Jayway JsonPath 2.0: paths compiled once to closures, then asked of documents."""

from collections.abc import Callable
from dataclasses import dataclass

from hookrack.edge.mapping.jsonsmart import Value


class PathInvalid(ValueError):  # noqa: N818
    """A path that the gateway refuses when it reads it; the request fails with a 500."""


@dataclass(frozen=True, slots=True)
class Path:
    """One compiled path."""

    find: Callable[[Value], Value]
    """The value at the path, or None; a list of all matches where the path is indefinite."""


def compile_path(path: str) -> Path:
    """`path`, ready to be asked of documents; kept in a bounded cache.

    Raises: PathInvalid.
    """
    raise NotImplementedError(path)
