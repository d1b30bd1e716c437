"""Where a server listens, and whom it believes to be its client."""

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness import Served, Wire, refused_start, wait_until

Start = Callable[..., Served]
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def needs_ipv6() -> None:
    """Skip where this machine has no ::1."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as exc:  # a machine without it is no fault of ours, in CI neither
        pytest.skip(f"no IPv6 here: {exc}")


async def is_live(url: str) -> bool:
    """Whether a server answers there."""
    async with Wire(url) as wire:
        await wire.send(LIVE)
        return (await wire.answer()).status == 200


async def test_localhost_is_every_loopback_address(own_server: Start) -> None:
    """`localhost` listens on 127.0.0.1 and ::1, with the same port."""
    needs_ipv6()
    served = own_server("--host", "localhost")
    port = urlsplit(served.url).port
    assert served.url == f"http://127.0.0.1:{port}"
    for host in ("127.0.0.1", "[::1]", "localhost"):
        assert await is_live(f"http://{host}:{port}")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_ipv6_is_served(own_server: Start, host: str) -> None:
    """An IPv6 address, with or without brackets, is listened on and announced as a URL has it."""
    needs_ipv6()
    served = own_server("--host", host)
    assert served.url.startswith("http://[::1]:")
    assert await is_live(served.url)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_a_wildcard_behind_a_proxy_is_served(own_server: Start, host: str) -> None:
    """With trusted proxies all addresses may be listened on; the announced one can be reached."""
    if ":" in host:
        needs_ipv6()
    served = own_server("--host", host, "--trusted-proxies", "10.0.0.0/8,fd00::/8")
    assert await is_live(served.url)
    assert await is_live(f"http://127.0.0.1:{urlsplit(served.url).port}")


def test_a_port_that_is_taken_on_one_address_is_taken(short_dir: Path) -> None:
    """Where any of the addresses of a name is in use the start is refused, before it begins."""
    needs_ipv6()
    with socket.socket(socket.AF_INET6) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind(("::1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        where = ("--host", "localhost", "--data-dir", str(short_dir / "d"))
        assert port in refused_start("--port", port, *where)
    assert not (short_dir / "d").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--host", "no-such-host.invalid", "--trusted-proxies", "::1"), "no-such-host.invalid"),
        (("--host", "192.0.2.7", "--trusted-proxies", "::1"), "192.0.2.7"),
        (("--trusted-proxies", "10.0.0.0/40"), "--trusted-proxies"),
        (("--trusted-proxies", "10.1.2.3/8"), "10.0.0.0/8"),
        (("--tls-cert", "only.pem"), "--tls-key"),
        (("--header-seconds", "never"), "--header-seconds"),
    ],
)
def test_what_cannot_be_listened_on_is_named(
    words: tuple[str, ...], told: str, short_dir: Path
) -> None:
    """An address that isn't ours, or a list that is none, ends the start with its name."""
    assert told in refused_start("--data-dir", str(short_dir / "d"), "--port", "0", *words)


@pytest.mark.parametrize(
    ("proxies", "client"), [("127.0.0.0/8", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1")]
)
async def test_the_log_names_the_client_behind_a_trusted_proxy(
    own_server: Start, proxies: str, client: str
) -> None:
    """A refusal is logged with the address that a trusted proxy names, else with the peer's."""
    served = own_server("--trusted-proxies", proxies)
    async with Wire(served.url) as wire:
        await wire.send(
            b"POST /in/acme/orders/wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
            b"X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\n\r\n"
        )
        assert (await wire.answer()).status == 401
    await wait_until(
        lambda: any(line.get("client") == client for line in served.log()), what="a log line"
    )
