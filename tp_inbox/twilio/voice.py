"""The door for calls: our numbers take texts, so whoever calls hears whose number it is and is put through."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from twilio.twiml.voice_response import Dial, VoiceResponse

from tp_inbox.domain.calling import Called, greeting, spoken_in
from tp_inbox.services import figures
from tp_inbox.settings import Settings
from tp_inbox.twilio import forms
from tp_inbox.twilio.addresses import VOICE
from tp_inbox.twilio.door import Closed, Door

log = logging.getLogger(__name__)

ANSWER_WITHIN = 2.0
"""Seconds of silence that a caller bears."""
RING_SECONDS = 30
KIND = "voice"
VOICES = {
    "en": ("en-US", "Polly.Joanna"),
    "es": ("es-MX", "Polly.Mia"),
    "fr": ("fr-CA", "Polly.Chantal"),
    "pt": ("pt-BR", "Polly.Camila"),
}

Ask = Callable[[str, str], Awaitable[Called | None]]


def routes(settings: Settings, called: Ask) -> list[Route]:
    """``POST /twilio/voice``. ``called`` is asked with our number and the caller's; when it fails or takes too long the
    caller hears a general sentence.
    """
    door = Door(settings)

    async def voice(request: Request) -> Response:
        began, result = time.perf_counter(), "kept"
        try:
            form = await door.checked(request)
            return Response(await _answer(called, form), media_type="text/xml")
        except Closed as closed:
            result = "refused"
            log.warning("Call refused: %s", closed.why)
            return PlainTextResponse(closed.why, closed.status)
        finally:
            figures.webhook(KIND, result, time.perf_counter() - began)

    return [Route(VOICE, voice, methods=["POST"])]


async def _answer(called: Ask, form: forms.Form) -> str:
    number = form.get("To", "")
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            known = await called(number, form.get("From", ""))
    except Exception as error:  # noqa: BLE001 - somebody is on the line and must hear something
        log.error("A call could not be looked up: %s", type(error).__name__)  # noqa: TRY400 - its words may name families
        known = None
    return str(_said(known, number))


def _said(called: Called | None, number: str) -> VoiceResponse:
    response = VoiceResponse()
    language, voice = VOICES[spoken_in(called.language if called else "en")]
    response.say(greeting(called), language=language, voice=voice)
    if called is not None and called.office:
        dial = Dial(caller_id=number, timeout=RING_SECONDS)
        dial.number(called.office)
        response.append(dial)
    else:
        response.hangup()
    return response
