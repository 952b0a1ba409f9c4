"""The account itself."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..parts import simulator
from .dates import rfc2822

FOUNDED = 1_438_300_800
PARTS = ("available_phone_numbers", "incoming_phone_numbers", "messages")


async def fetch(request: Request) -> JSONResponse:
    config = simulator(request).config
    base = f"/2010-04-01/Accounts/{config.account_sid}"
    return JSONResponse(
        {
            "sid": config.account_sid,
            "owner_account_sid": config.account_sid,
            "auth_token": config.auth_token,
            "friendly_name": "Simulated account",
            "status": "active",
            "type": "Full",
            "date_created": rfc2822(FOUNDED),
            "date_updated": rfc2822(FOUNDED),
            "uri": f"{base}.json",
            "subresource_uris": {part: f"{base}/{part.title().replace('_', '')}.json" for part in PARTS},
        }
    )
