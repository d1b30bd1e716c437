"""The statements of a template: text, references, directives and what is between them."""

from typing import Final

from hookrack.edge.mapping import syntax
from hookrack.edge.mapping.faults import Place, TemplateInvalid
from hookrack.edge.mapping.lexer import Token
from hookrack.edge.mapping.lexical import State
from hookrack.edge.mapping.reading import Reader, Tokens
from hookrack.edge.mapping.syntax import Block, Expression, Node

# Words that mean something after `#`, besides those with a token of their own.
_BLOCKS: Final = {"foreach", "define", "macro", "literal"}
_LINES: Final = {"break", "stop", "include", "parse"}
_WORDS: Final = _BLOCKS | _LINES
_CONTROLS: Final = {"if", "else", "elseif", "end", "set"}
_TEXTS: Final = frozenset(
    ("text", ".", ")", "(", "integer", "float", "string", "ref {", "ref }"),
)
_STATEMENTS: Final = _TEXTS | {
    *("#if", "#set", "name", "##", "comment end", "raw text", "escaped directive", "\\\\", "word"),
}
_ARGUMENT: Final = frozenset(
    ("name", "ref {", "word", "string", "integer", "float", "[", "{", "boolean"),
)
_MACRO_HINT: Final = "API Gateway has no macros; use #define."


def parse(source: str) -> Block:
    """The tree of a template. Raises: TemplateInvalid."""
    return _Parser(Tokens(source)).whole()


class _Parser:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._reader = Reader(tokens, self._interpolated)

    def whole(self) -> Block:
        block = self._block()
        if self._tokens.peek().kind != "end":
            raise self._tokens.refusal()
        del self._reader  # which knows this parser: nobody should have to search for the two
        return block

    def _interpolated(self, token: Token, text: str) -> Expression:
        """The template that a string in double quotes is."""
        place = self._tokens.place(token)
        is_trimmed = "##" not in text
        self._tokens.enter()
        source = text + " " if is_trimmed else text
        inner = _Parser(Tokens(source, origin=place, depth=self._tokens.depth)).whole()
        self._tokens.leave()
        return syntax.Interpolation(inner, is_trimmed, place)

    def _block(self) -> Block:
        nodes: list[Node] = []
        self._tokens.enter()
        while self._tokens.peek().kind in _STATEMENTS:
            nodes += self._statement()
        self._tokens.leave()
        return Block(tuple(_joined(nodes)))

    def _statement(self) -> list[Node]:
        tokens = self._tokens
        kind = tokens.peek().kind
        if kind == "#if":
            return [self._if()]
        if kind == "name" or (kind == "ref {" and tokens.peek(1).kind == "name"):
            return [self._reader.reference()]
        if kind == "#set":
            return [self._set()]
        if kind == "word":
            return self._directive()
        if kind == "\\\\":
            return [syntax.Text(self._escapes())]
        token = tokens.take()
        if kind == "##":
            tokens.accept("line end")
            return [syntax.Text(token.image.partition("##")[0])]
        if kind == "comment end":
            return []
        if kind == "raw text":
            return [syntax.Text(token.image[3:-3])]
        if kind == "escaped directive":
            return [syntax.Text(_escaped(token.image))]
        return [syntax.Text(token.text)]

    def _escapes(self) -> str:
        """Pairs of backslashes, which print as one each before a directive."""
        tokens = self._tokens
        count = 0
        while tokens.accept("\\\\"):
            count += 1
        after = tokens.peek()
        is_control = after.kind in {"#if", "#else", "#elseif", "#end"} or after.image[1:] in _WORDS
        return ("\\" if is_control else "\\\\") * count

    def _if(self) -> Node:
        tokens = self._tokens
        place = tokens.place(tokens.peek())
        branches: list[tuple[Expression, Block]] = []
        while tokens.accept("#elseif" if branches else "#if"):
            branches.append((self._test(), self._block()))
        otherwise = self._block() if tokens.accept("#else") else None
        self._end(place, "#if")
        return syntax.If(tuple(branches), otherwise, place)

    def _test(self) -> Expression:
        tokens = self._tokens
        tokens.accept("blank")
        tokens.expect("(")
        test = self._reader.expression()
        tokens.expect(")")
        return test

    def _end(self, place: Place, what: str) -> None:
        if self._tokens.peek().kind == "end":
            raise TemplateInvalid(f"this {what} has no #end", place, hint="Add #end (or #{end}).")
        self._tokens.expect("#end")

    def _set(self) -> Node:
        tokens = self._tokens
        place = tokens.place(tokens.take())
        tokens.accept("blank")
        if tokens.peek().kind not in {"name", "ref {"}:
            raise tokens.refusal(wanted="a variable", hint="Write #set($name = value).")
        target = self._reader.reference()
        tokens.accept("blank")
        tokens.expect("=")
        value = self._reader.expression()
        tokens.expect(")")
        return syntax.Set(target, value, place)

    def _directive(self) -> list[Node]:
        """`#word`: a directive, or text if it is none."""
        tokens = self._tokens
        word = tokens.take()
        name = word.image[2:-1] if word.image.endswith("}") else word.image[1:]
        start, place = word.start, tokens.place(word)
        lexer = tokens.lexer
        lexer.state = State.DIRECTIVE
        arguments: list[Expression | str] | None = None
        if lexer.opens():
            arguments = self._arguments(name, place)
        else:
            lexer.pop()
        if name not in _WORDS:
            if arguments is not None and name.startswith("@"):
                self._block()
                self._end(place, word.image)
            return [syntax.Text(lexer.source[start : tokens.last.end])]
        if name in _LINES:
            return _line(name, arguments, place=place)
        if arguments is None:
            raise TemplateInvalid(f"#{name} wants its arguments", place, hint="Add (...).")
        return self._with_block(name, arguments, place=place)

    def _arguments(self, name: str, place: Place) -> list[Expression | str]:
        """What stands in the parentheses: values, and words where those may be."""
        tokens = self._tokens
        found: list[Expression | str] = []
        tokens.accept("blank")
        tokens.expect("(")
        while self._has_argument():
            tokens.accept("blank")
            if tokens.accept(","):
                tokens.accept("blank")
            if tokens.peek().kind not in _ARGUMENT:
                raise tokens.refusal(wanted="a value")
            if tokens.peek().kind != "word":
                found.append(self._reader.value())
                continue
            word = tokens.take()
            may_be_word = name not in _WORDS or (name, len(found)) in _WORD_ARGUMENTS
            if not may_be_word:
                raise TemplateInvalid(
                    f"the word {word.image[:40]!r} is no argument of #{name}",
                    tokens.place(word),
                    hint="A variable begins with $.",
                )
            found.append(word.image)
        tokens.accept("blank")
        tokens.expect(")")
        if name == "macro" and not (found and isinstance(found[0], str)):
            raise TemplateInvalid("#macro wants a name", place, hint=_MACRO_HINT)
        return found

    def _has_argument(self) -> bool:
        first, second = self._tokens.peek().kind, ""
        if first in {"blank", ","}:
            second = self._tokens.peek(1).kind
        if first == "blank":
            return second == "," or second in _ARGUMENT
        if first == ",":
            return second == "blank" or second in _ARGUMENT
        return first in _ARGUMENT

    def _with_block(
        self, name: str, arguments: list[Expression | str], *, place: Place
    ) -> list[Node]:
        tokens = self._tokens
        start = tokens.last.end
        body = self._block()
        end = max(start, tokens.last.end)
        self._end(place, f"#{name}")
        if name == "macro":
            return []
        if name == "literal":
            return [syntax.Text(tokens.lexer.source[start:end])]
        if name == "foreach":
            return [_foreach(arguments, body, place=place)]
        if len(arguments) != 1 or isinstance(arguments[0], str):
            raise TemplateInvalid("#define wants one variable", place, hint="#define($name)")
        variable = arguments[0]
        if isinstance(variable, syntax.Reference) and variable.literal != f"${variable.root}":
            return []  # `$!t` and `${t}` are another variable's name, never asked for
        return [syntax.Define(_variable(variable, place), body, place)]


_WORD_ARGUMENTS: Final = {("foreach", 1), ("macro", 0)}


def _line(name: str, arguments: list[Expression | str] | None, *, place: Place) -> list[Node]:
    if name in {"break", "stop"}:
        return [syntax.Leave(name == "stop", place)]
    if name == "parse" and not arguments:
        raise TemplateInvalid("#parse wants a name", place, hint="API Gateway has no #parse.")
    return [syntax.Forbidden(name, place)] if arguments else []


def _foreach(arguments: list[Expression | str], body: Block, *, place: Place) -> Node:
    """A loop. With a word too few it has nothing to go over, with one too many no body."""
    values = [each for each in arguments if not isinstance(each, str)]
    if len(arguments) < 2 or isinstance(arguments[0], str) or not values:
        hint = "Write #foreach($item in $list)."
        raise TemplateInvalid("#foreach wants a variable, `in` and a list", place, hint=hint)
    third = arguments[2] if len(arguments) > 2 else None
    items = None if isinstance(third, str) else third
    whole = body if len(arguments) <= 3 else Block(())
    return syntax.Foreach(_variable(values[0], place), items, whole, place)


def _variable(value: Expression, place: Place) -> str:
    if isinstance(value, syntax.Reference):
        return value.root
    raise TemplateInvalid("a variable is wanted here", place, hint="It begins with $.")


def _escaped(image: str) -> str:
    r"""`\\#word` as it prints: without the backslash if the word is one of ours."""
    last = image.rindex("\\")
    word = image[last + 1 :]
    name = word[1:].removeprefix("{").removesuffix("}")
    return image[: last // 2] + word if name in _WORDS | _CONTROLS else image


def _joined(nodes: list[Node]) -> list[Node]:
    """Neighbouring text as one."""
    found: list[Node] = []
    texts: list[str] = []
    for node in nodes:
        if isinstance(node, syntax.Text):
            texts.append(node.text)
            continue
        if any(texts):
            found.append(syntax.Text("".join(texts)))
        texts = []
        found.append(node)
    if any(texts):
        found.append(syntax.Text("".join(texts)))
    return found
