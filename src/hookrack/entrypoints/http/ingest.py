"""POST /in/{account}/{flow}[/{secret}]: from bytes on the wire to a 202 that means kept."""

import time
from functools import partial

from hookrack.app import App
from hookrack.edge.mapping import Limits
from hookrack.entrypoints.http.exchange import JSON, Receive, Scope, Send, answer, header, read_body
from hookrack.entrypoints.http.peer import client_address
from hookrack.entrypoints.http.problems import method_not_allowed
from hookrack.errors import Code, Rejected
from hookrack.model import JSON_TYPE, Request
from hookrack.pipeline import accept, admit
from hookrack.telemetry import emit, log, metrics

_LIMITS = Limits(clock=time.thread_time_ns)


async def ingest(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Take one request. Raises: Rejected, Unavailable, Gone."""
    account, flow_id, secret = _address(scope["path"])
    if scope["method"] != "POST":
        await answer(send, *method_not_allowed("POST"))
        return
    flow = admit(
        app.configuration, account, flow_id, credential=secret, header=partial(header, scope)
    )
    body = await read_body(scope, receive, limit=flow.max_body_bytes)
    request = Request(
        account=account,
        flow=flow_id,
        content_type=header(scope, b"content-type") or JSON_TYPE,
        body=body,
        received_at=time.time_ns() // 1_000_000,
        headers=scope["headers"],
        query=str(scope["query_string"], "latin-1"),
        client="" if flow.mapping is None else client_address(scope, app.settings.trusted_proxies),
    )
    event_id = await accept(request, flow, queue=app.queue, limits=_LIMITS)
    metrics.SENT.add(f"{account}/{flow_id}")
    raw_id = event_id.encode()
    headers = (JSON, (b"hookrack-event-id", raw_id))
    await answer(send, 202, headers, b'{"eventId": "%b", "status": "accepted"}' % raw_id)
    if app.settings.log_success:
        emit(log.EVENT_ACCEPTED, eventId=event_id, account=account, flow=flow_id, bytes=len(body))


def _address(path: str) -> tuple[str, str, str | None]:
    """Account, flow, and what stands behind them. Raises: Rejected (`FLOW_UNKNOWN`)."""
    parts = path.split("/", 4)
    if len(parts) < 4:  # "", "in", account, flow
        raise Rejected(Code.FLOW_UNKNOWN, "An address is /in/{account}/{flow}.")
    return parts[2], parts[3], parts[4] if len(parts) > 4 else None
