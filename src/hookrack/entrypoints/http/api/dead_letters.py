"""Dead letters: what was buried, why, and sending it round again."""

import time
from base64 import b64encode
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Query, Response
from pydantic import Field

from hookrack.entrypoints.http.api.caller import Admin, Served
from hookrack.entrypoints.http.api.which import Paged, Which
from hookrack.errors import Code, Rejected
from hookrack.jsontext import find_json_fault
from hookrack.letters import discard, redrive
from hookrack.model import format_time
from hookrack.ports import DeadLetter, LetterFilter
from hookrack.tokens import Token

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])


class Wanted(Which):
    """Which dead letters are meant: all that fit every field given."""

    def filter(self, token: Token) -> LetterFilter:
        """The same, held to the token's accounts. Raises: Rejected (`ACCOUNT_UNKNOWN`)."""
        accounts = None if token.accounts is None else frozenset(token.accounts)
        if self.account is not None:
            if not token.covers(self.account):
                raise Rejected(Code.ACCOUNT_UNKNOWN, "There is no such account for this token.")
            accounts = frozenset({self.account})
        return LetterFilter(
            accounts=accounts,
            flow=self.flow,
            reason=self.reason,
            since=self.since_ms(),
            until=self.until_ms(),
            ids=self.event_ids(),
        )


class Listed(Wanted, Paged):
    """A page of them."""


class Meant(Wanted):
    """As above; where no field is given, nothing is meant unless `all` says so."""

    everything: Annotated[bool, Field(alias="all")] = False

    def named(self, token: Token) -> LetterFilter:
        """The filter. Raises: Rejected (`QUERY_INVALID`) where it is everything by oversight."""
        self.check_named(everything=self.everything)
        return self.filter(token)


class Redriven(Meant):
    """Which to send round again, and how."""

    dry_run: Annotated[bool, Field(alias="dryRun")] = False
    renew_ttl: Annotated[bool, Field(alias="renewTtl")] = False


@router.get("", response_class=Response)
async def list_dead_letters(
    *, wanted: Annotated[Listed, Query()], app: Served, token: Admin
) -> Response:
    """Dead letters, the one that failed last first.

    Where `more` is true, `after` (or `cursor`, which is the same) goes on behind the answer's
    `cursor`. `ids` can be repeated, or hold several with commas between them. `partial` is there,
    and true, where the queue is on SQS and shows only some of what it has.
    """
    page = await app.letters.page(wanted.filter(token), after=wanted.place(), limit=wanted.limit)
    shown = [_shown(letter) for letter in page.letters]
    body = {"deadLetters": shown, "cursor": page.cursor, "more": page.cursor is not None}
    if page.partial:
        body["partial"] = True
    return Response(orjson.dumps(body), media_type="application/json")


@router.get("/{event_id}", response_class=Response)
async def get_dead_letter(*, event_id: str, app: Served, token: Admin) -> Response:
    """The dead letter of one event."""
    letter = await app.letters.get(event_id)
    if letter is None or not _may_see(token, letter):
        raise Rejected(Code.NOT_FOUND, "There is no such dead letter.")
    return Response(orjson.dumps(_shown(letter)), media_type="application/json")


@router.post("/redrive")
async def redrive_dead_letters(
    *, wanted: Annotated[Redriven, Body(default_factory=Redriven)], app: Served, token: Admin
) -> dict[str, int]:
    """Send them round again. Needs a field to go by, or `all`, but for `dryRun`, which only counts.

    `renewTtl` makes now the time of receipt.
    """
    done = await redrive(
        wanted.filter(token) if wanted.dry_run else wanted.named(token),
        letters=app.letters,
        configuration=app.configuration,
        now=time.time_ns() // 1_000_000,
        dry_run=wanted.dry_run,
        renew_ttl=wanted.renew_ttl,
    )
    return {"redriven": done.redriven, "skipped": done.skipped, "expired": done.expired}


@router.delete("")
async def discard_dead_letters(
    *, wanted: Annotated[Meant, Query()], app: Served, token: Admin
) -> dict[str, int]:
    """Drop them for good. Needs a field to go by, or all=true."""
    return {"discarded": await discard(wanted.named(token), letters=app.letters)}


def _may_see(token: Token, letter: DeadLetter) -> bool:
    """What was no envelope belongs to nobody, so only a token for all accounts sees it."""
    if letter.account is None:
        return token.accounts is None
    return token.covers(letter.account)


def _shown(letter: DeadLetter) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "eventId": letter.event_id,
        "account": letter.account,
        "flow": letter.flow,
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "crashes": letter.crashes,
        "firstFailedAt": format_time(letter.first_failed_at),
        "lastFailedAt": format_time(letter.last_failed_at),
    }
    if find_json_fault(letter.envelope):
        return shown | {"envelope": None, "envelopeBase64": b64encode(letter.envelope).decode()}
    return shown | {"envelope": orjson.Fragment(letter.envelope)}
