"""Who calls, and for which account: what the routes are handed."""

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPBearer

from hookrack.app import App
from hookrack.entrypoints.http.exchange import ADMIN
from hookrack.entrypoints.http.waiting import Reading
from hookrack.pipeline import check_key
from hookrack.tokens import Scope, Token, pick_account

_bearer = HTTPBearer(auto_error=False, description="A token with the scope of the call.")


def app_of(request: Request) -> App:
    """The app that this process serves."""
    app: App = request.app.state.app
    return app


Served = Annotated[App, Depends(app_of)]


class Caller:
    """The token of a call, once it has the scope; `account` is the one that the call is for."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def __call__(
        self,
        *,
        app: Served,
        request: Request,
        _shown: Annotated[object, Depends(_bearer)],
        authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Token:
        """The token. Raises: Rejected (`TOKEN_INVALID`, `SCOPE_MISSING`)."""
        if self._scope == "admin" or request.method == "DELETE":
            # The front door writes down what admins do and who purges, and who tried in vain.
            request.scope[ADMIN] = app.tokens.known(authorization)
        return app.tokens.identify(authorization, self._scope)


Admin = Annotated[Token, Depends(Caller("admin"))]
Reader = Annotated[Token, Depends(Caller("read"))]
Writer = Annotated[Token, Depends(Caller("write"))]
Acker = Annotated[Token, Depends(Caller("ack"))]


def reading_of(token: Token, request: Request, *, key: str, scope: Scope) -> Reading:
    """A call that may wait on a key. Raises: Rejected (`KEY_INVALID`), and as `account_of`."""
    app, given = app_of(request), request.headers.get("authorization")
    account = account_of(token, request)
    check_key(key)

    def authorize() -> object:
        return pick_account(app.tokens.identify(given, scope), account)

    return Reading(app, account, key, authorize)


def account_of(token: Token, request: Request) -> str:
    """The account that a call is for. Raises: Rejected (`ACCOUNT_REQUIRED`, `ACCOUNT_UNKNOWN`)."""
    return pick_account(token, request.headers.get("hookrack-account"))
