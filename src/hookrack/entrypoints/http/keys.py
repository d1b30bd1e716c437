"""GET /v1/keys/{key}: the newest live entry under a webhook key, now or when there is one."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from hookrack.app import App
from hookrack.entrypoints.http.exchange import (
    JSON,
    Header,
    Receive,
    Scope,
    Send,
    answer,
    header,
)
from hookrack.entrypoints.http.parking import Parked
from hookrack.errors import Code, Rejected
from hookrack.model import Entry, encode_entry
from hookrack.pipeline import check_key, read
from hookrack.pulling import LONGEST_WAIT, newer
from hookrack.readers import Watch

PREFIX: Final = "/v1/keys/"
_FLAGS: Final = {"": True, "true": True, "1": True, "false": False, "0": False}
# Bytes from strangers: nobody may guess what they are, or keep them past their time.
_GUARDS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"private, no-cache"),
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the query asks for."""

    raw: bool = False
    wait: timedelta | None = None


_PLAIN: Final = _Asked()


def is_get_by_key(path: str, method: str) -> bool:
    """Whether this is the hot call; the others below the same address are the framework's."""
    return method in ("GET", "HEAD") and path.startswith(PREFIX) and "/" not in path[len(PREFIX) :]


async def get_key(app: App, scope: Scope, _receive: Receive, send: Send) -> Parked | None:
    """Answer one get, or begin to wait. Raises: Rejected, Unavailable."""
    key = scope["path"][len(PREFIX) :]
    account = _account(app, scope)
    asked = _asked(scope["query_string"]) if scope["query_string"] else _PLAIN
    if asked.wait:
        check_key(key)
        most = app.most_waiting(account)
        watch = await app.arrivals.watch(account, key, wait=asked.wait, most=most)
        return await _Newest(app, scope, send, watch=watch, raw=asked.raw).begin()
    await _tell(scope, send, await read(account, key, app.store), raw=asked.raw)
    return None


class _Newest(Parked):
    """A get that waits for an entry that the reader doesn't have."""

    __slots__ = ("_app", "_raw")

    def __init__(self, app: App, scope: Scope, send: Send, *, watch: Watch, raw: bool) -> None:
        super().__init__(scope, send, watch=watch)
        self._app = app
        self._raw = raw

    async def look(self, *, last: bool) -> bool:
        """See `Parked`; a token may have ended meanwhile. Raises: Rejected, Unavailable."""
        store, key = self._app.store, self.scope["path"][len(PREFIX) :]
        account = _account(self._app, self.scope)
        if last:
            entry = await read(account, key, store)
        else:
            known = partial(_is_known, header(self.scope, b"if-none-match"))
            found = await newer(account, key, store=store, known=known)
            if found is None:
                return False
            entry = found
        await _tell(self.scope, self.send, entry, raw=self._raw)
        return True


async def _tell(scope: Scope, send: Send, entry: Entry, *, raw: bool) -> None:
    tag: Header = (b"etag", b'"%b"' % entry.event_id.encode())
    if _is_known(header(scope, b"if-none-match"), entry.event_id):
        await answer(send, 304, (tag, *_GUARDS), b"")
    elif raw:
        content_type = (b"content-type", entry.content_type.encode("latin-1"))
        await answer(send, 200, (content_type, tag, *_GUARDS), entry.data)
    else:
        await answer(send, 200, (JSON, tag, *_GUARDS), encode_entry(entry))


def _account(app: App, scope: Scope) -> str:
    """Raises: Rejected."""
    return app.tokens.authorize(header(scope, b"authorization"), header(scope, b"hookrack-account"))


def _asked(query: bytes) -> _Asked:
    """Raises: Rejected (`QUERY_INVALID`)."""
    raw, wait = False, None
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name == "wait":
            wait = parse_wait(value)
        elif name == "raw" and value.lower() in _FLAGS:
            raw = _FLAGS[value.lower()]
        else:
            words = "Known here are raw, with true or false, and wait."
            raise Rejected(Code.QUERY_INVALID, words)
    return _Asked(raw, wait)


def parse_wait(value: str) -> timedelta:
    """Whole seconds to wait. Raises: Rejected (`QUERY_INVALID`)."""
    longest = int(LONGEST_WAIT.total_seconds())
    if not value.isascii() or not value.isdigit() or len(value) > 2 or int(value) > longest:
        raise Rejected(Code.QUERY_INVALID, f"wait is 0 to {longest}, in whole seconds.")
    return timedelta(seconds=int(value))


def _is_known(if_none_match: str | None, event_id: str) -> bool:
    """Whether the client has this entry already (weak comparison, RFC 9110 section 13.1.2).

    The tag is the event's id, so the bare id is understood as well.
    """
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return any(tag in {"*", event_id, f'"{event_id}"'} for tag in tags)
