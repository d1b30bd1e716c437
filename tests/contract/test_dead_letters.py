"""What DeadLetters promise: kept whole, listed in order, sent round again at least once."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import redis.asyncio
from queueing import bodies, bury, envelope, failed, receive, send

from hookrack._redis import Pipe
from hookrack.errors import Code, Rejected
from hookrack.model import is_event_id
from hookrack.ports import DeadLetter, LetterFilter
from hookrack.queues.redis_dead_letters import PAGE_BYTES, SCAN, RedisDeadLetters
from hookrack.queues.redis_keys import DEAD_LETTER_TTL
from hookrack.queues.redis_streams import RedisStreams

ALL = LetterFilter()


@pytest.fixture
async def letters(url: str, prefix: str) -> AsyncIterator[RedisDeadLetters]:
    """The dead letters of the queue under test."""
    line = Pipe(url)
    line.connect()
    made = RedisDeadLetters(line, prefix=prefix)
    yield made
    await made.close()


async def ids(
    letters: RedisDeadLetters, wanted: LetterFilter = ALL, *, limit: int = 100, oldest: bool = False
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


async def only(letters: RedisDeadLetters) -> DeadLetter:
    """The one letter that there is."""
    (letter,) = (await letters.page(ALL, limit=10)).letters
    return letter


async def test_a_letter_tells_everything(
    queue: RedisStreams, letters: RedisDeadLetters, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A dead letter has the envelope byte for byte, whose it is, why it failed and when."""
    body = envelope("e-1", data=b'{"a":  1, "a": 2}')
    await bury(queue, body, reason=Code.KEYS_INVALID, detail="k\u00fcy \ud800")
    letter = await only(letters)
    assert letter.envelope == body
    assert (letter.event_id, letter.account, letter.flow) == ("e-1", "acme", "github")
    assert (letter.reason, letter.detail) == ("KEYS_INVALID", "k\u00fcy \\ud800")
    assert (letter.attempts, letter.crashes) == (1, 0)
    assert letter.first_failed_at == letter.last_failed_at
    assert await letters.get("e-1") == letter
    left = await direct.pttl(f"{prefix}{{q}}:dl:{letter.id}")
    assert DEAD_LETTER_TTL.total_seconds() * 1000 - 60_000 < left


async def test_what_was_no_envelope_has_an_id_of_its_own(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """A message that is no envelope is kept, under an id of its own, and belongs to no account."""
    await bury(queue, b"\x00\xff", b"{}", reason=Code.ENVELOPE_INVALID)
    first, second = (await letters.page(ALL, limit=10)).letters
    assert (first.envelope, second.envelope) == (b"{}", b"\x00\xff")
    assert (first.account, first.flow) == (None, None)
    assert is_event_id(first.event_id)
    assert first.event_id != second.event_id
    assert await letters.get(first.event_id) == first


async def test_letters_come_newest_or_oldest_first(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """Letters are listed by the time of their failure, in whole, page by page."""
    names = [f"e-{number}" for number in range(SCAN + 30)]
    await bury(queue, *(envelope(name) for name in names))
    assert await ids(letters, limit=7, oldest=True) == names
    assert await ids(letters, limit=1000) == names[::-1]


async def test_a_cursor_holds_while_letters_come_and_go(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """Letters that appear or vanish between two pages make nobody miss or repeat another."""
    await bury(queue, *(envelope(f"e-{number}") for number in range(6)))
    page = await letters.page(ALL, limit=3)
    assert [letter.event_id for letter in page.letters] == ["e-5", "e-4", "e-3"]
    await letters.discard(page.letters)
    await bury(queue, envelope("e-6"))
    rest = await letters.page(ALL, after=page.cursor, limit=10)
    assert [letter.event_id for letter in rest.letters] == ["e-2", "e-1", "e-0"]
    assert rest.cursor is None


async def test_a_made_up_cursor_is_refused(letters: RedisDeadLetters) -> None:
    """What is no cursor is an error of the caller's."""
    for text in ("", "x", "-1", "1e3", "9" * 40, "\u0661"):
        with pytest.raises(Rejected) as caught:
            await letters.page(ALL, after=text, limit=1)
        assert caught.value.code is Code.CURSOR_INVALID


async def test_a_filter_means_all_of_its_fields(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """Account, flow, reason, times and ids each narrow the list, alone and together."""
    await bury(queue, envelope("a"), envelope("b", flow="orders"))
    await bury(queue, envelope("c", account="kairos"), reason=Code.KEYS_INVALID)
    await bury(queue, b"junk", reason=Code.ENVELOPE_INVALID)
    junk, c, b, a = (await letters.page(ALL, limit=10)).letters
    acme, kairos = frozenset({"acme"}), frozenset({"kairos"})
    for wanted, found in {
        LetterFilter(accounts=acme): ["b", "a"],
        LetterFilter(accounts=acme | kairos): ["c", "b", "a"],
        LetterFilter(accounts=frozenset()): [],
        LetterFilter(flow="orders"): ["b"],
        LetterFilter(flow="github", accounts=kairos): ["c"],
        LetterFilter(reason="KEYS_INVALID"): ["c"],
        LetterFilter(reason="KEYS_INVALID", accounts=acme): [],
        LetterFilter(since=c.last_failed_at, reason="KEYS_INVALID"): ["c"],
        LetterFilter(until=a.last_failed_at): [],
        LetterFilter(since=a.last_failed_at, until=junk.last_failed_at + 1): [
            *(junk.event_id, "c", "b", "a")
        ],
        LetterFilter(ids=frozenset({"a", "c", "nothing"})): ["c", "a"],
        LetterFilter(ids=frozenset({"a", "c"}), accounts=acme): ["a"],
        LetterFilter(ids=frozenset({junk.event_id})): [junk.event_id],
        LetterFilter(ids=frozenset({junk.event_id}), accounts=acme): [],
        LetterFilter(ids=frozenset()): [],
    }.items():
        assert await ids(letters, wanted) == found, wanted
        assert await ids(letters, wanted, limit=1, oldest=True) == found[::-1], wanted
    assert b.account == "acme"


async def test_a_page_is_bounded_by_bytes(queue: RedisStreams, letters: RedisDeadLetters) -> None:
    """A page ends when its bytes are used up, but has at least one letter."""
    third = b'"%b"' % (b"x" * (PAGE_BYTES // 3))
    await bury(queue, *(envelope(f"e-{number}", data=third) for number in range(5)))
    await bury(queue, envelope("huge", data=b'"%b"' % (b"x" * (PAGE_BYTES + 1))))
    sizes, cursor = [], None
    for _ in range(4):
        page = await letters.page(ALL, after=cursor, limit=10)
        sizes.append(len(page.letters))
        cursor = page.cursor
    assert sizes == [1, 2, 2, 1]
    assert cursor is None
    bare = await letters.page(ALL, limit=10, bare=True)
    assert [letter.envelope for letter in bare.letters] == [b""] * 6


async def test_an_event_that_is_buried_again_keeps_one_letter(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """Of one event there is one letter, with the last failure and the time of the first."""
    await bury(queue, envelope("e-1"), envelope("e-2"))
    before = await letters.get("e-1")
    assert before is not None
    again = envelope("e-1", data=b"2")
    await bury(queue, again, reason=Code.ATTEMPTS_EXHAUSTED)
    assert await ids(letters) == ["e-1", "e-2"]
    after = await letters.get("e-1")
    assert after is not None
    assert (after.reason, after.envelope) == ("ATTEMPTS_EXHAUSTED", again)
    assert after.first_failed_at == before.first_failed_at
    assert after.last_failed_at > before.last_failed_at or after.id != before.id
    assert await letters.discard([before]) == 0
    assert await letters.get("e-1") == after


async def test_one_id_of_two_accounts_is_two_letters(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """An event of one account never takes the place of another account's letter."""
    await bury(queue, envelope("same"), envelope("same", account="kairos"))
    found = (await letters.page(ALL, limit=10)).letters
    assert {letter.account for letter in found} == {"acme", "kairos"}
    first = await letters.get("same")
    assert first is not None
    assert first.account == "acme"


async def test_a_redriven_letter_is_an_envelope_again(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """A redrive puts the envelope back on the queue, as it was; its attempts start anew."""
    bodies_ = [envelope(f"e-{number}") for number in range(3)]
    await bury(queue, *bodies_)
    found = (await letters.page(ALL, limit=10, oldest_first=True)).letters
    assert await letters.redrive(found) == 3
    assert await ids(letters) == []
    assert await letters.get("e-1") is None
    assert (await letters.stats()).depth == 0
    again = await queue.receive(10, wait=timedelta(0))
    assert [each.body for each in again] == bodies_
    assert {(each.attempts, each.crashes) for each in again} == {(0, 0)}


async def test_a_redriven_event_that_fails_again_is_a_new_letter(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """What fails again after its redrive is buried again, and the late drop of its old letter
    doesn't take the new one away.
    """
    await bury(queue, envelope("e-1"))
    old = await only(letters)
    await letters.redrive([old])
    (delivery,) = await queue.receive(10, wait=timedelta(0))
    await queue.retry([failed(delivery)], delay=timedelta(0))
    (delivery,) = await receive(queue)
    await queue.bury([replace(failed(delivery), event_id="e-1", account="acme", flow="github")])
    new = await only(letters)
    assert new.attempts == 2
    assert await letters.discard([old]) == 0
    assert await letters.get("e-1") == new


async def test_a_renewed_envelope_is_what_is_sent(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """The envelope that stands in the letter given is the one that goes round."""
    await bury(queue, envelope("e-1"))
    await letters.redrive([replace(await only(letters), envelope=b"mended")])
    assert await bodies(queue) == [b"mended"]


async def test_discarded_letters_are_gone(queue: RedisStreams, letters: RedisDeadLetters) -> None:
    """A discarded letter is nowhere any more; a second discard finds nothing."""
    await bury(queue, envelope("e-1"), envelope("e-2"))
    first, second = (await letters.page(ALL, limit=10)).letters
    assert await letters.discard([first]) == 1
    assert await letters.discard([first]) == 0
    assert await ids(letters) == [second.event_id]
    assert await letters.get(first.event_id) is None
    assert await bodies(queue) == []


async def test_an_expired_letter_is_passed_over(
    queue: RedisStreams, letters: RedisDeadLetters, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """A letter whose 14 days are over shows nowhere, and its place in the list goes in time."""
    await bury(queue, *(envelope(f"e-{number}") for number in range(3)))
    gone = await letters.get("e-1")
    assert gone is not None
    index = f"{prefix}{{q}}:dl"
    await direct.delete(f"{index}:{gone.id}")
    assert await ids(letters) == ["e-2", "e-0"]
    assert await letters.get("e-1") is None
    long_ago = gone.last_failed_at - DEAD_LETTER_TTL // timedelta(milliseconds=1) - 1
    await direct.zadd(index, {gone.id: long_ago * 1000})
    assert (await letters.stats()).depth == 2
    await bury(queue, envelope("e-3"))
    assert await direct.zscore(index, gone.id) is None


async def test_stats_tell_depth_and_age(queue: RedisStreams, letters: RedisDeadLetters) -> None:
    """Stats say how many letters there are and how long the oldest has been there."""
    empty = await letters.stats()
    assert (empty.depth, empty.oldest_age) == (0, timedelta(0))
    await bury(queue, envelope(), envelope())
    stats = await letters.stats()
    assert stats.depth == 2
    assert stats.oldest_age is not None
    assert timedelta(0) <= stats.oldest_age < timedelta(minutes=1)


async def test_many_letters_of_one_moment_keep_their_order(
    queue: RedisStreams, letters: RedisDeadLetters
) -> None:
    """Letters that were buried in the same step have an order, too: nothing is lost at a page's
    end.
    """
    names = [f"e-{number:03}" for number in range(250)]
    await send(queue, *(envelope(name) for name in names))
    batch = await queue.receive(250, wait=timedelta(0))
    batch.sort(key=lambda each: names.index(json.loads(each.body)["id"]))
    dead = [
        replace(failed(each), event_id=json.loads(each.body)["id"], account="acme", flow="github")
        for each in batch
    ]
    await queue.bury(dead)
    for limit in (1, 50, 1000):
        assert await ids(letters, limit=limit, oldest=True) == names
