"""Tokens: made, listed, revoked. A token's text is shown once, when it is made."""

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from hookrack.entrypoints.http.api.caller import Admin, Served
from hookrack.errors import Code, Rejected
from hookrack.records import Change, Records
from hookrack.tokens import Scope, Token, new_token

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])
_AccountId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class Wanted(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    accounts: Literal["*"] | Annotated[list[_AccountId], Field(min_length=1, max_length=1000)]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: Annotated[AwareDatetime | None, Field(alias="expiresAt", strict=False)] = None


@router.post("", status_code=201)
async def create_token(*, wanted: Wanted, app: Served, token: Admin) -> dict[str, Any]:
    """Make a token, for no more accounts than one's own. Its text is shown this once."""
    accounts = None if wanted.accounts == "*" else list(wanted.accounts)
    if token.accounts is not None and not set(accounts or ("*",)) <= set(token.accounts):
        raise Rejected(Code.ACCOUNT_UNKNOWN, "There is no such account for this token.")
    text, made = new_token(
        wanted.name,
        accounts=accounts,
        scopes=wanted.scopes,
        expires_at=_milliseconds(wanted.expires_at),
    )
    change = Change("token", app.tokens.digest(text), made.text())
    await app.live.update(lambda _: [change])
    return {**made.document(), "token": text}


@router.get("")
async def list_tokens(*, app: Served, token: Admin) -> dict[str, Any]:
    """The tokens for one's accounts, without their texts."""
    kept = [each for each in app.tokens.by_digest.values() if each.created_at]
    kept.sort(key=lambda each: each.created_at)
    return {"tokens": [each.document() for each in kept if _may_see(token, each)]}


@router.delete("/{token_id}", status_code=204)
async def delete_token(*, token_id: str, app: Served, token: Admin) -> None:
    """Revoke a token, everywhere within a second."""

    def plan(records: Records) -> list[Change]:
        for digest, text in records.token.items():
            kept = Token.parse(text)
            if kept.id == token_id and _may_see(token, kept):
                return [Change("token", digest, None)]
        raise Rejected(Code.NOT_FOUND, "There is no such token.")

    await app.live.update(plan)


def _may_see(admin: Token, token: Token) -> bool:
    """An admin of some accounts sees the tokens that are for these alone."""
    return admin.accounts is None or (
        token.accounts is not None and set(token.accounts) <= set(admin.accounts)
    )


def _milliseconds(time: dt.datetime | None) -> int | None:
    if time is None:
        return None
    found = int(time.timestamp() * 1000)
    if found <= dt.datetime.now(tz=dt.UTC).timestamp() * 1000:
        raise Rejected(Code.QUERY_INVALID, "expiresAt is not in the future.")
    return found
