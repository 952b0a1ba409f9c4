"""The door for calls: who calls hears something, whatever happens here."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from twilio.request_validator import RequestValidator

from tests.twilio.cast import ACCOUNT, FAMILY, PUBLIC, SCHOOL, TOKEN, settings_for
from tp_inbox.domain.calling import NOBODY_KNOWS, PHRASES, Called
from tp_inbox.simulator.calls import Heard, read_twiml
from tp_inbox.twilio import voice

OFFICE = "+12025550177"
MS_ADAMS = Called("Lincoln Middle School", "Alice Adams", OFFICE)
CALL = {
    "CallSid": "CA" + "d" * 32,
    "AccountSid": ACCOUNT,
    "From": FAMILY,
    "To": SCHOOL,
    "CallStatus": "ringing",
    "Direction": "inbound",
    "ApiVersion": "2010-04-01",
}


async def posted(ask: voice.Ask, form: dict[str, str] = CALL, *, token: str = TOKEN) -> httpx.Response:
    signature = RequestValidator(token).compute_signature(f"{PUBLIC}/twilio/voice", form)
    app = Starlette(routes=voice.routes(settings_for(), ask))
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.7:3000") as client:
        return await client.post("/twilio/voice", content=urlencode(form).encode(), headers=headers)


async def heard(known: Called | None) -> list[Heard]:
    async def ask(number: str, caller: str) -> Called | None:
        assert (number, caller) == (SCHOOL, FAMILY)
        return known

    answer = await posted(ask)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/xml")
    return list(read_twiml(answer.content))


async def test_a_family_hears_whose_number_it_is_and_is_put_through() -> None:
    said, through = await heard(MS_ADAMS)
    assert said.words.startswith("You have reached Lincoln Middle School. This is the texting number of Alice Adams.")
    assert (through.kind, through.number) == ("put through", OFFICE)


async def test_the_office_sees_our_number_and_not_the_familys() -> None:
    async def ask(_number: str, _caller: str) -> Called:
        return MS_ADAMS

    assert f'callerId="{SCHOOL}"' in (await posted(ask)).text


async def test_without_an_office_the_call_ends_with_what_to_do() -> None:
    said, end = await heard(Called("Lincoln Middle School"))
    assert said.words.endswith("Please send a text, or call the school office. Goodbye.")
    assert end.kind == "hang up"


@pytest.mark.parametrize(("language", "spoken"), [("es", "es-MX"), ("fr", "fr-CA"), ("so", "en-US"), ("en", "en-US")])
async def test_it_is_said_in_the_familys_language_where_there_is_a_voice(language: str, spoken: str) -> None:
    said, _ = await heard(Called("Lincoln", office=OFFICE, language=language))
    assert said.language == spoken


async def test_every_language_with_words_has_a_voice() -> None:
    assert voice.VOICES.keys() == PHRASES.keys()


async def test_a_number_that_nobody_knows_is_answered_politely() -> None:
    said, end = await heard(None)
    assert (said.words, end.kind) == (NOBODY_KNOWS, "hang up")


async def test_a_name_with_signs_of_xml_is_only_a_name() -> None:
    said, _ = await heard(Called("Lincoln & Sons <Dial>", office=OFFICE))
    assert "Lincoln & Sons <Dial>" in said.words


async def test_a_slow_database_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "ANSWER_WITHIN", 0.01)

    async def slow(_number: str, _caller: str) -> Called:
        await asyncio.sleep(60)
        return MS_ADAMS

    assert "text messages only" in (await posted(slow)).text


async def test_while_the_database_is_away_a_general_sentence_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def away(number: str, caller: str) -> Called:
        raise RuntimeError(f"{number} {caller}")

    assert "text messages only" in (await posted(away)).text
    assert FAMILY not in caplog.text


@pytest.mark.parametrize("wrong", [{"token": "f" * 32}, {"form": {**CALL, "AccountSid": "AC" + "6" * 32}}], ids=repr)
async def test_nobody_but_twilio_is_told_anything(wrong: dict) -> None:
    async def ask(_number: str, _caller: str) -> Called:
        raise AssertionError

    answer = await posted(ask, **wrong)
    assert (answer.status_code, "Lincoln" in answer.text) == (403, False)
