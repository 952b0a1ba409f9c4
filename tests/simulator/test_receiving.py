"""Receiving: a family's text, the webhook it becomes, and the words that Twilio answers itself."""

from __future__ import annotations

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException

from tp_inbox.simulator import Delays

from .conftest import ACCOUNT, AMINA, BRUNO, TOKEN, District, Simulate, Simulation, free_port, until

SCHOOL, SALLY = "+12125550100", "+12125550101"


@pytest.fixture
def lincoln(simulation: Simulation, district: District) -> Simulation:
    """A simulation in which the school's number calls the district."""
    simulation.buy(SCHOOL, sms_url=f"{district.url}/in?school=Lincoln%20A", friendly_name="Lincoln School")
    return simulation


def test_a_familys_text_becomes_twilios_full_form_signed(lincoln: Simulation, district: District) -> None:
    sent = lincoln.text_from(AMINA, SCHOOL, "Waan fahmay 👍")
    assert sent["webhook"] == {"status": 204, "ok": True, "problem": "", "tries": 1}
    (webhook,) = district.webhooks
    assert webhook.path == "/in?school=Lincoln%20A" and district.is_signed(webhook)
    sid = sent["message_sid"]
    assert webhook.form == {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": ACCOUNT,
        "From": AMINA,
        "To": SCHOOL,
        "Body": "Waan fahmay 👍",
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
        "FromCity": "",
        "FromState": "NY",
        "FromZip": "",
        "FromCountry": "US",
        "ToCity": "",
        "ToState": "NY",
        "ToZip": "",
        "ToCountry": "US",
    }


def test_it_is_in_the_list_as_received(lincoln: Simulation) -> None:
    lincoln.text_from(AMINA, SCHOOL, "Hi")
    (message,) = lincoln.twilio.messages.list(from_=AMINA)
    assert (message.direction, message.status, message.body) == ("inbound", "received", "Hi")
    assert message.date_sent


def test_a_picture_needs_the_password_and_then_leads_to_where_none_is_needed(
    lincoln: Simulation, district: District
) -> None:
    sent = lincoln.text_from(AMINA, SCHOOL, "", media=["permission-slip"])
    form = district.webhooks[0].form
    assert sent["message_sid"].startswith("MM") and form["NumMedia"] == "1"
    assert form["MediaContentType0"] == "image/jpeg"
    assert httpx.get(form["MediaUrl0"], trust_env=False).status_code == 401
    onward = httpx.get(form["MediaUrl0"], auth=(ACCOUNT, TOKEN), trust_env=False)
    assert onward.status_code == 307
    picture = httpx.get(onward.headers["location"], trust_env=False)
    assert picture.headers["content-type"] == "image/jpeg" and picture.content[:2] == b"\xff\xd8"
    (medium,) = lincoln.twilio.messages(sent["message_sid"]).media.list()
    assert form["MediaUrl0"].endswith(medium.sid) and medium.parent_sid == sent["message_sid"]


def test_a_failed_webhook_is_tried_again_only_as_its_address_asks(simulation: Simulation, district: District) -> None:
    simulation.buy(SCHOOL, sms_url=f"{district.url}/once")
    simulation.buy(SALLY, sms_url=f"{district.url}/often#rc=3&rp=all")
    district.answers = {"/once": [500], "/often": [500, 503]}
    assert simulation.text_from(AMINA, SCHOOL, "Hi")["webhook"]["status"] == 500
    assert simulation.text_from(AMINA, SALLY, "Hi")["webhook"] == {"status": 204, "ok": True, "problem": "", "tries": 3}
    again = district.at("/often")
    assert all(webhook.path == "/often" and district.is_signed(webhook) for webhook in again)
    assert len({webhook.headers["i-twilio-idempotency-token"] for webhook in again}) == 1


def test_the_fallback_is_called_with_the_reason(simulation: Simulation, district: District) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/in"
    simulation.buy(SCHOOL, sms_url=nobody, sms_fallback_url=f"{district.url}/spare")
    assert simulation.text_from(AMINA, SCHOOL, "Hi")["webhook"]["ok"]
    (webhook,) = district.webhooks
    assert (webhook.path, webhook.form["ErrorUrl"], webhook.form["Body"]) == ("/spare", nobody, "Hi")


def test_a_district_that_is_away_loses_the_webhook_but_not_the_text(simulation: Simulation) -> None:
    simulation.buy(SCHOOL, sms_url=f"http://127.0.0.1:{free_port()}/in")
    sent = simulation.text_from(AMINA, SCHOOL, "Hi")
    assert sent["webhook"] == {"status": None, "ok": False, "problem": "ct", "tries": 1}
    assert simulation.twilio.messages(sent["message_sid"]).fetch().body == "Hi"


def test_a_number_that_joins_a_service_is_called_as_the_service_says(lincoln: Simulation, district: District) -> None:
    service = lincoln.twilio.messaging.v1.services.create(friendly_name="Lincoln")
    service.phone_numbers.create(phone_number_sid=lincoln.twilio.incoming_phone_numbers.list()[0].sid)
    assert lincoln.text_from(AMINA, SCHOOL, "Lost")["webhook"]["problem"] == "no webhook"
    assert lincoln.twilio.messages.list() == []
    service.update(inbound_request_url=f"{district.url}/service")
    lincoln.text_from(AMINA, SCHOOL, "To the service")
    service.update(use_inbound_webhook_on_number=True)
    lincoln.text_from(AMINA, SCHOOL, "To the number")
    assert [webhook.path for webhook in district.webhooks] == ["/service", "/in?school=Lincoln%20A"]
    assert {webhook.form["MessagingServiceSid"] for webhook in district.webhooks} == {service.sid}


def test_an_application_takes_the_place_of_a_numbers_own_address(lincoln: Simulation, district: District) -> None:
    (number,) = lincoln.twilio.incoming_phone_numbers.list()
    assert number.update(sms_application_sid="AP" + "0" * 32).sms_application_sid == "AP" + "0" * 32
    assert lincoln.text_from(AMINA, SCHOOL, "Lost")["webhook"]["problem"] == "no webhook"
    assert number.update(sms_application_sid="").sms_application_sid is None
    assert lincoln.text_from(AMINA, SCHOOL, "Back")["webhook"]["ok"]


STOP_WORDS = ["STOP", "stop", " Stopall\n", "UNSUBSCRIBE", "Cancel", "END", "quit", "Revoke", "OPTOUT"]


@pytest.mark.parametrize("word", STOP_WORDS)
def test_each_stop_word_alone_blocks_and_is_confirmed_on_the_phone(
    lincoln: Simulation, district: District, word: str
) -> None:
    lincoln.text_from(AMINA, SCHOOL, word)
    until(lambda: any("unsubscribed" in text["body"] for text in lincoln.texts_on(AMINA)))
    assert refusal(lincoln, to=AMINA, from_=SCHOOL) == 21610
    assert lincoln.twilio.messages.create(to=BRUNO, from_=SCHOOL, body="Hi").status == "queued"
    assert district.webhooks[0].form["Body"] == word
    assert [message.body for message in lincoln.twilio.messages.list(from_=AMINA)] == [word]


@pytest.mark.parametrize("words", ["Please stop", "stop.", "STOP STOP", "We have got to STOP this bill"])
def test_a_stop_word_among_others_blocks_nothing(lincoln: Simulation, words: str) -> None:
    lincoln.text_from(AMINA, SCHOOL, words)
    assert lincoln.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi").status == "queued"


@pytest.mark.parametrize("word", ["START", "unstop", "Yes"])
def test_start_lets_texts_through_again(lincoln: Simulation, word: str) -> None:
    lincoln.text_from(AMINA, SCHOOL, "STOP")
    lincoln.text_from(AMINA, SCHOOL, word)
    until(lambda: any("re-subscribed" in text["body"] for text in lincoln.texts_on(AMINA)))
    assert lincoln.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi").status == "queued"


def test_a_second_stop_and_a_yes_in_conversation_get_no_answer_of_twilios(lincoln: Simulation) -> None:
    for word in ("STOP", "STOP"):
        lincoln.text_from(AMINA, SCHOOL, word)
    lincoln.text_from(BRUNO, SCHOOL, "Yes")
    lincoln.text_from(BRUNO, SCHOOL, "HELP")
    until(lambda: len(lincoln.texts_on(BRUNO)) == 3)
    assert [text["automatic"] for text in lincoln.texts_on(AMINA)].count(True) == 1
    assert [text["body"] for text in lincoln.texts_on(BRUNO)][-1].startswith("Reply STOP")


def test_stop_blocks_every_number_of_the_service_and_no_other(simulation: Simulation, district: District) -> None:
    service = a_service(simulation)
    for number in (SCHOOL, SALLY):
        sid = simulation.buy(number, sms_url=f"{district.url}/in").sid
        service.phone_numbers.create(phone_number_sid=sid)
    simulation.buy("+12125550102")
    simulation.text_from(AMINA, SALLY, "STOP")
    assert refusal(simulation, to=AMINA, from_=SCHOOL) == 21610
    assert refusal(simulation, to=AMINA, messaging_service_sid=service.sid) == 21610
    assert simulation.twilio.messages.create(to=AMINA, from_="+12125550102", body="Hi").status == "queued"
    assert "OptOutType" not in district.webhooks[0].form


def test_with_advanced_opt_out_the_webhook_names_the_keyword(simulate: Simulate, district: District) -> None:
    simulation = simulate(advanced_opt_out=True)
    service = a_service(simulation)
    service.phone_numbers.create(phone_number_sid=simulation.buy(SCHOOL, sms_url=f"{district.url}/in").sid)
    for word in ("STOP", "START", "HELP", "Hello"):
        simulation.text_from(AMINA, SCHOOL, word)
    assert [webhook.form.get("OptOutType") for webhook in district.webhooks] == ["STOP", "START", "HELP", None]


def test_an_opt_out_survives_a_restart(simulate: Simulate) -> None:
    first = simulate(delays=Delays.none())
    first.buy(SCHOOL)
    first.text_from(AMINA, SCHOOL, "STOP")
    simulate.stop_last()
    assert refusal(simulate(), to=AMINA, from_=SCHOOL) == 21610


def a_service(simulation: Simulation):
    services = simulation.twilio.messaging.v1.services
    return services.create(friendly_name="Lincoln", use_inbound_webhook_on_number=True)


def refusal(simulation: Simulation, **given: object) -> int:
    with pytest.raises(TwilioRestException) as refused:
        simulation.twilio.messages.create(body="Hi", **given)
    return refused.value.code
