"""What happens to the address of a page before its file is looked up."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.registry import services
from tp_inbox.web.addresses import is_page, page_or_home
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.routes.sign_in import PAGE

CLOSED = {"/ping", "/_health", "/_upload", "/_all_routes", "/auth-codespace"}
"""Routes that Reflex brings along and nothing here uses."""


def front_door(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        path = scope["path"].rstrip("/") or "/"
        if path in CLOSED:
            return await PlainTextResponse("Not Found", 404)(scope, receive, send)
        if path == PAGE and await _is_signed_in(HTTPConnection(scope)):
            asked = page_or_home(HTTPConnection(scope).query_params.get("next", ""))
            return await RedirectResponse(asked, 303)(scope, receive, send)
        if path == PAGE or is_page(path):
            # A page's file can be a folder's index: it is looked up there, without sending the browser once around.
            scope = dict(scope, path=f"{path}/", raw_path=f"{path}/".encode())
        return await app(scope, receive, send)

    return answer


async def _is_signed_in(request: HTTPConnection) -> bool:
    token = request.cookies.get(SESSION_COOKIE, "")
    try:
        return bool(token) and await services().sessions.look_up(token, own_act=False) is not None
    except Unavailable:
        return False
