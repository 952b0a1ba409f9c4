"""Signing in and out: native form posts, answered with a cookie and a redirect."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import TooMany
from tp_inbox.settings import Settings
from tp_inbox.web.addresses import allowed_origins
from tp_inbox.web.cookies import SESSION_COOKIE, clear_session, set_session

log = logging.getLogger(__name__)

MOST_BYTES = 8_192


def routes(settings: Settings) -> list[Route]:
    """All refuse a form that another site posts: the browser says where it comes from."""
    origins = frozenset(allowed_origins(settings))

    async def sign_in(request: Request) -> Response:
        if foreign(request, origins):
            return PlainTextResponse("Please sign in on the sign-in page.", 403)
        form = await _form(request)
        try:
            token = await services().sessions.sign_in(
                form.get("email", ""), form.get("password", ""), _address(request), request.headers.get("user-agent", "")
            )
        except TooMany as refusal:
            return _again(problem="wait", seconds=refusal.seconds)
        except Invalid:
            return _again(problem="wrong")
        except Unavailable:
            log.warning("sign-in: the database is away")
            return _again(problem="away")
        response = RedirectResponse("/", 303)
        max_age = int(services().sessions.absolute.total_seconds())
        set_session(response, token, max_age, secure=settings.behind_tls)
        return response

    async def sign_out(request: Request) -> Response:
        if foreign(request, origins):
            return PlainTextResponse("Please sign out in the app.", 403)
        token = request.cookies.get(SESSION_COOKIE, "")
        await services().sessions.sign_out(token)
        return _signed_out(settings)

    async def sign_out_everywhere(request: Request) -> Response:
        if foreign(request, origins):
            return PlainTextResponse("Please sign out in the app.", 403)
        token = request.cookies.get(SESSION_COOKIE, "")
        if who := await services().sessions.look_up(token, own_act=True):
            await services().sessions.sign_out_everywhere(who.actor)
        return _signed_out(settings)

    return [
        Route("/auth/sign-in", sign_in, methods=["POST"]),
        Route("/auth/sign-out", sign_out, methods=["POST"]),
        Route("/auth/sign-out-everywhere", sign_out_everywhere, methods=["POST"]),
    ]


def foreign(request: Request, origins: frozenset[str]) -> bool:
    """Whether a form comes from another site. Every browser of today sends Origin with a POST; no Origin, no entry."""
    return request.headers.get("origin", "") not in origins


async def _form(request: Request) -> dict[str, str]:
    """The text fields; nothing for a body that is too large or no form."""
    if int(request.headers.get("content-length", "0") or 0) > MOST_BYTES:
        return {}
    form = await request.form(max_files=0, max_fields=10, max_part_size=MOST_BYTES)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _again(**why: str | int) -> RedirectResponse:
    return RedirectResponse(f"/sign-in?{urlencode(why)}", 303)


def _signed_out(settings: Settings) -> Response:
    response = RedirectResponse("/sign-in", 303)
    clear_session(response, secure=settings.behind_tls)
    return response
