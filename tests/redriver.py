"""A process that redrives all dead letters and is killed just before it drops the first of them:
`redriver.py URL PREFIX`.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence

from harness import EXAMPLE

from hookrack._redis import Pipe
from hookrack.flows import read_configuration
from hookrack.letters import redrive
from hookrack.ports import DeadLetter, LetterFilter
from hookrack.queues.redis_dead_letters import RedisDeadLetters


class _Mortal(RedisDeadLetters):
    async def _drop(self, letters: Sequence[DeadLetter], places: Sequence[str]) -> int:
        del letters, places
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


async def _main(url: str, prefix: str) -> None:
    pipe = Pipe(url)
    pipe.connect()
    await redrive(
        LetterFilter(),
        letters=_Mortal(pipe, prefix=prefix),
        configuration=read_configuration(EXAMPLE, environ={}),
        now=time.time_ns() // 1_000_000,
    )


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
