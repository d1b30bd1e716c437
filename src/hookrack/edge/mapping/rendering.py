"""Statements compiled to closures that add to the output."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hookrack.edge.mapping import members, syntax
from hookrack.edge.mapping.evaluating import Test, Values
from hookrack.edge.mapping.faults import JavaException, MappingFault, Place
from hookrack.edge.mapping.looping import loop_over
from hookrack.edge.mapping.printing import (
    Getter,
    Piece,
    escape_getter,
    joined,
    property_getter,
)
from hookrack.edge.mapping.running import Definition, Emit, Leaving, Run
from hookrack.edge.mapping.stepping import Value
from hookrack.edge.mapping.syntax import Block, Node
from hookrack.edge.mapping.values import show
from hookrack.edge.mapping.weighing import weight as weight_of


class Compiled(NamedTuple):
    """A tree as one closure, and whether it may change a list or map that it is given."""

    emit: Emit
    changes: bool


def compile_block(block: Block, *, is_traced: bool = False) -> Compiled:
    """A tree, compiled; a traced one writes down what its references yield."""
    statements = _Statements(is_traced=is_traced)
    emit = statements.block(block)
    return Compiled(emit, statements.changes)


class _Statements:
    def __init__(self, *, is_traced: bool) -> None:
        self._values = Values(self.block, is_traced=is_traced)

    @property
    def changes(self) -> bool:
        """Whether something so far may change a list or map."""
        return self._values.changes

    def block(self, block: Block) -> Emit:
        """Neighbouring nodes as one closure, which counts their steps at once."""
        pieces: list[Piece] = []
        for node in block.nodes:
            if isinstance(node, syntax.Text):
                pieces.append(Piece(node.text))
            else:
                pieces.append(Piece("", self._node(node), self._getter(node), node.place))
        parts = joined(pieces)
        size = sum(len(node.text) for node in block.nodes if isinstance(node, syntax.Text))
        weight = sum(map(weight_of, block.nodes))
        place = _place(block)
        if not parts:
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

    def _getter(self, node: Node) -> Getter | None:
        """The quick way to what a reference prints, if that is usually a string or number."""
        if not isinstance(node, syntax.Reference):
            return None
        if node.is_escaped or node.is_runt or node.escape or node.prefix:
            return None
        if self._values.is_plain(node):
            return property_getter(node)
        escaped = self._values.escaped(node)
        return None if escaped is None else escape_getter(escaped)

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
        plain = _printed(value, literal, place=node.place)
        return _preceded(before, node, plain) if before else plain

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
                if holder is None:
                    return
                holder = step(run, holder)
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
        items, body = self._values.value(node.items), self.block(node.body)
        return loop_over(node.name, items, body=body, place=node.place, roots=self._values.roots)


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


def _preceded(before: str, node: syntax.Reference, plain: Emit) -> Emit:
    """Backslashes or dollars before a reference; before a definition they don't print."""
    text, root, is_bare = _text(before), node.root, not node.steps

    def emit(run: Run, out: list[str]) -> None:
        if not (is_bare and type(run.scope[root]) is Definition):
            text(run, out)
        plain(run, out)

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
