"""Templates cut into tokens, one by one, since the parser has a say in the lexical state."""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from hookrack.edge.mapping.faults import Place, TemplateInvalid
from hookrack.edge.mapping.lexical import BY_STATE, ESCAPED, Rule, State

# What is left of a text that begins no reference. Velocity's own loop drops what stands behind
# backslashes and their dollar.
_DOLLARS: Final = re.compile(r"(\\+\$).?|([#$])", re.DOTALL)
_RUN: Final = re.compile(r"\\+")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


@dataclass(slots=True)
class Token:
    """A piece of a template; `special` is what a text token carries from before it."""

    kind: str
    image: str
    start: int
    end: int
    special: str = ""

    @property
    def text(self) -> str:
        """What the token prints where it is text."""
        return self.special + self.image


@dataclass(frozen=True, slots=True)
class _Frame:
    state: State
    opened: int
    closed: int


class Lexer:
    """The tokens of a template. A lexer is read through once."""

    def __init__(self, source: str, *, origin: Place | None = None) -> None:
        self.source = source
        self._origin = origin
        self.state = State.DEFAULT
        self._at = 0
        self._stack: list[_Frame] = []
        self._opened = self._closed = 0
        self._is_comment = False
        self._run_end = 0  # of the backslashes that the lexer is within
        self._escaped = ""  # what stands behind them
        self._ends = [found.end() for found in _LINE_END.finditer(source)]

    def place(self, offset: int) -> Place:
        """The line and column of an offset."""
        line = bisect_right(self._ends, offset)
        place = Place(line + 1, offset - (self._ends[line - 1] if line else 0) + 1)
        return place if self._origin is None else place.within(self._origin)

    def push(self) -> None:
        """Remember the state, to come back to it."""
        self._stack.append(_Frame(self.state, self._opened, self._closed))
        self._opened = 0

    def pop(self) -> bool:
        """Go back to the state before; whether there was one."""
        if not self._stack:
            self._opened = 0
            self.state = State.DEFAULT
            return False
        frame = self._stack.pop()
        self.state, self._opened, self._closed = frame.state, frame.opened, frame.closed
        return True

    def opens(self) -> bool:
        """Whether the next letter but for blanks is a parenthesis."""
        rest = self._at
        while self.source[rest : rest + 1] in {" ", "\t", "\n", "\r"}:
            rest += 1
        return self.source[rest : rest + 1] == "("

    def next(self) -> Token:
        """The next token; at the end one of the kind `end`."""
        image, special, start = "", "", self._at
        is_lost = False  # behind `##` that is no comment nothing of it is left
        while True:
            if self._at >= len(self.source):
                if image:
                    raise self._unfinished(image, start)
                return Token("end", "", self._at, self._at, special)
            found = self._match()
            if found is None:
                raise self._stray()
            rule, text = found
            if rule.kind == "integer":
                text = text.removesuffix("..")
            self._at += len(text)
            image += text
            self._act(rule.kind)
            if rule.mode == "token":
                image = "." if rule.kind == "." else image  # what stands before it is lost
                return Token(rule.kind, image, start, self._at, "" if is_lost else special)
            if rule.mode == "special":
                self._at -= 1
                special += "".join(one or two for one, two in _DOLLARS.findall(image))
                is_lost = image.startswith("##")
            if rule.mode != "more":
                image, start = "", self._at

    def _match(self) -> tuple[Rule, str] | None:
        """The rule that matches most, and what it matches."""
        best: tuple[Rule, str] | None = None
        length = 0
        letter = self.source[self._at]
        escaped = self._escaped_here() if letter == "\\" else ""
        for rule in _candidates(self.state, letter):
            if rule.escapes and rule.escapes != escaped and letter == "\\":
                continue
            found = rule.pattern.match(self.source, self._at)
            if found is not None and found.end() - self._at > length:
                best = rule, found[0]
                length = len(found[0])
        return best

    def _escaped_here(self) -> str:
        """What the backslashes here stand before, `$` or `#`, if they can escape it.

        Asked of each only once, since a template may be nothing but backslashes.
        """
        if self._at >= self._run_end:
            run = _RUN.match(self.source, self._at)
            self._run_end = self._at if run is None else run.end()
            found = ESCAPED.match(self.source, self._run_end)
            self._escaped = "" if found is None else found[0][0]
        if self._escaped == "#":  # which takes one backslash behind pairs of them
            return "#" if (self._run_end - self._at) % 2 else ""
        return self._escaped

    def _act(self, kind: str) -> None:
        """What a token does to the state."""
        if self._is_comment:
            if kind in {"line end", "comment end", "raw text"}:
                self._is_comment = False
                self.pop()
            return
        act = _ACTIONS.get(kind)
        if act is not None:
            act(self)

    def leave_reference(self) -> None:
        """A `$` or `#` right after a reference ends it."""
        if self.state in {State.REFERENCE, State.MODIFIER}:
            self.pop()

    def enter(self, state: State) -> None:
        """Go into a state, to come back later."""
        self.push()
        self.state = state

    def comment(self, state: State) -> None:
        """Go into a comment, in which nothing else counts."""
        self._is_comment = True
        self.enter(state)

    def open(self) -> None:
        """A parenthesis opens."""
        self._opened += 1
        if self.state is State.MODIFIER:
            self.state = State.ARGUMENTS

    def close(self) -> None:
        """A parenthesis closes, and with the last one the directive that it belongs to."""
        while True:
            if self._opened > 0:
                if self._opened == self._closed + 1:
                    self.pop()
                else:
                    self._closed += 1
                return
            if not self.pop():
                return

    def _unfinished(self, image: str, start: int) -> TemplateInvalid:
        if image.startswith("#[["):
            return TemplateInvalid(
                "the raw block that begins here isn't closed", self.place(start), hint="Add ]]#."
            )
        return TemplateInvalid(
            f"a template can't end in {image[:20]!r}",
            self.place(start),
            hint="Write anything after it, or let the text come from a variable.",
        )

    def _stray(self) -> TemplateInvalid:
        letter = self.source[self._at]
        if letter in "\"'":
            return TemplateInvalid(
                "the string that begins here isn't closed",
                self.place(self._at),
                hint=f"A backslash escapes nothing; a quote within a string is {letter * 2}.",
            )
        hint = (
            "An argument is a literal or a reference: compute it with #set before."
            if self.state is State.ARGUMENTS
            else ""
        )
        return TemplateInvalid(f"{letter!r} can't stand here", self.place(self._at), hint=hint)


@lru_cache(4096)
def _candidates(state: State, letter: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in BY_STATE[state] if rule.first is None or letter in rule.first)


def _dollar(lexer: Lexer) -> None:
    if lexer.state is State.REFERENCE:
        lexer.pop()
    lexer.enter(State.REFERENCE)


def _hash(lexer: Lexer) -> None:
    lexer.leave_reference()
    lexer.enter(State.WORD)


def _line_comment(lexer: Lexer) -> None:
    if lexer.state is State.REFERENCE:
        lexer.pop()
    lexer.comment(State.LINE_COMMENT)


def _set(lexer: Lexer) -> None:
    lexer.enter(State.DIRECTIVE)
    lexer.open()


def _number(lexer: Lexer) -> None:
    if lexer.state is State.WORD:
        lexer.pop()


def _goes(state: State) -> Callable[[Lexer], None]:
    def act(lexer: Lexer) -> None:
        lexer.state = state

    return act


def _index(lexer: Lexer) -> None:
    lexer.enter(State.INDEX)


def _pop(lexer: Lexer) -> None:
    lexer.pop()


_ACTIONS: Final[dict[str, Callable[[Lexer], object]]] = {
    "index [": _index,
    "index ]": _pop,
    "(": Lexer.open,
    ")": Lexer.close,
    "call )": _goes(State.REFERENCE),
    "#set": _set,
    "$": _dollar,
    "raw": lambda lexer: lexer.comment(State.RAW),
    "comment": lambda lexer: lexer.comment(State.BLOCK_COMMENT),
    "#": _hash,
    "##": _line_comment,
    "#end": _pop,
    "#else": _pop,
    "#if": _goes(State.DIRECTIVE),
    "#elseif": _goes(State.DIRECTIVE),
    ".": _goes(State.MODIFIER),
    "ref }": _pop,
    "terminator": _pop,
    "integer": _number,
    "float": _number,
}
