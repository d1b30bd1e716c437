"""Where an event is that isn't stored: still queued, or dead. For questions, not for the path.

A stream has no index by event id, so this looks where the event should be: at its letter or the
place that a redrive noted (one look-up each), then at entries from the time that an id of ours
carries, then among the newest. All of it is bounded; an event that is further away than that, in
a long queue and under a foreign id, is not found.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hookrack._redis import Pipe, Script
from hookrack.entries import Whereabouts
from hookrack.heads import Head, glance_at_head, read_head, time_of_event_id
from hookrack.queues.redis_keys import QueueKeys, bulk_of, partition_of

AFTER_MS: Final = 10_000  # how long after its receipt an event is sent at most; clocks differ a bit
BEFORE_MS: Final = 3_000  # by how much the queue's clock may be behind the edge's
ENTRIES: Final = 200  # that one script looks at
BYTES: Final = 1024 * 1024  # of envelopes, likewise
SCRIPTS: Final = 50  # for one stretch around the id's time
NEWEST: Final = 5  # scripts for the newest entries

_FIND: Final = Script(Path(__file__).with_name("find.lua"))


@dataclass(frozen=True, slots=True)
class _Stretch:
    verb: str
    begin: str
    end: str
    scripts: int


async def find(pipe: Pipe, keys: QueueKeys, *, account: str, event_id: str) -> Whereabouts | None:
    """See `ports.Queue`."""
    place = await pipe.call(b"GET", keys.index(event_id))
    if place is not None and (found := await _at(pipe, keys, place.decode(), account)):
        return found
    streams = [keys.streams[lane] for lane in (partition_of(account), bulk_of(account))]
    for stretch in _stretches(time_of_event_id(event_id)):
        for stream in streams:
            if head := await _within(pipe, stream, stretch, (account, event_id)):
                return Whereabouts("queued", head.flow, head.received_at)
    return None


async def _at(pipe: Pipe, keys: QueueKeys, place: str, account: str) -> Whereabouts | None:
    """What stands where the index leads, if it is this account's."""
    partition, is_queued, entry_id = place.partition(":")
    if is_queued:
        entries = await pipe.call(b"XRANGE", keys.streams[int(partition)], entry_id, entry_id)
        envelope = entries[0][1][1] if entries else None
    else:
        envelope = await pipe.call(b"HGET", keys.letter(place), b"envelope")
    head = None if envelope is None else _head(envelope)
    if head is None or head.account != account:
        return None
    return Whereabouts("queued" if is_queued else "deadLetter", head.flow, head.received_at)


def _head(envelope: bytes) -> Head | None:
    return glance_at_head(envelope) or read_head(envelope)


def _stretches(at: int | None) -> list[_Stretch]:
    newest = _Stretch("XREVRANGE", "+", "-", NEWEST)
    if at is None:
        return [newest]
    before = max(0, at - BEFORE_MS)
    return [
        _Stretch("XRANGE", str(at), str(at + AFTER_MS), SCRIPTS),
        _Stretch("XREVRANGE", f"({at}", str(before), SCRIPTS),
        newest,
    ]


async def _within(
    pipe: Pipe, stream: str, stretch: _Stretch, wanted: tuple[str, str]
) -> Head | None:
    """The head of the envelope of an (account, event id), if it is among these entries."""
    begin = stretch.begin
    for _ in range(stretch.scripts):
        args: list[bytes | str | int] = [wanted[1], stretch.verb, begin, stretch.end]
        begin, envelope = await _FIND.run(pipe, [stream], [*args, ENTRIES, BYTES])
        if envelope is not None:
            head = _head(envelope)
            if head is not None and (head.account, head.event_id) == wanted:
                return head
        if not begin:
            return None
    return None
