"""What the page behind an invitation or a reset link asks for: whose account it is, and the new password."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.services.account_links import Unusable
from tp_inbox.services.registry import services
from tp_inbox.settings import Settings
from tp_inbox.web.addresses import HOME, allowed_origins
from tp_inbox.web.arguments import storable
from tp_inbox.web.cookies import SESSION_COOKIE, set_session
from tp_inbox.web.routes.sign_in import client_address, foreign, form_of, onwards

PATH = "/auth/welcome"
FROM_ELSEWHERE = "Please open your link again."
AWAY = "This does not work at the moment. Please try again in a minute."

Work = Callable[[Request, dict[str, str]], Awaitable[Response]]


def routes(settings: Settings) -> list[Route]:
    welcome = Welcome(settings)
    return [
        Route(PATH, welcome.answering(welcome.owner), methods=["POST"]),
        Route(f"{PATH}/accept", welcome.answering(welcome.accept), methods=["POST"]),
    ]


class Welcome:
    """The token comes in the body, from the part of the page's address that no browser sends. A refusal is a sentence;
    ``over`` says that the link opens nothing any more.
    """

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(allowed_origins(settings))
        self._hops = settings.proxy_hops
        self._secure = settings.behind_tls

    def answering(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if foreign(request, self._origins):
                return _refused(FROM_ELSEWHERE, 403)
            try:
                return await work(request, await form_of(request))
            except Unusable as refusal:
                return _refused(refusal.sentence, 410, over=True)
            except Invalid as refusal:
                return _refused(refusal.sentence, 422)
            except Unavailable:
                return _refused(AWAY, 503)

        return answer

    async def owner(self, request: Request, form: dict[str, str]) -> Response:
        token = storable(form.get("token", ""))
        return JSONResponse(asdict(await services().account_links.owner(token, client_address(request, self._hops))))

    async def accept(self, request: Request, form: dict[str, str]) -> Response:
        """A session that this browser had before ends with it."""
        address, browser = client_address(request, self._hops), storable(request.headers.get("user-agent", ""))
        token, password = storable(form.get("token", "")), form.get("password", "")
        begun = await services().account_links.accept(token, password, address, browser)
        await services().sessions.sign_out(request.cookies.get(SESSION_COOKIE, ""))
        response = JSONResponse({"to": onwards(begun.stage, HOME)})
        set_session(response, begun.token, int(services().sessions.absolute.total_seconds()), secure=self._secure)
        return response


def _refused(sentence: str, status: int, *, over: bool = False) -> Response:
    return JSONResponse({"problem": sentence, "over": over}, status)
