"""The two doors at which Twilio knocks: a family's text, and a report about a text of ours.

Each checks, reads, hands over and answers. What can be kept nowhere just now is answered 503, so that
Twilio comes again; our answers never carry a text.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from traceback import extract_tb
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tp_inbox.services import figures
from tp_inbox.services.ports import InboundText, RequestKind, SignedRequest, StatusReport
from tp_inbox.settings import Settings
from tp_inbox.twilio import forms
from tp_inbox.twilio.addresses import INBOUND, MESSAGE, STATUS
from tp_inbox.twilio.door import Closed, Door

log = logging.getLogger(__name__)

ANSWER_WITHIN = 5.0
"""Seconds. Twilio waits 15 in all, repetitions counted."""

RESULTS = {400: "unreadable", 403: "refused", 413: "unreadable", 503: "away"}
"""What a door that stays shut is called where answers are counted."""
NEEDED = {RequestKind.INBOUND: forms.TEXT_NEEDS, RequestKind.STATUS: forms.REPORT_NEEDS}

Keep = Callable[[SignedRequest], Awaitable[object]]
Receive = Callable[[InboundText, str], Awaitable[object]]
Report = Callable[[StatusReport, str], Awaitable[object]]


def routes(settings: Settings, keep: Keep) -> list[Route]:
    """``POST /twilio/inbound`` and ``POST /twilio/status``.

    ``keep`` may be called twice with the same request, and at the same time. It returns when the request is
    safely written down; whatever it raises is answered 503.
    """
    door = Door(settings)

    async def inbound(request: Request) -> Response:
        return await _opened(door, RequestKind.INBOUND, request, keep) or Response("<Response/>", media_type="text/xml")

    async def status(request: Request) -> Response:
        return await _opened(door, RequestKind.STATUS, request, keep) or Response(status_code=204)

    return [Route(INBOUND, inbound, methods=["POST"]), Route(STATUS, status, methods=["POST"])]


def read_for(receive: Receive, report: Report) -> Callable[[SignedRequest, str], Awaitable[None]]:
    """What takes a request that was kept, reads it into our own words, and hands it to one of the two.

    The word beside it says where the request comes from. Raises Invalid for what is no message of Twilio's.
    """

    async def take(request: SignedRequest, source: str) -> None:
        form = forms.Form(request.form)
        if request.kind is RequestKind.INBOUND:
            await receive(forms.inbound_text(form, request.received_at), source)
        else:
            await report(_report(form, request.query), source)

    return take


async def _opened(door: Door, kind: RequestKind, request: Request, keep: Keep) -> Response | None:
    """None when it was kept; else the answer that says why not."""
    began, result = time.perf_counter(), "kept"
    try:
        form = await door.checked(request)
        await _kept(keep, _signed(kind, form, request.scope["query_string"].decode("latin-1")))
    except Closed as closed:
        result = RESULTS[closed.status]
        log.warning("Webhook %s refused: %s", request.url.path, closed.why, extra={"kind": kind, "outcome": result})
        return PlainTextResponse(closed.why, closed.status)
    finally:
        figures.webhook(kind.value, result, time.perf_counter() - began)
    return None


def _signed(kind: RequestKind, form: forms.Form, query: str) -> SignedRequest:
    """Raises Closed for a form that is no message of Twilio's: nobody could ever read it."""
    try:
        forms.require(form, NEEDED[kind])
    except forms.Unreadable as error:
        raise Closed(400, error.sentence) from None
    return SignedRequest(kind, tuple(form.multi_items()), query, datetime.now(UTC))


def _report(form: forms.Form, query: str) -> StatusReport:
    return forms.status_report(form, parse_qs(query).get(MESSAGE, [""])[-1])


async def _kept(keep: Keep, request: SignedRequest) -> None:
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await keep(request)
    except Exception as error:
        log.error("Webhook of kind %s: %s", request.kind, _kind_and_place(error))  # noqa: TRY400 - see there
        raise Closed(503, "try again later") from error


def _kind_and_place(error: Exception) -> str:
    """All that the log may know: the error's own sentence may quote the text."""
    place = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {place.filename}:{place.lineno}"
