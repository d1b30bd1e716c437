"""Who is asking, by the socket or by the word of a trusted proxy; what a client invents is not."""

import ipaddress

import pytest

from hookrack.entrypoints.http.exchange import Header, Scope
from hookrack.entrypoints.http.peer import client_address, client_scheme
from hookrack.settings import Network

PROXIES: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "127.0.0.1", "fd00::/8")
)


def scope(peer: str | None, *headers: Header, scheme: str = "http") -> Scope:
    """The part of a request that says where it comes from."""
    client = (peer, 40_000) if peer is not None else None
    return {"client": client, "headers": list(headers), "scheme": scheme}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:1234"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::1]:1234"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("fd00::1", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        # a client may write what it likes; what the proxies append stands right of it
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.7, 203.0.113.9"], "203.0.113.9"),
        # a chain of proxies of ours
        ("10.0.0.1", ["203.0.113.9, 10.0.0.3,10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        # all of them are ours: the first one
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # not from a proxy, or nothing to read
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, _hidden, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["1.1.1.1\xff"], "10.0.0.1"),
        ("10.0.0.1", ["127.1, 1.1.1.999"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9" + ", 10.0.0.2" * 5_000], "10.0.0.2"),
        (None, ["203.0.113.9"], ""),
    ],
)
def test_the_client_is_the_rightmost_address_that_is_no_proxy(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    """X-Forwarded-For counts from a trusted peer, from right to left, as far as it is trusted."""
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    assert client_address(scope(peer, *headers), PROXIES) == client


def test_without_trusted_proxies_nobody_is_believed() -> None:
    """By default a header changes neither address nor scheme."""
    lies = scope("127.0.0.1", (b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-proto", b"https"))
    assert client_address(lies, ()) == "127.0.0.1"
    assert client_scheme(lies, ()) == "http"


@pytest.mark.parametrize(
    ("peer", "forwarded", "scheme"),
    [
        ("10.0.0.1", b"https", "https"),
        ("10.0.0.1", b"HTTPS", "https"),
        ("10.0.0.1", b"https, http", "http"),
        ("10.0.0.1", b"gopher", "http"),
        ("203.0.113.9", b"https", "http"),
    ],
)
def test_the_scheme_is_the_nearest_proxys_word(peer: str, forwarded: bytes, scheme: str) -> None:
    """X-Forwarded-Proto counts from a trusted peer, where it names http or https."""
    assert client_scheme(scope(peer, (b"x-forwarded-proto", forwarded)), PROXIES) == scheme
