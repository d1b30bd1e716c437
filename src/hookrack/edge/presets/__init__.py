"""Who signs how: one row for each provider; docs/reference/schemes.md is made of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hookrack.edge.presets.apps import APPS
from hookrack.edge.presets.money import MONEY
from hookrack.edge.presets.platforms import PLATFORMS
from hookrack.edge.schemes import Preset

PRESETS: Final[Mapping[str, Preset]] = MappingProxyType({**PLATFORMS, **MONEY, **APPS})
