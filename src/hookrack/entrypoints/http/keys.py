"""GET /v1/keys/{key}: the newest live entry under a webhook key."""

from typing import Final
from urllib.parse import parse_qsl

from hookrack.app import App
from hookrack.entrypoints.http.exchange import JSON, Header, Receive, Scope, Send, answer, header
from hookrack.errors import Code, Rejected
from hookrack.model import encode_entry
from hookrack.pipeline import read

PREFIX: Final = "/v1/keys/"
_FLAGS: Final = {"": True, "true": True, "1": True, "false": False, "0": False}
# Bytes from strangers: nobody may guess what they are, or keep them past their time.
_GUARDS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"private, no-cache"),
)


def is_get_by_key(path: str, method: str) -> bool:
    """Whether this is the hot call; the others below the same address are the framework's."""
    return method in ("GET", "HEAD") and path.startswith(PREFIX) and "/" not in path[len(PREFIX) :]


async def get_key(app: App, scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer one get. Raises: Rejected, Unavailable."""
    key = scope["path"][len(PREFIX) :]
    account = app.tokens.authorize(
        header(scope, b"authorization"), header(scope, b"hookrack-account")
    )
    raw = _raw_wanted(scope["query_string"])
    entry = await read(account, key, app.store)
    tag: Header = (b"etag", b'"%b"' % entry.event_id.encode())
    if _is_known(header(scope, b"if-none-match"), entry.event_id):
        await answer(send, 304, (tag, *_GUARDS), b"")
    elif raw:
        content_type = (b"content-type", entry.content_type.encode("latin-1"))
        await answer(send, 200, (content_type, tag, *_GUARDS), entry.data)
    else:
        await answer(send, 200, (JSON, tag, *_GUARDS), encode_entry(entry))


def _raw_wanted(query: bytes) -> bool:
    """Whether ?raw is asked for. Raises: Rejected (`QUERY_INVALID`, `NOT_YET`)."""
    if not query:
        return False
    raw = False
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name == "wait":
            raise Rejected(Code.NOT_YET, "Waiting for an entry comes with a later version.")
        if name != "raw" or value.lower() not in _FLAGS:
            raise Rejected(Code.QUERY_INVALID, "Known here is raw, with true or false.")
        raw = _FLAGS[value.lower()]
    return raw


def _is_known(if_none_match: str | None, event_id: str) -> bool:
    """Whether the client has this entry already (weak comparison, RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or f'"{event_id}"' in tags
