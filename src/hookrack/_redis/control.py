"""redis-py, for what is not hot: blocking waits, configuration, inspection."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import redis.asyncio
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hookrack._redis.faults import ReplyError, away, from_reply

_TIMEOUT: Final = timedelta(seconds=5)


@contextmanager
def translated() -> Iterator[None]:
    """Turn redis-py's errors into ours: Unavailable, or ReplyError for the adapter to judge."""
    try:
        yield
    except exceptions.AuthenticationError as exc:
        raise away("The store refuses the name or password.") from exc
    except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as exc:
        raise away("The store doesn't answer.") from exc
    except exceptions.ResponseError as exc:
        raise from_reply(_reply_text(exc)) from exc
    except exceptions.RedisError as exc:
        raise away(f"The store's client failed: {type(exc).__name__}.") from exc


def _reply_text(exc: exceptions.ResponseError) -> str:
    """The reply as it came; redis-py cuts the first word off where it has a class for it."""
    text = str(exc)
    prefix = _PREFIX_OF.get(type(exc))
    return f"{prefix} {text}" if prefix and not text.startswith(prefix) else text


_PREFIX_OF: Final[dict[type[Exception], str]] = {
    exceptions.OutOfMemoryError: "OOM",
    exceptions.NoScriptError: "NOSCRIPT",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.NoPermissionError: "NOPERM",
}


def connect(url: str, *, wait: timedelta = timedelta(0)) -> "redis.asyncio.Redis":
    """A client of one connection for commands that may block up to `wait`; it never repeats."""
    return redis.asyncio.Redis.from_url(
        url,
        single_connection_client=True,
        socket_timeout=(_TIMEOUT + wait).total_seconds(),
        socket_connect_timeout=_TIMEOUT.total_seconds(),
        retry=Retry(NoBackoff(), 0),
    )


async def read_config(url: str, names: Sequence[str]) -> dict[str, str] | None:
    """What CONFIG GET says of these settings, or None where it may not be asked.

    Raises: Unavailable.
    """
    client = connect(url)
    try:
        with translated():
            found = await client.config_get(*names)
    except ReplyError:
        return None
    finally:
        await client.aclose()
    return {str(name): str(value) for name, value in found.items()}
