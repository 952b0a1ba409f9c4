"""Questions of ``tp-inbox doctor`` to Twilio, and to our own webhooks as Twilio calls them. They change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import httpx
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance
from twilio.rest.messaging.v1.service import ServiceContext, ServiceInstance

from tp_inbox.services.doctor import Account, CarrierRefuses, Knock, OwnNumber, OwnService, Registration
from tp_inbox.services.ports import CarrierAway
from tp_inbox.settings import Settings
from tp_inbox.twilio.addresses import STATUS, inbound_webhook
from tp_inbox.twilio.client import Answer, Carrier, NotSent, Refused, Timeouts, Unanswered
from tp_inbox.twilio.door import NOT_OURS, NOT_SIGNED

TWILIO = "https://api.twilio.com"
ANSWER_SECONDS = 10.0
PAGE = 1_000
NOBODYS_ACCOUNT = "AC" + "0" * 32
"""A webhook about it is turned away, but only after its signature was found to be right."""
PROBE = "?probe=a%2Fb%20c&message=0"
"""What a proxy that tidies up addresses would change."""
WRONG_TOKEN = (
    "Twilio does not take this server's account SID and token.",
    "Copy both anew from Twilio's console into TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, and restart every process.",
)
NOT_PERMITTED = "Look in Twilio's console what the account may do."

_REGISTRATIONS = {
    "VERIFIED": Registration.APPROVED,
    "IN_PROGRESS": Registration.WAITING,
    "PENDING": Registration.WAITING,
    "FAILED": Registration.REFUSED,
    "SUSPENDED": Registration.REFUSED,
    "EXPIRED": Registration.REFUSED,
}


class TwilioDesk:
    """A Desk. Of the settings it needs the account, its token, the address and the base URL."""

    def __init__(self, settings: Settings, timeouts: Timeouts | None = None) -> None:
        self._settings = settings
        self._timeouts = timeouts or Timeouts()
        self._web = httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=not settings.carrier_is_loopback)

    @cached_property
    def _carrier(self) -> Carrier:
        """Made when it is asked: without an account the library makes none."""
        return Carrier(self._settings, self._timeouts)

    async def account(self) -> Account:
        sid = self._settings.twilio_account_sid
        found = await self._ask(lambda client: client.api.v2010.accounts(sid).fetch())
        return Account(active=str(found.status) == "active", trial=str(found.type) == "Trial")

    async def clock_seconds(self) -> float:
        answer = await self._request("GET", f"{self._settings.twilio_base_url or TWILIO}/2010-04-01.json")
        try:
            there = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError):
            raise CarrierAway("an answer without its time") from None
        return (there - datetime.now(UTC)).total_seconds()

    async def numbers(self) -> Sequence[OwnNumber]:
        webhook = inbound_webhook(self._settings.address)
        listed = await self._ask(lambda client: client.incoming_phone_numbers.list(page_size=PAGE))
        return [_own_number(number, webhook) for number in listed]

    async def service(self, sid: str) -> OwnService | None:
        try:
            return await self._ask(lambda client: _own_service(client.messaging.v1.services(sid)))
        except _NotThere:
            return None

    async def answers(self) -> bool:
        answer = await self._request("GET", f"{self._settings.address}/health")
        try:
            return answer.status_code == 200 and answer.json() == {"status": "alive"}
        except ValueError:
            return False

    async def knock(self) -> Knock:
        url, form = f"{self._settings.address}{STATUS}{PROBE}", {"AccountSid": NOBODYS_ACCOUNT, "MessageSid": ""}
        token = self._settings.twilio_auth_token.get_secret_value()
        signature = RequestValidator(token).compute_signature(url, form)
        answer = await self._request("POST", url, data=form, headers={"X-Twilio-Signature": signature})
        heard = {NOT_OURS: Knock.HEARD, NOT_SIGNED: Knock.NOT_SIGNED}
        return heard.get(answer.text, Knock.ELSEWHERE) if answer.status_code == 403 else Knock.ELSEWHERE

    async def aclose(self) -> None:
        await self._web.aclose()
        if "_carrier" in vars(self):
            await self._carrier.aclose()

    async def _ask(self, question: Callable[[Client], Answer]) -> Answer:
        try:
            return await self._carrier.call(question)
        except Refused as refused:
            raise _refusal(refused) from refused
        except (NotSent, Unanswered) as lost:
            raise CarrierAway(str(lost)) from lost

    async def _request(self, method: str, url: str, **more: Any) -> httpx.Response:
        try:
            return await self._web.request(method, url, **more)
        except httpx.HTTPError as error:
            raise CarrierAway(f"{url.partition('?')[0]}: {_why(error)}") from error


class _NotThere(CarrierRefuses):
    """What was asked for does not exist."""


def _refusal(refused: Refused) -> Exception:
    if refused.status == 401:
        return CarrierRefuses(*WRONG_TOKEN)
    if refused.status == 404:
        return _NotThere(*WRONG_TOKEN)
    if refused.status == 429 or refused.status >= 500:
        return CarrierAway(str(refused))
    return CarrierRefuses(f"Twilio refuses to answer ({refused}).", NOT_PERMITTED)


def _own_number(number: IncomingPhoneNumberInstance, webhook: str) -> OwnNumber:
    """A fragment asks for repetitions; one that was set by hand may go without."""
    leads_here = (number.sms_url or "").partition("#")[0] == webhook.partition("#")[
        0
    ] and not number.sms_application_sid
    takes_texts = bool(_capabilities(number).get("sms"))
    return OwnNumber(number.sid or "", number.phone_number or "", takes_texts=takes_texts, leads_here=leads_here)


def _capabilities(number: IncomingPhoneNumberInstance) -> Mapping[str, object]:
    """The library says that it is a text; Twilio sends an object."""
    found: Any = number.capabilities
    return found if isinstance(found, dict) else {}


def _own_service(context: ServiceContext) -> OwnService:
    service: ServiceInstance = context.fetch()
    numbers = frozenset(number.sid for number in context.phone_numbers.list(page_size=PAGE) if number.sid)
    campaigns = [str(campaign.campaign_status) for campaign in context.us_app_to_person.list()]
    return OwnService(
        numbers=numbers,
        keeps_webhooks=bool(service.use_inbound_webhook_on_number),
        registration=_registration(campaigns),
    )


def _registration(statuses: Sequence[str]) -> Registration:
    """The best there is; a word of Twilio's that is new here may be good news, and waits."""
    found = {_REGISTRATIONS.get(status, Registration.WAITING) for status in statuses}
    return next((one for one in Registration if one in found), Registration.MISSING)


def _why(error: httpx.HTTPError) -> str:
    """Certificates, names, refused connections: httpx's own words carry no secret of ours."""
    return str(error) or type(error).__name__
