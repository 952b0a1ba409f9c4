"""The pictures of a message."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from ..errors import Refusal
from ..messages import Medium
from ..parts import Simulator, simulator
from ..pictures import public_path
from ..webhooks import media_path
from .dates import rfc2822
from .paging import classic, cut


async def browse(request: Request) -> JSONResponse:
    sim, message_sid = simulator(request), request.path_params["message"]
    if not sim.messages.get_listed(message_sid):
        raise Refusal(20404, request.url.path)
    page = cut(request, sim.messages.media_of(message_sid))
    return JSONResponse(classic(page, "media_list", lambda medium: _shape(sim, medium)))


async def fetch(request: Request) -> JSONResponse:
    return JSONResponse(_shape(simulator(request), _found(request)))


async def delete(request: Request) -> Response:
    simulator(request).messages.delete_medium(_found(request).sid)
    return Response(status_code=204)


async def redirect(request: Request) -> RedirectResponse:
    """The picture itself: behind the account's password here, then on to where none is asked for."""
    sim, medium = simulator(request), _found(request)
    return RedirectResponse(medium.url or sim.config.base_url + public_path(sim.config, medium), status_code=307)


def _found(request: Request) -> Medium:
    medium = simulator(request).messages.medium(request.path_params["medium"])
    if not medium or medium.message_sid != request.path_params["message"]:
        raise Refusal(20404, request.url.path)
    return medium


def _shape(sim: Simulator, medium: Medium) -> dict[str, object]:
    return {
        "sid": medium.sid,
        "account_sid": sim.config.account_sid,
        "parent_sid": medium.message_sid,
        "content_type": medium.content_type,
        "date_created": rfc2822(medium.created),
        "date_updated": rfc2822(medium.created),
        "uri": f"{media_path(sim.config, medium)}.json",
    }
