"""A request that a flow's door turned away, handed to what keeps such."""

import asyncio
import time
from typing import Final

from hookrack.app import App
from hookrack.edge.redaction import kept_headers, kept_query
from hookrack.entrypoints.http.exchange import Gone, Receive, Scope, header, read_body
from hookrack.entrypoints.http.peer import client_address
from hookrack.errors import Code, Rejected
from hookrack.keeper import BODY_BYTES
from hookrack.model import JSON_TYPE, new_event_id
from hookrack.refusals import Rejection

_STRANGERS: Final = frozenset(
    {Code.SIGNATURE_INVALID, Code.CREDENTIAL_INVALID, Code.ADDRESS_NOT_ALLOWED, Code.NOT_FOUND}
)
_BODY_SECONDS: Final = 1.0  # for a body that nobody had asked for when the request was refused


async def keep_refused(
    app: App,
    scope: Scope,
    *,
    receive: Receive,
    address: tuple[str, str],
    error: Rejected,
    body: bytes | None,
) -> None:
    """Keep what was refused, if its flow is there and not too much is; `body` if it was read."""
    account, flow_id = address
    flow = app.configuration.find_flow(account, flow_id)
    if flow is None:
        return
    verified = body is not None and error.code not in _STRANGERS
    if not app.keeper.wants(account, flow_id, verified=verified):
        return
    now = time.time_ns() // 1_000_000
    if body is None and error.code is not Code.BODY_TOO_LARGE:
        body = await _rest(scope, receive)
    if body is not None and len(body) > BODY_BYTES:
        body = None
    app.keeper.offer(
        Rejection(
            event_id=new_event_id(now),
            account=account,
            flow=flow_id,
            code=error.code.value,
            detail=error.detail,
            received_at=now,
            client=client_address(scope, app.settings.trusted_proxies),
            verified=verified,
            content_type=header(scope, b"content-type") or JSON_TYPE,
            headers=kept_headers(scope["headers"], flow.auth),
            query=kept_query(str(scope["query_string"], "latin-1")),
            body=body,
        )
    )


async def _rest(scope: Scope, receive: Receive) -> bytes | None:
    """A body that is small and on its way; None where it isn't, or waits to be asked for."""
    if header(scope, b"expect") is not None:
        return None
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await read_body(scope, receive, limit=BODY_BYTES)
    except (Rejected, Gone, TimeoutError):
        return None
