"""The client's calls as steps: what is asked, how answers are read, how a reader goes on.

Here stands every decision of the client, once for both of its shells.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from hookrack.client import calls
from hookrack.client.entries import (
    Entry,
    LeasedEntry,
    Life,
    Page,
    read_entry,
    read_leased,
    read_life,
    read_many,
    read_page,
    read_written,
)
from hookrack.client.errors import ApiError, ServerFault, Unready, read_error
from hookrack.client.sse import Event, Events
from hookrack.client.steps import (
    Answer,
    Call,
    Failed,
    Give,
    Open,
    Pause,
    Read,
    Retries,
    Work,
    asked,
    may_repeat,
)
from hookrack.errors import Code
from hookrack.model import JSON_TYPE

OnCut = Callable[[ApiError], None]  # told why a line was cut, before it is connected again
_GET: Final = frozenset({200, 304, 404})
_NO_STREAMS: Final = frozenset({Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.INTERNAL})
_GONE_QUIET: Final = frozenset({408, 429, 502, 503, 504})  # a stream goes on after these


def get(
    key: str, *, wait: float, newer_than: Entry | str | None, retries: Retries
) -> Work[Entry | None]:
    """The newest entry, waited for in as many calls as that takes; None where there is none."""
    known = newer_than.event_id if isinstance(newer_than, Entry) else newer_than
    while True:
        part = min(wait, calls.LONGEST_WAIT)
        call = calls.get(key, wait=part, known=known)
        answer = yield from asked(call, retries, fine=_GET)
        if answer.status == 200:
            return read_entry(answer.body)
        if answer.status == 404 and answer.error.code is not Code.NO_EVENT:
            raise answer.error
        wait -= max(part, 1.0)
        if wait < 1.0:
            return None


def get_many(keys: Sequence[str], *, retries: Retries) -> Work[dict[str, Entry | None]]:
    """The newest entry or None of each key, in the order asked, in as few calls as it takes."""
    found: dict[str, Entry | None] = {}
    left = list(dict.fromkeys(keys))
    while left:
        asked_for, left = left[: calls.MOST_KEYS], left[calls.MOST_KEYS :]
        answer = yield from asked(calls.get_many(asked_for), retries)
        entries, omitted = read_many(answer.body)
        found |= entries
        left = [*(key for key in omitted if key not in entries), *left]
        if not entries:
            raise ServerFault(Code.INTERNAL, "The answer holds none of the keys.")
    return {key: found.get(key) for key in keys}


def set_one(
    key: str,
    data: Any,  # noqa: ANN401 - whatever JSON holds
    *,
    ttl: calls.Ttl | None,
    content_type: str,
    id: str | None,  # noqa: A002 - the API's word
    retries: Retries,
) -> Work[Entry]:
    """Set one key; with an `id` it may be made twice."""
    body = calls.payload(data, content_type)
    if id is not None:
        if content_type != JSON_TYPE:
            raise ValueError(f"an id goes with data of type {JSON_TYPE} only")
        return (yield from set_many([key], body, ttl=ttl, id=id, retries=retries))[0]
    call = calls.put(key, body, ttl=ttl, content_type=content_type)
    answer = yield from asked(call, retries)
    return read_entry(answer.body, data=body)


def set_many(
    keys: Sequence[str],
    data: Any,  # noqa: ANN401 - whatever JSON holds
    *,
    ttl: calls.Ttl | None,
    id: str | None,  # noqa: A002 - the API's word
    retries: Retries,
) -> Work[tuple[Entry, ...]]:
    """Set keys to one payload, all or none."""
    body = calls.payload(data, JSON_TYPE)
    answer = yield from asked(calls.set_many(keys, body, ttl=ttl, id=id), retries)
    return read_written(answer.body, data=body)


def page(call: Call, *, retries: Retries) -> Work[Page]:
    """One page of history."""
    return read_page((yield from asked(call, retries)).body)


def history(
    key: str, *, after: str | None, since: datetime | None, limit: int, retries: Retries
) -> Work[None]:
    """Give what is under a key now, oldest first, page after page."""
    while True:
        call = calls.page(key, after=after, since=since, limit=limit)
        found = yield from page(call, retries=retries)
        for entry in found:
            yield Give(entry)
        if not found.more:
            return
        after = found.cursor


def life(event_id: str, *, retries: Retries) -> Work[Life]:
    """Where an event is."""
    return read_life((yield from asked(calls.life(event_id), retries)).body)


def purge(key: str, event_id: str | None, *, retries: Retries) -> Work[int]:
    """Purge; how many entries."""
    return _number((yield from asked(calls.purge(key, event_id), retries)).body, "purged")


def lease(call: Call, *, retries: Retries) -> Work[tuple[LeasedEntry, ...]]:
    """Lease entries."""
    return read_leased((yield from asked(call, retries)).body)


def settle(call: Call, *, retries: Retries) -> Work[list[str]]:
    """Ack, release or extend; the receipts that don't count any more."""
    results = _json((yield from asked(call, retries)).body).get("results", ())
    return [each["receipt"] for each in results if each["status"] == "stale"]


class _Follower:
    """Where a reader that follows a key is, and how often in a row it was cut off."""

    def __init__(
        self, key: str, after: str | None, *, since: datetime | None, on_cut: OnCut | None
    ) -> None:
        self.key = key
        self.on_cut = on_cut
        self.after = after
        self.since = since
        self.cuts = 0
        self.connected = False

    def again(self, error: ApiError, *, retries: Retries) -> Work[None]:
        """Wait to connect again. Raises: the error, where we never were or the server says so."""
        self.cuts += 1
        if not self.connected and self.cuts >= retries.calls:
            raise error
        if (error.retry_after or 0.0) > retries.patience:
            raise error
        if self.cuts == 1 and self.on_cut is not None:
            self.on_cut(error)
        yield Pause(retries.wait(self.cuts, error.retry_after))

    def entry(self, event: Event) -> Entry:
        """The entry of an event. Raises: ApiError where it is the server's last word."""
        if event.name:
            raise _last_word(event.data)
        entry = read_entry(event.data)
        self.after, self.cuts = event.id or entry.cursor, 0
        return entry


def follow(
    key: str,
    *,
    after: str | None,
    since: datetime | None,
    streams: bool,
    on_cut: OnCut | None,
    retries: Retries,
) -> Work[None]:
    """Give entries as they come, without end; each once, however often the line is cut.

    Where the server has no streams, pages are waited for instead.
    """
    reader = _Follower(key, after, since=since, on_cut=on_cut)
    while streams:
        call = calls.stream(key, after=reader.after, since=reader.since)
        opened: Answer | Failed = yield Open(call)
        if isinstance(opened, Answer) and opened.status == 200:
            reader.connected = True
            yield from _streamed(reader, retries=retries)
        elif isinstance(opened, Answer) and _has_no_streams(opened):
            streams = False
        elif may_repeat(call, opened, retries=retries):
            yield from reader.again(opened.error, retries=retries)
        else:
            raise opened.error
    yield from _paged(reader, retries=retries)


def _streamed(reader: _Follower, *, retries: Retries) -> Work[None]:
    """Give what comes until the line is cut."""
    events = Events()
    while True:
        piece: bytes | Failed | None = yield Read()
        if piece is None or isinstance(piece, Failed):
            cut = piece or Failed("The server ended the stream.")
            yield from reader.again(cut.error, retries=retries)
            return
        for event in events.feed(piece):
            try:
                entry = reader.entry(event)
            except ApiError as exc:
                if exc.status not in _GONE_QUIET:
                    raise
                yield from reader.again(exc, retries=retries)
                return
            yield Give(entry)


def _paged(reader: _Follower, *, retries: Retries) -> Work[None]:
    """Give what comes, page after page; each is waited for."""
    while True:
        call = calls.page(
            reader.key, after=reader.after, since=reader.since, wait=calls.LONGEST_WAIT
        )
        try:
            found = yield from page(call, retries=retries)
        except Unready as exc:
            yield from reader.again(exc, retries=retries)
            continue
        reader.connected, reader.cuts, reader.after = True, 0, found.cursor
        for entry in found:
            yield Give(entry)


def _has_no_streams(answer: Answer) -> bool:
    """An address that isn't there, or 501: nothing that is wrong with key or token."""
    return answer.status in (404, 405, 501) and answer.error.code in _NO_STREAMS


def _last_word(problem: bytes) -> ApiError:
    found = _json(problem)
    status = found.get("status")
    return read_error(status if isinstance(status, int) else 500, problem, headers={})


def _number(body: bytes, name: str) -> int:
    found = _json(body).get(name)
    return found if isinstance(found, int) else 0


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise ServerFault(Code.INTERNAL, "The answer is not JSON.") from exc
    return found if isinstance(found, dict) else {}
