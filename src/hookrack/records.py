"""The configuration as it is kept: named JSON texts, and changes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Records:
    """The whole configuration as kept: JSON texts by name, secrets sealed."""

    version: int
    account: Mapping[str, str]
    flow: Mapping[str, str]
    token: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One record set to `text`, or dropped where that is None."""

    kind: Literal["account", "flow", "token"]
    name: str
    text: str | None
