"""What US carriers have registered of a Messaging Service (A2P 10DLC)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..numbers import Campaign, Service
from ..parts import Simulator, simulator
from .dates import iso
from .paging import cut, modern
from .services import HOST, service_of

BRAND = "BN" + "0" * 32


async def browse(request: Request) -> JSONResponse:
    """The campaign of a service; none for one that was never registered."""
    sim, service = simulator(request), service_of(request)
    campaign = sim.numbers.campaign(service)
    page = cut(request, [campaign] if campaign else [])
    return JSONResponse(modern(page, HOST, "compliance", lambda each: _shape(sim, service, each)))


def _shape(sim: Simulator, service: Service, campaign: Campaign) -> dict[str, object]:
    return {
        "sid": campaign.sid,
        "account_sid": sim.config.account_sid,
        "brand_registration_sid": BRAND,
        "messaging_service_sid": service.sid,
        "description": "Messages between a school and the families of its students.",
        "message_samples": ["Lincoln: The bus of line 4 is 20 minutes late.", "Ms. Rivera: Can we talk about Mia?"],
        "us_app_to_person_usecase": "K12_EDUCATION",
        "has_embedded_links": False,
        "has_embedded_phone": True,
        "subscriber_opt_in": True,
        "age_gated": False,
        "direct_lending": False,
        "campaign_status": campaign.status,
        "campaign_id": campaign.id,
        "is_externally_registered": False,
        "rate_limits": {"att": {"mps": 75, "msg_class": "E"}, "tmobile": {"brand_tier": "TOP"}},
        "message_flow": "Families give their number at enrolment.",
        "opt_in_message": "",
        "opt_out_message": "",
        "help_message": "",
        "opt_in_keywords": ["START"],
        "opt_out_keywords": ["STOP"],
        "help_keywords": ["HELP"],
        "date_created": iso(service.created),
        "date_updated": iso(service.updated),
        "url": f"{HOST}/v1/Services/{service.sid}/Compliance/Usa2p/{campaign.sid}",
        "mock": False,
        "errors": [{"error_code": 30900, "fields": []}] if campaign.status == "FAILED" else [],
    }
