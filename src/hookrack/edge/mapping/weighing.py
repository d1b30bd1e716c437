"""What a statement counts as in steps: one for each part that is computed when it runs.

What a block within it holds isn't of it: blocks count their own statements whenever they run.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from hookrack.edge.mapping import syntax
from hookrack.edge.mapping.syntax import Expression, Node, Reference


def weight(node: Node) -> int:
    """The steps of one statement."""
    if isinstance(node, Reference):
        return _of(node)
    if isinstance(node, syntax.Set):
        return _of(node.value) + len(node.target.steps)
    if isinstance(node, syntax.If):
        return sum(_of(test) for test, _ in node.branches)
    if isinstance(node, syntax.Foreach):
        return 1 if node.items is None else _of(node.items)
    return 1


def _of(node: Expression) -> int:
    """The steps of one expression, at most."""
    total, waiting = 0, [node]
    while waiting:
        each = waiting.pop()
        total += 1 + len(each.steps) if isinstance(each, Reference) else 1
        parts = _PARTS.get(type(each))
        if parts is not None:
            waiting.extend(parts(each))
    return total


def _of_reference(node: Reference) -> Iterator[Expression]:
    for step in node.steps:
        if isinstance(step, syntax.Call):
            yield from step.arguments
        elif isinstance(step, syntax.Index):
            yield step.argument


_PARTS: Final[dict[type, Callable[[Any], Any]]] = {
    Reference: _of_reference,
    syntax.ListLiteral: lambda node: node.items,
    syntax.MapLiteral: lambda node: (part for pair in node.pairs for part in pair),
    syntax.RangeLiteral: lambda node: (node.first, node.last),
    syntax.Chain: lambda node: (node.first, *(operand for _, operand in node.rest)),
    syntax.Not: lambda node: (node.operand,),
    syntax.Group: lambda node: (node.inner,),
}
