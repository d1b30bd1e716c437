"""Lease and ack without the framework: a reader calls them for every batch that it works off.

The same bodies and answers as the routes in `leases`, which the reference is written from.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from hookrack import pulling
from hookrack.app import App
from hookrack.entrypoints.http.api.leases import Ack, Lease, results
from hookrack.entrypoints.http.exchange import (
    JSON,
    Receive,
    Scope,
    Send,
    answer,
    header,
    read_body,
)
from hookrack.entrypoints.http.keys import PREFIX
from hookrack.entrypoints.http.parking import Parked
from hookrack.entrypoints.http.problems import NO_JSON, unfit
from hookrack.entrypoints.http.waiting import Reading, wait_for_lease
from hookrack.errors import Code, Rejected
from hookrack.flows import LARGEST_BODY_BYTES
from hookrack.jsontext import is_json_type
from hookrack.pipeline import check_key

Route = Callable[[App, Scope, Receive, Send], Awaitable[Parked | None]]
_Body = TypeVar("_Body", bound=BaseModel)


async def _lease(app: App, scope: Scope, receive: Receive, send: Send) -> Parked | None:
    reading = _reading(app, scope, verb="lease")
    asked = await _read(Lease, scope, receive, default=b"{}")
    pulling.check_group(asked.group)
    wait = timedelta(seconds=asked.wait)
    return await wait_for_lease(scope, send, reading=reading, wish=asked.wish(), wait=wait)


async def _ack(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    reading = _reading(app, scope, verb="ack")
    asked = await _read(Ack, scope, receive)
    counted = await pulling.ack(
        reading.account,
        reading.key,
        leases=app.leases,
        group=asked.group,
        receipts=asked.receipts,
    )
    body = orjson.dumps(results(asked.receipts, counted, word="acked"))
    await answer(send, 200, (JSON,), body)


CALLS: Final[Mapping[str, Route]] = {"lease": _lease, "ack": _ack}


def _reading(app: App, scope: Scope, *, verb: str) -> Reading:
    """Raises: Rejected."""

    def authorize() -> str:
        return app.tokens.authorize(
            header(scope, b"authorization"), header(scope, b"hookrack-account"), scope="ack"
        )

    account, key = authorize(), scope["path"][len(PREFIX) : -len(verb) - 1]
    check_key(key)
    return Reading(app, account, key, authorize)


async def _read(
    kind: type[_Body], scope: Scope, receive: Receive, *, default: bytes = b""
) -> _Body:
    """The body as what it must be. Raises: Rejected, Gone."""
    body = await read_body(scope, receive, limit=LARGEST_BODY_BYTES)
    content_type = header(scope, b"content-type")
    if body and content_type is not None and not is_json_type(content_type):
        raise Rejected(Code.QUERY_INVALID, NO_JSON)
    try:
        return kind.model_validate_json(body or default)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_context=False, include_input=False)
        raise unfit([(each["loc"], each["msg"]) for each in found]) from exc
