"""Server-sent events, as far as hookrack writes them: bytes in, whole events out."""

from dataclasses import dataclass
from typing import Final

from hookrack.client.errors import ServerFault
from hookrack.errors import Code

EVENT_BYTES: Final = 64 << 20  # the largest body in base64, and what stands around it


@dataclass(frozen=True, slots=True)
class Event:
    """One event; a name is there only where it is no entry."""

    id: str
    name: str
    data: bytes


class Events:
    """Cuts a stream at its events; what isn't whole when the stream ends is dropped."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0  # of what is held: no blank line begins there

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes. Raises: ServerFault for one without end."""
        self._held += piece
        found = []
        while (end := self._held.find(b"\n\n", self._seen)) >= 0:
            block = bytes(self._held[:end])
            del self._held[: end + 2]
            self._seen = 0
            if event := _event(block):
                found.append(event)
        self._seen = max(0, len(self._held) - 1)
        if len(self._held) > EVENT_BYTES:
            raise ServerFault(Code.INTERNAL, "The server sends an event without end.")
        return found


def _event(block: bytes) -> Event | None:
    """The event of a block of lines; None for comments and settings."""
    fields: dict[bytes, list[bytes]] = {}
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        fields.setdefault(field, []).append(value.removeprefix(b" "))
    if b"data" not in fields:
        return None
    identity = fields.get(b"id", [b""])[-1].decode("ascii", "replace")
    name = fields.get(b"event", [b""])[-1].decode("ascii", "replace")
    return Event(identity, name, b"\n".join(fields[b"data"]))
