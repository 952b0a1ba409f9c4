"""What the poller brings: statuses whose callback was lost, and texts that never came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.cast import LINCOLN_NUMBER, OMAR, ROOSEVELT_NUMBER, ROSA, Town
from tests.services.steps import (
    change,
    handed_over,
    receive,
    report_on,
    rows,
    state_of,
    text_from,
    the,
)
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.services import polling
from tp_inbox.services.ports import CarrierAway, CarrierText
from tp_inbox.storage.tables import DeliveryEvent, InboundRequest, Message, Watermark
from tp_inbox.storage.tables.messages import Direction


def missed(town: Town, sender: str, recipient: str, body: str) -> CarrierText:
    """A family's text whose webhook should have come long ago."""
    text = town.gateway.family_texts(sender, recipient, body)
    town.gateway.ledger[text.sid] = replace(text, sent_at=datetime.now(UTC) - timedelta(minutes=1))
    return town.gateway.ledger[text.sid]


class TestPolling:
    async def test_a_status_whose_callback_was_lost_is_found(self, town: Town) -> None:
        text = await handed_over(town)
        town.gateway.reports(text.sid or "", S.DELIVERED)
        await town.wired.polling.poll()
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_what_is_known_already_is_not_asked_of_the_database_one_by_one(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = await handed_over(town)
        town.gateway.reports(text.sid or "", S.DELIVERED)
        await town.wired.polling.poll()
        taken: list[CarrierText] = []

        async def take(text: CarrierText) -> None:
            taken.append(text)

        monkeypatch.setattr(town.wired.polling, "_take", take)
        await town.wired.polling.poll()
        assert taken == []

    async def test_a_text_whose_webhook_was_lost_is_found_once_and_in_its_place(self, town: Town) -> None:
        lost = missed(town, ROSA, LINCOLN_NUMBER, "Is Mia there?")
        for _ in range(2):
            await town.wired.polling.poll()
        await town.wired.receiving.receive(text_from(sid=lost.sid, body="Is Mia there?"))
        assert (await the(town, Message)).body == "Is Mia there?"

    async def test_a_stop_and_a_start_that_were_both_lost_are_heard_in_their_order(self, town: Town) -> None:
        for body in ("STOP", "START"):
            missed(town, ROSA, LINCOLN_NUMBER, body)
        await town.wired.polling.poll()
        assert (await handed_over(town)).state is S.ACCEPTED

    async def test_the_carriers_own_answer_to_a_stop_is_not_taken_for_ours(self, town: Town) -> None:
        stop = missed(town, ROSA, LINCOLN_NUMBER, "STOP")
        answer = replace(
            stop, sid="SM" + "a" * 32, inbound=False, sender=LINCOLN_NUMBER, recipient=ROSA, state=S.DELIVERED
        )
        town.gateway.ledger[answer.sid] = answer
        await town.wired.polling.poll()
        assert [m.direction for m in await rows(town, Message)] == [Direction.IN]
        assert await rows(town, DeliveryEvent) == []

    async def test_a_text_that_has_no_date_yet_is_asked_for_by_itself(self, town: Town) -> None:
        text = await handed_over(town)
        ledger = town.gateway.ledger
        ledger[text.sid or ""] = replace(ledger[text.sid or ""], state=S.SENDING)
        await town.wired.polling.poll()
        assert await state_of(town, text.id) == (S.ACCEPTED, None)
        await change(town, Message, handed_over_at=datetime.now(UTC) - timedelta(minutes=1))
        await town.wired.polling.poll()
        assert await state_of(town, text.id) == (S.SENDING, None)

    async def test_texts_without_a_date_are_asked_for_in_turn(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(polling, "UNDATED_A_CYCLE", 1)
        for words in ("one", "two", "three"):
            await handed_over(town, words)
        await change(town, Message, handed_over_at=datetime.now(UTC) - timedelta(minutes=1))
        asked: list[str] = []

        async def fetch(sid: str) -> None:
            asked.append(sid)

        monkeypatch.setattr(town.gateway, "fetch", fetch)
        for _ in range(3):
            await town.wired.polling.poll()
        assert len(set(asked)) == 3

    async def test_after_hours_without_a_worker_it_goes_on_where_it_was(self, town: Town) -> None:
        await town.wired.polling.poll()
        await change(town, Watermark, at=datetime.now(UTC) - timedelta(hours=30))
        lost = missed(town, ROSA, LINCOLN_NUMBER, "Is Mia there?")
        town.gateway.ledger[lost.sid] = replace(lost, sent_at=datetime.now(UTC) - timedelta(hours=29))
        await town.wired.polling.poll()
        assert (await the(town, Message)).body == "Is Mia there?"

    async def test_a_new_installation_does_not_import_an_old_accounts_history(self, town: Town) -> None:
        old = missed(town, ROSA, LINCOLN_NUMBER, "from another system")
        town.gateway.ledger[old.sid] = replace(old, sent_at=datetime.now(UTC) - timedelta(days=3))
        await town.wired.polling.poll()
        assert await rows(town, Message) == []

    async def test_a_look_that_is_cut_short_does_not_count(self, town: Town) -> None:
        await town.wired.polling.poll()
        before = (await the(town, Watermark)).at
        town.gateway.away = True
        with pytest.raises(CarrierAway):
            await town.wired.polling.poll()
        assert (await the(town, Watermark)).at == before

    async def test_one_text_that_cannot_be_taken_keeps_no_other_from_it(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = missed(town, ROSA, LINCOLN_NUMBER, "bad")
        missed(town, OMAR, ROOSEVELT_NUMBER, "good")
        real = town.wired.receiving.receive

        async def receive(text, source):
            if text.sid == bad.sid:
                raise ValueError
            await real(text, source)

        monkeypatch.setattr(town.wired.receiving, "receive", receive)
        await town.wired.polling.poll()
        assert (await the(town, Message)).body == "good"

    async def test_more_than_a_page_is_read(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(polling, "A_PAGE", 2)
        for number in range(5):
            missed(town, ROSA, LINCOLN_NUMBER, str(number))
        await town.wired.polling.poll()
        assert [m.body for m in await rows(town, Message)] == ["0", "1", "2", "3", "4"]

    async def test_a_text_whose_webhook_is_on_its_way_is_left_to_it(self, town: Town) -> None:
        coming = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "Is Mia there?")
        await town.wired.polling.poll()
        assert await rows(town, Message) == []
        town.gateway.ledger[coming.sid] = replace(coming, sent_at=datetime.now(UTC) - timedelta(minutes=1))
        await town.wired.polling.poll()
        assert (await the(town, InboundRequest)).source == "poll"

    async def test_a_late_text_stands_in_its_place_with_its_own_time(self, town: Town) -> None:
        lost = missed(town, ROSA, LINCOLN_NUMBER, "Is Mia there?")
        await receive(town, "Hello?")
        await town.wired.polling.poll()
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), await town.school())
        assert [bubble.text for bubble in shown] == ["Is Mia there?", "Hello?"]
        assert lost.sent_at is not None
        assert shown[0].at == lost.sent_at.isoformat()

    async def test_a_failure_whose_reason_came_without_its_code_gets_it_from_the_list(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.CANCELED))
        town.gateway.ledger[text.sid or ""] = replace(
            town.gateway.reports(text.sid or "", S.CANCELED, R.BLOCKED_CONTENT), code="30007"
        )
        await town.wired.polling.poll()
        assert await state_of(town, text.id) == (S.CANCELED, R.BLOCKED_CONTENT)

    async def test_a_try_before_the_last_that_arrived_after_all_is_found(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.UNDELIVERED, R.UNREACHABLE, "30003"))
        town.gateway.reports(text.sid or "", S.DELIVERED)
        await town.wired.polling.poll()
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_texts_in_flight_are_asked_for_by_the_page(self, town: Town) -> None:
        """As 20,000 take 21 calls: a page each thousand, and one that says that there is no more."""
        town.gateway.page_size = 4
        for number in range(12):
            text = await handed_over(town, f"Text {number}")
            town.gateway.reports(text.sid or "", S.DELIVERED)
        await town.wired.polling.poll()
        assert {text.state for text in await rows(town, Message)} == {S.DELIVERED}
        assert town.gateway.pages == 12 / 4 + 1

    async def test_a_text_that_stays_sent_makes_no_look_go_far_back_but_one_an_hour(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.SENT))
        left = datetime.now(UTC) - timedelta(hours=5)
        await change(town, Message, created_at=left, handed_over_at=left)
        town.gateway.reports(text.sid or "", S.DELIVERED)
        town.gateway.ledger[text.sid or ""] = replace(town.gateway.ledger[text.sid or ""], sent_at=left)
        await looked(town, datetime.now(UTC))
        await town.wired.polling.poll()
        assert (await state_of(town, text.id))[0] is S.SENT
        await looked(town, datetime.now(UTC) - timedelta(hours=1))
        await town.wired.polling.poll()
        assert (await state_of(town, text.id))[0] is S.DELIVERED


async def looked(town: Town, at: datetime) -> None:
    """The last look was at that time."""
    async with town.wired.db.transaction() as session:
        await session.merge(Watermark(name=polling.POLLED, at=at))
