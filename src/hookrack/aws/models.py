"""A flow's model as API Gateway takes it: schemas of an OpenAPI document.

Its import drops keywords that it doesn't know, without a word, and would let through what the flow
refuses. So only a model of keywords that it checks is written; what is left out only describes.
"""

from collections.abc import Mapping
from typing import Any, Final

from hookrack.edge.mapping.aws import NotDirect
from hookrack.edge.schema import Model

_DRAFT_4: Final = ("http://json-schema.org/draft-04/schema", "http://json-schema.org/schema")
_CHECKED: Final = frozenset(
    {
        *("type", "enum", "format", "pattern", "minLength", "maxLength", "required"),
        *("minimum", "maximum", "multipleOf", "minProperties", "maxProperties", "uniqueItems"),
    }
)
_OF_ONE: Final = frozenset({"items", "not", "additionalProperties"})
_OF_MANY: Final = frozenset({"allOf", "anyOf", "oneOf"})
_WORDS: Final = frozenset({"title", "description", "default", "$schema", "$comment", "definitions"})
_TYPES: Final = frozenset({"object", "array", "string", "number", "integer", "boolean"})
_DEFINED: Final = "#/definitions/"

Schemas = dict[str, Any]


def schemas_of(model: Model, *, name: str) -> Schemas:
    """The model under `name`, and each of its definitions under a name that begins so.

    Raises: NotDirect, with what API Gateway wouldn't check.
    """
    document = model.document
    if not isinstance(document, Mapping):
        raise NotDirect("its model is true or false, and API Gateway takes an object")
    draft = str(document.get("$schema", _DRAFT_4[0])).rstrip("#")
    if draft not in _DRAFT_4:
        raise NotDirect(f"its model is of {draft}, and API Gateway checks draft 4 only")
    definitions = document.get("definitions", {})
    names = {each: f"{name}D{place}" for place, each in enumerate(sorted(definitions))}
    written = {name: _written(document, names)}
    return written | {names[each]: _written(definitions[each], names) for each in sorted(names)}


def _written(schema: object, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - a JSON document
    """One schema. Raises: NotDirect."""
    if not isinstance(schema, Mapping):
        raise NotDirect("its model has a list of schemas, or true, where API Gateway takes one")
    if "$ref" in schema:
        return {"$ref": _reference(schema["$ref"], names)}
    found = {name: _part(name, value, names) for name, value in schema.items()}
    return {name: value for name, value in found.items() if name not in _WORDS}


def _part(keyword: str, value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - as above
    """The value of one keyword; None where it only describes. Raises: NotDirect."""
    if keyword == "type" and (not isinstance(value, str) or value not in _TYPES):
        raise NotDirect("its model has a list of types or null, and API Gateway takes one type")
    if keyword in _CHECKED or (keyword == "additionalProperties" and isinstance(value, bool)):
        return value
    if keyword in _OF_ONE:
        return _written(value, names)
    if keyword in _OF_MANY:
        return [_written(each, names) for each in value]
    if keyword == "properties":
        return {each: _written(value[each], names) for each in value}
    if keyword not in _WORDS:
        raise NotDirect(f"its model has {keyword!r}, which API Gateway doesn't check")
    return None


def _reference(target: str, names: Mapping[str, str]) -> str:
    name = target.removeprefix(_DEFINED).replace("~1", "/").replace("~0", "~")
    if not target.startswith(_DEFINED) or name not in names:
        raise NotDirect(f"its model refers to {target!r}; API Gateway takes #/definitions/NAME")
    return f"#/components/schemas/{names[name]}"
