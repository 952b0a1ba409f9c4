"""Messaging Services: made once, joined once, and every refusal of Twilio's in our words."""

from __future__ import annotations

import pytest

from tests.twilio.cast import error
from tests.twilio.scripted_server import Reply
from tp_inbox.services.ports import CarrierAway, ServiceFull, ServiceGone, ServiceRefused

SERVICE, OTHER, NUMBER = "MG" + "a" * 32, "MG" + "b" * 32, "PN" + "c" * 32
MEMBERS = f"/v1/Services/{SERVICE}/PhoneNumbers"
JOINED = Reply(201, {"sid": NUMBER, "service_sid": SERVICE})


def services(*rows: dict) -> Reply:
    return Reply(200, {"services": list(rows), "meta": {"key": "services", "next_page_url": None}})


def service(label: str, *, receives: bool = True) -> dict:
    return {"sid": SERVICE, "friendly_name": label, "use_inbound_webhook_on_number": receives}


async def test_a_new_service_leaves_its_numbers_their_own_webhooks(gateway, server) -> None:
    server.script = [services(), Reply(201, service("Lincoln"))]
    assert await gateway.make_service("Lincoln") == SERVICE
    assert server.asked[1].form == {"FriendlyName": ["Lincoln"], "UseInboundWebhookOnNumber": ["true"]}


async def test_one_that_is_there_is_taken_and_made_to_receive(gateway, server) -> None:
    server.script = [services(service("Lincoln", receives=False)), Reply(200, service("Lincoln"))]
    assert await gateway.make_service("Lincoln") == SERVICE
    assert server.asked[1].form == {"UseInboundWebhookOnNumber": ["true"]}


async def test_a_number_that_is_there_already_is_fine(gateway, server) -> None:
    server.script = [error(409, 21710)]
    await gateway.put_into_service(SERVICE, NUMBER, [SERVICE])
    assert (server.asked[0].path, server.asked[0].form) == (MEMBERS, {"PhoneNumberSid": [NUMBER]})


async def test_a_number_in_another_service_of_ours_leaves_it_first(gateway, server) -> None:
    server.script = [error(409, 21712), Reply(204, ""), JOINED]
    await gateway.put_into_service(SERVICE, NUMBER, [SERVICE, OTHER])
    assert [asked.method for asked in server.asked] == ["POST", "DELETE", "POST"]
    assert server.asked[1].path == f"/v1/Services/{OTHER}/PhoneNumbers/{NUMBER}"


@pytest.mark.parametrize(
    ("refusal", "raised"),
    [
        (error(400, 21714), ServiceFull),
        (error(404, 20404), ServiceGone),
        (error(404), CarrierAway),
        (error(409, 21712), ServiceRefused),
        (error(400, 29999), ServiceRefused),
        (error(401, 20003), ServiceRefused),
        (error(429, 20429), CarrierAway),
        (error(500), CarrierAway),
    ],
    ids=repr,
)
async def test_a_refusal_says_what_it_means(gateway, server, refusal, raised) -> None:
    server.script = [refusal]
    with pytest.raises(raised) as refused:
        await gateway.put_into_service(SERVICE, NUMBER, [SERVICE])
    assert type(refused.value) is raised


async def test_a_number_that_is_gone_already_is_released(gateway, server) -> None:
    server.script = [error(404, 20404)]
    await gateway.release_number(NUMBER)
    assert server.asked[0].method == "DELETE"
