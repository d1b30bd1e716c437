"""POST /in/{account}/{flow}[/{secret}]: from bytes on the wire to a 202 that means kept."""

import time
from collections.abc import Awaitable, Callable
from functools import partial

from hookrack.app import App
from hookrack.cpu_time import LIMITS
from hookrack.edge.handshakes import Reply
from hookrack.entrypoints.http.exchange import (
    JSON,
    Header,
    Receive,
    Scope,
    Send,
    answer,
    header,
    read_body,
)
from hookrack.entrypoints.http.peer import client_address, client_url
from hookrack.entrypoints.http.problems import method_not_allowed
from hookrack.entrypoints.http.refused import keep_refused
from hookrack.errors import Code, Rejected
from hookrack.flows import Flow
from hookrack.model import JSON_TYPE, Event, Request
from hookrack.pipeline import accept, admit, answer_setup
from hookrack.quotas import NO_QUOTAS
from hookrack.telemetry import emit, log, metrics

_TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
_FAILURES = frozenset({Code.SIGNATURE_INVALID, Code.CREDENTIAL_INVALID})


async def ingest(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Take one request. Raises: Rejected, Unavailable, Gone."""
    account, flow_id, secret = _address(scope["path"])
    client = partial(client_address, scope, app.settings.trusted_proxies)
    if scope["method"] != "POST":
        found = app.configuration.find_flow(account, flow_id) if secret is None else None
        method, query = scope["method"], scope["query_string"]
        reply = found and answer_setup(found, method, query=query, client=client)
        await (_reply(send, reply) if reply else answer(send, *method_not_allowed("POST")))
        return
    lookup = partial(header, scope)
    body, known = None, app.configuration.find_flow(account, flow_id)
    try:
        if known is not None:
            app.rates.check_sender(known, client)
        flow = admit(
            app.configuration, account, flow_id, credential=secret, header=lookup, client=client
        )
        body = await read_body(scope, receive, limit=flow.max_body_bytes)
        request = Request(
            account=account,
            flow=flow_id,
            content_type=lookup(b"content-type") or JSON_TYPE,
            body=body,
            received_at=time.time_ns() // 1_000_000,
            headers=scope["headers"],
            query=str(scope["query_string"], "latin-1"),
            client="" if flow.mapping is None else client(),
        )
        url = partial(client_url, scope, app.settings.trusted_proxies)
        event_id = await accept(
            request,
            flow,
            queue=app.queue,
            header=lookup,
            url=url,
            limits=LIMITS,
            spend=_spend(app, flow),
            fit=_fit(app, flow),
        )
    except Rejected as exc:
        at = (account, flow_id)
        if known is not None and exc.code in _FAILURES:
            app.rates.failed(known, client)
        await keep_refused(app, scope, receive=receive, address=at, error=exc, body=body)
        raise
    if isinstance(event_id, Reply):
        await _reply(send, event_id)
        return
    metrics.SENT.add(f"{account}/{flow_id}")
    raw_id = event_id.encode()
    name = (b"hookrack-event-id", raw_id)
    wanted = flow.auth.answer
    if wanted is None:
        text = b'{"eventId": "%b", "status": "accepted"}' % raw_id
        await answer(send, flow.response_status, (JSON, name), text)
    else:
        await answer(send, flow.response_status, (_TEXT, name), wanted)
    if app.settings.log_success:
        emit(log.EVENT_ACCEPTED, eventId=event_id, account=account, flow=flow_id, bytes=len(body))


def _spend(app: App, flow: Flow) -> Callable[[], None] | None:
    """What counts a request of a verified sender, where the flow or its account has a limit."""
    account = app.configuration.accounts.get(flow.account)
    if account is None or (flow.per_second is None and account.per_second is None):
        return None
    return partial(app.rates.spend, flow, account)


def _fit(app: App, flow: Flow) -> Callable[[Event], Awaitable[None]] | None:
    """What refuses an event that there is no room for, where the account has quotas."""
    account = app.configuration.accounts.get(flow.account)
    if account is None or account.quotas is NO_QUOTAS:
        return None
    return partial(app.allowances.check, flow=flow, account=account)


async def _reply(send: Send, reply: Reply) -> None:
    """Answer a provider's question, once what it asks for is done."""
    if reply.visit:
        from hookrack.entrypoints.http.confirm import visit  # noqa: PLC0415 - a client, seldom

        await visit(reply.visit)
    headers = ((b"content-type", reply.content_type.encode()), *reply.headers)
    await answer(send, reply.status, headers, reply.body)


def _address(path: str) -> tuple[str, str, str | None]:
    """Account, flow, and what stands behind them. Raises: Rejected (`FLOW_UNKNOWN`)."""
    parts = path.split("/", 4)
    if len(parts) < 4:  # "", "in", account, flow
        raise Rejected(Code.FLOW_UNKNOWN, "An address is /in/{account}/{flow}.")
    return parts[2], parts[3], parts[4] if len(parts) > 4 else None
