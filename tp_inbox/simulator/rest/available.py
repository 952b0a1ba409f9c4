"""Numbers that can be bought."""

from __future__ import annotations

from itertools import islice

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..errors import Refusal
from ..fiction import REGION_OF, spoken
from ..parts import simulator
from .paging import Wanted

COUNTRY = "US"


async def browse(request: Request) -> JSONResponse:
    """Up to PageSize numbers; none for an area code that is unknown or sold out."""
    country, query, wanted = request.path_params["country"], request.query_params, Wanted.of(request)
    if country != COUNTRY:
        raise Refusal(20404, request.url.path)
    area_code = query.get("AreaCode", "")
    if area_code and not (area_code.isdecimal() and len(area_code) == 3):
        raise Refusal(21451, area_code)
    numbers = simulator(request).numbers.for_sale(area_code, query.get("Contains", ""))
    offered = [] if query.get("SmsEnabled") == "false" else [_shape(number) for number in islice(numbers, wanted.size)]
    return JSONResponse({"available_phone_numbers": offered, "uri": request.url.path})


def _shape(number: str) -> dict[str, object]:
    return {
        "friendly_name": spoken(number),
        "phone_number": number,
        "lata": None,
        "locality": None,
        "rate_center": None,
        "latitude": None,
        "longitude": None,
        "postal_code": None,
        "region": REGION_OF[number[2:5]],
        "iso_country": COUNTRY,
        "address_requirements": "none",
        "beta": False,
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
    }
