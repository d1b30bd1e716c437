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


def counting(sources: Mapping[str, str]) -> dict[str, str]:
    """The templates that count, by type in lower case: one that is empty text is none."""
    return {name.lower(): source for name, source in sources.items() if source}


def select(
    templates: Mapping[str, TemplateT],
    content_type: str | None,
    *,
    passthrough: Passthrough,
) -> Transform[TemplateT] | PassThrough | Unsupported:
    """What to do with a body of this type; `templates` are those that count, see `counting`."""
    for name in (media_type(content_type), DEFAULT):
        if name in templates:
            return Transform(templates[name])
    if passthrough is Passthrough.NEVER:
        return Unsupported()
    if templates and passthrough is Passthrough.WHEN_NO_TEMPLATES:
        return Unsupported()
    return PassThrough()
