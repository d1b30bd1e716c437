"""Which events are the same one sent twice: the dedupe id of a request, and how long it counts."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl

import orjson

from hookrack.edge.mapping.jsonpath import Path, PathInvalid, compile_path
from hookrack.model import DEDUPE_ID_CHARS, DEDUPE_WINDOW, Request

IDEMPOTENCY_KEY: Final = b"idempotency-key"
SOURCES: Final = ("header", "query", "body")
HASH: Final = "hash"


def nobody() -> str | None:
    """A sender without a name for its deliveries."""
    return None


@dataclass(frozen=True, slots=True)
class Dedupe:
    """Where a flow's dedupe ids come from: `header.NAME`, `query.NAME`, `body.JSONPATH`, `hash`.

    A request without an id there is told by what its sender calls the delivery, else by its
    Idempotency-Key, if it has one. `hash` is that of the body: equal bodies are one event.
    """

    source: str | None = None
    window: timedelta = DEDUPE_WINDOW

    @classmethod
    def of(cls, source: str, window: timedelta) -> "Dedupe":
        """Check the source. Raises: ValueError with words for the operator."""
        if source == HASH:
            return cls(source, window)
        kind, dot, name = source.partition(".")
        if kind not in SOURCES or not dot or not name:
            raise ValueError(f"{source!r} is not header.NAME, query.NAME, body.JSONPATH or hash")
        if kind == "body":
            try:
                compile_path(name)
            except PathInvalid as exc:
                raise ValueError(f"{name!r} is no JSONPath: {exc}") from exc
        return cls(f"header.{name.lower()}" if kind == "header" else source, window)

    def find(self, request: Request, delivery: Callable[[], str | None] = nobody) -> str | None:
        """The dedupe id that a request brings; None where it brings none.

        `delivery` tells what a sender that was verified calls it.
        """
        kind, _, name = (self.source or "").partition(".")
        found = None
        if kind == "header":
            found = _header(request, name.encode("latin-1", errors="replace"))
        elif kind == "query":
            found = dict(reversed(parse_qsl(request.query))).get(name)
        elif kind == "body":
            found = _in_body(request.body, compile_path(name))
        elif kind == HASH:
            found = hashlib.sha256(request.body).hexdigest()
        found = found or delivery() or _header(request, IDEMPOTENCY_KEY)
        return shortened(found) if found else None


NO_SOURCE: Final = Dedupe()


def shortened(found: str) -> str:
    """An id as it is; of one too long to keep, a digest that stands for it."""
    if len(found) <= DEDUPE_ID_CHARS:
        return found
    return "sha256:" + hashlib.sha256(found.encode(errors="surrogatepass")).hexdigest()


def _header(request: Request, name: bytes) -> str | None:
    for key, value in request.headers:
        if key == name:
            return str(value, "latin-1").strip()
    return None


def _in_body(body: bytes, path: Path) -> str | None:
    """A text or whole number at a place in a JSON body."""
    try:
        found = path.find(orjson.loads(body))
    except (orjson.JSONDecodeError, RecursionError):
        return None
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) else None
