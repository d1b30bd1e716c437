"""Accounts and flows: configuration by the API, with the flow file's fields."""

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from hookrack.app import App
from hookrack.edge.auth import Credential
from hookrack.entrypoints.http.api.caller import Admin, Served
from hookrack.errors import Code, Rejected, Unavailable
from hookrack.flows import (
    Account,
    Flow,
    account_document,
    flow_document,
    read_account,
    read_flow,
)
from hookrack.letters import discard
from hookrack.model import is_name
from hookrack.ports import LetterFilter
from hookrack.retiming import retime
from hookrack.tokens import Token

router = APIRouter(prefix="/v1/accounts", tags=["accounts and flows"])
_Fields = Annotated[dict[str, Any], Body(description="The fields of the flow file.")]


@router.get("")
async def list_accounts(*, app: Served, token: Admin) -> dict[str, Any]:
    """The accounts that the token is for."""
    accounts = app.configuration.accounts.values()
    return {"accounts": [_shown(app, each) for each in accounts if token.covers(each.id)]}


@router.get("/{account}")
async def get_account(*, account: str, app: Served, token: Admin) -> dict[str, Any]:
    """One account and its flows; secrets are shown as the variables that hold them.

    `usage` is what its quotas count: keys with something alive under them, bytes of its events,
    readers that wait at this process. It is null while the store doesn't answer.
    """
    return _shown(app, _account(app, token, account)) | {"usage": await _usage(app, account)}


@router.put("/{account}", responses={201: {"description": "Made"}})
async def put_account(
    *,
    account: str,
    fields: _Fields,
    app: Served,
    token: Admin,
    response: Response,
    existing: bool = False,
) -> dict[str, Any]:
    """Make an account or change its own fields; its flows are set one by one.

    Times to live hold for what is stored from then on; with `existing=true` also for what is
    there, which takes its time: the answer counts entries that were changed, ended by it, and
    kept. After a failure in between, the same call completes it.
    """
    if token.accounts is None and not is_name(account):
        raise Rejected(Code.CONFIG_INVALID, "An account id is 1 to 63 of a-z 0-9 _ -.")
    _covered(token, account)
    there = app.configuration.accounts.get(account)
    if there is None:
        response.status_code = 201
    wanted = read_account(account, fields, flows=there.flows if there else {})
    _check_times(wanted)
    await app.live.put_account(wanted)
    made = _account(app, token, account)
    return _shown(app, made) | (await _retimed(app, made) if existing else {})


@router.delete("/{account}")
async def delete_account(*, account: str, app: Served, token: Admin) -> dict[str, int | None]:
    """Forget an account with its flows, queue, entries, dead letters, and tokens for it alone.

    A queue on SQS can't tell accounts apart: then `queued` is null, and what is queued becomes
    dead letters.

    What another process takes in within the next second, before it hears of this, becomes a dead
    letter, since nothing says any more where it belongs.
    """
    _account(app, token, account)
    tokens = sum(each.accounts == (account,) for each in app.tokens.by_digest.values())
    await app.live.drop_account(account)
    queued = await app.queue.purge(account)
    letters = await discard(LetterFilter(accounts=frozenset({account})), letters=app.letters)
    purged = await app.store.purge_account(account)
    return {
        "entries": purged.entries,
        "events": purged.events,
        "queued": queued,
        "deadLetters": letters,
        "tokens": tokens,
    }


@router.get("/{account}/flows")
async def list_flows(*, account: str, app: Served, token: Admin) -> dict[str, Any]:
    """The flows of an account."""
    flows = _account(app, token, account).flows.values()
    return {"flows": [_flow_shown(app, each) for each in flows]}


@router.get("/{account}/flows/{flow}")
async def get_flow(*, account: str, flow: str, app: Served, token: Admin) -> dict[str, Any]:
    """One flow; secrets are shown as the variables that hold them."""
    return _flow_shown(app, _flow(app, token, account, flow))


@router.put("/{account}/flows/{flow}", responses={201: {"description": "Made"}})
async def put_flow(
    *,
    account: str,
    flow: str,
    fields: _Fields,
    app: Served,
    token: Admin,
    response: Response,
    existing: bool = False,
) -> dict[str, Any]:
    """Make or change a flow; in force everywhere within a second.

    With `existing=true` the times to live of flow and keys hold for what is there already, too;
    see the account's.
    """
    max_ttl = _account(app, token, account).max_ttl
    if not is_name(flow):
        raise Rejected(Code.CONFIG_INVALID, "A flow id is 1 to 63 of a-z 0-9 _ -.")
    if app.configuration.find_flow(account, flow) is None:
        response.status_code = 201
    # Beside the event loop: a large template takes seconds.
    wanted = await asyncio.to_thread(read_flow, flow, fields, account=account, max_ttl=max_ttl)
    await app.live.put_flow(wanted)
    made = _flow(app, token, account, flow)
    retimed = await _retimed(app, _account(app, token, account), made) if existing else {}
    return _flow_shown(app, made) | retimed


@router.delete("/{account}/flows/{flow}", status_code=204)
async def delete_flow(*, account: str, flow: str, app: Served, token: Admin) -> None:
    """Forget a flow. What it stored stays until its time; what is queued becomes dead letters."""
    _flow(app, token, account, flow)
    await app.live.drop_flow(account, flow)


async def _retimed(app: App, account: Account, flow: Flow | None = None) -> dict[str, Any]:
    """What became of the entries that were there."""
    found = await retime(account, store=app.store, flow=flow)
    return {"existing": {"changed": found.changed, "ended": found.ended, "kept": found.kept}}


def _check_times(account: Account) -> None:
    """No flow that is there may keep its events for longer than the account lets it."""
    for flow in account.flows.values():
        times = [flow.ttl, *(key.ttl for key in flow.keys)]
        if any(each and each > account.max_ttl for each in times):
            detail = f"The flow {flow.id} has a ttl above this maxTtl. Lower that one first."
            raise Rejected(Code.CONFIG_INVALID, detail)


def _covered(token: Token, account: str) -> None:
    """A foreign account looks like one that isn't there."""
    if not is_name(account) or not token.covers(account):
        raise Rejected(Code.ACCOUNT_UNKNOWN, "There is no such account for this token.")


def _account(app: App, token: Token, account: str) -> Account:
    _covered(token, account)
    found = app.configuration.accounts.get(account)
    if found is None:
        raise Rejected(Code.ACCOUNT_UNKNOWN, "There is no such account for this token.")
    return found


def _flow(app: App, token: Token, account: str, flow: str) -> Flow:
    found = _account(app, token, account).flows.get(flow)
    if found is None:
        raise Rejected(Code.FLOW_UNKNOWN, f"There is no flow {flow} in {account}.")
    return found


def _shown(app: App, account: Account) -> dict[str, Any]:
    owner = app.live.owned.account.get(account.id)
    flows = {each.id: _flow_shown(app, each) for each in account.flows.values()}
    return {"account": account.id, "owner": owner, **account_document(account), "flows": flows}


def _flow_shown(app: App, flow: Flow) -> dict[str, Any]:
    owner = app.live.owned.flow.get(f"{flow.account}/{flow.id}")
    document = flow_document(flow, show=partial(_variable, flow))
    return {"flow": flow.id, "account": flow.account, "owner": owner, **document}


async def _usage(app: App, account: str) -> dict[str, int] | None:
    try:
        found = await app.store.usage(account)
    except Unavailable:
        return None
    waiting = app.arrivals.waiting_of(account)
    return {"keys": found.keys, "storedBytes": found.stored_bytes, "waitingReaders": waiting}


def _variable(flow: Flow, place: int, credential: Credential) -> str:
    """What stands for a secret that is never shown: `${NAME}`."""
    made = f"HOOKRACK_{flow.account}_{flow.id}_{place + 1}".upper().replace("-", "_")
    return f"${{{credential.variable or made}}}"
