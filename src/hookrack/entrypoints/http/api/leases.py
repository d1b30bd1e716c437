"""Leases: entries for one reader of a group at a time, and what becomes of them."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from hookrack import pulling
from hookrack.entrypoints.http.api.caller import Acker, Reader, Served, account_of, reading_of
from hookrack.entrypoints.http.api.later import Later
from hookrack.entrypoints.http.exchange import Receive, Scope, Send
from hookrack.entrypoints.http.parking import Parked
from hookrack.entrypoints.http.waiting import wait_for_lease
from hookrack.model import format_time
from hookrack.readers import Wish

router = APIRouter(prefix="/v1/keys/{key}", tags=["leases"])
_LONGEST = int(pulling.LONGEST_LEASE.total_seconds())
_Seconds = Annotated[int, Field(ge=1, le=_LONGEST)]


class _Body(BaseModel):
    """What all of them have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    group: str = pulling.DEFAULT_GROUP


class Lease(_Body):
    """How much is asked for, for how long, and how."""

    max: Annotated[int, Field(ge=1, le=pulling.LARGEST_LEASE)] = 1
    lease_seconds: Annotated[_Seconds, Field(alias="leaseSeconds")] = 30
    wait: Annotated[int, Field(ge=0, le=30)] = 0
    ordered: bool = False
    max_attempts: Annotated[
        int | None, Field(alias="maxAttempts", ge=1, le=pulling.MOST_ATTEMPTS)
    ] = None

    def wish(self) -> Wish:
        """The same for the store."""
        return Wish(
            group=self.group,
            limit=self.max,
            span=timedelta(seconds=self.lease_seconds),
            ordered=self.ordered,
            max_attempts=self.max_attempts,
        )


class Ack(_Body):
    """What is settled."""

    receipts: Annotated[list[str], Field(min_length=1, max_length=pulling.LARGEST_LEASE)]


class Release(Ack):
    """What is given back, and after how long it goes out again."""

    delay_seconds: Annotated[int, Field(alias="delaySeconds", ge=0, le=_LONGEST)] = 0


class Extend(Ack):
    """What is held longer, from now on."""

    lease_seconds: Annotated[_Seconds, Field(alias="leaseSeconds")] = 30


@router.post("/lease", response_class=Response)
async def lease(
    *, key: str, request: Request, token: Acker, wanted: Lease | None = None
) -> Response:
    """Entries in storing order that no other reader of the group holds, each with a receipt.

    They are hidden from the group until acked, released, or the lease ends. With `ordered`, what
    is stored behind an entry that isn't acked is held back. An entry that was handed out
    `maxAttempts` times becomes a dead letter of the group instead of going out again.
    """
    reading = reading_of(token, request, key=key, scope="ack")
    asked = wanted or Lease()
    wish, wait = asked.wish(), timedelta(seconds=asked.wait)
    pulling.check_group(wish.group)

    async def answer_later(scope: Scope, _receive: Receive, send: Send) -> Parked | None:
        return await wait_for_lease(scope, send, reading=reading, wish=wish, wait=wait)

    return Later(answer_later)


@router.post("/ack")
async def ack(
    *, key: str, wanted: Ack, request: Request, app: Served, token: Acker
) -> dict[str, Any]:
    """Settle entries for the group; they stay readable. Each receipt is `acked` or `stale`."""
    counted = await pulling.ack(
        account_of(token, request),
        key,
        leases=app.leases,
        group=wanted.group,
        receipts=wanted.receipts,
    )
    return results(wanted.receipts, counted, word="acked")


@router.post("/release")
async def release(
    *, key: str, wanted: Release, request: Request, app: Served, token: Acker
) -> dict[str, Any]:
    """Give entries back, to go out again after `delaySeconds`: each `released` or `stale`."""
    counted = await pulling.release(
        account_of(token, request),
        key,
        leases=app.leases,
        group=wanted.group,
        receipts=wanted.receipts,
        delay=timedelta(seconds=wanted.delay_seconds),
    )
    return results(wanted.receipts, counted, word="released")


@router.post("/extend")
async def extend(
    *, key: str, wanted: Extend, request: Request, app: Served, token: Acker
) -> dict[str, Any]:
    """Hold entries for `leaseSeconds` from now on: each `extended`, with its end, or `stale`."""
    ends = await pulling.extend(
        account_of(token, request),
        key,
        leases=app.leases,
        group=wanted.group,
        receipts=wanted.receipts,
        span=timedelta(seconds=wanted.lease_seconds),
    )
    told = results(wanted.receipts, [end is not None for end in ends], word="extended")
    for result, end in zip(told["results"], ends, strict=True):
        if end is not None:
            result["leasedUntil"] = format_time(end)
    return told


@router.get("/groups")
async def list_groups(*, key: str, request: Request, app: Served, token: Reader) -> dict[str, Any]:
    """The groups that have leased from a key, and how many entries each has in which state."""
    found = await pulling.groups(account_of(token, request), key, leases=app.leases)
    return {
        "groups": [
            {
                "group": each.name,
                "held": each.held,
                "returned": each.returned,
                "deadLetters": each.dead,
            }
            for each in found
        ]
    }


@router.get("/groups/{group}/dead-letters")
async def list_abandoned(
    *,
    key: str,
    group: str,
    request: Request,
    app: Served,
    token: Reader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Entries that the group was handed `maxAttempts` times and never acked, oldest first."""
    found = await pulling.abandoned(
        account_of(token, request), key, leases=app.leases, group=group, limit=limit
    )
    return {
        "deadLetters": [
            {
                "eventId": each.event_id,
                "cursor": each.cursor,
                "receivedAt": format_time(each.received_at),
                "expiresAt": format_time(each.expires_at),
                "attempts": each.attempts,
                "failedAt": format_time(each.abandoned_at),
            }
            for each in found
        ]
    }


@router.post("/groups/{group}/dead-letters/redrive")
async def redrive(
    *, key: str, group: str, request: Request, app: Served, token: Acker
) -> dict[str, int]:
    """Hand the group's dead letters out again, attempts counted anew."""
    account = account_of(token, request)
    return {"redriven": await pulling.redrive(account, key, leases=app.leases, group=group)}


def results(receipts: list[str], counted: list[bool], *, word: str) -> dict[str, Any]:
    """What became of each receipt."""
    pairs = zip(receipts, counted, strict=True)
    return {
        "results": [
            {"receipt": receipt, "status": word if good else "stale"} for receipt, good in pairs
        ]
    }
