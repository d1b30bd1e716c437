"""What the queue on SQS does with what only SQS has: calls, text, sizes, groups, counts."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from queueing import bodies, envelope, failed, receive, send
from sqsing import ASKED, Liar, Sqs, refusal

from hookrack.errors import Code, Rejected, Unavailable
from hookrack.ports import LetterFilter
from hookrack.queues.sqs_batches import FEW, MOST
from hookrack.queues.sqs_open import SqsSource
from hookrack.queues.sqs_text import MESSAGE_BYTES, PER_CALL, RESERVE
from hookrack.sqs_address import QueueAddress, read_address

NO_WAIT = timedelta(0)
LEASE = timedelta(seconds=30)


@pytest.fixture
async def address(sqs_server: Sqs) -> QueueAddress:
    """An empty standard queue."""
    return await sqs_server.make()


@pytest.fixture
async def source(sqs_server: Sqs, address: QueueAddress) -> AsyncIterator[SqsSource]:
    """The same, as the app opens it."""
    opened = await sqs_server.open(address)
    yield opened
    await opened.close()


@pytest.fixture
async def between(liar: Liar, sqs_server: Sqs, address: QueueAddress) -> AsyncIterator[SqsSource]:
    """The queue behind the liar."""
    opened = await sqs_server.open(read_address(address.url.replace(sqs_server.url, liar.url)))
    yield opened
    await opened.close()


def calls(liar: Liar, action: str) -> list[list[dict[str, str]]]:
    """The entries of each call of one action."""
    return [heard["Entries"] for name, heard in liar.heard if name == action]


async def test_sends_at_once_leave_together(between: SqsSource, liar: Liar) -> None:
    """A hundred sends of one moment are ten full calls, not a hundred."""
    queue = between.queue()
    await asyncio.gather(*(queue.send("acme", b"%d" % number) for number in range(100)))
    sizes = [len(each) for each in calls(liar, "SendMessageBatch")]
    assert sum(sizes) == 100
    assert len(sizes) <= 100 / PER_CALL + FEW
    assert MOST > FEW


async def test_a_call_is_bounded_by_bytes(between: SqsSource, liar: Liar, sqs_server: Sqs) -> None:
    """Large envelopes of one moment share a call only as far as a call's bytes go."""
    queue = between.queue()
    third = b"x" * (MESSAGE_BYTES // 3 - 1_000)
    await asyncio.gather(*(queue.send("acme", third) for _ in range(7)))
    sizes = [len(each) for each in calls(liar, "SendMessageBatch")]
    assert sum(sizes) == 7
    assert max(sizes) == 3
    assert await sqs_server.size(between.pair.url.replace(liar.url, sqs_server.url)) == 7


async def test_each_sender_has_its_own_answer(between: SqsSource, liar: Liar) -> None:
    """Where SQS takes one of two and still says 200, one sender is told that his isn't kept."""
    queue = between.queue()
    fault = {"Id": "1", "SenderFault": False, "Code": "InternalError"}
    kept = {"Id": "0", "MessageId": "m", "MD5OfMessageBody": "0cc175b9c0f1b6a831c399e269772661"}
    liar.lies["SendMessageBatch"] = [(200, {"Successful": [kept], "Failed": [fault]})]
    first, second = await asyncio.gather(
        queue.send("acme", b"a"), queue.send("acme", b"b"), return_exceptions=True
    )
    assert first is None
    assert isinstance(second, Unavailable)
    assert "InternalError" in second.detail


async def test_what_the_answer_leaves_out_is_not_kept(between: SqsSource, liar: Liar) -> None:
    """An answer that names an entry neither as kept nor as refused counts as a refusal."""
    liar.lies["SendMessageBatch"] = [(200, {"Successful": [], "Failed": []})]
    with pytest.raises(Unavailable):
        await between.queue().send("acme", b"a")


async def test_only_legal_text_is_sent(source: SqsSource, sqs_server: Sqs) -> None:
    """On the wire is text that XML can hold, whatever the envelope has; JSON where it can be."""
    queue = source.queue()
    odd = '{"\uffff": "\ufffe", "t":\t"\U0001f600"}'.encode()
    await send(queue, envelope(data=odd), envelope(data=b"1", dedupe_id="\x01\uffff"), b"\xff\x00")
    found = await sqs_server.take(source.pair.url)
    assert len(found) == 3
    for message in found:
        text = message["Body"]
        assert all(
            letter in "\t\n\r" or " " <= letter <= "\ud7ff" or "\ue000" <= letter <= "\ufffd"
            for letter in text
        )
    armoured = [json.loads(each["Body"]) for each in found if each["Body"].startswith("{")]
    assert len(armoured) == 2
    assert all("dataBase64" in each and each["v"] == 1 for each in armoured)


async def test_the_account_is_the_message_group(source: SqsSource, sqs_server: Sqs) -> None:
    """Accounts are told apart for SQS, which lets them take turns by it."""
    await send(source.queue(), b"a", account="kairos")
    (message,) = await sqs_server.take(source.pair.url)
    assert message["Attributes"]["MessageGroupId"] == "kairos"


async def test_an_envelope_that_is_too_large_is_refused(source: SqsSource) -> None:
    """What doesn't fit beside the reserve for a reason is BODY_TOO_LARGE; one byte less fits."""
    queue = source.queue()
    most = MESSAGE_BYTES - RESERVE
    with pytest.raises(Rejected) as caught:
        await queue.send("acme", b"x" * (most + 1))
    assert caught.value.code is Code.BODY_TOO_LARGE
    await queue.send("acme", b"x" * most)
    (delivery,) = await queue.receive(10, wait=NO_WAIT)
    assert len(delivery.body) == most
    assert await queue.bury([failed(delivery)]) == 1
    letter = await source.letters().page(LetterFilter(), limit=1)
    assert len(letter.letters[0].envelope) == most


async def test_a_smaller_limit_of_the_queue_holds(sqs_server: Sqs) -> None:
    """A queue that takes less than SQS could is asked how much."""
    source = await sqs_server.open(await sqs_server.make(MaximumMessageSize="65536"))
    with pytest.raises(Rejected, match="49152 bytes"):
        await source.queue().send("acme", b"x" * 50_000)
    await source.close()


async def test_attempts_are_the_receive_count(source: SqsSource, sqs_server: Sqs) -> None:
    """How often SQS handed it over before is what counts, whoever received it."""
    queue = source.queue()
    await send(queue, b"a")
    (message,) = await sqs_server.take(source.pair.url)
    handle = message["ReceiptHandle"]
    await sqs_server.client.call(
        "change_message_visibility",
        QueueUrl=source.pair.url,
        ReceiptHandle=handle,
        VisibilityTimeout=0,
    )
    (delivery,) = await receive(queue)
    assert (delivery.attempts, delivery.crashes) == (1, 0)


async def test_what_sqs_gives_up_is_a_letter_all_the_same(sqs_server: Sqs) -> None:
    """A message that was received too often is moved by SQS and listed as MAX_RECEIVES."""
    source = await sqs_server.open(await sqs_server.make(max_receives=2))
    queue = source.queue()
    body = envelope("e-1")
    await send(queue, body)
    for _ in range(2):
        (delivery,) = await receive(queue)
        await queue.retry([failed(delivery)], delay=NO_WAIT)
    assert await queue.receive(10, wait=NO_WAIT) == []
    (letter,) = (await source.letters().page(LetterFilter(), limit=10)).letters
    assert (letter.reason, letter.event_id, letter.account) == ("MAX_RECEIVES", "e-1", "acme")
    assert (letter.attempts, letter.envelope) == (2, body)
    await source.close()


async def test_a_letter_that_can_not_be_sent_deletes_nothing(
    between: SqsSource, liar: Liar
) -> None:
    """When the dead-letter queue refuses, the message stays where it is and isn't lost."""
    queue = between.queue()
    await send(queue, b"a")
    (delivery,) = await queue.receive(10, wait=NO_WAIT)
    fault = {"Id": "0", "SenderFault": False, "Code": "InternalError"}
    liar.lies["SendMessageBatch"] = [(200, {"Successful": [], "Failed": [fault]})]
    with pytest.raises(Unavailable):
        await queue.bury([failed(delivery)])
    assert not calls(liar, "DeleteMessageBatch")
    assert await queue.bury([failed(delivery)]) == 1
    assert (await queue.stats()).depth == 0


async def test_a_delete_that_fails_leaves_both(between: SqsSource, liar: Liar) -> None:
    """A letter is there before its message goes: cut off in between, both are there."""
    queue = between.queue()
    await send(queue, b"a")
    (delivery,) = await queue.receive(10, wait=NO_WAIT)
    liar.lies["DeleteMessageBatch"] = [refusal("InternalError", status=500)] * ASKED
    with pytest.raises(Unavailable):
        await queue.bury([failed(delivery)])
    assert (await queue.stats()).depth == 1
    assert (await between.letters().stats()).depth == 1


async def test_a_fifo_queue_keeps_an_accounts_order(sqs_server: Sqs) -> None:
    """A FIFO queue is taken as well; there one account's envelopes come as they were sent."""
    source = await sqs_server.open(await sqs_server.make(fifo=True))
    queue = source.queue()
    sent = [envelope(f"e-{number}") for number in range(12)]
    await send(queue, *sent)
    found: list[bytes] = []
    while batch := await queue.receive(10, wait=NO_WAIT):
        found += [each.body for each in batch]
        await queue.ack(batch)
    assert found == sent
    await source.close()


async def test_a_redrive_on_a_fifo_queue_is_no_duplicate(sqs_server: Sqs, liar: Liar) -> None:
    """SQS drops for five minutes what it has seen the id of, even after it was deleted; so what is
    redriven has another id each time, and what is sent twice by the SDK has the same.
    """
    made = await sqs_server.make(fifo=True)
    source = await sqs_server.open(read_address(made.url.replace(sqs_server.url, liar.url)))
    queue, letters = source.queue(), source.letters()
    body = envelope("e-1")
    await send(queue, body)
    for _ in range(2):
        await queue.bury([failed(each) for each in await receive(queue)])
        page = await letters.page(LetterFilter(), limit=10)
        assert await letters.redrive(page.letters) == 1
    assert await bodies(queue) == [body]
    sends = [heard for name, heard in liar.heard if name == "SendMessageBatch"]
    to_main = [each["Entries"] for each in sends if "-dead" not in each["QueueUrl"]]
    ids = [entry["MessageDeduplicationId"] for entries in to_main for entry in entries]
    assert len(set(ids)) == len(ids) == 3
    await source.close()


async def test_stats_tell_depth_and_leases(source: SqsSource) -> None:
    """Stats say how many envelopes are kept and how many are leased; SQS doesn't tell their age."""
    queue = source.queue()
    await send(queue, b"a", b"b", b"c")
    await queue.receive(2, wait=NO_WAIT)
    stats = await queue.stats()
    assert (stats.depth, stats.in_flight, stats.oldest_age) == (3, 2, None)


async def test_nothing_is_found_and_nothing_purged(source: SqsSource) -> None:
    """What SQS can't search is said not to be known, and none of it is dropped."""
    queue = source.queue()
    await send(queue, envelope("e-1"))
    assert await queue.find("acme", "e-1") is None
    assert await queue.purge("acme") is None
    assert len(await bodies(queue)) == 1
