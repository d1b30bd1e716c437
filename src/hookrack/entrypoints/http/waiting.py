"""Answers that wait: pages of history, leases, and streams of server-sent events.

Each is what is left of a call once it was checked: plain ASGI, and small, because thousands of them
wait at the same time. A token that ends meanwhile ends the wait.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Final

import orjson

from hookrack import pipeline, pulling
from hookrack.app import App
from hookrack.entries import Page
from hookrack.entrypoints.http.exchange import (
    JSON,
    PEER,
    Peer,
    Scope,
    Send,
    answer,
    tell_when_gone,
)
from hookrack.entrypoints.http.parking import Parked
from hookrack.entrypoints.http.problems import problem
from hookrack.errors import Code, CodedError, Rejected
from hookrack.model import encode_entry, format_time
from hookrack.readers import Batch, Leased, Watch, Wish
from hookrack.telemetry import emit, log

COMMENT_EVERY: Final = timedelta(seconds=12)  # 15 are promised
UNREAD: Final = timedelta(seconds=10)  # that a stream may stand still because nobody reads
STREAM_BYTES: Final = 256 * 1024  # of data written at once, beside what is on its way
STREAM_ENTRIES: Final = 100
_GOODBYE_SECONDS: Final = 1.0
_format_end: Final = lru_cache(maxsize=64)(format_time)  # all entries of a lease share theirs
_EVENTS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """Whose call it is, of which key; `authorize` raises once the token has ended."""

    app: App
    account: str
    key: str
    authorize: Callable[[], object]

    async def begin(self, wait: timedelta | None, *, leases: bool = False) -> Watch:
        """Watch the key for so long, if the account may have one reader more."""
        most = self.app.most_waiting(self.account)
        return await self.app.arrivals.watch(
            self.account, self.key, wait=wait, leases=leases, most=most
        )

    @asynccontextmanager
    async def watch(self, scope: Scope) -> AsyncIterator[Watch]:
        """Watch the key as long as the client is there."""
        watch = await self.begin(None)
        tell_when_gone(scope, watch.stop)
        try:
            yield watch
        finally:
            watch.close()
            tell_when_gone(scope, None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the history of a key a reader is."""

    after: str | None = None
    since: int | None = None
    limit: int = pipeline.DEFAULT_PAGE

    async def page(self, reading: Reading, *, max_bytes: int | None = None) -> Page:
        """What follows. Raises: as `pipeline.history`."""
        return await pipeline.history(
            reading.account,
            reading.key,
            store=reading.app.store,
            after=self.after,
            since=self.since,
            limit=self.limit,
            max_bytes=max_bytes or reading.app.read_bytes,
        )


def page_json(page: Page) -> bytes:
    """A page of history as it is answered."""
    entries = b",".join(encode_entry(entry) for entry in page.entries)
    told = orjson.dumps({"cursor": page.cursor, "more": page.more})[1:]
    return b'{"entries":[%b],%b' % (entries, told)


async def wait_for_page(
    scope: Scope, send: Send, *, reading: Reading, place: Place, wait: timedelta
) -> Parked | None:
    """Answer with a page that has entries, or with an empty one at the end of the wait."""
    watch = await reading.begin(wait)
    return await _Page(scope, send, watch=watch, reading=reading, place=place).begin()


class _Page(Parked):
    """A page of history that is waited for."""

    __slots__ = ("_place", "_reading")

    def __init__(
        self, scope: Scope, send: Send, *, watch: Watch, reading: Reading, place: Place
    ) -> None:
        super().__init__(scope, send, watch=watch)
        self._reading = reading
        self._place = place

    async def look(self, *, last: bool) -> bool:
        """See `Parked`."""
        page = await self._place.page(self._reading)
        if not (last or pulling.is_news(page)):
            return False
        self._reading.authorize()
        await answer(self.send, 200, (JSON,), page_json(page))
        return True


async def wait_for_lease(
    scope: Scope, send: Send, *, reading: Reading, wish: Wish, wait: timedelta
) -> Parked | None:
    """Answer with leased entries, or with none at the end of the wait."""
    if wait:
        watch = await reading.begin(wait, leases=True)
        return await _Lease(scope, send, watch=watch, reading=reading, wish=wish).begin()
    await answer(send, 200, (JSON,), leased_json((await _lease(reading, wish)).entries))
    return None


async def _lease(reading: Reading, wish: Wish) -> Batch:
    app = reading.app
    return await pulling.lease(
        *(reading.account, reading.key), leases=app.leases, wish=wish, max_bytes=app.read_bytes
    )


class _Lease(Parked):
    """A lease that waits; what was leased for a client that has left is given back at once."""

    __slots__ = ("_reading", "_wish")

    def __init__(
        self, scope: Scope, send: Send, *, watch: Watch, reading: Reading, wish: Wish
    ) -> None:
        super().__init__(scope, send, watch=watch)
        self._reading = reading
        self._wish = wish

    async def look(self, *, last: bool) -> bool:
        """See `Parked`. Nothing is leased for who has gone, or by a server that stops."""
        over = last and self.watch.over
        batch = Batch(()) if over else await _lease(self._reading, self._wish)
        if not (last or batch.entries):
            self.due = pulling.due(batch)
            return False
        try:
            self._reading.authorize()
            peer: Peer | None = self.scope.get(PEER)
            if peer is not None and peer.is_gone:
                raise Rejected(Code.BODY_INCOMPLETE, "The client went away.")
        except Rejected:
            await self._give_back(batch)
            raise
        await answer(self.send, 200, (JSON,), leased_json(batch.entries))
        return True

    async def _give_back(self, batch: Batch) -> None:
        if batch.entries:
            await pulling.release(
                self._reading.account,
                self._reading.key,
                leases=self._reading.app.leases,
                group=self._wish.group,
                receipts=[each.receipt for each in batch.entries],
                delay=timedelta(0),
            )


def leased_json(entries: tuple[Leased, ...]) -> bytes:
    """Entries with receipt and attempt, as they are answered."""
    return b'{"entries":[%b]}' % b",".join(_leased_json(each) for each in entries)


def _leased_json(leased: Leased) -> bytes:
    told = {
        "receipt": leased.receipt,
        "attempt": leased.attempt,
        "leasedUntil": _format_end(leased.until),
    }
    return b"%b,%b" % (orjson.dumps(told)[:-1], encode_entry(leased.entry)[1:])


async def stream(scope: Scope, send: Send, *, reading: Reading, place: Place) -> None:
    """Entries as server-sent events, from a place on, until somebody ends it.

    Nothing is kept for a reader that is slow but the page that was read last: the rest stays in
    the store. One that takes nothing for `UNREAD` is told so, and the connection closed.
    """
    place = replace(place, limit=STREAM_ENTRIES)
    async with reading.watch(scope) as watch:
        page = await place.page(reading, max_bytes=STREAM_BYTES)  # what is refused is refused now
        events = _Events(send)
        try:
            await events.begin()
            await _follow(events, watch, reading=reading, place=place, page=page)
            await events.end(None)
        except TimeoutError:
            _give_up(scope, reading)
        except CodedError as exc:
            await events.end(exc)


async def _follow(
    events: "_Events", watch: Watch, *, reading: Reading, place: Place, page: Page
) -> None:
    """Page after page, a comment where there is nothing to say.

    Raises: CodedError, TimeoutError.
    """
    while not watch.over:
        reading.authorize()
        await events.page(page)
        place = replace(place, after=page.cursor, since=None)
        if not page.more:
            await watch.wait(COMMENT_EVERY)
            if not watch.woke:
                page = replace(page, entries=())
                continue
        page = await place.page(reading, max_bytes=STREAM_BYTES)


class _Events:
    """The text of a stream; raises TimeoutError where nobody reads it."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def begin(self) -> None:
        """Status and headers, so that the client knows that it is connected."""
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_EVENTS]})
        await self._write(b"retry: 1000\n\n")

    async def page(self, page: Page) -> None:
        """One event for each entry, with its cursor as the id; of nothing, a comment."""
        parts = []
        for entry in page.entries:
            lines = encode_entry(entry).splitlines()
            data = b"\n".join(b"data: " + line for line in lines)
            parts.append(b"id: %b\n%b\n\n" % (entry.cursor.encode(), data))
        await self._write(b"".join(parts) or b":\n\n")

    async def end(self, error: CodedError | None) -> None:
        """The last event says why, unless it is the client's own wish or the server stops."""
        last = b"" if error is None else _closing(error)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._send({"type": "http.response.body", "body": last})

    async def _write(self, text: bytes) -> None:
        async with asyncio.timeout(UNREAD.total_seconds()):
            await self._send({"type": "http.response.body", "body": text, "more_body": True})


def _closing(error: CodedError) -> bytes:
    """The event with which a stream ends for a reason, a problem document."""
    return b"event: closed\ndata: %b\n\n" % problem(error)[2]


def _give_up(scope: Scope, reading: Reading) -> None:
    """Leave a reader that doesn't read, with the reason as the last thing on the connection."""
    words = f"Nothing was read for {UNREAD.total_seconds():.0f} seconds."
    last = _closing(CodedError(Code.READER_TOO_SLOW, words))
    emit(log.STREAM_UNREAD, account=reading.account, key=reading.key)
    peer: Peer | None = scope.get(PEER)
    if peer is not None:
        peer.end_with(b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last))
