"""`$input`, `$util`, `$foreach`: the objects that API Gateway hands to a template."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus, unquote_to_bytes

from hookrack.edge.mapping.budget import tick, took
from hookrack.edge.mapping.faults import BodyFault, JavaException
from hookrack.edge.mapping.jsonpath import Path, PathInvalid, compile_path
from hookrack.edge.mapping.jsonsmart import BodyUnreadable, parse
from hookrack.edge.mapping.jsonwrite import TooMuchText, dump
from hookrack.edge.mapping.signatures import Table, table
from hookrack.edge.mapping.texts import OBJECT
from hookrack.edge.mapping.values import TEXT_LIMIT, HeaderMap, Printed, paired, show

# Not recorded on AWS: which of a parameter's several values counts, and JSON null in `$input.json`.
_OF_SEVERAL: Final = -1
_JSON_OF_NOTHING: Final = '""'
_EMPTY_BODY: Final = "{}"
_UNREAD: Final = object()

Values = Mapping[str, str | list[str]]


class Input(Printed):
    """`$input`: the request. Nothing of it is read before the template asks.

    `changes` says that the template may change the document, so that parts of it can hold each
    other and what they print has to be bounded piece by piece.
    """

    __slots__ = ("_changes", "_document", "_parameters", "_sources", "body")

    def __init__(
        self, body: str, *, path: Values, query: Values, headers: Values, changes: bool = True
    ) -> None:
        self._changes = changes
        self.body = body or _EMPTY_BODY
        self._sources = (path, query, headers)
        self._document: Any = _UNREAD
        self._parameters: dict[str, Any] | None = None

    def text(self) -> str:
        """What `$input` prints: nothing of use."""
        return ""

    def document(self) -> Any:
        """The body read as JSON, the same one each time. Raises: BodyFault."""
        if self._document is _UNREAD:
            try:
                self._document = parse(self.body)
            except BodyUnreadable as exc:
                raise BodyFault(f"the body can't be read: {exc}") from exc
        return self._document

    def path(self, path: str | None) -> Any:
        """What `$input.path(...)` gives."""
        return self.at(_compiled(path))

    def json(self, path: str | None) -> str:
        """What `$input.json(...)` gives."""
        return self.json_at(_compiled(path))

    def at(self, path: Path) -> Any:
        """What stands at a path of the document."""
        try:
            found = path.find(self.document())
        except PathInvalid as exc:
            raise JavaException(str(exc)) from exc
        if not path.definite and isinstance(found, list):
            took(len(found))
        return found

    def json_at(self, path: Path) -> str:
        """What stands there, as JSON."""
        value = self.at(path)
        if value is None:
            return _JSON_OF_NOTHING
        is_part = not self._changes and path.definite  # no longer than the body
        try:
            return dump(value, limit=None if is_part else TEXT_LIMIT)
        except TooMuchText as exc:
            raise JavaException(f"a value is {exc}") from exc

    def parameter(self, name: str | None) -> str:
        """`$input.params('name')`: of the path, the query string, the headers."""
        parameters = self.parameters()
        for source in ("path", "querystring"):
            if name in parameters[source]:
                return str(parameters[source][name])
        return str(parameters["header"].find(name) or "")

    def parameters(self) -> dict[str, Any]:
        """What `$input.params()` gives."""
        if self._parameters is None:
            path, query, headers = ({k: _one(v) for k, v in each.items()} for each in self._sources)
            self._parameters = {
                "path": path,
                "querystring": query,
                "header": HeaderMap(headers),
            }
        return self._parameters


def _compiled(path: str | None) -> Path:
    if not path:
        raise JavaException("IllegalArgumentException: a path can't be null or empty")
    try:
        return compile_path(path)
    except PathInvalid as exc:
        raise JavaException(str(exc)) from exc


def _one(value: str | list[str]) -> str:
    if isinstance(value, str):
        return value
    return value[_OF_SEVERAL] if value else ""


class Util(Printed):
    """`$util`: it has nothing of its own."""

    __slots__ = ()

    def text(self) -> str:
        """What `$util` prints."""
        return ""


_UNSAFE: Final = re.compile(r"[^ !#-&(-.0-\[\]-\x7f]")
_SHORT: Final = {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    **{letter: "\\" + letter for letter in "\"'/\\"},
}
_PART: Final = 16_384  # letters of a text that are escaped at once
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED: Final = re.compile(r"(?:%..)+")
_NOT_BASE64: Final = re.compile(r"[^A-Za-z0-9+/]")


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    short = _SHORT.get(letter)
    if short is not None:
        return short
    number = ord(letter)
    if number > 0xFFFF:
        number -= 0x10000
        return f"\\u{0xD800 + (number >> 10):04X}\\u{0xDC00 + (number & 0x3FF):04X}"
    return f"\\u{number:04X}"


def escape_javascript(_: Util, value: Any) -> str | None:
    """What `$util.escapeJavaScript(...)` gives."""
    if value is None:
        return None
    return escape_text(value if type(value) is str else show(value))


def escape_text(text: str) -> str:
    """A text as it may stand in JavaScript's quotes, by the rules of commons-lang."""
    if len(text) <= _PART:
        return _UNSAFE.sub(_escaped, text)
    parts: list[str] = []
    for start in range(0, len(text), _PART):
        tick()
        parts.append(_UNSAFE.sub(_escaped, text[start : start + _PART]))
    return "".join(parts)


def _parse_json(_: Util, text: str | None) -> Any:
    try:
        value = parse(_given(text))
    except BodyUnreadable as exc:
        raise JavaException(f"$util.parseJson can't read its text: {exc}") from exc
    tick()
    return value


def _url_encode(_: Util, text: str | None) -> str:
    encoded = paired(_given(text)).encode("utf-8", "replace")
    return quote_plus(encoded, safe="*").replace("~", "%7E")


def _url_decode(_: Util, text: str | None) -> str:
    text = _given(text)
    if _BAD_ESCAPE.search(text):
        raise JavaException("IllegalArgumentException: % without two hexadecimal digits")
    return _ENCODED.sub(_decoded, text.replace("+", " "))


def _decoded(found: re.Match[str]) -> str:
    return unquote_to_bytes(found[0]).decode("utf-8", "replace")


def _base64_encode(_: Util, text: str | None) -> str:
    return base64.b64encode(paired(_given(text)).encode("utf-8", "replace")).decode()


def _base64_decode(_: Util, text: str | None) -> str:
    text = _given(text)
    bare = text.rstrip("=")
    padding = len(text) - len(bare)
    whole = bare + "=" * (-len(bare) % 4)
    if _NOT_BASE64.search(bare) or len(bare) % 4 == 1 or padding not in {0, -len(bare) % 4}:
        raise JavaException("IllegalArgumentException: this is no Base64")
    try:
        return base64.b64decode(whole).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as exc:
        raise JavaException("IllegalArgumentException: this is no Base64") from exc


def _given(text: str | None) -> str:
    if text is None:
        raise JavaException("NullPointerException: an argument is null")
    return text


class Loop(Printed):
    """`$foreach`: where a loop is. What a template puts into it is kept beside."""

    __slots__ = ("extra", "has_next", "index", "parent", "shadowed")

    def __init__(self, shadowed: Any) -> None:
        self.index = -1
        self.has_next = False
        self.shadowed = shadowed
        self.parent = shadowed if type(shadowed) is Loop else None
        self.extra: dict[str, Any] = {}

    def text(self) -> str:
        """A loop prints as the map it is to Java."""
        return show(self.extra)

    def members(self) -> dict[str, Any]:
        """In JSON as well."""
        return self.extra

    def found(self, key: Any) -> Any:
        """What a template put into this loop under a key, or into one around it."""
        loop: Loop | None = self
        while loop is not None and isinstance(key, str):
            if key in loop.extra:
                return loop.extra[key]
            loop = loop.parent
        return None

    def member(self, name: str) -> Any:
        """What `$foreach.name` gives."""
        read = MEMBERS.get(name[:1].lower() + name[1:])
        return read(self) if read is not None else self.found(name)


def _topmost(loop: Loop) -> Loop:
    while loop.parent is not None:
        loop = loop.parent
    return loop


MEMBERS: Final[dict[str, Callable[[Loop], Any]]] = {
    "index": lambda loop: loop.index,
    "count": lambda loop: loop.index + 1,
    "hasNext": lambda loop: loop.has_next,
    "first": lambda loop: loop.index < 1,
    "last": lambda loop: not loop.has_next,
    "parent": lambda loop: loop.parent,
    "topmost": _topmost,
}

INPUT: Final[Table] = table(
    {
        "getBody()": lambda given: given.body,
        "path(S)": Input.path,
        "json(S)": Input.json,
        "params(S)": Input.parameter,
        "params()": Input.parameters,
    },
    OBJECT,
)
UTIL: Final[Table] = table(
    {
        "escapeJavaScript(O)": escape_javascript,
        "parseJson(S)": _parse_json,
        "urlEncode(S)": _url_encode,
        "urlDecode(S)": _url_decode,
        "base64Encode(S)": _base64_encode,
        "base64Decode(S)": _base64_decode,
    },
    OBJECT,
)
LOOP: Final[Table] = table(
    {
        "getIndex()": MEMBERS["index"],
        "getCount()": MEMBERS["count"],
        "hasNext()": MEMBERS["hasNext"],
        "getHasNext()": MEMBERS["hasNext"],
        "isFirst()": MEMBERS["first"],
        "getFirst()": MEMBERS["first"],
        "isLast()": MEMBERS["last"],
        "getLast()": MEMBERS["last"],
        "getParent()": MEMBERS["parent"],
        "getTopmost()": MEMBERS["topmost"],
        "get(O)": lambda loop, key: loop.found(key),
    },
    OBJECT,
)
