"""From where a flow may be sent to: networks, and whether an address is in one."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from hookrack.errors import Code, Rejected
from hookrack.settings import Network

_ADDRESSES: Final = 4_096  # that are remembered


def check_address(client: str, allow: Sequence[Network]) -> None:
    """Refuse an address in none of the networks, or one that nobody knows.

    Raises: Rejected (`ADDRESS_NOT_ALLOWED`).
    """
    address = _parse(client)
    if address is None or not any(address in network for network in allow):
        raise Rejected(Code.ADDRESS_NOT_ALLOWED, "This flow takes nothing from your address.")


@lru_cache(maxsize=_ADDRESSES)
def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
