"""What the poller brings: statuses whose callback was lost, and texts that never came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.cast import LINCOLN_NUMBER, OMAR, ROOSEVELT_NUMBER, ROSA, Town
from tests.services.steps import (
    change,
    handed_over,
    rows,
    state_of,
    text_from,
    the,
)
from tp_inbox.domain.delivery import DeliveryState as S
from tp_inbox.services import polling
from tp_inbox.services.ports import CarrierAway, CarrierText
from tp_inbox.storage.tables import DeliveryEvent, Message, Watermark
from tp_inbox.storage.tables.messages import Direction


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
        lost = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "Is Mia there?")
        for _ in range(2):
            await town.wired.polling.poll()
        await town.wired.receiving.receive(text_from(sid=lost.sid, body="Is Mia there?"))
        assert (await the(town, Message)).body == "Is Mia there?"

    async def test_a_stop_and_a_start_that_were_both_lost_are_heard_in_their_order(self, town: Town) -> None:
        for body in ("STOP", "START"):
            town.gateway.family_texts(ROSA, LINCOLN_NUMBER, body)
        await town.wired.polling.poll()
        assert (await handed_over(town)).state is S.ACCEPTED

    async def test_the_carriers_own_answer_to_a_stop_is_not_taken_for_ours(self, town: Town) -> None:
        stop = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "STOP")
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
        lost = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "Is Mia there?")
        town.gateway.ledger[lost.sid] = replace(lost, sent_at=datetime.now(UTC) - timedelta(hours=29))
        await town.wired.polling.poll()
        assert (await the(town, Message)).body == "Is Mia there?"

    async def test_a_new_installation_does_not_import_an_old_accounts_history(self, town: Town) -> None:
        old = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "from another system")
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
        bad = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "bad")
        town.gateway.family_texts(OMAR, ROOSEVELT_NUMBER, "good")
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
            town.gateway.family_texts(ROSA, LINCOLN_NUMBER, str(number))
        await town.wired.polling.poll()
        assert [m.body for m in await rows(town, Message)] == ["0", "1", "2", "3", "4"]
