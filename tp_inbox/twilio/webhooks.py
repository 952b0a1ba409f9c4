"""The two doors at which Twilio knocks: a family's text, and a report about a text of ours.

Each reads, checks, hands over and answers. What cannot be taken just now is answered 503, so that
Twilio comes again; our answers never carry a text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from traceback import extract_tb
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tp_inbox.services.ports import InboundText, StatusReport
from tp_inbox.settings import Settings
from tp_inbox.twilio import forms
from tp_inbox.twilio.addresses import INBOUND, MESSAGE, STATUS
from tp_inbox.twilio.signature import is_signed

log = logging.getLogger(__name__)

BODY_BYTES = 64 * 1024
ANSWER_WITHIN = 5.0
"""Seconds. Twilio waits 15 in all, repetitions counted."""

Receive = Callable[[InboundText], Awaitable[object]]
Report = Callable[[StatusReport], Awaitable[object]]


def routes(settings: Settings, receive: Receive, report: Report) -> list[Route]:
    """``POST /twilio/inbound`` and ``POST /twilio/status``.

    Both callables may be called twice with the same thing, and at the same time. They return when it is
    safely written down; whatever they raise is answered 503.
    """
    door = _Door(settings)

    async def inbound(request: Request) -> Response:
        async def take(form: forms.Form) -> None:
            await receive(forms.inbound_text(form))

        return await door.opened(request, take, Response("<Response/>", media_type="text/xml"))

    async def status(request: Request) -> Response:
        async def take(form: forms.Form) -> None:
            await report(forms.status_report(form, request.query_params.get(MESSAGE)))

        return await door.opened(request, take, Response(status_code=204))

    return [Route(INBOUND, inbound, methods=["POST"]), Route(STATUS, status, methods=["POST"])]


class _Refusal(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class _Door:
    def __init__(self, settings: Settings) -> None:
        self._address = settings.address
        self._account = settings.twilio_account_sid
        self._token = settings.twilio_auth_token.get_secret_value()

    async def opened(
        self, request: Request, take: Callable[[forms.Form], Awaitable[None]], thanks: Response
    ) -> Response:
        try:
            await _taken(take, await self._checked(request))
        except _Refusal as refusal:
            log.warning("Webhook %s refused: %s", request.url.path, refusal.why)
            return PlainTextResponse(refusal.why, refusal.status)
        return thanks

    async def _checked(self, request: Request) -> forms.Form:
        """The form of a request that is Twilio's and about our account."""
        form = _parsed(await _body(request))
        signature = request.headers.get("X-Twilio-Signature")
        if not is_signed(self._token, self._address + _called(request), form, signature):
            raise _Refusal(403, "not signed by Twilio for this address")
        if form.get("AccountSid") != self._account:
            raise _Refusal(403, "not our account")
        return form


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise _Refusal(413, "too large")
    return bytes(body)


def _parsed(body: bytes) -> forms.Form:
    try:
        return forms.parsed(body)
    except forms.Unreadable:
        raise _Refusal(400, "not a form") from None


def _called(request: Request) -> str:
    """Path and query as they came over the wire; where the server keeps no raw path it is encoded again."""
    path: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    query: bytes = request.scope["query_string"]
    return (path.split(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


async def _taken(take: Callable[[forms.Form], Awaitable[None]], form: forms.Form) -> None:
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await take(form)
    except forms.Unreadable as error:
        raise _Refusal(400, f"not a message of Twilio's: {error}") from None
    except Exception as error:
        log.error("Webhook %.34s: %s", form.get("MessageSid"), _kind_and_place(error))  # noqa: TRY400 - see there
        raise _Refusal(503, "try again later") from error


def _kind_and_place(error: Exception) -> str:
    """All that the log may know: the error's own sentence may quote the text."""
    place = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {place.filename}:{place.lineno}"
