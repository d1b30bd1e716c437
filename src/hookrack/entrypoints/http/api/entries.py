"""Set, get, history, purge, and the life of an event."""

import re
import time
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from hookrack import pipeline
from hookrack.entries import Life, Written
from hookrack.entrypoints.http.api.caller import (
    Reader,
    Served,
    Writer,
    account_of,
    reading_of,
)
from hookrack.entrypoints.http.api.later import Later
from hookrack.entrypoints.http.exchange import Receive, Scope, Send, read_body
from hookrack.entrypoints.http.keys import get_key
from hookrack.entrypoints.http.parking import Parked
from hookrack.entrypoints.http.waiting import Place, page_json, stream, wait_for_page
from hookrack.errors import CATALOGUE, Code, Rejected
from hookrack.flows import LARGEST_BODY_BYTES, Account
from hookrack.jsontext import find_json_fault, split_members
from hookrack.model import JSON_TYPE, encode_entry, format_time, own_ttl, parse_duration
from hookrack.refusals import Rejection

router = APIRouter(prefix="/v1", tags=["set and get"])
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:", re.ASCII)
_AMOUNT: Final = re.compile(r"[0-9]*[1-9][0-9]*[smhd]?")
_ENDLESS: Final = 2**40  # seconds
_DATA: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "The data, with its own Content-Type",
        "required": True,
        "content": {"*/*": {"schema": {}}},
    }
}
_SET: Final[dict[str, Any]] = {
    "requestBody": {
        "description": "keys (1 to 1,000), data (kept as written), ttl and id (both optional)",
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events, one for each entry", "content": {"text/event-stream": {}}}
}


class Keys(BaseModel):
    """The keys to get."""

    model_config = ConfigDict(extra="forbid", strict=True)

    keys: list[str]


def _whole(value: object) -> object:
    """Digits, and no other way to write a number."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("not a whole number of seconds")
    return value


def _rfc3339(value: object) -> object:
    """A date, a time and an offset; pydantic would take a bare number as well."""
    if isinstance(value, str) and not _TIME.match(value):
        raise ValueError("not a time as RFC 3339 has it, such as 2026-11-23T10:00:00Z")
    return value


_Since = Annotated[AwareDatetime | None, BeforeValidator(_rfc3339), Field(alias="from")]


class Listed(BaseModel):
    """A page of history."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    since: _Since = None
    wait: Annotated[int, Field(ge=0, le=30), BeforeValidator(_whole)] = 0

    def place(self, *, after: str | None = None) -> Place:
        """Where to begin; what a client says it had last goes before the query."""
        since = None if self.since is None else int(self.since.timestamp() * 1000)
        return Place(after=after or self.after, since=since, limit=self.limit)


class Streamed(BaseModel):
    """Where a stream begins."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    after: str | None = None
    since: _Since = None


@router.get("/keys/{key}", response_class=Response)
async def get_newest(*, key: str, app: Served, token: Reader) -> Response:
    """The newest live entry; If-None-Match gives 304, ?raw=true the data alone."""
    del key, token
    return Later(partial(get_key, app))  # the hot route serves this address ahead of the framework


@router.put("/keys/{key}", status_code=201, response_class=Response, openapi_extra=_DATA)
async def put_key(
    *,
    key: str,
    request: Request,
    app: Served,
    token: Writer,
    hookrack_ttl: Annotated[str | None, Header()] = None,
) -> Response:
    """Set: the body becomes an event under this key."""
    account = _account(app, account_of(token, request))
    pipeline.check_key(key)
    data = await read_body(request.scope, request.receive, limit=LARGEST_BODY_BYTES)
    app.headroom.check_set(len(data))
    written = await pipeline.write(
        account,
        [key],
        store=app.store,
        now=time.time_ns() // 1_000_000,
        data=data,
        content_type=request.headers.get("content-type", JSON_TYPE),
        ttl=_ttl(hookrack_ttl),
    )
    return _json(encode_entry(written.entries[0], with_data=False), status=201)


@router.post("/set", status_code=201, response_class=Response, openapi_extra=_SET)
async def set_many(*, request: Request, app: Served, token: Writer) -> Response:
    """One payload under many keys, all or none. With the same `id` again: 200 and the first one."""
    account = _account(app, account_of(token, request))
    body = await read_body(request.scope, request.receive, limit=LARGEST_BODY_BYTES)
    members = _members(body)
    app.headroom.check_set(len(body))
    written = await pipeline.write(
        account,
        _keys(members),
        store=app.store,
        now=time.time_ns() // 1_000_000,
        data=members["data"],
        content_type=JSON_TYPE,
        ttl=_ttl(_value(members["ttl"])) if "ttl" in members else None,
        dedupe_id=_dedupe_id(members),
    )
    return _json(_written_json(written), status=200 if written.again else 201)


@router.post("/get", response_class=Response)
async def get_many(*, wanted: Keys, request: Request, app: Served, token: Reader) -> Response:
    """The newest live entry, or null, of each of 1 to 1,000 keys, in one round trip."""
    account = account_of(token, request)
    found = await pipeline.read_many(
        account, wanted.keys, store=app.store, max_bytes=app.read_bytes
    )
    entries = b",".join(
        b"%b:%b" % (orjson.dumps(key), encode_entry(entry) if entry else b"null")
        for key, entry in found.entries.items()
    )
    return _json(b'{"entries":{%b},"omitted":%b}' % (entries, orjson.dumps(list(found.omitted))))


@router.get("/keys/{key}/events", response_class=Response)
async def get_history(
    *, key: str, wanted: Annotated[Listed, Query()], request: Request, token: Reader
) -> Response:
    """Entries in storing order after the cursor; without `after` from the oldest live one.

    `from` (RFC 3339) begins with what was stored then; `wait` (0 to 30 seconds) holds an answer
    that would be empty until there is an entry.
    """
    reading = reading_of(token, request, key=key, scope="read")
    place = wanted.place()
    if not wanted.wait:
        return _json(page_json(await place.page(reading)))
    wait = timedelta(seconds=wanted.wait)

    async def answer_later(scope: Scope, _receive: Receive, send: Send) -> Parked | None:
        return await wait_for_page(scope, send, reading=reading, place=place, wait=wait)

    return Later(answer_later)


@router.get("/keys/{key}/stream", response_class=Response, responses=_STREAM)
async def get_stream(
    *,
    key: str,
    wanted: Annotated[Streamed, Query()],
    request: Request,
    token: Reader,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Entries as server-sent events, from a place on: `id` is the cursor, `data` the entry.

    A client that connects again with `Last-Event-ID` goes on behind that one. There is a comment
    at least every 15 seconds. The event `closed` says why a stream is ended by the server: a
    problem document, for example `READER_TOO_SLOW`.
    """
    reading = reading_of(token, request, key=key, scope="read")
    place = Listed(after=wanted.after, since=wanted.since).place(after=last_event_id)

    async def answer_later(scope: Scope, _receive: Receive, send: Send) -> None:
        await stream(scope, send, reading=reading, place=place)

    return Later(answer_later)


@router.delete("/keys/{key}/events/{event_id}")
async def purge_one(
    *, key: str, event_id: str, request: Request, app: Served, token: Writer
) -> dict[str, int]:
    """Purge one event from under a key; under its other keys it remains."""
    account = account_of(token, request)
    purged = await pipeline.purge(account, key, store=app.store, event_id=event_id)
    return {"purged": purged}


@router.delete("/keys/{key}/events")
async def purge_all(*, key: str, request: Request, app: Served, token: Writer) -> dict[str, int]:
    """Purge all that is under a key."""
    account = account_of(token, request)
    return {"purged": await pipeline.purge(account, key, store=app.store)}


@router.get("/events/{event_id}")
async def get_event(*, event_id: str, request: Request, app: Served, token: Reader) -> JSONResponse:
    """An event's life: where it is, or what became of it."""
    account = account_of(token, request)
    try:
        return JSONResponse(_life(await pipeline.life(account, event_id, store=app.store)))
    except Rejected:
        where = await app.queue.find(account, event_id)
        if where is None:
            if one := await app.rejections.get(account, event_id):
                return JSONResponse(_refused(one))
            raise
    shown = {"eventId": event_id, "account": account, "flow": where.flow, "status": where.status}
    if where.received_at is not None:
        shown["receivedAt"] = format_time(where.received_at)
    letter = await app.letters.get(event_id) if where.status == "deadLetter" else None
    if letter is not None and letter.account == account:
        shown["reason"] = letter.reason
    return JSONResponse(shown)


def _account(app: Any, name: str) -> Account:  # noqa: ANN401 - the app of this process
    found: Account | None = app.configuration.accounts.get(name)
    if found is None:
        raise Rejected(Code.ACCOUNT_UNKNOWN, f"There is no account {name}.")
    return found


def _is_long(value: object) -> bool:
    """Whether what is no duration has the form of one, so that it can only be too long."""
    return isinstance(value, str) and _AMOUNT.fullmatch(value) is not None


def _value(text: bytes) -> object:
    """A member's value; digits stay text, since a number of many would lose some.

    A number that is out of range, such as 1e999, is valid JSON, and of no type that is taken here.
    """
    text = text.strip()
    try:
        return text.decode() if text.isdigit() else orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _ttl(value: object) -> timedelta | None:
    """A call's own time to live; however long, the account's maxTtl cuts it.

    Raises: Rejected (`TTL_INVALID`).
    """
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as exc:
        if _is_long(value):
            return own_ttl(_ENDLESS)
        raise Rejected(Code.TTL_INVALID, f"{CATALOGUE[Code.TTL_INVALID].title}: {exc}.") from exc


def _members(body: bytes) -> dict[str, bytes]:
    """The members of a set, `data` as it was written. Raises: Rejected."""
    if fault := find_json_fault(body):
        raise Rejected(Code.BODY_NOT_JSON, f"The body is not JSON: {fault}.")
    try:
        members = split_members(body)
    except ValueError as exc:
        raise Rejected(Code.QUERY_INVALID, f"The body is no set: {exc}.") from exc
    if unknown := set(members) - {"keys", "data", "ttl", "id"}:
        raise Rejected(Code.QUERY_INVALID, f"Unknown here: {', '.join(sorted(unknown))[:200]}.")
    if "data" not in members or "keys" not in members:
        raise Rejected(Code.QUERY_INVALID, "A set needs keys and data.")
    return members


def _keys(members: dict[str, bytes]) -> list[str]:
    keys = _value(members["keys"])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Rejected(Code.KEYS_INVALID, CATALOGUE[Code.KEYS_INVALID].mend)
    return keys


def _dedupe_id(members: dict[str, bytes]) -> str | None:
    text = members.get("id", b"null").strip()
    if text == b"null":
        return None
    found = _value(text)
    if text.startswith(b'"') and isinstance(found, str) and 1 <= len(found) <= 1_024:
        return found
    raise Rejected(Code.QUERY_INVALID, "id is a text of 1 to 1,024 characters.")


def _written_json(written: Written) -> bytes:
    entries = b",".join(encode_entry(each, with_data=False) for each in written.entries)
    event_id = orjson.dumps(written.entries[0].event_id) if written.entries else b"null"
    return b'{"eventId":%b,"entries":[%b]}' % (event_id, entries)


def _life(life: Life) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "eventId": life.event_id,
        "account": life.account,
        "flow": life.flow,
        "status": life.status.value,
        "receivedAt": format_time(life.received_at),
    }
    if life.stored_at is not None:
        shown["storedAt"] = format_time(life.stored_at)
    if life.keys:
        shown["keys"] = [{"key": key, "expiresAt": format_time(end)} for key, end in life.keys]
    if life.duplicate_of is not None:
        shown["duplicateOf"] = life.duplicate_of
    if life.duplicates:
        shown["duplicates"] = life.duplicates
    return shown


def _refused(one: Rejection) -> dict[str, Any]:
    return {
        "eventId": one.event_id,
        "account": one.account,
        "flow": one.flow,
        "status": "rejected",
        "receivedAt": format_time(one.received_at),
        "reason": one.code,
    }


def _json(body: bytes, *, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
