"""A template as YAML, with its comments; the same stack gives the same text."""

import io
from collections.abc import Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from hookrack.aws.stack import Path, Stack
from hookrack.errors import ConfigError

TEMPLATE_BYTES: Final = 1_000_000  # that CloudFormation takes from a bucket
_WIDTH: Final = 4_000  # long enough that a text is folded only where it has lines of its own
_INDENT: Final = 2


def print_stack(stack: Stack, *, name: str) -> str:
    """The text of a template. Raises: ConfigError where it is too long for CloudFormation."""
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.allow_unicode = False  # so that no viewer and no transport changes a template's text
    out = io.StringIO()
    yaml.dump(_commented(stack.document, stack.comments, ()), out)
    text = out.getvalue()
    if len(text) > TEMPLATE_BYTES:
        raise ConfigError(
            f"makes a template of {len(text)} bytes, and CloudFormation takes {TEMPLATE_BYTES}",
            where=name,
            mend="Make several flow files of it, or its templates and models smaller.",
        )
    return text


def _commented(value: Any, comments: Mapping[Path, str], path: Path) -> Any:  # noqa: ANN401 - YAML holds anything
    if isinstance(value, Mapping):
        made = CommentedMap()
        for name, each in value.items():
            own = (*path, str(name))
            made[name] = _commented(each, comments, own)
            if own in comments:
                indent = _INDENT * len(path)
                made.yaml_set_comment_before_after_key(name, before=comments[own], indent=indent)
        return made
    if isinstance(value, list | tuple):
        return CommentedSeq(_commented(each, comments, (*path, "-")) for each in value)
    return value
