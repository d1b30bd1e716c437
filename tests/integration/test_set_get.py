"""The pipeline's side of the Set/Get API: what is refused, and which time to live holds."""

from datetime import timedelta

import orjson
import pytest
from storing import HOUR, NOW, Clock

from hookrack._redis import Pipe
from hookrack.entries import LifeStatus, Written
from hookrack.errors import Code, Rejected
from hookrack.flows import Account
from hookrack.model import encode_entry
from hookrack.pipeline import check_key, history, life, purge, read, read_many, write
from hookrack.stores.redis import RedisStore

ACME = Account("acme", {}, ttl=2 * HOUR, max_ttl=4 * HOUR)


@pytest.fixture
async def store(pipe: Pipe, prefix: str) -> RedisStore:
    """An empty store that stands at one moment."""
    return await RedisStore.open(pipe, prefix=prefix, now=Clock())


async def put(store: RedisStore, *keys: str, account: Account = ACME, **more: object) -> Written:
    """A direct set of acme."""
    fields: dict[str, object] = {"data": b'{"n":  1}', "content_type": "application/json"}
    return await write(account, keys or ("erp",), store=store, now=NOW, **(fields | more))  # type: ignore[arg-type]


async def refused(code: Code, store: RedisStore, *keys: str, **more: object) -> str:
    """Why a direct set is refused; it leaves nothing behind."""
    with pytest.raises(Rejected) as caught:
        await put(store, *keys, **more)  # type: ignore[arg-type]
    assert caught.value.code is code
    return caught.value.detail


async def test_what_is_set_is_read(store: RedisStore) -> None:
    """A set is read by get, by many, and in the history, as it was written."""
    written = await put(store, "erp", "crm")
    entry = await read("acme", "erp", store)
    assert entry == written.entries[0]
    assert (entry.data, entry.flow, entry.received_at) == (b'{"n":  1}', None, NOW)
    found = await read_many("acme", ["crm", "nothing", "crm"], store=store)
    assert found.entries == {"crm": written.entries[1], "nothing": None}
    assert (await history("acme", "erp", store=store)).entries == (entry,)


async def test_the_answer_to_a_set_has_all_but_the_data(store: RedisStore) -> None:
    """An entry can be written without its data; its flow is null."""
    (entry,) = (await put(store)).entries
    fields = orjson.loads(encode_entry(entry, with_data=False))
    assert fields["flow"] is None
    assert (fields["webhookKey"], fields["account"]) == ("erp", "acme")
    assert orjson.loads(encode_entry(entry)) == fields | {"data": {"n": 1}}


@pytest.mark.parametrize(
    ("account", "own", "held"),
    [
        (ACME, None, 2 * HOUR),
        (ACME, timedelta(seconds=1), timedelta(seconds=1)),
        (ACME, 3 * HOUR, 3 * HOUR),
        (ACME, 400 * HOUR, 4 * HOUR),
        (Account("acme", {}), None, 24 * HOUR),
        (Account("acme", {}, max_ttl=HOUR), None, HOUR),
        (Account("acme", {}), timedelta(days=99), timedelta(days=30)),
    ],
)
async def test_its_own_time_the_account_s_or_a_day(
    store: RedisStore, account: Account, own: timedelta | None, held: timedelta
) -> None:
    """A set's own time wins over the account's, and the account's maxTtl caps it."""
    (entry,) = (await put(store, account=account, ttl=own)).entries
    assert entry.expires_at == NOW + held // timedelta(milliseconds=1)


async def test_keys_that_can_t_be_set(store: RedisStore) -> None:
    """None, too many, twice the same, or no webhook key at all."""
    names = [f"key-{number}" for number in range(1001)]
    assert "1001" in await refused(Code.KEYS_INVALID, store, *names)
    assert "twice" in await refused(Code.KEYS_INVALID, store, "erp", "crm", "erp")
    assert "Key 2 of 2" in await refused(Code.KEYS_INVALID, store, "erp", "a b")
    with pytest.raises(Rejected, match="KEYS_INVALID"):
        await write(ACME, [], store=store, now=NOW, data=b"", content_type="text/plain")
    assert len((await put(store, *names[1:])).entries) == 1000


async def test_bodies_that_can_t_be_set(store: RedisStore) -> None:
    """Declared JSON that is none, and a type that is none; other bytes are free."""
    assert "character 3" in await refused(Code.BODY_NOT_JSON, store, data=b'{"n')
    await refused(Code.BODY_NOT_JSON, store, data=b"", content_type="application/x+json")
    await refused(Code.CONTENT_TYPE_UNSUPPORTED, store, content_type="json\r\nx: y")
    await put(store, data=b"{", content_type="text/plain")


async def test_an_id_is_for_one_set(store: RedisStore) -> None:
    """The same again is the first one; something else is refused."""
    first = await put(store, dedupe_id="o-1")
    assert await put(store, dedupe_id="o-1") == Written(first.entries, again=True)
    await refused(Code.ID_CONFLICT, store, dedupe_id="o-1", data=b"2")


async def test_readers_name_good_keys_and_limits(store: RedisStore) -> None:
    """What can't be a key, a limit or a cursor is refused before the store is asked."""
    for key in ("", "..", "a/b", "a*", "x" * 129, "}x"):
        with pytest.raises(Rejected, match="KEY_INVALID"):
            await history("acme", key, store=store)
        with pytest.raises(Rejected, match="KEY_INVALID"):
            await purge("acme", key, store=store)
        with pytest.raises(Rejected, match="KEY_INVALID"):
            check_key(key)
        with pytest.raises(Rejected, match="KEYS_INVALID"):
            await read_many("acme", ["erp", key], store=store)
    for keys in ([], ["erp"] * 1001):
        with pytest.raises(Rejected, match="KEYS_INVALID"):
            await read_many("acme", keys, store=store)
    for limit in (0, -1, 1001):
        with pytest.raises(Rejected, match="QUERY_INVALID"):
            await history("acme", "erp", store=store, limit=limit)
    with pytest.raises(Rejected, match="CURSOR_INVALID"):
        await history("acme", "erp", store=store, after="nonsense")


async def test_a_purge_and_what_it_leaves(store: RedisStore) -> None:
    """One is purged, then all; what was purged says so, what never was is unknown."""
    first, _, third = [(await put(store)).entries[0] for _ in range(3)]
    assert await purge("acme", "erp", store=store, event_id=first.event_id) == 1
    assert await purge("acme", "erp", store=store, event_id="*/no id") == 0
    assert await read("acme", "erp", store) == third
    assert await purge("acme", "erp", store=store) == 2
    assert (await life("acme", first.event_id, store=store)).status is LifeStatus.PURGED
    for unknown in ("unknown", "*/no id", ""):
        with pytest.raises(Rejected, match="EVENT_UNKNOWN"):
            await life("acme", unknown, store=store)
    with pytest.raises(Rejected, match="NO_EVENT"):
        await read("acme", "erp", store)
