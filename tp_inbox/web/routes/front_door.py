"""What happens to the address of a page before its file is looked up."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import SessionStage
from tp_inbox.web.addresses import is_page, page_or_home
from tp_inbox.web.cookies import SESSION_COOKIE
from tp_inbox.web.routes.sign_in import PAGE, STEPS, onwards

SIGN_IN = {PAGE, *STEPS.values()}
WELCOME = "/welcome"
ENDED = "ended"
"""A session that ended elsewhere; one that only waits for its next step goes on there."""
CLOSED = {"/ping", "/_health", "/_upload", "/_all_routes", "/auth-codespace"}
"""Routes that Reflex brings along and nothing here uses."""


def front_door(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        path = scope["path"].rstrip("/") or "/"
        if path in CLOSED:
            return await PlainTextResponse("Not Found", 404)(scope, receive, send)
        if path in SIGN_IN and (elsewhere := await _leads_on(HTTPConnection(scope), path)):
            return await RedirectResponse(elsewhere, 303)(scope, receive, send)
        if path in SIGN_IN or path == WELCOME or is_page(path):
            # A page's file can be a folder's index: it is looked up there, without sending the browser once around.
            scope = dict(scope, path=f"{path}/", raw_path=f"{path}/".encode())
        return await app(scope, receive, send)

    return answer


async def _leads_on(request: HTTPConnection, path: str) -> str:
    """Where signing in goes on for this browser; empty when it is the page that it asks for."""
    asked = page_or_home(request.query_params.get("next", ""))
    try:
        stage = await _stage(request.cookies.get(SESSION_COOKIE, ""))
    except Unavailable:
        return ""
    if stage is None:
        return "" if path == PAGE else f"{PAGE}?{urlencode({'next': asked})}"
    said = request.query_params.get("problem", ENDED)
    told_why = path == PAGE and said != ENDED and stage is not SessionStage.COMPLETE
    return "" if told_why or path == STEPS.get(stage) else onwards(stage, asked)


async def _stage(token: str) -> SessionStage | None:
    if not token:
        return None
    if await services().sessions.look_up(token, own_act=False) is not None:
        return SessionStage.COMPLETE
    half = await services().sessions.half_way(token)
    return half.stage if half else None
