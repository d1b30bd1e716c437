"""What DeadLetters promise on SQS: a bounded look at what is there, and nothing lost by it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from harness import EXAMPLE
from queueing import bodies, bury, envelope, receive
from sqsing import Liar, Sqs, refusal

from hookrack.errors import Code, Rejected, Unavailable
from hookrack.flows import read_configuration
from hookrack.letters import discard, redrive
from hookrack.ports import DeadLetter, LetterFilter
from hookrack.queues.sqs import SqsQueue
from hookrack.queues.sqs_dead_letters import SqsDeadLetters
from hookrack.queues.sqs_letters import fits
from hookrack.queues.sqs_open import SqsSource
from hookrack.sqs_address import read_address

ALL = LetterFilter()
SHORT = timedelta(seconds=3)


@pytest.fixture
async def source(sqs_server: Sqs, liar: Liar) -> AsyncIterator[SqsSource]:
    """An empty queue behind it, as the app opens it."""
    address = await sqs_server.make()
    opened = await sqs_server.open(read_address(address.url.replace(sqs_server.url, liar.url)))
    yield opened
    await opened.close()


@pytest.fixture
async def queue(source: SqsSource) -> SqsQueue:
    """The queue."""
    return source.queue()


@pytest.fixture
async def letters(source: SqsSource) -> SqsDeadLetters:
    """Its dead letters."""
    return source.letters()


async def ids(
    letters: SqsDeadLetters, wanted: LetterFilter = ALL, *, limit: int = 100, oldest: bool = False
) -> list[str]:
    """The event ids of all letters that fit, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = await letters.page(wanted, after=cursor, limit=limit, oldest_first=oldest)
        assert len(page.letters) <= limit
        found += [letter.event_id for letter in page.letters]
        cursor = page.cursor
        if cursor is None:
            return found


async def only(letters: SqsDeadLetters) -> DeadLetter:
    """The one letter that there is."""
    (letter,) = (await letters.page(ALL, limit=10)).letters
    return letter


async def test_a_letter_tells_everything(queue: SqsQueue, letters: SqsDeadLetters) -> None:
    """A dead letter has the envelope byte for byte, whose it is, why it failed and when."""
    body = envelope("e-1", data='{"a":  1, "a": "\u00fc"}'.encode())
    await bury(queue, body, reason=Code.KEYS_INVALID, detail="k\u00fcy \ud800 \uffff \x7f")
    letter = await only(letters)
    assert letter.envelope == body
    assert (letter.event_id, letter.account, letter.flow) == ("e-1", "acme", "github")
    assert (letter.reason, letter.detail) == ("KEYS_INVALID", "k\u00fcy \ud800 \uffff \x7f")
    assert (letter.attempts, letter.crashes) == (1, 0)
    assert letter.first_failed_at == letter.last_failed_at
    assert await letters.get("e-1") == letter
    assert await letters.get("e-2") is None


async def test_what_was_no_envelope_has_an_id_of_its_own(
    queue: SqsQueue, letters: SqsDeadLetters
) -> None:
    """A message that is no envelope is kept, under an id of its own, and belongs to no account."""
    await bury(queue, b"\x00\xff", b"{}", reason=Code.ENVELOPE_INVALID)
    found = (await letters.page(ALL, limit=10)).letters
    assert {each.envelope for each in found} == {b"{}", b"\x00\xff"}
    assert {(each.account, each.flow) for each in found} == {(None, None)}
    assert await letters.get(found[0].event_id) == found[0]


async def test_letters_are_paged_in_order(queue: SqsQueue, letters: SqsDeadLetters) -> None:
    """What a look brings is listed by the time of failure, in whole, page by page."""
    names = [f"e-{number}" for number in range(25)]
    for name in names:
        await bury(queue, envelope(name))
    assert await ids(letters, limit=7, oldest=True) == names
    assert await ids(letters, limit=1000) == names[::-1]
    assert await ids(letters, LetterFilter(ids=frozenset({"e-3", "e-9", "x"}))) == ["e-9", "e-3"]


async def test_a_filter_means_all_of_its_fields(queue: SqsQueue, letters: SqsDeadLetters) -> None:
    """Account, flow, reason, times and ids each narrow the list, alone and together."""
    await bury(queue, envelope("a"))
    await bury(queue, envelope("b", flow="orders"))
    await bury(queue, envelope("c", account="kairos"), reason=Code.KEYS_INVALID)
    await bury(queue, b"junk", reason=Code.ENVELOPE_INVALID)
    letters_ = (await letters.page(ALL, limit=10)).letters
    junk, c, b, a = letters_
    acme, kairos = frozenset({"acme"}), frozenset({"kairos"})
    for wanted, found in {
        LetterFilter(accounts=acme): ["b", "a"],
        LetterFilter(accounts=frozenset()): [],
        LetterFilter(flow="github", accounts=kairos): ["c"],
        LetterFilter(reason="KEYS_INVALID", accounts=acme): [],
        LetterFilter(since=c.last_failed_at, reason="KEYS_INVALID"): ["c"],
        LetterFilter(until=a.last_failed_at): [],
        LetterFilter(since=a.last_failed_at, until=junk.last_failed_at + 1): [
            *(junk.event_id, "c", "b", "a")
        ],
        LetterFilter(ids=frozenset({junk.event_id}), accounts=acme): [],
    }.items():
        assert [each.event_id for each in letters_ if fits(each, wanted)] == found, wanted
    assert b.account == "acme"
    assert await ids(letters, LetterFilter(accounts=acme), limit=1, oldest=True) == ["a", "b"]


async def test_a_page_is_bounded_by_bytes(queue: SqsQueue, letters: SqsDeadLetters) -> None:
    """A page ends when its bytes are used up; without envelopes it takes them all."""
    large = b'"%b"' % (b"x" * 900_000)
    await bury(queue, *(envelope(f"e-{number}", data=large) for number in range(6)))
    first = await letters.page(ALL, limit=10)
    rest = await letters.page(ALL, after=first.cursor, limit=10)
    assert (len(first.letters), len(rest.letters), rest.cursor) == (4, 2, None)
    bare = await letters.page(ALL, limit=10, bare=True)
    assert [letter.envelope for letter in bare.letters] == [b""] * 6


async def test_a_made_up_cursor_is_refused(letters: SqsDeadLetters) -> None:
    """What is no cursor is an error of the caller's."""
    for text in ("", "x", "-1", "1e3", "9" * 40, "\u0661-a", "1-", "1-a b"):
        with pytest.raises(Rejected) as caught:
            await letters.page(ALL, after=text, limit=1)
        assert caught.value.code is Code.CURSOR_INVALID


async def test_letters_that_others_look_at_are_said_to_be_missing(
    source: SqsSource, queue: SqsQueue
) -> None:
    """While another process looks at letters they are hidden from this one, which says so; once
    that one lets go they are here.
    """
    await bury(queue, envelope("e-1"))
    one, two = source.letters(), source.letters()
    assert await ids(one) == ["e-1"]
    hidden = await two.page(ALL, limit=10)
    assert (hidden.letters, hidden.cursor, hidden.partial) == ((), None, True)
    assert await ids(one) == ["e-1"]
    await one.close()
    shown = await two.page(ALL, limit=10)
    assert ([each.event_id for each in shown.letters], shown.partial) == (["e-1"], False)


async def test_more_letters_than_a_look_takes_are_said_to_be_there(
    queue: SqsQueue, source: SqsSource
) -> None:
    """A look is bounded, and a page says when there is more than it brought."""
    letters = SqsDeadLetters(source.client, source.pair, most=10)
    await bury(queue, *(envelope(f"e-{number}") for number in range(60)))
    page = await letters.page(ALL, limit=1000)
    assert page.partial
    assert page.cursor is None
    assert 10 <= len(page.letters) < 60


async def test_a_look_ends_by_itself(source: SqsSource, queue: SqsQueue) -> None:
    """What was looked at and neither redriven nor dropped is there again after its time."""
    letters = SqsDeadLetters(source.client, source.pair, hold=SHORT)
    await bury(queue, envelope("e-1"))
    assert await ids(letters) == ["e-1"]
    other = source.letters()
    async with asyncio.timeout(10):
        while await ids(other) != ["e-1"]:
            pass


async def test_a_redriven_letter_is_an_envelope_again(
    queue: SqsQueue, letters: SqsDeadLetters
) -> None:
    """A redrive puts the envelope back on the queue, as it was; its attempts start anew."""
    sent = [envelope(f"e-{number}") for number in range(13)]
    await bury(queue, *sent)
    found = (await letters.page(ALL, limit=20, oldest_first=True)).letters
    assert await letters.redrive(found) == 13
    assert await ids(letters) == []
    assert (await letters.stats()).depth == 0
    again = await receive(queue)
    while len(again) < 13:
        again += await receive(queue)
    assert {each.body for each in again} == set(sent)
    assert {(each.attempts, each.crashes) for each in again} == {(0, 0)}


async def test_a_redrive_finds_letters_that_it_did_not_look_at(
    source: SqsSource, queue: SqsQueue, letters: SqsDeadLetters
) -> None:
    """A letter whose look is over, or was another's, is looked for again."""
    await bury(queue, envelope("e-1"))
    letter = await only(letters)
    await letters.close()
    again = source.letters()
    assert await again.redrive([replace(letter, envelope=b"mended")]) == 1
    assert await bodies(queue) == [b"mended"]
    assert await again.redrive([letter]) == 0


async def test_a_redrive_that_is_refused_drops_no_letter(
    queue: SqsQueue, letters: SqsDeadLetters, liar: Liar
) -> None:
    """What the queue doesn't take stays a dead letter."""
    await bury(queue, envelope("e-1"))
    letter = await only(letters)
    fault = {"Id": "0", "SenderFault": True, "Code": "KmsAccessDenied"}
    liar.lies["SendMessageBatch"] = [(200, {"Successful": [], "Failed": [fault]})]
    with pytest.raises(Unavailable, match="KmsAccessDenied"):
        await letters.redrive([letter])
    assert (await letters.stats()).depth == 1


async def test_discarded_letters_are_gone(queue: SqsQueue, letters: SqsDeadLetters) -> None:
    """A discarded letter is nowhere any more; a second discard finds nothing."""
    await bury(queue, envelope("e-1"))
    await bury(queue, envelope("e-2"))
    second, first = (await letters.page(ALL, limit=10)).letters
    assert await letters.discard([first]) == 1
    assert await letters.discard([first]) == 0
    assert await ids(letters) == [second.event_id]
    assert await discard(ALL, letters=letters) == 1
    assert await ids(letters) == []


async def test_a_redrive_skips_what_would_fail_again(
    queue: SqsQueue, letters: SqsDeadLetters
) -> None:
    """The rules of a redrive hold on SQS: unknown flows are skipped, past events stay."""
    await bury(queue, envelope("e-1"), envelope("e-2", flow="gone"), b"junk")
    await bury(queue, envelope("e-3", received_at=1))
    configuration = read_configuration(EXAMPLE, environ={})
    now = (await only_of(letters, "e-1")).last_failed_at
    done = await redrive(ALL, letters=letters, configuration=configuration, now=now)
    assert (done.redriven, done.skipped, done.expired) == (1, 2, 1)
    assert (await letters.stats()).depth == 3


async def only_of(letters: SqsDeadLetters, event_id: str) -> DeadLetter:
    """The letter of one event."""
    letter = await letters.get(event_id)
    assert letter is not None
    return letter


async def test_all_of_very_many_are_moved_by_sqs(
    queue: SqsQueue, source: SqsSource, liar: Liar
) -> None:
    """Where a look can't take them all, SQS is asked to move them, to this very queue."""
    letters = SqsDeadLetters(source.client, source.pair, most=2)
    await bury(queue, *(envelope(f"e-{number}") for number in range(3)))
    running = {"Results": [{"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 1}]}
    done = {"Results": [{"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 3}]}
    liar.lies["StartMessageMoveTask"] = [(200, {"TaskHandle": "t"})]
    liar.lies["ListMessageMoveTasks"] = [(200, running), (200, done)]
    configuration = read_configuration(EXAMPLE, environ={})
    found = await redrive(ALL, letters=letters, configuration=configuration, now=2**40)
    assert found.redriven == 3
    (task,) = [heard for name, heard in liar.heard if name == "StartMessageMoveTask"]
    assert task["SourceArn"].endswith("-dead")
    assert task["DestinationArn"] == task["SourceArn"].removesuffix("-dead")


async def test_a_move_that_fails_is_an_error(
    queue: SqsQueue, source: SqsSource, liar: Liar
) -> None:
    """A task that SQS gives up says why."""
    letters = SqsDeadLetters(source.client, source.pair, most=0)
    await bury(queue, envelope("e-1"))
    liar.lies["StartMessageMoveTask"] = [(200, {"TaskHandle": "t"})]
    failed = {"Results": [{"Status": "FAILED", "FailureReason": "AccessDenied"}]}
    liar.lies["ListMessageMoveTasks"] = [(200, failed)]
    with pytest.raises(Unavailable, match="AccessDenied"):
        await letters.redrive_all()


async def test_without_the_task_it_goes_letter_by_letter(
    queue: SqsQueue, source: SqsSource, liar: Liar
) -> None:
    """Where the task isn't allowed, a redrive of all takes what a look brings."""
    await bury(queue, envelope("e-1"), envelope("e-2"))
    liar.lies["StartMessageMoveTask"] = [refusal("AccessDeniedException")]
    letters = SqsDeadLetters(source.client, source.pair, most=1)
    configuration = read_configuration(EXAMPLE, environ={})
    done = await redrive(ALL, letters=letters, configuration=configuration, now=2**42)
    assert done.redriven + done.expired == 2
    assert any(name == "StartMessageMoveTask" for name, _ in liar.heard)
