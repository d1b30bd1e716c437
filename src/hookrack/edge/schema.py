"""Models: does a JSON body have the shape that its flow asks for? JSON Schema, compiled once.

Draft 4 unless `$schema` says another, as on API Gateway. Nothing is fetched: a `$ref` that leaves
the document is a fault of the model. Patterns run on an engine whose back-tracking is bounded.
"""

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from hookrack.errors import Violation
from hookrack.jsontext import UNREAD, read_json

VIOLATIONS_SHOWN: Final = 20
_PATTERN_STEPS: Final = 100_000
# orjson reads a whole number beyond 64 bits as a float: such a body goes the exact way at once.
_LONG: Final = b"0" * 16
_DIGITS: Final = bytes(48 if 48 <= each <= 57 else 32 for each in range(256))
_DRAFT_4: Final = "http://json-schema.org/draft-04/schema#"
_BEYOND_A_DOUBLE: Final = 4_000  # digits; Python refuses to read more than 4,300


@dataclass(frozen=True, slots=True)
class Model:
    """A JSON Schema: its document, and the validator made of it."""

    document: Any
    _validator: Any = field(repr=False, compare=False)

    @classmethod
    def compile(cls, document: object) -> "Model":
        """Make a model of a schema document. Raises: ValueError with words for the operator."""
        if not isinstance(document, dict | bool):
            raise ValueError("a JSON Schema is an object")  # noqa: TRY004 - becomes a ConfigError
        named = isinstance(document, dict) and "$schema" in document
        schema = (
            document if named or isinstance(document, bool) else {"$schema": _DRAFT_4, **document}
        )
        try:
            validator = jsonschema_rs.validator_for(
                schema,
                mask="the value",
                offline=True,
                pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_PATTERN_STEPS),
            )
        except (ValueError, jsonschema_rs.ReferencingError) as exc:
            raise ValueError(str(exc).partition("\n")[0]) from exc
        return cls(document, validator)

    def violations(self, body: bytes, *, value: object = UNREAD) -> list[Violation]:
        """How a valid JSON text breaks the model: the first few, or none.

        `value` is what `read_json` made of it, where that was asked already.
        """
        if self._surely_fits(body, read_json(body)[1] if value is UNREAD else value):
            return []
        exact = json.loads(body, parse_int=_whole)
        found = islice(self._validator.iter_errors(exact), VIOLATIONS_SHOWN)
        return [Violation(_pointer(each.instance_path), each.message) for each in found]

    def _surely_fits(self, body: bytes, value: object) -> bool:
        """The quick way, which never says yes to what the exact one would refuse."""
        if value is UNREAD or _LONG in body.translate(_DIGITS):
            return False
        return bool(self._validator.is_valid(value))


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _BEYOND_A_DOUBLE else float(digits)


def _pointer(path: list[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
