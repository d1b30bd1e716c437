"""What the tokens of a JSONPath do to a document, each a closure that hands on to the next."""

from collections.abc import Callable, Iterable
from typing import Final, NoReturn, TypeAlias

from hookrack.edge.mapping.budget import OFTEN, tick
from hookrack.edge.mapping.jsonsmart import Value
from hookrack.edge.mapping.pathtext import (
    Every,
    Filter,
    Index,
    Names,
    PathInvalid,
    Places,
    Root,
    Scan,
    Token,
    is_definite,
)

VISITS: Final = 1_000_000  # values that one search may look at

Test: TypeAlias = "Callable[[Value, Value], bool]"
"""Whether an item, in a document, passes a filter."""
Step: TypeAlias = "Callable[[Value, Search], None]"
Compile: TypeAlias = "Callable[[str], Test]"
_Next: TypeAlias = "Step | None"


class Missing(Exception):  # noqa: N818 - no error: the search ends with nothing
    """Nothing stands at the path."""


class Search:
    """One search: the whole document, what is found so far, and how long it may go on."""

    __slots__ = ("_turns", "found", "left", "root")

    def __init__(self, root: Value) -> None:
        self.root = root
        self.found: list[Value] = []
        self.left = VISITS
        self._turns = 0

    def visit(self, count: int) -> None:
        """Count values looked at.

        Raises: PathInvalid, when they are too many.
        """
        self.left -= count
        if self.left < 0:
            raise PathInvalid(f"a path looks at more than {VISITS} values")
        self._turns += count
        if self._turns >= OFTEN:
            self._turns = 0
            tick()


def chain(tokens: list[Token], compile_filter: Compile) -> Step:
    """The first step of the tokens, with all others behind it."""
    later: list[Step] = []  # of the tokens behind the one at hand, the next one last
    for place in range(len(tokens) - 1, -1, -1):
        token = tokens[place]
        following = later[-1] if later else None
        if isinstance(token, Scan):
            target = _fits(tokens[place + 1], compile_filter)
            later.append(_scan(target, later[-1], later[-2] if len(later) > 1 else None))
        else:
            strict = _is_strict(tokens, place)
            later.append(_step(token, following, strict=strict, tests=compile_filter))
    return later[-1]


def _is_strict(tokens: list[Token], place: int) -> bool:
    """Whether a name that is missing on the way ends the search, as the release decides it."""
    return is_definite(tokens[place]) and all(map(is_definite, tokens[max(place - 1, 0) :]))


def _found(value: Value, search: Search) -> None:
    search.found.append(value)


def _step(token: Token, following: _Next, *, strict: bool, tests: Compile) -> Step:
    match token:
        case Root():
            return following or _found
        case Names():
            return _names(token.names, following, strict=strict)
        case Every():
            return _every(following)
        case Index():
            return _index(token, following)
        case Filter():
            return _filter(_no_filter if token.text is None else tests(token.text), following)
        case Scan():
            raise AssertionError("a scan takes its target along")


def _names(names: tuple[str, ...], following: _Next, *, strict: bool) -> Step:
    if len(names) != 1:
        return _several(names, leaf=following is None)
    name = names[0]
    go_on = following or _found
    silent = following is not None and not strict

    def step(value: Value, search: Search) -> None:
        if not isinstance(value, dict):
            raise Missing
        if name in value:
            go_on(value[name], search)
        elif not silent:
            raise Missing

    return step


def _several(names: tuple[str, ...], *, leaf: bool) -> Step:
    def step(value: Value, search: Search) -> None:
        if not isinstance(value, dict):
            raise Missing
        if not leaf:
            raise PathInvalid(f"several names {names} can only end a path")
        search.found.append({name: value[name] for name in names if name in value})

    return step


def _every(following: _Next) -> Step:
    go_on = following or _found

    def step(value: Value, search: Search) -> None:
        if isinstance(value, dict):
            search.visit(len(value))
            for member in list(value.values()):
                go_on(member, search)
        elif isinstance(value, list):
            search.visit(len(value))
            for item in value:
                try:
                    go_on(item, search)
                except Missing:
                    continue

    return step


def _index(token: Index, following: _Next) -> Step:
    go_on = following or _found
    chosen = _PLACES[token.places]
    numbers = token.numbers

    def step(value: Value, search: Search) -> None:
        if value is None:
            raise Missing
        if not isinstance(value, list):
            raise PathInvalid("an index or slice is asked of something that is no array")
        for place in chosen(numbers, len(value)):
            search.visit(1)
            if not 0 <= place < len(value):
                raise Missing
            go_on(value[place], search)

    return step


def _from(numbers: tuple[int, ...], length: int) -> Iterable[int]:
    start = numbers[0] + length if numbers[0] < 0 else numbers[0]
    return range(max(0, start), length)


def _to(numbers: tuple[int, ...], length: int) -> Iterable[int]:
    return range(min(length, numbers[0] + length if numbers[0] < 0 else numbers[0]))


def _between(numbers: tuple[int, ...], length: int) -> Iterable[int]:
    return range(numbers[0], min(length, numbers[1])) if length else ()


_PLACES: Final[dict[Places, Callable[[tuple[int, ...], int], Iterable[int]]]] = {
    Places.ONE: lambda numbers, _: numbers[:1],
    Places.SOME: lambda numbers, _: numbers,
    Places.FROM_LENGTH: lambda numbers, length: (length + numbers[0],),
    Places.FROM: _from,
    Places.TO: _to,
    Places.BETWEEN: _between,
}


def _filter(test: Test, following: _Next) -> Step:
    go_on = following or _found

    def step(value: Value, search: Search) -> None:
        if isinstance(value, dict):
            search.visit(1)
            if test(value, search.root):
                go_on(value, search)
        elif isinstance(value, list):
            search.visit(len(value))
            for place, item in enumerate(value, 1):
                if place % OFTEN == 0:
                    tick()
                if test(item, search.root):
                    go_on(item, search)
        else:
            raise PathInvalid("a filter is asked of something that is no array and no object")

    return step


def _no_filter(_item: Value, _root: Value) -> NoReturn:
    raise PathInvalid("[?] has no filter")


def _scan(fits: Test, ask: Step, beyond: _Next) -> Step:
    """`..`: the target is asked of every container that fits it, the outer ones first.

    An array that fits a target which is not the last hands its items to what is `beyond` it.
    """

    def step(value: Value, search: Search) -> None:
        waiting = [value]
        while waiting:
            here = waiting.pop()
            if isinstance(here, dict):
                search.visit(len(here) + 1)
                if fits(here, search.root):
                    ask(here, search)
                waiting.extend(reversed(here.values()))
            elif isinstance(here, list):
                search.visit(len(here) + 1)
                if fits(here, search.root):
                    if beyond is None:
                        ask(here, search)
                    else:
                        for item in here:
                            beyond(item, search)
                waiting.extend(reversed(here))

    return step


def _fits(target: Token, compile_filter: Compile) -> Test:
    """Which containers the target of a scan is asked of."""
    match target:
        case Names():
            names = target.names
            return lambda here, _: isinstance(here, dict) and all(name in here for name in names)
        case Index():
            return lambda here, _: isinstance(here, list)
        case Every():
            return lambda _here, _root: True
        case Filter():
            return _no_filter if target.text is None else compile_filter(target.text)
        case _:
            return lambda _here, _root: False
