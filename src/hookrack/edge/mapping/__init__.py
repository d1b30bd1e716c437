"""The mapping engine: API Gateway's mapping templates, compiled to closures.

`compile_template(source)` gives a `Template` or raises `TemplateInvalid`; its `render(request)`
gives a `Rendering` or raises `MappingFault`. Nothing here reads files, clocks or sockets: a clock
for the budget of CPU time is handed in with the `Limits`.
"""

from hookrack.edge.mapping.explaining import Trap, describe, warnings
from hookrack.edge.mapping.faults import MappingFault, Place, TemplateInvalid
from hookrack.edge.mapping.running import (
    DEFAULT_LIMITS,
    Limits,
    MappingRequest,
    Trace,
    Traced,
)
from hookrack.edge.mapping.template import Rendering, Template, compile_template

__all__ = [
    "DEFAULT_LIMITS",
    "Limits",
    "MappingFault",
    "MappingRequest",
    "Place",
    "Rendering",
    "Template",
    "TemplateInvalid",
    "Trace",
    "Traced",
    "Trap",
    "compile_template",
    "describe",
    "warnings",
]
