"""A family calls: what the number's VoiceUrl is asked, and what its answer makes the caller hear."""

from __future__ import annotations

import pytest
from twilio.twiml.voice_response import Dial, VoiceResponse

from tp_inbox.simulator.calls import Heard, NoTwiml, read_twiml

from .conftest import ACCOUNT, AMINA, District, Simulation, free_port

SCHOOL, OFFICE = "+12125550100", "+12125550188"


def call(simulation: Simulation, caller: str = AMINA, to: str = SCHOOL) -> dict:
    answer = simulation.web.post("/simulator/calls", json={"from": caller, "to": to})
    assert answer.status_code == 201, answer.text
    return answer.json()


def greeting() -> str:
    answer = VoiceResponse()
    answer.say("This is the number of Ms. Rivera at Lincoln.", language="en-US")
    answer.pause(length=1)
    dial = Dial(timeout=20)
    dial.number(OFFICE)
    answer.append(dial)
    answer.hangup()
    return str(answer)


def test_the_caller_hears_whose_number_it_is_and_is_put_through(simulation: Simulation, district: District) -> None:
    simulation.buy(SCHOOL, voice_url=f"{district.url}/voice?number=7")
    district.bodies = {"/voice": greeting()}
    called = call(simulation)
    assert called["heard"] == [
        {"kind": "say", "words": "This is the number of Ms. Rivera at Lincoln.", "language": "en-US"},
        {"kind": "pause", "seconds": 1},
        {"kind": "put through", "number": OFFICE},
        {"kind": "hang up"},
    ]
    assert (called["put_through_to"], called["problem"]) == (OFFICE, "")


def test_the_webhook_of_a_call_is_twilios_and_signed(simulation: Simulation, district: District) -> None:
    simulation.buy(SCHOOL, voice_url=f"{district.url}/voice?number=7")
    district.bodies = {"/voice": greeting()}
    called = call(simulation)
    (webhook,) = district.webhooks
    assert webhook.path == "/voice?number=7" and district.is_signed(webhook)
    assert {name: webhook.form[name] for name in ("From", "Caller", "To", "Called", "CallStatus", "Direction")} == {
        "From": AMINA,
        "Caller": AMINA,
        "To": SCHOOL,
        "Called": SCHOOL,
        "CallStatus": "ringing",
        "Direction": "inbound",
    }
    assert (webhook.form["AccountSid"], webhook.form["CallSid"]) == (ACCOUNT, called["call_sid"])


def test_a_voice_url_that_is_away_is_replaced_by_the_fallback(simulation: Simulation, district: District) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/voice"
    simulation.buy(SCHOOL, voice_url=nobody, voice_fallback_url=f"{district.url}/spare")
    district.bodies = {"/spare": greeting()}
    assert call(simulation)["put_through_to"] == OFFICE
    assert district.webhooks[0].form["ErrorUrl"] == nobody


def test_without_an_answer_the_caller_hears_why(simulation: Simulation, district: District) -> None:
    simulation.buy(SCHOOL)
    assert "no VoiceUrl" in call(simulation)["problem"]
    simulation.twilio.incoming_phone_numbers.list()[0].update(voice_url=f"{district.url}/voice")
    district.answers = {"/voice": [500]}
    assert "gave no answer" in call(simulation)["problem"]
    district.bodies = {"/voice": "<Response><Play>song.mp3</Play></Response>"}
    assert call(simulation)["problem"] == "There is no verb Play here."


def test_only_a_number_of_the_district_can_be_called(simulation: Simulation) -> None:
    answer = simulation.web.post("/simulator/calls", json={"from": AMINA, "to": SCHOOL})
    assert (answer.status_code, answer.json()["error"]) == (400, f"{SCHOOL} is not a number of this account.")


def heard(twiml: str) -> list[Heard]:
    return list(read_twiml(f'<?xml version="1.0" encoding="UTF-8"?><Response>{twiml}</Response>'.encode()))


def test_nothing_is_heard_after_the_end() -> None:
    assert heard("<Hangup/><Say>Too late</Say>") == [Heard("hang up")]


def test_a_number_can_be_dialled_in_words_or_as_a_noun() -> None:
    assert heard(f"<Dial>{OFFICE}</Dial>") == heard(f"<Dial><Number>{OFFICE}</Number></Dial>")


@pytest.mark.parametrize(
    ("twiml", "sentence"),
    [
        ("<Sya>Hello</Sya>", "There is no verb Sya here"),
        ("<say>Hello</say>", "There is no verb say here"),
        ("<Say></Say>", "Say has 1 to"),
        ('<Say lang="es">Hola</Say>', "Say has no attribute lang"),
        ("<Say>Hello <b>you</b></Say>", "Say holds nothing but words"),
        ("<Dial>the office</Dial>", "Dial holds no phone number"),
        ("<Dial/>", "Dial holds no phone number"),
        ("<Dial><Sip>sip:a@b</Sip></Dial>", "Dial holds one number"),
        (f"<Dial><Number>{OFFICE}</Number><Number>{AMINA}</Number></Dial>", "Dial holds one number"),
        (f'<Dial timeout="soon">{OFFICE}</Dial>', "Dial's timeout"),
        ('<Pause length="long"/>', "Pause has a length"),
        ("<Hangup>now</Hangup>", "Hangup has nothing"),
        ("Hello<Hangup/>", "Words stand outside"),
        ("<Hangup/>Bye", "Words stand outside"),
        ("<Say>", "The answer is not XML"),
    ],
)
def test_twiml_that_twilio_would_not_follow_is_named(twiml: str, sentence: str) -> None:
    with pytest.raises(NoTwiml, match=sentence):
        heard(twiml)


@pytest.mark.parametrize("answer", [b"", b"OK", b"<Answer/>", b"<!doctype x [<!ENTITY a 'b'>]><Response/>"])
def test_an_answer_that_is_no_twiml_is_named(answer: bytes) -> None:
    with pytest.raises(NoTwiml):
        list(read_twiml(answer))
