"""References that usually print a string or a number, printed several at once."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from hookrack.edge.mapping.faults import Place
from hookrack.edge.mapping.objects import MEMBERS, Loop, escape_text
from hookrack.edge.mapping.running import Definition, Emit, Run
from hookrack.edge.mapping.values import show

# What something prints, if quickly told: a string, or a value that may be a number or null.
Getter = Callable[[Run], Any]
Part = tuple[str, Emit | None]
_SLOW: Final = object()  # what a getter gives that can't tell; nothing is changed by asking twice


class Slot(NamedTuple):
    """The quick way to what stands between texts: `$root.name` of an object, or a getter."""

    root: str = ""
    name: str = ""
    get: Getter | None = None
    is_escaped: bool = False


class Piece(NamedTuple):
    """A text, or what prints something else, with the quick way if there is one."""

    text: str
    emit: Emit | None = None
    slot: Slot | None = None
    place: Place = Place()


class Cost(NamedTuple):
    """What a block takes of the budgets whatever it prints: steps, and the letters of its texts."""

    steps: int = 0
    letters: int = 0
    place: Place = Place()


def is_quick(pieces: list[Piece]) -> bool:
    """Whether all of them can be printed together."""
    quick = [each for each in pieces if each.emit is None or each.slot]
    return len(quick) == len(pieces) and any(each.slot for each in pieces)


def joined(pieces: Iterable[Piece]) -> list[Part]:
    """Texts with what stands behind each; what has a quick way is printed with its neighbours."""
    parts: list[Part] = []
    together: list[Piece] = []
    for each in pieces:
        if each.emit is None or each.slot is not None:
            together.append(each)
            continue
        parts.append((_flushed(together, parts), each.emit))
        together = []
    if text := _flushed(together, parts):
        parts.append((text, None))
    return parts


def _flushed(together: list[Piece], parts: list[Part]) -> str:
    """Add what is printed together to the parts; a text alone is given back instead."""
    if is_quick(together):
        place = next(each.place for each in together if each.slot)
        parts.append(("", at_once(together, Cost(place=place))))
        return ""
    return "".join(each.text for each in together)


def at_once(pieces: list[Piece], cost: Cost) -> Emit:
    """One closure for texts and slots; each by itself where a slot has no quick answer."""
    slots = [each.slot for each in pieces if each.slot]
    escaped = [at for at, slot in enumerate(slots) if slot.is_escaped]
    form = "".join("%s" if each.slot else each.text.replace("%", "%%") for each in pieces)
    return _line(form, slots, escaped=escaped, cost=cost, otherwise=_one_by_one(pieces))


def _line(form: str, slots: list[Slot], *, escaped: list[int], cost: Cost, otherwise: Emit) -> Emit:
    asked = [(slot.root, slot.name, slot.get) for slot in slots]
    steps, letters, place = cost

    def emit(run: Run, out: list[str]) -> None:
        run.pause -= steps
        if run.pause < 0:
            run.look(place)
        scope = run.scope
        texts: list[str] = []
        for root, name, get in asked:
            if get is not None:
                value = get(run)
            else:
                holder = scope[root]
                value = holder.get(name) if type(holder) is dict else _SLOW
            if type(value) is not str:
                shown = _SHOWN.get(type(value))
                if shown is None:
                    run.room -= letters
                    otherwise(run, out)
                    return
                value = shown(value)
            texts.append(value)
        together = "".join(texts)
        if escaped and not _is_plain(together):
            together = _escape(texts, escaped)
        run.room -= letters + len(together)
        if run.room < 0:
            raise run.full(place)
        out.append(form % tuple(texts))

    return emit


def _escape(texts: list[str], places: list[int]) -> str:
    """Escape the texts at these places, and give all of them."""
    for at in places:
        texts[at] = escape_text(texts[at])
    return "".join(texts)


def _one_by_one(pieces: list[Piece]) -> Emit:
    """The same by and by."""

    def emit(run: Run, out: list[str]) -> None:
        for each in pieces:
            if each.emit is None:
                out.append(each.text)
            else:
                each.emit(run, out)

    return emit


def _is_plain(text: str) -> bool:
    """Whether nothing in a text needs an escape; told quickly, and not of every such text."""
    return (
        text.isascii()
        and text.isprintable()
        and '"' not in text
        and "'" not in text
        and "/" not in text
        and "\\" not in text
    )


def _double(value: float) -> str:
    """As `show`, with a frame less for most of them: so Java and Python print alike."""
    return repr(value) if 1e-3 <= value < 1e7 else show(value)


# How values print that can do nothing but print.
_SHOWN: Final[dict[type, Callable[[Any], str]]] = {
    int: repr,
    float: _double,
    bool: show,
    type(None): lambda _: "",
}


def name_slot(root: str, name: str, *, is_escaped: bool = False) -> Slot:
    """`$root.name`, which is what most templates are made of."""
    if name not in MEMBERS:
        return Slot(root, name, is_escaped=is_escaped)
    of_loop = MEMBERS[name]

    def get(run: Run) -> Any:
        holder = run.scope[root]
        if type(holder) is Loop:
            return of_loop(holder)
        return holder.get(name) if type(holder) is dict else _SLOW

    return Slot(get=get, is_escaped=is_escaped)


def choice_slot(root: str, name: str, *, texts: tuple[str, str]) -> Slot:
    """`#if($root.name)` between two texts, the first one where it holds."""
    of_loop, (yes, no) = MEMBERS.get(name), texts

    def choose(run: Run) -> Any:
        holder = run.scope[root]
        if type(holder) is dict:
            found = holder.get(name)
        elif of_loop is not None and type(holder) is Loop:
            found = of_loop(holder)
        else:
            return _SLOW
        if found is False:
            return no
        return _SLOW if type(found) is Definition else yes

    return Slot(get=choose)
