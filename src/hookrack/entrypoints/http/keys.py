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
    tell_when_gone,
)
from hookrack.errors import Code, Rejected
from hookrack.model import encode_entry
from hookrack.pipeline import check_key, read
from hookrack.pulling import LONGEST_WAIT, newest

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


async def get_key(app: App, scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer one get. Raises: Rejected, Unavailable."""
    key = scope["path"][len(PREFIX) :]
    account = _account(app, scope)
    asked = _asked(scope["query_string"]) if scope["query_string"] else _PLAIN
    entry = None
    if asked.wait:
        check_key(key)
        watch = await app.arrivals.watch(account, key, wait=asked.wait)
        tell_when_gone(scope, watch.stop)
        known = partial(_is_known, header(scope, b"if-none-match"))
        try:
            entry = await newest(account, key, store=app.store, watch=watch, known=known)
        finally:
            watch.close()
            tell_when_gone(scope, None)
        account = _account(app, scope)  # the token may have ended meanwhile
    if entry is None:
        entry = await read(account, key, app.store)
    tag: Header = (b"etag", b'"%b"' % entry.event_id.encode())
    if _is_known(header(scope, b"if-none-match"), entry.event_id):
        await answer(send, 304, (tag, *_GUARDS), b"")
    elif asked.raw:
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
