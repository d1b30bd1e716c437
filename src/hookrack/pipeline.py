"""READ FIRST. The path of a request, and every decision on it.

    admit() + accept()   a request becomes an Event on the queue           -> 202
    process()            deliveries become Outcomes, and entries in the store
    read()               the newest entry under a webhook key              -> 200
    read_many()          the newest of each of many keys
    history()            a key's entries in storing order, page by page
    write()              a direct set: an event that comes from inside     -> 201
    purge(), life()      take events away; say what became of one

Everything else in the package is a pure step that this calls, a port that it is handed, or an
entrypoint that calls it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from hookrack import placing
from hookrack.edge.address import check_address
from hookrack.edge.auth import answer_question, check_credential, check_sent
from hookrack.edge.dedupe import nobody
from hookrack.edge.handshakes import Reply
from hookrack.edge.mapping import DEFAULT_LIMITS, Limits
from hookrack.edge.sent import Lookup, Sent, no_header, unknown
from hookrack.entries import DirectSet, Found, Life, Page, Written
from hookrack.errors import CATALOGUE, Code, HookrackError, Poison, Rejected, Unavailable
from hookrack.flows import Account, Configuration, Flow
from hookrack.heads import Head, glance_at_head, read_head
from hookrack.intake import check_and_map, check_body
from hookrack.model import (
    KEYS_PER_EVENT,
    Dead,
    Delivery,
    Entry,
    Event,
    Outcome,
    Placement,
    Request,
    Retry,
    decode_envelope,
    encode_envelope,
    is_event_id,
    is_webhook_key,
    new_event_id,
)
from hookrack.ports import Queue, Store
from hookrack.quotas import Quotas

MAX_CRASHES: Final = 20  # hand-overs that no worker survived, before the event is buried
PUT_EVENTS: Final = 64  # in one call of the store
PUT_BYTES: Final = 1024 * 1024
PUT_KEYS: Final = 1_000
KEYS_PER_READ: Final = 1_000
ENTRIES_PER_PAGE: Final = 1_000
DEFAULT_PAGE: Final = 100
READ_BYTES: Final = 6 * 1024 * 1024  # of data in one answer, so that as base64 it is 8 MiB at most


def admit(
    configuration: Configuration,
    account: str,
    flow: str,
    *,
    credential: str | None,
    header: Lookup = no_header,
    client: Callable[[], str] = unknown,
) -> Flow:
    """The flow that a request is for, if it may enter; asked before its body is read.

    `credential` is what stands behind the flow in the address, `header` looks one up, `client`
    tells the sender's address.
    Raises: Rejected (`FLOW_UNKNOWN`, `ADDRESS_NOT_ALLOWED`, `CREDENTIAL_INVALID`,
    `SIGNATURE_INVALID`, `NOT_FOUND`).
    """
    found = configuration.find_flow(account, flow)
    if found is None:
        raise Rejected(Code.FLOW_UNKNOWN, "There is no flow at this address.")
    if found.allow:
        check_address(client(), found.allow)
    check_credential(found.auth, credential, header=header)
    return found


def answer_setup(
    flow: Flow, method: str, *, query: bytes, client: Callable[[], str] = unknown
) -> Reply | None:
    """What a provider is told that looks at its address before it posts there; None if it isn't.

    Raises: Rejected (`ADDRESS_NOT_ALLOWED`, `QUERY_INVALID`).
    """
    if flow.allow:
        check_address(client(), flow.allow)
    return answer_question(flow.auth, method, query=query)


async def accept(
    request: Request,
    flow: Flow,
    *,
    queue: Queue,
    header: Lookup = no_header,
    url: Callable[[], str] = unknown,
    limits: Limits = DEFAULT_LIMITS,
    spend: Callable[[], None] | None = None,
    fit: Callable[[Event], Awaitable[None]] | None = None,
) -> str | Reply:
    """Check an admitted request and keep it; returns its event id once the queue has it durably.

    A question of the provider's is answered by the Reply instead, and isn't kept. `limits` are
    those of a template, `spend` is called once the sender is verified, `fit` with the event that
    is to be kept; both may refuse.
    Raises: as `examine`, `spend` and `fit`; Unavailable.
    """
    event = examine(
        request,
        flow,
        event_id=new_event_id(request.received_at),
        header=header,
        url=url,
        limits=limits,
        spend=spend,
    )
    if isinstance(event, Reply):
        return event
    if fit is not None:
        await fit(event)
    await queue.send(event.account, encode_envelope(event), reserve=not flow.tried_again)
    return event.id


def examine(
    request: Request,
    flow: Flow,
    *,
    event_id: str,
    header: Lookup = no_header,
    url: Callable[[], str] = unknown,
    limits: Limits = DEFAULT_LIMITS,
    verified: bool = False,
    spend: Callable[[], None] | None = None,
) -> Event | Reply:
    """The event that a request is, or the answer to a question; `verified` needs no signature.

    Raises: Rejected (`SIGNATURE_INVALID`, `CONTENT_TYPE_UNSUPPORTED`, `BODY_NOT_JSON`,
    `MODEL_VIOLATION`, `MAPPING_FAILED`, `KEYS_INVALID`, `TTL_INVALID`).
    """
    delivery = nobody
    if flow.auth.verifier is not None:
        sent = Sent(body=request.body, now=request.received_at, header=header, url=url)
        if not verified and (reply := check_sent(flow.auth, sent)):
            return reply
        if flow.auth.name is not None:
            delivery = partial(flow.auth.name, sent)
    if spend is not None:
        spend()
    return check_and_map(request, flow, event_id=event_id, limits=limits, delivery=delivery)


@dataclass(frozen=True, slots=True)
class _Work:
    """One delivery that can be stored; `place` is its place in the batch."""

    place: int
    delivery: Delivery
    placement: Placement


async def process(
    deliveries: Sequence[Delivery],
    *,
    configuration: Configuration,
    store: Store,
    max_attempts: int,
) -> list[Outcome]:
    """Store what was delivered; an outcome for each delivery, in their order.

    Settles nothing and raises for no single delivery: one bad record never fails its neighbours.
    """
    outcomes: dict[int, Outcome] = {}
    by_account: dict[str, list[_Work]] = {}
    for place, delivery in enumerate(deliveries):
        try:
            placement = _resolve(delivery, configuration)
        except Poison as exc:
            outcomes[place] = _dead(exc.code, exc.detail, _head(delivery))
        except Exception as exc:  # noqa: BLE001 - around one record: a bug must not stop the rest
            head = glance_at_head(delivery.body)
            outcomes[place] = _failed(delivery, exc, max_attempts=max_attempts, head=head)
        else:
            work = _Work(place, delivery, placement)
            by_account.setdefault(placement.event.account, []).append(work)
    for account, works in by_account.items():
        for chunk in _chunks(works):
            quotas = configuration.accounts[account].quotas
            found = await _put(quotas, chunk, store=store, max_attempts=max_attempts)
            outcomes |= {work.place: each for work, each in zip(chunk, found, strict=True)}
    return [outcomes[place] for place in range(len(deliveries))]


def _resolve(delivery: Delivery, configuration: Configuration) -> Placement:
    """Where a delivery goes and for how long. Raises: Poison.

    One that no worker survived isn't parsed again: that may be what kills them.
    """
    if delivery.crashes > MAX_CRASHES:
        raise Poison(Code.WORKER_CRASHED, f"{delivery.crashes} deliveries were never settled.")
    return placing.place(decode_envelope(delivery.body), configuration)


def _chunks(works: Sequence[_Work]) -> list[list[_Work]]:
    """Calls of bounded size: events, bytes, and references in all."""
    chunks: list[list[_Work]] = []
    size = keys = 0
    for work in works:
        data, names = len(work.placement.event.data), len(work.placement.keys)
        full = bool(chunks) and (
            len(chunks[-1]) >= PUT_EVENTS or size + data > PUT_BYTES or keys + names > PUT_KEYS
        )
        if full or not chunks:
            chunks.append([])
            size = keys = 0
        chunks[-1].append(work)
        size, keys = size + data, keys + names
    return chunks


async def _put(
    quotas: Quotas, works: Sequence[_Work], *, store: Store, max_attempts: int
) -> list[Outcome]:
    """Store one chunk of an account's; if it fails as a whole for no outage, each of it alone."""
    account = works[0].placement.event.account
    try:
        return await store.put(account, [work.placement for work in works], quotas=quotas)
    except Unavailable as exc:
        return [Retry(exc.code, exc.detail, spends_attempt=False) for _ in works]
    except Exception as exc:  # noqa: BLE001 - around one record, once the others are set apart
        if len(works) == 1:
            event = works[0].placement.event
            head = Head(event.id, event.account, event.flow)
            if isinstance(exc, Poison):
                return [_dead(exc.code, exc.detail, head)]
            return [_failed(works[0].delivery, exc, max_attempts=max_attempts, head=head)]
    alone = [await _put(quotas, [each], store=store, max_attempts=max_attempts) for each in works]
    return [outcome for outcomes in alone for outcome in outcomes]


def _failed(
    delivery: Delivery, exc: Exception, *, max_attempts: int, head: Head | None
) -> Retry | Dead:
    """Another attempt, or the last one was it."""
    known = isinstance(exc, HookrackError)
    detail = f"{type(exc).__name__}: {exc}" if known else type(exc).__name__
    if delivery.attempts + 1 >= max_attempts:
        return _dead(Code.ATTEMPTS_EXHAUSTED, f"{detail}, {max_attempts} times", head)
    return Retry(Code.INTERNAL, detail)


def _dead(reason: Code, detail: str, head: Head | None) -> Dead:
    if head is None:
        return Dead(reason, detail)
    return Dead(reason, detail, head.event_id, head.account, head.flow)


def _head(delivery: Delivery) -> Head | None:
    """Whose a delivery is that can't be processed."""
    crashed = delivery.crashes > MAX_CRASHES
    return glance_at_head(delivery.body) if crashed else read_head(delivery.body)


def retry_delay(delivery: Delivery) -> timedelta:
    """1 s, 2 s, 4 s ... to 30 s, by the attempts that failed before."""
    return min(timedelta(seconds=2 ** min(delivery.attempts, 10)), timedelta(seconds=30))


async def read(account: str, key: str, store: Store) -> Entry:
    """The newest live entry under a webhook key.

    Raises: Rejected (`KEY_INVALID`, `NO_EVENT`), Unavailable.
    """
    check_key(key)
    entry = await store.get(account, key)
    if entry is None:
        raise Rejected(Code.NO_EVENT, f"There is no event under the webhook key {key}.")
    return entry


def check_key(key: str) -> None:
    """Refuse what can't be a webhook key. Raises: Rejected (`KEY_INVALID`)."""
    if not is_webhook_key(key):
        raise Rejected(Code.KEY_INVALID, CATALOGUE[Code.KEY_INVALID].mend)


def _check_keys(keys: Sequence[str], limit: int) -> None:
    if not 1 <= len(keys) <= limit:
        raise Rejected(Code.KEYS_INVALID, f"There are {len(keys)} keys; 1 to {limit} may be named.")
    for place, key in enumerate(keys):
        if not is_webhook_key(key):
            raise Rejected(Code.KEYS_INVALID, f"Key {place + 1} of {len(keys)} is no webhook key.")


async def read_many(
    account: str, keys: Sequence[str], *, store: Store, max_bytes: int = READ_BYTES
) -> Found:
    """The newest live entry, or None, of each of 1 to 1,000 keys; named twice counts once.

    Raises: Rejected (`KEYS_INVALID`), Unavailable.
    """
    _check_keys(keys, KEYS_PER_READ)
    return await store.get_many(account, list(dict.fromkeys(keys)), max_bytes=max_bytes)


async def history(
    account: str,
    key: str,
    *,
    store: Store,
    after: str | None = None,
    since: int | None = None,
    limit: int = DEFAULT_PAGE,
    max_bytes: int = READ_BYTES,
) -> Page:
    """Entries under a key in storing order, after a cursor or stored since a time (ms).

    Raises: Rejected (`KEY_INVALID`, `QUERY_INVALID`, `CURSOR_INVALID`), Unavailable.
    """
    check_key(key)
    if not 1 <= limit <= ENTRIES_PER_PAGE:
        raise Rejected(Code.QUERY_INVALID, f"limit is 1 to {ENTRIES_PER_PAGE}.")
    return await store.history(
        account, key, after=after, since=since, limit=limit, max_bytes=max_bytes
    )


async def write(
    account: Account,
    keys: Sequence[str],
    *,
    store: Store,
    now: int,
    data: bytes,
    content_type: str,
    ttl: timedelta | None = None,
    dedupe_id: str | None = None,
) -> Written:
    """Set an event under 1 to 1,000 different keys; it goes through no queue and has no flow.

    `receivedAt` is when it is stored; `now` (ms) goes into its id only. Its time to live is its
    own, else the account's, else 24 h, never above the account's `max_ttl`.
    Raises: Rejected (`KEYS_INVALID`, `CONTENT_TYPE_UNSUPPORTED`, `BODY_NOT_JSON`, `ID_CONFLICT`,
    `QUOTA_EXCEEDED`), Unavailable.
    """
    _check_keys(keys, KEYS_PER_EVENT)
    if len(set(keys)) != len(keys):
        raise Rejected(Code.KEYS_INVALID, "A key is named twice.")
    if fault := account.quotas.find_fault(keys):
        raise Rejected(Code.KEYS_INVALID, fault)
    check_body(content_type, data)
    direct = DirectSet(
        event_id=new_event_id(now),
        keys=tuple(keys),
        ttl=account.resolve_direct_ttl(ttl),
        content_type=content_type,
        data=data,
        dedupe_id=dedupe_id,
        own_ttl=ttl is not None,
    )
    return await store.set_direct(account.id, direct, quotas=account.quotas)


async def purge(account: str, key: str, *, store: Store, event_id: str | None = None) -> int:
    """Take one event, or all, from under a key; how many live entries there were.

    Raises: Rejected (`KEY_INVALID`), Unavailable.
    """
    check_key(key)
    if event_id is not None and not is_event_id(event_id):
        return 0
    return await store.delete(account, key, event_id=event_id)


async def life(account: str, event_id: str, *, store: Store) -> Life:
    """What the store knows of an event. Raises: Rejected (`EVENT_UNKNOWN`), Unavailable."""
    found = await store.life(account, event_id) if is_event_id(event_id) else None
    if found is None:
        raise Rejected(Code.EVENT_UNKNOWN, "The store knows no event of this id.")
    return found
