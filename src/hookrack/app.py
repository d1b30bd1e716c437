"""The composition root: the only place that picks adapters.

`open_app` starts what the settings ask for, in order (engine, connections, store, queue, tokens),
and stops it in the reverse one.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hookrack._redis import Pipe, read_config
from hookrack.allowances import Allowances
from hookrack.data_folder import check_format, open_folder
from hookrack.door_ports import Headroom, Rejections
from hookrack.engine import Engine, open_engine
from hookrack.engine.config import PROMISE
from hookrack.errors import ConfigError, Unavailable
from hookrack.flows import Configuration
from hookrack.keeper import Keeper
from hookrack.model import Delivery, Outcome
from hookrack.pipeline import READ_BYTES, process
from hookrack.ports import DeadLetters, Queue, Store
from hookrack.queues.redis_dead_letters import RedisDeadLetters
from hookrack.queues.redis_memory import RedisMemory
from hookrack.queues.redis_streams import RedisStreams
from hookrack.rates import Rates
from hookrack.readers import Arrivals, Leases
from hookrack.registry import Live
from hookrack.sealing import Sealer, secret_key
from hookrack.settings import Settings
from hookrack.sqs_address import is_sqs, read_address
from hookrack.stores.redis import RedisStore
from hookrack.stores.redis_arrivals import RedisArrivals
from hookrack.stores.redis_leases import RedisLeases
from hookrack.stores.redis_registry import RedisRegistry
from hookrack.stores.redis_rejections import RedisRejections
from hookrack.stores.redis_tally import RedisTally
from hookrack.telemetry import emit, log
from hookrack.tokens import Tokens, admin_token

if TYPE_CHECKING:
    from hookrack.queues.sqs_open import SqsSource


@dataclass(frozen=True, slots=True)
class App:
    """Everything that an entrypoint needs; alive as long as `open_app` is."""

    settings: Settings
    live: Live
    store: Store
    queue: Queue
    letters: DeadLetters
    rejections: Rejections
    keeper: Keeper
    rates: Rates
    allowances: Allowances
    headroom: Headroom
    arrivals: Arrivals
    leases: Leases
    engine: Engine | None
    worker_queues: tuple[Queue, ...]
    read_bytes: int = READ_BYTES  # of data in one answer

    @property
    def configuration(self) -> Configuration:
        """The accounts and flows in force now."""
        return self.live.configuration

    @property
    def tokens(self) -> Tokens:
        """The tokens in force now."""
        return self.live.tokens

    def most_waiting(self, account: str) -> int | None:
        """How many readers of an account may wait here at once."""
        found = self.configuration.accounts.get(account)
        return found.quotas.waiting_readers if found else None

    async def process(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """`pipeline.process` with this app's configuration and store."""
        return await Processor(self.settings, self.live, self.store).process(deliveries)


@dataclass(frozen=True, slots=True)
class Processor:
    """What a worker needs that is handed its deliveries: alive as long as `open_processor` is."""

    settings: Settings
    live: Live
    store: Store

    async def process(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """`pipeline.process` with the configuration in force and this store."""
        return await process(
            deliveries,
            configuration=self.live.configuration,
            store=self.store,
            max_attempts=self.settings.max_attempts,
        )


@asynccontextmanager
async def open_app(settings: Settings, file: Configuration | None = None) -> AsyncIterator[App]:
    """Start everything that serving needs but the entrypoints themselves.

    `file` is the flow file of this process: it owns what it declares. None leaves the
    configuration as it is kept.

    Raises: ConfigError, Unavailable.
    """
    check_format(settings.data_dir)
    async with AsyncExitStack() as stack:
        engine = await _engine(settings, stack) if settings.embedded else None
        store_url = engine.url if engine else settings.store.reveal()
        queue_url = settings.queue.reveal() or store_url
        await _check(settings, store_url, queue_url)
        registry_pipe = _pipe(store_url)
        stack.push_async_callback(registry_pipe.close)
        live = await _live(settings, store_url, pipe=registry_pipe)
        following = asyncio.create_task(live.follow(), name="follow-configuration")
        stack.push_async_callback(_cancelled, following)
        if file is not None:
            await live.adopt_file(file)
        store = await RedisStore.open(_pipe(store_url), prefix=settings.store_prefix)
        stack.push_async_callback(store.close)
        leases = RedisLeases(_pipe(store_url), prefix=settings.store_prefix, epoch=store.epoch)
        stack.push_async_callback(leases.close)
        prefix = settings.store_prefix
        arrivals = RedisArrivals(
            _pipe(store_url), url=store_url, prefix=prefix, limit=settings.max_waiting_readers
        )
        stack.push_async_callback(arrivals.close)
        headroom = await _headroom(
            settings, store_url, store_url if is_sqs(queue_url) else queue_url
        )
        stack.push_async_callback(headroom.close)
        open_queues = _open_sqs if is_sqs(queue_url) else _open_streams
        queues = await open_queues(settings, queue_url, headroom=headroom, stack=stack)
        rejections = RedisRejections(_pipe(store_url), prefix=prefix)
        keeper = Keeper(rejections, headroom=headroom)
        stack.push_async_callback(rejections.close)
        stack.push_async_callback(keeper.close)
        tally = RedisTally(_pipe(store_url), prefix=prefix)
        rates = Rates(tally)
        stack.push_async_callback(tally.close)
        stack.push_async_callback(rates.close)
        yield App(
            settings=settings,
            live=live,
            store=store,
            queue=queues.edge,
            letters=queues.letters,
            rejections=rejections,
            keeper=keeper,
            rates=rates,
            allowances=Allowances(store),
            headroom=headroom,
            arrivals=arrivals,
            leases=leases,
            engine=engine,
            worker_queues=queues.workers,
        )


@dataclass(frozen=True, slots=True)
class _Queues:
    """The queue as the edge sees it and as each worker does, and its dead letters."""

    edge: Queue
    letters: DeadLetters
    workers: tuple[Queue, ...]


async def _open_streams(
    settings: Settings, url: str, *, headroom: Headroom, stack: AsyncExitStack
) -> _Queues:
    edge = _stream(settings, url, 0, headroom=headroom)
    letters = RedisDeadLetters(_pipe(url), prefix=settings.store_prefix, headroom=headroom)
    stack.push_async_callback(letters.close)
    workers = [_stream(settings, url, 1 + place) for place in range(_workers(settings))]
    for each in (edge, *workers):
        stack.push_async_callback(each.close)
    return _Queues(edge, letters, tuple(workers))


async def _open_sqs(
    settings: Settings, url: str, *, headroom: Headroom, stack: AsyncExitStack
) -> _Queues:
    """A queue on SQS; what it holds takes no memory of ours. Raises: ConfigError."""
    del url, headroom
    source = await open_sqs(settings)
    stack.push_async_callback(source.close)
    letters = source.letters()
    stack.push_async_callback(letters.close)
    edge, *workers = (source.queue() for _ in range(1 + _workers(settings)))
    for each in (edge, *workers):
        stack.push_async_callback(each.close)
    return _Queues(edge, letters, tuple(workers))


@asynccontextmanager
async def open_processor(
    settings: Settings, file: Configuration | None = None
) -> AsyncIterator[Processor]:
    """An existing store on one connection, and the configuration as it is now; no queue.

    Nobody follows changes here: `live.refresh` is for whoever has something to process.
    Raises: ConfigError, Unavailable.
    """
    url = settings.store.reveal()
    check_format(settings.data_dir)
    async with AsyncExitStack() as stack:
        await _check(settings, url, url)
        pipe = _pipe(url)
        stack.push_async_callback(pipe.close)
        live = await _live(settings, url, pipe=pipe)
        if file is not None:
            await live.adopt_file(file)
        store = await RedisStore.open(pipe, prefix=settings.store_prefix)
        yield Processor(settings, live, store)


async def _live(settings: Settings, url: str, *, pipe: Pipe) -> Live:
    """The configuration in force. Raises: ConfigError, Unavailable."""
    folder = open_folder(settings.data_dir, where=settings.origins["data_dir"])
    key = secret_key(
        settings.secret_key,
        data_dir=folder,
        embedded=settings.embedded,
        where=settings.origins["secret_key"],
    )
    sealer = Sealer(key)
    admin = admin_token(settings.admin_token, data_dir=folder)
    tokens = Tokens.of_admin(admin, pepper=sealer.derive("tokens"))
    registry = RedisRegistry(pipe, url=url, prefix=settings.store_prefix)
    live = Live(registry, sealer=sealer, tokens=tokens)
    await live.refresh()
    return live


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel until it has ended: redis-py takes a cancel while it connects for a timeout."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.2)


def _workers(settings: Settings) -> int:
    return settings.workers if "worker" in settings.role else 0


async def _headroom(settings: Settings, store_url: str, queue_url: str) -> RedisMemory:
    """What watches the memory; it has looked once before anything comes in."""
    store = None if queue_url == store_url else _pipe(store_url)
    headroom = RedisMemory(_pipe(queue_url), prefix=settings.store_prefix, store=store)
    await headroom.refresh()
    return headroom


def _stream(
    settings: Settings, url: str, place: int, *, headroom: Headroom | None = None
) -> RedisStreams:
    return RedisStreams(
        _pipe(url),
        url=url,
        prefix=settings.store_prefix,
        consumer=_consumer(settings, place),
        lease=settings.lease,
        headroom=headroom,
    )


async def open_sqs(settings: Settings) -> "SqsSource":
    """The queue on SQS that the settings name. Raises: ConfigError."""
    where = settings.origins["queue"]
    try:
        from hookrack.queues.sqs_open import SqsSource  # noqa: PLC0415 - only who uses it pays
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"a queue on SQS needs a package that isn't installed ({exc.name})",
            where=where,
            mend="Install hookrack[aws].",
        ) from exc
    try:
        return await SqsSource.open(
            read_address(settings.queue.reveal()),
            lease=settings.lease,
            max_attempts=settings.max_attempts,
        )
    except ValueError as exc:
        raise ConfigError(str(exc), where=where, mend="Name a queue on SQS.") from exc
    except ConfigError as exc:
        raise ConfigError(exc.detail, where=settings.origins[exc.where], mend=exc.mend) from exc


async def _engine(settings: Settings, stack: AsyncExitStack) -> Engine:
    opened = open_engine(settings.data_dir, maxmemory=settings.max_memory or None)
    return await stack.enter_async_context(opened)


async def _check(settings: Settings, store_url: str, queue_url: str) -> None:
    """Refuse a store or queue that doesn't answer, or that can lose what was acknowledged."""
    for name, url in {"store": store_url, "queue": queue_url}.items():
        if name == "queue" and (url == store_url or is_sqs(url)):
            continue
        where = settings.origins[name]
        try:
            values = await read_config(url, tuple(PROMISE))
        except (Unavailable, ValueError, TypeError) as exc:
            # redis-py refuses parts of a URL that it doesn't know with errors of Python's own
            told = exc.detail if isinstance(exc, Unavailable) else "its URL has parts unknown here"
            raise ConfigError(
                f"the {name} at {_shown(url)} can't be used: {told}",
                where=where,
                mend="Start it, or name one that answers.",
            ) from exc
        _judge(name, values, accepted=settings.store_accept_loss, where=where)


# What is lost if a setting isn't as promised; a torn tail costs some versions what follows it.
_LOSS_BY: Final = {
    "appendonly": "aof",
    "appendfsync": "fsync",
    "no-appendfsync-on-rewrite": "fsync",
    "maxmemory-policy": "eviction",
}


def _judge(
    name: str, values: Mapping[str, str] | None, *, accepted: Sequence[str], where: str
) -> None:
    """Refuse losses that the operator hasn't accepted; say which ones there are."""
    if values is None:
        broken, losses = ["CONFIG GET is not allowed there"], ["unverified"]
    else:
        wrong = [each for each, good in PROMISE.items() if values.get(each) != good]
        broken = [f"{each} is {values.get(each)}" for each in wrong]
        losses = [_LOSS_BY[each] for each in wrong if each in _LOSS_BY]
    refused = [loss for loss in dict.fromkeys(losses) if loss not in accepted]
    if "aof" in losses and "fsync" in refused:
        refused.remove("fsync")  # without the file there is nothing to sync
    if refused:
        raise ConfigError(
            f"the {name} can lose acknowledged events: {', '.join(broken)}",
            where=where,
            mend="Set appendonly yes, appendfsync always and maxmemory-policy noeviction, "
            f"or accept it with storeAcceptLoss: [{', '.join(refused)}].",
        )
    if broken:
        emit(log.STORE_RISK, of=name, settings=broken, accepted=losses)


def _shown(url: str) -> str:
    """A URL without its credentials and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _pipe(url: str) -> Pipe:
    pipe = Pipe(url)
    pipe.connect()
    return pipe


def _consumer(settings: Settings, place: int) -> str:
    """Stable where nobody else can have it (the embedded engine's lock), else unique."""
    if settings.embedded:
        return f"embedded-{place}"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}-{place}"
