"""The gateway, the simulator and Twilio's own documents, each against the contract of contract.py."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.simulator.conftest import (
    AMINA,
    BRUNO,
    TOKEN,
    District,
    Simulate,
    Simulation,
    district,
    simulate,
    simulation,
    until,
)
from tests.simulator.test_contract import DOCUMENTS, NAMES, mended
from tests.twilio import contract
from tests.twilio.cast import settings_for
from tests.twilio.contract import CODES, ENDPOINTS, ERROR, Endpoint, Kind
from tp_inbox.services.ports import Accepted, CarrierAway, NumberRefused, OutgoingText
from tp_inbox.simulator.numbers import CAMPAIGN_STATUSES
from tp_inbox.twilio import codes, doctor, forms
from tp_inbox.twilio.doctor import TwilioDesk
from tp_inbox.twilio.gateway import TwilioGateway

__all__ = ["district", "simulate", "simulation"]

LANDLINE, INVALID = "+12125550197", "+12125550199"


@dataclass(frozen=True)
class Exchange:
    """One request as it left this machine, and the answer to it."""

    method: str
    path: str
    given: dict[str, str]
    status: int
    body: Any

    @property
    def endpoint(self) -> Endpoint:
        found = [endpoint for endpoint in ENDPOINTS if endpoint.is_at(self.method, self.path)]
        assert len(found) == 1, f"the contract has {len(found)} endpoints for {self.method} {self.path}"
        return found[0]


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[Exchange]:
    """Everything that the product's client says to Twilio, recorded where it becomes HTTP."""
    recorded: list[Exchange] = []
    send = requests.Session.send

    def recording(self: requests.Session, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        answer = send(self, request, **how)
        url = urlsplit(str(request.url))
        given = dict(parse_qsl(url.query, keep_blank_values=True))
        given |= dict(parse_qsl(str(request.body or ""), keep_blank_values=True))
        body = answer.json() if answer.content else None
        recorded.append(Exchange(str(request.method), url.path, given, answer.status_code, body))
        return answer

    monkeypatch.setattr(requests.Session, "send", recording)
    return recorded


@pytest.fixture
def everything(simulation: Simulation, district: District, exchanges: list[Exchange]) -> list[Exchange]:
    """All that the product ever asks of Twilio, asked once."""
    settings = settings_for(simulation.config.base_url, public_url=district.url, twilio_auth_token=TOKEN)
    asyncio.run(ask_everything(TwilioGateway(settings), TwilioDesk(settings), simulation))
    return exchanges


async def ask_everything(gateway: TwilioGateway, desk: TwilioDesk, simulation: Simulation) -> None:
    school = await gateway.buy_number(await gateway.available_number("212"), "Lincoln High")
    sally = await gateway.buy_number(await gateway.available_number(None), "Sally Ortiz")
    await gateway.buy_number(school.e164, "Lincoln High School")
    lincoln, washington = [await gateway.make_service(label) for label in ("Lincoln", "Washington")]
    simulation.twilio.messaging.v1.services(lincoln).update(use_inbound_webhook_on_number=False)
    await gateway.make_service("Lincoln")
    await gateway.put_into_service(lincoln, school.sid, [lincoln, washington])
    await gateway.put_into_service(washington, school.sid, [lincoln, washington])
    await gateway.put_into_service(washington, sally.sid, [])
    await gateway.numbers_in(washington)
    await say(gateway, school.e164, simulation)
    await gateway.our_numbers()
    await gateway.lead_here(sally.sid)
    await look(desk, washington)
    await gateway.release_number(sally.sid)
    await refusals(gateway, school.e164)
    await gateway.aclose()
    await desk.aclose()


async def say(gateway: TwilioGateway, school: str, simulation: Simulation) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    for place, family in enumerate((AMINA, BRUNO, LANDLINE)):
        text = OutgoingText(place + 1, school, family, "¿Recibió el mensaje? 👍🏽", 3_600 if place else None)
        sent = await gateway.send(text)
        assert isinstance(sent, Accepted)
        await gateway.fetch(sent.text.sid)
        await gateway.find(text, since, set())
    for body, media in (("Hi", []), ("", ["lost-jacket"]), ("STOP", [])):
        simulation.text_from(AMINA, school, body, media=media)
    assert len([text async for text in gateway.texts_since(since)]) == 6


async def look(desk: TwilioDesk, service: str) -> None:
    assert (await desk.account()).active
    await desk.numbers()
    assert await desk.service(service)


async def refusals(gateway: TwilioGateway, school: str) -> None:
    for recipient in (AMINA, INVALID):
        assert not isinstance(await gateway.send(OutgoingText(9, school, recipient, "Hello?")), Accepted)
    with pytest.raises((NumberRefused, CarrierAway)):
        await gateway.buy_number("+12125550150", "Nobody's")
    assert await gateway.fetch("SM" + "0" * 32) is None


def test_every_request_of_the_gateway_is_one_of_the_contract(everything: list[Exchange]) -> None:
    assert [wrong for each in everything for wrong in each.endpoint.wrong_request(each.given)] == []


def test_the_product_relies_on_every_endpoint_of_the_contract(everything: list[Exchange]) -> None:
    assert {each.endpoint.name for each in everything} == {endpoint.name for endpoint in ENDPOINTS}


def test_every_optional_parameter_of_the_contract_is_sent_by_somebody(everything: list[Exchange]) -> None:
    sent = {(each.endpoint.name, name) for each in everything for name in each.given}
    unsent = {(one.name, name) for one in ENDPOINTS for name in one.may_take} - sent
    assert {name for _, name in unsent} <= contract.PAGES.keys()


def test_every_answer_of_the_simulator_keeps_the_contract(everything: list[Exchange]) -> None:
    successes = [each for each in everything if each.status < 400]
    assert {(each.endpoint.name, each.status) for each in successes} == {(one.name, one.answer) for one in ENDPOINTS}
    assert [wrong for each in successes for wrong in each.endpoint.wrong_answer(each.body)] == []


def test_every_refusal_of_the_simulator_keeps_the_contract(everything: list[Exchange]) -> None:
    refused = [each.body for each in everything if each.status >= 400]
    assert {body["code"] for body in refused} >= {21610, 21211, 21422, 20404, 21712}
    assert [wrong for body in refused for wrong in contract._wrong("error", ERROR, body)] == []


def test_every_page_after_the_first_keeps_the_contract(
    simulation: Simulation, exchanges: list[Exchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(5):
        number = simulation.buy(f"+1212555010{place}")
        simulation.twilio.messages.create(to=AMINA, from_=number.phone_number, body="Hi")
    exchanges.clear()
    for module in ("gateway", "numbers"):
        monkeypatch.setattr(f"tp_inbox.twilio.{module}.PAGE", 2)
    asyncio.run(read_pages(simulation))
    assert [wrong for each in exchanges for wrong in each.endpoint.wrong_request(each.given)] == []
    assert [wrong for each in exchanges for wrong in each.endpoint.wrong_answer(each.body)] == []
    assert sum("PageToken" in each.given for each in exchanges) == 4


async def read_pages(simulation: Simulation) -> None:
    gateway = TwilioGateway(settings_for(simulation.config.base_url, twilio_auth_token=TOKEN))
    since = datetime.now(UTC) - timedelta(minutes=1)
    for _ in range(500):
        if len([text async for text in gateway.texts_since(since)]) == 5:
            break
    assert len(await gateway.our_numbers()) == 5
    await gateway.aclose()


def test_every_webhook_of_the_simulator_keeps_the_contract(everything: list[Exchange], district: District) -> None:
    until(lambda: len(district.at("/twilio/status")) == 9)
    reports = [webhook.form for webhook in district.at("/twilio/status")]
    texts = [webhook.form for webhook in district.at("/twilio/inbound")]
    assert len(texts) == 3
    assert [wrong for form in reports for wrong in contract.STATUS.wrong(form)] == []
    assert [wrong for form in texts for wrong in contract.INBOUND.wrong(form)] == []
    assert {form["MessageStatus"] for form in reports} == {"sending", "sent", "delivered", "undelivered"}
    assert any("ErrorCode" in form for form in reports) and any("MediaUrl0" in form for form in texts)


def test_a_service_with_advanced_opt_out_and_a_call_keep_the_contract(simulate: Simulate, district: District) -> None:
    simulation = simulate(advanced_opt_out=True)
    service = simulation.twilio.messaging.v1.services.create(friendly_name="L", use_inbound_webhook_on_number=True)
    bought = simulation.buy("+12125550100", sms_url=f"{district.url}/in", voice_url=f"{district.url}/voice")
    service.phone_numbers.create(phone_number_sid=bought.sid)
    for word in contract.OPT_OUT_TYPES:
        simulation.text_from(AMINA, bought.phone_number, word)
    simulation.web.post("/simulator/calls", json={"from": AMINA, "to": bought.phone_number})
    texts = [webhook.form for webhook in district.at("/in")]
    assert [form["OptOutType"] for form in texts] == list(contract.OPT_OUT_TYPES)
    assert [wrong for form in texts for wrong in contract.INBOUND.wrong(form)] == []
    (call,) = district.at("/voice")
    assert contract.CALL.wrong(call.form) == []


@pytest.mark.parametrize(
    ("webhook", "needed"), [(contract.INBOUND, forms.TEXT_NEEDS), (contract.STATUS, forms.REPORT_NEEDS)]
)
def test_the_door_insists_on_nothing_that_the_contract_does_not_promise(webhook: contract.Webhook, needed) -> None:
    assert set(needed) <= webhook.always.keys()


def test_every_code_that_is_treated_stands_in_the_contract_with_its_class() -> None:
    assert {code: meaning.treatment.name for code, meaning in codes._MEANINGS.items()} == CODES


def test_every_word_that_is_understood_stands_in_the_contract() -> None:
    assert set(codes._STATES) == set(contract.STATUSES)
    assert set(codes._OPT_OUTS) == set(contract.OPT_OUT_TYPES)
    assert set(doctor._REGISTRATIONS) == set(contract.CAMPAIGN_STATUSES)
    assert set(CAMPAIGN_STATUSES) - {"UNREGISTERED"} == set(contract.CAMPAIGN_STATUSES)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (contract.TEXT, "", None),
        (contract.or_null(contract.TEXT), None, 5),
        (contract.WHOLE, 7, "7"),
        (contract.WHOLE, 0, True),
        (contract.CODE, 20404, 404),
        (contract.FLAG, False, "false"),
        (contract.DIGITS, "0", 0),
        (contract.sid("SM", "MM"), "MM" + "0" * 32, "PN" + "0" * 32),
        (contract.E164, "+12125550142", "2125550142"),
        (contract.words("sent"), "sent", "SENT"),
    ],
)
def test_a_kind_tells_right_from_wrong(kind: Kind, right: object, wrong: object) -> None:
    assert kind.allows(right) and not kind.allows(wrong)


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    missing = [name for name in NAMES if not (DOCUMENTS / name).exists()]
    if missing:
        pytest.skip(f"NOT CHECKED against Twilio's documents: {DOCUMENTS} lacks {', '.join(missing)}")
    return [json.loads((DOCUMENTS / name).read_text()) for name in NAMES]


class Documented:
    """One endpoint as Twilio's document tells it."""

    def __init__(self, documents: list[dict[str, Any]], endpoint: Endpoint) -> None:
        self._document = next(each for each in documents if endpoint.path in each["paths"])
        self._operation = self._document["paths"][endpoint.path][endpoint.method.lower()]
        self._endpoint = endpoint

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        asked = [each for each in self._operation.get("parameters", []) if "$ref" not in each]
        form = self._operation.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {})
        return {each["name"]: each["schema"] for each in asked} | form.get("schema", {}).get("properties", {})

    @property
    def required(self) -> set[str]:
        form = self._operation.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {})
        return set(form.get("schema", {}).get("required", []))

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        content = self._operation["responses"][str(self._endpoint.answer)].get("content")
        if not content:
            return {}
        whole = self.resolved(content["application/json"]["schema"])
        row = whole["properties"][self._endpoint.rows]["items"] if self._endpoint.rows else whole
        return {name: self.resolved(schema) for name, schema in self.resolved(row)["properties"].items()}

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "oneOf" in schema:
            return self.resolved(schema["oneOf"][0])
        if "$ref" not in schema:
            return schema
        return self.resolved(self._document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])

    def refuses(self, name: str, value: str) -> bool:
        """Whether the document would not have this value of a parameter, as the wire carries it."""
        if not value:
            return False  # which clears a setting; the documents describe those that are set
        schema = {key: each for key, each in mended(self.resolved(self.parameters[name])).items() if key != "format"}
        read = {"integer": int, "boolean": lambda text: text == "true"}.get(schema.get("type"), str)(value)
        return not Draft202012Validator(schema).is_valid(read)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_the_contract_agrees_with_twilios_documents(documents: list[dict[str, Any]], endpoint: Endpoint) -> None:
    documented = Documented(documents, endpoint)
    for name, kind in {**endpoint.takes, **endpoint.may_take}.items():
        assert documented.resolved(documented.parameters[name])["type"] == kind.json, name
    assert documented.required <= endpoint.takes.keys()
    fields = documented.fields
    for name, kind in endpoint.gives.items():
        assert fields[name].get("type", "object") == kind.json, name
        assert fields[name].get("nullable", True) or not kind.is_nullable, name
        assert set(kind.words) <= set(fields[name].get("enum", kind.words)), name
    assert not fields or endpoint.gives


def test_the_words_of_a_status_are_those_of_twilios_documents(documents: list[dict[str, Any]]) -> None:
    (words,) = {
        tuple(schema["enum"])
        for document in documents
        for name, schema in document["components"]["schemas"].items()
        if name == "message_enum_status"
    }
    assert set(words) - {"partially_delivered"} == set(contract.STATUSES)


def test_every_request_of_the_gateway_is_one_of_twilios_documents(
    documents: list[dict[str, Any]], everything: list[Exchange]
) -> None:
    for each in everything:
        documented = Documented(documents, each.endpoint)
        assert each.given.keys() <= documented.parameters.keys(), each
        assert documented.required <= each.given.keys(), each
        assert [name for name, value in each.given.items() if documented.refuses(name, value)] == []
        assert not re.search(r"[{}]", each.path)
