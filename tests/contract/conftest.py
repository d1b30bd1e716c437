"""The ports' suites run on every engine: the embedded one, and Debian's Redis 7.0."""

from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio

ENGINES = ("embedded", "redis-server")


@pytest.fixture(params=ENGINES)
async def url(request: pytest.FixtureRequest, engines: Callable[[str], Awaitable[str]]) -> str:
    """The URL of an engine; each test runs on each of them."""
    return await engines(str(request.param))


@pytest.fixture
async def forgetful(direct: "redis.asyncio.Redis") -> None:
    """An engine that has forgotten all scripts, as after a restart or failover."""
    await direct.script_flush()
