from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from tests.cast import Town
from tests.engine.street import Street
from tp_inbox.services import intake
from tp_inbox.twilio import webhooks


@pytest.fixture
async def street(town: Town, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Street]:
    """The product's doors for the carrier, as they stand behind a proxy."""
    monkeypatch.setattr(intake, "STORED_WITHIN", 30.0)  # on a busy machine, too, the spool is not what is tried here
    app = Starlette(routes=webhooks.routes(town.wired.settings, town.wired.intake.take))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://10.0.0.7:3000") as http:
        yield Street(town, http)
    await town.wired.router.rest()
