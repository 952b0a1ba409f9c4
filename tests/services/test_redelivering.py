"""A text that did not arrive is tried again by itself, as long as that can help and nobody has it twice for it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, ROSA, Town
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
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.services.ports import Accepted, StatusReport
from tp_inbox.services.views import MessageRow
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Campaign, ConsentEvent, DeliveryEvent, EarlierHandover, Message, Number
from tp_inbox.storage.tables.messages import Doubled
from tp_inbox.twilio.codes import reason_of

AGAIN = {
    "30003": 3,
    "30008": 2,
    "30500": 2,
    "30001": 3,
    "30022": 3,
    "30023": 3,
    "21611": 3,
    "63017": 3,
    "63038": 3,
    "30036": 2,
    "20500": 1,
    "39999": 1,
}
"""By the carrier's code, how often a text is sent again."""
NEVER = """21211 21604 21614 21635 30005 30006 21610 30004 30007 20003 21408 21606 21601 21212 21659 21608 30002 30032
30034""".split()


async def fail(town: Town, text_id: int, reason: R | None = R.UNREACHABLE, code: str | None = "30003") -> Message:
    """The carrier reports that the text did not arrive."""
    await town.wired.reporting.report(report_on(await message(town, text_id), S.UNDELIVERED, reason, code))
    return await message(town, text_id)


async def time_passes(town: Town, text_id: int) -> Message:
    """Until the next try of this text is due, and it is handed over if it waits for that."""
    await change(town, Message, col(Message.id) == text_id, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
    await town.wired.dispatching.hand_over_due()
    return await message(town, text_id)


def reported(text: Message, state: S, reason: R | None = None, code: str | None = None) -> StatusReport:
    """About the SID that the text had at that time."""
    return replace(report_on(text, state, reason, code), message_id=None)


class TestTreatment:
    @pytest.mark.parametrize("code", AGAIN)
    async def test_what_another_try_may_help_is_sent_again_so_often_and_then_fails(self, town: Town, code: str) -> None:
        text = await handed_over(town)
        for times in range(1, AGAIN[code] + 1):
            waits = await fail(town, text.id, reason_of(code), code)
            assert (waits.state, waits.redelivered) == (S.QUEUED, times)
            assert (await time_passes(town, text.id)).state is S.ACCEPTED
        await fail(town, text.id, reason_of(code), code)
        assert await state_of(town, text.id) == (S.UNDELIVERED, reason_of(code))
        assert len(town.gateway.sent) == AGAIN[code] + 1

    @pytest.mark.parametrize("code", NEVER)
    async def test_what_would_fail_again_is_not_sent_again(self, town: Town, code: str) -> None:
        text = await handed_over(town)
        await fail(town, text.id, reason_of(code), code)
        assert await state_of(town, text.id) == (S.UNDELIVERED, reason_of(code))
        assert (await message(town, text.id)).redelivered == 0

    async def test_a_failure_without_a_code_is_tried_once(self, town: Town) -> None:
        text = await handed_over(town)
        assert (await fail(town, text.id, None, None)).state is S.QUEUED
        await time_passes(town, text.id)
        assert (await fail(town, text.id, None, None)).state is S.UNDELIVERED

    async def test_the_waits_grow(self, town: Town) -> None:
        text = await handed_over(town)
        for minutes in (2, 15, 60):
            waits = (await fail(town, text.id)).next_attempt_at - datetime.now(UTC)
            assert 0.7 * minutes < waits.total_seconds() / 60 < 1.3 * minutes
            await time_passes(town, text.id)

    @pytest.mark.parametrize("code", ["30001", "30022"])
    async def test_a_busy_carrier_slows_its_campaign(self, town: Town, code: str) -> None:
        text = await handed_over(town)
        await fail(town, text.id, reason_of(code), code)
        ours = (await the(town, Number, col(Number.id) == text.number_id)).campaign_id
        slowed = {campaign.id for campaign in await rows(town, Campaign) if campaign.slowed_at}
        assert slowed == {ours}

    async def test_a_text_that_would_be_too_old_fails_instead(self, town: Town) -> None:
        text = await handed_over(town)
        await change(town, Message, created_at=datetime.now(UTC) - timedelta(hours=3, minutes=59))
        assert (await fail(town, text.id)).state is S.UNDELIVERED

    async def test_what_a_person_has_sent_again_is_not_sent_again_by_itself(self, town: Town) -> None:
        text = await handed_over(town)
        await change(town, Message, retried=True)
        assert (await fail(town, text.id)).state is S.UNDELIVERED

    async def test_consent_is_asked_again(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        await receive(town, "STOP", ROSA, LINCOLN_NUMBER)
        await time_passes(town, text.id)
        assert await state_of(town, text.id) == (S.FAILED, R.OPTED_OUT)
        assert [sent.message_id for sent in town.gateway.sent].count(text.id) == 1

    async def test_an_opt_out_that_an_earlier_hand_over_met_is_written_down(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        await time_passes(town, text.id)
        await town.wired.reporting.report(reported(text, S.UNDELIVERED, R.OPTED_OUT, "21610"))
        assert (await the(town, ConsentEvent)).message_id == text.id


class TestWaiting:
    async def test_later_texts_of_the_thread_do_not_wait_with_it(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        assert (await handed_over(town, "And bring a coat.")).state is S.ACCEPTED
        assert (await message(town, text.id)).state is S.QUEUED

    async def test_every_sid_and_report_is_kept(self, town: Town) -> None:
        first = await handed_over(town)
        await fail(town, first.id)
        second = await time_passes(town, first.id)
        assert second.sid != first.sid
        assert (await the(town, EarlierHandover)).sid == first.sid
        events = await rows(town, DeliveryEvent)
        assert {event.message_id for event in events} == {first.id}
        assert [(e.sid, e.state) for e in events] == [
            (first.sid, S.ACCEPTED),
            (first.sid, S.UNDELIVERED),
            (second.sid, S.ACCEPTED),
        ]

    async def test_one_that_arrives_after_all_is_not_sent_again(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        await town.wired.reporting.report(reported(text, S.DELIVERED))
        now = await time_passes(town, text.id)
        assert (now.state, now.sid, now.redelivered) == (S.DELIVERED, text.sid, 0)
        assert len(town.gateway.sent) == 1

    async def test_one_whose_lasting_reason_comes_late_is_not_sent_again(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id, None, None)
        await town.wired.reporting.report(reported(text, S.UNDELIVERED, R.LANDLINE, "30006"))
        now = await time_passes(town, text.id)
        assert (now.state, now.reason, now.redelivered) == (S.UNDELIVERED, R.LANDLINE, 0)

    async def test_a_repeated_failure_of_the_first_try_does_not_touch_the_second(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        await time_passes(town, text.id)
        await town.wired.reporting.report(reported(text, S.UNDELIVERED, R.UNREACHABLE, "30003"))
        now = await message(town, text.id)
        assert (now.state, now.redelivered) == (S.ACCEPTED, 1)

    async def test_a_lost_answer_to_the_second_try_is_not_taken_for_the_first(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        town.gateway.script(Loss.BEFORE)
        assert (await time_passes(town, text.id)).state is S.UNKNOWN
        await change(town, Message, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
        await town.wired.dispatching.look_up_doubtful()
        now = await message(town, text.id)
        assert (now.state, now.sid) == (S.QUEUED, None)

    async def test_what_has_ended_by_our_own_decision_stays_so(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        await change(town, Message, state=S.FAILED, reason=R.CANCELED, code=None)
        await town.wired.reporting.report(reported(text, S.UNDELIVERED, R.LANDLINE, "30006"))
        assert await state_of(town, text.id) == (S.FAILED, R.CANCELED)


class TestDoubles:
    async def test_a_text_that_may_have_arrived_is_marked_once_it_is_sent_again(self, town: Town) -> None:
        text = await handed_over(town)
        assert (await fail(town, text.id, R.CARRIER_PROBLEM, "30008")).doubled is None
        assert (await time_passes(town, text.id)).doubled is Doubled.POSSIBLE

    async def test_a_phone_that_was_off_has_nothing_twice(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        again = await time_passes(town, text.id)
        await town.wired.reporting.report(report_on(again, S.DELIVERED))
        assert (await message(town, text.id)).doubled is None

    async def test_a_double_that_is_found_out_late_is_pushed_to_the_screens(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        again = await time_passes(town, text.id)
        await town.wired.reporting.report(report_on(again, S.DELIVERED))
        async with listening(town) as heard:
            await town.wired.reporting.report(reported(text, S.DELIVERED))
            assert [(c.kind, c.message) for c in await heard.all()] == [(ChangeKind.STATUS, text.id)]

    async def test_two_tries_that_both_arrived_are_two_texts_for_the_family(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id)
        again = await time_passes(town, text.id)
        for report in (reported(text, S.DELIVERED), report_on(again, S.DELIVERED)):
            await town.wired.reporting.report(report)
        now = await message(town, text.id)
        assert (now.state, now.doubled) == (S.DELIVERED, Doubled.CERTAIN)


told = st.tuples(
    st.booleans(),
    st.sampled_from(
        [
            (S.SENT, None, None),
            (S.DELIVERED, None, None),
            (S.UNDELIVERED, None, None),
            (S.UNDELIVERED, R.UNREACHABLE, "30003"),
            (S.FAILED, R.CARRIER_PROBLEM, "30008"),
            (S.UNDELIVERED, R.LANDLINE, "30006"),
        ]
    ),
)


class TestOrder:
    @given(st.lists(told, max_size=5), st.randoms(use_true_random=False))
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    async def test_every_order_of_reports_about_two_tries_ends_in_the_same_place(
        self, town: Town, told: list[tuple[bool, tuple]], chance: random.Random
    ) -> None:
        """Some come twice. ``told``: of the first try or of the second, and what is reported."""
        otherwise = [*told, *(report for report in told if chance.random() < 0.3)]
        chance.shuffle(otherwise)
        assert await self.ends(town, told) == await self.ends(town, otherwise)

    async def ends(self, town: Town, told: list[tuple[bool, tuple]]) -> tuple[S, R | None, int, bool]:
        first = await handed_over(town)
        await fail(town, first.id)
        second = await time_passes(town, first.id)
        for of_first, report in told:
            await town.wired.reporting.report(reported(first if of_first else second, *report))
        now = await message(town, first.id)
        return now.state, now.reason, now.redelivered, now.sid == second.sid

    async def test_a_failure_that_is_told_before_the_answer_comes_is_tried_again_all_the_same(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id = await queued(town)
        real = town.gateway.send

        async def callback_first(text):
            accepted = await real(text)
            assert isinstance(accepted, Accepted)
            sid, failure = accepted.text.sid, (S.UNDELIVERED, R.UNREACHABLE, "30003")
            await town.wired.reporting.report(replace(report_on(await message(town, text_id), *failure), sid=sid))
            return accepted

        monkeypatch.setattr(town.gateway, "send", callback_first)
        await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.QUEUED, R.UNREACHABLE)
        monkeypatch.setattr(town.gateway, "send", real)
        assert (await time_passes(town, text_id)).state is S.ACCEPTED


class TestOnTheScreen:
    async def bubble(self, town: Town) -> MessageRow:
        rows, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), await town.school())
        return rows[-1]

    async def test_a_person_sees_when_it_is_tried_again(self, town: Town) -> None:
        text = await handed_over(town)
        assert (await self.bubble(town)).again_at == ""
        waits = await fail(town, text.id)
        shown = await self.bubble(town)
        assert (shown.state, shown.reason, shown.again_at) == ("queued", "", waits.next_attempt_at.isoformat())

    async def test_a_person_sees_that_a_family_may_have_it_twice_and_that_it_has(self, town: Town) -> None:
        text = await handed_over(town)
        await fail(town, text.id, R.CARRIER_PROBLEM, "30008")
        assert (await self.bubble(town)).doubled == ""
        again = await time_passes(town, text.id)
        assert (await self.bubble(town)).doubled == "possible"
        for report in (reported(text, S.DELIVERED), report_on(again, S.DELIVERED)):
            await town.wired.reporting.report(report)
        assert (await self.bubble(town)).doubled == "certain"
