"""The one place that imports the AWS SDK: a connection to SQS, its errors in our words.

The SDK finds credentials (environment, profile, SSO, web identity, container, instance) and renews
them. It repeats what got no answer or was throttled, twice at most, so an envelope may be sent
twice; its event id makes that harmless. Where it is told that a session has expired, everything is
opened anew, so that credentials that were put in place meanwhile are found.

The calls of every batch go to `sqs_hot.py` first, and to the SDK when they had no success there.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions as sdk
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from hookrack.errors import Code, ConfigError, Unavailable
from hookrack.queues.sqs_hot import ACTIONS, HotCalls, NotAnsweredError
from hookrack.queues.sqs_signing import Credentials
from hookrack.sqs_address import QueueAddress

CONNECT: Final = timedelta(seconds=3)
ANSWER: Final = timedelta(seconds=10)  # for a whole call, repetitions included
LONG_POLL: Final = timedelta(seconds=20)  # the longest that SQS knows
TRIES: Final = 3
CONNECTIONS: Final = 32
RENEWED: Final = timedelta(seconds=60)  # between two looks for other credentials

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


@dataclass(frozen=True, slots=True)
class _Opened:
    """The SDK's client, what is quicker for some calls, and all that is to be closed."""

    sdk: Any
    hot: HotCalls | None
    stack: AsyncExitStack


class SqsClient:
    """Calls to SQS in one region, for all queues there."""

    def __init__(self, address: QueueAddress, opened: _Opened) -> None:
        self._address = address
        self._opened = opened
        self._before: _Opened | None = None  # what is still asked by calls under way
        self._renewed_at = float("-inf")
        self._renewing = asyncio.Lock()

    @classmethod
    async def open(cls, address: QueueAddress) -> Self:
        """A client for the queue's region; asks nothing yet. Raises: ConfigError, Unavailable."""
        with _translated("connect"):
            return cls(address, await _open(address))

    async def call(self, action: str, *, wait: int = 0, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - what SQS takes
        """One call by the SDK's name for it; `wait` is for how many seconds SQS may hold it.

        Raises: Unavailable, saying what is wrong.
        """
        with _translated(action):
            async with asyncio.timeout(ANSWER.total_seconds() + wait):
                opened = self._opened
                try:
                    return await _ask(opened, action, fields)
                except sdk.ClientError as exc:
                    if not _is_over(exc) or not await self._renew(opened):
                        raise
                return await _ask(self._opened, action, fields)

    async def _renew(self, old: _Opened) -> bool:
        """Open everything anew, unless that was tried a moment ago; whether it was done since."""
        async with self._renewing:
            is_due = time.monotonic() - self._renewed_at > RENEWED.total_seconds()
            if self._opened is old and is_due:
                self._renewed_at = time.monotonic()
                self._opened, before, self._before = await _open(self._address), self._before, old
                if before is not None:
                    await before.stack.aclose()
        return self._opened is not old

    async def close(self) -> None:
        """Let go of connections."""
        for each in (self._opened, self._before):
            if each is not None:
                await each.stack.aclose()


async def _ask(opened: _Opened, action: str, fields: dict[str, Any]) -> dict[str, Any]:
    """One call, the quick way if there is one. Raises: what the SDK raises."""
    if opened.hot is not None and action in ACTIONS and not opened.hot.rests:
        try:
            return await opened.hot.call(action, fields)
        except NotAnsweredError:
            pass
    found: dict[str, Any] = await getattr(opened.sdk, action)(**fields)
    return found


async def _open(address: QueueAddress) -> _Opened:
    """Connect, without asking anything yet. Raises: ConfigError; errors of the SDK."""
    session = get_session()
    region = address.region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    if not region:
        raise ConfigError(
            f"nothing says in which AWS region the queue {address.name} is",
            where="queue",
            mend="Set AWS_REGION, or name the queue by its URL.",
        )
    config = AioConfig(
        connect_timeout=CONNECT.total_seconds(),
        read_timeout=(LONG_POLL + ANSWER).total_seconds(),
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
    )
    made = session.create_client(
        "sqs", region_name=region, endpoint_url=address.endpoint, config=config
    )
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(made)
        hot = await _open_hot(session, client)
        if hot is not None:
            stack.push_async_callback(hot.close)
        return _Opened(client, hot, stack.pop_all())


async def _open_hot(session: Any, client: Any) -> HotCalls | None:  # noqa: ANN401 - made at run time
    """The quicker way, where nothing is set up that only the SDK would heed."""
    endpoint = client.meta.endpoint_url
    found = await session.get_credentials()
    is_plain = (
        found is not None
        and client.meta.config.signature_version == "v4"
        and not urlsplit(endpoint).path.strip("/")
        and not get_environ_proxies(endpoint)
    )
    if not is_plain:
        return None

    secure = None
    if endpoint.startswith("https:"):
        trusted = get_cert_path(session.get_config_variable("ca_bundle") or True)
        secure = await asyncio.to_thread(ssl.create_default_context, cafile=trusted)

    async def credentials() -> Credentials:
        frozen = await found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")

    return HotCalls(
        endpoint,
        region=client.meta.region_name,
        credentials=credentials,
        secure=secure,
        connections=CONNECTIONS,
        connect=CONNECT,
    )


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


def _is_over(exc: Exception) -> bool:
    """Whether other credentials would help."""
    code = getattr(exc, "response", {}).get("Error", {}).get("Code")
    return _TOLD.get(code) in (_OVER, _STRANGER)


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
