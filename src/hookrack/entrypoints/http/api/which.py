"""Which dead letters or rejections a call means: the flat filter that all of their calls share."""

import datetime as dt
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hookrack.errors import Code, Rejected

LIMIT: Final = 1_000
DEFAULT_LIMIT: Final = 100
_WHICH: Final = (
    "Say which with one or more of account, flow, reason, from, to and ids, or all of them with "
    "all: true."
)


class Which(BaseModel):
    """All that fit every field given."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    account: str | None = None
    flow: str | None = None
    reason: str | None = None
    since: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: Annotated[AwareDatetime | None, Field(alias="to")] = None
    ids: Annotated[list[str] | None, Field(max_length=1_000)] = None

    def since_ms(self) -> int | None:
        """`from` in milliseconds."""
        return None if self.since is None else milliseconds_of(self.since)

    def until_ms(self) -> int | None:
        """`to` in milliseconds."""
        return None if self.until is None else milliseconds_of(self.until)

    def event_ids(self) -> frozenset[str] | None:
        """The ids, which have no commas in them; a query can name several in one value."""
        if self.ids is None:
            return None
        return frozenset(event_id for text in self.ids for event_id in text.split(","))

    def check_named(self, *, everything: bool) -> None:
        """Refuse everything by oversight. Raises: Rejected (`QUERY_INVALID`)."""
        fields = self.model_dump(include=set(Which.model_fields), exclude_none=True)
        if not fields and not everything:
            raise Rejected(Code.QUERY_INVALID, _WHICH)


class Paged(BaseModel):
    """A page; `after` and `cursor` are the same."""

    cursor: str | None = None
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=LIMIT)] = DEFAULT_LIMIT

    def place(self) -> str | None:
        """Where the page begins."""
        return self.after or self.cursor


def milliseconds_of(moment: dt.datetime) -> int:
    """A time as milliseconds since 1970."""
    return int(moment.timestamp() * 1000)
