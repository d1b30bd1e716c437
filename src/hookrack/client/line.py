"""How both shells set up httpx, and read its answers."""

from typing import Any, Final

import httpx

from hookrack import __version__
from hookrack.client.server import Address
from hookrack.client.steps import Answer

DEFAULT_TIMEOUT: Final = 30.0  # seconds for an answer, beside the time that it is waited for


def line_options(address: Address, account: str | None, *, timeout: float) -> dict[str, Any]:
    """What makes a client of httpx's one for this server. Raises: ConfigError."""
    return {
        "base_url": address.url,
        "headers": address.headers(account) | {"user-agent": f"hookrack/{__version__}"},
        "timeout": timeout,
        "trust_env": False,
        "verify": address.trust,
    }


def prepared(response: httpx.Response) -> Answer:
    """An answer of httpx's as the steps have it."""
    return Answer(response.status_code, response.headers, response.content)
