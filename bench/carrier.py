"""A family's text as Twilio hands it over: a signed webhook."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import uuid4

import aiohttp
from twilio.request_validator import RequestValidator


@dataclass(frozen=True, slots=True)
class Carrier:
    """``url`` is the product's address; ``sid`` and ``token`` are those of the account it was started with."""

    http: aiohttp.ClientSession
    url: str
    sid: str
    token: str

    async def text(self, sender: str, recipient: str, body: str) -> tuple[float, float]:
        """When the webhook was about to leave and when it was answered, in seconds since the epoch."""
        url = f"{self.url}/twilio/inbound"
        form = inbound_form(self.sid, sender, recipient, body)
        headers = {"X-Twilio-Signature": RequestValidator(self.token).compute_signature(url, form)}
        before = time.time()
        async with self.http.post(url, data=form, headers=headers) as answer:
            answer.raise_for_status()
        return before, time.time()


def inbound_form(account: str, sender: str, recipient: str, body: str) -> dict[str, str]:
    sid = f"SM{uuid4().hex}"
    return {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "SmsStatus": "received",
        "AccountSid": account,
        "From": sender,
        "To": recipient,
        "Body": body,
        "NumMedia": "0",
        "NumSegments": "1",
        "ApiVersion": "2010-04-01",
    }
