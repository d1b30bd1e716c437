"""The calls that are made for every batch, signed by hand: a sixth of what the SDK takes for them.

This knows success only. Whatever else comes (no connection, an error, an answer that isn't JSON)
is `NotAnsweredError`, and the caller asks the SDK the same, which knows how to repeat, to wait and
to say what is wrong. So a call may reach SQS twice, as it may with the SDK alone. After an answer
that more calls would get as well this rests for `REST`, so that it doesn't double what fails.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from hookrack.queues.sqs_signing import Credentials, Signer

ACTIONS: Final = {
    "send_message_batch": "SendMessageBatch",
    "receive_message": "ReceiveMessage",
    "delete_message_batch": "DeleteMessageBatch",
    "change_message_visibility_batch": "ChangeMessageVisibilityBatch",
}
REST: Final = timedelta(seconds=30)
BREATH: Final = timedelta(seconds=1)  # at most, before what was throttled is asked again
_KEPT_ALIVE_SECONDS: Final = 12.0
_THROTTLED: Final = (b"Throttl", b"TooManyRequests", b"OverLimit")

Fields = dict[str, Any]


class NotAnsweredError(Exception):
    """A call that had no success; ask again by other means."""


class HotCalls:
    """Calls to SQS at one endpoint."""

    def __init__(
        self,
        endpoint: str,
        *,
        region: str,
        credentials: Callable[[], Awaitable[Credentials]],
        secure: ssl.SSLContext | None,
        connections: int,
        connect: timedelta,
    ) -> None:
        self._url = URL(endpoint)
        self._signer = Signer(self._url.host_port_subcomponent or "", region)
        self._credentials = credentials
        self._rests_until = float("-inf")
        self._loop = asyncio.get_running_loop()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, ssl=secure or True, keepalive_timeout=_KEPT_ALIVE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect.total_seconds()),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
            auto_decompress=False,
        )

    @property
    def rests(self) -> bool:
        """Whether it is to be left alone for now."""
        return self._loop.time() < self._rests_until

    async def call(self, action: str, fields: Fields) -> Fields:
        """One call, once. Raises: NotAnsweredError; and what `credentials` raises."""
        credentials = await self._credentials()
        body = orjson.dumps(fields)
        headers = self._signer.headers(
            body, ACTIONS[action], credentials=credentials, now=_written(int(time.time()))
        )
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                told, status = await answer.read(), answer.status
        except (aiohttp.ClientError, OSError) as exc:
            if _was_cut(exc):
                raise NotAnsweredError from exc
            raise self._rest() from exc
        if status != HTTPStatus.OK:
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and not _is_throttled(status, told):
                raise self._rest()
            await asyncio.sleep(random.uniform(0, BREATH.total_seconds()))  # noqa: S311 - spreads
            raise NotAnsweredError
        return self._read(told)

    def _read(self, told: bytes) -> Fields:
        try:
            found = orjson.loads(told)
        except ValueError as exc:
            raise self._rest() from exc
        if not isinstance(found, dict):
            raise self._rest()
        return found

    def _rest(self) -> NotAnsweredError:
        """Stand back for a while: the next ones would fail as well."""
        self._rests_until = self._loop.time() + REST.total_seconds()
        return NotAnsweredError()

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()


@lru_cache(maxsize=1)
def _written(seconds: int) -> str:
    """A time as signatures have it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _was_cut(exc: Exception) -> bool:
    """Whether a connection that there was ended: idle for too long, or with a container frozen."""
    ended = aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError
    return isinstance(exc, ended) and not isinstance(exc, aiohttp.ClientConnectorError)


def _is_throttled(status: int, told: bytes) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or any(each in told for each in _THROTTLED)
