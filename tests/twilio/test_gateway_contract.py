from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.fakes import FakeGateway
from tests.twilio.gateway_contract import INVALID, PATIENCE, GatewayContract, family
from tests.twilio.simulated import Simulated, simulated
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.ports import OutgoingText
from tp_inbox.twilio.gateway import TwilioGateway

__all__ = ["family"]


class FakeWorld:
    def __init__(self) -> None:
        self.gateway = FakeGateway(any_sender=False)
        self.gateway.refuse(INVALID, FailureReason.INVALID_NUMBER)

    async def family_texts(self, sender: str, recipient: str, body: str) -> None:
        self.gateway.family_texts(sender, recipient, body)

    async def deliver(self, sid: str) -> None:
        self.gateway.reports(sid, DeliveryState.DELIVERED)

    async def lead_astray(self, number_sid: str) -> None:
        self.gateway.elsewhere.add(number_sid)


class SimulatedWorld:
    def __init__(self, simulated: Simulated) -> None:
        self.simulated = simulated
        self.gateway = TwilioGateway(simulated.settings)

    async def family_texts(self, sender: str, recipient: str, body: str) -> None:
        await self.simulated.family_texts(sender, recipient, body)

    async def deliver(self, sid: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            text = await self.gateway.fetch(sid)
            if text and text.state is DeliveryState.DELIVERED:
                return
            await asyncio.sleep(0.02)
        raise TimeoutError(sid)

    async def lead_astray(self, number_sid: str) -> None:
        settings = self.simulated.settings
        account, token = settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value()
        path = f"/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{number_sid}.json"
        async with httpx.AsyncClient(
            base_url=settings.twilio_base_url, auth=(account, token), trust_env=False
        ) as console:
            (await console.post(path, data={"SmsUrl": "https://elsewhere.example/"})).raise_for_status()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    folder: Path = tmp_path_factory.mktemp("simulator")
    with simulated(folder) as running:
        yield running


@pytest.fixture
async def simulator(running: Simulated) -> AsyncIterator[SimulatedWorld]:
    world = SimulatedWorld(running)
    yield world
    await world.gateway.aclose()


class TestTheFake(GatewayContract):
    @pytest.fixture
    def world(self) -> FakeWorld:
        return FakeWorld()


class TestTwilioAtTheSimulator(GatewayContract):
    @pytest.fixture
    def world(self, simulator: SimulatedWorld) -> SimulatedWorld:
        return simulator


async def _number(simulator: SimulatedWorld) -> str:
    offered = await simulator.gateway.available_number("202")
    return (await simulator.gateway.buy_number(offered, "Lincoln High")).e164


async def test_the_simulators_webhook_passes_our_door(simulator: SimulatedWorld, family: str) -> None:
    school = await _number(simulator)
    webhook = await simulator.simulated.family_texts(family, school, "Sí, a las 3 👍🏽\n¡Gracias!")
    assert webhook["webhook"] == {"status": 200, "ok": True, "problem": "", "tries": 1}
    got = simulator.simulated.texts[-1]
    assert (got.sid, got.sender, got.recipient) == (webhook["message_sid"], family, school)
    assert got.body == "Sí, a las 3 👍🏽\n¡Gracias!"


async def test_the_simulators_reports_name_our_message_and_come_to_delivered(
    simulator: SimulatedWorld, family: str
) -> None:
    school = await _number(simulator)
    await simulator.gateway.send(OutgoingText(8_000_000_001, school, family, "Report, please"))
    deadline = time.monotonic() + PATIENCE
    while not (told := _told(simulator)) or told[-1] is not DeliveryState.DELIVERED:
        assert time.monotonic() < deadline, told
        await asyncio.sleep(0.02)
    assert told == [DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.DELIVERED]


def _told(simulator: SimulatedWorld) -> list[DeliveryState | None]:
    return [report.state for report in simulator.simulated.reports if report.message_id == 8_000_000_001]
