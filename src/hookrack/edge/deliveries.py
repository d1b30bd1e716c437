"""What a provider calls a delivery and its event: what dedupe needs, read from what was sent."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import orjson

from hookrack.edge.schemes import Preset
from hookrack.edge.sent import Sent, find, text_of, value_at

_MOST_CHARS: Final = 256
Namer = Callable[[Sent], str | None]


@dataclass(frozen=True, slots=True)
class Verified:
    """The sender's own id of a delivery and name of its event; None where there is none."""

    delivery_id: str | None = None
    event_type: str | None = None


def read_delivery(preset: Preset, sent: Sent) -> Verified:
    """Id and type of a request that was verified; whatever it holds, this fails for none."""
    found = (_joined(each, sent) for each in preset.delivery)
    delivery = next((each for each in found if each is not None), None)
    return Verified(delivery, _joined(preset.event, sent) if preset.event else None)


def compile_id(preset: Preset) -> Namer | None:
    """What finds the sender's own id of a delivery that was verified; None where it gives none.

    The hash of a body isn't one: some providers say the same words about different things.
    """
    readers = tuple(_reader(each) for each in preset.delivery if each != "hash")
    if not readers:
        return None

    def find_id(sent: Sent) -> str | None:
        for reader in readers:
            if (found := reader(sent)) and len(found) <= _MOST_CHARS:
                return found
        return None

    return find_id


def _reader(places: str) -> Namer:
    """A header or a member of the body is looked up directly: it is done for each event."""
    kind, _, name = places.partition(".")
    if "+" in places or kind not in ("header", "body"):
        return partial(_joined, places)
    if kind == "header":
        raw = name.encode()
        return lambda sent: sent.header(raw)

    def read(sent: Sent) -> str | None:
        try:
            document = orjson.loads(sent.body)
        except orjson.JSONDecodeError:
            return None
        found = value_at(document, name)
        whole = isinstance(found, int) and not isinstance(found, bool)
        return str(found) if whole else text_of(found)

    return read


def _joined(places: str, sent: Sent) -> str | None:
    """The texts at places that + joins, with colons between; None without the first."""
    try:
        texts = [find(each, sent) for each in places.split("+")]
    except ValueError:
        return None
    if not texts[0]:
        return None
    whole = ":".join(each or "" for each in texts)
    return whole if len(whole) <= _MOST_CHARS else None
