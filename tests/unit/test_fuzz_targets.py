"""What `make fuzz` searches for hours, on its seeds and near them, without its machinery."""

from collections.abc import Iterator
from random import Random

import pytest
from fuzz.__main__ import NAMES
from fuzz.seeds import seeds
from fuzz.targets import TARGETS

SEEDS = seeds()
EACH = 24  # inputs near each seed


def near(seed: bytes, *, chance: Random) -> Iterator[bytes]:
    """The seed cut short, with a byte changed, without one, with one twice."""
    for _ in range(EACH // 4):
        at = chance.randrange(len(seed) + 1)
        yield seed[:at]
        yield seed[:at] + bytes([chance.randrange(256)]) + seed[at + 1 :]
        yield seed[:at] + seed[at + 1 :]
        yield seed[:at] + seed[at : at + 8] + seed[at:]


def test_the_targets_are_those_of_the_command() -> None:
    """Each target can be named, and has something to begin with."""
    assert set(NAMES) == set(TARGETS) == set(SEEDS)
    assert all(len(each) >= 5 for each in SEEDS.values())


@pytest.mark.parametrize("name", NAMES)
def test_promises_hold_on_seeds_and_near_them(name: str) -> None:
    """Each seed, and what is nearly one, is taken or refused as promised."""
    chance = Random(7)
    for seed in SEEDS[name]:
        TARGETS[name](seed)
        for each in near(seed, chance=chance):
            TARGETS[name](each)
