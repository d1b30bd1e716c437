"""A worker process that dies whenever it stores what kills it: `mortal.py URL PREFIX MARK`.

It ends with 0 once the queue is empty, and with 9, at once and without a word, when it meets data
that contains the mark.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from harness import EXAMPLE, wait_until

from hookrack._redis import Pipe
from hookrack.entrypoints.worker import Worker
from hookrack.flows import read_configuration
from hookrack.model import Outcome, Placement
from hookrack.pipeline import process
from hookrack.queues.redis_streams import RedisStreams
from hookrack.quotas import NO_QUOTAS, Quotas
from hookrack.stores.redis import RedisStore


def _pipe(url: str) -> Pipe:
    pipe = Pipe(url)
    pipe.connect()
    return pipe


class _Mortal(RedisStore):
    """A store that takes its process with it."""

    mark = b""

    async def put(
        self, account: str, placements: Sequence[Placement], *, quotas: Quotas = NO_QUOTAS
    ) -> list[Outcome]:
        """As its parent, unless it is deadly."""
        if any(self.mark in each.event.data for each in placements):
            os._exit(9)
        return await super().put(account, placements, quotas=quotas)


async def _main(url: str, prefix: str, mark: str) -> None:
    store = await _Mortal.open(_pipe(url), prefix=prefix)
    _Mortal.mark = mark.encode()
    queue = RedisStreams(
        _pipe(url), url=url, prefix=prefix, consumer="embedded-1", lease=timedelta(seconds=30)
    )
    configuration = read_configuration(EXAMPLE, environ={})
    work = partial(process, configuration=configuration, store=store, max_attempts=5)
    worker = Worker(queue, work, batch_size=100)
    await worker.start()

    async def drained() -> bool:
        return (await queue.stats()).depth == 0

    await wait_until(drained, what="an empty queue", seconds=60)
    await worker.stop()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
