"""Many keys at once: each key's newest, in one round trip, within a bound of bytes."""

from datetime import timedelta

import redis.asyncio
from storing import PLENTY, Clock, event, put, put_some, under

from hookrack.entries import Found
from hookrack.stores.redis import RedisStore

SECOND = timedelta(seconds=1)


async def get(store: RedisStore, *keys: str, max_bytes: int = PLENTY) -> Found:
    """The newest entries of keys of acme."""
    return await store.get_many("acme", keys, max_bytes=max_bytes)


async def test_each_key_has_its_newest_or_none(store: RedisStore) -> None:
    """The answer has every key, in the order asked, with the entry that get gives."""
    await put_some(store, 3, "erp", "crm")
    await put_some(store, 1, "crm")
    found = await get(store, "nothing", "crm", "erp")
    assert list(found.entries) == ["nothing", "crm", "erp"]
    assert found.omitted == ()
    for key, entry in found.entries.items():
        assert entry == await store.get("acme", key)


async def test_a_thousand_keys_are_one_round_trip(
    store: RedisStore, direct: "redis.asyncio.Redis"
) -> None:
    """A thousand keys are asked for in sixteen commands."""
    names = [f"key-{number}" for number in range(1000)]
    one = event()
    await put(store, under(one, *names))
    other = (await put_some(store, 1, names[500]))[0]
    await get(store, "warm")
    await direct.config_resetstat()
    found = await get(store, *names)
    calls = (await direct.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert calls == 16
    assert {entry.event_id for entry in found.entries.values() if entry} == {one.id, other}
    assert len(found.entries) == 1000


async def test_what_has_no_room_is_named(store: RedisStore) -> None:
    """Beyond its bytes an answer names the keys that it left out; a key without entry isn't one."""
    names = [f"key-{number}" for number in range(200)]
    await put(store, under(event(b'"%b"' % (b"x" * 10_000)), *names[::2]))
    found = await get(store, *names, max_bytes=300_000)
    assert sum(entry is not None for entry in found.entries.values()) == 28
    assert set(found.omitted) | set(found.entries) == set(names)
    assert set(names[1::2]) <= set(found.entries)
    rest = await get(store, *found.omitted)
    assert all(rest.entries.values())
    assert len(rest.entries) == 72


async def test_one_large_among_many_takes_nobody_s_place(store: RedisStore) -> None:
    """A large entry that fits the answer comes, even where it is more than its call's share."""
    names = [f"key-{number}" for number in range(200)]
    await put_some(store, 1, *names)
    await put(store, under(event(b'"%b"' % (b"x" * 100_000)), names[0]))
    found = await get(store, *names, max_bytes=300_000)
    assert found.omitted == ()
    assert all(found.entries.values())


async def test_there_is_at_least_one_entry(store: RedisStore) -> None:
    """An entry larger than the whole answer comes alone."""
    names = [f"key-{number}" for number in range(130)]
    await put(store, under(event(b'"%b"' % (b"x" * 5_000)), *names[1:]))
    for keys in (names, names[:5], names[1:2]):
        found = await get(store, *keys, max_bytes=1)
        assert sum(entry is not None for entry in found.entries.values()) == 1
        assert len(found.entries) + len(found.omitted) == len(keys)


async def test_many_dead_on_top_hide_nothing(store: RedisStore, clock: Clock) -> None:
    """Keys with hundreds of expired entries before a live one, or with nothing else."""
    lives = (await put_some(store, 1, "erp", "crm", at=clock.now - 1))[0]
    for _ in range(5):
        short = [under(event(), "erp", "crm", "audit", ttl=SECOND) for _ in range(64)]
        await put(store, *short)
    clock.forward(SECOND)
    found = await get(store, "erp", "audit", "nothing", "crm")
    told = {key: entry and entry.event_id for key, entry in found.entries.items()}
    assert told == {"erp": lives, "crm": lives, "audit": None, "nothing": None}


async def test_accounts_are_apart(store: RedisStore) -> None:
    """Another account's keys look empty."""
    await put_some(store, 1, "erp")
    found = await store.get_many("kairos", ["erp"], max_bytes=PLENTY)
    assert found == Found({"erp": None})
