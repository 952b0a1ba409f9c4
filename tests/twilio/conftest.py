from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.twilio.cast import settings_for
from tests.twilio.scripted_server import ScriptedServer, scripted_server
from tp_inbox.twilio.client import Timeouts
from tp_inbox.twilio.gateway import TwilioGateway


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest_asyncio.fixture
async def gateway(server: ScriptedServer) -> AsyncIterator[TwilioGateway]:
    gateway = TwilioGateway(settings_for(server.url), Timeouts(connect=0.5, read=0.5, deadline=2))
    yield gateway
    await gateway.aclose()
