"""The client for code without an event loop: takes the steps of `works` one after the other."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
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


class Client:
    """Asks a hookrack server; one client serves many threads and keeps its connections.

    Without `url` and `token` it asks the server that HOOKRACK_URL and HOOKRACK_TOKEN name, else the
    one that runs on the data directory. Raises: ConfigError.
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
    ) -> None:
        address = find_address(url, token, data_dir=data_dir)
        self._http = httpx.Client(**line_options(address, account, timeout=timeout))
        self._timeout = timeout
        self._retries = retries or Retries()

    def __enter__(self) -> Self:
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(
        self, key: str, *, wait: float = 0, newer_than: Entry | str | None = None
    ) -> Entry | None:
        """The newest entry under a key, or None; waits up to `wait` seconds for one.

        With `newer_than`, an entry or an event id, only another one counts. Raises: ApiError.
        """
        return self._do(works.get(key, wait=wait, newer_than=newer_than, retries=self._retries))

    def get_many(self, keys: Sequence[str]) -> dict[str, Entry | None]:
        """The newest entry, or None, of each key. Raises: ApiError."""
        return self._do(works.get_many(keys, retries=self._retries))

    def set(
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
        return self._do(
            works.set_one(
                key, data, ttl=ttl, content_type=content_type, id=id, retries=self._retries
            )
        )

    def set_many(
        self,
        keys: Sequence[str],
        data: Any,  # noqa: ANN401 - whatever JSON holds
        *,
        ttl: Ttl | None = None,
        id: str | None = None,  # noqa: A002 - the API's word
    ) -> tuple[Entry, ...]:
        """Set one payload under up to 1,000 keys, all or none. Raises: ApiError."""
        return self._do(works.set_many(keys, data, ttl=ttl, id=id, retries=self._retries))

    def page(
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
        return self._do(works.page(call, retries=self._retries))

    def history(
        self,
        key: str,
        *,
        after: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
    ) -> Generator[Entry, None, None]:
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
    ) -> Generator[Entry, None, None]:
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
    ) -> "Lease":
        """Up to `max` entries that no other reader of the group gets meanwhile; use it in `with`.

        Its end acks them, an exception gives them back; until then they are held. See `Terms`.
        """
        return Lease(
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

    def purge(self, key: str, event_id: str | None = None) -> int:
        """Take one event, or all, from under a key; how many. Raises: ApiError."""
        return self._do(works.purge(key, event_id, retries=self._retries))

    def life(self, event_id: str) -> Life:
        """Where an event is, or what became of it. Raises: ApiError (`EVENT_UNKNOWN`)."""
        return self._do(works.life(event_id, retries=self._retries))

    def _do(self, work: Work[_Result]) -> _Result:
        """Take the steps of a call; what it comes to."""
        try:
            step = next(work)
            while True:
                step = work.send(self._take(step))
        except StopIteration as done:
            result: _Result = done.value
            return result

    def _take(self, step: Step) -> Answer | Failed | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        assert isinstance(step, Call)  # noqa: S101 - the others are of `_each`
        try:
            return prepared(self._http.send(self._request(step)))
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

    def _each(self, work: Work[None]) -> Generator[Entry, None, None]:
        """Take steps until there is an item for the caller; the open answer ends with the loop."""
        with closing(work), closing(_Opened(self._http)) as opened:
            step = next(work, None)
            while step is not None:
                if isinstance(step, Give):
                    yield step.item
                    reply: object = None
                elif isinstance(step, Open):
                    reply = opened.open(self._request(step.call))
                elif isinstance(step, Read):
                    reply = opened.read()
                else:
                    reply = self._take(step)
                step = sent(work, reply)


class _Opened:
    """An answer that is read piece by piece."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def open(self, request: httpx.Request) -> Answer | Failed:
        """Another one, instead of the last."""
        self.close()
        try:
            self._response = self._http.send(request, stream=True)
            self._pieces = self._response.iter_bytes()
            if self._response.status_code != 200:
                self._response.read()
                return prepared(self._response)
        except httpx.HTTPError as exc:
            return failed(exc, self._http.base_url)
        return Answer(200, self._response.headers, b"")

    def read(self) -> bytes | Failed | None:
        """What comes next; None at the end."""
        try:
            return next(self._pieces, None)
        except httpx.HTTPError as exc:
            return failed(exc, self._http.base_url)

    def close(self) -> None:
        """Let go of it."""
        if self._response is not None:
            self._response.close()


class Lease:
    """Entries held for the time of a `with`: acked at its end, given back after an exception.

    A thread extends the lease meanwhile. `stale` are receipts that didn't count any more: another
    reader has the entry by now, or it is gone.
    """

    def __init__(self, client: Client, terms: Terms) -> None:
        self._do = client._do  # noqa: SLF001 - two halves of one thing
        self._held = Held(terms, client._retries)  # noqa: SLF001 - as above
        self._ended = threading.Event()
        self._keeper: threading.Thread | None = None

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

    def __enter__(self) -> Self:
        """Lease. Raises: ApiError."""
        self._do(self._held.take())
        if self._held.entries:
            self._keeper = threading.Thread(target=self._keep, name="hookrack-lease", daemon=True)
            self._keeper.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Settle what is left. Raises: ApiError where an ack didn't arrive."""
        self._ended.set()
        if self._keeper is not None:
            self._keeper.join()
        if kind is None:
            self._do(self._held.end(well=True))
        else:
            with suppress(ApiError):  # the lease ends by itself, too
                self._do(self._held.end(well=False))

    def ack(self, *entries: LeasedEntry) -> None:
        """Settle some now, or all. Raises: ApiError."""
        self._do(self._held.settle("ack", entries or self._held.open))

    def release(self, *entries: LeasedEntry, delay_seconds: int = 0) -> None:
        """Give some back now, or all, to go out again after a time. Raises: ApiError."""
        chosen = entries or self._held.open
        self._do(self._held.settle("release", chosen, delaySeconds=delay_seconds))

    def _keep(self) -> None:
        """Extend, until the end."""
        while not self._ended.wait(self._held.terms.seconds / BEATS):
            with suppress(ApiError):  # tried again at the next beat
                self._do(self._held.extend())
