"""One rendering: its variables, and the budgets that end it before it hurts anybody."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from hookrack.edge.mapping.faults import JavaException, MappingFault, Place
from hookrack.edge.mapping.objects import Input, Util, Values
from hookrack.edge.mapping.values import ContextMap, Printed, paired

OUTPUT: Final = 2**20
STEPS: Final = 1_000_000
TURNS: Final = 1_000
CPU_NS: Final = 50_000_000
_PAUSE: Final = 1_024  # steps between two looks at the clock
HEAVY: Final = 4_096  # letters from which a string of a method counts for memory
_ITEMS: Final = 2_000_000  # of all lists and maps that a rendering makes
_LIGHT: Final = 64  # letters or items that a call may handle at no cost of their own
_WORK: Final = 32  # those that make a step, beyond that
_TEXTS: Final = 64  # all strings of a rendering together, in outputs


@dataclass(frozen=True, slots=True)
class Limits:
    """What one rendering may use up.

    `clock` counts nanoseconds of CPU (`time.thread_time_ns`); without one time isn't bounded.
    """

    output: int = OUTPUT
    steps: int = STEPS
    turns: int = TURNS
    cpu_ns: int = CPU_NS
    clock: Callable[[], int] | None = None


DEFAULT_LIMITS: Final = Limits()


_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class MappingRequest(NamedTuple):
    """What a template is rendered with. A name of several values has a list of them."""

    body: str = ""
    headers: Values = _NONE
    query: Values = _NONE
    path: Values = _NONE
    context: Mapping[str, Any] = _NONE
    stage_variables: Mapping[str, str] = _NONE


@dataclass(frozen=True, slots=True)
class Traced:
    """What one reference yielded."""

    reference: str
    place: Place
    yielded: str


Trace = list[Traced]


class Leaving(Exception):  # noqa: N818 - no fault: `#break`, or `#stop` if it leaves everything
    """What ends the nearest loop or definition, or the rendering."""

    def __init__(self, *, is_all: bool) -> None:
        super().__init__()
        self.is_all = is_all


_UTIL: Final = Util()


class Scope(dict[str, Any]):
    """The variables. What a template may never ask for is made when it asks."""

    __slots__ = ("changes", "context", "request")

    def __init__(self, request: MappingRequest, *, changes: bool) -> None:
        super().__init__()
        self.request = request
        self.changes = changes
        self.context: dict[str, Any] | None = None

    def __missing__(self, name: str) -> Any:
        make = _MADE.get(name)
        if make is None:
            return None
        value = self[name] = make(self)
        return value


def _input(scope: Scope) -> Input:
    request = scope.request
    return Input(
        request.body,
        path=request.path,
        query=request.query,
        headers=request.headers,
        changes=scope.changes,
    )


def _context(scope: Scope) -> dict[str, Any]:
    """`$context`, with the maps of overrides in it."""
    given = {name: _below(value) for name, value in scope.request.context.items()}
    given.setdefault(
        "requestOverride",
        ContextMap(path=ContextMap(), header=ContextMap(), querystring=ContextMap()),
    )
    given.setdefault("responseOverride", ContextMap(header=ContextMap()))
    scope.context = given
    return given


def _below(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return ContextMap({name: _below(each) for name, each in value.items()})


_MADE: Final[dict[str, Callable[[Scope], Any]]] = {
    "input": _input,
    "util": lambda _: _UTIL,
    "context": _context,
    "stageVariables": lambda scope: dict(scope.request.stage_variables),
}


class Run:
    """The state of one rendering."""

    __slots__ = (
        "_items",
        "_spent",
        "_started",
        "limits",
        "nulls",
        "pause",
        "room",
        "scope",
        "texts",
        "trace",
    )

    def __init__(
        self, request: MappingRequest, limits: Limits, *, trace: Trace | None, changes: bool
    ) -> None:
        self.limits = limits
        self.scope = Scope(request, changes=changes)
        self.room = limits.output
        self.texts = limits.output * _TEXTS
        self._items = _ITEMS
        self.pause = min(_PAUSE, limits.steps)
        self._spent = self.pause
        self._started: int | None = None  # the clock's reading at the first look
        self.trace = trace
        self.nulls: tuple[str, ...] = ()  # loop variables that stay null for this turn
        if len(request.body) > HEAVY:
            self.look_at_clock(Place())

    @property
    def changes(self) -> bool:
        """Whether the template may change a list or map that it is given."""
        return self.scope.changes

    def look(self, place: Place) -> None:
        """The steps till now are used up: are there more, and is there time?"""
        most = self.limits.steps
        if self._spent >= most or self._spent - self.pause > most:  # one call may take many
            raise MappingFault(f"more than {most} steps", place)
        more = min(_PAUSE - self.pause, most - self._spent)
        self._spent += more
        self.pause += more
        self.look_at_clock(place)

    def look_at_clock(self, place: Place) -> None:
        """Raise if the time is up; it runs from the first look, which most renderings end before.

        In a process of several threads reading the clock can take longer than their work does.
        """
        if self._is_late():
            raise MappingFault(self._late, place)

    def _is_late(self) -> bool:
        clock = self.limits.clock
        if clock is None:
            return False
        if self._started is None:
            self._started = clock()
            return False
        return clock() - self._started > self.limits.cpu_ns

    @property
    def _late(self) -> str:
        return f"more than {self.limits.cpu_ns / 1e6:g} ms of CPU"

    def spend_time(self) -> None:
        """As `look_at_clock`, for a method that knows no place. Raises: JavaException."""
        if self._is_late():
            raise JavaException(self._late)

    def spend_items(self, count: int) -> None:
        """Items of new lists and maps, which a template may all keep. Raises: JavaException."""
        self._items -= count
        if self._items < 0:
            raise JavaException(f"lists and maps of more than {_ITEMS} items in all")
        if count > _LIGHT:
            self.spend_time()

    def worked(self, size: int, place: Place) -> None:
        """A call has handled so many letters or items: they count as steps."""
        if size > _LIGHT:
            self.pause -= size // _WORK
            if self.pause < 0:
                self.look(place)

    def full(self, place: Place) -> MappingFault:
        """What is wrong where the room is used up."""
        return MappingFault(f"more than {self.limits.output} letters of output", place)

    def made(self, text: str, place: Place) -> str:
        """A string that was put together: counted, and refused if it is longer than an output."""
        size = len(text)
        if size > self.limits.output:
            raise MappingFault(f"a string of more than {self.limits.output} letters", place)
        self.kept(size, place)
        if size > HEAVY:
            self.look_at_clock(place)
        return text if text.isascii() else paired(text)

    def kept(self, size: int, place: Place) -> None:
        """A new string of so many letters, which a template may keep."""
        self.texts -= size
        if self.texts < 0:
            total = self.limits.output * _TEXTS
            raise MappingFault(f"strings of more than {total} letters in all", place)

    def fault(self, exc: JavaException, place: Place) -> MappingFault:
        """A Java exception, at its place."""
        return MappingFault(str(exc), place, status=exc.status)


Emit = Callable[[Run, list[str]], None]


class Definition(Printed):
    """What `#define` makes: its body, rendered wherever it is used. It goes two levels deep."""

    __slots__ = ("body", "depth", "place", "run")
    DEPTH: Final = 2

    def __init__(self, run: Run, body: Emit, *, place: Place) -> None:
        self.run = run
        self.body = body
        self.place = place
        self.depth = 0

    def emit(self, out: list[str]) -> bool:
        """Render the body; whether it could."""
        if self.depth >= self.DEPTH:
            return False
        self.depth += 1
        try:
            self.body(self.run, out)
        except Leaving as leaving:
            if leaving.is_all:
                raise
        finally:
            self.depth -= 1
        return True

    def text(self) -> str | None:
        """What it renders to, or None if it is too deep in itself."""
        run = self.run
        out: list[str] = []
        saved, run.room = run.room, run.limits.output
        try:
            return run.made("".join(out), self.place) if self.emit(out) else None
        finally:
            run.room = saved
