"""The steps of a reference as closures: from one value to the next, None where there is none."""

from collections.abc import Callable
from typing import Any, Final

from hookrack.edge.mapping import members
from hookrack.edge.mapping.faults import JavaException, Place
from hookrack.edge.mapping.jsonpath import PathInvalid, compile_path
from hookrack.edge.mapping.objects import MEMBERS, Input, Loop, Util, escape_javascript
from hookrack.edge.mapping.running import HEAVY, Run

Value = Callable[[Run], Any]
Step = Callable[[Run, Any], Any]
_SIZED: Final = (str, list, dict)


def property_step(name: str) -> Step:
    """What `.name` reads."""
    if name in {"class", "Class"}:
        return lambda _, value: members.read(value, name)

    of_loop = MEMBERS.get(name)

    def step(_: Run, value: Any) -> Any:
        if type(value) is dict:
            return value.get(name)
        if of_loop is not None and type(value) is Loop:
            return of_loop(value)
        return members.read(value, name)

    return step


def index_step(argument: Value, place: Place) -> Step:
    """What `[argument]` reads."""

    def step(run: Run, value: Any) -> Any:
        try:
            return members.index(value, argument(run))
        except JavaException as exc:
            raise run.fault(exc, place) from exc

    return step


def call_step(name: str, arguments: list[Value], *, place: Place) -> Step:
    """What `.name(arguments)` gives."""

    def step(run: Run, value: Any) -> Any:
        given = [each(run) for each in arguments]
        try:
            result = members.call(value, name, arguments=given)
        except JavaException as exc:
            raise run.fault(exc, place) from exc
        return _weighed(run, value, result, place=place)

    return step


def short_call_step(name: str, argument: Value, *, place: Place) -> Step:
    """A call with one argument, with a short cut for those that most templates are made of."""
    on_input = _ON_INPUT.get(name)
    on_util = escape_javascript if name == "escapeJavaScript" else None

    def step(run: Run, value: Any) -> Any:
        given = argument(run)
        try:
            if on_input is not None and type(value) is Input and type(given) is str:
                result = on_input(value, given)
            elif on_util is not None and type(value) is Util:
                result = on_util(value, given)
            else:
                result = members.call(value, name, arguments=[given])
        except JavaException as exc:
            raise run.fault(exc, place) from exc
        return _weighed(run, value, result, place=place)

    return step


def path_step(name: str, path: str, *, place: Place) -> Step | None:
    """`.path('...')` or `.json('...')` with a path that is compiled with the template."""
    at = {"path": Input.at, "json": Input.json_at}.get(name)
    try:
        compiled = compile_path(path) if at is not None and path else None
    except PathInvalid:  # which the rendering says, if it comes there
        compiled = None
    if at is None or compiled is None:
        return None

    def step(run: Run, value: Any) -> Any:
        try:
            if type(value) is Input:
                result = at(value, compiled)
            else:
                result = members.call(value, name, arguments=[path])
        except JavaException as exc:
            raise run.fault(exc, place) from exc
        return _weighed(run, value, result, place=place)

    return step


_ON_INPUT: Final[dict[str, Callable[[Input, str], Any]]] = {
    "path": Input.path,
    "json": Input.json,
    "params": Input.parameter,
}


def _weighed(run: Run, value: Any, result: Any, *, place: Place) -> Any:
    """The result of a call: its work counts as steps, and a long new string for memory."""
    had = len(value) if isinstance(value, _SIZED) else 0
    if type(result) is not str:
        run.worked(had, place)
        return result
    size = len(result)
    run.worked(had + size, place)
    if size > HEAVY and result is not value:
        if type(value) is not str or size > had:
            return run.made(result, place)
        run.kept(size, place)
    return result
