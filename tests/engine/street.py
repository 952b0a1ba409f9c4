"""The way between the carrier and the product: signed webhooks, as they come over the wire."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
from sqlmodel import col
from twilio.request_validator import RequestValidator

from tests.cast import LINCOLN_NUMBER, ROSA, Town
from tests.services.steps import rows
from tp_inbox.storage.tables import InboundRequest, Message

_numbers = itertools.count(7_000_000)


def new_sid() -> str:
    return f"SM{next(_numbers):032x}"


@dataclass(frozen=True)
class Street:
    town: Town
    http: httpx.AsyncClient

    async def text(self, body: str = "Thank you", sender: str = ROSA, to: str = LINCOLN_NUMBER) -> int:
        """A family's text; the status of our answer."""
        sid = new_sid()
        form = {"MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "SmsStatus": "received", "NumMedia": "0"}
        return await self._post("/twilio/inbound", form | {"From": sender, "To": to, "Body": body})

    async def status(self, of: Message, word: str, code: str = "", sid: str = "") -> int:
        """What the carrier reports of a text of ours; the status of our answer."""
        sid = sid or of.sid or ""
        form = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": word, "SmsStatus": word}
        form |= {"From": of.sender or "", "To": of.recipient} | ({"ErrorCode": code} if code else {})
        return await self._post(f"/twilio/status?message={of.id}", form)

    async def routed(self) -> None:
        """Everything that came is in its conversation."""
        async with asyncio.timeout(5):
            while True:
                if not await rows(self.town, InboundRequest, col(InboundRequest.routed_at).is_(None)):
                    return
                await asyncio.sleep(0.01)

    async def _post(self, path: str, form: dict[str, str]) -> int:
        settings = self.town.wired.settings
        form = {"AccountSid": settings.twilio_account_sid, "ApiVersion": "2010-04-01"} | form
        validator = RequestValidator(settings.twilio_auth_token.get_secret_value())
        signature = validator.compute_signature(settings.address + path, form)
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        return (await self.http.post(path, content=urlencode(form).encode(), headers=headers)).status_code
