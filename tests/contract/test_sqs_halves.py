"""Calls of which SQS does a part and refuses the rest: only what was done counts as done."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from queueing import envelope, failed, receive, send
from sqsing import ASKED, Liar, Sqs, refusal

from hookrack.errors import Code, ConfigError, Unavailable
from hookrack.model import Delivery
from hookrack.ports import Failure, LetterFilter
from hookrack.queues.sqs_open import SqsSource
from hookrack.sqs_address import QueueAddress, read_address

NO_WAIT = timedelta(0)


@pytest.fixture
async def address(sqs_server: Sqs, liar: Liar) -> QueueAddress:
    """A queue behind it."""
    return read_address((await sqs_server.make()).url.replace(sqs_server.url, liar.url))


@pytest.fixture
async def source(sqs_server: Sqs, address: QueueAddress) -> AsyncIterator[SqsSource]:
    """The same, as the app opens it."""
    opened = await sqs_server.open(address)
    yield opened
    await opened.close()


def half(done: str = "0", refused: str = "1") -> tuple[int, dict[str, Any]]:
    """A 200 that says that one of two entries was done."""
    fault = {"Id": refused, "SenderFault": False, "Code": "InternalError"}
    return 200, {"Successful": [{"Id": done, "MessageId": "m"}], "Failed": [fault]}


async def two(source: SqsSource) -> tuple[Any, list[Delivery]]:
    """A queue with two deliveries in hand."""
    queue = source.queue()
    await send(queue, envelope("e-0"), envelope("e-1"))
    found: list[Delivery] = []
    while len(found) < 2:
        found += await receive(queue)
    return queue, found


async def test_half_a_delete_is_half_an_ack(source: SqsSource, liar: Liar) -> None:
    """What SQS didn't delete isn't counted as acked; it comes back when its lease ends."""
    queue, found = await two(source)
    liar.lies["DeleteMessageBatch"] = [half()]
    assert await queue.ack(found) == 1


async def test_half_a_retry_is_counted_as_half(source: SqsSource, liar: Liar) -> None:
    """What SQS didn't hide comes back by itself, later."""
    queue, found = await two(source)
    liar.lies["ChangeMessageVisibilityBatch"] = [half()]
    assert await queue.retry([failed(each) for each in found], delay=NO_WAIT) == 1


async def test_of_a_half_kept_burial_only_that_half_is_deleted(
    source: SqsSource, liar: Liar
) -> None:
    """A message whose letter the dead-letter queue refused isn't deleted."""
    queue, found = await two(source)
    liar.lies["SendMessageBatch"] = [half()]
    with pytest.raises(Unavailable, match="InternalError"):
        await queue.bury([failed(each) for each in found])
    deleted = [told["Entries"] for name, told in liar.heard if name == "DeleteMessageBatch"]
    assert [[each["ReceiptHandle"] for each in some] for some in deleted] == [[found[0].receipt]]
    assert await queue.bury([failed(found[1])]) == 1


async def test_a_function_is_told_which_letters_are_kept(source: SqsSource, liar: Liar) -> None:
    """On Lambda, what the dead-letter queue refused isn't among what may be deleted."""
    failures = [
        Failure(Delivery(name, b"hello"), Code.ENVELOPE_INVALID, "no envelope")
        for name in ("m-0", "m-1")
    ]
    firsts = {"m-0": 1, "m-1": 1}
    liar.lies["SendMessageBatch"] = [half("1", "0")]
    kept = await source.bury(failures, first_received_at=firsts)
    assert [each.delivery.receipt for each in kept] == ["m-1"]
    assert len(await source.bury(failures, first_received_at=firsts)) == 2
    page = await source.letters().page(LetterFilter(), limit=10)
    assert {each.reason for each in page.letters} == {"ENVELOPE_INVALID"}


SKEWED = [
    refusal("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier"),
    refusal("InvalidSignatureException", "Signature not yet current: 20270101T000000Z is later"),
    refusal("RequestExpired", "Request has expired"),
]


@pytest.mark.parametrize("skewed", SKEWED, ids=["behind", "ahead", "expired"])
async def test_a_wrong_clock_is_named(
    source: SqsSource, sqs_server: Sqs, address: QueueAddress, liar: Liar, skewed: tuple[int, Any]
) -> None:
    """Whether the clock goes slow or fast, a send and a start say that it has to be set."""
    liar.lies["SendMessageBatch"] = [skewed] * ASKED
    with pytest.raises(Unavailable, match="clock of this machine wrong"):
        await source.queue().send("acme", b"x")
    liar.lies["GetQueueAttributes"] = [skewed] * ASKED
    with pytest.raises(ConfigError, match="clock of this machine wrong"):
        await sqs_server.open(address)


async def test_a_queue_of_another_region_is_not_found(
    sqs_server: Sqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that exists in one region alone is refused in another, with what to check."""
    made = await sqs_server.make()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs_server.url)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    with pytest.raises(
        ConfigError, match=r"no such queue in this region.*Check its URL, the region"
    ):
        await sqs_server.open(read_address(f"sqs://{made.name}"))
