"""Expressions compiled to closures that give a value."""

from collections.abc import Callable
from typing import Any, Final

from hookrack.edge.mapping import arithmetic, syntax
from hookrack.edge.mapping.budget import took
from hookrack.edge.mapping.containers import CHANGING, key_of
from hookrack.edge.mapping.faults import JavaException, Place
from hookrack.edge.mapping.figures import int_value
from hookrack.edge.mapping.jsonwrite import JavaList
from hookrack.edge.mapping.objects import MEMBERS, Loop
from hookrack.edge.mapping.running import Definition, Emit, Run, Trace, Traced
from hookrack.edge.mapping.stepping import (
    Step,
    Value,
    call_step,
    index_step,
    path_step,
    property_step,
    short_call_step,
)
from hookrack.edge.mapping.syntax import Expression
from hookrack.edge.mapping.values import equal, is_number, show

Test = Callable[[Run], bool]
TRACED: Final = 1_000  # references whose values a trace keeps
TRACED_LETTERS: Final = 20_000  # of one of them
RANGE: Final = 1_000_000  # the numbers of one range


class Values:
    """Compiles expressions; `block` compiles what is within a string."""

    def __init__(self, block: Callable[[syntax.Block], Emit], *, is_traced: bool) -> None:
        self._block = block
        self._is_traced = is_traced
        self.roots: set[str] = set()
        self.changes = False  # whether the template may change a list or map

    def value(self, node: Expression) -> Value:
        """The value of an expression; None is Java's null."""
        if isinstance(node, syntax.Constant):
            return _constant(node.value)
        if isinstance(node, syntax.Reference):
            return self.reference(node)
        if isinstance(node, syntax.Interpolation):
            return self._interpolation(node)
        if isinstance(node, syntax.ListLiteral):
            return _list([self.value(each) for each in node.items])
        if isinstance(node, syntax.MapLiteral):
            pairs = [(self.value(key), self.value(value)) for key, value in node.pairs]
            return _map(pairs, node.place)
        if isinstance(node, syntax.RangeLiteral):
            return _range(self.value(node.first), self.value(node.last), place=node.place)
        if isinstance(node, syntax.Group):
            return self.value(node.inner)
        if isinstance(node, syntax.Not) or node.rest[0][0] in _TESTS:
            return self.test(node)
        return self._arithmetic(node)

    def test(self, node: Expression) -> Test:
        """Whether an expression holds: only true, and references that aren't false, do."""
        if isinstance(node, syntax.Constant):
            return _constant(node.value is True)
        if isinstance(node, syntax.Reference):
            slow = _truth(self.reference(node))
            name = self.only_name(node)
            return slow if name is None else _loop_truth(node.root, MEMBERS.get(name), slow)
        if isinstance(node, syntax.Group):
            return self.test(node.inner)
        if isinstance(node, syntax.Not):
            return _negation(self.test(node.operand))
        if not isinstance(node, syntax.Chain) or node.rest[0][0] not in _TESTS:
            return _false(self.value(node))
        sign = node.rest[0][0]
        if sign in {"&&", "||"}:
            tests = [self.test(each) for each in (node.first, *(each for _, each in node.rest))]
            return _all(tests) if sign == "&&" else _any(tests)
        return self._comparison(node)

    def _comparison(self, node: syntax.Chain) -> Test:
        first = self.value(node.first)
        rest = [(_COMPARED[sign], self.value(each)) for sign, each in node.rest]
        place = node.place
        if len(rest) == 1:
            return _compared(first, rest[0], place=place)

        def test(run: Run) -> bool:
            value = first(run)
            try:
                for compare, other in rest:
                    value = compare(value, other(run))
            except JavaException as exc:
                raise run.fault(exc, place) from exc
            return bool(value)

        return test

    def _arithmetic(self, node: syntax.Chain) -> Value:
        first = self.value(node.first)
        rest = [(_COMBINED[sign], self.value(each), _literal(each)) for sign, each in node.rest]
        place, literal = node.place, _literal(node.first)

        def value(run: Run) -> Any:
            left, written = first(run), literal
            try:
                for combine, other, shown in rest:
                    right = other(run)
                    if combine is arithmetic.add:
                        if left is None and type(right) is str:
                            left = written
                        elif right is None and type(left) is str:
                            right = shown
                    left = combine(left, right)
                    written = shown
            except JavaException as exc:
                raise run.fault(exc, place) from exc
            return run.made(left, place) if type(left) is str else left

        return value

    def _interpolation(self, node: syntax.Interpolation) -> Value:
        body, place = self._block(node.body), node.place
        end = -1 if node.is_trimmed else None

        def value(run: Run) -> str:
            out: list[str] = []
            saved, run.room = run.room, run.limits.output + 1
            try:
                body(run, out)
            finally:
                run.room = saved
            return run.made("".join(out)[:end], place)

        return value

    def reference(self, node: syntax.Reference) -> Value:
        """The value of a reference: never null but for a runt."""
        if node.is_runt:
            return _constant(None)
        self.roots.add(node.root)
        steps: list[Step] = []
        for each in node.steps:
            steps.append(self.step(each))  # noqa: PERF401 - a comprehension is a frame more
        only = node.steps[0] if len(steps) == 1 else None
        if isinstance(only, syntax.Property):
            value = _member(node.root, only.name, slow=steps[0])
        else:
            value = _walked(node.root, steps)
        return _traced(value, node) if self._is_traced else value

    def only_name(self, node: syntax.Reference) -> str | None:
        """The name, where a reference is a root and one name and nobody traces what it yields."""
        if self._is_traced or len(node.steps) != 1:
            return None
        step = node.steps[0]
        if not isinstance(step, syntax.Property) or step.name in {"class", "Class"}:
            return None
        return step.name

    def is_pure(self, node: syntax.Reference) -> bool:
        """Whether a reference may be evaluated twice: nobody traces it, and it calls nothing."""
        names = all(isinstance(each, syntax.Property) for each in node.steps)
        return names and not (self._is_traced or node.is_runt)

    def escaped(self, node: syntax.Reference) -> syntax.Reference | None:
        """The reference that `$util.escapeJavaScript` is given, if `node` is just that."""
        if node.root != "util" or len(node.steps) != 1:
            return None
        step = node.steps[0]
        if not isinstance(step, syntax.Call) or step.name != "escapeJavaScript":
            return None
        argument = step.arguments[0] if len(step.arguments) == 1 else None
        return argument if isinstance(argument, syntax.Reference) else None

    def step(self, node: syntax.Step) -> Step:
        """One step of a reference."""
        if isinstance(node, syntax.Property):
            return property_step(node.name)
        if isinstance(node, syntax.Index):
            return index_step(self.value(node.argument), node.place)
        self.changes = self.changes or node.name in CHANGING
        known = _path(node)
        if known is not None:
            return known
        arguments: list[Value] = []
        for each in node.arguments:
            arguments.append(self.value(each))  # noqa: PERF401 - as above
        if len(arguments) == 1:
            return short_call_step(node.name, arguments[0], place=node.place)
        return call_step(node.name, arguments, place=node.place)


def _path(node: syntax.Call) -> Step | None:
    """A call that has nothing but a path, written out."""
    path = node.arguments[0] if len(node.arguments) == 1 else None
    if not isinstance(path, syntax.Constant) or not isinstance(path.value, str):
        return None
    return path_step(node.name, path.value, place=node.place)


def _member(root: str, name: str, *, slow: Step) -> Value:
    """`$root.name`, which is quick for an object."""
    if name in {"class", "Class"}:
        return _walked(root, [slow])

    def value(run: Run) -> Any:
        holder = run.scope[root]
        found = holder.get(name) if type(holder) is dict else slow(run, holder)
        return "" if found is None else found

    return value


def _walked(root: str, steps: list[Step]) -> Value:
    """The value at the end of the steps, or the empty string."""
    only = steps[0] if len(steps) == 1 else None

    def bare(run: Run) -> Any:
        value = run.scope[root]
        return "" if value is None else value

    def long(run: Run) -> Any:
        value = run.scope[root]
        for step in steps:
            if value is None:
                return ""
            value = step(run, value)
        return "" if value is None else value

    if only is None:
        return long if steps else bare

    def short(run: Run) -> Any:
        value = run.scope[root]
        if value is None:
            return ""
        value = only(run, value)
        return "" if value is None else value

    return short


def _constant(value: Any) -> Callable[[Run], Any]:
    return lambda _: value


def _list(items: list[Value]) -> Value:
    return lambda run: JavaList([each(run) for each in items])


def _map(pairs: list[tuple[Value, Value]], place: Place) -> Value:
    def value(run: Run) -> Any:
        try:
            return {key_of(key(run)): each(run) for key, each in pairs}
        except JavaException as exc:
            raise run.fault(exc, place) from exc

    return value


def _range(first: Value, last: Value, *, place: Place) -> Value:
    def value(run: Run) -> Any:
        start, end = first(run), last(run)
        try:
            if not (is_number(start) and is_number(end)):
                return None
            start, end = int_value(start), int_value(end)
            if abs(end - start) > RANGE:
                raise JavaException(f"a range of more than {RANGE} numbers")
            took(abs(end - start))
        except JavaException as exc:
            raise run.fault(exc, place) from exc
        return JavaList(range(start, end + 1) if start <= end else range(start, end - 1, -1))

    return value


def _truth(value: Value) -> Test:
    def test(run: Run) -> bool:
        found = value(run)
        if type(found) is Definition:
            return found.text() is not None
        return found is not False and found is not None

    return test


def _loop_truth(root: str, of_loop: Callable[[Loop], Any] | None, slow: Test) -> Test:
    """`#if($foreach.hasNext)`, which almost every loop has."""
    if of_loop is None:
        return slow

    def test(run: Run) -> bool:
        value = run.scope[root]
        return of_loop(value) is not False if type(value) is Loop else slow(run)

    return test


def _negation(test: Test) -> Test:
    return lambda run: not test(run)


def _false(value: Value) -> Test:
    del value  # what isn't asked for its value isn't computed
    return lambda _: False


def _all(tests: list[Test]) -> Test:
    def test(run: Run) -> bool:
        for each in tests:  # noqa: SIM110 - a generator here is slower than the loop
            if not each(run):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(run: Run) -> bool:
        for each in tests:  # noqa: SIM110 - as above
            if each(run):
                return True
        return False

    return test


Compare = Callable[[Any, Any], bool]


def _compared(first: Value, rest: tuple[Compare, Value], *, place: Place) -> Test:
    compare, other = rest

    def test(run: Run) -> bool:
        try:
            return compare(first(run), other(run))
        except JavaException as exc:
            raise run.fault(exc, place) from exc

    return test


_COMPARED: Final[dict[str, Compare]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": lambda left, right: arithmetic.compare(left, right) == -1,
    ">": lambda left, right: arithmetic.compare(left, right) == 1,
    "<=": lambda left, right: arithmetic.compare(left, right) in {-1, 0},
    ">=": lambda left, right: arithmetic.compare(left, right) in {0, 1},
}
_TESTS: Final = {*_COMPARED, "&&", "||"}
_COMBINED: Final = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "%": arithmetic.modulo,
}


def _literal(node: Expression) -> str:
    """How an operand is written, which is what joins a String in place of null."""
    return node.literal if isinstance(node, syntax.Chain | syntax.Group) else ""


def _yielded(found: Any, trace: Trace) -> str:
    """What a trace keeps of a value: nobody looks through more, and many of them add up."""
    if len(trace) >= TRACED:
        return ""
    try:
        text = show(found, limit=TRACED_LETTERS)
    except (JavaException, RecursionError):
        return f"(more than {TRACED_LETTERS} letters)"
    return text if len(text) <= TRACED_LETTERS else text[:TRACED_LETTERS] + "…"


def _traced(value: Value, node: syntax.Reference) -> Value:
    def traced(run: Run) -> Any:
        found = value(run)
        if run.trace is not None:
            run.trace.append(Traced(node.literal, node.place, _yielded(found, run.trace)))
        return found

    return traced
