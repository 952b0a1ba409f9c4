"""Failures of products like this one, each of which lost, doubled or misdirected texts. Here none of them happens.

The first three, at the door, stand in tests/services/test_webhook_failures.py, those of rights in tests/rights, and
those of drafts and of a colleague's missed answer in tests/services.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations
from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import OMAR, ROOSEVELT_NUMBER, ROSA, Town
from tests.engine.street import Street
from tests.fakes import Loss
from tests.services.steps import (
    change,
    due_now,
    handed_over,
    message,
    queued,
    rows,
    send,
    the,
)
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services.ports import Accepted
from tp_inbox.storage.tables import Alert, ConsentEvent, Contact, Message
from tp_inbox.storage.tables.messages import Direction, StopQuestion


async def from_families(town: Town) -> list[Message]:
    return await rows(town, Message, col(Message.direction) == Direction.IN)


class TestFailure4ALateSent:
    async def test_every_order_of_callbacks_ends_delivered(self, town: Town, street: Street) -> None:
        for order in permutations(["queued", "sending", "sent", "delivered"]):
            text = await handed_over(town, words=" ".join(order))
            assert {await street.status(text, word) for word in order} == {204}
            assert (await message(town, text.id)).state is S.DELIVERED

    async def test_a_callback_that_is_faster_than_our_own_write_stays(
        self, town: Town, street: Street, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id, send_it = await queued(town), town.gateway.send

        async def overtaken(text):
            answer = await send_it(text)
            assert isinstance(answer, Accepted)
            await street.status(await message(town, text_id), "delivered", sid=answer.text.sid)
            return answer

        monkeypatch.setattr(town.gateway, "send", overtaken)
        await town.wired.dispatching.hand_over_due()
        assert (await message(town, text_id)).state is S.DELIVERED


class TestFailure5AFailureLosesItsReason:
    async def test_a_repetition_without_its_code_erases_nothing(self, town: Town, street: Street) -> None:
        text = await handed_over(town)
        await street.status(text, "undelivered", "30006")
        await street.status(text, "undelivered")
        await street.status(text, "failed")
        now = await message(town, text.id)
        assert (now.reason, now.code) == (R.LANDLINE, "30006")

    async def test_delivered_does(self, town: Town, street: Street) -> None:
        text = await handed_over(town)
        await street.status(text, "undelivered", "30006")
        await street.status(text, "delivered")
        now = await message(town, text.id)
        assert (now.state, now.reason) == (S.DELIVERED, None)


class TestFailure6OneClickTwoTexts:
    async def test_a_double_click_a_retry_and_a_second_tab_are_one_text(self, town: Town) -> None:
        thread, key = await town.school(), uuid4()
        shown = await asyncio.gather(*(send(town, "alice", thread, key=key) for _ in range(3)))
        await town.wired.dispatching.hand_over_due()
        shown.append(await send(town, "alice", thread, key=key))
        assert len({row.id for row in shown}) == 1
        await town.wired.dispatching.hand_over_due()
        assert len(town.gateway.sent) == 1


class TestFailure14ARecipientResolvedLate:
    async def test_a_contact_whose_number_changes_while_a_text_waits_moves_no_text(self, town: Town) -> None:
        text_id = await queued(town)
        await change(town, Contact, col(Contact.name) == "Rosa Lopez", phone_id=town.phones[OMAR])
        await town.wired.dispatching.hand_over_due()
        assert [t.recipient for t in town.gateway.sent] == [ROSA]
        assert (await message(town, text_id)).recipient == ROSA


class TestFailure16StopInASentence:
    @pytest.mark.parametrize("words", ["Stop. Thank you", "STOP", "stop!!", "Please stop", "alto"])
    async def test_a_certain_stop_ends_texts(self, town: Town, street: Street, words: str) -> None:
        thread = await town.school()
        await street.text(words)
        await street.routed()
        with pytest.raises(NotAllowed, match="START"):
            await send(town, "alice", thread)

    async def test_a_stop_about_something_else_ends_nothing(self, town: Town, street: Street) -> None:
        await street.text("We have got to STOP this bill")
        await street.routed()
        assert await rows(town, ConsentEvent) == []
        assert (await from_families(town))[0].stop_question is None
        await send(town, "alice", await town.school())

    async def test_a_likely_one_is_asked_of_the_staff(self, town: Town, street: Street) -> None:
        await street.text("Please take me off this list")
        await street.routed()
        assert await rows(town, ConsentEvent) == []
        assert (await from_families(town))[0].stop_question is StopQuestion.OPEN


class TestFailure18AnotherSendersNumber:
    async def test_a_text_that_left_from_elsewhere_raises_an_alarm(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send_it = town.gateway.send

        async def misdirected(text):
            answer = await send_it(text)
            return Accepted(replace(answer.text, sender=ROOSEVELT_NUMBER))

        monkeypatch.setattr(town.gateway, "send", misdirected)
        text = await handed_over(town)
        alarm = await the(town, Alert, col(Alert.kind) == AlertKind.WRONG_SENDER)
        assert (alarm.message_id, alarm.settled_at) == (text.id, None)


class TestNothingIsLostOrDoubled:
    @pytest.mark.parametrize("loss", list(Loss))
    async def test_a_text_whose_answer_never_came_arrives_once(self, town: Town, loss: Loss) -> None:
        town.gateway.script(loss)
        text_id = await queued(town)
        for _ in range(3):
            await town.wired.dispatching.hand_over_due()
            await due_now(town)
            await town.wired.dispatching.look_up_doubtful()
            await due_now(town)
        assert len([t for t in town.gateway.ledger.values() if t.recipient == ROSA]) == 1
        assert (await message(town, text_id)).sid in town.gateway.ledger
