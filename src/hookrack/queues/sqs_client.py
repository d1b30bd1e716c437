"""The one place that imports the AWS SDK: a connection to SQS, its errors in our words.

The SDK finds credentials (environment, profile, SSO, web identity, container, instance) and renews
them. It repeats what got no answer or was throttled, twice at most, so an envelope may be sent
twice; its event id makes that harmless.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from typing import Any, Final, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions as sdk

from hookrack.errors import Code, ConfigError, Unavailable
from hookrack.sqs_address import QueueAddress

CONNECT: Final = timedelta(seconds=3)
ANSWER: Final = timedelta(seconds=10)  # for a whole call, repetitions included
LONG_POLL: Final = timedelta(seconds=20)  # the longest that SQS knows
TRIES: Final = 3
CONNECTIONS: Final = 32

_LOST: Final = "there is no such queue in this region and account"
_STRANGER: Final = "AWS doesn't know these credentials"
_OVER: Final = "the session of the AWS credentials has expired; log in again"
_CLOCK: Final = "AWS finds the clock of this machine wrong; set it"
_BUSY: Final = "SQS throttles the calls"
_TOLD: Final = {
    "QueueDoesNotExist": _LOST,
    "AWS.SimpleQueueService.NonExistentQueue": _LOST,
    "QueueDeletedRecently": "the queue was deleted less than a minute ago",
    "InvalidAddress": "the address of the queue is not one of this region",
    "InvalidClientTokenId": _STRANGER,
    "UnrecognizedClientException": _STRANGER,
    "InvalidAccessKeyId": _STRANGER,
    "MissingAuthenticationToken": _STRANGER,
    "ExpiredToken": _OVER,
    "ExpiredTokenException": _OVER,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "Throttling": _BUSY,
    "ThrottlingException": _BUSY,
    "RequestThrottled": _BUSY,
    "TooManyRequestsException": _BUSY,
    "OverLimit": "too many messages are in flight; SQS allows about 120,000",
}
_SIGNATURE: Final = ("SignatureDoesNotMatch", "InvalidSignatureException")
_DENIED: Final = ("AccessDenied", "AccessDeniedException", "AWS.SimpleQueueService.AccessDenied")
_NO_CREDENTIALS: Final = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.ProfileNotFound,
    sdk.ConfigNotFound,
)
_NO_SESSION: Final = (sdk.SSOError, sdk.TokenRetrievalError, sdk.UnauthorizedSSOTokenError)


class SqsClient:
    """Calls to SQS in one region, for all queues there."""

    def __init__(self, client: Any, stack: AsyncExitStack) -> None:  # noqa: ANN401 - made at run time
        self._client = client
        self._stack = stack

    @classmethod
    async def open(cls, address: QueueAddress) -> Self:
        """A client for the queue's region; asks nothing yet. Raises: ConfigError, Unavailable."""
        session = get_session()
        config = AioConfig(
            connect_timeout=CONNECT.total_seconds(),
            read_timeout=(LONG_POLL + ANSWER).total_seconds(),
            max_pool_connections=CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": TRIES},
        )
        stack = AsyncExitStack()
        with _translated("connect"):
            region = address.region or os.environ.get("AWS_REGION")
            region = region or session.get_config_variable("region")
            if not region:
                raise ConfigError(
                    f"nothing says in which AWS region the queue {address.name} is",
                    where="queue",
                    mend="Set AWS_REGION, or name the queue by its URL.",
                )
            made = session.create_client(
                "sqs", region_name=region, endpoint_url=address.endpoint, config=config
            )
            client = await stack.enter_async_context(made)
        return cls(client, stack)

    async def call(self, action: str, *, wait: int = 0, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - what SQS takes
        """One call by the SDK's name for it; `wait` is for how many seconds SQS may hold it.

        Raises: Unavailable, saying what is wrong.
        """
        with _translated(action):
            async with asyncio.timeout(ANSWER.total_seconds() + wait):
                found: dict[str, Any] = await getattr(self._client, action)(**fields)
        return found

    async def close(self) -> None:
        """Let go of connections."""
        await self._stack.aclose()


@contextmanager
def _translated(action: str) -> Iterator[None]:
    """Errors of the SDK as ours. One about our own parameters is a bug and stays what it is."""
    try:
        yield
    except sdk.ClientError as exc:
        raise _away(_explain(exc.response, action)) from exc
    except _NO_SESSION as exc:
        raise _away(_OVER) from exc
    except _NO_CREDENTIALS as exc:
        raise _away(f"no usable AWS credentials were found: {exc}") from exc
    except sdk.ParamValidationError:
        raise
    except sdk.BotoCoreError as exc:
        raise _away(f"SQS can't be reached ({type(exc).__name__})") from exc
    except TimeoutError as exc:
        raise _away(f"SQS did not answer within {ANSWER.total_seconds():.0f} s") from exc


def _away(detail: str) -> Unavailable:
    return Unavailable(Code.STORE_UNAVAILABLE, f"The queue can't be used: {detail}.")


def _explain(response: dict[str, Any], action: str) -> str:
    """What SQS refused, in words that say what to do; none of its own text, which names ids."""
    error = response.get("Error", {})
    code, text = str(error.get("Code", "")), str(error.get("Message", "")).lower()
    if code in _SIGNATURE:
        is_clock = "expired" in text or "not yet current" in text
        return _CLOCK if is_clock else "the AWS secret key doesn't fit its id"
    if code in _DENIED:
        return f"these AWS credentials may not do sqs:{_iam(action)} there"
    if code.lower().startswith("kms"):
        return f"its encryption key can't be used ({code[:60]})"
    return _TOLD.get(code) or f"SQS refused {_iam(action)} ({code[:60] or 'no reason given'})"


def _iam(action: str) -> str:
    """The action's name in policies: batches are allowed by the single one's."""
    return "".join(word.capitalize() for word in action.removesuffix("_batch").split("_"))
