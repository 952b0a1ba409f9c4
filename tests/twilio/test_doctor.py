"""What ``tp-inbox doctor`` asks of Twilio and of our own webhooks: against the simulator, and against odd answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from tests.twilio.cast import ACCOUNT, error, settings_for
from tests.twilio.scripted_server import Reply, ScriptedServer, closed_port
from tests.twilio.simulated import Simulated, simulated
from tp_inbox.services.doctor import Account, CarrierRefuses, Knock, Registration
from tp_inbox.services.ports import CarrierAway
from tp_inbox.settings import Settings
from tp_inbox.twilio import doctor
from tp_inbox.twilio.client import Timeouts
from tp_inbox.twilio.doctor import TwilioDesk
from tp_inbox.twilio.gateway import TwilioGateway


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    folder: Path = tmp_path_factory.mktemp("simulator")
    with simulated(folder) as running:
        yield running


async def desk_of(settings: Settings) -> AsyncIterator[TwilioDesk]:
    desk = TwilioDesk(settings, Timeouts(connect=0.5, read=2, deadline=5))
    yield desk
    await desk.aclose()


@pytest.fixture
async def desk(running: Simulated) -> AsyncIterator[TwilioDesk]:
    async for desk in desk_of(running.settings):
        yield desk


@pytest.fixture
async def odd(server: ScriptedServer) -> AsyncIterator[TwilioDesk]:
    """At a server that answers what a test says, for Twilio and for ourselves."""
    async for desk in desk_of(settings_for(server.url, public_url=server.url)):
        yield desk


@pytest.fixture
async def gateway(running: Simulated) -> AsyncIterator[TwilioGateway]:
    gateway = TwilioGateway(running.settings)
    yield gateway
    await gateway.aclose()


class TestTheAccount:
    async def test_one_that_works_is_active(self, desk: TwilioDesk) -> None:
        assert await desk.account() == Account(active=True, trial=False)

    async def test_a_wrong_token_is_said_with_what_to_do(self, running: Simulated) -> None:
        wrong = running.settings.model_copy(update={"twilio_auth_token": SecretStr("wrong")})
        async for desk in desk_of(wrong):
            with pytest.raises(CarrierRefuses, match="SID and token") as refused:
                await desk.account()
            assert "TWILIO_AUTH_TOKEN" in refused.value.advice

    async def test_an_account_that_is_not_there_is_a_wrong_sid(self, odd: TwilioDesk, server: ScriptedServer) -> None:
        server.script = [error(404, 20404)]
        with pytest.raises(CarrierRefuses, match="SID and token"):
            await odd.account()

    @pytest.mark.parametrize(
        ("status", "kind", "found"),
        [
            ("active", "Trial", Account(active=True, trial=True)),
            ("suspended", "Full", Account(active=False, trial=False)),
        ],
    )
    async def test_what_it_may_do_is_told(
        self, odd: TwilioDesk, server: ScriptedServer, status: str, kind: str, found: Account
    ) -> None:
        server.script = [Reply(200, {"sid": ACCOUNT, "status": status, "type": kind})]
        assert await odd.account() == found

    async def test_nobody_at_the_other_end_is_no_answer(self) -> None:
        async for desk in desk_of(settings_for(closed_port())):
            with pytest.raises(CarrierAway):
                await desk.account()


class TestTheClock:
    async def test_it_is_the_carriers_less_ours(self, desk: TwilioDesk) -> None:
        assert abs(await desk.clock_seconds()) < 5

    async def test_a_clock_of_ours_that_is_behind_is_seen(
        self, desk: TwilioDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(doctor, "datetime", Behind)
        assert 590 < await desk.clock_seconds() < 610


class Behind(datetime):
    @classmethod
    def now(cls, tz=None) -> datetime:
        return datetime.now(tz) - timedelta(minutes=10)


class TestNumbersAndServices:
    async def test_a_number_that_leads_to_us_and_one_that_does_not(
        self, desk: TwilioDesk, gateway: TwilioGateway, running: Simulated
    ) -> None:
        bought = [await gateway.buy_number(await gateway.available_number("312"), "a school") for _ in range(2)]
        settings = running.settings
        auth = ACCOUNT, settings.twilio_auth_token.get_secret_value()
        async with httpx.AsyncClient(base_url=settings.twilio_base_url, auth=auth, trust_env=False) as console:
            path = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers/{bought[1].sid}.json"
            (await console.post(path, data={"SmsUrl": "https://elsewhere.example/"})).raise_for_status()
        found = {number.sid: number for number in await desk.numbers()}
        assert [(found[one.sid].takes_texts, found[one.sid].leads_here) for one in bought] == [
            (True, True),
            (True, False),
        ]

    async def test_a_service_tells_its_numbers_and_its_registration(
        self, desk: TwilioDesk, gateway: TwilioGateway
    ) -> None:
        number = await gateway.buy_number(await gateway.available_number("312"), "a school")
        sid = await gateway.make_service("a school")
        await gateway.put_into_service(sid, number.sid, [sid])
        service = await desk.service(sid)
        assert service is not None
        assert (service.numbers, service.keeps_webhooks) == ({number.sid}, True)
        assert service.registration is Registration.APPROVED

    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("UNREGISTERED", Registration.MISSING),
            ("PENDING", Registration.WAITING),
            ("FAILED", Registration.REFUSED),
        ],
    )
    async def test_a_registration_is_told_in_our_words(
        self, desk: TwilioDesk, gateway: TwilioGateway, running: Simulated, status: str, found: Registration
    ) -> None:
        sid = await gateway.make_service(f"a school that is {status}")
        async with httpx.AsyncClient(base_url=running.settings.twilio_base_url, trust_env=False) as page:
            (await page.put(f"/simulator/services/{sid}/campaign", json={"status": status})).raise_for_status()
        service = await desk.service(sid)
        assert service is not None
        assert service.registration is found

    async def test_a_service_that_is_not_there_is_none(self, desk: TwilioDesk) -> None:
        assert await desk.service("MG" + "0" * 32) is None


class TestOurOwnAddress:
    async def test_we_answer_there_and_a_signed_webhook_is_heard_and_stores_nothing(
        self, desk: TwilioDesk, running: Simulated
    ) -> None:
        assert await desk.answers()
        assert await desk.knock() is Knock.HEARD
        assert (running.texts, running.reports) == ([], [])

    async def test_a_proxy_that_gives_us_another_name_spoils_the_signature(self, running: Simulated) -> None:
        """As when PUBLIC_URL is not what is called: we answer, and every webhook is taken for forged."""
        other = running.settings.address.replace("127.0.0.1", "localhost")
        async for desk in desk_of(running.settings.model_copy(update={"public_url": other})):
            assert await desk.answers()
            assert await desk.knock() is Knock.NOT_SIGNED

    @pytest.mark.parametrize(
        "reply", [Reply(200, {"status": "fine"}), Reply(200, "<html>"), Reply(404, ""), Reply(502, "")]
    )
    async def test_somebody_else_there_is_not_us(self, odd: TwilioDesk, server: ScriptedServer, reply: Reply) -> None:
        server.script = [reply]
        assert not await odd.answers()

    @pytest.mark.parametrize("reply", [Reply(403, "Forbidden"), Reply(401, ""), Reply(200, "not our account")])
    async def test_a_guard_before_us_is_not_us(self, odd: TwilioDesk, server: ScriptedServer, reply: Reply) -> None:
        server.script = [reply]
        assert await odd.knock() is Knock.ELSEWHERE

    async def test_nobody_there_is_said_with_the_address(self) -> None:
        nowhere = closed_port()
        async for desk in desk_of(settings_for(nowhere, public_url=nowhere)):
            with pytest.raises(CarrierAway, match=re.escape(nowhere)):
                await desk.answers()
