"""The two doors at which Twilio knocks: a family's text, and a report about a text of ours.

Each reads, checks, hands over and answers. What cannot be taken just now is answered 503, so that
Twilio comes again; our answers never carry a text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from traceback import extract_tb

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tp_inbox.services.ports import InboundText, StatusReport
from tp_inbox.settings import Settings
from tp_inbox.twilio import forms
from tp_inbox.twilio.addresses import INBOUND, MESSAGE, STATUS
from tp_inbox.twilio.door import Closed, Door

log = logging.getLogger(__name__)

ANSWER_WITHIN = 5.0
"""Seconds. Twilio waits 15 in all, repetitions counted."""

Receive = Callable[[InboundText], Awaitable[object]]
Report = Callable[[StatusReport], Awaitable[object]]


def routes(settings: Settings, receive: Receive, report: Report) -> list[Route]:
    """``POST /twilio/inbound`` and ``POST /twilio/status``.

    Both callables may be called twice with the same thing, and at the same time. They return when it is
    safely written down; whatever they raise is answered 503.
    """
    door = Door(settings)

    async def inbound(request: Request) -> Response:
        async def take(form: forms.Form) -> None:
            await receive(forms.inbound_text(form))

        return await _opened(door, request, take, Response("<Response/>", media_type="text/xml"))

    async def status(request: Request) -> Response:
        async def take(form: forms.Form) -> None:
            await report(forms.status_report(form, request.query_params.get(MESSAGE)))

        return await _opened(door, request, take, Response(status_code=204))

    return [Route(INBOUND, inbound, methods=["POST"]), Route(STATUS, status, methods=["POST"])]


async def _opened(
    door: Door, request: Request, take: Callable[[forms.Form], Awaitable[None]], thanks: Response
) -> Response:
    try:
        await _taken(take, await door.checked(request))
    except Closed as closed:
        log.warning("Webhook %s refused: %s", request.url.path, closed.why)
        return PlainTextResponse(closed.why, closed.status)
    return thanks


async def _taken(take: Callable[[forms.Form], Awaitable[None]], form: forms.Form) -> None:
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await take(form)
    except forms.Unreadable as error:
        raise Closed(400, f"not a message of Twilio's: {error}") from None
    except Exception as error:
        log.error("Webhook %.34s: %s", form.get("MessageSid"), _kind_and_place(error))  # noqa: TRY400 - see there
        raise Closed(503, "try again later") from error


def _kind_and_place(error: Exception) -> str:
    """All that the log may know: the error's own sentence may quote the text."""
    place = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {place.filename}:{place.lineno}"
