"""What is decided about refused requests: which are let in now, after their flow was mended."""

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hookrack.door_ports import Rejections
from hookrack.edge.handshakes import Reply
from hookrack.edge.mapping import Limits
from hookrack.edge.redaction import HIDDEN
from hookrack.errors import Poison, Rejected
from hookrack.flows import Configuration
from hookrack.model import Event, Request, encode_envelope, milliseconds
from hookrack.pipeline import examine
from hookrack.placing import place
from hookrack.ports import Queue
from hookrack.refusals import Rejection, RejectionFilter

PAGE: Final = 100


class Verdict(StrEnum):
    """What a replay does with one refused request."""

    REPLAYED = "replayed"  # it is let in
    REFUSED = "refused"  # the front door still says no
    SKIPPED = "skipped"  # it can't be tried: not trusted, not kept whole, or its flow is gone
    EXPIRED = "expired"  # nothing of its time to live is left


@dataclass(frozen=True, slots=True)
class Replay:
    """How a replay ended: how many of each verdict."""

    replayed: int
    refused: int
    skipped: int
    expired: int


async def replay(
    wanted: RejectionFilter,
    *,
    rejections: Rejections,
    configuration: Configuration,
    queue: Queue,
    limits: Limits,
    now: int,
    dry_run: bool = False,
    trust: bool = False,
    renew_ttl: bool = False,
) -> Replay:
    """Let refused requests through the front door again; those that pass are rejections no more.

    Each keeps its event id, so that one which is replayed twice is stored once, and its time of
    receipt, unless `renew_ttl` makes that `now` (ms). `trust` takes in who couldn't show who he
    is, and doesn't ask again. `dry_run` only counts. Raises: Unavailable; then some may be sent.
    """
    wanted = replace(wanted, until=now + 1 if wanted.until is None else wanted.until)
    done: Counter[Verdict] = Counter()
    cursor = None
    while True:
        page = await rejections.page(wanted, after=cursor, limit=PAGE)
        for listed in page.rejections:
            one = await rejections.get(listed.account, listed.event_id)
            if one is None:
                continue
            if renew_ttl:
                one = replace(one, received_at=now)
            verdict, event = judge(one, configuration, limits=limits, now=now, trust=trust)
            done[verdict] += 1
            if event is not None and not dry_run:
                await queue.send(event.account, encode_envelope(event))
                await rejections.drop(event.account, [event.id])
        cursor = page.cursor
        if cursor is None:
            return Replay(*(done[verdict] for verdict in Verdict))


def judge(
    one: Rejection, configuration: Configuration, *, limits: Limits, now: int, trust: bool
) -> tuple[Verdict, Event | None]:
    """What a replay does with a refused request, and the event where it is let in."""
    flow = configuration.find_flow(one.account, one.flow)
    if flow is None or one.body is None or not (one.verified or trust):
        return Verdict.SKIPPED, None
    shown = [each for each in one.headers if each[1] != HIDDEN]
    named = {_raw(name): value for name, value in reversed(shown)}
    request = Request(
        account=one.account,
        flow=one.flow,
        content_type=one.content_type,
        body=one.body,
        received_at=one.received_at,
        headers=tuple((_raw(name), _raw(value)) for name, value in shown),
        query=one.query,
        client=one.client,
    )
    if len(one.body) > flow.max_body_bytes:
        return Verdict.REFUSED, None
    try:
        event = examine(
            request,
            flow,
            event_id=one.event_id,
            header=named.get,
            limits=limits,
            verified=True,
        )
        if isinstance(event, Reply):
            return Verdict.SKIPPED, None
        placement = place(event, configuration)
    except (Rejected, Poison):
        return Verdict.REFUSED, None
    if all(event.received_at + milliseconds(ttl) <= now for _, ttl in placement.keys):
        return Verdict.EXPIRED, None
    return Verdict.REPLAYED, event


def _raw(text: str) -> bytes:
    """A part of a header as it came."""
    return text.encode("latin-1")
