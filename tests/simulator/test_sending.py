"""Sending: what Twilio takes, what it refuses, and how a text travels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from twilio.base.exceptions import TwilioRestException

from tp_inbox.simulator import Delays

from .conftest import ACCOUNT, AMINA, BRUNO, District, Simulate, Simulation, until

SCHOOL, SALLY = "+12125550100", "+12125550101"
NEVER = (600.0, 600.0)


def test_a_text_is_queued_and_then_arrives(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    sent = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="The bus is late.")
    assert (sent.status, sent.date_sent, sent.num_segments, sent.price) == ("queued", None, "1", None)
    arrived = until(lambda: status(simulation, sent.sid, "delivered"))
    assert arrived.date_sent and arrived.error_code is None
    assert [text["body"] for text in simulation.texts_on(AMINA)] == ["The bus is late."]


def test_quick_texts_are_shown_in_the_order_in_which_they_were_sent(simulate: Simulate) -> None:
    simulation = simulate(delays=Delays(delivered=(0, 0.3)))
    simulation.buy(SCHOOL)
    written = [f"Text {place}" for place in range(12)]
    for body in written:
        simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body=body)
    until(lambda: len(simulation.texts_on(AMINA)) == len(written))
    assert [text["body"] for text in simulation.texts_on(AMINA)] == written


def test_every_change_is_called_back_in_order_signed_and_with_the_addresss_own_query(
    simulation: Simulation, district: District
) -> None:
    simulation.buy(SCHOOL)
    callback = f"{district.url}/status?message=7&note=a%20b"
    sent = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi", status_callback=callback)
    until(lambda: len(district.webhooks) == 3)
    assert district.statuses() == ["sending", "sent", "delivered"]
    assert all(webhook.path == "/status?message=7&note=a%20b" for webhook in district.webhooks)
    assert all(district.is_signed(webhook) for webhook in district.webhooks)
    assert {webhook.form["MessageSid"] for webhook in district.webhooks} == {sent.sid}
    assert district.webhooks[-1].form["From"] == SCHOOL


@pytest.mark.parametrize(("line", "code"), [("0196", 30003), ("0197", 30006), ("0198", 30007)])
def test_a_phone_that_cannot_receive_ends_undelivered_with_its_reason(
    simulation: Simulation, district: District, line: str, code: int
) -> None:
    simulation.buy(SCHOOL)
    callback = f"{district.url}/status"
    family = f"+1212555{line}"
    sent = simulation.twilio.messages.create(to=family, from_=SCHOOL, body="Hi", status_callback=callback)
    until(lambda: status(simulation, sent.sid, "undelivered"))
    until(lambda: len(district.webhooks) == 3)
    assert district.statuses() == ["sending", "sent", "undelivered"]
    assert district.webhooks[-1].form["ErrorCode"] == str(code)
    assert simulation.texts_on(family) == []


def test_a_messaging_service_accepts_first_and_chooses_the_number_later(
    simulation: Simulation, district: District
) -> None:
    service = service_with(simulation, SCHOOL, SALLY)
    sent = simulation.twilio.messages.create(
        to=AMINA, messaging_service_sid=service, body="Hi", status_callback=f"{district.url}/status"
    )
    assert (sent.status, sent.from_, sent.num_segments) == ("accepted", None, "0")
    arrived = until(lambda: status(simulation, sent.sid, "delivered"))
    assert (arrived.from_, arrived.num_segments, arrived.messaging_service_sid) == (SCHOOL, "1", service)
    until(lambda: len(district.webhooks) == 4)
    assert district.statuses() == ["queued", "sending", "sent", "delivered"]
    assert {webhook.form["MessagingServiceSid"] for webhook in district.webhooks} == {service}


def test_a_number_of_the_service_may_be_named(simulation: Simulation) -> None:
    service = service_with(simulation, SCHOOL, SALLY)
    sent = simulation.twilio.messages.create(to=AMINA, messaging_service_sid=service, from_=SALLY, body="Hi")
    assert (sent.status, sent.from_) == ("accepted", SALLY)


def test_the_service_keeps_to_the_number_that_the_family_knows(simulation: Simulation) -> None:
    service = service_with(simulation, SCHOOL, SALLY)
    first = simulation.twilio.messages.create(to=AMINA, messaging_service_sid=service, from_=SALLY, body="One")
    second = simulation.twilio.messages.create(to=AMINA, messaging_service_sid=service, body="Two")
    until(lambda: status(simulation, first.sid, "delivered"))
    assert until(lambda: status(simulation, second.sid, "delivered")).from_ == SALLY


REFUSED = [
    (21604, {"to": ""}),
    (21211, {"to": "12345"}),
    (21211, {"to": "+12125550199"}),
    (21408, {"to": "+442079460123"}),
    (21602, {"body": ""}),
    (21617, {"body": "a" * 1_601}),
    (21603, {"from_": ""}),
    (21212, {"from_": "the school"}),
    (21606, {"from_": "+12125550129"}),
    (21659, {"from_": "+13125550155"}),
    (21266, {"to": SCHOOL}),
    (21609, {"status_callback": "not an address"}),
    (21609, {"status_callback": "http://under_score.example/status"}),
    (21620, {"media_url": ["ftp://example.org/a.jpg"]}),
    (21623, {"media_url": ["http://example.org/a.jpg"] * 11}),
    (21624, {"validity_period": 0}),
    (21624, {"validity_period": 36_001}),
    (21701, {"messaging_service_sid": "MG" + "0" * 32}),
]


@pytest.mark.parametrize(("code", "wrong"), REFUSED)
def test_what_twilio_refuses_is_refused_with_its_code(simulation: Simulation, code: int, wrong: dict) -> None:
    simulation.buy(SCHOOL)
    right = {"to": AMINA, "from_": SCHOOL, "body": "Hi"}
    with pytest.raises(TwilioRestException) as refused:
        simulation.twilio.messages.create(**{**right, **wrong})
    assert refused.value.code == code
    assert simulation.twilio.messages.list() == []


def test_an_empty_service_and_a_number_of_another_service_are_refused(simulation: Simulation) -> None:
    empty = simulation.twilio.messaging.v1.services.create(friendly_name="Empty").sid
    school = service_with(simulation, SCHOOL)
    simulation.buy(SALLY)
    assert refusal(simulation, messaging_service_sid=empty) == 21704
    assert refusal(simulation, messaging_service_sid=school, from_=SALLY) == 21711


def test_a_text_that_waits_longer_than_it_may_fails(simulate: Simulate) -> None:
    simulation = simulate(delays=Delays(sending=(1, 1), sent=(1, 1)))
    simulation.buy(SCHOOL)
    sent = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi", validity_period=1)
    assert until(lambda: status(simulation, sent.sid, "failed")).error_code == 30036


def test_a_text_can_be_cancelled_until_it_leaves(simulate: Simulate, district: District) -> None:
    simulation = simulate(delays=Delays(sending=(0.2, 0.2), sent=(0, 0), delivered=(0, 0)))
    simulation.buy(SCHOOL)
    stopped = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Wrong")
    sent = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Right")
    assert simulation.twilio.messages(stopped.sid).update(status="canceled").status == "canceled"
    until(lambda: status(simulation, sent.sid, "delivered"))
    assert [text["body"] for text in simulation.texts_on(AMINA)] == ["Right"]
    with pytest.raises(TwilioRestException) as refused:
        simulation.twilio.messages(sent.sid).update(status="canceled")
    assert refused.value.code == 30409


def test_a_finished_text_can_be_redacted_and_deleted_one_on_its_way_cannot(simulate: Simulate) -> None:
    simulation = simulate(delays=Delays(sending=(0.3, 0.3), sent=(0, 0), delivered=(0, 0)))
    simulation.buy(SCHOOL)
    sent = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Private")
    for attempt in (lambda: sent.update(body=""), sent.delete):
        with pytest.raises(TwilioRestException) as refused:
            attempt()
        assert refused.value.code == 20009
    until(lambda: status(simulation, sent.sid, "delivered"))
    assert simulation.twilio.messages(sent.sid).update(body="").body == ""
    assert simulation.twilio.messages(sent.sid).delete()
    with pytest.raises(TwilioRestException) as missing:
        simulation.twilio.messages(sent.sid).fetch()
    assert (missing.value.code, missing.value.status) == (20404, 404)


def test_a_picture_goes_out_as_an_mms(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    sent = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, media_url=["https://example.org/map.jpg"])
    assert sent.sid.startswith("MM") and sent.num_media == "1"
    assert len(simulation.twilio.messages(sent.sid).media.list()) == 1


def test_what_a_stopped_simulator_left_unfinished_goes_on_after_its_restart(
    simulate: Simulate, district: District
) -> None:
    first = simulate(delays=Delays(sent=NEVER))
    first.buy(SCHOOL)
    callback = f"{district.url}/status"
    sent = first.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi", status_callback=callback)
    until(lambda: district.statuses() == ["sending"])
    simulate.stop_last()
    second = simulate()
    until(lambda: status(second, sent.sid, "delivered"))
    until(lambda: district.statuses() == ["sending", "sent", "delivered"])
    assert second.twilio.incoming_phone_numbers.list()[0].phone_number == SCHOOL


def test_a_list_comes_in_pages_newest_first(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    for place in range(7):
        simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body=f"Text {place}")
    until(lambda: all(message.status == "delivered" for message in simulation.twilio.messages.list()))
    bodies = [message.body for message in simulation.twilio.messages.list(page_size=3)]
    assert bodies == [f"Text {place}" for place in reversed(range(7))]
    first = simulation.twilio.messages.page(page_size=3)
    second = first.next_page()
    assert [message.body for message in second] == ["Text 3", "Text 2", "Text 1"]
    assert [message.body for message in second.previous_page()] == ["Text 6", "Text 5", "Text 4"]
    assert second.next_page().next_page() is None


def test_a_list_narrows_by_numbers_and_by_date(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    simulation.buy(SALLY)
    for to, sender in ((AMINA, SCHOOL), (AMINA, SALLY), (BRUNO, SCHOOL)):
        simulation.twilio.messages.create(to=to, from_=sender, body="Hi")
    messages = simulation.twilio.messages
    until(lambda: all(message.status == "delivered" for message in messages.list()))
    now, day = datetime.now(UTC), timedelta(days=1)
    assert len(messages.list(to=AMINA)) == 2
    assert len(messages.list(to=AMINA, from_=SALLY)) == 1
    assert len(messages.list(date_sent=now.date())) == 3
    assert messages.list(date_sent=now.date() - day) == []
    assert len(messages.list(date_sent_after=now - timedelta(minutes=1))) == 3
    assert messages.list(date_sent_after=now + timedelta(minutes=1)) == []
    assert len(messages.list(date_sent_before=now + timedelta(minutes=1))) == 3
    assert messages.list(date_sent_before=now - timedelta(minutes=1)) == []
    assert len(messages.list(date_sent_after=now - day, date_sent_before=now + day, to=BRUNO)) == 1


def test_a_text_without_a_date_is_in_no_list_by_date(simulate: Simulate) -> None:
    simulation = simulate(delays=Delays(sending=NEVER))
    simulation.buy(SCHOOL)
    simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi")
    assert len(simulation.twilio.messages.list()) == 1
    assert simulation.twilio.messages.list(date_sent_after=datetime.now(UTC) - timedelta(days=1)) == []


@pytest.mark.parametrize("query", ["PageSize=many", "PageSize=0", "Page=-1", "DateSent=soon", "DateSent%3E=2024-13-01"])
def test_a_list_asked_for_in_nonsense_is_refused(simulation: Simulation, query: str) -> None:
    answer = simulation.rest("GET", f"Messages.json?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


def test_an_invented_page_token_is_refused(simulation: Simulation) -> None:
    for token in ("PASM" + "0" * 32, "nonsense"):
        answer = simulation.rest("GET", f"Messages.json?Page=1&PageToken={token}")
        assert (answer.status_code, answer.json()["code"]) == (400, 21481)


def test_the_account_answers_for_itself(simulation: Simulation) -> None:
    account = simulation.twilio.api.accounts(ACCOUNT).fetch()
    assert (account.sid, account.status) == (ACCOUNT, "active")


def service_with(simulation: Simulation, *numbers: str) -> str:
    services = simulation.twilio.messaging.v1.services
    service = services.create(friendly_name="A school", use_inbound_webhook_on_number=True)
    for number in numbers:
        service.phone_numbers.create(phone_number_sid=simulation.buy(number).sid)
    return service.sid


def status(simulation: Simulation, sid: str, wanted: str):
    message = simulation.twilio.messages(sid).fetch()
    return message if message.status == wanted else None


def refusal(simulation: Simulation, **given: object) -> int:
    with pytest.raises(TwilioRestException) as refused:
        simulation.twilio.messages.create(to=AMINA, body="Hi", **given)
    return refused.value.code
