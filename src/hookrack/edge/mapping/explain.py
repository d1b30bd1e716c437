"""What a template is made of, what it did with a request, and the traps it may hold."""

from dataclasses import dataclass
from typing import Any

from hookrack.edge.mapping import (
    MappingFault,
    MappingRequest,
    TemplateInvalid,
    compile_template,
    describe,
    warnings,
)
from hookrack.edge.mapping.cases import Tried, try_template


@dataclass(frozen=True, slots=True)
class Explanation:
    """One trial with everything that can be told of it."""

    tried: Tried
    tree: str
    warnings: list[Any]

    def document(self) -> dict[str, Any]:
        """As JSON: `output` and what was set, or `error`; `trace`, `tree`, `warnings`."""
        found: dict[str, Any] = {}
        if self.tried.rendering is not None:
            rendering = self.tried.rendering
            found |= {
                "output": rendering.text,
                "webhookKeys": rendering.webhook_keys,
                "ttl": rendering.ttl,
                "dedupeId": rendering.dedupe_id,
                "requestOverride": rendering.request_override,
                "responseOverride": rendering.response_override,
            }
        if self.tried.fault is not None:
            found["error"] = _error(self.tried.fault)
        return found | {"trace": [], "tree": self.tree, "warnings": self.warnings}

    def text(self) -> str:
        """For eyes."""
        return self.tree


def explain(source: str, request: MappingRequest, *, name: str = "template") -> Explanation:
    """Try a template and tell all about it; nothing is raised for what it gets wrong."""
    tried = try_template(source, request, name=name)
    if isinstance(tried.fault, TemplateInvalid):
        return Explanation(tried, "", [])
    template = compile_template(source, name=name)
    return Explanation(tried, describe(template), warnings(template))


def _error(fault: TemplateInvalid | MappingFault) -> dict[str, Any]:
    return {"message": str(fault), "line": fault.line, "column": fault.column}
