"""Mapping templates: compiled once, rendered for every request."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any, Final, NamedTuple

from hookrack.edge.mapping import budget
from hookrack.edge.mapping.faults import JavaException, MappingFault, Place, TemplateInvalid
from hookrack.edge.mapping.jsonwrite import JavaList
from hookrack.edge.mapping.parser import parse
from hookrack.edge.mapping.rendering import Compiled, compile_block
from hookrack.edge.mapping.running import (
    DEFAULT_LIMITS,
    Definition,
    Leaving,
    Limits,
    MappingRequest,
    Run,
    Trace,
)
from hookrack.edge.mapping.syntax import Block
from hookrack.edge.mapping.values import paired

TEMPLATE_BYTES: Final = 300 * 1024
_LARGE: Final = 16 * 1024


class Rendering(NamedTuple):
    """What a template gave: its text, and what it set. Nobody has checked any of it."""

    text: str
    webhook_keys: Any = None
    ttl: Any = None
    dedupe_id: Any = None
    request_override: Mapping[str, Any] = {}
    response_override: Mapping[str, Any] = {}


class Template:
    """A compiled template. It keeps nothing between renderings; any thread may use it."""

    def __init__(self, source: str, tree: Block, *, name: str) -> None:
        self.source = source
        self.tree = tree
        self.name = name
        self._compiled = compile_block(tree)

    def __eq__(self, other: object) -> bool:
        """Equal sources."""
        return isinstance(other, Template) and other.source == self.source

    def __hash__(self) -> int:
        """By the source."""
        return hash(self.source)

    @cached_property
    def _traced(self) -> Compiled:
        return compile_block(self.tree, is_traced=True)

    def render(
        self,
        request: MappingRequest,
        *,
        limits: Limits = DEFAULT_LIMITS,
        trace: Trace | None = None,
    ) -> Rendering:
        """The template for one request. A trace is given what each reference yields.

        Raises: MappingFault, with the place.
        """
        compiled = self._compiled if trace is None else self._traced
        run = Run(request, limits, trace=trace, changes=compiled.changes)
        out: list[str] = []
        token = budget.begin(run)
        try:
            return _rendered(run, compiled, out)
        except RecursionError as exc:
            raise MappingFault("values or definitions nested too deep") from exc
        except JavaException as exc:  # whose place nobody knew
            raise MappingFault(str(exc), status=exc.status) from exc
        finally:
            budget.end(token)


def _rendered(run: Run, compiled: Compiled, out: list[str]) -> Rendering:
    try:  # noqa: SIM105 - a context manager is two calls more
        compiled.emit(run, out)
    except Leaving:
        pass
    text = paired("".join(out))
    most = run.limits.output
    if not text.isascii() and len(text.encode("utf-8", "replace")) > most:
        raise MappingFault(f"more than {most} bytes of output")
    return _rendering(run, text)


def _rendering(run: Run, text: str) -> Rendering:
    scope = run.scope
    context = scope.context
    get = scope.get
    try:
        own = (_plain(get("webhookKeys")), _plain(get("ttl")), _plain(get("dedupeId")))
        if context is None:
            return Rendering(text, *own)
        overrides = (context.get(name) for name in ("requestOverride", "responseOverride"))
        return Rendering(text, *own, *map(_map, overrides))
    except JavaException as exc:
        raise MappingFault(str(exc)) from exc


def _plain(value: Any) -> Any:
    """A value without what only templates know."""
    if type(value) is Definition:
        return value.text()
    if isinstance(value, list) and any(type(each) is Definition for each in value):
        plain = [_plain(each) for each in value]
        return JavaList(plain) if isinstance(value, JavaList) else plain
    return value


def _map(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


@contextmanager
def _large() -> Iterator[None]:
    """Keep the collector of cycles away from a tree of many thousand parts, then and later.

    There are no cycles in it to be found, but each search of it would stop every thread for as
    long as reading the template takes.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


def compile_template(source: str, *, name: str = "template") -> Template:
    """A template, ready to render. Raises: TemplateInvalid, with place, caret and hint."""
    if len(source.encode("utf-8", "replace")) > TEMPLATE_BYTES:
        raise TemplateInvalid(
            f"the template has more than {TEMPLATE_BYTES // 1024} KB", Place(), name=name
        )
    try:
        with _large() if len(source) > _LARGE else nullcontext():
            return Template(source, parse(source), name=name)
    except TemplateInvalid as exc:
        named = TemplateInvalid(exc.detail, exc.place, hint=exc.hint, name=name)
        named.shown_in(source)
        raise named from exc
    except RecursionError as exc:
        raise TemplateInvalid("nested too deep", Place(), name=name) from exc
