"""The account's numbers: bought, set, released."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import Refusal
from ..fiction import matches, normalize, spoken
from ..numbers import Number
from ..parts import Simulator, simulator
from .dates import rfc2822
from .forms import Form, read_form, settings_from
from .paging import classic, cut

SETTINGS: dict[str, str] = {
    "FriendlyName": "friendly_name",
    "SmsUrl": "sms_url",
    "SmsMethod": "sms_method",
    "SmsFallbackUrl": "sms_fallback_url",
    "SmsFallbackMethod": "sms_fallback_method",
    "StatusCallback": "status_callback",
    "StatusCallbackMethod": "status_callback_method",
    "VoiceUrl": "voice_url",
    "VoiceMethod": "voice_method",
    "VoiceFallbackUrl": "voice_fallback_url",
    "VoiceFallbackMethod": "voice_fallback_method",
    "SmsApplicationSid": "sms_application_sid",
    "VoiceApplicationSid": "voice_application_sid",
}


async def create(request: Request) -> JSONResponse:
    """Buys one given number (again, harmlessly, when it is ours) or the next of an area code."""
    sim, form = simulator(request), await read_form(request)
    settings, refusal = settings_from(form, SETTINGS), sim.trouble.purchase_refusal()
    if refusal:
        raise Refusal(refusal, form.one("PhoneNumber") or form.one("AreaCode"))
    number = sim.numbers.buy(_wanted(sim, form), settings)
    return JSONResponse(_shape(sim, number), status_code=201)


async def browse(request: Request) -> JSONResponse:
    sim, query = simulator(request), request.query_params
    numbers: Sequence[Number] = [
        number
        for number in sim.numbers.all()
        if matches(number.phone_number, query.get("PhoneNumber", ""))
        and query.get("FriendlyName", _name(number)) == _name(number)
    ]
    return JSONResponse(classic(cut(request, numbers), "incoming_phone_numbers", lambda number: _shape(sim, number)))


async def fetch(request: Request) -> JSONResponse:
    return JSONResponse(_shape(simulator(request), _found(request)))


async def update(request: Request) -> JSONResponse:
    sim, number = simulator(request), _found(request)
    settings = settings_from(await read_form(request), SETTINGS)
    return JSONResponse(_shape(sim, sim.numbers.set(number.sid, settings)))


async def delete(request: Request) -> Response:
    simulator(request).numbers.release(_found(request).sid)
    return Response(status_code=204)


def _wanted(sim: Simulator, form: Form) -> str:
    area_code = form.one("AreaCode")
    if not form.one("PhoneNumber") and area_code:
        number = next(sim.numbers.for_sale(area_code), None)
        if not number:
            raise Refusal(21452, area_code)
        return number
    number = normalize(form.one("PhoneNumber"))
    if not number:
        raise Refusal(21421, form.one("PhoneNumber") or "give PhoneNumber or AreaCode")
    return number


def _found(request: Request) -> Number:
    try:
        return simulator(request).numbers.get(request.path_params["number"])
    except KeyError:
        raise Refusal(20404, request.url.path) from None


def _name(number: Number) -> str:
    return number.settings.get("friendly_name") or spoken(number.phone_number)


def _shape(sim: Simulator, number: Number) -> dict[str, object]:
    account = sim.config.account_sid
    unset = dict.fromkeys(SETTINGS.values(), "") | {
        name: "POST" for name in SETTINGS.values() if name.endswith("_method")
    }
    return {
        **unset,
        **number.settings,
        "friendly_name": _name(number),
        "sid": number.sid,
        "account_sid": account,
        "phone_number": number.phone_number,
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
        "address_requirements": "none",
        "address_sid": None,
        "identity_sid": None,
        "bundle_sid": None,
        "trunk_sid": None,
        "sms_application_sid": number.settings.get("sms_application_sid") or None,
        "voice_application_sid": number.settings.get("voice_application_sid") or None,
        "voice_caller_id_lookup": False,
        "voice_receive_mode": "voice",
        "emergency_status": "Inactive",
        "emergency_address_sid": None,
        "emergency_address_status": "unregistered",
        "api_version": "2010-04-01",
        "beta": False,
        "origin": "twilio",
        "status": "in-use",
        "type": "local",
        "date_created": rfc2822(number.created),
        "date_updated": rfc2822(number.updated),
        "uri": f"/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{number.sid}.json",
    }
