"""The mapping step of a flow as flow files and the API write it.

In a file a template is a path or `{inline: text}`; what the API brings is the text itself or the
same `{inline: text}`. Templates are parsed here, once: a fault names line and column.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from hookrack.edge.mapping import Template, TemplateInvalid, compile_template
from hookrack.edge.mapping.select import DEFAULT, Passthrough
from hookrack.edge.mapping.step import FlowMapping
from hookrack.edge.mapping.template import TEMPLATE_BYTES
from hookrack.fields import Fields

FIELDS: Final = ("templates", "passthrough", "stageVariables")
TEMPLATES_PER_FLOW: Final = 32
STAGE_VARIABLES: Final = 100  # as many, and as long, as API Gateway allows
STAGE_VARIABLE_CHARS: Final = 512

_PASSTHROUGHS: Final = tuple(each.value for each in Passthrough)
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_VARIABLE: Final = re.compile(r"[A-Za-z0-9_]{1,64}")


def read_mapping(flow: Fields) -> FlowMapping | None:
    """The mapping step of a flow; None where it has none. Raises: ConfigError."""
    if not any(name in flow.values for name in FIELDS):
        return None
    passthrough = Passthrough(flow.choice("passthrough", _PASSTHROUGHS))
    return FlowMapping(_templates(flow), passthrough, _stage_variables(flow))


def mapping_document(mapping: FlowMapping) -> dict[str, Any]:
    """The fields that `read_mapping` takes."""
    document: dict[str, Any] = {"passthrough": mapping.passthrough.value}
    if mapping.templates:
        document["templates"] = {
            media_type: {"inline": template.source}
            for media_type, template in mapping.templates.items()
        }
    if mapping.stage_variables:
        document["stageVariables"] = dict(mapping.stage_variables)
    return document


def _templates(flow: Fields) -> dict[str, Template]:
    if "templates" not in flow.values:
        return {}
    own = flow.mapping("templates")
    if len(own.values) > TEMPLATES_PER_FLOW:
        flow.refuse("templates", f"are more than {TEMPLATES_PER_FLOW}", "Drop some.")
    mend = f"Write for example application/json, or {DEFAULT} for every other type."
    found = {
        name.lower(): _template(own, name)
        for name in own.names(lambda name: name == DEFAULT or _is_media_type(name), mend)
    }
    if len(found) < len(own.values):
        flow.refuse("templates", "name a media type twice", "Case makes no difference; drop one.")
    return {name: template for name, template in found.items() if template.source}


def _is_media_type(name: str) -> bool:
    return _MEDIA_TYPE.fullmatch(name.lower()) is not None


def _template(own: Fields, name: str) -> Template:
    """One template; an empty one counts as none, as on API Gateway."""
    given = own.values[name]
    shown = own.at.below(name).path
    if isinstance(given, Mapping):
        inline = Fields(given, at=own.at.below(name))
        inline.only("inline")
        source = inline.required("inline")
        if not isinstance(source, str):
            inline.refuse("inline", "is not a text", "Put the template there.")
    elif own.at.folder is None and own.at.environ is None:
        source = own.as_text(name, given)
    else:
        shown = own.as_text(name, given)
        source = _read(own, name, shown)
    try:
        return compile_template(source, name=shown)
    except TemplateInvalid as exc:
        own.refuse(name, f"is no mapping template: {exc}", exc.hint or "Mend the template.")


def _read(own: Fields, name: str, path_name: str) -> str:
    if own.at.folder is None:
        own.refuse(name, "is a path", "Write the template itself here, as {inline: ...}.")
    path = own.at.folder / path_name
    try:
        if path.stat().st_size > TEMPLATE_BYTES:
            own.refuse(name, f"{path} has more than {TEMPLATE_BYTES} bytes", "Make it smaller.")
        return path.read_bytes().decode("utf-8-sig")  # an editor's mark at the start is no text
    except OSError as exc:
        own.refuse(name, f"{path} can't be read: {exc.strerror}", "Paths begin at this file.")
    except UnicodeDecodeError:
        own.refuse(name, f"{path} is not UTF-8", "Save it as UTF-8.")


def _stage_variables(flow: Fields) -> dict[str, str]:
    if "stageVariables" not in flow.values:
        return {}
    own = flow.mapping("stageVariables")
    if len(own.values) > STAGE_VARIABLES:
        flow.refuse("stageVariables", f"are more than {STAGE_VARIABLES}", "Drop some.")
    found = {
        name: own.text(name)
        for name in own.names(_VARIABLE.fullmatch, "Use 1 to 64 of A-Z a-z 0-9 _.")
    }
    for name, value in found.items():
        if len(value) > STAGE_VARIABLE_CHARS:
            own.refuse(name, f"is longer than {STAGE_VARIABLE_CHARS} characters", "Shorten it.")
    return found
