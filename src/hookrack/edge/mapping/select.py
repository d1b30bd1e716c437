"""Which template a request gets, and what becomes of it if none fits."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar

ABSENT_TYPE: Final = "application/json"
DEFAULT: Final = "$default"


class Passthrough(Enum):
    """What happens to a body that no template fits, as API Gateway names it."""

    WHEN_NO_MATCH = "when_no_match"
    WHEN_NO_TEMPLATES = "when_no_templates"
    NEVER = "never"


TemplateT = TypeVar("TemplateT")


@dataclass(frozen=True, slots=True)
class Transform(Generic[TemplateT]):
    """The body is rendered by this template."""

    template: TemplateT


@dataclass(frozen=True, slots=True)
class PassThrough:
    """The body stays as it is."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The request is refused with a 415."""


def media_type(content_type: str | None) -> str:
    """The type of a Content-Type header without its parameters."""
    bare = (content_type or "").partition(";")[0].strip().lower()
    return bare or ABSENT_TYPE


def select(
    templates: Mapping[str, TemplateT],
    content_type: str | None,
    *,
    passthrough: Passthrough,
) -> Transform[TemplateT] | PassThrough | Unsupported:
    """What to do with a body of this type. A type whose template is empty text has none."""
    usable = {name.lower(): each for name, each in templates.items() if each != ""}
    for name in (media_type(content_type), DEFAULT):
        if name in usable:
            return Transform(usable[name])
    if passthrough is Passthrough.NEVER:
        return Unsupported()
    if usable and passthrough is Passthrough.WHEN_NO_TEMPLATES:
        return Unsupported()
    return PassThrough()
