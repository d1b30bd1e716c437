"""References, literals and expressions of a template: the part of the parser inside a directive."""

from collections.abc import Callable
from typing import Final

from hookrack.edge.mapping import syntax
from hookrack.edge.mapping.faults import Place, TemplateInvalid
from hookrack.edge.mapping.lexer import Lexer, Token
from hookrack.edge.mapping.syntax import Expression, Reference

NESTING: Final = 200
_RANKS: Final = (
    ("*", "/", "%"),
    ("+", "-"),
    ("<", ">", "<=", ">="),
    ("==", "!="),
    ("&&",),
    ("||",),
)
_OPERATORS: Final = frozenset(sign for rank in _RANKS for sign in rank)
# What an argument of a method can begin with.
_ARGUMENT: Final = frozenset(
    ("blank", "string", "integer", "float", "[", "{", "boolean", "name", "ref {")
)
_NULL_HINT: Final = "There is no null here: only an argument of a method can be null."


class Tokens:
    """The tokens of a template, with as much foresight as is asked for."""

    def __init__(self, source: str, *, origin: Place | None = None, depth: int = 0) -> None:
        self.lexer = Lexer(source, origin=origin)
        self._ahead: list[Token] = []
        self._depth = depth
        self.last = Token("start", "", 0, 0)

    def peek(self, ahead: int = 0) -> Token:
        """A token that is still to come."""
        while len(self._ahead) <= ahead:
            self._ahead.append(self.lexer.next())
        return self._ahead[ahead]

    def take(self) -> Token:
        """The next token, which is then used."""
        self.last = self.peek()
        del self._ahead[0]
        return self.last

    def accept(self, *kinds: str) -> Token | None:
        """The next token if it is of one of these kinds."""
        return self.take() if self.peek().kind in kinds else None

    def expect(self, *kinds: str) -> Token:
        """The next token, which must be of one of these kinds."""
        if self.peek().kind not in kinds:
            raise self.refusal(wanted=kinds[0])
        return self.take()

    def place(self, token: Token) -> Place:
        """Where a token stands."""
        return self.lexer.place(token.start)

    def refusal(self, *, wanted: str = "", hint: str = "") -> TemplateInvalid:
        """What is wrong with the next token."""
        token = self.peek()
        if token.kind == "end":
            text = "the template ends" + (f" where {_name(wanted)} is missing" if wanted else "")
            hint = hint or "Every #if, #foreach and #define needs its #end."
        else:
            text = f"{token.image.strip()[:40] or 'a blank'!r} can't stand here"
            text += f", {_name(wanted)} is missing" if wanted else ""
        return TemplateInvalid(text, self.place(token), hint=hint or _hint(token))

    def enter(self) -> None:
        """One level further in; raise if they are too many."""
        self._depth += 1
        if self._depth > NESTING:
            raise TemplateInvalid(
                f"more than {NESTING} levels within each other",
                self.place(self.peek()),
                hint="Compute inner parts with #set before.",
            )

    def leave(self) -> None:
        """One level back."""
        self._depth -= 1

    @property
    def depth(self) -> int:
        """How far in we are."""
        return self._depth


def _name(kind: str) -> str:
    names = {"call )": ")", "index ]": "]", "name": "a name", "#end": "#end"}
    return names.get(kind, kind)


def _hint(token: Token) -> str:
    if token.kind == "word":
        return _NULL_HINT if token.image == "null" else "A word isn't a value: quote it, or add $."
    if token.kind in {"integer", "float"} and token.image.startswith("-"):
        return "A minus that touches a number belongs to it: write `$a - 1`."
    if token.kind in {"#end", "#else", "#elseif"}:
        return "No #if, #foreach or #define is open here."
    if token.kind == "boolean":
        return "true and false are no names."
    return ""


Interpolate = Callable[[Token, str], Expression]


class Reader:
    """Reads values. What a string in double quotes holds is read by whoever makes the reader."""

    def __init__(self, tokens: Tokens, interpolate: Interpolate) -> None:
        self._tokens = tokens
        self._interpolate = interpolate

    def reference(self) -> Reference:
        """A reference, from its first token on."""
        tokens = self._tokens
        first = tokens.expect("name", "ref {")
        is_formal = first.kind == "ref {"
        name = tokens.expect("name") if is_formal else first
        steps = self._indexes()
        while tokens.peek().kind == "." and tokens.peek(1).kind == "name":
            tokens.take()
            steps += [self._property_or_call(), *self._indexes()]
        if is_formal:
            tokens.expect("ref }")
        return self._made(first, name, steps=tuple(steps))

    def _made(self, first: Token, name: Token, *, steps: tuple[syntax.Step, ...]) -> Reference:
        """A reference of its tokens: what stands before the last `$` is escapes and text."""
        tokens = self._tokens
        start, end = first.start, tokens.last.end
        image = first.image
        escapes = len(image) - len(image.lstrip("\\"))
        bare = image[escapes:]
        dollar = max(bare.rfind("$"), 0)
        prefix, bare = bare[:dollar], bare[dollar:]
        first.image = bare
        opening = bare[: len(bare) - len(name.image.lstrip("\\#$!"))] if first is name else bare
        is_runt = not bare.startswith("$")
        root = name.image.lstrip("\\#$!") if first is name else name.image
        root = bare if is_runt else root
        if "\\!" in image:  # text with a bang that is escaped: Velocity finds no such variable
            root, prefix, escapes = "\\!", "", 0
        return Reference(
            root=root,
            steps=steps,
            place=tokens.lexer.place(start + escapes + len(prefix)),
            literal=tokens.lexer.source[start + escapes + len(prefix) : end],
            escape="\\" * (escapes // 2),
            prefix=prefix,
            is_escaped=escapes % 2 == 1,
            is_quiet=opening.startswith("$!"),
            is_runt=is_runt,
        )

    def _indexes(self) -> list[syntax.Step]:
        tokens, found = self._tokens, list[syntax.Step]()
        while (opening := tokens.accept("index [")) is not None:
            tokens.accept("blank")
            if tokens.peek().kind not in {"string", "integer", "boolean", "name", "ref {"}:
                raise tokens.refusal(hint="An index is a string, a whole number or a reference.")
            tokens.enter()
            argument = self.value()
            tokens.leave()
            tokens.accept("blank")
            tokens.expect("index ]")
            found.append(syntax.Index(argument, tokens.place(opening)))
        return found

    def _property_or_call(self) -> syntax.Step:
        tokens = self._tokens
        name = tokens.take()
        place = tokens.place(name)
        is_call = tokens.peek().kind == "(" and tokens.peek(1).kind in _ARGUMENT | {"call )"}
        if not is_call:
            return syntax.Property(name.image, place)
        tokens.take()
        tokens.enter()
        arguments: list[Expression] = []
        while tokens.peek().kind != "call )" or arguments:
            tokens.accept("blank")
            arguments.append(self.value())
            tokens.accept("blank")
            if not tokens.accept(","):
                break
        tokens.leave()
        tokens.expect("call )")
        return syntax.Call(name.image, tuple(arguments), place)

    def _parameter(self) -> Expression:
        self._tokens.accept("blank")
        value = self.value()
        self._tokens.accept("blank")
        return value

    def value(self) -> Expression:
        """A literal or a reference."""
        tokens = self._tokens
        kind = tokens.peek().kind
        if kind in {"name", "ref {"}:
            return self.reference()
        if kind in {"[", "{"}:
            tokens.enter()
            found = self._list() if kind == "[" else self._map()
            tokens.leave()
            return found
        if kind not in {"string", "integer", "float", "boolean"}:
            raise tokens.refusal(wanted="a value")
        return self._constant(tokens.take())

    def _constant(self, token: Token) -> Expression:
        image = token.image
        if token.kind == "string":
            return self._string(token)
        if token.kind == "boolean":
            return syntax.Constant(image == "true")
        try:
            return syntax.Constant(int(image) if token.kind == "integer" else float(image))
        except ValueError as exc:
            raise TemplateInvalid("a number of too many digits", self._tokens.place(token)) from exc

    def _string(self, token: Token) -> Expression:
        quote, inner = token.image[0], token.image[1:-1]
        if quote == "'":
            return syntax.Constant(inner.replace("''", "'"))
        inner = self._decoded(inner, token).replace('""', '"')
        if "$" in token.image or "#" in token.image:
            return self._interpolate(token, inner)
        return syntax.Constant(inner)

    def _decoded(self, text: str, token: Token) -> str:
        r"""Text in which four hexadecimal digits after `\u` are the letter of that number."""
        head, *rest = text.split("\\u")
        for part in rest:
            try:
                head += chr(int(part[:4], 16) if len(part) >= 4 else -1) + part[4:]
            except ValueError as exc:
                raise TemplateInvalid(
                    "\\u wants four hexadecimal digits in a string",
                    self._tokens.place(token),
                    hint="Use single quotes for text that is to stay as it is.",
                ) from exc
        return head.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")

    def _list(self) -> Expression:
        """`[a, b]` or `[a..b]`."""
        tokens = self._tokens
        place = tokens.place(tokens.take())
        if tokens.accept("]"):
            return syntax.ListLiteral(())
        first = self._parameter()
        is_end = isinstance(first, Reference) or _is_whole(first)
        if is_end and tokens.accept(".."):
            last = self._parameter()
            if not (isinstance(last, Reference) or _is_whole(last)):
                raise tokens.refusal(hint="A range goes from one whole number to another.")
            tokens.expect("]")
            return syntax.RangeLiteral(first, last, place)
        items = [first]
        while tokens.accept(","):
            items.append(self._parameter())
        tokens.expect("]")
        return syntax.ListLiteral(tuple(items))

    def _map(self) -> Expression:
        tokens = self._tokens
        place = tokens.place(tokens.take())
        ends = {"}", "ref }"}
        if tokens.peek().kind == "blank" and tokens.peek(1).kind in ends:
            tokens.take()
        pairs = []
        if tokens.peek().kind not in ends:
            pairs.append(self._pair())
            while tokens.accept(","):
                pairs.append(self._pair())
        tokens.expect("}", "ref }")
        return syntax.MapLiteral(tuple(pairs), place)

    def _pair(self) -> tuple[Expression, Expression]:
        key = self._parameter()
        self._tokens.expect(":")
        return key, self._parameter()

    def expression(self) -> Expression:
        """Operands and operators, grouped by rank."""
        tokens = self._tokens
        parts: list[tuple[str, Expression, str, Place]] = []
        operator = ""
        while True:
            start = tokens.peek().start
            place = tokens.place(tokens.peek())
            operand = self._operand()
            parts.append((operator, operand, tokens.lexer.source[start : tokens.last.end], place))
            if tokens.peek().kind not in _OPERATORS:
                return _grouped(parts)
            operator = tokens.take().kind

    def _operand(self) -> Expression:
        tokens = self._tokens
        if tokens.peek().kind == "blank" and tokens.peek(1).kind == "!":
            tokens.take()
        if tokens.accept("!"):
            tokens.enter()
            negated = syntax.Not(self._operand())
            tokens.leave()
            return negated
        tokens.accept("blank")
        if tokens.accept("("):
            tokens.enter()
            start = tokens.peek().start
            inner = self.expression()
            literal = tokens.lexer.source[start : tokens.last.end]
            tokens.expect(")")
            tokens.leave()
            value: Expression = syntax.Group(inner, literal)
        else:
            value = self.value()
        tokens.accept("blank")
        return value


def _is_whole(value: Expression) -> bool:
    return isinstance(value, syntax.Constant) and type(value.value) is int


def _grouped(parts: list[tuple[str, Expression, str, Place]]) -> Expression:
    """One expression of operands, each with the operator before it: tight ranks first."""
    for rank in _RANKS:
        merged: list[tuple[str, Expression, str, Place]] = []
        run: list[tuple[str, Expression, str, Place]] = []
        for part in [*parts, ("", syntax.Constant(0), "", Place())]:
            if run and part[0] in rank:
                run.append(part)
                continue
            if run:
                merged.append(_chain(run))
            run = [part]
        parts = merged
    return parts[0][1]


def _chain(
    run: list[tuple[str, Expression, str, Place]],
) -> tuple[str, Expression, str, Place]:
    operator, first, _literal, place = run[0]
    if len(run) == 1:
        return run[0]
    last = run[-1]
    rest = tuple((sign, value) for sign, value, _, _ in run[1:])
    return operator, syntax.Chain(first, rest, last[2], place), last[2], place
