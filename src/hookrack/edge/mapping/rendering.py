"""Statements compiled to closures that add to the output."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from hookrack.edge.mapping import members, syntax
from hookrack.edge.mapping.evaluating import Test, Values
from hookrack.edge.mapping.faults import JavaException, MappingFault, Place
from hookrack.edge.mapping.looping import loop_over
from hookrack.edge.mapping.printing import (
    Cost,
    Piece,
    Slot,
    at_once,
    choice_slot,
    is_quick,
    joined,
    name_slot,
)
from hookrack.edge.mapping.running import Definition, Emit, Leaving, Run
from hookrack.edge.mapping.stepping import Value
from hookrack.edge.mapping.syntax import Block, Node
from hookrack.edge.mapping.values import show
from hookrack.edge.mapping.weighing import weight as weight_of

_UTIL: Final = "util"


class Compiled(NamedTuple):
    """A tree as one closure, and whether it may change a list or map that it is given."""

    emit: Emit
    changes: bool


def compile_block(block: Block, *, is_traced: bool = False) -> Compiled:
    """A tree, compiled; a traced one writes down what its references yield."""
    statements = _Statements(is_traced=is_traced)
    emit = statements.block(block)
    if _UTIL in statements.set:  # seldom; then `$util` may be anything wherever it stands
        statements = _Statements(is_traced=is_traced, is_util_known=False)
        emit = statements.block(block)
    return Compiled(emit, statements.changes)


class _Statements:
    def __init__(self, *, is_traced: bool, is_util_known: bool = True) -> None:
        self._values = Values(self.block, is_traced=is_traced)
        self._is_util_known = is_util_known
        self.set: set[str] = set()  # the names that something so far may set

    @property
    def changes(self) -> bool:
        """Whether something so far may change a list or map."""
        return self._values.changes

    def block(self, block: Block, *, more: int = 0) -> Emit:
        """Neighbouring nodes as one closure, which counts their steps, and some more, at once."""
        pieces = self._pieces(block)
        size = sum(len(node.text) for node in block.nodes if isinstance(node, syntax.Text))
        weight = more + sum(map(weight_of, block.nodes))
        place = _place(block)
        if is_quick(pieces):
            return at_once(pieces, Cost(weight, size, place))
        parts = joined(pieces)
        if not weight:
            return _nothing

        def emit(run: Run, out: list[str]) -> None:
            run.pause -= weight
            if run.pause < 0:
                run.look(place)
            run.room -= size
            if run.room < 0:
                raise run.full(place)
            for before, each in parts:
                if before:
                    out.append(before)
                if each is not None:
                    each(run, out)

        return emit

    def _pieces(self, block: Block) -> list[Piece]:
        pieces: list[Piece] = []
        for node in block.nodes:
            if isinstance(node, syntax.Text):
                pieces.append(Piece(node.text))
            else:
                pieces.append(Piece("", self._node(node), self._slot(node), node.place))
        return pieces

    def _slot(self, node: Node) -> Slot | None:
        """The quick way to what a node prints, if that is usually a string or number."""
        if isinstance(node, syntax.If):
            return self._choice(node)
        if not isinstance(node, syntax.Reference):
            return None
        if node.is_escaped or node.is_runt or node.escape or node.prefix:
            return None
        escaped = self._values.escaped(node) if self._is_util_known else None
        asked = escaped or node
        if not self._values.is_pure(asked):
            return None
        name = self._values.only_name(asked)
        if name is not None:
            return name_slot(asked.root, name, is_escaped=escaped is not None)
        return Slot(get=self._values.reference(asked), is_escaped=escaped is not None)

    def _choice(self, node: syntax.If) -> Slot | None:
        """The same for an `#if` between texts that looks at one name."""
        test, body = node.branches[0]
        if len(node.branches) > 1 or not isinstance(test, syntax.Reference):
            return None
        name = self._values.only_name(test)
        yes, no = _only_text(body), _only_text(node.otherwise or Block(()))
        if name is None or yes is None or no is None:
            return None
        return choice_slot(test.root, name, texts=(yes, no))

    def _node(self, node: Node) -> Emit:
        if isinstance(node, syntax.Text):
            return _text(node.text)
        if isinstance(node, syntax.Reference):
            return self._reference(node)
        if isinstance(node, syntax.If):
            return self._if(node)
        if isinstance(node, syntax.Set):
            return self._set(node)
        if isinstance(node, syntax.Foreach):
            return self._foreach(node)
        if isinstance(node, syntax.Define):
            self.set.add(node.name)
            return _define(node.name, self.block(node.body), place=node.place)
        if isinstance(node, syntax.Leave):
            return _leave(is_all=node.is_all)
        return _forbidden(node)

    def _reference(self, node: syntax.Reference) -> Emit:
        if node.is_runt:
            return _text(node.root)
        value = self._values.reference(node)
        if node.is_escaped:
            return _escaped(value, node.escape + node.literal)
        before = node.escape + node.prefix
        literal = "" if node.is_quiet else node.literal
        if not before:
            return _printed(value, literal, place=node.place)
        deep = _text(node.escape + before + literal)
        return _preceded(before, value, deep=deep, place=node.place)

    def _if(self, node: syntax.If) -> Emit:
        branches: list[tuple[Test, Emit]] = []
        for test, body in node.branches:
            branches.append((self._values.test(test), self.block(body)))
        otherwise = self.block(node.otherwise) if node.otherwise is not None else _nothing
        if len(branches) == 1:
            return _one_branch(*branches[0], otherwise)

        def emit(run: Run, out: list[str]) -> None:
            for test, body in branches:
                if test(run):
                    body(run, out)
                    return
            otherwise(run, out)

        return emit

    def _set(self, node: syntax.Set) -> Emit:
        value, target, place = self._values.value(node.value), node.target, node.place
        root = target.root
        self.set.add(root)
        if not target.steps:
            if target.literal != f"${root}":  # `${x}` and `$!x` set another name, never asked for
                return _evaluated(value)

            def assign(run: Run, _: list[str]) -> None:
                new = value(run)
                if new is not None and root not in run.nulls:
                    run.scope[root] = new

            return assign
        self._values.changes = True
        *steps, last = target.steps
        walk = [self._values.step(each) for each in steps]
        put = self._put(last)

        def emit(run: Run, _: list[str]) -> None:
            new = value(run)
            if new is None:
                return
            holder = run.scope[root]
            for step in walk:
                holder = None if holder is None else step(run, holder)
            if holder is None:
                return
            try:
                put(run, holder, new)
            except JavaException as exc:
                raise run.fault(exc, place) from exc

        return emit

    def _put(self, last: syntax.Step) -> Callable[[Run, Any, Any], None]:
        if isinstance(last, syntax.Index):
            argument = self._values.value(last.argument)
            return lambda run, holder, new: members.set_index(holder, argument(run), new=new)
        name = last.name
        return lambda _, holder, new: members.set_property(holder, name, new=new)

    def _foreach(self, node: syntax.Foreach) -> Emit:
        if node.items is None:
            return _nothing
        self.set.add(node.name)
        items, body = self._values.value(node.items), self.block(node.body, more=1)  # the turn
        return loop_over(node.name, items, body=body, place=node.place, roots=self._values.roots)


def _only_text(block: Block) -> str | None:
    """What a block prints if it is all text."""
    texts = [node.text for node in block.nodes if isinstance(node, syntax.Text)]
    return "".join(texts) if len(texts) == len(block.nodes) else None


def _nothing(_: Run, __: list[str]) -> None:
    """A block of nothing."""


def _place(block: Block) -> Place:
    places = [each.place for each in block.nodes if not isinstance(each, syntax.Text)]
    return places[0] if places else Place()


def _text(text: str) -> Emit:
    size = len(text)

    def emit(run: Run, out: list[str]) -> None:
        run.room -= size
        if run.room < 0:
            raise run.full(Place())
        out.append(text)

    return emit


def _printed(value: Value, literal: str, *, place: Place) -> Emit:
    """What a reference prints; a definition that is too deep in itself prints the reference."""

    def emit(run: Run, out: list[str]) -> None:
        text = value(run)
        if type(text) is not str:
            if type(text) is Definition:
                if text.emit(out):
                    return
                text = literal
            else:
                try:
                    text = show(text)
                except JavaException as exc:
                    raise run.fault(exc, place) from exc
        run.room -= len(text)
        if run.room < 0:
            raise run.full(place)
        out.append(text)

    return emit


def _evaluated(value: Value) -> Emit:
    def emit(run: Run, _: list[str]) -> None:
        value(run)

    return emit


def _preceded(before: str, value: Value, *, deep: Emit, place: Place) -> Emit:
    """Backslashes or dollars before a reference, which don't print before a definition.

    `deep` prints what stands there where a definition is too deep in itself.
    """

    def emit(run: Run, out: list[str]) -> None:
        found = value(run)
        if type(found) is Definition:
            if not found.emit(out):
                deep(run, out)
            return
        try:
            text = before + show(found)
        except JavaException as exc:
            raise run.fault(exc, place) from exc
        run.room -= len(text)
        if run.room < 0:
            raise run.full(place)
        out.append(text)

    return emit


def _escaped(value: Value, text: str) -> Emit:
    """A reference that prints as it is written; what it calls is called nevertheless."""
    plain = _text(text)

    def emit(run: Run, out: list[str]) -> None:
        value(run)
        plain(run, out)

    return emit


def _one_branch(test: Test, body: Emit, otherwise: Emit) -> Emit:
    def emit(run: Run, out: list[str]) -> None:
        if test(run):
            body(run, out)
        else:
            otherwise(run, out)

    return emit


def _define(name: str, body: Emit, *, place: Place) -> Emit:
    def emit(run: Run, _: list[str]) -> None:
        run.scope[name] = Definition(run, body, place=place)

    return emit


def _leave(*, is_all: bool) -> Emit:
    def emit(_: Run, __: list[str]) -> None:
        raise Leaving(is_all=is_all)

    return emit


def _forbidden(node: syntax.Forbidden) -> Emit:
    def emit(_: Run, __: list[str]) -> None:
        raise MappingFault(f"#{node.name}: there is nothing to include", node.place)

    return emit
