"""The client for asyncio: takes the steps of `works`; the docs of each call stand in `blocking`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from hookrack.client import calls, works
from hookrack.client.calls import Ttl
from hookrack.client.entries import Entry, LeasedEntry, Life, Page
from hookrack.client.errors import ApiError
from hookrack.client.held import BEATS, DEFAULT_SECONDS, Held, Terms
from hookrack.client.line import DEFAULT_TIMEOUT, line_options, prepared
from hookrack.client.server import find_address
from hookrack.client.steps import (
    Answer,
    Call,
    Failed,
    Give,
    Open,
    Pause,
    Read,
    Retries,
    Step,
    Work,
    failed,
    sent,
)
from hookrack.client.works import OnCut
from hookrack.model import JSON_TYPE

_Result = TypeVar("_Result")


class AsyncClient:
    """Asks a hookrack server; one client serves many tasks and keeps its connections.

    Without `url` and `token` it asks the server that HOOKRACK_URL and HOOKRACK_TOKEN name, else the
    one that runs on the data directory. With `http` it uses that one, which knows address and
    token. Raises: ConfigError.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        account: str | None = None,
        data_dir: Path | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        retries: Retries | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        if http is None:
            address = find_address(url, token, data_dir=data_dir)
            http = httpx.AsyncClient(**line_options(address, account, timeout=timeout))
        self._http = http
        self._timeout = timeout
        self._retries = retries or Retries()

    async def __aenter__(self) -> Self:
        """Ready."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(
        self, key: str, *, wait: float = 0, newer_than: Entry | str | None = None
    ) -> Entry | None:
        """The newest entry under a key, or None; waits up to `wait` seconds for one.

        With `newer_than`, an entry or an event id, only another one counts. Raises: ApiError.
        """
        return await self._do(
            works.get(key, wait=wait, newer_than=newer_than, retries=self._retries)
        )

    async def get_many(self, keys: Sequence[str]) -> dict[str, Entry | None]:
        """The newest entry, or None, of each key. Raises: ApiError."""
        return await self._do(works.get_many(keys, retries=self._retries))

    async def set(
        self,
        key: str,
        data: Any,  # noqa: ANN401 - whatever JSON holds
        *,
        ttl: Ttl | None = None,
        content_type: str = JSON_TYPE,
        id: str | None = None,  # noqa: A002 - the API's word
    ) -> Entry:
        """Set data under a key: bytes as they are, all else as JSON.

        With an `id` the same call twice stores once, so it is retried. Raises: ApiError.
        """
        return await self._do(
            works.set_one(
                key, data, ttl=ttl, content_type=content_type, id=id, retries=self._retries
            )
        )

    async def set_many(
        self,
        keys: Sequence[str],
        data: Any,  # noqa: ANN401 - whatever JSON holds
        *,
        ttl: Ttl | None = None,
        id: str | None = None,  # noqa: A002 - the API's word
    ) -> tuple[Entry, ...]:
        """Set one payload under up to 1,000 keys, all or none. Raises: ApiError."""
        return await self._do(works.set_many(keys, data, ttl=ttl, id=id, retries=self._retries))

    async def page(
        self,
        key: str,
        *,
        after: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
        wait: float = 0,
    ) -> Page:
        """Entries in storing order behind a cursor, or from a time on. Raises: ApiError."""
        call = calls.page(key, after=after, since=since, limit=limit, wait=wait)
        return await self._do(works.page(call, retries=self._retries))

    def history(
        self,
        key: str,
        *,
        after: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> AsyncGenerator[Entry, None]:
        """All that is under a key now, oldest first, `limit` at a time. Raises: ApiError."""
        work = works.history(key, after=after, since=since, limit=limit, retries=self._retries)
        return self._each(work)

    def follow(
        self,
        key: str,
        *,
        after: str | None = None,
        since: datetime | None = None,
        streams: bool = True,
        on_cut: OnCut | None = None,
    ) -> AsyncGenerator[Entry, None]:
        """What is under a key, and then what comes, without end; each entry once.

        A cut line is connected again behind the last entry; `on_cut` is told why. Raises: ApiError.
        """
        work = works.follow(
            key,
            after=after,
            since=since,
            streams=streams,
            on_cut=on_cut,
            retries=self._retries,
        )
        return self._each(work)

    def lease(
        self,
        key: str,
        *,
        group: str = "default",
        max: int = 1,  # noqa: A002 - the API's word
        seconds: int = DEFAULT_SECONDS,
        wait: float = 0,
        ordered: bool = False,
        max_attempts: int | None = None,
        delay_seconds: int = 0,
    ) -> "AsyncLease":
        """Up to `max` entries that no other reader of the group gets; use it in `async with`.

        Its end acks them, an exception gives them back; until then they are held. See `Terms`.
        """
        return AsyncLease(
            self,
            Terms(
                key=key,
                group=group,
                max=max,
                seconds=seconds,
                wait=wait,
                ordered=ordered,
                max_attempts=max_attempts,
                delay_seconds=delay_seconds,
            ),
        )

    async def purge(self, key: str, event_id: str | None = None) -> int:
        """Take one event, or all, from under a key; how many. Raises: ApiError."""
        return await self._do(works.purge(key, event_id, retries=self._retries))

    async def life(self, event_id: str) -> Life:
        """Where an event is, or what became of it. Raises: ApiError (`EVENT_UNKNOWN`)."""
        return await self._do(works.life(event_id, retries=self._retries))

    async def _do(self, work: Work[_Result]) -> _Result:
        """Take the steps of a call; what it comes to."""
        try:
            step = next(work)
            while True:
                step = work.send(await self._take(step))
        except StopIteration as done:
            result: _Result = done.value
            return result

    async def _take(self, step: Step) -> Answer | Failed | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        assert isinstance(step, Call)  # noqa: S101 - the others are of `_each`
        try:
            return prepared(await self._http.send(self._request(step)))
        except httpx.HTTPError as exc:
            return failed(exc, self._http.base_url)

    def _request(self, call: Call) -> httpx.Request:
        return self._http.build_request(
            call.method,
            call.path,
            params=call.params,
            headers=call.headers,
            content=call.content,
            timeout=self._timeout + call.wait,
        )

    async def _each(self, work: Work[None]) -> AsyncGenerator[Entry, None]:
        """Take steps until there is an item for the caller; the open answer ends with the loop."""
        async with aclosing(_Opened(self._http)) as opened:
            with closing(work):
                step = next(work, None)
                while step is not None:
                    if isinstance(step, Give):
                        yield step.item
                        reply: object = None
                    elif isinstance(step, Open):
                        reply = await opened.open(self._request(step.call))
                    elif isinstance(step, Read):
                        reply = await opened.read()
                    else:
                        reply = await self._take(step)
                    step = sent(work, reply)


class _Opened:
    """An answer that is read piece by piece."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def open(self, request: httpx.Request) -> Answer | Failed:
        """Another one, instead of the last."""
        await self.aclose()
        try:
            self._response = await self._http.send(request, stream=True)
            self._pieces = self._response.aiter_bytes()
            if self._response.status_code != 200:
                await self._response.aread()
                return prepared(self._response)
        except httpx.HTTPError as exc:
            return failed(exc, self._http.base_url)
        return Answer(200, self._response.headers, b"")

    async def read(self) -> bytes | Failed | None:
        """What comes next; None at the end."""
        assert self._pieces is not None  # noqa: S101 - opened before it is read
        try:
            return await anext(self._pieces, None)
        except httpx.HTTPError as exc:
            return failed(exc, self._http.base_url)

    async def aclose(self) -> None:
        """Let go of it."""
        if self._response is not None:
            await self._response.aclose()


class AsyncLease:
    """Entries held for an `async with`: acked at its end, given back after an exception.

    A task extends the lease meanwhile. `stale` are receipts that didn't count any more: another
    reader has the entry by now, or it is gone.
    """

    def __init__(self, client: AsyncClient, terms: Terms) -> None:
        self._do = client._do  # noqa: SLF001 - two halves of one thing
        self._held = Held(terms, client._retries)  # noqa: SLF001 - as above
        self._keeper: asyncio.Task[None] | None = None

    @property
    def entries(self) -> tuple[LeasedEntry, ...]:
        """What is held."""
        return self._held.entries

    @property
    def stale(self) -> tuple[str, ...]:
        """Receipts that didn't count."""
        return self._held.stale

    def __iter__(self) -> Iterator[LeasedEntry]:
        """The entries; going through them settles nothing."""
        return iter(self._held.entries)

    def __len__(self) -> int:
        """How many they are."""
        return len(self._held.entries)

    async def __aenter__(self) -> Self:
        """Lease. Raises: ApiError."""
        await self._do(self._held.take())
        if self._held.entries:
            self._keeper = asyncio.create_task(self._keep(), name="hookrack-lease")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Settle what is left. Raises: ApiError where an ack didn't arrive."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if kind is None:
            await self._do(self._held.end(well=True))
        else:
            with suppress(ApiError):  # the lease ends by itself, too
                await self._do(self._held.end(well=False))

    async def ack(self, *entries: LeasedEntry) -> None:
        """Settle some now, or all. Raises: ApiError."""
        await self._do(self._held.settle("ack", entries or self._held.open))

    async def release(self, *entries: LeasedEntry, delay_seconds: int = 0) -> None:
        """Give some back now, or all, to go out again after a time. Raises: ApiError."""
        chosen = entries or self._held.open
        await self._do(self._held.settle("release", chosen, delaySeconds=delay_seconds))

    async def _keep(self) -> None:
        """Extend, until the end."""
        while True:
            await asyncio.sleep(self._held.terms.seconds / BEATS)
            with suppress(ApiError):  # tried again at the next beat
                await self._do(self._held.extend())
