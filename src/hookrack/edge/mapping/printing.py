"""References that usually print a string or a number, printed several at once."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from hookrack.edge.mapping import syntax
from hookrack.edge.mapping.faults import Place
from hookrack.edge.mapping.objects import Loop, Util, escape_text
from hookrack.edge.mapping.running import Emit, Run
from hookrack.edge.mapping.stepping import Value, loop_member

# What a reference prints, or None where that takes more; nothing is changed by asking twice.
Getter = Callable[[Run], str | None]
Part = tuple[str, Emit | None]


class Piece(NamedTuple):
    """A text, or what prints something else, with the quick way if there is one."""

    text: str
    emit: Emit | None = None
    getter: Getter | None = None
    place: Place = Place()


def joined(pieces: Iterable[Piece]) -> list[Part]:
    """Texts with what stands behind each; what has a quick way is printed with its neighbours."""
    parts: list[Part] = []
    together: list[Piece] = []
    text = ""
    for each in pieces:
        if each.emit is None or each.getter is not None:
            together.append(each)
            continue
        text = _flushed(together, parts)
        together = []
        parts.append((text, each.emit))
    if text := _flushed(together, parts):
        parts.append((text, None))
    return parts


def _flushed(together: list[Piece], parts: list[Part]) -> str:
    """Add what is printed together to the parts; gives the text behind it."""
    last = max((at for at, each in enumerate(together) if each.getter), default=-1)
    if last >= 0:
        parts.append(("", _at_once(together[: last + 1])))
    return "".join(each.text for each in together[last + 1 :])


def _at_once(pieces: list[Piece]) -> Emit:
    """One closure for texts and getters; each by itself where a getter has no answer."""
    getters = [each.getter for each in pieces if each.getter]
    form = "".join("%s" if each.getter else each.text.replace("%", "%%") for each in pieces)
    place = next(each.place for each in pieces if each.getter)

    def emit(run: Run, out: list[str]) -> None:
        texts = [get(run) for get in getters]
        size = 0
        for text in texts:
            if text is None:
                one_by_one(run, out)
                return
            size += len(text)
        run.room -= size
        if run.room < 0:
            raise run.full(place)
        out.append(form % tuple(texts))

    def one_by_one(run: Run, out: list[str]) -> None:
        for each in pieces:
            if each.emit is None:
                out.append(each.text)
            else:
                each.emit(run, out)

    return emit


def property_getter(node: syntax.Reference) -> Getter:
    """`$root.name` of an object, which is what most templates are made of."""
    root, of_loop = node.root, loop_member(node)
    name = node.steps[0].name if isinstance(node.steps[0], syntax.Property) else ""

    def get(run: Run) -> Any:
        value = run.scope[root]
        text: Any
        if type(value) is dict:
            text = value.get(name)
        elif of_loop is not None and type(value) is Loop:
            text = of_loop(value)
        else:
            return "" if value is None else None
        kind = type(text)
        if kind is str:
            return text
        if kind is int or (kind is float and 1e-3 <= text < 1e7):
            return repr(text)  # as Java prints it, too
        return "" if text is None else None

    return get


def escape_getter(value: Value) -> Getter:
    """`$util.escapeJavaScript(...)` of a string, which is what most of the others are."""

    def get(run: Run) -> str | None:
        given = value(run) if type(run.scope["util"]) is Util else None
        return escape_text(given) if type(given) is str else None

    return get
