"""What a Queue promises wherever it is: on Redis Streams, and on SQS.

What SQS can't promise, and why:

- an order among one account's envelopes: standard queues have none (FIFO queues do);
- that bytes stay bytes: it takes text, so what isn't is kept in another form and comes out the
  same, or as an envelope that says the same (`test_sqs_text.py`);
- attempts apart from crashes, and giving back for nothing: it counts hand-overs, and only those;
- that a wait which is cut off took nothing: it may hand over into a connection that is closed;
- recovering what a lost worker held at once: it doesn't know consumers, so leases end in time;
- how many are refused as not ours any more by another's doing, and one step for a letter: calls
  are one by one;
- finding an event, and purging an account: it can't be searched;
- delays below a second: times are whole seconds;
- one suspect at a time among all workers: each worker takes them one by one by itself.
"""

import asyncio
from datetime import timedelta

import pytest
from queueing import Anyone, bodies, envelope, failed, receive, send

from hookrack.model import decode_envelope

NO_WAIT = timedelta(0)
SHORT = timedelta(seconds=1)


async def test_what_is_sent_is_received(anyone: Anyone) -> None:
    """An envelope comes out of the queue as it went in, large ones as well."""
    queue = anyone()
    sent = [envelope(data=each) for each in (b"1", '"\u00fc \U0001f600"'.encode(), b'{"a":  1}')]
    sent.append(envelope(data=b'"%b"' % (b"x" * 600_000)))
    await send(queue, *sent)
    found: list[bytes] = []
    while more := await bodies(queue):
        found += more
    assert sorted(found) == sorted(sent)


async def test_any_event_survives_the_queue(anyone: Anyone) -> None:
    """Data that the queue can't hold as it is arrives as the same event, byte for byte."""
    queue = anyone()
    odd = '{"\uffff": "\ufffe\x7f\u0085", "t":\t1,\r\n"esc": "\\u0000"}'.encode()
    sent = [
        envelope(data=odd),
        envelope(data=bytes(range(256)), content_type="application/octet-stream"),
        envelope(data=b"1", dedupe_id="\x00\uffff\x1f"),
    ]
    await send(queue, *sent)
    found = [decode_envelope(each) for each in await bodies(queue)]
    assert sorted(found, key=lambda each: each.id) == sorted(
        (decode_envelope(each) for each in sent), key=lambda each: each.id
    )


async def test_what_is_no_envelope_is_kept_too(anyone: Anyone) -> None:
    """Whatever bytes are handed to it come out of it."""
    queue = anyone()
    sent = [bytes(range(256)), b"\xff", b"{}", b"plain \xef\xbf\xbf"]
    await send(queue, *sent)
    assert sorted(await bodies(queue)) == sorted(sent)


async def test_sends_at_once_are_all_kept(anyone: Anyone) -> None:
    """However many send at the same time, each has its envelope in the queue when it returns."""
    queue = anyone()
    sent = {b"%d" % number for number in range(57)}
    await asyncio.gather(*(queue.send("acme", each) for each in sent))
    found: list[bytes] = []
    while more := await bodies(queue):
        found += more
    assert set(found) == sent
    assert len(found) == len(sent)


async def test_a_sender_that_gives_up_harms_no_other(anyone: Anyone) -> None:
    """A cancelled send takes nothing from those that wait beside it."""
    queue = anyone()
    many = [asyncio.create_task(queue.send("acme", b"%d" % number)) for number in range(30)]
    await asyncio.sleep(0)
    for task in many[::3]:
        task.cancel()
    ended = await asyncio.gather(*many, return_exceptions=True)
    kept = {b"%d" % number for number, each in enumerate(ended) if each is None}
    assert len(kept) >= 20
    found: list[bytes] = []
    while more := await bodies(queue):
        found += more
    assert kept <= set(found)


async def test_a_leased_envelope_is_hidden_from_others(anyone: Anyone) -> None:
    """While one worker holds an envelope no other gets it."""
    one, two = anyone("one"), anyone("two")
    await send(one, b"a")
    assert await bodies(one) == [b"a"]
    assert await bodies(two) == []
    assert await bodies(one) == []


async def test_a_batch_is_as_large_as_asked_for(anyone: Anyone) -> None:
    """Up to `limit` envelopes come at once, never more, and the rest later."""
    queue = anyone()
    await asyncio.gather(*(queue.send("acme", b"%d" % number) for number in range(45)))
    assert len(await bodies(queue, 3)) == 3
    sizes = [len(await bodies(queue, 30)) for _ in range(4)]
    assert max(sizes) <= 30
    assert sum(sizes) == 42


async def test_an_acked_envelope_is_gone(anyone: Anyone) -> None:
    """After an ack nothing of the envelope is left; a second one finds nothing."""
    queue = anyone()
    await send(queue, b"a", b"b")
    first, second = await queue.receive(10, wait=NO_WAIT)
    assert await queue.ack([first]) == 1
    stats = await queue.stats()
    assert (stats.depth, stats.in_flight) == (1, 1)
    assert await queue.ack([second]) == 1
    assert (await queue.stats()).depth == 0
    assert await queue.ack([first, second]) == 0
    assert await queue.ack([]) == 0


async def test_a_lease_that_ends_hands_the_envelope_over_again(anyone: Anyone) -> None:
    """What a lost worker held comes to another one, and it shows that it is not the first time."""
    lost, next_one = anyone("lost", lease=SHORT), anyone("next", lease=SHORT)
    await send(lost, b"a")
    assert await bodies(lost) == [b"a"]
    (delivery,) = await receive(next_one)
    assert (delivery.body, delivery.attempts + delivery.crashes) == (b"a", 1)


async def test_a_late_worker_can_not_settle_what_another_holds(anyone: Anyone) -> None:
    """Ack, retry, bury and extend of a lost lease change nothing for its new holder."""
    late, holder = anyone("late", lease=SHORT), anyone("holder", lease=timedelta(seconds=2))
    await send(late, b"a")
    (old,) = await late.receive(10, wait=NO_WAIT)
    (new,) = await receive(holder)
    assert await late.ack([old]) == 0
    assert await late.retry([failed(old)], delay=NO_WAIT) == 0
    assert await late.bury([failed(old)]) == 0
    assert await late.extend([old]) == 0
    assert await holder.ack([new]) == 1


async def test_extending_keeps_the_lease(anyone: Anyone) -> None:
    """A worker that extends its lease keeps the envelope past the time of the first one."""
    slow, other = anyone("slow", lease=timedelta(seconds=2)), anyone("other")
    await send(slow, b"a")
    (delivery,) = await slow.receive(10, wait=NO_WAIT)
    loop = asyncio.get_running_loop()
    ends = loop.time() + 3
    while loop.time() < ends:
        assert await slow.extend([delivery]) == 1
        assert await other.receive(10, wait=timedelta(milliseconds=200)) == []
    assert await slow.ack([delivery]) == 1


async def test_a_retry_comes_back_after_its_delay_one_attempt_older(anyone: Anyone) -> None:
    """A retried envelope is hidden for its delay and then counts one attempt more."""
    queue = anyone()
    await send(queue, b"a")
    (first,) = await queue.receive(10, wait=NO_WAIT)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await queue.retry([failed(first)], delay=SHORT) == 1
    assert await bodies(queue) == []
    (second,) = await receive(queue)
    assert loop.time() - began >= 0.9
    assert (second.body, second.attempts, second.crashes) == (b"a", 1, 0)
    await queue.retry([failed(second)], delay=NO_WAIT)
    (third,) = await receive(queue)
    assert third.attempts == 2


async def test_extending_does_not_put_off_a_retry(anyone: Anyone) -> None:
    """A batch that is extended while one of it waits for its next attempt doesn't delay that."""
    queue = anyone(lease=timedelta(seconds=60))
    await send(queue, b"a")
    (delivery,) = await queue.receive(10, wait=NO_WAIT)
    await queue.retry([failed(delivery)], delay=SHORT)
    await queue.extend([delivery])
    (again,) = await receive(queue)
    assert again.attempts == 1


async def test_a_buried_envelope_is_off_the_queue(anyone: Anyone) -> None:
    """Burying takes the envelope off the queue for good."""
    queue = anyone()
    await send(queue, b"\x00no envelope", b"b")
    found = await queue.receive(10, wait=NO_WAIT)
    assert await queue.bury([failed(each) for each in found]) == 2
    assert (await queue.stats()).depth == 0
    assert await queue.bury([failed(each) for each in found]) == 0


async def test_what_is_given_back_comes_at_once(anyone: Anyone) -> None:
    """A worker that stops lets go of what it holds, and the next one has it at once."""
    one, two = anyone("one"), anyone("two")
    await send(one, b"a", b"b")
    assert len(await bodies(one)) == 2
    assert await one.give_back() == 2
    assert sorted(await bodies(two)) == [b"a", b"b"]
    assert await one.give_back() == 0


async def test_large_batches_are_settled_whole(anyone: Anyone) -> None:
    """A batch of more than one call's share is settled to the last."""
    queue = anyone()
    await asyncio.gather(*(queue.send("acme", b"%d" % place) for place in range(45)))
    batch = await queue.receive(100, wait=NO_WAIT)
    while len(batch) < 45:
        batch += await queue.receive(100, wait=NO_WAIT)
    assert await queue.retry([failed(each) for each in batch[:15]], delay=SHORT) == 15
    assert await queue.bury([failed(each) for each in batch[15:30]]) == 15
    assert await queue.ack(batch[30:]) == 15
    assert (await queue.stats()).depth == 15


async def test_a_suspect_comes_alone(anyone: Anyone) -> None:
    """What was handed over twice and never settled comes by itself, after what is new."""
    queue = anyone(lease=SHORT)
    await send(queue, b"a", b"b", b"c")
    for _ in range(2):
        found: list[bytes] = []
        while len(found) < 3:
            found += [each.body for each in await receive(queue)]
    again = anyone("next", lease=SHORT)
    await send(again, b"fresh")
    batches: list[list[bytes]] = []
    while sum(map(len, batches)) < 4:
        batch = await receive(again)
        batches.append([each.body for each in batch])
        assert await again.ack(batch) == len(batch)
    assert all(len(batch) == 1 for batch in batches)


@pytest.mark.parametrize("how", ["one", "ten"])
async def test_a_waiting_worker_is_woken_by_a_send(anyone: Anyone, how: str) -> None:
    """A worker that waits gets an envelope as soon as it is sent."""
    worker, edge = anyone("worker"), anyone("edge")
    limit = 1 if how == "one" else 10
    waiting = asyncio.create_task(worker.receive(limit, wait=timedelta(seconds=20)))
    await asyncio.sleep(0)
    await send(edge, b"a")
    async with asyncio.timeout(5):
        assert [delivery.body for delivery in await waiting] == [b"a"]


async def test_waiting_for_nothing_ends(anyone: Anyone) -> None:
    """A wait without any envelope ends with none."""
    assert await anyone().receive(10, wait=timedelta(milliseconds=30)) == []


async def test_a_cancelled_wait_loses_nothing(anyone: Anyone) -> None:
    """What comes to a worker that is stopped in its wait isn't lost; it comes in a lease's time."""
    worker, edge = anyone("worker", lease=SHORT), anyone("edge")
    waiting = asyncio.create_task(worker.receive(10, wait=timedelta(seconds=20)))
    await asyncio.sleep(0)
    sending = asyncio.create_task(send(edge, b"a"))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await sending
    await worker.give_back()
    (delivery,) = await receive(anyone("next", lease=SHORT))
    assert delivery.body == b"a"


@pytest.mark.parametrize("how", ["recover", "give_back"])
async def test_there_may_be_nothing_to_take_back(anyone: Anyone, how: str) -> None:
    """The very first worker finds nothing to take back."""
    assert await getattr(anyone(), how)() == 0
