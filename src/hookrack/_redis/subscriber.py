"""A connection that is told things: any number of channels on one line, found again after a cut.

It never loses a message without saying so: after each cut `on_gap` is called for each channel, once
it is subscribed to again. What was published meanwhile is gone, and the caller looks for himself.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import hiredis

from hookrack._redis.faults import away
from hookrack._redis.pipe import Pipe

SUBSCRIBE_SECONDS: Final = 2.0  # how long a new channel waits for its confirmation
_MESSAGE: Final = b"message"
_SUBSCRIBED: Final = b"subscribe"


class Subscriber(Pipe):
    """Channels of one Redis; `on_message` gets channel and text, as they come."""

    def __init__(
        self,
        url: str,
        *,
        on_message: Callable[[bytes, bytes], None],
        on_gap: Callable[[bytes], None],
    ) -> None:
        super().__init__(url)
        self._on_message = on_message
        self._on_gap = on_gap
        self._channels: dict[bytes, asyncio.Future[None]] = {}
        self._heard = True  # since the last look whether the line is alive
        self._resuming: set[bytes] = set()  # channels not found again since a cut

    async def subscribe(self, channel: bytes) -> None:
        """Be told of a channel; returns when the server has confirmed it. Raises: Unavailable."""
        confirmed = self._channels.get(channel)
        if confirmed is None:
            confirmed = self._channels[channel] = self._loop.create_future()
            if self._connector is None:
                self.connect()
            self._say(b"SUBSCRIBE", channel)
        if confirmed.done():
            return
        try:
            async with asyncio.timeout(SUBSCRIBE_SECONDS):
                await asyncio.shield(confirmed)
        except TimeoutError as exc:
            raise away("The store doesn't answer.") from exc

    def unsubscribe(self, channel: bytes) -> None:
        """Be told no more of a channel."""
        confirmed = self._channels.pop(channel, None)
        self._resuming.discard(channel)
        if confirmed is not None:
            confirmed.cancel()
            self._say(b"UNSUBSCRIBE", channel)

    def probe(self) -> None:
        """Cut a line on which nothing came since the last probe, and ask for a sign of life."""
        if not self._open or self._transport is None:
            return
        if not self._heard:
            self._transport.abort()
            return
        self._heard = False
        self._say(b"PING")

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is confirmed any more; connect again if anybody wants to be told."""
        for channel, confirmed in self._channels.items():
            if confirmed.done():
                self._channels[channel] = self._loop.create_future()
                self._resuming.add(channel)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand on what is said; what answers the greeting goes to who waits for it."""
        self._heard = True
        if self._sent:  # AUTH and SELECT, before anything is subscribed to
            super().data_received(data)
            return
        self._reader.feed(data)
        while (said := self._reader.gets()) is not False:
            if isinstance(said, list) and len(said) == 3:
                self._hear(said)

    def _hear(self, said: list[bytes]) -> None:
        kind, channel, text = said
        if kind == _MESSAGE:
            self._on_message(channel, text)
        elif kind == _SUBSCRIBED:
            confirmed = self._channels.get(channel)
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)
            if channel in self._resuming:
                self._resuming.remove(channel)
                self._on_gap(channel)

    def _flush(self) -> None:
        """The line stands (again): subscribe to everything."""
        self._flushing = False
        if self._open and self._channels:
            self._heard = True
            self._say(b"SUBSCRIBE", *self._channels)

    def _say(self, *parts: bytes) -> None:
        if self._open and self._transport is not None:
            self._transport.write(hiredis.pack_command(parts))  # type: ignore[arg-type]
