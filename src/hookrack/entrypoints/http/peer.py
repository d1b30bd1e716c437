"""Who is asking: the client's address and scheme, by a trusted proxy's word or the socket's.

Computed only when somebody asks. A header that any client can write is believed of a peer inside
`trustedProxies` alone; of the addresses in it, the rightmost one that is no trusted proxy counts,
because what stands left of it can be invented.
"""

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from hookrack.entrypoints.http.exchange import Scope, header
from hookrack.settings import Network

_MOST_HOPS: Final = 32
_ADDRESSES: Final = 4_096  # parsed ones that are remembered
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_address(scope: Scope, trusted: tuple[Network, ...]) -> str:
    """The address of who is asking, without a port; empty if the socket has none."""
    peer = scope["client"]
    found = str(peer[0]) if peer else ""
    address = _parse(found) if trusted else None
    if address is None:
        return _bare(found)
    for hop in _hops(scope):
        if not _is_trusted(address, trusted):
            break
        before = _parse(hop)
        if before is None:
            break
        address = before
    return str(address)


def client_scheme(scope: Scope, trusted: tuple[Network, ...]) -> str:
    """`https` or `http`, as the client spoke it to the nearest proxy, or to us."""
    peer = _parse(str(scope["client"][0])) if scope["client"] else None
    if peer is not None and trusted and _is_trusted(peer, trusted):
        for value in _values(scope, b"x-forwarded-proto"):
            if value.lower() in ("http", "https"):
                return value.lower()
            break
    return str(scope["scheme"])


def client_url(scope: Scope, trusted: tuple[Network, ...]) -> str:
    """The address that the client asked for, as far as it can be told: a proxy may have cut it."""
    host = header(scope, b"host") or ""
    path = str(scope["raw_path"], "latin-1")
    query = str(scope["query_string"], "latin-1")
    return f"{client_scheme(scope, trusted)}://{host}{path}{'?' if query else ''}{query}"


def _hops(scope: Scope) -> Iterator[str]:
    """What X-Forwarded-For names, the nearest first; a bounded number of them."""
    for count, value in enumerate(_values(scope, b"x-forwarded-for")):
        if count == _MOST_HOPS:
            return
        yield value


def _values(scope: Scope, name: bytes) -> Iterator[str]:
    """The members of a header that is a list, from right to left."""
    for key, value in reversed(scope["headers"]):
        if key == name:
            for member in reversed(value.split(b",")):
                yield str(member, "latin-1").strip()


@lru_cache(maxsize=_ADDRESSES)
def _parse(text: str) -> _Address | None:
    """An address with or without port and brackets; one of IPv4 in IPv6's clothes is IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=_ADDRESSES)
def _bare(text: str) -> str:
    """An address as it is shown; what is none stays as it is."""
    address = _parse(text)
    return text if address is None else str(address)


@lru_cache(maxsize=_ADDRESSES)
def _is_trusted(address: _Address, trusted: tuple[Network, ...]) -> bool:
    return any(address in network for network in trusted)


def is_in(client: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address is in one of the networks."""
    address = _parse(client)
    return address is not None and _is_trusted(address, networks)
