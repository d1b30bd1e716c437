"""What a provider calls a delivery and its event: what dedupe needs, read from what was sent."""

from dataclasses import dataclass
from typing import Final

from hookrack.edge.schemes import Preset
from hookrack.edge.sent import Sent, find

_MOST_CHARS: Final = 256


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


def delivery_id(preset: Preset, sent: Sent) -> str | None:
    """The sender's own id of a delivery that was verified; None where it gives none.

    The hash of a body isn't one: some providers say the same words about different things.
    """
    found = (_joined(each, sent) for each in preset.delivery if each != "hash")
    return next((each for each in found if each is not None), None)


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
