"""What a template is once it is read: a tree of plain values."""

from dataclasses import dataclass
from typing import TypeAlias

from hookrack.edge.mapping.faults import Place


@dataclass(frozen=True, slots=True)
class Text:
    """What is printed as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Property:
    """`.name`, a step of a reference."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """`.name(...)`, a step of a reference."""

    name: str
    arguments: "tuple[Expression, ...]"
    place: Place


@dataclass(frozen=True, slots=True)
class Index:
    """`[...]`, a step of a reference."""

    argument: "Expression"
    place: Place


Step: TypeAlias = "Property | Call | Index"


@dataclass(frozen=True, slots=True)
class Reference:
    """`$root` and its steps. A runt is a bare name where a value should be: it has none."""

    root: str
    steps: tuple[Step, ...]
    place: Place
    literal: str
    escape: str = ""
    prefix: str = ""
    is_escaped: bool = False
    is_quiet: bool = False
    is_runt: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """A string that interpolates nothing, a number, true or false."""

    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Interpolation:
    """A string in double quotes with references or directives in it."""

    body: "Block"
    is_trimmed: bool  # read with one blank behind it, which isn't of the string
    place: Place


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """A list, `[a, b]`."""

    items: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class RangeLiteral:
    """A range, `[a..b]`."""

    first: "Expression"
    last: "Expression"
    place: Place


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """A map, `{k: v}`."""

    pairs: "tuple[tuple[Expression, Expression], ...]"
    place: Place


@dataclass(frozen=True, slots=True)
class Not:
    """The reverse, `!x`."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Group:
    """`(x)`, and how it is written."""

    inner: "Expression"
    literal: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators of one rank, from left to right. `literal` is how the last operand is written."""

    first: "Expression"
    rest: "tuple[tuple[str, Expression], ...]"
    literal: str
    place: Place


Expression: TypeAlias = (
    Reference
    | Constant
    | Interpolation
    | ListLiteral
    | RangeLiteral
    | MapLiteral
    | Not
    | Group
    | Chain
)


@dataclass(frozen=True, slots=True)
class If:
    """`#if`, its `#elseif`s, and what `#else` holds."""

    branches: "tuple[tuple[Expression, Block], ...]"
    otherwise: "Block | None"
    place: Place


@dataclass(frozen=True, slots=True)
class Set:
    """An assignment, `#set($target = value)`."""

    target: Reference
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Foreach:
    """`#foreach($name in items)`; without items it runs not once."""

    name: str
    items: Expression | None
    body: "Block"
    place: Place


@dataclass(frozen=True, slots=True)
class Define:
    """What `#define($name)` holds."""

    name: str
    body: "Block"
    place: Place


@dataclass(frozen=True, slots=True)
class Leave:
    """`#break`, or `#stop` if it leaves everything."""

    is_all: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Forbidden:
    """`#include` or `#parse`: API Gateway has nothing to include."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two directives, or the whole template."""

    nodes: "tuple[Node, ...]"


Node: TypeAlias = Text | Reference | If | Set | Foreach | Define | Leave | Forbidden
