"""JSON as the gateway reads and writes it: permissive in, json-smart's own text out.

What the values are, for everybody who handles them:

- a JSON object is a plain `dict`, null is None, a string is `str`, true and false are `bool`;
- a number is `int`, `float`, or `decimal.Decimal` (a fraction with more digits than a double has);
- a JSON array is a **plain `list`** and prints as JSON text. What a *template* makes (`[1, 2]`,
  ranges, `split`, `keySet`, `subList` ...) is a `JavaList`, which prints as Java does: `[1, a]`.
  So nothing that came from JSON has to be walked to be marked.

`parse` raises `BodyUnreadable` for what the gateway answers with a 400.
"""

from decimal import Decimal
from typing import TypeAlias

Value: TypeAlias = "None | bool | int | float | Decimal | str | list[Value] | dict[str, Value]"
JsonArray: TypeAlias = "list[Value]"


class JavaList(list["Value"]):
    """A list that a template made: it prints as Java prints lists, not as JSON."""

    __slots__ = ()


class BodyUnreadable(ValueError):  # noqa: N818
    """A text that even the permissive parser refuses; the gateway answers 400."""


def parse(text: str) -> Value:
    """The value that `text` stands for."""
    raise NotImplementedError(text)


def dump(value: Value) -> str:
    """`value` as compact JSON text, as json-smart writes it."""
    raise NotImplementedError(value)
