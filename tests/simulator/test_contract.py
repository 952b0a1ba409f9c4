"""Every answer, checked against Twilio's own OpenAPI documents.

The documents are not part of the project: they are looked for beside it, and where they are absent this says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from .conftest import ACCOUNT, AMINA, Simulation, until

DOCUMENTS = Path(__file__).parents[2].parent / "shared" / "twilio"
NAMES = ("twilio_api_v2010.json", "twilio_messaging_v1.json")
SCHOOL = "+12125550100"
ERROR = {
    "type": "object",
    "required": ["code", "message", "more_info", "status"],
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "more_info": {"type": "string", "format": "uri"},
        "status": {"type": "integer"},
    },
}
RFC2822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000")
ISO = re.compile(r"[\d-]{10}T[\d:]{8}Z")

formats = FormatChecker(formats=())
formats.checks("date-time-rfc-2822")(lambda value: not isinstance(value, str) or bool(RFC2822.fullmatch(value)))
formats.checks("date-time")(lambda value: not isinstance(value, str) or bool(ISO.fullmatch(value)))
formats.checks("phone-number")(lambda value: not isinstance(value, str) or bool(re.fullmatch(r"\+\d+|\(.*", value)))
formats.checks("uri")(lambda value: not isinstance(value, str) or not value or "://" in value)
formats.checks("currency")(lambda value: not isinstance(value, str) or value == "USD")


class Contract:
    """Twilio's documents, mended in memory where they would fail an honest server."""

    def __init__(self, documents: list[dict]) -> None:
        self._schemas = [mended(document) for document in documents]

    def check(self, method: str, template: str, answer) -> None:
        """The answer's status is one that the document (or Twilio's error form) knows, and its body has the shape."""
        document = next(each for each in self._schemas if template in each["paths"])
        responses = document["paths"][template][method.lower()]["responses"]
        if answer.status_code >= 400:
            schema = ERROR
        else:
            content = responses[str(answer.status_code)].get("content")
            if content is None:
                assert answer.content == b""
                return
            schema = next(iter(content.values()))["schema"]
        validator = Draft202012Validator({**schema, "components": document["components"]}, format_checker=formats)
        assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(answer.json())] == []


def mended(node):
    """nullable becomes a type of null, a $ref'd enum may be null, and relative *_uri fields are no absolute URIs."""
    if isinstance(node, list):
        return [mended(each) for each in node]
    if not isinstance(node, dict):
        return node
    fixed = {key: mended(value) for key, value in node.items()}
    for name, field in fixed.items():
        if name.endswith("_uri") and isinstance(field, dict) and field.get("format") == "uri":
            fixed[name] = {key: value for key, value in field.items() if key != "format"}
        if name == "uri" and isinstance(field, dict):
            fixed[name].pop("format", None)
    if fixed.get("nullable") is True and isinstance(fixed.get("type"), str):
        fixed["type"] = [fixed["type"], "null"]
        if "enum" in fixed:
            fixed["enum"] = [*fixed["enum"], None]
    return strict(fixed)


def strict(schema: dict) -> dict:
    """An object with properties has exactly these, so that an invented or a forgotten field is found."""
    properties = schema.get("properties")
    if schema.get("type") in ("object", ["object", "null"]) and properties and "meta" not in properties:
        # Twilio's own example of numbers for sale leaves the paging fields of its schema out.
        needed = [] if "first_page_uri" in properties else list(properties)
        return schema | {"additionalProperties": False, "required": needed}
    return schema


@pytest.fixture(scope="module")
def contract() -> Contract:
    missing = [name for name in NAMES if not (DOCUMENTS / name).exists()]
    if missing:
        pytest.skip(f"NOT CHECKED against Twilio's documents: {DOCUMENTS} lacks {', '.join(missing)}")
    return Contract([json.loads((DOCUMENTS / name).read_text()) for name in NAMES])


@pytest.fixture
def checked(contract: Contract, simulation: Simulation) -> Callable:
    """Makes a request and checks the answer; the template's names are filled from the keywords."""

    def call(method: str, template: str, form: dict | None = None, query: str = "", **names: str):
        path = template.format(AccountSid=ACCOUNT, **names) if "{AccountSid}" in template else template.format(**names)
        answer = simulation.rest(method, path + query, data=form)
        contract.check(method, template, answer)
        return answer.json() if answer.content else None

    return call


BASE = "/2010-04-01/Accounts/{AccountSid}"


def test_messages_keep_the_contract(checked, simulation: Simulation) -> None:
    simulation.buy(SCHOOL)
    sent = checked("POST", f"{BASE}/Messages.json", {"To": AMINA, "From": SCHOOL, "Body": "Hi"})
    simulation.text_from(AMINA, SCHOOL, "", media=["lost-jacket"])
    failed = checked("POST", f"{BASE}/Messages.json", {"To": "+12125550197", "From": SCHOOL, "Body": "Hi"})
    until(lambda: checked("GET", f"{BASE}/Messages/{{Sid}}.json", Sid=failed["sid"])["error_code"] == 30006)
    page = checked("GET", f"{BASE}/Messages.json", query="?PageSize=2")
    assert page["next_page_uri"] and len(page["messages"]) == 2
    (inbound,) = checked("GET", f"{BASE}/Messages.json", query=f"?From=%2B{AMINA[1:]}")["messages"]
    (medium,) = checked("GET", f"{BASE}/Messages/{{MessageSid}}/Media.json", MessageSid=inbound["sid"])["media_list"]
    names = {"MessageSid": inbound["sid"], "Sid": medium["sid"]}
    checked("GET", f"{BASE}/Messages/{{MessageSid}}/Media/{{Sid}}.json", **names)
    checked("DELETE", f"{BASE}/Messages/{{MessageSid}}/Media/{{Sid}}.json", **names)
    checked("POST", f"{BASE}/Messages/{{Sid}}.json", {"Body": ""}, Sid=failed["sid"])
    checked("DELETE", f"{BASE}/Messages/{{Sid}}.json", Sid=failed["sid"])
    assert checked("GET", f"{BASE}/Messages/{{Sid}}.json", Sid=failed["sid"])["code"] == 20404
    assert checked("POST", f"{BASE}/Messages.json", {"To": "1", "From": SCHOOL, "Body": "Hi"})["code"] == 21211
    assert sent["sid"].startswith("SM")


def test_numbers_keep_the_contract(checked) -> None:
    local = f"{BASE}/AvailablePhoneNumbers/{{CountryCode}}/Local.json"
    offered = checked("GET", local, query="?AreaCode=212&SmsEnabled=true&PageSize=3", CountryCode="US")
    number = offered["available_phone_numbers"][0]["phone_number"]
    form = {"PhoneNumber": number, "SmsUrl": "https://example.org/in"}
    sid = checked("POST", f"{BASE}/IncomingPhoneNumbers.json", form)["sid"]
    checked("GET", f"{BASE}/IncomingPhoneNumbers.json", query=f"?PhoneNumber=%2B{number[1:]}")
    checked("GET", f"{BASE}/IncomingPhoneNumbers/{{Sid}}.json", Sid=sid)
    checked("POST", f"{BASE}/IncomingPhoneNumbers/{{Sid}}.json", {"FriendlyName": "Lincoln"}, Sid=sid)
    checked("DELETE", f"{BASE}/IncomingPhoneNumbers/{{Sid}}.json", Sid=sid)


def test_services_keep_the_contract(checked, simulation: Simulation) -> None:
    service = checked("POST", "/v1/Services", {"FriendlyName": "Lincoln", "ValidityPeriod": "600"})["sid"]
    numbers = "/v1/Services/{ServiceSid}/PhoneNumbers"
    number = simulation.buy(SCHOOL).sid
    checked("POST", numbers, {"PhoneNumberSid": number}, ServiceSid=service)
    assert checked("POST", numbers, {"PhoneNumberSid": number}, ServiceSid=service)["code"] == 21710
    checked("GET", numbers, ServiceSid=service)
    checked("GET", f"{numbers}/{{Sid}}", ServiceSid=service, Sid=number)
    checked("GET", "/v1/Services", query="?PageSize=1")
    campaigns = "/v1/Services/{MessagingServiceSid}/Compliance/Usa2p"
    for status in ("VERIFIED", "FAILED", "UNREGISTERED"):
        simulation.web.put(f"/simulator/services/{service}/campaign", json={"status": status})
        listed = checked("GET", campaigns, MessagingServiceSid=service)["compliance"]
        assert [each["campaign_status"] for each in listed] == ([] if status == "UNREGISTERED" else [status])
    checked("POST", "/v1/Services/{Sid}", {"StickySender": "false"}, Sid=service)
    checked("DELETE", f"{numbers}/{{Sid}}", ServiceSid=service, Sid=number)
    checked("GET", "/v1/Services/{Sid}", Sid=service)
    checked("DELETE", "/v1/Services/{Sid}", Sid=service)


def test_the_account_keeps_the_contract(checked) -> None:
    checked("GET", "/2010-04-01/Accounts/{Sid}.json", Sid=ACCOUNT)
    assert checked("GET", f"{BASE}/Balance.json")["currency"] == "USD"


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ({"sends": {"too_many": 1}}, 20429),
        ({"sends": {"failed_after": 1}}, 20500),
        ({"sends": {"unavailable": 1}}, 20503),
        ({"sends": {"queue_full": 1}}, 21611),
        ({"account": "refused"}, 20003),
        ({"account": "trial"}, 21608),
    ],
)
def test_trouble_keeps_the_contract(checked, simulation: Simulation, faults: dict, code: int) -> None:
    simulation.buy(SCHOOL)
    simulation.web.put("/simulator/faults", json=faults)
    answer = checked("POST", f"{BASE}/Messages.json", {"To": AMINA, "From": SCHOOL, "Body": "Hi"})
    assert answer["code"] == code
