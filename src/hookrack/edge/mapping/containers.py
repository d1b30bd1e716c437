"""The methods of lists, maps, their views and entries, as Java has them."""

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from hookrack.edge.mapping.budget import took
from hookrack.edge.mapping.faults import JavaException
from hookrack.edge.mapping.jsonwrite import JavaList
from hookrack.edge.mapping.signatures import Table, table
from hookrack.edge.mapping.texts import OBJECT
from hookrack.edge.mapping.values import (
    Comparison,
    Cursor,
    Entry,
    HeaderMap,
    JavaView,
    class_name,
    same,
)

ITEMS: Final = 1_000_000  # what a list or map may hold in the end


class ModifiedFault(JavaException):
    """A list changed while it was gone through."""


def watched(items: list[Any]) -> Iterator[Any]:
    """The items of a list; raises if it changes in between, as Java does."""
    at, size = 0, len(items)
    while at != len(items):
        if len(items) != size:
            raise ModifiedFault("ConcurrentModificationException: the list changed in its loop")
        yield items[at]
        at += 1


def key_of(key: Any) -> Any:
    """A key that a map can have here. Raises: JavaException."""
    if isinstance(key, list | dict | Entry):
        raise JavaException("a list or a map can't be a key here")
    return key


def lookup(holder: dict[Any, Any], key: Any) -> Any:
    """What a map has under a key, or None."""
    if isinstance(key, list | dict | Entry):
        return None
    if isinstance(key, bool | float | int) and not _has_exactly(holder, key):
        return None
    return holder.find(key) if isinstance(holder, HeaderMap) else holder.get(key)


def _has_exactly(holder: dict[Any, Any], key: float) -> bool:
    """Whether a number or boolean is a key: to Python 1, 1.0 and True are the same, to Java not."""
    return key in holder and any(key == each and same(key, each) for each in holder)


def put(holder: dict[Any, Any], key: Any, *, value: Any) -> Any:
    """Set a key; gives what it had."""
    key = key_of(key)
    old = holder.get(key)
    holder[key] = value
    if len(holder) > ITEMS:
        raise JavaException(f"a map of more than {ITEMS} keys")
    return old


def _checked(items: list[Any], place: int, *, last: int) -> int:
    if not 0 <= place < last:
        raise JavaException(f"IndexOutOfBoundsException: index {place}, size {len(items)}")
    return place


def item(items: list[Any], place: int) -> Any:
    """The item of a list. Raises: JavaException."""
    return items[_checked(items, place, last=len(items))]


def set_item(items: list[Any], place: int, *, value: Any) -> Any:
    """Replace an item; gives the old one."""
    old = item(items, place)
    items[place] = value
    return old


def _set_item(items: list[Any], place: int, value: Any) -> Any:
    return set_item(items, place, value=value)


def _add(items: list[Any], value: Any) -> bool:
    items.append(value)
    if len(items) > ITEMS:
        raise JavaException(f"a list of more than {ITEMS} items")
    return True


def _insert(items: list[Any], place: int, value: Any) -> str:
    items.insert(_checked(items, place, last=len(items) + 1), value)
    return ""


def _add_all(items: list[Any], others: list[Any] | None) -> bool:
    if others is None:
        raise JavaException("NullPointerException: an argument is null")
    if len(items) + len(others) > ITEMS:
        raise JavaException(f"a list of more than {ITEMS} items")
    took(len(others))
    items.extend(list(others))
    return bool(others)


def _remove_at(items: list[Any], place: int) -> Any:
    return items.pop(_checked(items, place, last=len(items)))


def _remove(items: list[Any], value: Any) -> bool:
    place = _index_of(items, value)
    if place >= 0:
        del items[place]
    return place >= 0


def _index_of(items: list[Any], value: Any, by: Comparison | None = None) -> int:
    by = by or Comparison()
    return next((place for place, each in enumerate(items) if by.same(value, each)), -1)


def _last_index_of(items: list[Any], value: Any) -> int:
    by = Comparison()
    places = range(len(items) - 1, -1, -1)
    return next((place for place in places if by.same(value, items[place])), -1)


def _sub_list(items: list[Any], start: int, end: int) -> JavaList:
    if not 0 <= start <= end <= len(items):
        raise JavaException(f"IndexOutOfBoundsException: {start} to {end}, size {len(items)}")
    return _copied(items[start:end])


def _copied(items: list[Any]) -> JavaList:
    took(len(items))
    return JavaList(items)


def _view(items: Iterable[Any], holder: dict[Any, Any]) -> JavaView:
    took(len(holder))
    return JavaView(items, source=holder)


def _clear(holder: Any) -> str:
    holder.clear()
    return ""


def _sort(items: list[Any], _: None) -> str:
    """In their natural order, which only values of one class have."""
    if len(items) < 2:
        return ""
    if any(each is None for each in items):
        raise JavaException("NullPointerException: an item is null")
    names = {class_name(each) for each in items}
    if len(names) > 1 or not isinstance(items[0], str | int | float | Decimal):
        raise JavaException(f"ClassCastException: {' and '.join(sorted(names))} have no order")
    items.sort(key=_order)
    return ""


def _order(value: Any) -> Any:
    """Letters go by their halves, -0.0 before 0.0, NaN last."""
    if isinstance(value, str):
        return value.encode("utf-16-be", "surrogatepass")
    if isinstance(value, float):
        return (math.isnan(value), value, math.copysign(1, value))
    return value


def _contains_all(items: list[Any], others: list[Any]) -> bool:
    by = Comparison()
    return all(_index_of(items, each, by) >= 0 for each in others or [])


def _keep(items: list[Any], others: list[Any] | None, *, is_in: bool) -> bool:
    """Keep the items that are among others, or those that aren't; whether any went."""
    if others is None:
        raise JavaException("NullPointerException: an argument is null")
    by = Comparison()
    kept = [each for each in items if (_index_of(others, each, by) >= 0) is is_in]
    is_changed = len(kept) != len(items)
    items[:] = kept
    return is_changed


def _remove_pair(holder: dict[Any, Any], key: Any, value: Any) -> bool:
    found = _contains_key(holder, key) and same(lookup(holder, key), value)
    if found:
        del holder[key]
    return found


def _replace_pair(holder: dict[Any, Any], key: Any, old: Any, new: Any) -> bool:
    found = _contains_key(holder, key) and same(old, lookup(holder, key))
    if found:
        put(holder, key, value=new)
    return found


def _clear_view(view: JavaView) -> str:
    view.source.clear()
    view.clear()
    return ""


def _put_all(holder: dict[Any, Any], other: dict[Any, Any] | None) -> str:
    if other is None:
        raise JavaException("NullPointerException: an argument is null")
    took(len(other))
    for key, value in list(other.items()):
        put(holder, key, value=value)
    return ""


def _contains_key(holder: dict[Any, Any], key: Any) -> bool:
    if isinstance(key, list | dict | Entry):
        return False
    if isinstance(key, bool | float | int):
        return _has_exactly(holder, key)
    return key in holder or lookup(holder, key) is not None


def _get_or_default(holder: dict[Any, Any], key: Any, default: Any) -> Any:
    return lookup(holder, key) if _contains_key(holder, key) else default


def _put_if_absent(holder: dict[Any, Any], key: Any, value: Any) -> Any:
    old = lookup(holder, key)
    if old is None:
        put(holder, key, value=value)
    return old


def _replace(holder: dict[Any, Any], key: Any, value: Any) -> Any:
    return put(holder, key, value=value) if _contains_key(holder, key) else None


def _unsupported() -> Any:
    raise JavaException("UnsupportedOperationException: this can't be changed")


def _remove_from_map(view: JavaView, value: Any) -> bool:
    """Remove from a view what it shows, and so from its map."""
    place = _index_of(view, value)
    if place >= 0:
        del view[place]
        del view.source[list(view.source)[place]]
    return place >= 0


def _set_value(entry: Entry, value: Any) -> Any:
    return put(entry.map, entry.key, value=value)


COLLECTION: Final[Table] = table(
    {
        "size()": len,
        "isEmpty()": lambda items: not items,
        "contains(O)": lambda items, value: _index_of(items, value) >= 0,
        "containsAll(C)": _contains_all,
        "iterator()": lambda items: Cursor(watched(items)),
        "toArray()": _copied,
        "equals(O)": same,
    },
    OBJECT,
)
VIEW: Final[Table] = table(
    {
        "add(O)": lambda *_: _unsupported(),
        "addAll(C)": lambda *_: _unsupported(),
        "remove(O)": _remove_from_map,
        "clear()": _clear_view,
    },
    COLLECTION,
)
ARRAY: Final[Table] = table(
    {
        "get(I)": item,
        "set(IO)": _set_item,
        "indexOf(O)": _index_of,
        "lastIndexOf(O)": _last_index_of,
        "subList(II)": _sub_list,
        "add(O)": lambda *_: _unsupported(),
        "add(IO)": lambda *_: _unsupported(),
        "remove(I)": lambda *_: _unsupported(),
    },
    COLLECTION,
)
LIST: Final[Table] = table(
    {
        "get(I)": item,
        "set(IO)": _set_item,
        "add(O)": _add,
        "add(IO)": _insert,
        "addAll(C)": _add_all,
        "removeAll(C)": lambda items, others: _keep(items, others, is_in=False),
        "retainAll(C)": lambda items, others: _keep(items, others, is_in=True),
        "remove(I)": _remove_at,
        "remove(O)": _remove,
        "indexOf(O)": _index_of,
        "lastIndexOf(O)": _last_index_of,
        "subList(II)": _sub_list,
        "sort(n)": _sort,
        "clear()": _clear,
    },
    COLLECTION,
)
MAP: Final[Table] = table(
    {
        "size()": len,
        "isEmpty()": lambda holder: not holder,
        "get(O)": lookup,
        "put(OO)": lambda holder, key, value: put(holder, key, value=value),
        "putAll(M)": _put_all,
        "putIfAbsent(OO)": _put_if_absent,
        "replace(OO)": _replace,
        "replace(OOO)": _replace_pair,
        "remove(O)": lambda holder, key: (
            holder.pop(key, None) if _contains_key(holder, key) else None
        ),
        "remove(OO)": _remove_pair,
        "containsKey(O)": _contains_key,
        "containsValue(O)": lambda holder, value: _index_of(list(holder.values()), value) >= 0,
        "keySet()": lambda holder: _view(holder, holder),
        "values()": lambda holder: _view(holder.values(), holder),
        "entrySet()": lambda holder: _view([Entry(holder, key) for key in holder], holder),
        "getOrDefault(OO)": _get_or_default,
        "clear()": _clear,
        "equals(O)": same,
    },
    OBJECT,
)
ENTRY: Final[Table] = table(
    {
        "getKey()": lambda entry: entry.key,
        "getValue()": lambda entry: entry.value,
        "setValue(O)": _set_value,
        "equals(O)": same,
    },
    OBJECT,
)
CURSOR: Final[Table] = table({"hasNext()": Cursor.has_next, "next()": Cursor.next}, OBJECT)
CHANGING: Final = frozenset(
    {"put", "putAll", "putIfAbsent", "replace", "set", "setValue", "add", "addAll", "remove"}
    | {"clear", "removeAll", "retainAll", "sort"}
)  # every method that changes a list or a map
