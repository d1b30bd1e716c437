"""What an error reply of Redis means to us."""

from typing import Final

from hookrack.errors import Code, HookrackError, Unavailable

RETRY_SECONDS: Final = 1
FULL_RETRY_SECONDS: Final = 15  # a full store drains by expiry, not at once

# The server is there and says that it can't now; none of these has changed anything.
_AWAY: Final = frozenset(
    {
        "LOADING",
        "MISCONF",
        "READONLY",
        "CLUSTERDOWN",
        "MASTERDOWN",
        "TRYAGAIN",
        "BUSY",
        "NOREPLICAS",
    }
    | {"NOAUTH", "WRONGPASS", "MOVED", "ASK", "UNBLOCKED", "MAXCLIENTS"}
)


class ReplyError(HookrackError):
    """An error reply that is no outage: `prefix` is its first word (NOSCRIPT, NOGROUP, ERR)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.prefix = message.partition(" ")[0]


def from_reply(message: str) -> HookrackError:
    """The error of ours for the text of an error reply."""
    prefix = message.partition(" ")[0]
    inner = message if prefix == "ERR" else ""  # Redis 6.2 wraps what a script's command said
    if prefix == "OOM" or "-OOM " in inner:
        return Unavailable(
            Code.STORE_FULL, "The store's memory is used up.", retry_after=FULL_RETRY_SECONDS
        )
    if prefix in _AWAY or "-MISCONF " in inner:
        return Unavailable(
            Code.STORE_UNAVAILABLE, f"The store answers {prefix}.", retry_after=RETRY_SECONDS
        )
    return ReplyError(message)


def away(detail: str) -> Unavailable:
    """The error for a store that doesn't answer."""
    return Unavailable(Code.STORE_UNAVAILABLE, detail, retry_after=RETRY_SECONDS)
