"""What every Queue promises about an account that is deleted: nothing of it is handed over."""

import asyncio
import json
from datetime import timedelta

from queueing import Consumer, bodies, envelope, failed, send

from hookrack.queues import redis_purge
from hookrack.queues.redis_keys import partition_of
from hookrack.queues.redis_streams import RedisStreams

NO_WAIT = timedelta(0)


def neighbour_of(account: str) -> str:
    """Another account whose envelopes go to the same partition."""
    names = (f"n{number}" for number in range(1_000))
    return next(name for name in names if partition_of(name) == partition_of(account))


async def test_a_purge_takes_one_account_and_leaves_its_neighbour(queue: RedisStreams) -> None:
    """Every envelope of the account is gone and counted; those of others stay in their order."""
    other = neighbour_of("acme")
    kept = [envelope(account=other, data=b"%d" % number) for number in range(20)]
    for each in kept:
        await send(queue, each, account=other)
        await send(queue, envelope())
    assert await queue.purge("acme") == 20
    assert await bodies(queue) == kept
    assert await queue.purge("acme") == 0


async def test_what_is_leased_or_waits_for_a_retry_goes_too(consumer: Consumer) -> None:
    """A purge ends leases and forgets failures; a worker that settles late settles nothing."""
    one, two = consumer("one"), consumer("two")
    await send(one, envelope(), envelope())
    first, second = await one.receive(10, wait=NO_WAIT)
    await one.retry([failed(first)], delay=NO_WAIT)
    assert await two.purge("acme") == 2
    stats = await two.stats()
    assert (stats.depth, stats.in_flight) == (0, 0)
    assert await one.ack([second]) == 0
    assert await bodies(one) == []


async def test_another_producers_form_is_known_as_well(queue: RedisStreams) -> None:
    """Whose an envelope is doesn't depend on the order or spacing of its fields; junk stays."""
    fields = json.loads(envelope())
    await send(queue, json.dumps(dict(reversed(fields.items()))).encode(), b"junk", b'{"acme": 1}')
    assert await queue.purge("acme") == 1
    assert await bodies(queue) == [b"junk", b'{"acme": 1}']


async def test_a_quoted_account_is_not_the_account(queue: RedisStreams) -> None:
    """Data that mentions an account's name in an envelope's form belongs to whom it belongs."""
    other = neighbour_of("acme")
    quoting = envelope(account=other, data=json.dumps({"account": "acme", "id": "x"}).encode())
    await send(queue, quoting, account=other)
    assert await queue.purge("acme") == 0
    assert await bodies(queue) == [quoting]


async def test_large_queues_are_purged_in_portions(queue: RedisStreams) -> None:
    """What is more than one script looks at goes as well."""
    many = 2 * redis_purge.ENTRIES + 1
    await asyncio.gather(*(queue.send("acme", envelope()) for _ in range(many)))
    assert await queue.purge("acme") == many


async def test_an_empty_queue_has_nothing_to_purge(queue: RedisStreams) -> None:
    """A purge before any worker or envelope was ever there is no error."""
    assert await queue.purge("acme") == 0
