"""What a reference does with a value: read a property, call a method, index it, set into it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hookrack.edge.mapping import containers, figures, texts
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.jsonwrite import JavaList
from hookrack.edge.mapping.objects import INPUT, LOOP, UTIL, Input, Loop, Util
from hookrack.edge.mapping.signatures import Table, find
from hookrack.edge.mapping.values import (
    Character,
    ContextMap,
    Cursor,
    Entry,
    HeaderMap,
    JavaArray,
    JavaClass,
    JavaView,
    class_name,
    is_integer,
)

_LOOP_CLASS: Final = "org.apache.velocity.runtime.directive.ForeachScope"
_TABLES: Final[dict[type, Table]] = {
    str: texts.TEXT,
    Character: texts.CHARACTER,
    bool: figures.BOOLEAN,
    dict: containers.MAP,
    ContextMap: containers.MAP,
    HeaderMap: containers.MAP,
    list: containers.LIST,
    JavaList: containers.LIST,
    JavaArray: containers.ARRAY,
    JavaView: containers.VIEW,
    Entry: containers.ENTRY,
    Cursor: containers.CURSOR,
    JavaClass: texts.CLASS,
    Input: INPUT,
    Util: UTIL,
    Loop: LOOP,
}


def _table(value: Any) -> Table:
    found = _TABLES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, int | float | Decimal):
        return figures.of_number(value)
    return texts.OBJECT


def _class_of(value: Any) -> str:
    return _LOOP_CLASS if type(value) is Loop else class_name(value)


def call(value: Any, name: str, *, arguments: list[Any]) -> Any:
    """`value.name(arguments)`, or None if there is no such method. Raises: JavaException."""
    if name == "getClass" and not arguments:
        return JavaClass(_class_of(value))
    run = find(_table(value), name, arguments=arguments)
    if run is None and type(value) is Loop:  # which is a map of what was put into it
        value = value.extra
        run = find(containers.MAP, name, arguments=arguments)
    return None if run is None else run(value, *arguments)


def read(value: Any, name: str) -> Any:
    """`value.name`: a getter, else what a map has under the name, or None."""
    if name in {"class", "Class"}:
        return JavaClass(_class_of(value))
    if isinstance(value, dict):
        return containers.lookup(value, name)
    getter = _GETTERS.get((type(value), name[:1].lower() + name[1:]))
    if getter is not None:
        return getter(value)
    return value.member(name) if type(value) is Loop else None


_GETTERS: Final[dict[tuple[type, str], Callable[[Any], Any]]] = {
    (str, "empty"): lambda value: not value,
    (str, "blank"): lambda value: not value.strip(),
    (list, "empty"): lambda value: not value,
    (JavaList, "empty"): lambda value: not value,
    (JavaView, "empty"): lambda value: not value,
    (Entry, "key"): lambda value: value.key,
    (Entry, "value"): lambda value: value.value,
    (JavaClass, "name"): lambda value: value.name,
    (Input, "body"): lambda value: value.body,
    (float, "naN"): lambda value: value != value,  # noqa: PLR0124 - that is what NaN means
    (float, "infinite"): lambda value: value in {float("inf"), float("-inf")},
}


def index(value: Any, argument: Any) -> Any:
    """`value[argument]`, counted from the end if negative, or None. Raises: JavaException."""
    argument = _from_start(value, argument)
    if isinstance(value, dict):
        return containers.lookup(value, argument)
    if isinstance(value, list) and type(value) is not JavaView and is_integer(argument):
        return containers.item(value, argument)
    if type(value) is Loop and isinstance(argument, str):
        return value.found(argument)
    return None


def _from_start(value: Any, argument: Any) -> Any:
    """An index that counts from the end, as it counts from the start. Raises: JavaException."""
    if not is_integer(argument) or argument >= 0:
        return argument
    if not isinstance(value, list | dict):
        raise JavaException("a negative index wants something that has a size()")
    return argument + len(value)


def set_property(value: Any, name: str, *, new: Any) -> None:
    """`#set($value.name = new)`; values that take none stay. Raises: JavaException."""
    if isinstance(value, dict):
        containers.put(value, name, value=new)
    elif type(value) is Entry and name in {"value", "Value"}:
        containers.put(value.map, value.key, value=new)
    elif type(value) is Loop:
        value.extra[name] = new


def set_index(value: Any, argument: Any, *, new: Any) -> None:
    """`#set($value[argument] = new)`; values that take none stay. Raises: JavaException."""
    argument = _from_start(value, argument)
    if isinstance(value, dict):
        containers.put(value, argument, value=new)
    elif isinstance(value, list) and type(value) is not JavaView and is_integer(argument):
        containers.set_item(value, argument, value=new)
