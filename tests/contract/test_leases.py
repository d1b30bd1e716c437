"""The Leases port: who holds what, for how long, and what his receipt is good for."""

from datetime import timedelta

import pytest
import redis.asyncio
from storing import HOUR, Clock, event, put, put_some, told, under

from hookrack.errors import Code, Rejected
from hookrack.readers import Group, Leases
from hookrack.stores.redis import RedisStore
from leasing import SPAN, ack, ask, extend, names, receipts, release, take

SECOND = timedelta(seconds=1)


async def test_entries_are_handed_out_once_and_in_order(store: RedisStore, leases: Leases) -> None:
    """Readers of one group share the entries of a key, in storing order; nobody gets one twice."""
    stored = await put_some(store, 5)
    first, second = await take(leases, 2), await take(leases, 2)
    assert names(first) == stored[:2]
    assert names(second) == stored[2:4]
    assert names(await take(leases, 10)) == stored[4:]
    assert await take(leases, 10) == []


async def test_a_leased_entry_is_whole(store: RedisStore, leases: Leases, clock: Clock) -> None:
    """It is what get would give, with a receipt, its attempt, and when the lease ends."""
    await put(store, under(event(b'{"a":  1}'), "erp"))
    (leased,) = await take(leases)
    assert leased.entry == await store.get("acme", "erp")
    assert (leased.attempt, leased.until) == (1, clock.now + 30_000)


async def test_groups_are_apart(store: RedisStore, leases: Leases) -> None:
    """Each group gets all entries; a new one begins with the oldest that is alive."""
    stored = await put_some(store, 3)
    await ack(leases, receipts(await take(leases, 3, group="one")), group="one")
    assert names(await take(leases, 9, group="two")) == stored
    assert await take(leases, 9, group="one") == []


async def test_an_acked_entry_is_settled_for_its_group_only(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """It doesn't come back to the group, and can still be read."""
    stored = await put_some(store, 2)
    held = await take(leases, 2)
    assert await ack(leases, receipts(held)[:1]) == 1
    clock.forward(SPAN)
    assert names(await take(leases, 9)) == stored[1:]
    assert await told(store) == stored


async def test_a_lease_ends(store: RedisStore, leases: Leases, clock: Clock) -> None:
    """At its end the entry goes out again, one attempt older; not a millisecond before."""
    stored = await put_some(store, 2)
    await take(leases, 2)
    clock.forward(SPAN - timedelta(milliseconds=1))
    assert (await ask(leases, 2)).due == timedelta(milliseconds=1)
    clock.forward(timedelta(milliseconds=1))
    again = await take(leases, 2)
    assert names(again) == stored
    assert [each.attempt for each in again] == [2, 2]


async def test_what_comes_back_goes_out_before_what_is_new(
    store: RedisStore, leases: Leases
) -> None:
    """A lease is in storing order, whoever gave what back in whatever order."""
    stored = await put_some(store, 5)
    held = receipts(await take(leases, 4))
    assert await release(leases, [held[2]]) == 1
    assert await release(leases, [held[0]]) == 1
    assert names(await take(leases, 3)) == [stored[0], stored[2], stored[4]]


async def test_a_release_can_take_its_time(store: RedisStore, leases: Leases, clock: Clock) -> None:
    """With a delay the entry goes out again after it, whenever the lease would have ended."""
    stored = await put_some(store, 1)
    (held,) = await take(leases)
    assert await release(leases, [held.receipt], delay=SPAN * 2) == 1
    clock.forward(SPAN * 2 - timedelta(milliseconds=1))
    assert await take(leases) == []
    clock.forward(timedelta(milliseconds=1))
    assert names(await take(leases)) == stored


async def test_extended_is_held_longer(store: RedisStore, leases: Leases, clock: Clock) -> None:
    """Extending counts from now on, and can shorten as well."""
    stored = await put_some(store, 1)
    (held,) = await take(leases)
    clock.forward(SPAN / 2)
    assert await extend(leases, [held.receipt]) == 1
    clock.forward(SPAN - timedelta(milliseconds=1))
    assert await take(leases) == []
    assert await extend(leases, [held.receipt], span=SECOND) == 1
    clock.forward(SECOND)
    assert names(await take(leases)) == stored


@pytest.mark.parametrize("verb", [ack, release, extend])
async def test_late_is_not_too_late(
    store: RedisStore, leases: Leases, clock: Clock, verb: object
) -> None:
    """A receipt counts after the end of the lease, as long as nobody else holds the entry."""
    await put_some(store, 1)
    (held,) = await take(leases)
    clock.forward(SPAN * 2)
    assert await verb(leases, [held.receipt]) == 1  # type: ignore[operator]


@pytest.mark.parametrize("verb", [ack, release, extend])
async def test_overtaken_is_stale(
    store: RedisStore, leases: Leases, clock: Clock, verb: object
) -> None:
    """Once another reader holds the entry, the old receipt is reported and changes nothing."""
    stored = await put_some(store, 1)
    (old,) = await take(leases)
    clock.forward(SPAN)
    (new,) = await take(leases)
    assert new.receipt != old.receipt
    assert await verb(leases, [old.receipt]) == 0  # type: ignore[operator]
    assert await take(leases) == []
    assert await ack(leases, [new.receipt]) == 1
    assert await ack(leases, [new.receipt]) == 0
    assert await told(store) == stored


async def test_a_receipt_counts_in_its_place_only(store: RedisStore, leases: Leases) -> None:
    """Shown to another group, key or account it is stale, and the entry stays held."""
    await put(store, under(event(), "erp", "crm"))
    (held,) = await take(leases)
    await take(leases, group="other")
    await take(leases, key="crm")
    assert await ack(leases, [held.receipt], group="other") == 0
    assert await ack(leases, [held.receipt], key="crm") == 0
    assert await leases.ack("kairos", "erp", group="g", receipts=[held.receipt]) == [False]
    assert await ack(leases, [held.receipt]) == 1


async def test_receipts_cannot_be_made_up(store: RedisStore, leases: Leases) -> None:
    """Garbage, nothing, and every receipt that differs in one character is stale."""
    await put_some(store, 1)
    (held,) = await take(leases)
    forged = ["", "x", "ä" * 20, "A" * 20, "!" * 20, held.receipt + "A", held.receipt[:-4]]
    forged += [
        held.receipt[:at] + ("A" if held.receipt[at] != "A" else "B") + held.receipt[at + 1 :]
        for at in range(20)
    ]
    assert await ack(leases, forged) == 0
    assert await extend(leases, forged) == 0
    assert await release(leases, forged) == 0
    assert await leases.ack("acme", "erp", group="g", receipts=["x", held.receipt, "y"]) == [
        *(False, True, False)
    ]


async def test_an_expired_entry_is_never_leased(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """Neither a new one nor one that came back; extending doesn't hold it."""
    await put(store, under(event(), "erp", ttl=SECOND))
    (late,) = await put_some(store, 1)
    await put(store, under(event(), "erp", ttl=SECOND))
    held = await take(leases, 1)
    clock.forward(SECOND)
    assert await extend(leases, receipts(held)) == 0
    await release(leases, receipts(held))
    assert names(await take(leases, 9)) == [late]


async def test_a_purged_entry_is_never_leased(store: RedisStore, leases: Leases) -> None:
    """What is purged while it is held doesn't come back."""
    stored = await put_some(store, 2)
    held = await take(leases, 1)
    await store.delete("acme", "erp", event_id=stored[0])
    await release(leases, receipts(held))
    assert names(await take(leases, 9)) == stored[1:]


async def test_late_arrivals_are_leased_as_they_were_stored(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """The order is that of storing, not of receipt."""
    ids = []
    for number in range(20):
        one = event(at=clock.now - number * 7 % 5)
        await put(store, under(one, "erp"))
        ids.append(one.id)
    found = [*await take(leases, 7), *await take(leases, 7), *await take(leases, 7)]
    assert names(found) == ids


async def test_in_order_nothing_passes_what_is_held(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """With `ordered`, what stands behind an entry that isn't acked is held back."""
    stored = await put_some(store, 4)
    pair = await take(leases, 2, ordered=True)
    assert names(pair) == stored[:2]
    assert await take(leases, 9, ordered=True) == []
    await ack(leases, receipts(pair)[1:])
    assert await take(leases, 9, ordered=True) == []
    await release(leases, receipts(pair)[:1], delay=SPAN)
    assert await take(leases, 9, ordered=True) == []
    clock.forward(SPAN)
    again = await take(leases, 1, ordered=True)
    assert names(again) == stored[:1]
    await ack(leases, receipts(again))
    assert names(await take(leases, 9, ordered=True)) == stored[2:]


async def test_in_order_what_stands_before_can_go(store: RedisStore, leases: Leases) -> None:
    """An entry before all that are held is held back by none of them."""
    stored = await put_some(store, 3)
    pair = receipts(await take(leases, 2, ordered=True))
    await release(leases, pair[:1])
    assert names(await take(leases, 9, ordered=True)) == stored[:1]


async def test_after_so_many_attempts_it_is_a_dead_letter_of_the_group(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """It goes out `max_attempts` times; then it is a dead letter of the group, and of no other."""
    stored = await put_some(store, 2)
    (held,) = await take(leases, 1, max_attempts=2)
    assert (held.entry.event_id, held.attempt) == (stored[0], 1)
    await release(leases, [held.receipt])
    (held,) = await take(leases, 1, max_attempts=2)
    assert (held.entry.event_id, held.attempt) == (stored[0], 2)
    await release(leases, [held.receipt])
    assert names(await take(leases, 9, max_attempts=2)) == stored[1:]
    (dead,) = await leases.abandoned("acme", "erp", group="g", limit=10)
    assert (dead.event_id, dead.attempts, dead.abandoned_at) == (stored[0], 2, clock.now)
    assert await ack(leases, [held.receipt]) == 0
    assert names(await take(leases, 9, group="other")) == stored
    assert await leases.groups("acme", "erp") == [Group("g", 1, 0, 1), Group("other", 2, 0, 0)]


async def test_dead_letters_of_a_group_go_out_again(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """A redrive begins anew with those that are alive, and forgets the others."""
    await put(store, under(event(), "erp", ttl=SECOND))
    stored = await put_some(store, 2)
    await take(leases, 3, span=SECOND / 2)
    clock.forward(SECOND / 2)
    assert await take(leases, 3, max_attempts=1) == []
    assert len(await leases.abandoned("acme", "erp", group="g", limit=10)) == 3
    assert len(await leases.abandoned("acme", "erp", group="g", limit=2)) == 2
    clock.forward(SECOND)
    assert len(await leases.abandoned("acme", "erp", group="g", limit=10)) == 2
    assert await leases.redrive("acme", "erp", group="g") == 2
    assert await leases.redrive("acme", "erp", group="g") == 0
    again = await take(leases, 3, max_attempts=1)
    assert names(again) == stored
    assert [each.attempt for each in again] == [1, 1]


async def test_a_lease_stops_at_its_bytes(store: RedisStore, leases: Leases) -> None:
    """It holds as many entries as its bytes allow, and at least one."""
    for _ in range(5):
        await put(store, under(event(b'"%b"' % (b"x" * 10_000)), "erp"))
    assert len(await take(leases, 9, max_bytes=25_000)) == 2
    assert len(await take(leases, 9, max_bytes=1)) == 1
    assert len(await take(leases, 9)) == 2


async def test_groups_of_a_key_are_bounded(store: RedisStore, leases: Leases) -> None:
    """A hundred groups; the next one is refused, and those that are there go on."""
    await put_some(store, 2)
    for number in range(100):
        await take(leases, 1, group=f"g{number}")
    with pytest.raises(Rejected) as caught:
        await take(leases, 1, group="one-more")
    assert caught.value.code is Code.GROUPS_FULL
    assert len(await take(leases, 1, group="g7")) == 1


async def test_thousands_that_come_back_at_once(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """However many leases end together, all go out again, each once."""
    stored = []
    for _ in range(30):
        batch = [event() for _ in range(100)]
        await put(store, *(under(one, "erp") for one in batch))
        stored += [one.id for one in batch]
    for _ in range(3):
        await take(leases, 1000)
    clock.forward(SPAN)
    again = [name for _ in range(3) for name in names(await take(leases, 1000))]
    assert again == stored
    assert await take(leases, 1000) == []


async def test_thousands_of_dead_are_passed(
    store: RedisStore, leases: Leases, clock: Clock
) -> None:
    """A group that begins behind thousands of expired references finds the live one."""
    for batch in range(50):
        at = clock.now - batch % 2
        await put(store, *(under(event(at=at), "erp", ttl=SECOND) for _ in range(64)))
    stored = await put_some(store, 1)
    clock.forward(SECOND)
    assert names(await take(leases, 9)) == stored


async def test_lease_state_goes_with_the_entries(
    store: RedisStore, leases: Leases, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """What is kept of leases has the time to live of the key's entries, and no less."""
    await put(store, under(event(), "erp", ttl=HOUR))
    await take(leases, 1, ordered=True)
    await put(store, under(event(), "erp", ttl=HOUR * 5))
    (held,) = await take(leases, 9)
    await release(leases, [held.receipt])
    tag = f"{prefix}{{acme}}:"
    stays = await direct.pttl(f"{tag}k:erp")
    for name in ("g:erp", "h:g:erp", "w:g:erp", "r:g:erp"):
        assert abs(await direct.pttl(tag + name) - stays) < 1000, name


async def test_purging_a_key_forgets_its_leases(
    store: RedisStore, leases: Leases, direct: "redis.asyncio.Redis", prefix: str
) -> None:
    """With the last entry of a key everything about its groups goes; new entries are leased."""
    await put_some(store, 3)
    held = await take(leases, 2)
    await store.delete("acme", "erp")
    assert [name async for name in direct.scan_iter(match=f"{prefix}*:g:erp")] == []
    assert await ack(leases, receipts(held)) == 0
    stored = await put_some(store, 1)
    assert names(await take(leases, 9)) == stored


async def test_scripts_are_sent_again_where_they_are_unknown(
    store: RedisStore, leases: Leases, forgetful: None
) -> None:
    """A restarted engine has lost its scripts; a reader notices nothing of it."""
    del forgetful
    await put_some(store, 1)
    (held,) = await take(leases)
    assert await extend(leases, [held.receipt]) == 1
    assert await release(leases, [held.receipt]) == 1
    assert await ack(leases, [held.receipt]) == 1
    assert await leases.redrive("acme", "erp", group="g") == 0
