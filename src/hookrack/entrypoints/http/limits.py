"""What one connection may cost, and how many there may be; made once, from the settings."""

import resource
from dataclasses import dataclass
from typing import Final, Self

from hookrack.entrypoints.http.peer import is_in
from hookrack.errors import ConfigError
from hookrack.rates import network_of
from hookrack.settings import Network, Settings, parse_network

_MOST_CONNECTIONS: Final = 10_000
# Files that are no client's: the engine's and the workers' lines, the log, sockets that listen,
# and connections that are being turned away.
_OWN_FILES: Final = 256
_LOOPBACK: Final = (parse_network("127.0.0.0/8"), parse_network("::1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one server; sizes in bytes, times in seconds."""

    header_bytes: int
    headers: int
    header_seconds: float
    body_seconds: float
    bytes_per_second: int
    keep_alive_seconds: float
    connections: int
    per_address: int
    exempt: tuple[Network, ...]  # addresses that may have any number of them

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits that the settings ask for. Raises: ConfigError (`maxConnections`)."""
        connections, own = _connections(settings), settings.max_connections_per_address
        return cls(
            header_bytes=settings.max_header_bytes,
            headers=settings.max_headers,
            header_seconds=settings.header_seconds.total_seconds(),
            body_seconds=settings.body_seconds.total_seconds(),
            bytes_per_second=settings.min_bytes_per_second,
            keep_alive_seconds=settings.keep_alive_seconds.total_seconds(),
            connections=connections,
            per_address=own or max(1, connections // 2),
            exempt=settings.trusted_proxies + (() if own else _LOOPBACK),
        )

    def whose(self, client: str) -> str:
        """The address that a connection counts for; empty where it counts for none."""
        if is_in(client, self.exempt):
            return ""
        return network_of(client)

    def too_slow(self, moved: int, seconds: float) -> bool:
        """Whether that many bytes in that time are fewer than a peer owes us."""
        return seconds >= self.body_seconds and moved < seconds * self.bytes_per_second


def _connections(settings: Settings) -> int:
    """As many as asked for, or as there are open files for."""
    wanted = settings.max_connections
    files = _open_files((wanted or _MOST_CONNECTIONS) + _OWN_FILES)
    if not wanted:
        return min(_MOST_CONNECTIONS, max(files - _OWN_FILES, files // 2))
    if wanted + _OWN_FILES > files:
        raise ConfigError(
            f"{wanted} connections need {wanted + _OWN_FILES} open files; the limit is {files}",
            where=settings.origins["max_connections"],
            mend="Raise it (ulimit -n, LimitNOFILE), or use 0 for as many as there is room for.",
        )
    return wanted


def _open_files(wanted: int) -> int:
    """How many files may be open; the limit is raised to `wanted` where the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    goal = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (goal, hard))
    except (OSError, ValueError):  # macOS has a bound of its own below an "unlimited" one
        return soft
    return goal
