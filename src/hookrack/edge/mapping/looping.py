"""Loops compiled to closures: what they go over, and the variables that they lend and give back."""

from typing import Any, Final

from hookrack.edge.mapping.containers import ModifiedFault
from hookrack.edge.mapping.faults import JavaException, Place
from hookrack.edge.mapping.jsonwrite import JavaList
from hookrack.edge.mapping.objects import Loop
from hookrack.edge.mapping.running import TURNS, Emit, Leaving, Run
from hookrack.edge.mapping.stepping import Value
from hookrack.edge.mapping.values import Cursor, JavaView

_COUNT: Final = "velocityCount"
_HAS_NEXT: Final = "velocityHasNext"
_OLD_NAMES: Final = (_COUNT, _HAS_NEXT)
_FOREACH: Final = "foreach"


def loop_over(name: str, items: Value, *, body: Emit, place: Place, roots: set[str]) -> Emit:
    """`#foreach($name in items)`; `roots` are all names that the template asks for."""

    def emit(run: Run, out: list[str]) -> None:
        found = items(run)
        sized, sequence = _sequence(found)
        if sequence is None:
            return
        if name == _FOREACH:
            exc = JavaException("NullPointerException: $foreach is every loop's own")
            raise run.fault(exc, place)
        nulls = run.nulls
        names = [name]
        if not roots.isdisjoint(_OLD_NAMES):
            names += [each for each in _OLD_NAMES if each in roots]
        saved = [(each, run.scope[each]) for each in names]
        loop = Loop(run.scope[_FOREACH]) if _FOREACH in roots else None
        if loop is not None:
            run.scope[_FOREACH] = loop
        turn = _Turn(name, body, loop, roots, place)
        try:
            if run.scope.changes or nulls or len(names) > 1:
                _turns(run, out, sequence, sized=sized, turn=turn)
            else:
                _quick_turns(run, out, sequence, turn=turn)
        except Leaving as leaving:
            if leaving.is_all:
                raise
        finally:
            if run.nulls and name not in nulls:
                run.nulls = _without(run.nulls, name)
            _restore(run, saved, loop)

    return emit


class _Turn:
    """What every turn of a loop needs."""

    __slots__ = ("body", "counts", "has_nexts", "loop", "name", "place")

    def __init__(
        self, name: str, body: Emit, loop: Loop | None, roots: set[str], place: Place
    ) -> None:
        self.name = name
        self.body = body
        self.loop = loop
        self.counts = _COUNT in roots
        self.has_nexts = _HAS_NEXT in roots
        self.place = place


def _sequence(found: Any) -> tuple[Any, list[Any] | None]:
    """What a loop goes over, and the container whose size may not change meanwhile."""
    if isinstance(found, JavaView):
        return found.source, list(found)
    if isinstance(found, list):
        return found, found
    if isinstance(found, dict):
        return found, list(found.values())
    if isinstance(found, Loop):
        return found.extra, list(found.extra.values())
    if isinstance(found, Cursor):
        rest = JavaList()
        while len(rest) < TURNS and found.has_next():
            rest.append(found.next())
        return rest, rest
    return None, None


def _quick_turns(run: Run, out: list[str], sequence: list[Any], *, turn: _Turn) -> None:
    """The turns where no template changes what it loops over, and nothing old is asked for."""
    scope, body, name, loop = run.scope, turn.body, turn.name, turn.loop
    last = len(sequence) - 1
    for at, item in enumerate(sequence[: run.limits.turns]):
        if loop is not None:
            loop.index = at
            loop.has_next = at < last
        if item is None:
            _null_turn(run, out, item, turn=turn)
        else:
            scope[name] = item
            body(run, out)


def _turns(run: Run, out: list[str], sequence: list[Any], *, sized: Any, turn: _Turn) -> None:
    scope, body, name, loop = run.scope, turn.body, turn.name, turn.loop
    size = len(sequence)
    at, most = 0, run.limits.turns
    while at < most and at != len(sequence):
        if len(sized) != size:
            exc = ModifiedFault("ConcurrentModificationException: changed while looped over")
            raise run.fault(exc, turn.place)
        item = sequence[at]
        has_next = at + 1 < size
        if loop is not None:
            loop.index = at
            loop.has_next = has_next
        at += 1
        if turn.counts:
            scope[_COUNT] = at
        if turn.has_nexts:
            scope[_HAS_NEXT] = has_next
        if item is None or run.nulls:
            _null_turn(run, out, item, turn=turn)
            continue
        scope[name] = item
        body(run, out)


def _null_turn(run: Run, out: list[str], item: Any, *, turn: _Turn) -> None:
    """A turn whose variable is null, or may be since a loop around it has the same one.

    While it is null nothing that is set to it counts; a loop over the same name ends that.
    """
    name, nulls = turn.name, run.nulls
    if name in nulls:
        run.scope[name] = None
        turn.body(run, out)
        return
    run.scope[name] = item
    if item is None:
        run.nulls = (*nulls, name)
    turn.body(run, out)
    if item is None:
        run.nulls = _without(run.nulls, name)


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)


def _restore(run: Run, saved: list[tuple[str, Any]], loop: Loop | None) -> None:
    """Give the variables of a loop back what they had before it."""
    for name, value in saved:
        if value is None:
            run.scope.pop(name, None)
            if run.nulls:
                run.nulls = _without(run.nulls, name)
        else:
            run.scope[name] = value
    if loop is None or run.scope[_FOREACH] is not loop:
        return
    if loop.shadowed is None:
        run.scope.pop(_FOREACH, None)
    else:
        run.scope[_FOREACH] = loop.shadowed
