"""A desk behind the webhooks, and Twilio's way of calling at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette
from twilio.request_validator import RequestValidator

from tests.twilio.cast import ACCOUNT, FAMILY, PUBLIC, SCHOOL, SID, TOKEN, settings_for
from tp_inbox.services.ports import InboundText, SignedRequest, StatusReport
from tp_inbox.settings import Settings
from tp_inbox.twilio import webhooks

TEXT = {
    "MessageSid": SID,
    "SmsSid": SID,
    "SmsMessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": FAMILY,
    "To": SCHOOL,
    "Body": "¿A qué hora llega el autobús?",
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsStatus": "received",
    "ApiVersion": "2010-04-01",
    "FromCity": "",
    "FromState": "",
}
STATUS = {
    "MessageSid": SID,
    "SmsSid": SID,
    "AccountSid": ACCOUNT,
    "MessageStatus": "delivered",
    "SmsStatus": "delivered",
    "From": SCHOOL,
    "To": FAMILY,
    "ApiVersion": "2010-04-01",
}


class Desk:
    """What the services would be: it keeps what comes, or fails as it is told."""

    def __init__(self) -> None:
        self.texts: list[InboundText] = []
        self.reports: list[StatusReport] = []
        self.fails: Exception | None = None
        self.takes = 0.0

    async def keep(self, request: SignedRequest) -> None:
        await self._work()
        await webhooks.read_for(self.receive, self.report)(request, "webhook")

    async def receive(self, text: InboundText, source: str) -> None:
        self.texts.append(text)

    async def report(self, report: StatusReport, source: str) -> None:
        self.reports.append(report)

    async def _work(self) -> None:
        await asyncio.sleep(self.takes)
        if self.fails:
            raise self.fails


async def call(
    desk: Desk,
    path: str,
    form: dict[str, str] | list[tuple[str, str]],
    *,
    token: str = TOKEN,
    signed_url: str = "",
    sends: Callable[[bytes], bytes] = bytes,
    headers: dict[str, str] | None = None,
    settings: Settings | None = None,
) -> httpx.Response:
    """Posts as Twilio would, to the address behind the proxy; ``sends`` may change the body on its way."""
    signature = RequestValidator(token).compute_signature(signed_url or PUBLIC + path, dict(form))
    app = Starlette(routes=webhooks.routes(settings or settings_for(), desk.keep))
    sent = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.7:3000") as client:
        return await client.post(path, content=sends(urlencode(form).encode()), headers=sent)
