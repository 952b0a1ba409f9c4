"""The worker's side: each text handed over once, in order, and what is reported afterwards adds up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import update
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROOSEVELT_NUMBER, ROSA, Town
from tests.fakes import Loss
from tests.services.steps import (
    LINCOLN,
    ROOSEVELT,
    change,
    due_now,
    listening,
    message,
    receive,
    report_on,
    rows,
    send,
    text_from,
    the,
)
from tp_inbox.domain.consent import ConsentSource
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R, explain
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import delivering as module
from tp_inbox.services.delivering import LEASE, LOOK_AFTER, MOST_ATTEMPTS, TOO_OLD, Delivering
from tp_inbox.services.ports import Accepted, Ambiguous, CarrierAway, CarrierText, NotAccepted, StatusReport
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import ConsentEvent, DeliveryEvent, Message, Number, Watermark
from tp_inbox.storage.tables.messages import Direction, NumberState


async def queued(town: Town, words: str = "Mia did well today.", phone: str = ROSA) -> int:
    return (await send(town, "alice", await town.school(phone=phone), words)).id


async def handed_over(town: Town, words: str = "Mia did well today.") -> Message:
    """A text that the carrier has."""
    text_id = await queued(town, words)
    await town.wired.delivering.hand_over_due()
    return await message(town, text_id)


async def state_of(town: Town, text_id: int) -> tuple[S, R | None]:
    now = await message(town, text_id)
    return now.state, now.reason


def refusal(reason: R, code: str = "30000", *, retry_after: float | None = None) -> NotAccepted:
    return NotAccepted(reason, code, retry=False, retry_after=retry_after)


async def seconds_until_next_try(town: Town, text_id: int) -> float:
    return ((await message(town, text_id)).next_attempt_at - datetime.now(UTC)).total_seconds()


class TestHandover:
    async def test_what_the_carrier_takes_has_its_sid(self, town: Town) -> None:
        text = await handed_over(town)
        assert (text.state, text.attempts, text.sid in town.gateway.ledger) == (S.ACCEPTED, 1, True)
        assert [(t.message_id, t.sender, t.recipient, t.body) for t in town.gateway.sent] == [
            (text.id, LINCOLN_NUMBER, ROSA, text.body)
        ]

    async def test_it_is_written_down_as_being_handed_over_before_the_network_is_touched(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id, seen = await queued(town), []
        real = town.gateway.send

        async def watched(text):
            seen.append(await state_of(town, text_id))
            return await real(text)

        monkeypatch.setattr(town.gateway, "send", watched)
        await town.wired.delivering.hand_over_due()
        assert seen == [(S.SUBMITTING, None)]

    @pytest.mark.parametrize("reason", [R.INVALID_NUMBER, R.LANDLINE, R.BLOCKED_CONTENT, R.MEDIA_PROBLEM])
    async def test_a_refusal_for_good_is_final_with_its_reason(self, town: Town, reason: R) -> None:
        town.gateway.script(refusal(reason))
        text = await handed_over(town)
        assert (text.state, text.reason, text.code, text.settled_at is not None) == (S.FAILED, reason, "30000", True)
        await due_now(town)
        assert await town.wired.delivering.hand_over_due() == 0

    @pytest.mark.parametrize("reason", sorted(module.LATER))
    async def test_a_passing_trouble_is_tried_again_later(self, town: Town, reason: R) -> None:
        town.gateway.script(refusal(reason))
        text_id = (await handed_over(town)).id
        assert await state_of(town, text_id) == (S.QUEUED, reason)
        assert await town.wired.delivering.hand_over_due() == 0
        await due_now(town)
        assert await town.wired.delivering.hand_over_due() == 1
        assert await state_of(town, text_id) == (S.ACCEPTED, None)

    async def test_the_carriers_own_wait_is_honoured(self, town: Town) -> None:
        town.gateway.script(refusal(R.TOO_BUSY, retry_after=777))
        text_id = (await handed_over(town)).id
        assert 770 < await seconds_until_next_try(town, text_id) <= 777

    async def test_the_wait_grows_with_each_try(self, town: Town) -> None:
        text_id, waits = await queued(town), []
        for _ in range(4):
            town.gateway.script(refusal(R.TOO_BUSY))
            await due_now(town)
            await town.wired.delivering.hand_over_due()
            waits.append(await seconds_until_next_try(town, text_id))
        assert waits == sorted(waits)
        assert waits[-1] > 4 * waits[0]

    async def test_a_carrier_that_is_busy_for_minutes_fails_nothing(self, town: Town) -> None:
        town.gateway.refuse(ROSA, R.TOO_BUSY)
        text_id = await queued(town)
        for _ in range(MOST_ATTEMPTS + 3):
            await due_now(town)
            await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.QUEUED, R.TOO_BUSY)

    async def test_what_could_not_leave_for_hours_is_held_back(self, town: Town) -> None:
        text_id = await queued(town)
        await change(town, Message, col(Message.id) == text_id, created_at=datetime.now(UTC) - TOO_OLD)
        await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.FAILED, R.EXPIRED)
        assert town.gateway.sent == []

    async def test_nothing_leaves_for_somebody_who_has_been_disabled_meanwhile(self, town: Town) -> None:
        text_id = await queued(town)
        await town.wired.services.staff.disable(town.email("alice"))
        await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.FAILED, R.CANCELED)
        assert town.gateway.sent == []

    async def test_an_unknown_trouble_is_tried_once_more_and_then_final(self, town: Town) -> None:
        town.gateway.refuse(ROSA, R.UNKNOWN)
        text_id = await queued(town)
        for _ in range(4):
            await due_now(town)
            await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.FAILED, R.UNKNOWN)
        assert len(town.gateway.sent) == 2

    async def test_an_opt_out_that_the_carrier_knows_is_written_down_and_final(self, town: Town) -> None:
        town.gateway.script(refusal(R.OPTED_OUT, "21610"))
        text = await handed_over(town)
        assert (text.state, text.reason) == (S.FAILED, R.OPTED_OUT)
        event = await the(town, ConsentEvent)
        assert (event.source, event.message_id, event.number_id) == (ConsentSource.CARRIER, text.id, text.number_id)

    @pytest.mark.parametrize("reason", sorted(module.STOPS_THE_SENDER))
    async def test_a_trouble_of_our_own_stops_the_number_and_the_rest_waits(self, town: Town, reason: R) -> None:
        town.gateway.script(refusal(reason, "30034"))
        first, second = await queued(town, "one"), await queued(town, "two", phone=MIA)
        elsewhere = await send(town, "charlie", await town.school(ROOSEVELT, OMAR))
        await change(town, Message, col(Message.id) == second, next_attempt_at=datetime.now(UTC) + timedelta(hours=1))
        await town.wired.delivering.hand_over_due()
        await due_now(town)
        await town.wired.delivering.hand_over_due()
        assert await state_of(town, first) == (S.FAILED, reason)
        assert await state_of(town, second) == (S.QUEUED, None)
        assert (await message(town, elsewhere.id)).state is S.ACCEPTED
        number = await the(town, Number, col(Number.school_id) == town.schools[LINCOLN])
        assert number.state is NumberState.STOPPED
        assert number.problem == explain(reason).sentence

    async def test_when_the_number_is_mended_what_waited_goes(self, town: Town) -> None:
        await change(town, Number, state=NumberState.STOPPED)
        async with town.wired.db.transaction() as session:
            await session.execute(update(Number).values(state=NumberState.ACTIVE))
        assert (await handed_over(town)).state is S.ACCEPTED

    async def test_every_step_is_announced(self, town: Town) -> None:
        await queued(town)
        async with listening(town) as heard:
            await town.wired.delivering.hand_over_due()
            changes = await heard.all()
        assert [(c.kind, c.thread) for c in changes] == [(ChangeKind.STATUS, await town.school())]

    async def test_of_5000_texts_the_bad_numbers_stop_nobody_else(self, town: Town) -> None:
        """A small five thousand: what counts is that one in a hundred fails and the others go."""
        town.gateway.refuse(OMAR, R.INVALID_NUMBER)
        bad = (await send(town, "charlie", await town.school(ROOSEVELT, OMAR))).id
        good = [await queued(town, phone=phone) for phone in (ROSA, MIA)]
        await town.wired.delivering.hand_over_due()
        assert (await message(town, bad)).state is S.FAILED
        assert {(await message(town, i)).state for i in good} == {S.ACCEPTED}


class TestClaiming:
    async def test_two_workers_hand_nothing_over_twice(self, town: Town) -> None:
        threads = [await town.school(), await town.school(phone=MIA), await town.school(ROOSEVELT, OMAR)]
        people = ["alice", "alice", "charlie"]
        for round_ in range(4):
            await asyncio.gather(
                *(send(town, who, thread, f"{round_}") for who, thread in zip(people, threads, strict=True))
            )
        workers = [Delivering(town.wired.db, town.gateway, town.wired.receiving) for _ in range(4)]
        while sum(await asyncio.gather(*(w.hand_over_due() for w in workers))):
            pass
        ids = [text.message_id for text in town.gateway.sent]
        assert sorted(ids) == sorted(m.id for m in await rows(town, Message))

    async def test_in_one_thread_one_text_goes_after_the_other(self, town: Town) -> None:
        for words in ("one", "two", "three"):
            await queued(town, words)
        counts = [await town.wired.delivering.hand_over_due() for _ in range(4)]
        assert counts == [1, 1, 1, 0]
        assert [text.body[-3:] for text in town.gateway.sent] == ["one", "two", "ree"]

    async def test_a_text_that_waits_holds_back_the_next_one_of_its_thread_alone(self, town: Town) -> None:
        town.gateway.script(refusal(R.TOO_BUSY))
        await queued(town, "one")
        await town.wired.delivering.hand_over_due()
        await queued(town, "two")
        await queued(town, "other family", phone=MIA)
        assert await town.wired.delivering.hand_over_due() == 1
        assert town.gateway.sent[-1].recipient == MIA

    async def test_a_text_that_failed_holds_back_nothing(self, town: Town) -> None:
        town.gateway.script(refusal(R.BLOCKED_CONTENT))
        await handed_over(town, "one")
        assert (await handed_over(town, "two")).state is S.ACCEPTED

    async def test_when_one_outcome_cannot_be_written_the_others_are(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = await queued(town), await queued(town, phone=MIA)
        real = module._write_outcome

        async def broken(session, text, outcome):
            if text.id == first:
                raise Unavailable("gone")
            await real(session, text, outcome)

        monkeypatch.setattr(module, "_write_outcome", broken)
        with pytest.raises(Unavailable):
            await town.wired.delivering.hand_over_due()
        assert [(await message(town, i)).state for i in (first, second)] == [S.SUBMITTING, S.ACCEPTED]


class TestDoubt:
    """An answer that never came: look before sending again."""

    async def test_a_lost_answer_is_looked_up_after_a_minute_and_adopted(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text_id = (await handed_over(town)).id
        assert await state_of(town, text_id) == (S.UNKNOWN, None)
        assert 50 < await seconds_until_next_try(town, text_id) <= LOOK_AFTER.total_seconds()
        assert await town.wired.delivering.look_up_doubtful() == 0
        await due_now(town)
        await town.wired.delivering.look_up_doubtful()
        found = await message(town, text_id)
        assert (found.state, found.sid in town.gateway.ledger) == (S.ACCEPTED, True)
        assert len(town.gateway.sent) == 1

    async def test_a_lost_question_is_sent_once_more(self, town: Town) -> None:
        town.gateway.script(Loss.BEFORE)
        text_id = (await handed_over(town)).id
        await due_now(town)
        await town.wired.delivering.look_up_doubtful()
        assert await state_of(town, text_id) == (S.QUEUED, None)
        await due_now(town)
        await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.ACCEPTED, None)
        assert len(town.gateway.ledger) == 1

    @pytest.mark.parametrize("loss", list(Loss))
    async def test_a_worker_that_dies_with_a_text_in_hand_doubles_and_loses_nothing(
        self, town: Town, loss: Loss, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id = await queued(town)
        real = town.gateway.send

        async def die(text):
            if loss is Loss.AFTER:
                await real(text)
            raise asyncio.CancelledError

        with monkeypatch.context() as patched:
            patched.setattr(town.gateway, "send", die)
            with pytest.raises(asyncio.CancelledError):
                await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.SUBMITTING, None)
        assert await seconds_until_next_try(town, text_id) <= LEASE.total_seconds()
        for _ in range(3):
            await due_now(town)
            await town.wired.delivering.look_up_doubtful()
            await due_now(town)
            await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.ACCEPTED, None)
        assert len(town.gateway.ledger) == 1

    async def test_a_claim_that_is_fresh_is_left_to_its_worker(self, town: Town) -> None:
        text_id = await queued(town)
        await town.wired.delivering._claim()
        assert await town.wired.delivering.look_up_doubtful() == 0
        assert await town.wired.delivering.hand_over_due() == 0
        assert (await message(town, text_id)).state is S.SUBMITTING

    async def test_while_the_carrier_is_away_the_doubt_stays(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text_id = (await handed_over(town)).id
        town.gateway.away = True
        await due_now(town)
        await town.wired.delivering.look_up_doubtful()
        assert await state_of(town, text_id) == (S.UNKNOWN, None)
        town.gateway.away = False
        await due_now(town)
        await town.wired.delivering.look_up_doubtful()
        assert await state_of(town, text_id) == (S.ACCEPTED, None)

    async def test_the_same_words_a_while_before_are_not_taken_for_it(self, town: Town) -> None:
        await handed_over(town, "introduction")
        earlier = await handed_over(town, "OK")
        minutes = timedelta(minutes=5, seconds=30)
        await change(town, Message, col(Message.id) == earlier.id, handed_over_at=datetime.now(UTC) - minutes)
        town.gateway.script(Loss.BEFORE)
        text_id = (await handed_over(town, "OK")).id
        await due_now(town)
        await town.wired.delivering.look_up_doubtful()
        assert await state_of(town, text_id) == (S.QUEUED, None)

    async def test_a_carrier_that_never_answers_leaves_it_failed_and_uncertain(self, town: Town) -> None:
        town.gateway.script(*[Loss.BEFORE] * 20)
        text_id = await queued(town)
        for _ in range(MOST_ATTEMPTS + 2):
            await due_now(town)
            await town.wired.delivering.hand_over_due()
            await due_now(town)
            await town.wired.delivering.look_up_doubtful()
        assert await state_of(town, text_id) == (S.FAILED, R.UNCERTAIN)
        assert len(town.gateway.sent) == MOST_ATTEMPTS

    async def test_a_callback_settles_the_doubt_without_looking(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text = await handed_over(town)
        await town.wired.delivering.report(report_on(text, S.DELIVERED))
        await due_now(town)
        assert await town.wired.delivering.look_up_doubtful() == 0
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_four_thousand_faulty_sends_in_small(self, town: Town) -> None:
        """Every kind of fault in every order: nothing lost, nothing doubled."""
        for faults in permutations([Loss.BEFORE, Loss.AFTER, refusal(R.TOO_BUSY), Ambiguous("500")], 2):
            town.gateway.script(*faults)
            text_id = await queued(town, f"{faults}")
            for _ in range(6):
                await due_now(town)
                await town.wired.delivering.hand_over_due()
                await due_now(town)
                await town.wired.delivering.look_up_doubtful()
            assert (await message(town, text_id)).state is S.ACCEPTED
            town.gateway._script.clear()
        assert len(town.gateway.ledger) == len(await rows(town, Message))


class TestReports:
    async def test_every_order_of_the_same_reports_ends_delivered(self, town: Town) -> None:
        for order in permutations([S.ACCEPTED, S.SENDING, S.SENT, S.DELIVERED]):
            text = await handed_over(town)
            for state in order:
                await town.wired.delivering.report(report_on(text, state))
            assert await state_of(town, text.id) == (S.DELIVERED, None)
            kept = await rows(town, DeliveryEvent, col(DeliveryEvent.message_id) == text.id)
            assert {event.state for event in kept} == set(order)

    async def test_a_failure_keeps_its_reason_in_whatever_order_reports_come(self, town: Town) -> None:
        reports = [(S.SENT, None, None), (S.UNDELIVERED, None, None), (S.UNDELIVERED, R.LANDLINE, "30006")]
        for order in permutations([*reports, reports[0]]):
            text = await handed_over(town)
            for report in order:
                await town.wired.delivering.report(report_on(text, *report))
            assert await state_of(town, text.id) == (S.UNDELIVERED, R.LANDLINE)

    async def test_delivered_overrules_a_failure(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.delivering.report(report_on(text, S.UNDELIVERED, R.UNREACHABLE, "30003"))
        await town.wired.delivering.report(report_on(text, S.DELIVERED))
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_the_same_report_fifty_times_at_once_is_one_event_and_one_push(self, town: Town) -> None:
        text = await handed_over(town)
        async with listening(town) as heard:
            report = report_on(text, S.DELIVERED)
            await asyncio.gather(*(town.wired.delivering.report(report) for _ in range(50)))
            assert await heard.kinds() == [ChangeKind.STATUS]
        assert len(await rows(town, DeliveryEvent, col(DeliveryEvent.state) == S.DELIVERED)) == 1

    async def test_a_callback_before_our_own_write_is_believed_and_the_answer_changes_nothing(
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
            await town.wired.delivering.report(report)
            return accepted

        monkeypatch.setattr(town.gateway, "send", callback_first)
        await town.wired.delivering.hand_over_due()
        text = await message(town, text_id)
        assert (text.state, text.sid in town.gateway.ledger) == (S.DELIVERED, True)

    @pytest.mark.parametrize("answer", [Ambiguous(None), refusal(R.TOO_BUSY)])
    async def test_what_a_callback_has_told_no_lost_answer_undoes(
        self, town: Town, answer: Ambiguous | NotAccepted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id = await queued(town)

        async def callback_then_loss(text):
            await town.wired.delivering.report(report_on(await message(town, text_id), S.SENT))
            return answer

        monkeypatch.setattr(town.gateway, "send", callback_then_loss)
        await town.wired.delivering.hand_over_due()
        assert await state_of(town, text_id) == (S.SENT, None)

    async def test_a_callback_that_names_another_recipient_is_kept_and_changes_nothing(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text = await handed_over(town)
        await town.wired.delivering.report(replace(report_on(text, S.DELIVERED), recipient=OMAR))
        assert await state_of(town, text.id) == (S.UNKNOWN, None)
        assert (await the(town, DeliveryEvent)).message_id is None

    async def test_a_callback_with_another_sid_than_ours_changes_nothing(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.delivering.report(replace(report_on(text, S.DELIVERED), sid="SM" + "e" * 32))
        assert await state_of(town, text.id) == (S.ACCEPTED, None)

    async def test_a_report_about_a_text_that_nobody_knows_is_kept(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        report = StatusReport(None, "SM" + "d" * 32, LINCOLN_NUMBER, ROSA, S.DELIVERED, None, None, {})
        await town.wired.delivering.report(report)
        assert (await the(town, DeliveryEvent)).sid == "SM" + "d" * 32
        assert "do not know" in caplog.text

    async def test_a_report_with_a_word_that_nobody_knows_is_kept_and_changes_nothing(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.delivering.report(report_on(text, None))
        assert await state_of(town, text.id) == (S.ACCEPTED, None)
        assert None in {event.state for event in await rows(town, DeliveryEvent)}

    async def test_a_familys_text_is_no_text_of_ours(self, town: Town) -> None:
        await receive(town)
        text = await the(town, Message)
        await town.wired.delivering.report(report_on(text, S.FAILED, R.BLOCKED_CONTENT))
        assert await state_of(town, text.id) == (S.RECEIVED, None)

    async def test_an_opt_out_that_comes_by_callback_is_written_down_once(self, town: Town) -> None:
        text = await handed_over(town)
        for _ in range(2):
            await town.wired.delivering.report(report_on(text, S.UNDELIVERED, R.OPTED_OUT, "21610"))
        assert (await the(town, ConsentEvent)).source is ConsentSource.CARRIER

    @pytest.mark.parametrize("reason", sorted(module.STOPS_THE_SENDER))
    async def test_a_trouble_of_our_own_that_comes_by_callback_stops_the_number(self, town: Town, reason: R) -> None:
        text = await handed_over(town)
        await town.wired.delivering.report(report_on(text, S.UNDELIVERED, reason, "30034"))
        assert (await the(town, Number, col(Number.id) == text.number_id)).state is NumberState.STOPPED
        others = await rows(town, Number, col(Number.id) != text.number_id)
        assert {number.state for number in others} == {NumberState.ACTIVE}

    async def test_a_text_that_left_from_another_number_raises_an_alarm(
        self, town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await handed_over(town)
        assert "another number" not in caplog.text
        real = town.gateway.send

        async def from_elsewhere(text):
            return await real(replace(text, sender=ROOSEVELT_NUMBER))

        monkeypatch.setattr(town.gateway, "send", from_elsewhere)
        await handed_over(town)
        assert "left from another number" in caplog.text

    async def test_a_report_that_names_another_number_raises_the_alarm_too(
        self, town: Town, caplog: pytest.LogCaptureFixture
    ) -> None:
        text = await handed_over(town)
        await town.wired.delivering.report(replace(report_on(text, S.SENT), sender=ROOSEVELT_NUMBER))
        assert "left from another number" in caplog.text

    async def test_a_second_sid_for_one_text_raises_an_alarm_and_the_first_stays(
        self, town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text_id = await queued(town)
        real = town.gateway.send

        async def twice(text):
            await town.wired.delivering.report(report_on(await message(town, text_id), S.SENT))
            return await real(text)

        monkeypatch.setattr(town.gateway, "send", twice)
        await town.wired.delivering.hand_over_due()
        assert (await message(town, text_id)).sid == "SM" + "9" * 32
        assert "handed over twice" in caplog.text


class TestPolling:
    async def test_a_status_whose_callback_was_lost_is_found(self, town: Town) -> None:
        text = await handed_over(town)
        town.gateway.reports(text.sid or "", S.DELIVERED)
        await town.wired.delivering.poll()
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_what_is_known_already_is_not_asked_of_the_database_one_by_one(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = await handed_over(town)
        town.gateway.reports(text.sid or "", S.DELIVERED)
        await town.wired.delivering.poll()
        taken: list[CarrierText] = []

        async def take(text: CarrierText) -> None:
            taken.append(text)

        monkeypatch.setattr(town.wired.delivering, "_take", take)
        await town.wired.delivering.poll()
        assert taken == []

    async def test_a_text_whose_webhook_was_lost_is_found_once_and_in_its_place(self, town: Town) -> None:
        lost = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "Is Mia there?")
        for _ in range(2):
            await town.wired.delivering.poll()
        await town.wired.receiving.receive(text_from(sid=lost.sid, body="Is Mia there?"))
        assert (await the(town, Message)).body == "Is Mia there?"

    async def test_a_stop_and_a_start_that_were_both_lost_are_heard_in_their_order(self, town: Town) -> None:
        for body in ("STOP", "START"):
            town.gateway.family_texts(ROSA, LINCOLN_NUMBER, body)
        await town.wired.delivering.poll()
        assert (await handed_over(town)).state is S.ACCEPTED

    async def test_the_carriers_own_answer_to_a_stop_is_not_taken_for_ours(self, town: Town) -> None:
        stop = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "STOP")
        answer = replace(
            stop, sid="SM" + "a" * 32, inbound=False, sender=LINCOLN_NUMBER, recipient=ROSA, state=S.DELIVERED
        )
        town.gateway.ledger[answer.sid] = answer
        await town.wired.delivering.poll()
        assert [m.direction for m in await rows(town, Message)] == [Direction.IN]
        assert await rows(town, DeliveryEvent) == []

    async def test_a_text_that_has_no_date_yet_is_asked_for_by_itself(self, town: Town) -> None:
        text = await handed_over(town)
        ledger = town.gateway.ledger
        ledger[text.sid or ""] = replace(ledger[text.sid or ""], state=S.SENDING)
        await town.wired.delivering.poll()
        assert await state_of(town, text.id) == (S.ACCEPTED, None)
        await change(town, Message, handed_over_at=datetime.now(UTC) - timedelta(minutes=1))
        await town.wired.delivering.poll()
        assert await state_of(town, text.id) == (S.SENDING, None)

    async def test_texts_without_a_date_are_asked_for_in_turn(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "UNDATED_A_CYCLE", 1)
        for words in ("one", "two", "three"):
            await handed_over(town, words)
        await change(town, Message, handed_over_at=datetime.now(UTC) - timedelta(minutes=1))
        asked: list[str] = []

        async def fetch(sid: str) -> None:
            asked.append(sid)

        monkeypatch.setattr(town.gateway, "fetch", fetch)
        for _ in range(3):
            await town.wired.delivering.poll()
        assert len(set(asked)) == 3

    async def test_after_hours_without_a_worker_it_goes_on_where_it_was(self, town: Town) -> None:
        await town.wired.delivering.poll()
        await change(town, Watermark, at=datetime.now(UTC) - timedelta(hours=30))
        lost = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "Is Mia there?")
        town.gateway.ledger[lost.sid] = replace(lost, sent_at=datetime.now(UTC) - timedelta(hours=29))
        await town.wired.delivering.poll()
        assert (await the(town, Message)).body == "Is Mia there?"

    async def test_a_new_installation_does_not_import_an_old_accounts_history(self, town: Town) -> None:
        old = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "from another system")
        town.gateway.ledger[old.sid] = replace(old, sent_at=datetime.now(UTC) - timedelta(days=3))
        await town.wired.delivering.poll()
        assert await rows(town, Message) == []

    async def test_a_look_that_is_cut_short_does_not_count(self, town: Town) -> None:
        await town.wired.delivering.poll()
        before = (await the(town, Watermark)).at
        town.gateway.away = True
        with pytest.raises(CarrierAway):
            await town.wired.delivering.poll()
        assert (await the(town, Watermark)).at == before

    async def test_one_text_that_cannot_be_taken_keeps_no_other_from_it(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, "bad")
        town.gateway.family_texts(OMAR, ROOSEVELT_NUMBER, "good")
        real = town.wired.receiving.receive

        async def receive(text):
            if text.sid == bad.sid:
                raise ValueError
            await real(text)

        monkeypatch.setattr(town.wired.receiving, "receive", receive)
        await town.wired.delivering.poll()
        assert (await the(town, Message)).body == "good"

    async def test_more_than_a_page_is_read(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "A_PAGE", 2)
        for number in range(5):
            town.gateway.family_texts(ROSA, LINCOLN_NUMBER, str(number))
        await town.wired.delivering.poll()
        assert [m.body for m in await rows(town, Message)] == ["0", "1", "2", "3", "4"]
