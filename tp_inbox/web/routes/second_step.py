"""The second step: a form at the end of signing in, and what its pages ask for while an app is being set up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import segno
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tp_inbox.domain.errors import Refusal, SignedOut, Unavailable
from tp_inbox.services.registry import services
from tp_inbox.services.second_step import KeyIsLost, SetUp
from tp_inbox.services.sessions import NewSession, SessionStage, TooMany
from tp_inbox.settings import Settings
from tp_inbox.web.addresses import allowed_origins
from tp_inbox.web.arguments import storable
from tp_inbox.web.cookies import SESSION_COOKIE, set_session
from tp_inbox.web.routes.sign_in import PAGE, STEPS, again, asked_for, client_address, foreign, form_of

PATH = "/auth/second-step"
CODE_PAGE = STEPS[SessionStage.CODE]
PROBLEMS: dict[type[Refusal], str] = {KeyIsLost: "key", Unavailable: "away"}
FROM_ELSEWHERE = "Please do this in the app."


@dataclass(frozen=True, slots=True)
class Asking:
    """Who has signed in, or, unless ``complete``, is kept from it until a second step is set up."""

    staff_id: int
    name: str
    complete: bool


Work = Callable[[Request, Asking, dict[str, str]], Awaitable[Response]]


def routes(settings: Settings) -> list[Route]:
    steps = Steps(settings)
    own = {"begin": steps.begin, "confirm": steps.confirm, "off": steps.turn_off, "codes": steps.new_codes}
    return [
        Route("/auth/code", steps.finish_sign_in, methods=["POST"]),
        Route("/auth/code", _to_the_page, methods=["GET"]),
        Route(PATH, steps.answering(steps.standing), methods=["GET"]),
        *[Route(f"{PATH}/{name}", steps.answering(work), methods=["POST"]) for name, work in own.items()],
    ]


class Steps:
    """All but one answer JSON to a page's own code; a refusal is a sentence in it."""

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(allowed_origins(settings))
        self._hops = settings.proxy_hops
        self._secure = settings.behind_tls

    async def finish_sign_in(self, request: Request) -> Response:
        """The session that waited for the code ends, and one with another token begins."""
        if foreign(request, self._origins):
            return PlainTextResponse("Please sign in on the sign-in page.", 403)
        asked = asked_for(request)
        code = storable((await form_of(request)).get("code", ""))
        try:
            begun = await services().second_steps.finish_sign_in(_cookie(request), code, *self._where(request))
        except Refusal as refusal:
            return _asked_again(asked, refusal)
        response = RedirectResponse(asked, 303)
        self._keep(response, begun)
        return response

    def answering(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        """``work`` for the person whose browser asks, and the refusals of all of them."""

        async def answer(request: Request) -> Response:
            if request.method == "POST" and foreign(request, self._origins):
                return _refused(FROM_ELSEWHERE, 403)
            try:
                who = await _who(request)
                return await work(request, who, {k: storable(v) for k, v in (await form_of(request)).items()})
            except SignedOut as refusal:
                return _refused(refusal.sentence, 401)
            except Unavailable as refusal:
                return _refused(refusal.sentence, 503)
            except Refusal as refusal:
                return _refused(refusal.sentence, 422)

        return answer

    async def standing(self, _: Request, who: Asking, __: dict[str, str]) -> Response:
        found = await services().second_steps.standing(who.staff_id)
        fields = ("on", "demanded", "codes_left", "few_codes", "ready")
        return JSONResponse({name: getattr(found, name) for name in fields} | {"name": who.name})

    async def begin(self, request: Request, who: Asking, form: dict[str, str]) -> Response:
        address = client_address(request, self._hops)
        begun = await services().second_steps.begin_set_up(who.staff_id, form.get("code", ""), address)
        return JSONResponse({"picture": _picture(begun), "secret": begun.secret, "ticket": begun.ticket})

    async def confirm(self, request: Request, who: Asking, form: dict[str, str]) -> Response:
        """At the end of a sign-in that waited for it, a session begins."""
        ticket, code = form.get("ticket", ""), form.get("code", "")
        steps = services().second_steps
        if who.complete:
            return JSONResponse({"codes": await steps.confirm(who.staff_id, ticket, code)})
        enrolled = await steps.enrol(_cookie(request), ticket, code, *self._where(request))
        response = JSONResponse({"codes": enrolled.codes})
        self._keep(response, enrolled.session)
        return response

    async def turn_off(self, request: Request, who: Asking, form: dict[str, str]) -> Response:
        _require_complete(who)
        address = client_address(request, self._hops)
        await services().second_steps.turn_off(who.staff_id, form.get("code", ""), address)
        return JSONResponse({})

    async def new_codes(self, request: Request, who: Asking, form: dict[str, str]) -> Response:
        _require_complete(who)
        address = client_address(request, self._hops)
        codes = await services().second_steps.new_recovery_codes(who.staff_id, form.get("code", ""), address)
        return JSONResponse({"codes": codes})

    def _where(self, request: Request) -> tuple[str, str]:
        return client_address(request, self._hops), storable(request.headers.get("user-agent", ""))

    def _keep(self, response: Response, begun: NewSession) -> None:
        set_session(response, begun.token, int(services().sessions.absolute.total_seconds()), secure=self._secure)


def _asked_again(asked: str, refusal: Refusal) -> Response:
    if isinstance(refusal, SignedOut):
        return again(asked, problem="over")
    if isinstance(refusal, TooMany):
        return again(asked, CODE_PAGE, problem="wait", seconds=refusal.seconds)
    return again(asked, CODE_PAGE, problem=PROBLEMS.get(type(refusal), "code"))


async def _who(request: Request) -> Asking:
    sessions, token = services().sessions, _cookie(request)
    if who := await sessions.look_up(token, own_act=request.method == "POST"):
        return Asking(who.actor.staff_id, who.actor.name, complete=True)
    half = await sessions.half_way(token)
    if half is None or half.stage is not SessionStage.ENROL:
        raise SignedOut
    return Asking(half.staff_id, half.name, complete=False)


def _require_complete(who: Asking) -> None:
    if not who.complete:
        raise SignedOut


def _picture(begun: SetUp) -> str:
    """A QR code as SVG, on white with a quiet zone, so that a camera reads it in the dark scheme, too."""
    return segno.make(begun.uri, error="m").svg_inline(border=4, dark="#000", light="#fff", omitsize=True)


def _cookie(request: Request) -> str:
    return request.cookies.get(SESSION_COOKIE, "")


def _refused(sentence: str, status: int) -> Response:
    return JSONResponse({"problem": sentence}, status)


async def _to_the_page(_: Request) -> Response:
    return RedirectResponse(PAGE, 303)
