"""Many messages in few calls: sends that wait for each other, and settling by tens.

A send leaves at once while fewer than `FEW` calls are out; what comes meanwhile leaves together
when one has returned, or as soon as it fills a call. Each waiter is answered from its own entry of
the reply: SQS can keep nine of ten and still answer 200.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from hookrack.errors import Code, Unavailable
from hookrack.queues.sqs_client import SqsClient
from hookrack.queues.sqs_text import MESSAGE_BYTES, PER_CALL, Fields, Message

FEW: Final = 2  # calls that are out while a part of one waits
MOST: Final = 16  # calls that are out at all
WAITING_BYTES: Final = 256 * 1024 * 1024  # that wait for a call

_Waiting = tuple[Message, "asyncio.Future[None]"]


class Sender:
    """Sends to one queue, coalesced."""

    def __init__(self, client: SqsClient, url: str) -> None:
        self._client = client
        self._url = url
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0  # of what waits
        self._running: set[asyncio.Task[None]] = set()

    def send(self, message: Message) -> "asyncio.Future[None]":
        """Done when SQS has it; or it raises Unavailable, as this does. Raises: Unavailable."""
        if self._bytes + message.size > WAITING_BYTES:
            raise _refused("too much waits to be sent to SQS")
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((message, done))
        self._bytes += message.size
        if len(self._waiting) == 1:
            self._loop.call_soon(self._pump)  # after all others of this tick
        elif self._is_full:
            self._pump()
        return done

    @property
    def _is_full(self) -> bool:
        """Whether what waits fills a call."""
        return len(self._waiting) >= PER_CALL or self._bytes >= MESSAGE_BYTES

    def _pump(self) -> None:
        while self._waiting and len(self._running) < (MOST if self._is_full else FEW):
            task = self._loop.create_task(self._flush(self._cut()))
            self._running.add(task)
            task.add_done_callback(self._returned)

    def _cut(self) -> list[_Waiting]:
        """What goes out next; what nobody waits for any more stays here."""
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < PER_CALL:
            each = self._waiting[0]
            own = each[0].size
            if batch and size + own > MESSAGE_BYTES:
                break
            self._waiting.popleft()
            self._bytes -= own
            if not each[1].done():
                batch.append(each)
                size += own
        return batch

    def _returned(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._pump()

    async def _flush(self, batch: Sequence[_Waiting]) -> None:
        why: Unavailable | None = None
        kept: list[str | None] = []
        try:
            kept = await send_batch(self._client, [each[0] for each in batch], url=self._url)
        except Unavailable as exc:
            why = exc
        finally:
            for place, (_, done) in enumerate(batch):
                if done.done():
                    continue
                if place < len(kept) and kept[place] is None:
                    done.set_result(None)
                else:
                    done.set_exception(_again(why, kept[place] if place < len(kept) else None))

    async def close(self) -> None:
        """Give up what is under way; whether SQS has it is unknown."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


def _again(why: Unavailable | None, fault: str | None) -> Unavailable:
    """An exception of its own for each waiter."""
    if why is not None:
        return Unavailable(why.code, why.detail, retry_after=why.retry_after)
    return _refused(f"SQS refused the message ({fault or 'no answer'})")


def _refused(detail: str) -> Unavailable:
    return Unavailable(Code.STORE_UNAVAILABLE, f"The queue can't be used: {detail}.")


async def send_batch(
    client: SqsClient, messages: Sequence[Message], *, url: str
) -> list[str | None]:
    """Send what fits into one call; for each message None if SQS has it, else its code.

    Raises: Unavailable.
    """
    if not messages:
        return []
    entries = [{"Id": str(place), **each.fields} for place, each in enumerate(messages)]
    reply = await client.call("send_message_batch", QueueUrl=url, Entries=entries)
    return _faults(reply, len(messages))


async def settle(
    client: SqsClient, entries: Sequence[Fields], *, action: str, url: str
) -> list[str | None]:
    """Delete or hide messages by tens; for each None if it was done, else the code of its fault.

    Raises: Unavailable; then some may be done.
    """
    calls = []
    for begun in range(0, len(entries), PER_CALL):
        some = [
            {"Id": str(place), **entry}
            for place, entry in enumerate(entries[begun : begun + PER_CALL])
        ]
        calls.append((some, client.call(action, QueueUrl=url, Entries=some)))
    replies = await asyncio.gather(*(call for _, call in calls))
    return [
        fault
        for (some, _), reply in zip(calls, replies, strict=True)
        for fault in _faults(reply, len(some))
    ]


def _faults(reply: dict[str, Any], number: int) -> list[str | None]:
    """Done is what the reply names as done, and nothing else."""
    done = {each.get("Id") for each in reply.get("Successful") or ()}
    faults = {each.get("Id"): str(each.get("Code"))[:60] for each in reply.get("Failed") or ()}
    ids = (str(place) for place in range(number))
    return [None if each in done else faults.get(each, "no answer") for each in ids]
