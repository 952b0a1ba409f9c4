"""Messaging Services and the numbers in them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import Refusal
from ..numbers import VERIFIED, Number, Service
from ..parts import Simulator, simulator
from .dates import iso
from .forms import Form, read_form, settings_from
from .paging import cut, modern

HOST = "https://messaging.twilio.com"
TEXTS: dict[str, str] = {
    "FriendlyName": "friendly_name",
    "InboundRequestUrl": "inbound_request_url",
    "InboundMethod": "inbound_method",
    "FallbackUrl": "fallback_url",
    "FallbackMethod": "fallback_method",
    "StatusCallback": "status_callback",
    "Usecase": "usecase",
}
SWITCHES: dict[str, str] = {
    "StickySender": "sticky_sender",
    "MmsConverter": "mms_converter",
    "SmartEncoding": "smart_encoding",
    "FallbackToLongCode": "fallback_to_long_code",
    "AreaCodeGeomatch": "area_code_geomatch",
    "SynchronousValidation": "synchronous_validation",
    "UseInboundWebhookOnNumber": "use_inbound_webhook_on_number",
}
# As Twilio makes a service when nothing is said. Mind use_inbound_webhook_on_number: with it off and no
# inbound_request_url, a number that joins the service no longer receives anything.
DEFAULTS: dict[str, object] = {
    "friendly_name": "",
    "inbound_request_url": None,
    "inbound_method": "POST",
    "fallback_url": None,
    "fallback_method": "POST",
    "status_callback": None,
    "usecase": "undeclared",
    "sticky_sender": True,
    "mms_converter": True,
    "smart_encoding": True,
    "fallback_to_long_code": True,
    "area_code_geomatch": True,
    "synchronous_validation": False,
    "use_inbound_webhook_on_number": False,
    "validity_period": 36_000,
    "scan_message_content": "inherit",
}
LINKS = {
    "phone_numbers": "PhoneNumbers",
    "short_codes": "ShortCodes",
    "alpha_senders": "AlphaSenders",
    "messages": "Messages",
    "us_app_to_person": "Compliance/Usa2p",
    "us_app_to_person_usecases": "Compliance/Usa2p/Usecases",
    "channel_senders": "ChannelSenders",
}


async def create(request: Request) -> JSONResponse:
    sim, form = simulator(request), await read_form(request)
    if not form.one("FriendlyName"):
        raise Refusal(20001, "FriendlyName is required")
    service = sim.numbers.add_service(DEFAULTS | _settings(form))
    return JSONResponse(_shape(sim, service), status_code=201)


async def browse(request: Request) -> JSONResponse:
    sim = simulator(request)
    page = cut(request, sim.numbers.services())
    return JSONResponse(modern(page, HOST, "services", lambda service: _shape(sim, service)))


async def fetch(request: Request) -> JSONResponse:
    return JSONResponse(_shape(simulator(request), service_of(request)))


async def update(request: Request) -> JSONResponse:
    sim, service = simulator(request), service_of(request)
    settings = _settings(await read_form(request))
    return JSONResponse(_shape(sim, sim.numbers.set_service(service.sid, settings)))


async def delete(request: Request) -> Response:
    simulator(request).numbers.delete_service(service_of(request).sid)
    return Response(status_code=204)


async def join(request: Request) -> JSONResponse:
    """Puts a number into the service; 21710, 21712 and 21714 as Twilio has them."""
    sim, service, form = simulator(request), service_of(request), await read_form(request)
    try:
        number = sim.numbers.join(service.sid, form.one("PhoneNumberSid"))
    except KeyError:
        raise Refusal(21421, form.one("PhoneNumberSid")) from None
    return JSONResponse(_member_shape(sim, number), status_code=201)


async def browse_numbers(request: Request) -> JSONResponse:
    sim = simulator(request)
    page = cut(request, sim.numbers.members(service_of(request).sid))
    return JSONResponse(modern(page, HOST, "phone_numbers", lambda number: _member_shape(sim, number)))


async def fetch_number(request: Request) -> JSONResponse:
    return JSONResponse(_member_shape(simulator(request), _member(request)))


async def leave(request: Request) -> Response:
    simulator(request).numbers.leave(_member(request).sid)
    return Response(status_code=204)


def _settings(form: Form) -> dict[str, object]:
    settings: dict[str, object] = {name: value or None for name, value in settings_from(form, TEXTS).items()}
    settings |= {
        name: form.one(parameter).lower() == "true" for parameter, name in SWITCHES.items() if parameter in form
    }
    if "ValidityPeriod" in form:
        given = form.one("ValidityPeriod")
        if not given.isdecimal() or not 1 <= int(given[:9]) <= 36_000:
            raise Refusal(21624, given)
        settings["validity_period"] = int(given)
    return settings


def service_of(request: Request) -> Service:
    """The service in the path. Raises Refusal 20404."""
    try:
        return simulator(request).numbers.service(request.path_params["service"])
    except KeyError:
        raise Refusal(20404, request.url.path) from None


def _member(request: Request) -> Number:
    service, sid = service_of(request), request.path_params["number"]
    for number in simulator(request).numbers.members(service.sid):
        if number.sid == sid:
            return number
    raise Refusal(20404, request.url.path)


def _shape(sim: Simulator, service: Service) -> dict[str, object]:
    url, campaign = f"{HOST}/v1/Services/{service.sid}", sim.numbers.campaign(service)
    return {
        **{name: service.settings.get(name) for name in DEFAULTS},
        "sid": service.sid,
        "account_sid": sim.config.account_sid,
        "us_app_to_person_registered": campaign is not None and campaign.status == VERIFIED,
        "date_created": iso(service.created),
        "date_updated": iso(service.updated),
        "url": url,
        "links": {name: f"{url}/{part}" for name, part in LINKS.items()},
    }


def _member_shape(sim: Simulator, number: Number) -> dict[str, object]:
    joined = iso(number.joined or number.created)
    return {
        "sid": number.sid,
        "account_sid": sim.config.account_sid,
        "service_sid": number.service_sid,
        "phone_number": number.phone_number,
        "country_code": "US",
        "capabilities": ["MMS", "SMS", "Voice"],
        "date_created": joined,
        "date_updated": joined,
        "url": f"{HOST}/v1/Services/{number.service_sid}/PhoneNumbers/{number.sid}",
    }
