"""Failures of real products, at the door at which texts and reports come in, down to what the screens are told."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from twilio.request_validator import RequestValidator

from tests.cast import LINCOLN_NUMBER, ROSA, Town
from tests.services.steps import handed_over, listening, message, rows, text_from, the
from tests.services.test_router import until_routed
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import intake
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import DeliveryEvent, InboundRequest, Message, Number, Thread
from tp_inbox.twilio import webhooks

PUBLIC = "https://inbox.lincoln.example"
FIRST, SECOND = "SM" + "a" * 32, "SM" + "b" * 32


class Caller:
    """Calls at our door as Twilio would, behind a proxy that knows nothing of our public address."""

    def __init__(self, town: Town) -> None:
        self.settings = town.wired.settings.model_copy(update={"public_url": PUBLIC})
        self._app = Starlette(routes=webhooks.routes(self.settings, town.wired.intake.take))

    async def text(self, sid: str = FIRST, **changes: str) -> int:
        fields = {"MessageSid": sid, "From": ROSA, "To": LINCOLN_NUMBER, "Body": "Thank you", "FromCity": ""}
        return await self.call("/twilio/inbound", {**self._every(fields), **changes})

    async def report(self, about: Message, status: str) -> int:
        fields = {"MessageSid": about.sid or "", "From": about.sender or "", "To": about.recipient}
        return await self.call(f"/twilio/status?message={about.id}", self._every({**fields, "MessageStatus": status}))

    async def call(
        self,
        path: str,
        form: dict[str, str],
        *,
        token: str | None = None,
        signed: bool = True,
        sends: Callable[[bytes], bytes] = bytes,
    ) -> int:
        token = token or self.settings.twilio_auth_token.get_secret_value()
        signature = RequestValidator(token).compute_signature(PUBLIC + path, form)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-Host": "evil.example"}
        headers |= {"X-Twilio-Signature": signature} if signed else {}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://10.0.0.7:3000") as web:
            return (await web.post(path, content=sends(urlencode(form).encode()), headers=headers)).status_code

    def _every(self, fields: dict[str, str]) -> dict[str, str]:
        return {"AccountSid": self.settings.twilio_account_sid, "ApiVersion": "2010-04-01", **fields}


@pytest.fixture
async def twilio(town: Town, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    monkeypatch.setattr(intake, "STORED_WITHIN", 30.0)  # on a busy machine, too, the spool is not what is tried here
    yield Caller(town)
    await town.wired.router.rest()


class TestFailure1AWebhookRetriedStoredTheMessageTwice:
    async def test_fifty_times_at_once_and_after_another_text_it_is_one_row_and_one_push(
        self, town: Town, twilio: Caller
    ) -> None:
        async with listening(town) as heard:
            assert set(await asyncio.gather(*(twilio.text() for _ in range(50)))) == {200}
            await until_routed(town, 1)
            assert await twilio.text(SECOND, Body="Another one") == 200
            await until_routed(town, 2)
            assert [await twilio.text() for _ in range(3)] == [200, 200, 200]
            assert await heard.kinds() == [ChangeKind.MESSAGE, ChangeKind.MESSAGE]
        assert [m.body for m in await rows(town, Message)] == ["Thank you", "Another one"]
        assert (await the(town, Thread)).inbound_count == 2


class TestFailure2ASignatureCheckTurnedAwayEveryNumberOfAMessagingService:
    async def test_a_text_to_a_number_of_a_messaging_service_comes_in(self, town: Town, twilio: Caller) -> None:
        assert await twilio.text(MessagingServiceSid="MG" + "d" * 32, Novelty="", NumSegments="1") == 200
        await until_routed(town, 1)

    async def test_a_text_to_a_number_of_the_pool_is_routed_by_the_number_it_came_to(
        self, town: Town, twilio: Caller
    ) -> None:
        pooled = "+13125550131"
        async with town.wired.db.transaction() as session:
            of_lincoln = (await the(town, Number, Number.e164 == LINCOLN_NUMBER)).campaign_id
            session.add(Number(e164=pooled, sid="PN" + "7" * 32, pooled=True, campaign_id=of_lincoln, state="active"))
        assert await twilio.text(To=pooled, MessagingServiceSid="MG" + "d" * 32) == 200
        assert [m.recipient for m in await until_routed(town, 1)] == [pooled]

    async def test_what_a_proxy_changes_is_not_what_was_signed(self, town: Town, twilio: Caller) -> None:
        assert twilio.settings.address == PUBLIC
        assert await twilio.text() == 200
        await until_routed(town, 1)


class TestFailure3ForgedTextsAndForgedDelivered:
    async def _nothing_is_stored(self, town: Town) -> None:
        for table in (InboundRequest, DeliveryEvent):
            assert [row for row in await rows(town, table) if getattr(row, "source", "") != "handover"] == []
        assert not town.wired.intake.spool.holds_any()

    @pytest.mark.parametrize(
        "forged",
        [
            {"signed": False},
            {"token": "another token"},
            {"sends": lambda body: body.replace(b"Thank", b"Curse")},
            {"sends": lambda body: body + b"&Body=forged"},
            {"sends": lambda body: body.replace(b"&FromCity=", b"")},
        ],
        ids=["unsigned", "wrong token", "changed body", "a field more", "a field less"],
    )
    async def test_a_forged_text_is_403_and_nothing_is_stored(self, town: Town, twilio: Caller, forged: dict) -> None:
        form = twilio._every({"MessageSid": FIRST, "From": ROSA, "To": LINCOLN_NUMBER, "Body": "Thank you"})
        assert await twilio.call("/twilio/inbound", form | {"FromCity": ""}, **forged) == 403
        await self._nothing_is_stored(town)

    @pytest.mark.parametrize(
        "forged",
        [
            {"signed": False},
            {"token": "another token"},
            {"sends": lambda body: body.replace(b"MessageStatus=sent", b"MessageStatus=delivered")},
        ],
        ids=["unsigned", "wrong token", "changed body"],
    )
    async def test_a_forged_report_is_403_and_changes_nothing(self, town: Town, twilio: Caller, forged: dict) -> None:
        sent = await handed_over(town)
        form = twilio._every({"MessageSid": sent.sid or "", "MessageStatus": "sent", "To": ROSA})
        assert await twilio.call(f"/twilio/status?message={sent.id}", form, **forged) == 403
        assert (await message(town, sent.id)).state is sent.state
        await self._nothing_is_stored(town)


class TestWhatTextsAreLike:
    LONG = "Nuestra hija está enferma y hoy no irá a la escuela. " * 4

    @pytest.mark.parametrize(
        ("body", "shown", "preview"),
        [
            ("👍🏽", "👍🏽", "👍🏽"),
            ("Mañana\x00 no", "Mañana no", "Mañana no"),
            ("", "", "(no words)"),
            (base64.b64encode(LONG.encode()).decode(), LONG, LONG[:40]),
            ("a\r\nb", "a\r\nb", "a b"),
        ],
        ids=["emoji only", "NUL", "empty", "base64", "lines"],
    )
    async def test_it_is_shown_as_it_was_meant(
        self, town: Town, twilio: Caller, body: str, shown: str, preview: str
    ) -> None:
        assert await twilio.text(Body=body) == 200
        (arrived,) = await until_routed(town, 1)
        assert (arrived.body, arrived.media) == (shown, 0)
        assert (await the(town, Thread)).preview.startswith(preview)

    async def test_a_picture_without_words_is_shown_as_a_picture(self, town: Town, twilio: Caller) -> None:
        assert await twilio.text(Body="", NumMedia="1", MediaUrl0="https://api.twilio.com/x") == 200
        (arrived,) = await until_routed(town, 1)
        assert (arrived.media, (await the(town, Thread)).preview) == (1, "Picture")

    async def test_one_that_is_found_hours_later_has_its_own_time_and_is_unread(
        self, town: Town, twilio: Caller
    ) -> None:
        await twilio.text()
        await until_routed(town, 1)
        then = datetime.now(UTC) - timedelta(hours=5)
        await town.wired.receiving.receive(replace(text_from(body="late"), received_at=then), "poll")
        late = await the(town, Message, Message.body == "late")
        thread = await the(town, Thread)
        assert (late.created_at, thread.preview, thread.inbound_count) == (then, "Thank you", 2)

    async def test_reports_that_come_in_another_order_come_to_the_same(self, town: Town, twilio: Caller) -> None:
        sent = await handed_over(town)
        for status in ("delivered", "sent", "sending", "delivered"):
            assert await twilio.report(sent, status) == 204
        assert (await message(town, sent.id)).state is DeliveryState.DELIVERED


class TestWithTheDatabaseAway:
    @pytest.fixture
    def away(self, town: Town) -> Iterator[Callable[[], None]]:
        """Until the function that it yields is called."""

        async def gone(*_: object) -> None:
            raise Unavailable("gone")

        patched = pytest.MonkeyPatch()
        patched.setattr(town.wired.receiving, "keep", gone)
        yield patched.undo
        patched.undo()

    async def test_texts_are_answered_200_and_arrive_afterwards_once_in_order_at_the_time_they_came(
        self, town: Town, twilio: Caller, away: Callable[[], None]
    ) -> None:
        began = datetime.now(UTC)
        for sid, body in ((FIRST, "STOP"), (SECOND, "START"), (FIRST, "STOP")):
            assert await twilio.text(sid, Body=body) == 200
        ended = datetime.now(UTC)
        assert (await rows(town, InboundRequest), town.wired.intake.spool.waiting()) == ([], 3)
        away()
        await town.wired.intake.replay()
        await until_routed(town, 2)
        stored = await rows(town, InboundRequest)
        assert [(r.sid, r.source) for r in stored] == [(FIRST, "spool"), (SECOND, "spool")]
        assert all(began <= r.received_at <= ended for r in stored)
        heard = [m for m in await rows(town, Message) if m.sid in (FIRST, SECOND)]
        assert [(m.body, began <= m.created_at <= ended) for m in heard] == [("STOP", True), ("START", True)]

    async def test_when_the_spool_fails_too_twilio_is_asked_to_come_again(
        self, town: Town, twilio: Caller, away: Callable[[], None]
    ) -> None:
        town.wired.settings.spool.write_text("no folder")
        assert await twilio.text() == 503
