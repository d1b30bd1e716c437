"""Rejections: who was turned away at a flow's door, why, and letting him in after all."""

import time
from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import Field

from hookrack.app import App
from hookrack.cpu_time import LIMITS
from hookrack.entrypoints.http.api.caller import Admin, Served
from hookrack.entrypoints.http.api.which import Paged, Which
from hookrack.errors import Code, Rejected
from hookrack.model import format_time, is_name
from hookrack.refusals import Rejection, RejectionFilter
from hookrack.replays import replay
from hookrack.tokens import Token

router = APIRouter(prefix="/v1/rejections", tags=["rejections"])


class Wanted(Which):
    """Which rejections are meant: all that fit every field given."""

    def filter(self, app: App, token: Token) -> RejectionFilter:
        """The same, held to the token's accounts. Raises: Rejected (`ACCOUNT_UNKNOWN`)."""
        if self.account is not None:
            there = is_name(self.account) and self.account in app.configuration.accounts
            if not there or not token.covers(self.account):
                raise Rejected(Code.ACCOUNT_UNKNOWN, "There is no such account for this token.")
            accounts: tuple[str, ...] = (self.account,)
        else:
            accounts = tuple(each for each in app.configuration.accounts if token.covers(each))
        return RejectionFilter(
            accounts=accounts,
            flow=self.flow,
            code=self.reason,
            since=self.since_ms(),
            until=self.until_ms(),
            ids=self.event_ids(),
        )


class Listed(Wanted, Paged):
    """A page of them."""


class Replayed(Wanted):
    """Which to let through the front door again, and how."""

    everything: Annotated[bool, Field(alias="all")] = False
    dry_run: Annotated[bool, Field(alias="dryRun")] = False
    trust: bool = False
    renew_ttl: Annotated[bool, Field(alias="renewTtl")] = False

    def named(self, app: App, token: Token) -> RejectionFilter:
        """The filter. Raises: Rejected (`QUERY_INVALID`) where it is everything by oversight."""
        self.check_named(everything=self.everything or self.dry_run)
        return self.filter(app, token)


@router.get("")
async def list_rejections(
    *, wanted: Annotated[Listed, Query()], app: Served, token: Admin
) -> dict[str, Any]:
    """Refused requests, the latest first.

    Where `more` is true, `after` (or `cursor`, which is the same) goes on behind the answer's
    `cursor`. `ids` can be repeated, or hold several with commas between them.
    """
    meant = wanted.filter(app, token)
    page = await app.rejections.page(meant, after=wanted.place(), limit=wanted.limit)
    shown = [_shown(each) for each in page.rejections]
    return {"rejections": shown, "cursor": page.cursor, "more": page.cursor is not None}


@router.get("/{event_id}")
async def get_rejection(*, event_id: str, app: Served, token: Admin) -> dict[str, Any]:
    """One refused request, with its headers and its body as far as they were kept."""
    for account in app.configuration.accounts:
        if token.covers(account) and (one := await app.rejections.get(account, event_id)):
            return _shown(one) | _content(one)
    raise Rejected(Code.NOT_FOUND, "There is no such rejection.")


@router.post("/replay")
async def replay_rejections(
    *, wanted: Annotated[Replayed, Body(default_factory=Replayed)], app: Served, token: Admin
) -> dict[str, int]:
    """Let them through the front door again. Needs a field to go by, or `all`.

    `dryRun` only counts; `trust` takes in those whose signature or credential was refused, without
    asking again; `renewTtl` makes now the time of receipt.
    """
    done = await replay(
        wanted.named(app, token),
        rejections=app.rejections,
        configuration=app.configuration,
        queue=app.queue,
        limits=LIMITS,
        now=time.time_ns() // 1_000_000,
        dry_run=wanted.dry_run,
        trust=wanted.trust,
        renew_ttl=wanted.renew_ttl,
    )
    return {
        "replayed": done.replayed,
        "refused": done.refused,
        "skipped": done.skipped,
        "expired": done.expired,
    }


def _shown(one: Rejection) -> dict[str, Any]:
    return {
        "eventId": one.event_id,
        "account": one.account,
        "flow": one.flow,
        "reason": one.code,
        "detail": one.detail,
        "receivedAt": format_time(one.received_at),
        "client": one.client,
        "verified": one.verified,
    }


def _content(one: Rejection) -> dict[str, Any]:
    """What was sent; as text where it is one."""
    shown: dict[str, Any] = {
        "contentType": one.content_type,
        "headers": [list(each) for each in one.headers],
        "query": one.query,
    }
    if one.body is None:
        return shown | {"body": None}
    try:
        return shown | {"body": one.body.decode()}
    except UnicodeDecodeError:
        return shown | {"bodyBase64": b64encode(one.body).decode()}
