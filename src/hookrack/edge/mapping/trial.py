"""One trial of a template with all that can be told of it: result, trace, tree and traps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hookrack.edge.mapping import (
    Limits,
    MappingFault,
    MappingRequest,
    Rendering,
    TemplateInvalid,
    Trace,
    Trap,
    compile_template,
    describe,
    warnings,
)
from hookrack.edge.mapping.evaluating import TRACED
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.values import show

SHOWN: Final = 100_000  # letters of one value that was set
_OVERRIDES: Final = 2  # maps within each other: which override, and of what name


@dataclass(frozen=True, slots=True)
class Trial:
    """A rendering, or the fault that there was instead; what each reference yielded; the traps."""

    rendering: Rendering | None
    fault: TemplateInvalid | MappingFault | None
    trace: Trace
    tree: str
    traps: list[Trap]

    def document(self) -> dict[str, Any]:
        """As JSON: `output` and what was set, or `error`; then `trace`, `tree`, `warnings`."""
        found: dict[str, Any] = {}
        if self.rendering is not None:
            found |= {
                "output": self.rendering.text,
                "webhookKeys": _shown(self.rendering.webhook_keys),
                "ttl": _shown(self.rendering.ttl),
                "dedupeId": _shown(self.rendering.dedupe_id),
                "requestOverride": _plain(self.rendering.request_override),
                "responseOverride": _plain(self.rendering.response_override),
            }
        if self.fault is not None:
            found["error"] = {
                "message": self.fault.detail,
                "line": self.fault.line,
                "column": self.fault.column,
                "hint": getattr(self.fault, "hint", ""),
            }
        found["trace"] = [
            {
                "reference": each.reference,
                "line": each.place.line,
                "column": each.place.column,
                "yielded": each.yielded,
            }
            for each in self.trace[:TRACED]
        ]
        found["tree"] = self.tree.splitlines()
        found["warnings"] = [
            {"line": trap.place.line, "column": trap.place.column, "message": trap.text}
            for trap in self.traps
        ]
        return found

    def lines(self) -> Iterator[str]:
        """For eyes: a part each for tree, references, traps and result."""
        yield from ("tree", *("  " + line for line in self.tree.splitlines()), "")
        yield "references"
        for each in self.trace[:TRACED]:
            yield f"  {each.place.line}:{each.place.column}  {each.reference}  ->  {each.yielded!r}"
        if len(self.trace) > TRACED:
            yield f"  and {len(self.trace) - TRACED} more"
        if self.traps:
            yield from ("", "warnings", *(f"  {trap}" for trap in self.traps))
        yield from ("", "output" if self.fault is None else "error")
        if self.rendering is not None:
            yield self.rendering.text
        if self.fault is not None:
            yield f"  {self.fault}"


def try_template(
    source: str, request: MappingRequest, *, name: str = "template", limits: Limits
) -> Trial:
    """Compile and render; nothing is raised for what a template or body gets wrong."""
    trace: Trace = []
    try:
        template = compile_template(source, name=name)
    except TemplateInvalid as exc:
        return Trial(None, exc, trace, "", [])
    tree, traps = describe(template), warnings(template)
    try:
        return Trial(template.render(request, limits=limits, trace=trace), None, trace, tree, traps)
    except MappingFault as exc:
        return Trial(None, exc, trace, tree, traps)


def _shown(value: Any) -> Any:
    """What was set as it prints; a list item by item."""
    if value is None:
        return None
    return [_print(each) for each in value] if isinstance(value, list) else _print(value)


def _print(value: Any) -> str:
    """A value as it prints, or the word for one that prints too much to be shown."""
    try:
        return show(value, limit=SHOWN)
    except (JavaException, RecursionError):
        return "(too much to be shown)"


def _plain(overrides: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Overrides as JSON; further in than they go on API Gateway, a map as it prints."""
    return {
        str(name): _plain(value, depth + 1)
        if isinstance(value, dict) and depth < _OVERRIDES
        else _shown(value)
        for name, value in overrides.items()
    }
