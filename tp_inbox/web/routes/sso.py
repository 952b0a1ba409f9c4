"""Signing in through a provider: out to it, and back with what it says."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.services.identities import ConnectedElsewhere, NoAccount, NoAddress, NotActive
from tp_inbox.services.registry import services
from tp_inbox.services.sessions import NewSession
from tp_inbox.services.vault import CannotOpen, Purpose, Vault
from tp_inbox.settings import Settings
from tp_inbox.web.addresses import HOME, page_or_home
from tp_inbox.web.arguments import storable
from tp_inbox.web.cookies import SESSION_COOKIE, set_session
from tp_inbox.web.routes.sign_in import again, client_address, onwards
from tp_inbox.web.sso import Failed, Flow, Provider

PATH = "/auth/sso"
FLOW_COOKIE = "tp_inbox_flow"
WITHIN = timedelta(minutes=10)
PROBLEMS: dict[type[Invalid], str] = {
    NoAccount: "no-account",
    NoAddress: "no-address",
    NotActive: "not-active",
    ConnectedElsewhere: "connected-elsewhere",
}

log = logging.getLogger(__name__)


def routes(settings: Settings) -> list[Route]:
    doors = Doors(settings)
    return [
        Route("/auth/providers", doors.providers, methods=["GET"]),
        Route(f"{PATH}/{{provider}}", doors.out, methods=["GET"]),
        Route(f"{PATH}/{{provider}}/callback", doors.back, methods=["GET"]),
    ]


class Doors:
    def __init__(self, settings: Settings) -> None:
        self._providers = {about.key: Provider(about, settings.address) for about in settings.identity_providers}
        self._vault = Vault(settings.secret_keys, Purpose.SIGN_IN_FLOW)
        self._hops = settings.proxy_hops
        self._secure = settings.behind_tls

    async def providers(self, _: Request) -> Response:
        """For the buttons on the sign-in page."""
        return JSONResponse([{"key": each.key, "name": each.name} for each in self._providers.values()])

    async def out(self, request: Request) -> Response:
        asked = page_or_home(request.query_params.get("next", ""))
        provider = self._providers.get(request.path_params["provider"])
        if provider is None:
            return again(asked, problem="provider")
        try:
            there, flow = await provider.begin(asked)
        except Failed as failed:
            return self._failed(provider, failed, asked)
        response = RedirectResponse(there, 303)
        self._carry(response, self._vault.close(json.dumps(flow.as_dict())).decode(), WITHIN)
        return response

    async def back(self, request: Request) -> Response:
        """Whatever happens, the flow is over: its cookie goes."""
        response = await self._answer(request)
        self._carry(response, "", timedelta())
        return response

    async def _answer(self, request: Request) -> Response:
        flow = self._flow(request)
        provider = self._providers.get(request.path_params["provider"])
        if flow is None or provider is None:
            return again(HOME, problem="expired")
        try:
            begun = await self._new_session(request, provider, flow)
        except Failed as failed:
            return self._failed(provider, failed, flow.asked)
        except Invalid as refusal:
            return again(flow.asked, problem=PROBLEMS[type(refusal)])
        except Unavailable:
            log.warning("sign-in: the database is away")
            return again(flow.asked, problem="away")
        response = RedirectResponse(onwards(begun.stage, flow.asked), 303)
        set_session(response, begun.token, int(services().sessions.absolute.total_seconds()), secure=self._secure)
        return response

    async def _new_session(self, request: Request, provider: Provider, flow: Flow) -> NewSession:
        """A session that this browser had before ends with it."""
        vouched = await provider.finish(flow, request.query_params)
        browser = storable(request.headers.get("user-agent", ""))
        begun = await services().identities.sign_in(vouched, client_address(request, self._hops), browser)
        await services().sessions.sign_out(request.cookies.get(SESSION_COOKIE, ""))
        return begun

    def _flow(self, request: Request) -> Flow | None:
        carried = request.cookies.get(FLOW_COOKIE, "")
        try:
            return Flow(**json.loads(self._vault.open(carried.encode(errors="replace"), WITHIN)))
        except CannotOpen:
            return None

    def _carry(self, response: Response, flow: str, within: timedelta) -> None:
        """Lax, because it comes back with a link from the provider's site."""
        seconds = round(within.total_seconds())
        response.set_cookie(
            FLOW_COOKIE, flow, max_age=seconds, path=PATH, secure=self._secure, httponly=True, samesite="lax"
        )

    def _failed(self, provider: Provider, failed: Failed, asked: str) -> Response:
        log.warning("sign-in: by %s: %s", provider.key, failed.why)
        return again(asked, problem=failed.problem)
