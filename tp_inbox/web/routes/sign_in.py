"""Signing in and out: native form posts, answered with a cookie and a redirect."""

from __future__ import annotations

import logging
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import NewSession, SessionStage, TooMany
from tp_inbox.settings import Settings
from tp_inbox.web.addresses import allowed_origins, page_or_home
from tp_inbox.web.arguments import storable
from tp_inbox.web.cookies import SESSION_COOKIE, clear_session, set_session

log = logging.getLogger(__name__)

PAGE = "/sign-in"
STEPS = {SessionStage.CODE: f"{PAGE}/code", SessionStage.ENROL: f"{PAGE}/set-up"}
"""The pages of what is asked after the password."""
MOST_BYTES = 8_192
MOST_FIELDS = 10
STILL_SIGNED_IN = "The database cannot be reached at the moment. You are still signed in; please try again in a minute."


def routes(settings: Settings) -> list[Route]:
    forms = Forms(settings)
    answers = {
        "sign-in": forms.sign_in,
        "sign-out": forms.sign_out,
        "sign-out-everywhere": forms.sign_out_everywhere,
    }
    posts = [Route(f"/auth/{name}", answer, methods=["POST"]) for name, answer in answers.items()]
    return posts + [Route(f"/auth/{name}", _to_the_page, methods=["GET"]) for name in answers]


class Forms:
    """All refuse a form that another site posts: the browser says where it comes from."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(allowed_origins(settings))
        self._hops = settings.proxy_hops
        self._secure = settings.behind_tls

    async def sign_in(self, request: Request) -> Response:
        """A session that this browser had before ends with it."""
        if foreign(request, self._origins):
            return PlainTextResponse("Please sign in on the sign-in page.", 403)
        asked = asked_for(request)
        try:
            begun = await self._new_session(request)
            await services().sessions.sign_out(request.cookies.get(SESSION_COOKIE, ""))
        except TooMany as refusal:
            return again(asked, problem="wait", seconds=refusal.seconds)
        except Invalid:
            return again(asked, problem="wrong")
        except Unavailable:
            log.warning("sign-in: the database is away")
            return again(asked, problem="away")
        response = RedirectResponse(onwards(begun.stage, asked), 303)
        set_session(response, begun.token, int(services().sessions.absolute.total_seconds()), secure=self._secure)
        return response

    async def sign_out(self, request: Request) -> Response:
        """Here, at least, when the database is away: the browser forgets its session, and nobody else knows it."""
        if foreign(request, self._origins):
            return PlainTextResponse("Please sign out in the app.", 403)
        try:
            await services().sessions.sign_out(request.cookies.get(SESSION_COOKIE, ""))
        except Unavailable:
            log.warning("sign-out: the database is away, so only the browser forgets the session")
        return self._signed_out()

    async def sign_out_everywhere(self, request: Request) -> Response:
        if foreign(request, self._origins):
            return PlainTextResponse("Please sign out in the app.", 403)
        try:
            if who := await services().sessions.look_up(request.cookies.get(SESSION_COOKIE, ""), own_act=True):
                await services().sessions.sign_out_everywhere(who.actor)
        except Unavailable:
            return PlainTextResponse(STILL_SIGNED_IN, 503)
        return self._signed_out()

    async def _new_session(self, request: Request) -> NewSession:
        form = await form_of(request)
        address = client_address(request, self._hops)
        browser = storable(request.headers.get("user-agent", ""))
        email, password = storable(form.get("email", "")), form.get("password", "")
        return await services().sessions.sign_in(email, password, address, browser)

    def _signed_out(self) -> Response:
        response = RedirectResponse(PAGE, 303)
        clear_session(response, secure=self._secure)
        return response


async def _to_the_page(_: Request) -> Response:
    """For a browser that loads the address of a form again."""
    return RedirectResponse(PAGE, 303)


def onwards(stage: SessionStage, asked: str) -> str:
    """Where a sign-in that has come so far goes on: to the page that was asked for, or to the second step."""
    return asked if stage is SessionStage.COMPLETE else f"{STEPS[stage]}?{urlencode({'next': asked})}"


def foreign(request: Request, origins: frozenset[str]) -> bool:
    """Whether a form comes from another site. Every browser of today sends Origin with a POST; no Origin, no entry."""
    return request.headers.get("origin", "") not in origins


def client_address(request: Request, hops: int) -> str:
    """Where a request comes from; behind ``hops`` proxies of ours, what the outermost of them has seen."""
    seen = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    if hops and len(seen) >= hops:
        return storable(seen[-hops])[:64]
    return request.client.host if request.client else ""


async def form_of(request: Request) -> dict[str, str]:
    """The text fields; nothing for a body that is too large or no such form."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return {}
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        return {}


def asked_for(request: Request) -> str:
    """The page that one wanted to see. It stands in the address of the sign-in page, which the browser names here."""
    referer = urlsplit(request.headers.get("referer", ""))
    return page_or_home(dict(parse_qsl(referer.query)).get("next", ""))


def again(asked: str, page: str = PAGE, **why: str | int) -> RedirectResponse:
    return RedirectResponse(f"{page}?{urlencode(why | {'next': asked})}", 303)
