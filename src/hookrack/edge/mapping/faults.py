"""What can be wrong with a template, when it is compiled and when it runs, each with its place."""

from dataclasses import dataclass
from typing import Final

SHOWN: Final = 100  # characters of a source line that an error shows


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a template, counted from 1."""

    line: int = 1
    column: int = 1

    def within(self, outer: "Place", *, shift: int = 1) -> "Place":
        """The same place of a text that itself stands at `outer`, `shift` characters further on."""
        if self.line == 1:
            return Place(outer.line, outer.column + self.column - 1 + shift)
        return Place(outer.line + self.line - 1, self.column)


class TemplateInvalid(ValueError):  # noqa: N818 - named for what is the case, as all ours are
    """A template that API Gateway would refuse: where, why, and what to do about it."""

    def __init__(
        self, detail: str, place: Place, *, hint: str = "", name: str = "template"
    ) -> None:
        super().__init__(f"{name}, line {place.line}, column {place.column}: {detail}")
        self.name = name
        self.detail = detail
        self.place = place
        self.hint = hint
        self.caret = ""

    @property
    def line(self) -> int:
        """The line, counted from 1."""
        return self.place.line

    @property
    def column(self) -> int:
        """The column, counted from 1."""
        return self.place.column

    def shown_in(self, source: str) -> None:
        """Take the line of the source along, with a caret below the place."""
        lines = source.splitlines() or [""]
        line = lines[min(self.place.line, len(lines)) - 1]
        start = max(0, self.place.column - 1 - SHOWN // 2)
        shown = line[start : start + SHOWN].replace("\t", " ")
        self.caret = shown + "\n" + " " * (self.place.column - 1 - start) + "^"

    def report(self) -> str:
        """Everything for a person: the message, the line with a caret, the hint."""
        return "\n".join(each for each in (str(self), self.caret, self.hint) if each)


class MappingFault(Exception):  # noqa: N818
    """The end of one rendering: API Gateway would answer 500, or a budget is spent."""

    def __init__(self, detail: str, place: Place | None = None, *, status: int = 500) -> None:
        super().__init__(detail)
        self.detail = detail
        self.place = place or Place()
        self.status = status

    @property
    def line(self) -> int:
        """The line, counted from 1."""
        return self.place.line

    @property
    def column(self) -> int:
        """The column, counted from 1."""
        return self.place.column

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.detail}"


class JavaException(Exception):  # noqa: N818
    """What a method of a value throws in Java; whoever called it gives it a place."""

    status = 500


class BodyFault(JavaException):
    """A body that even the permissive reader refuses: the sender's mistake."""

    status = 400
