"""Every route of the product, and who may call it: what the outside contract says, as data.

A route that the application has and this table lacks fails a test.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hookrack.entrypoints.http import asgi
from hookrack.entrypoints.http.api import describe_api
from hookrack.tokens import Scope

Operation = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call goes: what stands in its address, its header and its body."""

    account: str
    key: str
    event: str
    flow: str
    token: str
    letter: str
    rejection: str

    def fill(self, value: Any) -> Any:
        """A value with these for its `<account>`, `<key>` ..."""
        match value:
            case str():
                for name in self.__slots__:
                    value = value.replace(f"<{name}>", getattr(self, name))
                return value
            case dict():
                return {name: self.fill(each) for name, each in value.items()}
            case list():
                return [self.fill(each) for each in value]
        return value

    def hide(self, text: str) -> str:
        """A text without these, as two answers can be compared."""
        for name in self.__slots__:
            text = text.replace(getattr(self, name), f"<{name}>")
        return text


@dataclass(frozen=True, slots=True)
class Row:
    """A route: the scope that it takes (None: open to all) and what a good call answers.

    `names` is how a call can name an account: in the header, in its path, query or body, or not
    at all. `things` says that it names something by an id, which may be a foreign one.
    """

    method: str
    path: str
    scope: Scope | None
    good: int
    names: str = "header"
    things: bool = False
    query: dict[str, str] = field(default_factory=dict)
    json: Any = None
    shows: bool = False  # data of the account that it is for

    @property
    def operation(self) -> Operation:
        """Method and path, as the application has them."""
        return self.method, self.path

    @property
    def address(self) -> str:
        """The path with our names for what stands in it."""
        renamed = {"event_id": "event", "token_id": "token"}
        if self.path.startswith("/v1/dead-letters"):
            renamed["event_id"] = "letter"
        if self.path.startswith("/v1/rejections"):
            renamed["event_id"] = "rejection"
        path = self.path.replace("{group}", "default")
        for theirs, ours in renamed.items():
            path = path.replace(f"{{{theirs}}}", f"<{ours}>")
        return path.replace("{", "<").replace("}", ">")


_FLOW: Final = {"keys": ["k"], "auth": {"type": "none"}}
_TOKEN: Final = {"name": "made", "accounts": ["<account>"], "scopes": ["read"]}
_ONE: Final = {"account": "<account>"}
TABLE: Final = (
    Row("GET", "/v1/keys/{key}", "read", 200, shows=True),
    Row("HEAD", "/v1/keys/{key}", "read", 200),
    Row("PUT", "/v1/keys/{key}", "write", 201, json={"n": 1}),
    Row("POST", "/v1/set", "write", 201, json={"keys": ["<key>"], "data": 1}),
    Row("POST", "/v1/get", "read", 200, json={"keys": ["<key>"]}, shows=True),
    Row("GET", "/v1/keys/{key}/events", "read", 200, shows=True),
    Row("DELETE", "/v1/keys/{key}/events/{event_id}", "write", 200, things=True),
    Row("DELETE", "/v1/keys/{key}/events", "write", 200),
    Row("GET", "/v1/keys/{key}/stream", "read", 200, shows=True),
    Row("POST", "/v1/keys/{key}/lease", "ack", 200, json={"leaseSeconds": 1}),
    Row("POST", "/v1/keys/{key}/ack", "ack", 200, json={"receipts": ["r"]}),
    Row("POST", "/v1/keys/{key}/release", "ack", 200, json={"receipts": ["r"]}),
    Row("POST", "/v1/keys/{key}/extend", "ack", 200, json={"receipts": ["r"]}),
    Row("GET", "/v1/keys/{key}/groups", "read", 200),
    Row("GET", "/v1/keys/{key}/groups/{group}/dead-letters", "read", 200),
    Row("POST", "/v1/keys/{key}/groups/{group}/dead-letters/redrive", "ack", 200, json={}),
    Row("GET", "/v1/events/{event_id}", "read", 200, things=True),
    Row("GET", "/v1/accounts", "admin", 200, "nothing", shows=True),
    Row("GET", "/v1/accounts/{account}", "admin", 200, "address", shows=True),
    Row("PUT", "/v1/accounts/{account}", "admin", 200, "address", json={"ttl": "2h"}),
    Row("DELETE", "/v1/accounts/{account}", "admin", 200, "address"),
    Row("GET", "/v1/accounts/{account}/flows", "admin", 200, "address", shows=True),
    Row("GET", "/v1/accounts/{account}/flows/{flow}", "admin", 200, "address", shows=True),
    Row("PUT", "/v1/accounts/{account}/flows/{flow}", "admin", 200, "address", json=_FLOW),
    Row("DELETE", "/v1/accounts/{account}/flows/{flow}", "admin", 204, "address"),
    Row("POST", "/v1/tokens", "admin", 201, "body", json=_TOKEN),
    Row("GET", "/v1/tokens", "admin", 200, "nothing", shows=True),
    Row("DELETE", "/v1/tokens/{token_id}", "admin", 204, "nothing", things=True),
    Row("GET", "/v1/dead-letters", "admin", 200, "query", query=_ONE, shows=True),
    Row("GET", "/v1/dead-letters/{event_id}", "admin", 200, "nothing", things=True, shows=True),
    Row("POST", "/v1/dead-letters/redrive", "admin", 200, "body", json=_ONE),
    Row("DELETE", "/v1/dead-letters", "admin", 200, "query", query=_ONE),
    Row("GET", "/v1/rejections", "admin", 200, "query", query=_ONE),
    Row("GET", "/v1/rejections/{event_id}", "admin", 200, "nothing", things=True, shows=True),
    Row("POST", "/v1/rejections/replay", "admin", 200, "body", json=_ONE),
    Row("POST", "/v1/template/render", "admin", 200, "nothing", json={"template": "x"}),
    Row("POST", "/in/{account}/{flow}", None, 401, "address", json={}),
    Row("GET", "/openapi.json", None, 200, "nothing"),
    Row("HEAD", "/openapi.json", None, 200, "nothing"),
    Row("GET", "/docs", None, 200, "nothing"),
    Row("GET", "/livez", None, 200, "nothing"),
    Row("GET", "/readyz", None, 200, "nothing"),
    Row("GET", "/metrics", None, 200, "nothing"),
)
# How the front door sorts paths before the framework sees them; each leads to rows above.
SORTED: Final = {
    *("/", "/in/", "/in/{account}/{flow}", "/v1", "/v1/", "/v1/keys/{key}", "/v1/keys/{key}/"),
    *("/docs", "/openapi.json", "/livez", "/readyz", "/metrics"),
}


def served_operations() -> set[Operation]:
    """The routes of the framework: its own table, and what it tells the world."""
    api = describe_api()
    told = {
        (method.upper(), path) for path, calls in api.openapi()["paths"].items() for method in calls
    }
    return told | set(_walk(api.routes))


def _walk(routes: Iterable[Any]) -> Iterator[Operation]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _walk(inner.routes)
        else:
            yield from ((method, route.path) for method in route.methods)


def sorted_paths() -> set[str]:
    """Every path that the front door itself knows, read from its source."""
    tree = ast.parse(Path(asgi.__file__).read_text())
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("/")
    }
