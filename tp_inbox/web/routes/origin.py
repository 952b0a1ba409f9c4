"""Where a request comes from, for what the audit log keeps of it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tp_inbox.services import audit
from tp_inbox.web.routes.sign_in import client_address


def with_origin(hops: int) -> Callable[[ASGIApp], ASGIApp]:
    """``hops``: proxies of ours between a browser and us. Sockets have their own, the session's."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            with audit.coming_from(client_address(Request(scope), hops)):
                return await app(scope, receive, send)

        return answer

    return wrap
