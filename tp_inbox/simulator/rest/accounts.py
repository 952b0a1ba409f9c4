"""The account itself."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..faults import Account
from ..parts import simulator
from .dates import rfc2822

FOUNDED = 1_438_300_800
BALANCE = "250.00"
PARTS = ("available_phone_numbers", "incoming_phone_numbers", "messages")


async def fetch(request: Request) -> JSONResponse:
    sim = simulator(request)
    config, account = sim.config, sim.trouble.faults.account
    base = f"/2010-04-01/Accounts/{config.account_sid}"
    return JSONResponse(
        {
            "sid": config.account_sid,
            "owner_account_sid": config.account_sid,
            "auth_token": config.auth_token,
            "friendly_name": "Simulated account",
            "status": "suspended" if account is Account.SUSPENDED else "active",
            "type": "Trial" if account is Account.TRIAL else "Full",
            "date_created": rfc2822(FOUNDED),
            "date_updated": rfc2822(FOUNDED),
            "uri": f"{base}.json",
            "subresource_uris": {part: f"{base}/{part.title().replace('_', '')}.json" for part in PARTS},
        }
    )


async def balance(request: Request) -> JSONResponse:
    """Nothing is charged here, so it never changes."""
    sid = simulator(request).config.account_sid
    return JSONResponse({"account_sid": sid, "balance": BALANCE, "currency": "USD"})
