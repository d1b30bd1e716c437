"""What a Lambda container keeps between invocations: one event loop, and what was opened on it.

Between two invocations a container is frozen, for minutes or hours. Connections may be dead when
it thaws, or lead to a store that has failed over and isn't the primary any more. So after a pause
the store is asked first, and everything is opened anew if it doesn't answer; and a caller that
met an outage can ask for that as well, which looks the store's name up again.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from hookrack.entrypoints.configured import load
from hookrack.errors import ConfigError, Unavailable
from hookrack.flows import Configuration
from hookrack.ports import Store
from hookrack.registry import Live
from hookrack.settings import Settings, pick_setting
from hookrack.telemetry import configure_logging, emit, log

PAUSE_SECONDS: Final = 10.0  # after which a connection isn't trusted
PATIENCE_SECONDS: Final = 1.0  # for the store to answer before there is work for it
CONFIGURATION_SECONDS: Final = 1.0  # for which a configuration is in force without a look


class Opened(Protocol):
    """What is kept open."""

    @property
    def live(self) -> Live:
        """The configuration in force."""
        ...

    @property
    def store(self) -> Store:
        """The store."""
        ...


_Kept = TypeVar("_Kept", bound=Opened)
_Answer = TypeVar("_Answer")
Opener = Callable[[Settings, Configuration | None], AbstractAsyncContextManager[_Kept]]


class Container(Generic[_Kept]):
    """Opens at the first invocation and stays open."""

    def __init__(
        self,
        opener: Opener[_Kept],
        *,
        asks_store: bool = True,
        **options: Any,  # noqa: ANN401 - settings of many types
    ) -> None:
        self._opener = opener
        self._asks_store = asks_store
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stack = AsyncExitStack()
        self._kept: _Kept | None = None
        self._asked_at = 0.0  # by the wall clock, which goes on while we are frozen
        self.settings: Settings | None = None

    def run(self, work: Callable[[_Kept], Awaitable[_Answer]]) -> _Answer:
        """Do something with what is open, on this container's loop."""
        if self._loop is None:
            configure_logging()
            self._loop = asyncio.new_event_loop()
        return self._loop.run_until_complete(self._run(work))

    async def _run(self, work: Callable[[_Kept], Awaitable[_Answer]]) -> _Answer:
        kept = self._kept or await self.renew()
        if self._asks_store and _since(self._asked_at) > PAUSE_SECONDS:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await kept.store.ping()
            except (Unavailable, TimeoutError) as exc:
                emit(log.STORE_LOST, detail=f"after a pause: {exc!r}")
                kept = await self.renew()
        if _since(self._asked_at) > CONFIGURATION_SECONDS:
            await self._refresh(kept)
        return await work(kept)

    async def _refresh(self, kept: _Kept) -> None:
        """Look for another configuration; where there is no answer, that in force stays."""
        self._asked_at = time.time()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await kept.live.refresh()
        except (ConfigError, Unavailable, TimeoutError) as exc:
            emit(log.CONFIGURATION_STALE, detail=repr(exc))

    async def renew(self) -> _Kept:
        """Open everything, anew if need be. Raises: ConfigError, Unavailable."""
        await self.close()
        options = dict(self._options)
        if pick_setting("data_dir", {}, environ=os.environ)[1].endswith("default.toml"):
            options["data_dir"] = (
                Path(tempfile.gettempdir()) / "hookrack"
            )  # all that can be written
        self.settings, file = load(options, environ=os.environ)
        if self.settings.embedded:
            raise ConfigError(
                "a Lambda function has no store of its own",
                where=self.settings.origins["store"],
                mend="Name one: HOOKRACK_STORE=rediss://...",
            )
        self._kept = await self._stack.enter_async_context(self._opener(self.settings, file))
        self._asked_at = time.time()
        return self._kept

    async def close(self) -> None:
        """Let go of everything; the next invocation opens it again."""
        self._kept = None
        stack, self._stack = self._stack, AsyncExitStack()
        await stack.aclose()


def _since(moment: float) -> float:
    """Seconds, however the clock was set meanwhile."""
    return abs(time.time() - moment)
