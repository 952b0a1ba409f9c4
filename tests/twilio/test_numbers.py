"""Numbers: found, bought once, and pointed at us."""

from __future__ import annotations

import pytest

from tests.twilio.cast import FOR_SALE, NUMBERS, PUBLIC, error
from tests.twilio.scripted_server import RESET, Reply
from tp_inbox.services.ports import BoughtNumber, CarrierAway, NumberRefused

NUMBER = "+12025550111"
SID = "PN" + "c" * 32
WEBHOOK = f"{PUBLIC}/twilio/inbound#rc=5&rp=all"


def offers(*numbers: str) -> Reply:
    return Reply(200, {"available_phone_numbers": [{"phone_number": number} for number in numbers]})


def ours(*numbers: str) -> Reply:
    return Reply(200, {"incoming_phone_numbers": [{"sid": SID, "phone_number": number} for number in numbers]})


async def test_a_number_is_looked_for_in_the_schools_area(gateway, server) -> None:
    server.script = [offers(NUMBER)]
    assert await gateway.available_number("202") == NUMBER
    assert server.asked[0].path == FOR_SALE
    assert (server.asked[0].query["AreaCode"], server.asked[0].query["SmsEnabled"]) == (["202"], ["true"])


@pytest.mark.parametrize("nothing", [offers(), error(400, 21451)])
async def test_where_the_area_has_none_any_number_of_the_country_will_do(gateway, server, nothing) -> None:
    server.script = [nothing, offers(NUMBER)]
    assert await gateway.available_number("999") == NUMBER
    assert "AreaCode" not in server.asked[1].query


async def test_no_number_at_all_is_said_in_a_sentence(gateway, server) -> None:
    server.script = [offers()]
    with pytest.raises(NumberRefused, match="no number for sale in US") as refused:
        await gateway.available_number(None)
    assert refused.value.retry


async def test_a_bought_number_knows_where_to_send_its_texts(gateway, server) -> None:
    server.script = [ours(), Reply(201, {"sid": SID, "phone_number": NUMBER})]
    assert await gateway.buy_number(NUMBER, "Lincoln High: " + "x" * 60) == BoughtNumber(SID, NUMBER)
    bought = server.asked[1]
    assert (bought.method, bought.path) == ("POST", NUMBERS)
    assert bought.form == {
        "PhoneNumber": [NUMBER],
        "FriendlyName": [("Lincoln High: " + "x" * 60)[:64]],
        "SmsUrl": [WEBHOOK],
        "SmsFallbackUrl": [WEBHOOK],
        "VoiceUrl": [f"{PUBLIC}/twilio/voice#rc=5&rp=all"],
    }


async def test_a_number_that_is_ours_is_pointed_at_us_and_not_bought_again(gateway, server) -> None:
    server.script = [ours(NUMBER + "9", NUMBER), Reply(200, {"sid": SID, "phone_number": NUMBER})]
    assert await gateway.buy_number(NUMBER, "Lincoln High") == BoughtNumber(SID, NUMBER)
    updated = server.asked[1]
    assert updated.path == NUMBERS.replace(".json", f"/{SID}.json")
    assert updated.form["SmsUrl"] == [WEBHOOK] and "PhoneNumber" not in updated.form


@pytest.mark.parametrize(
    ("refusal", "sentence", "retry"),
    [
        (error(400, 22300), "not allowed to buy numbers", False),
        (error(400, 21422), "just bought", True),
        (error(401, 20003), "account SID and token", False),
        (error(400, 29999), "code 29999", False),
    ],
)
async def test_a_refusal_to_sell_is_a_sentence_for_an_admin(gateway, server, refusal, sentence, retry) -> None:
    server.script = [ours(), refusal]
    with pytest.raises(NumberRefused, match=sentence) as refused:
        await gateway.buy_number(NUMBER, "Lincoln High")
    assert refused.value.retry is retry


@pytest.mark.parametrize(
    "lost",
    [RESET, error(500), error(401), error(429, 20429), Reply(201, ""), Reply(201, "<html>"), Reply(201, "", after=1)],
    ids=repr,
)
async def test_a_purchase_without_an_answer_may_be_repeated(gateway, server, lost) -> None:
    server.script = [ours(), lost, ours(NUMBER), Reply(200, {"sid": SID, "phone_number": NUMBER})]
    with pytest.raises(CarrierAway):
        await gateway.buy_number(NUMBER, "Lincoln High")
    assert await gateway.buy_number(NUMBER, "Lincoln High") == BoughtNumber(SID, NUMBER)


async def test_a_number_of_which_only_a_proxy_knows_nothing_is_not_taken_for_released(gateway, server) -> None:
    server.script = [error(404)]
    with pytest.raises(CarrierAway):
        await gateway.release_number(NUMBER)
