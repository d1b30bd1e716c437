"""`limits` of accounts and flows: read with their faults, and written out again."""

from typing import Any, Final

from hookrack.fields import Fields
from hookrack.model import KEYS_PER_EVENT
from hookrack.quotas import NO_QUOTAS, Quotas

MOST_PER_SECOND: Final = 1_000_000
MOST_KEYS: Final = 10_000_000
MOST_STORED_BYTES: Final = 2**50
MOST_WAITING_READERS: Final = 1_000_000

_FIELDS: Final = ("maxKeys", "maxKeysPerEvent", "maxStoredBytes", "maxWaitingReaders")


def limits_of(fields: Fields) -> Fields:
    """The mapping `limits`, empty where it isn't there."""
    return fields.mapping("limits") if "limits" in fields.values else fields.empty("limits")


def read_rate(limits: Fields, name: str) -> int | None:
    """Requests a second, or None where there is no limit."""
    return _optional(limits, name, high=MOST_PER_SECOND)


def read_quotas(limits: Fields) -> Quotas:
    """What an account may have at once. Raises: ConfigError."""
    limits.only("perSecond", *_FIELDS)
    if not any(name in limits.values for name in _FIELDS):
        return NO_QUOTAS
    return Quotas(
        keys=_optional(limits, "maxKeys", high=MOST_KEYS),
        keys_per_event=_optional(limits, "maxKeysPerEvent", high=KEYS_PER_EVENT),
        stored_bytes=_optional(limits, "maxStoredBytes", high=MOST_STORED_BYTES),
        waiting_readers=_optional(limits, "maxWaitingReaders", high=MOST_WAITING_READERS),
    )


def _optional(limits: Fields, name: str, *, high: int) -> int | None:
    return limits.whole(name, 1, low=1, high=high) if name in limits.values else None


def account_limits_document(per_second: int | None, quotas: Quotas) -> dict[str, Any]:
    """An account's limits, those that are set."""
    values = (quotas.keys, quotas.keys_per_event, quotas.stored_bytes, quotas.waiting_readers)
    every = {"perSecond": per_second, **dict(zip(_FIELDS, values, strict=True))}
    return {name: value for name, value in every.items() if value is not None}
