"""What a template is, for a person: its tree, and the traps that it may have walked into."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from hookrack.edge.mapping import syntax
from hookrack.edge.mapping.faults import Place
from hookrack.edge.mapping.template import Template

SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Trap:
    """One trap: where, and what to do about it."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"line {self.place.line}, column {self.place.column}: {self.text}"


def describe(template: Template) -> str:
    """The tree of a template, a line per node, indented by how far in it is."""
    return "\n".join(_block(template.tree, 0))


def _block(block: syntax.Block, depth: int) -> Iterator[str]:
    for node in block.nodes:
        yield from _node(node, depth)


def _node(node: syntax.Node, depth: int) -> Iterator[str]:
    pad = "  " * depth
    if isinstance(node, syntax.Text):
        yield f"{pad}text {_short(node.text)}"
    elif isinstance(node, syntax.Reference):
        kind = "escaped" if node.is_escaped else "reference"
        yield f"{pad}{kind} {_written(node)}{_at(node.place)}"
    elif isinstance(node, syntax.If):
        for count, (test, body) in enumerate(node.branches):
            yield f"{pad}{'elseif' if count else 'if'} {_written(test)}{_at(node.place)}"
            yield from _block(body, depth + 1)
        if node.otherwise is not None:
            yield f"{pad}else"
            yield from _block(node.otherwise, depth + 1)
    elif isinstance(node, syntax.Set):
        yield f"{pad}set {_written(node.target)} = {_written(node.value)}{_at(node.place)}"
    elif isinstance(node, syntax.Foreach):
        items = "nothing" if node.items is None else _written(node.items)
        yield f"{pad}foreach ${node.name} in {items}{_at(node.place)}"
        yield from _block(node.body, depth + 1)
    elif isinstance(node, syntax.Define):
        yield f"{pad}define ${node.name}{_at(node.place)}"
        yield from _block(node.body, depth + 1)
    elif isinstance(node, syntax.Leave):
        yield f"{pad}{'stop' if node.is_all else 'break'}{_at(node.place)}"
    else:
        yield f"{pad}{node.name}{_at(node.place)}"


def _at(place: Place) -> str:
    return f"  [{place.line}:{place.column}]"


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def _written(node: syntax.Expression) -> str:
    """An expression as one would write it."""
    if isinstance(node, syntax.Reference):
        return node.literal or node.root
    if isinstance(node, syntax.Constant):
        return _constant(node.value)
    if isinstance(node, syntax.Interpolation):
        inner = "".join(
            each.text if isinstance(each, syntax.Text) else f"<{' '.join(_node(each, 0))}>"
            for each in node.body.nodes
        )
        return f'"{inner[:-1] if node.is_trimmed else inner}"'
    if isinstance(node, syntax.ListLiteral):
        return "[" + ", ".join(map(_written, node.items)) + "]"
    if isinstance(node, syntax.RangeLiteral):
        return f"[{_written(node.first)}..{_written(node.last)}]"
    if isinstance(node, syntax.MapLiteral):
        return "{" + ", ".join(f"{_written(k)}: {_written(v)}" for k, v in node.pairs) + "}"
    if isinstance(node, syntax.Not):
        return f"!{_written(node.operand)}"
    if isinstance(node, syntax.Group):
        return f"({_written(node.inner)})"
    return _written(node.first) + "".join(f" {s} {_written(each)}" for s, each in node.rest)


def _constant(value: str | float | bool) -> str:
    if isinstance(value, str):
        return repr(value)
    return str(value).lower()


def warnings(template: Template) -> list[Trap]:
    """The traps of a template, by their places."""
    known = {"input", "util", "context", "stageVariables", "foreach"}
    known |= {"velocityCount", "velocityHasNext"}
    known |= {each.target.root for each in _all(template.tree, syntax.Set)}
    known |= {each.name for each in _all(template.tree, syntax.Foreach | syntax.Define)}
    found = [*_of_tests(template, known), *_of_names(template, known)]
    found += [*_of_escapes(template), *_of_indents(template), *_of_output(template)]
    found += _of_comments(template)
    return sorted(found, key=lambda each: (each.place.line, each.place.column))


def _all(node: Any, kinds: Any) -> Iterator[Any]:
    """Every part of a tree that is of these kinds."""
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, tuple):
            stack.extend(each)
        elif is_dataclass(each):
            if isinstance(each, kinds):
                yield each
            stack.extend(getattr(each, name.name) for name in fields(each))


def _bare(node: syntax.Expression) -> syntax.Expression:
    while isinstance(node, syntax.Group | syntax.Not):
        node = node.inner if isinstance(node, syntax.Group) else node.operand
    return node


_YES_OR_NO: Final = {
    *("contains", "containsAll", "containsKey", "containsValue", "contentEquals", "endsWith"),
    *("equals", "equalsIgnoreCase", "hasNext", "isEmpty", "matches", "startsWith"),
}
_OF_LOOPS: Final = {"$foreach.hasNext", "$foreach.first", "$foreach.last", "$velocityHasNext"}


def _is_sure(test: syntax.Reference, in_loops: set[int]) -> bool:
    """Whether a reference is true or false and nothing else, if what it starts from is there."""
    if test.literal.replace("{", "").replace("}", "").replace("!", "") in _OF_LOOPS:
        return id(test) in in_loops
    last = test.steps[-1] if test.steps else None
    return isinstance(last, syntax.Call) and last.name in _YES_OR_NO


def _of_tests(template: Template, known: set[str]) -> Iterator[Trap]:
    """A reference is true whatever it is, unless it is the Boolean false."""
    loops = _all(template.tree, syntax.Foreach)
    in_loops = {id(each) for loop in loops for each in _all(loop.body, syntax.Reference)}
    for node in _all(template.tree, syntax.If):
        for test, _ in node.branches:
            bare = _bare(test)
            if not isinstance(bare, syntax.Reference):
                continue
            if bare.root in known and _is_sure(bare, in_loops):
                continue
            is_known = bare.root in known
            what = "may be missing, and then it" if is_known else "is never set, so it"
            yield Trap(
                bare.place,
                f'{bare.literal} {what} counts as true; write {bare.literal} != ""',
            )


def _of_names(template: Template, known: set[str]) -> Iterator[Trap]:
    """A hyphen belongs to the name it touches."""
    for node in _all(template.tree, syntax.Reference):
        if "-" in node.root and node.root not in known:
            bare = node.root.partition("-")[0]
            yield Trap(
                node.place,
                f"${node.root} is one name; write $" + "{" + bare + "}- or leave blanks",
            )


def _of_escapes(template: Template) -> Iterator[Trap]:
    r"""`escapeJavaScript` makes \' of an apostrophe, which JSON doesn't have."""
    for node in _all(template.tree, syntax.Reference):
        names = [each.name for each in node.steps if isinstance(each, syntax.Call)]
        if "escapeJavaScript" in names and "replaceAll" not in names:
            yield Trap(
                node.place,
                "escapeJavaScript makes \\' of an apostrophe, which is no JSON; append "
                """.replaceAll("\\\\'","'") or use $input.json""",
            )


def _of_indents(template: Template) -> Iterator[Trap]:
    """Blanks before `#set` are only eaten at the start or after another directive."""
    for block in _all(template.tree, syntax.Block):
        for before, node in zip(block.nodes, block.nodes[1:], strict=False):
            if not isinstance(node, syntax.Set) or not isinstance(before, syntax.Text):
                continue
            last = before.text.splitlines()[-1:] or [""]
            if last[0] and not last[0].strip():
                yield Trap(
                    node.place, "the blanks before this #set are text and stay in the output"
                )


_QUOTE: Final = re.compile(r'(?<!\\)"')
_SAFE_ROOTS: Final = {"foreach", "velocityCount", "velocityHasNext"}
_SAFE_CALLS: Final = {"escapeJavaScript", "json", "urlEncode", "base64Encode", "size", "length"}


def _of_output(template: Template) -> Iterator[Trap]:
    """A value between quotes that isn't escaped can end the string it stands in."""
    for block in _all(template.tree, syntax.Block):
        is_quoted = False
        for node in block.nodes:
            if isinstance(node, syntax.Text):
                is_quoted ^= len(_QUOTE.findall(node.text)) % 2 == 1
            if not is_quoted or not isinstance(node, syntax.Reference) or node.is_escaped:
                continue
            names = {each.name for each in node.steps if isinstance(each, syntax.Call)}
            if not names & _SAFE_CALLS and node.root not in _SAFE_ROOTS:
                yield Trap(
                    node.place,
                    f"{node.literal} isn't escaped: a quote in it ends the string; "
                    "use $util.escapeJavaScript or $input.json",
                )


def _of_comments(template: Template) -> Iterator[Trap]:
    """`##` that touches a property is text."""
    for block in _all(template.tree, syntax.Block):
        for before, node in zip(block.nodes, block.nodes[1:], strict=False):
            if not isinstance(before, syntax.Reference) or not isinstance(node, syntax.Text):
                continue
            if node.text.startswith("##"):
                yield Trap(
                    before.place,
                    f"{before.literal}## prints the ## and what follows; a comment can't touch "
                    "a property: put a blank between",
                )
