"""What the carrier reports, whatever order it comes in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, OMAR, ROOSEVELT_NUMBER, ROSA, Town
from tests.fakes import Loss
from tests.services.steps import (
    change,
    handed_over,
    listening,
    message,
    queued,
    receive,
    report_on,
    rows,
    state_of,
    the,
)
from tp_inbox.domain.consent import ConsentSource
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services.lanes import STOPS
from tp_inbox.services.ports import Accepted, Ambiguous, NotAccepted, StatusReport
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Alert, Campaign, ConsentEvent, DeliveryEvent, Message, Number
from tp_inbox.storage.tables.messages import Doubled, NumberState

COPY = "SM" + "e" * 32


def refusal(reason: R, code: str = "30000") -> NotAccepted:
    return NotAccepted(reason, code, retry=False)


class TestReports:
    async def test_failure_4_every_order_of_the_same_reports_ends_delivered(self, town: Town) -> None:
        for order in permutations([S.ACCEPTED, S.SENDING, S.SENT, S.DELIVERED]):
            text = await handed_over(town)
            for state in order:
                await town.wired.reporting.report(report_on(text, state))
            assert await state_of(town, text.id) == (S.DELIVERED, None)
            kept = await rows(town, DeliveryEvent, col(DeliveryEvent.message_id) == text.id)
            assert {event.state for event in kept} == set(order)

    async def test_failure_5_a_failure_keeps_its_reason_in_whatever_order_reports_come(self, town: Town) -> None:
        reports = [(S.SENT, None, None), (S.UNDELIVERED, None, None), (S.UNDELIVERED, R.LANDLINE, "30006")]
        for order in permutations([*reports, reports[0]]):
            text = await handed_over(town)
            for report in order:
                await town.wired.reporting.report(report_on(text, *report))
            assert await state_of(town, text.id) == (S.UNDELIVERED, R.LANDLINE)

    async def test_delivered_overrules_a_failure(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.UNDELIVERED, R.UNREACHABLE, "30003"))
        await town.wired.reporting.report(report_on(text, S.DELIVERED))
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_the_same_report_fifty_times_at_once_is_one_event_and_one_push(self, town: Town) -> None:
        text = await handed_over(town)
        async with listening(town) as heard:
            report = report_on(text, S.DELIVERED)
            await asyncio.gather(*(town.wired.reporting.report(report) for _ in range(50)))
            assert await heard.kinds() == [ChangeKind.STATUS]
        assert len(await rows(town, DeliveryEvent, col(DeliveryEvent.state) == S.DELIVERED)) == 1

    async def test_failure_4_a_callback_before_our_own_write_is_believed_and_the_answer_changes_nothing(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id = await queued(town)
        real = town.gateway.send

        async def callback_first(text):
            accepted = await real(text)
            assert isinstance(accepted, Accepted)
            theirs = accepted.text
            report = StatusReport(
                text.message_id, theirs.sid, theirs.sender, theirs.recipient, S.DELIVERED, None, None, {}
            )
            await town.wired.reporting.report(report)
            return accepted

        monkeypatch.setattr(town.gateway, "send", callback_first)
        await town.wired.dispatching.hand_over_due()
        text = await message(town, text_id)
        assert (text.state, text.sid in town.gateway.ledger) == (S.DELIVERED, True)

    @pytest.mark.parametrize("answer", [Ambiguous(None), refusal(R.TOO_BUSY)])
    async def test_what_a_callback_has_told_no_lost_answer_undoes(
        self, town: Town, answer: Ambiguous | NotAccepted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id = await queued(town)

        async def callback_then_loss(text):
            await town.wired.reporting.report(report_on(await message(town, text_id), S.SENT))
            return answer

        monkeypatch.setattr(town.gateway, "send", callback_then_loss)
        await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.SENT, None)

    async def test_a_callback_that_names_another_recipient_is_kept_and_changes_nothing(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text = await handed_over(town)
        await town.wired.reporting.report(replace(report_on(text, S.DELIVERED), recipient=OMAR))
        assert await state_of(town, text.id) == (S.UNKNOWN, None)
        assert (await the(town, DeliveryEvent)).message_id is None

    async def test_a_callback_with_another_sid_than_ours_overwrites_nothing_and_tells_the_admins(
        self, town: Town
    ) -> None:
        text = await handed_over(town)
        for _ in range(2):
            await town.wired.reporting.report(replace(report_on(text, S.SENT), sid=COPY))
        now = await message(town, text.id)
        assert (now.sid, now.doubled) == (text.sid, Doubled.CERTAIN)
        told = await the(town, Alert)
        assert (told.kind, told.message_id, told.number_id) == (AlertKind.DOUBLED, text.id, text.number_id)
        kept = await the(town, DeliveryEvent, col(DeliveryEvent.sid) == COPY)
        assert (kept.state, kept.message_id) == (S.SENT, text.id)

    async def test_a_copy_that_arrives_is_a_text_that_has_arrived(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(replace(report_on(text, S.DELIVERED), sid=COPY))
        await town.wired.reporting.report(report_on(text, S.UNDELIVERED, R.LANDLINE, "30006"))
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_a_report_about_a_text_that_nobody_knows_is_kept(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        report = StatusReport(None, "SM" + "d" * 32, LINCOLN_NUMBER, ROSA, S.DELIVERED, None, None, {})
        await town.wired.reporting.report(report)
        assert (await the(town, DeliveryEvent)).sid == "SM" + "d" * 32
        assert "do not know" in caplog.text

    async def test_a_report_with_a_word_that_nobody_knows_is_kept_and_changes_nothing(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, None))
        assert await state_of(town, text.id) == (S.ACCEPTED, None)
        assert None in {event.state for event in await rows(town, DeliveryEvent)}

    @pytest.mark.parametrize("reason", [R.UNCERTAIN, R.EXPIRED])
    async def test_what_we_gave_up_is_sent_once_the_carrier_says_so(self, town: Town, reason: R) -> None:
        town.gateway.script(Loss.AFTER)
        text = await handed_over(town)
        await change(town, Message, col(Message.id) == text.id, state=S.FAILED, reason=reason)
        await town.wired.reporting.report(report_on(text, S.SENT))
        assert await state_of(town, text.id) == (S.SENT, None)

    async def test_a_word_that_nobody_knows_tells_that_the_carrier_has_it(self, town: Town) -> None:
        """Else a text that waits to be sent again would be, although its SID is known."""
        town.gateway.script(Loss.AFTER)
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, None))
        assert await state_of(town, text.id) == (S.ACCEPTED, None)

    async def test_a_familys_text_is_no_text_of_ours(self, town: Town) -> None:
        await receive(town)
        text = await the(town, Message)
        await town.wired.reporting.report(report_on(text, S.FAILED, R.BLOCKED_CONTENT))
        assert await state_of(town, text.id) == (S.RECEIVED, None)

    async def test_an_opt_out_that_comes_by_callback_is_written_down_once(self, town: Town) -> None:
        text = await handed_over(town)
        for _ in range(2):
            await town.wired.reporting.report(report_on(text, S.UNDELIVERED, R.OPTED_OUT, "21610"))
        assert (await the(town, ConsentEvent)).source is ConsentSource.CARRIER

    async def test_a_number_that_is_not_ready_is_stopped_by_a_callback_too(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.UNDELIVERED, R.SENDER_NOT_READY, "21606"))
        assert await state_of(town, text.id) == (S.UNDELIVERED, R.SENDER_NOT_READY)
        assert (await the(town, Number, col(Number.id) == text.number_id)).state is NumberState.STOPPED
        others = await rows(town, Number, col(Number.id) != text.number_id)
        assert {number.state for number in others} == {NumberState.ACTIVE}

    @pytest.mark.parametrize(
        ("reason", "code", "others_too"), [(R.NOT_REGISTERED, "30034", False), (R.ACCOUNT_PROBLEM, "30002", True)]
    )
    async def test_what_stops_a_campaign_or_the_account_stops_it_by_a_callback_too(
        self, town: Town, reason: R, code: str, *, others_too: bool
    ) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.UNDELIVERED, reason, code))
        ours = (await the(town, Number, col(Number.id) == text.number_id)).campaign_id
        stopped = {c.id: c.stopped_at is not None for c in await rows(town, Campaign)}
        assert stopped == {campaign: campaign == ours or others_too for campaign in stopped}
        assert STOPS[reason] in {alert.kind for alert in await rows(town, Alert)}

    @pytest.mark.parametrize("by_report", [False, True])
    async def test_failure_18_a_text_that_left_from_another_number_tells_the_admins(
        self, town: Town, monkeypatch: pytest.MonkeyPatch, *, by_report: bool
    ) -> None:
        await handed_over(town)
        assert await rows(town, Alert) == []
        real = town.gateway.send

        async def from_elsewhere(text):
            return await real(text if by_report else replace(text, sender=ROOSEVELT_NUMBER))

        monkeypatch.setattr(town.gateway, "send", from_elsewhere)
        text = await handed_over(town)
        if by_report:
            await town.wired.reporting.report(replace(report_on(text, S.SENT), sender=ROOSEVELT_NUMBER))
        told = await the(town, Alert)
        assert (told.kind, told.message_id, told.number_id) == (AlertKind.WRONG_SENDER, text.id, text.number_id)

    async def test_a_second_sid_for_one_text_tells_the_admins_and_the_first_stays(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id = await queued(town)
        real = town.gateway.send

        async def twice(text):
            await town.wired.reporting.report(report_on(await message(town, text_id), S.SENT))
            return await real(text)

        monkeypatch.setattr(town.gateway, "send", twice)
        await town.wired.dispatching.hand_over_due()
        text = await message(town, text_id)
        assert (text.sid, text.doubled) == ("SM" + "9" * 32, Doubled.CERTAIN)
        assert (await the(town, Alert)).kind is AlertKind.DOUBLED
