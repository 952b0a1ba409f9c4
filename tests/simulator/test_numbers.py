"""Numbers and Messaging Services, through the real client."""

from __future__ import annotations

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException

from .conftest import AMINA, Simulate, Simulation, until

SCHOOL, SALLY = "+12125550100", "+12125550101"


def for_sale(simulation: Simulation, **narrowed: object) -> list[str]:
    local = simulation.twilio.available_phone_numbers("US").local
    return [each.phone_number for each in local.list(**{"limit": 50, **narrowed})]


def test_numbers_for_sale_are_fictional_and_of_the_area_code(simulation: Simulation) -> None:
    numbers = for_sale(simulation, area_code=212, sms_enabled=True)
    assert len(numbers) == 30
    assert all(number.startswith("+121255501") for number in numbers)


def test_an_unknown_area_code_has_none(simulation: Simulation) -> None:
    assert for_sale(simulation, area_code=199) == []


def test_without_an_area_code_there_are_plenty(simulation: Simulation) -> None:
    assert len(for_sale(simulation, limit=200)) == 200


def test_numbers_are_found_by_what_they_contain(simulation: Simulation) -> None:
    assert for_sale(simulation, area_code=212, contains="5550113") == ["+12125550113"]
    assert len(for_sale(simulation, area_code=212, contains="55501*3")) == 3


def test_a_sold_number_and_a_family_phone_are_not_for_sale(simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    simulation.web.put("/simulator/phones", json=[{"number": SALLY, "label": "Amina", "language": "so"}])
    assert not {SCHOOL, SALLY} & set(for_sale(simulation, area_code=212))


def test_an_area_code_sells_out(simulation: Simulation) -> None:
    for _ in range(30):
        simulation.twilio.incoming_phone_numbers.create(area_code="212")
    assert for_sale(simulation, area_code=212) == []
    with pytest.raises(TwilioRestException) as refused:
        simulation.twilio.incoming_phone_numbers.create(area_code="212")
    assert refused.value.code == 21452


def test_buying_the_same_number_again_changes_nothing_but_its_settings(simulation: Simulation) -> None:
    first = simulation.buy(SCHOOL, friendly_name="Lincoln School")
    again = simulation.buy(SCHOOL, sms_url="https://example.org/in")
    assert first.sid == again.sid
    assert (again.friendly_name, again.sms_url) == ("Lincoln School", "https://example.org/in")
    assert again.sms_method == "POST"


@pytest.mark.parametrize(("number", "code"), [("12", 21421), ("+12125550150", 21422), ("+14155559999", 21422)])
def test_what_is_not_for_sale_cannot_be_bought(simulation: Simulation, number: str, code: int) -> None:
    with pytest.raises(TwilioRestException) as refused:
        simulation.buy(number)
    assert refused.value.code == code


def test_a_number_is_found_set_and_released(simulation: Simulation) -> None:
    sid = simulation.buy(SCHOOL, friendly_name="Lincoln School").sid
    simulation.buy(SALLY)
    numbers = simulation.twilio.incoming_phone_numbers
    assert [number.sid for number in numbers.list(phone_number=SCHOOL)] == [sid]
    assert [number.sid for number in numbers.list(friendly_name="Lincoln School")] == [sid]
    assert len(numbers.list(page_size=1)) == 2
    changed = numbers(sid).update(voice_url="https://example.org/voice", sms_fallback_url="https://example.org/spare")
    assert (changed.voice_url, changed.friendly_name) == ("https://example.org/voice", "Lincoln School")
    assert numbers(sid).delete()
    with pytest.raises(TwilioRestException) as missing:
        numbers(sid).fetch()
    assert missing.value.code == 20404


def test_a_setting_that_is_no_address_is_refused(simulation: Simulation) -> None:
    with pytest.raises(TwilioRestException) as refused:
        simulation.buy(SCHOOL, sms_url="example.org/in")
    assert refused.value.code == 21502


def test_a_service_is_made_found_and_set(simulation: Simulation) -> None:
    services = simulation.twilio.messaging.v1.services
    made = services.create(friendly_name="Lincoln School", use_inbound_webhook_on_number=True)
    services.create(friendly_name="Washington School")
    assert [service.friendly_name for service in services.list(page_size=1)] == ["Washington School", "Lincoln School"]
    assert services(made.sid).fetch().use_inbound_webhook_on_number is True
    assert services(made.sid).update(status_callback="https://example.org/s").status_callback == "https://example.org/s"


def test_a_number_is_in_one_service_and_a_service_has_a_limit(simulate: Simulate) -> None:
    simulation = simulate(service_size=2)
    services = simulation.twilio.messaging.v1.services
    lincoln, washington = (services.create(friendly_name=name) for name in ("Lincoln", "Washington"))
    sids = [simulation.buy(f"+1212555010{last}").sid for last in range(3)]
    for sid in sids[:2]:
        lincoln.phone_numbers.create(phone_number_sid=sid)
    assert {number.sid for number in lincoln.phone_numbers.list(page_size=1)} == set(sids[:2])
    assert refusal(lincoln, sids[0]) == 21710
    assert refusal(washington, sids[0]) == 21712
    assert refusal(lincoln, sids[2]) == 21714
    assert lincoln.phone_numbers(sids[0]).delete()
    assert washington.phone_numbers.create(phone_number_sid=sids[0]).phone_number == "+12125550100"


def refusal(service, sid: str) -> int:
    with pytest.raises(TwilioRestException) as refused:
        service.phone_numbers.create(phone_number_sid=sid)
    return refused.value.code


def test_a_wrong_password_is_refused_everywhere(simulation: Simulation) -> None:
    simulation.twilio.auth = ("AC" + "5" * 32, "wrong")
    with pytest.raises(TwilioRestException) as refused:
        simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi")
    assert (refused.value.status, refused.value.code) == (401, 20003)
    with pytest.raises(TwilioException) as refused:
        simulation.twilio.messaging.v1.services.list()
    assert refused.value.args[1].status_code == 401


def test_another_account_and_an_unknown_path_are_not_found(simulation: Simulation) -> None:
    other = simulation.rest("GET", f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json")
    unknown = simulation.rest("GET", "Calls.json")
    assert [(answer.status_code, answer.json()["code"]) for answer in (other, unknown)] == [(404, 20404)] * 2


def test_a_method_that_a_path_does_not_have_is_refused(simulation: Simulation) -> None:
    answer = simulation.rest("PUT", "Messages.json")
    assert (answer.status_code, answer.json()["code"]) == (405, 20004)


def test_a_number_can_vanish_without_the_district(simulation: Simulation) -> None:
    sid = simulation.buy(SCHOOL).sid
    gone = simulation.web.request("DELETE", f"/simulator/numbers/{SCHOOL}", json={})
    assert gone.status_code == 204
    with pytest.raises(TwilioRestException) as missing:
        simulation.twilio.incoming_phone_numbers(sid).fetch()
    assert missing.value.code == 20404
    with pytest.raises(TwilioRestException) as refused:
        simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi")
    assert refused.value.code == 21606
    again = simulation.web.request("DELETE", f"/simulator/numbers/{SCHOOL}", json={})
    assert (again.status_code, again.json()["error"]) == (400, f"{SCHOOL} is not a number of this account.")


def test_a_service_is_registered_unless_somebody_says_otherwise(simulation: Simulation) -> None:
    service = simulation.twilio.messaging.v1.services.create(friendly_name="Lincoln")
    (campaign,) = service.us_app_to_person.list()
    assert (campaign.campaign_status, service.us_app_to_person_registered) == ("VERIFIED", True)
    register(simulation, service.sid, "PENDING")
    (campaign,) = service.us_app_to_person.list()
    assert (campaign.campaign_status, campaign.campaign_id) == ("PENDING", None)
    register(simulation, service.sid, "UNREGISTERED")
    assert service.us_app_to_person.list() == []
    assert service.fetch().us_app_to_person_registered is False


def test_texts_of_a_service_that_is_not_registered_are_not_delivered(simulation: Simulation) -> None:
    service = simulation.twilio.messaging.v1.services.create(friendly_name="Lincoln")
    service.phone_numbers.create(phone_number_sid=simulation.buy(SCHOOL).sid)
    register(simulation, service.sid, "IN_PROGRESS")
    sent = simulation.twilio.messages.create(to=AMINA, from_=SCHOOL, body="Hi")
    ended = until(lambda: (now := simulation.twilio.messages(sent.sid).fetch()).status == "undelivered" and now)
    assert ended.error_code == 30034


@pytest.mark.parametrize(("status", "sentence"), [("GOOD", "status must be one of VERIFIED"), (None, "status must be")])
def test_a_registration_that_there_is_none_of_is_refused(simulation: Simulation, status: object, sentence: str) -> None:
    answer = simulation.web.put(f"/simulator/services/MG{'0' * 32}/campaign", json={"status": status})
    assert answer.status_code == 400 and answer.json()["error"].startswith(sentence)


def register(simulation: Simulation, service: str, status: str) -> None:
    answer = simulation.web.put(f"/simulator/services/{service}/campaign", json={"status": status})
    assert answer.json() == {"service": service, "status": status}


def test_the_account_has_money(simulation: Simulation) -> None:
    balance = simulation.twilio.api.account.balance.fetch()
    assert (float(balance.balance) > 0, balance.currency) == (True, "USD")
