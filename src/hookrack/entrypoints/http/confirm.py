"""Visiting the address that confirms a subscription, as Amazon SNS asks for it."""

from typing import Final

import httpx

from hookrack.errors import Code, CodedError
from hookrack.telemetry import emit, log

_SECONDS: Final = 5.0


async def visit(url: str) -> None:
    """Get an address that was found to be Amazon's own; nothing of the answer is read.

    No redirect is followed, and no proxy or credential of the environment is used.
    Raises: CodedError (`CONFIRMATION_FAILED`), so that the sender tries again.
    """
    try:
        async with (
            httpx.AsyncClient(timeout=_SECONDS, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url) as found,
        ):
            status = found.status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        status = 0
    if status != httpx.codes.OK:
        raise CodedError(Code.CONFIRMATION_FAILED, "The address to confirm at gave no 200.")
    emit(log.SUBSCRIPTION_CONFIRMED)
