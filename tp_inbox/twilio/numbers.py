"""Looking for numbers, buying them, and pointing their webhooks at us."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import NamedTuple

from twilio.base import values
from twilio.rest import Client
from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance

from tp_inbox.services.ports import BoughtNumber, CarrierAway, CarrierNumber, NumberRefused
from tp_inbox.twilio.addresses import inbound_webhook, voice_webhook
from tp_inbox.twilio.client import Answer, Carrier, NotSent, Refused, Unanswered
from tp_inbox.twilio.codes import Treatment, meaning_of_answer

CHOICE = 20
LABEL_LENGTH = 64
PAGE = 1_000

_REFUSALS = {
    "22300": ("The district's Twilio account is not allowed to buy numbers. Ask Twilio to permit it.", False),
    "21404": ("A trial account of Twilio can hold one number only. Upgrade the account.", False),
    "21422": ("Somebody else has just bought that number.", True),
    "21452": ("Twilio has no such number for sale just now.", True),
}


async def available(carrier: Carrier, country: str, area_code: str | None) -> str:
    """A number for sale, near if there is one. Raises NumberRefused or CarrierAway.

    It is picked at random from the first ones, so that two people buying at once seldom reach for the same.
    """
    offers = await _sold(carrier, lambda client: _near(client, country, area_code) or _offers(client, country))
    if not offers:
        raise NumberRefused(f"Twilio has no number for sale in {country} just now.", retry=True)
    return secrets.choice(offers)


async def buy(carrier: Carrier, address: str, e164: str, label: str) -> BoughtNumber:
    """That number, ours, with its webhooks set. Raises NumberRefused or CarrierAway; doing it twice is safe."""
    wanted = _Wanted(e164, label[:LABEL_LENGTH], _webhooks(address))
    number = await _sold(carrier, wanted.updated_or_bought)
    if number is None:
        raise CarrierAway("Twilio's answer names no number")
    return number


async def ours(carrier: Carrier, address: str) -> list[CarrierNumber]:
    """Every number of the account. Raises CarrierAway."""
    return await carrier.ask(lambda client: _all(client, _webhooks(address)))


async def lead_here(carrier: Carrier, address: str, sid: str) -> None:
    """Raises NumberRefused or CarrierAway."""
    # Where an application is set, Twilio passes over a number's own addresses.
    how = {**_webhooks(address), "sms_application_sid": "", "voice_application_sid": ""}
    await _sold(carrier, lambda client: client.incoming_phone_numbers(sid).update(**how))


async def release(carrier: Carrier, sid: str) -> None:
    """Raises NumberRefused or CarrierAway."""
    await _sold(carrier, lambda client: _released(client, sid))


async def _sold(carrier: Carrier, action: Callable[[Client], Answer]) -> Answer:
    try:
        return await carrier.call(action)
    except Refused as refused:
        raise _refusal(refused) from refused
    except (NotSent, Unanswered) as lost:
        raise CarrierAway(str(lost)) from lost


def _refusal(refused: Refused) -> NumberRefused | CarrierAway:
    treatment = meaning_of_answer(refused.status, refused.code).treatment
    if treatment in (Treatment.RETRY_LATER, Treatment.LOOK_FIRST):
        return CarrierAway(str(refused))
    if refused.status == 401:
        return NumberRefused("Twilio does not accept this server's account SID and token.", retry=False)
    sentence, retry = _REFUSALS.get(refused.code or "", (f"Twilio refused ({refused}).", False))
    return NumberRefused(sentence, retry=retry)


def _near(client: Client, country: str, area_code: str | None) -> list[str]:
    try:
        return _offers(client, country, area_code) if area_code else []
    except Refused as refused:
        if refused.status == 400:
            return []  # an area code that does not exist
        raise


def _offers(client: Client, country: str, area_code: str | None = None) -> list[str]:
    local = client.available_phone_numbers(country).local
    offers = local.list(area_code=area_code or values.unset, sms_enabled=True, limit=CHOICE)
    return [offer.phone_number for offer in offers if offer.phone_number]


def _webhooks(address: str) -> dict[str, str]:
    texts = inbound_webhook(address)
    return {"sms_url": texts, "sms_fallback_url": texts, "voice_url": voice_webhook(address)}


def _all(client: Client, webhooks: dict[str, str]) -> list[CarrierNumber]:
    return [_told(number, webhooks) for number in client.incoming_phone_numbers.list(page_size=PAGE)]


def _told(number: IncomingPhoneNumberInstance, webhooks: dict[str, str]) -> CarrierNumber:
    addresses = {name: getattr(number, name) or "" for name in webhooks}
    elsewhere = number.sms_application_sid or number.voice_application_sid
    if not number.sid or not number.phone_number:
        raise ValueError("a number without a SID is none")
    return CarrierNumber(
        sid=number.sid,
        e164=number.phone_number,
        label=number.friendly_name or "",
        sms_url=addresses["sms_url"],
        voice_url=addresses["voice_url"],
        leads_here=addresses == webhooks and not elsewhere,
    )


def _released(client: Client, sid: str) -> None:
    try:
        client.incoming_phone_numbers(sid).delete()
    except Refused as refused:
        if not refused.not_there:
            raise


class _Wanted(NamedTuple):
    e164: str
    label: str
    webhooks: dict[str, str]

    def updated_or_bought(self, client: Client) -> BoughtNumber | None:
        number = self._updated(client) or self._bought(client)
        return BoughtNumber(number.sid, number.phone_number) if number.sid and number.phone_number else None

    def _bought(self, client: Client) -> IncomingPhoneNumberInstance:
        return client.incoming_phone_numbers.create(phone_number=self.e164, **self._how())

    def _updated(self, client: Client) -> IncomingPhoneNumberInstance | None:
        # Twilio takes this filter as a pattern, so the very number is looked for among the answers.
        ours = client.incoming_phone_numbers.list(phone_number=self.e164, page_size=CHOICE)
        return next((number.update(**self._how()) for number in ours if number.phone_number == self.e164), None)

    def _how(self) -> dict[str, str]:
        return {"friendly_name": self.label, **self.webhooks}
