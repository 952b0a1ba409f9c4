"""Messaging Services: what Twilio calls the numbers that share a rate and a STOP."""

from __future__ import annotations

from collections.abc import Callable, Collection

from twilio.rest import Client
from twilio.rest.messaging.v1.service import ServiceInstance

from tp_inbox.services.ports import CarrierAway, ServiceFull, ServiceGone, ServiceRefused
from tp_inbox.twilio.client import Answer, Carrier, NotSent, Refused, Unanswered
from tp_inbox.twilio.codes import Treatment, meaning_of_answer

PAGE = 100
LABEL_LENGTH = 64
THERE_ALREADY, IN_ANOTHER, FULL = "21710", "21712", "21714"

NOT_OURS = (
    "This number is in a Messaging Service that this inbox did not make. Take it out in Twilio’s console, under "
    "Messaging, Services, Sender Pool."
)
NO_MORE = "Its Messaging Service takes no more numbers. Ask Twilio to raise the limit."
NOT_THERE = "Twilio does not have this Messaging Service any more."


async def make(carrier: Carrier, label: str) -> str:
    """The SID of the service of that label. Raises ServiceRefused or CarrierAway; doing it twice is safe."""
    sid = await _granted(carrier, lambda client: _found_or_made(client, label[:LABEL_LENGTH]))
    if not sid:
        raise CarrierAway("Twilio's answer names no service")
    return sid


async def put(carrier: Carrier, service: str, number: str, ours: Collection[str]) -> None:
    """Raises ServiceFull, ServiceGone, another ServiceRefused, or CarrierAway; doing it twice is safe."""
    await _granted(carrier, lambda client: _put(client, service, number, ours))


async def members(carrier: Carrier, service: str) -> frozenset[str]:
    """SIDs of its numbers. Raises ServiceGone or CarrierAway."""
    return await _granted(carrier, lambda client: _members(client, service))


async def _granted(carrier: Carrier, action: Callable[[Client], Answer]) -> Answer:
    try:
        return await carrier.call(action)
    except Refused as refused:
        raise _refusal(refused) from refused
    except (NotSent, Unanswered) as lost:
        raise CarrierAway(str(lost)) from lost


def _refusal(refused: Refused) -> ServiceRefused | CarrierAway:
    if refused.code == FULL:
        return ServiceFull(NO_MORE)
    if refused.not_there:
        return ServiceGone(NOT_THERE)
    if meaning_of_answer(refused.status, refused.code).treatment in (Treatment.RETRY_LATER, Treatment.LOOK_FIRST):
        return CarrierAway(str(refused))
    return ServiceRefused(NOT_OURS if refused.code == IN_ANOTHER else f"Twilio refused ({refused}).")


def _found_or_made(client: Client, label: str) -> str | None:
    services = client.messaging.v1.services
    found = next((service for service in services.list(page_size=PAGE) if service.friendly_name == label), None)
    if found is None:
        # Twilio's own default is off, and then a number in a service receives nothing.
        return services.create(friendly_name=label, use_inbound_webhook_on_number=True).sid
    return _receiving(found).sid


def _receiving(service: ServiceInstance) -> ServiceInstance:
    if service.use_inbound_webhook_on_number:
        return service
    return service.update(use_inbound_webhook_on_number=True)


def _put(client: Client, service: str, number: str, ours: Collection[str]) -> None:
    try:
        _join(client, service, number)
    except Refused as refused:
        if refused.code != IN_ANOTHER or not _left(client, number, [sid for sid in ours if sid != service]):
            raise
        _join(client, service, number)


def _join(client: Client, service: str, number: str) -> None:
    try:
        client.messaging.v1.services(service).phone_numbers.create(phone_number_sid=number)
    except Refused as refused:
        if refused.code != THERE_ALREADY:
            raise


def _left(client: Client, number: str, services: Collection[str]) -> bool:
    """Whether the number was in one of these services, and is no more."""
    return any(_taken_out(client, number, service) for service in services)


def _taken_out(client: Client, number: str, service: str) -> bool:
    try:
        return client.messaging.v1.services(service).phone_numbers(number).delete()
    except Refused as refused:
        if refused.not_there:
            return False
        raise


def _members(client: Client, service: str) -> frozenset[str]:
    numbers = client.messaging.v1.services(service).phone_numbers.list(page_size=PAGE)
    return frozenset(number.sid for number in numbers if number.sid)
