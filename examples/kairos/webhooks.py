"""The webhooks of a web shop, the same ones at every run, and what a round of them comes to."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SYSTEMS: Final = (1, 3, 30)  # that need the same data
_SEED: Final = 7


@dataclass(frozen=True)
class Round:
    """What one burst of webhooks took, for so many systems; all of them got all of it."""

    systems: int
    messages: int = 0  # that the broker took, and handed on
    broker_bytes: int = 0  # on the wire to and from the broker
    calls: int = 0  # that the systems made to hookrack
    read_bytes: int = 0  # of data that they got


def make_webhooks(count: int) -> list[bytes]:
    """Orders of a few lines each, 1 to 4 KiB of JSON."""
    chance = random.Random(_SEED)
    return [_order(number, chance) for number in range(count)]


def check_all_there(system: str, got: Sequence[bytes], wanted: Sequence[bytes]) -> None:
    """Every system gets every webhook once, byte for byte. Raises: SystemExit."""
    if sorted(got) != sorted(wanted):
        raise SystemExit(f"{system} got {len(got)} webhooks that are not the {len(wanted)} sent")


def _order(number: int, chance: random.Random) -> bytes:
    lines = [
        {
            "article": f"A-{chance.randrange(10**6):06}",
            "text": " ".join(chance.choices(("blue", "large", "bolt", "cable", "set"), k=6)),
            "count": chance.randrange(1, 20),
            "price": f"{chance.randrange(100, 99_900) / 100:.2f}",
        }
        for _ in range(chance.randrange(8, 30))
    ]
    return json.dumps(
        {"order": number, "customer": chance.randrange(10**5), "lines": lines}
    ).encode()
