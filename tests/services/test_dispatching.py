"""The worker's side: each text handed over once, in order, and what is reported afterwards adds up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROSA, STRANGER, Town
from tests.fakes import Loss
from tests.services.steps import (
    LINCOLN,
    ROOSEVELT,
    change,
    due_now,
    handed_over,
    listening,
    message,
    queued,
    report_on,
    rows,
    send,
    state_of,
    the,
)
from tp_inbox.domain.consent import ConsentSource
from tp_inbox.domain.delivery import TOO_OLD, DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import Unavailable
from tp_inbox.domain.pacing import Rates
from tp_inbox.services import dispatching as module
from tp_inbox.services.consent import lock_phones
from tp_inbox.services.dispatching import BEGUN_WITHIN, LEASE, LONGEST_CLOSURE, MOST_ATTEMPTS, Dispatching
from tp_inbox.services.leasing import Leasing
from tp_inbox.services.ports import Ambiguous, NotAccepted
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Campaign, ConsentEvent, Contact, Inbox, Message, Number
from tp_inbox.storage.tables.messages import Doubled, NumberState


def refusal(reason: R, code: str = "30000", *, retry_after: float | None = None) -> NotAccepted:
    return NotAccepted(reason, code, retry=False, retry_after=retry_after)


async def seconds_until_next_try(town: Town, text_id: int) -> float:
    return ((await message(town, text_id)).next_attempt_at - datetime.now(UTC)).total_seconds()


FAST = Rates(sender=1e5, campaign=1e5, account=1e5)


def dispatcher(town: Town, rates: Rates = FAST) -> Dispatching:
    """Another worker's."""
    return Dispatching(town.wired.db, town.gateway, Leasing(town.wired.db, uuid4()), rates)


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
        await town.wired.dispatching.hand_over_due()
        assert seen == [(S.SUBMITTING, None)]

    @pytest.mark.parametrize("reason", [R.INVALID_NUMBER, R.LANDLINE, R.BLOCKED_CONTENT, R.MEDIA_PROBLEM])
    async def test_a_refusal_for_good_is_final_with_its_reason(self, town: Town, reason: R) -> None:
        town.gateway.script(refusal(reason))
        text = await handed_over(town)
        assert (text.state, text.reason, text.code, text.settled_at is not None) == (S.FAILED, reason, "30000", True)
        await due_now(town)
        assert await town.wired.dispatching.hand_over_due() == 0

    @pytest.mark.parametrize("reason", sorted(module.LATER))
    async def test_a_passing_trouble_is_tried_again_later(self, town: Town, reason: R) -> None:
        town.gateway.script(refusal(reason))
        text_id = (await handed_over(town)).id
        assert await state_of(town, text_id) == (S.QUEUED, reason)
        assert await town.wired.dispatching.hand_over_due() == 0
        await due_now(town)
        assert await town.wired.dispatching.hand_over_due() == 1
        assert await state_of(town, text_id) == (S.ACCEPTED, None)

    async def test_the_carriers_own_wait_is_honoured(self, town: Town) -> None:
        town.gateway.script(refusal(R.TOO_BUSY, retry_after=777))
        text_id = (await handed_over(town)).id
        assert 770 < await seconds_until_next_try(town, text_id) <= 777

    async def test_no_wait_is_so_long_that_the_text_grows_old(self, town: Town) -> None:
        town.gateway.script(refusal(R.TOO_BUSY, retry_after=86_400))
        text_id = (await handed_over(town)).id
        assert await seconds_until_next_try(town, text_id) <= LONGEST_CLOSURE

    async def test_the_wait_grows_with_each_try(self, town: Town) -> None:
        text_id, waits = await queued(town), []
        for _ in range(4):
            town.gateway.script(refusal(R.TOO_BUSY))
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
            waits.append(await seconds_until_next_try(town, text_id))
        assert waits == sorted(waits)
        assert waits[-1] > 4 * waits[0]

    async def test_a_carrier_that_is_busy_for_minutes_fails_nothing(self, town: Town) -> None:
        town.gateway.refuse(ROSA, R.TOO_BUSY)
        text_id = await queued(town)
        for _ in range(MOST_ATTEMPTS + 3):
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.QUEUED, R.TOO_BUSY)

    async def test_what_could_not_leave_for_hours_is_held_back(self, town: Town) -> None:
        text_id = await queued(town)
        await change(town, Message, col(Message.id) == text_id, created_at=datetime.now(UTC) - TOO_OLD)
        await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.FAILED, R.EXPIRED)
        assert town.gateway.sent == []

    async def test_nothing_leaves_for_somebody_who_has_been_disabled_meanwhile(self, town: Town) -> None:
        text_id = await queued(town)
        await town.wired.services.staff.disable(town.email("alice"))
        await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.FAILED, R.CANCELED)
        assert town.gateway.sent == []

    async def test_an_unknown_trouble_is_tried_once_more_and_then_final(self, town: Town) -> None:
        town.gateway.refuse(ROSA, R.UNKNOWN)
        text_id = await queued(town)
        for _ in range(4):
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.FAILED, R.UNKNOWN)
        assert len(town.gateway.sent) == 2

    async def test_an_opt_out_that_the_carrier_knows_is_written_down_and_final(self, town: Town) -> None:
        town.gateway.script(refusal(R.OPTED_OUT, "21610"))
        text = await handed_over(town)
        assert (text.state, text.reason) == (S.FAILED, R.OPTED_OUT)
        event = await the(town, ConsentEvent)
        assert (event.source, event.message_id, event.number_id) == (ConsentSource.CARRIER, text.id, text.number_id)

    async def test_when_the_number_is_mended_what_waited_goes(self, town: Town) -> None:
        await change(town, Number, state=NumberState.STOPPED)
        async with town.wired.db.transaction() as session:
            await session.execute(update(Number).values(state=NumberState.ACTIVE))
        assert (await handed_over(town)).state is S.ACCEPTED

    async def test_every_step_is_announced(self, town: Town) -> None:
        await queued(town)
        async with listening(town) as heard:
            await town.wired.dispatching.hand_over_due()
            changes = await heard.all()
        assert [(c.kind, c.thread) for c in changes] == [(ChangeKind.STATUS, await town.school())]


class TestClaiming:
    async def test_a_family_that_is_locked_keeps_no_other_waiting(self, town: Town) -> None:
        locked, free = await queued(town), await queued(town, phone=MIA)
        async with town.wired.db.transaction() as session:
            await lock_phones(session, [town.phones[ROSA]])
            assert await town.wired.dispatching.hand_over_due() == 1
        assert await state_of(town, free) == (S.ACCEPTED, None)
        await town.wired.dispatching.hand_over_due()
        assert await state_of(town, locked) == (S.ACCEPTED, None)

    async def test_two_workers_hand_nothing_over_twice(self, town: Town) -> None:
        threads = [await town.school(), await town.school(phone=MIA), await town.school(ROOSEVELT, OMAR)]
        people = ["alice", "alice", "charlie"]
        for round_ in range(4):
            await asyncio.gather(
                *(send(town, who, thread, f"{round_}") for who, thread in zip(people, threads, strict=True))
            )
        workers = [town.wired.dispatching, *(dispatcher(town) for _ in range(3))]
        while sum(await asyncio.gather(*(w.hand_over_due() for w in workers))):
            pass
        ids = [text.message_id for text in town.gateway.sent]
        assert sorted(ids) == sorted(m.id for m in await rows(town, Message))

    async def test_in_one_thread_one_text_goes_after_the_other(self, town: Town) -> None:
        for words in ("one", "two", "three"):
            await queued(town, words)
        counts = [await town.wired.dispatching.hand_over_due() for _ in range(4)]
        assert counts == [1, 1, 1, 0]
        assert [text.body[-3:] for text in town.gateway.sent] == ["one", "two", "ree"]

    async def test_a_text_that_waits_holds_back_the_next_one_of_its_thread_alone(self, town: Town) -> None:
        town.gateway.script(refusal(R.TOO_BUSY))
        await queued(town, "one")
        await town.wired.dispatching.hand_over_due()
        await queued(town, "two")
        await queued(town, "other family", phone=MIA)
        assert await town.wired.dispatching.hand_over_due() == 1
        assert town.gateway.sent[-1].recipient == MIA

    async def test_a_text_that_failed_holds_back_nothing(self, town: Town) -> None:
        town.gateway.script(refusal(R.BLOCKED_CONTENT))
        await handed_over(town, "one")
        assert (await handed_over(town, "two")).state is S.ACCEPTED

    async def test_when_one_outcome_cannot_be_written_the_others_are(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = await queued(town), await queued(town, phone=MIA)
        real = module.adopt_all

        async def broken(session, taken, source):
            if first in [text.message_id for text, _ in taken]:
                raise Unavailable("gone")
            return await real(session, taken, source)

        monkeypatch.setattr(module, "adopt_all", broken)
        with pytest.raises(Unavailable):
            await town.wired.dispatching.hand_over_due()
        assert [(await message(town, i)).state for i in (first, second)] == [S.SUBMITTING, S.ACCEPTED]


class TestDoubt:
    """An answer that never came: look before sending again."""

    async def test_a_lost_answer_is_looked_up_after_a_minute_and_adopted(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text_id = (await handed_over(town)).id
        assert await state_of(town, text_id) == (S.UNKNOWN, None)
        assert 50 < await seconds_until_next_try(town, text_id) <= town.wired.settings.look_after_seconds
        assert await town.wired.dispatching.look_up_doubtful() == 0
        await due_now(town)
        await town.wired.dispatching.look_up_doubtful()
        found = await message(town, text_id)
        assert (found.state, found.sid in town.gateway.ledger) == (S.ACCEPTED, True)
        assert len(town.gateway.sent) == 1

    async def test_a_lost_question_is_sent_once_more(self, town: Town) -> None:
        town.gateway.script(Loss.BEFORE)
        text_id = (await handed_over(town)).id
        await due_now(town)
        await town.wired.dispatching.look_up_doubtful()
        assert await state_of(town, text_id) == (S.QUEUED, None)
        await due_now(town)
        await town.wired.dispatching.hand_over_due()
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
                await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.SUBMITTING, None)
        assert await seconds_until_next_try(town, text_id) <= LEASE.total_seconds()
        for _ in range(3):
            await due_now(town)
            await town.wired.dispatching.look_up_doubtful()
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.ACCEPTED, None)
        assert len(town.gateway.ledger) == 1

    async def test_a_claim_that_is_fresh_is_left_to_its_worker(self, town: Town) -> None:
        text_id = await queued(town)
        await town.wired.dispatching._renew()
        await town.wired.dispatching._look_for_lanes()
        await town.wired.dispatching._claim()
        assert await town.wired.dispatching.look_up_doubtful() == 0
        assert await town.wired.dispatching.hand_over_due() == 0
        assert (await message(town, text_id)).state is S.SUBMITTING

    async def test_while_the_carrier_is_away_the_doubt_stays(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text_id = (await handed_over(town)).id
        town.gateway.away = True
        await due_now(town)
        await town.wired.dispatching.look_up_doubtful()
        assert await state_of(town, text_id) == (S.UNKNOWN, None)
        town.gateway.away = False
        await due_now(town)
        await town.wired.dispatching.look_up_doubtful()
        assert await state_of(town, text_id) == (S.ACCEPTED, None)

    async def test_the_same_words_a_while_before_are_not_taken_for_it(self, town: Town) -> None:
        await handed_over(town, "introduction")
        earlier = await handed_over(town, "OK")
        minutes = timedelta(minutes=5, seconds=30)
        await change(town, Message, col(Message.id) == earlier.id, handed_over_at=datetime.now(UTC) - minutes)
        town.gateway.script(Loss.BEFORE)
        text_id = (await handed_over(town, "OK")).id
        await due_now(town)
        await town.wired.dispatching.look_up_doubtful()
        assert await state_of(town, text_id) == (S.QUEUED, None)

    async def test_a_carrier_that_never_answers_leaves_it_failed_and_uncertain(self, town: Town) -> None:
        town.gateway.script(*[Loss.BEFORE] * 20)
        text_id = await queued(town)
        for _ in range(MOST_ATTEMPTS + 2):
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
            await due_now(town)
            await town.wired.dispatching.look_up_doubtful()
        assert await state_of(town, text_id) == (S.FAILED, R.UNCERTAIN)
        assert len(town.gateway.sent) == MOST_ATTEMPTS

    async def test_what_was_surely_refused_does_not_count_against_a_lost_answer(self, town: Town) -> None:
        town.gateway.script(*[refusal(R.CARRIER_PROBLEM)] * MOST_ATTEMPTS, Loss.BEFORE)
        text_id = await queued(town)
        for _ in range(MOST_ATTEMPTS + 1):
            await due_now(town)
            await town.wired.dispatching.hand_over_due()
        await due_now(town)
        await town.wired.dispatching.look_up_doubtful()
        await due_now(town)
        await town.wired.dispatching.hand_over_due()
        assert await state_of(town, text_id) == (S.ACCEPTED, None)

    async def test_a_worker_that_slept_with_a_claim_hands_nothing_over(self, town: Town) -> None:
        text_id, worker = await queued(town), town.wired.dispatching
        await worker._renew()
        await worker._look_for_lanes()
        (claimed,) = await worker._claim()
        await worker._begin(claimed._replace(claimed_at=claimed.claimed_at - BEGUN_WITHIN))
        assert town.gateway.sent == []
        assert await state_of(town, text_id) == (S.SUBMITTING, None)

    async def test_a_refusal_that_comes_after_the_next_claim_changes_nothing(self, town: Town) -> None:
        """Else the text would leave a third time, with nobody looking after the second."""
        text_id, worker = await queued(town), town.wired.dispatching
        await worker._renew()
        await worker._look_for_lanes()
        (claimed,) = await worker._claim()
        await due_now(town)
        await worker.look_up_doubtful()
        await due_now(town)
        await worker._look_for_lanes()
        await worker._claim()
        await worker._write(claimed, refusal(R.TOO_BUSY))
        assert await state_of(town, text_id) == (S.SUBMITTING, None)

    async def test_a_callback_settles_the_doubt_without_looking(self, town: Town) -> None:
        town.gateway.script(Loss.AFTER)
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.DELIVERED))
        await due_now(town)
        assert await town.wired.dispatching.look_up_doubtful() == 0
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_four_thousand_faulty_sends_in_small(self, town: Town) -> None:
        """Every kind of fault in every order: nothing lost, nothing doubled."""
        for faults in permutations([Loss.BEFORE, Loss.AFTER, refusal(R.TOO_BUSY), Ambiguous("500")], 2):
            town.gateway.script(*faults)
            text_id = await queued(town, f"{faults}")
            for _ in range(6):
                await due_now(town)
                await town.wired.dispatching.hand_over_due()
                await due_now(town)
                await town.wired.dispatching.look_up_doubtful()
            assert (await message(town, text_id)).state is S.ACCEPTED
            town.gateway._script.clear()
        assert len(town.gateway.ledger) == len(await rows(town, Message))


async def announced(town: Town, *phones: str, words: str = "School is closed tomorrow.") -> None:
    inbox = (await the(town, Inbox, col(Inbox.school_id) == town.schools[LINCOLN])).id
    ids = [town.phones[phone] for phone in phones]
    await town.wired.services.announcing.queue(await town.actor("dora"), inbox, ids, words, uuid4())


async def hands_over(worker: Dispatching, times: int = 3) -> int:
    """Looks so often, without waiting in between."""
    return sum([await worker.hand_over_due() for _ in range(times)])


class Clock:
    """Goes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def slow_worker(town: Town, clock: Clock, **rates: float) -> Dispatching:
    pace = Rates(**{"sender": 1e5, "campaign": 1e5, "account": 1e5} | rates)
    return Dispatching(town.wired.db, town.gateway, Leasing(town.wired.db, uuid4()), pace, clock=clock)


class TestPace:
    @pytest.mark.parametrize("narrow", ["sender", "campaign", "account"])
    async def test_what_is_one_of_many_leaves_as_fast_as_the_narrowest_rate(
        self, town: Town, clock: Clock, narrow: str
    ) -> None:
        worker = slow_worker(town, clock, **{narrow: 1.0})
        for n in range(6):
            await announced(town, ROSA, MIA, words=f"{n}")
        assert await hands_over(worker) == 1
        for _ in range(4):
            clock.now += 3.0  # a first text has two segments
            assert await hands_over(worker) in (1, 2, 3)
        assert len(town.gateway.sent) < 12

    async def test_an_answer_leaves_at_once_from_a_number_with_a_long_queue(self, town: Town, clock: Clock) -> None:
        worker = slow_worker(town, clock, sender=1.0)
        for n in range(6):
            await announced(town, ROSA, MIA, words=f"{n}")
        await hands_over(worker)
        row = await send(town, "alice", await town.school(), "Yes, of course.")
        await hands_over(worker, 1)
        assert (await message(town, row.id)).state is S.ACCEPTED

    async def test_a_number_with_a_long_queue_starves_no_other(self, town: Town, clock: Clock) -> None:
        worker = slow_worker(town, clock, sender=1.0)
        for n in range(6):
            await announced(town, ROSA, MIA, words=f"{n}")
        elsewhere = [(await send(town, "charlie", await town.school(ROOSEVELT, OMAR), f"{n}")).id for n in range(3)]
        await hands_over(worker, 4)
        assert {(await message(town, i)).state for i in elsewhere} == {S.ACCEPTED}

    async def test_no_more_lies_at_the_carrier_than_it_sends_in_ten_minutes(self, town: Town, clock: Clock) -> None:
        worker = slow_worker(town, clock, sender=1.0)
        await announced(town, ROSA)
        first = (await rows(town, Message))[0].id
        await hands_over(worker)
        await change(town, Message, col(Message.id) == first, segments=600)
        await announced(town, ROSA, MIA)
        clock.now += 3600
        assert await hands_over(worker) == 0
        row = await send(town, "alice", await town.school(), "An answer finds room.")
        assert await hands_over(worker) == 1
        assert (await message(town, row.id)).state is S.ACCEPTED
        await change(town, Message, col(Message.id) == first, state=S.SENT)
        clock.now += 60
        assert await hands_over(worker) > 0

    async def test_a_busy_carrier_slows_the_campaign_down_for_whoever_paces_it(self, town: Town, clock: Clock) -> None:
        worker = slow_worker(town, clock)
        town.gateway.script(refusal(R.TOO_BUSY))
        await queued(town)
        await hands_over(worker, 1)
        number = await the(town, Number, col(Number.school_id) == town.schools[LINCOLN])
        assert (await the(town, Campaign, col(Campaign.id) == number.campaign_id)).slowed_at is not None
        assert worker._pace._campaigns[number.campaign_id].part(clock.now) == pytest.approx(0.5)
        await worker._leasing.let_go()
        other = slow_worker(town, clock)
        await hands_over(other, 1)
        assert other._pace._campaigns[number.campaign_id].part(clock.now) == pytest.approx(0.5, abs=0.05)

    async def test_a_busy_carrier_that_a_callback_reports_slows_it_down_too(self, town: Town, clock: Clock) -> None:
        worker = slow_worker(town, clock)
        number = await the(town, Number, col(Number.school_id) == town.schools[LINCOLN])
        await change(town, Campaign, col(Campaign.id) == number.campaign_id, slowed_at=datetime.now(UTC))
        await hands_over(worker, 1)
        assert worker._pace._campaigns[number.campaign_id].part(clock.now) < 0.6

    async def test_the_wait_that_the_carrier_asks_for_is_everybodys(self, town: Town, clock: Clock) -> None:
        worker = slow_worker(town, clock)
        town.gateway.script(refusal(R.TOO_BUSY, retry_after=30))
        await queued(town)
        await hands_over(worker, 1)
        elsewhere = (await send(town, "charlie", await town.school(ROOSEVELT, OMAR))).id
        clock.now += 29
        assert await hands_over(worker) == 0
        clock.now += 2
        await hands_over(worker)
        assert (await message(town, elsewhere)).state is S.ACCEPTED

    async def test_it_says_when_to_look_again(self, town: Town, clock: Clock) -> None:
        worker = slow_worker(town, clock, sender=4.0)
        await announced(town, ROSA, MIA)
        await worker.start_due()
        wait = await worker.start_due()
        assert 0 < wait <= 1
        await worker.stop()


class TestHandedOverAsItShould:
    async def test_the_carrier_must_not_send_what_is_too_old_by_then(self, town: Town) -> None:
        fresh, old = await queued(town), await queued(town, phone=MIA)
        hours = timedelta(hours=3, minutes=59)
        await change(town, Message, col(Message.id) == old, created_at=datetime.now(UTC) - hours)
        await town.wired.dispatching.hand_over_due()
        valid = {t.message_id: t.valid_seconds for t in town.gateway.sent}
        assert 14_300 < valid[fresh] <= 14_400
        assert 1 <= valid[old] <= 60

    async def test_before_it_is_sent_again_it_is_marked_that_the_family_may_have_it_twice(self, town: Town) -> None:
        town.gateway.script(Loss.BEFORE)
        text_id = (await handed_over(town)).id
        assert (await message(town, text_id)).doubled is None
        await due_now(town)
        await town.wired.dispatching.look_up_doubtful()
        marked = await message(town, text_id)
        assert (marked.state, marked.doubled) == (S.QUEUED, Doubled.POSSIBLE)

    async def test_what_was_surely_refused_is_no_possible_double(self, town: Town) -> None:
        town.gateway.script(refusal(R.TOO_BUSY))
        text_id = (await handed_over(town)).id
        await due_now(town)
        await town.wired.dispatching.hand_over_due()
        assert (await message(town, text_id)).doubled is None

    async def test_failure_14_a_number_that_changes_while_it_is_queued_changes_no_queued_text(self, town: Town) -> None:
        text_id = await queued(town)
        await change(town, Contact, col(Contact.name) == "Rosa Lopez", phone_id=town.phones[STRANGER])
        await town.wired.dispatching.hand_over_due()
        assert [(t.message_id, t.recipient) for t in town.gateway.sent] == [(text_id, ROSA)]

    async def test_the_slowest_keeps_nobody_waiting(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        slow, may_answer = await queued(town), asyncio.Event()
        real = town.gateway.send

        async def answers(text):
            if text.message_id == slow:
                await may_answer.wait()
            return await real(text)

        monkeypatch.setattr(town.gateway, "send", answers)
        worker = town.wired.dispatching
        await worker.start_due()
        quick = await queued(town, phone=MIA)
        async with asyncio.timeout(5):
            while (await message(town, quick)).state is not S.ACCEPTED:
                await worker.start_due()
        assert (await message(town, slow)).state is S.SUBMITTING
        may_answer.set()
        await worker.stop()
        assert (await message(town, slow)).state is S.ACCEPTED
