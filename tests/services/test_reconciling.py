"""The nightly comparison: what one ledger has and the other has not is mended, once and in order, or told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, OMAR, ROOSEVELT_NUMBER, ROSA, STRANGER, Town
from tests.fakes import Loss
from tests.services.steps import (
    ALICES_NUMBER,
    change,
    due_now,
    give_number,
    handed_over,
    message,
    queued,
    receive,
    report_on,
    rows,
    state_of,
    text_from,
    the,
)
from tp_inbox import wiring
from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import Invalid, NotAllowed, Unavailable
from tp_inbox.domain.operating import AlertKind, DifferenceKind as D
from tp_inbox.services import reconciling as module
from tp_inbox.services.ports import CarrierAway, CarrierText
from tp_inbox.services.reconciling import RECONCILED, Found
from tp_inbox.storage import locks
from tp_inbox.storage.tables import (
    Alert,
    ConsentEvent,
    DeliveryEvent,
    Difference,
    District,
    EarlierHandover,
    InboundRequest,
    Message,
    Number,
    Reconciliation,
)
from tp_inbox.storage.tables.messages import Direction, Doubled, Purpose

HOURS = timedelta(hours=1)


def ago(hours: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - hours * HOURS


def missed(town: Town, body: str, hours: float = 5, sender: str = ROSA, to: str = LINCOLN_NUMBER) -> CarrierText:
    """A family's text that the carrier has, and that never came here."""
    text = town.gateway.family_texts(sender, to, body)
    town.gateway.ledger[text.sid] = replace(text, sent_at=ago(hours), created_at=ago(hours))
    return town.gateway.ledger[text.sid]


def theirs(town: Town, sid: str, hours: float, **changes: object) -> CarrierText:
    """How the carrier has a text of ours, which left so many hours ago."""
    changes = {"sent_at": ago(hours), "created_at": ago(hours), **changes}
    town.gateway.ledger[sid] = replace(town.gateway.ledger[sid], **changes)
    return town.gateway.ledger[sid]


async def left(town: Town, hours: float = 5, state: S = S.DELIVERED, words: str = "Mia did well today.") -> Message:
    """A text that left so many hours ago, and stands alike in both ledgers."""
    text = await handed_over(town, words)
    await moved_back(town, text.id, hours)
    theirs(town, text.sid or "", hours, state=state)
    await town.wired.reporting.report(report_on(text, state))
    return await message(town, text.id)


async def moved_back(town: Town, text_id: int, hours: float) -> None:
    await change(town, Message, col(Message.id) == text_id, created_at=ago(hours), handed_over_at=ago(hours))


async def unknown(town: Town, hours: float = 5, body: str = "Mia did well today.") -> CarrierText:
    """A text from Lincoln's number that nobody here knows of."""
    text = town.gateway.family_texts(ROSA, LINCOLN_NUMBER, body)
    changed = {"inbound": False, "sender": LINCOLN_NUMBER, "recipient": ROSA, "state": S.DELIVERED}
    return theirs(town, text.sid, hours, **changed)


async def reconcile(town: Town) -> Found:
    return await town.wired.reconciling.reconcile()


async def everything(town: Town) -> list[object]:
    """All that a second comparison could have changed."""
    tables = (Message, DeliveryEvent, EarlierHandover, InboundRequest, ConsentEvent, Difference, Alert)
    return [row.model_dump() for table in tables for row in await rows(town, table)]


class TestMissing:
    async def test_failure_19_what_the_provider_had_and_we_never_did_is_inserted_once_and_in_order(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "A_PAGE", 2)
        await receive(town, "I am here.")
        for number in range(12):
            missed(town, f"Text {number}", hours=24 - number / 2)
        found = await reconcile(town)
        assert (found.mended, found.remaining.total()) == ({D.INBOUND_MISSING: 12}, 0)
        shown, _ = await town.wired.services.inboxes.messages(await town.actor("alice"), await town.school())
        assert [bubble.text for bubble in shown] == [*(f"Text {number}" for number in range(12)), "I am here."]
        stored = await rows(town, InboundRequest, col(InboundRequest.source) == "reconciliation")
        assert [request.form["body"] for request in stored] == [f"Text {number}" for number in range(12)]

    async def test_done_again_it_changes_nothing(self, town: Town) -> None:
        missed(town, "Is Mia there?")
        await unknown(town)
        text = await left(town, words="One", state=S.SENT)
        theirs(town, text.sid or "", 5, state=S.DELIVERED)
        copied = await left(town, words="Two")
        town.gateway.ledger["SM" + "e" * 32] = replace(town.gateway.ledger[copied.sid or ""], sid="SM" + "e" * 32)
        elsewhere = await left(town, words="Three")
        theirs(town, elsewhere.sid or "", 5, sender=ROOSEVELT_NUMBER)
        gone = await left(town, words="Four")
        del town.gateway.ledger[gone.sid or ""]
        first = await reconcile(town)
        assert set(first.mended) | set(first.remaining) == set(D)
        before = await everything(town)
        second = await reconcile(town)
        assert (second.mended.total(), second.remaining.total()) == (0, 0)
        assert await everything(town) == before

    async def test_a_webhook_that_comes_after_all_stores_nothing(self, town: Town) -> None:
        lost = missed(town, "Is Mia there?")
        await reconcile(town)
        await town.wired.receiving.receive(text_from(sid=lost.sid, body="Is Mia there?"))
        assert (await the(town, Message)).body == "Is Mia there?"

    async def test_a_stop_that_was_lost_is_heard_before_the_start_that_followed(self, town: Town) -> None:
        missed(town, "STOP", hours=5)
        missed(town, "START", hours=4.5)
        await reconcile(town)
        assert (await handed_over(town)).state is S.ACCEPTED

    async def test_a_text_to_a_number_that_is_not_ours_is_counted_and_left(self, town: Town) -> None:
        missed(town, "Wrong district", to="+19185550100")
        found = await reconcile(town)
        assert (found.elsewhere, found.mended.total(), await rows(town, Message)) == (1, 0, [])

    async def test_what_came_to_a_number_before_it_was_ours_is_left(self, town: Town) -> None:
        await change(town, Number, bought_at=ago(3))
        missed(town, "For somebody else", hours=5)
        assert (await reconcile(town)).elsewhere == 1
        assert await rows(town, Message) == []

    async def test_texts_of_the_last_minutes_are_not_judged(self, town: Town) -> None:
        missed(town, "Just now", hours=0.1)
        await handed_over(town)
        assert (await reconcile(town)).compared == 0
        assert await rows(town, Difference) == []


class TestStrays:
    async def test_a_text_in_doubt_gets_the_sid_that_the_carrier_has_for_it(self, town: Town) -> None:
        text_id = await queued(town)
        town.gateway.script(Loss.AFTER)
        await town.wired.dispatching.hand_over_due()
        (sid,) = town.gateway.ledger
        theirs(town, sid, 1, state=S.DELIVERED)
        await moved_back(town, text_id, 1)
        found = await reconcile(town)
        text = await message(town, text_id)
        assert (text.state, text.sid, text.doubled) == (S.DELIVERED, sid, None)
        assert found.mended == {D.OUTBOUND_MISSING: 1}

    @pytest.mark.parametrize("state", [S.SENT, S.DELIVERED])
    async def test_one_that_we_gave_up_has_left_after_all(self, town: Town, state: S) -> None:
        text_id = await queued(town)
        town.gateway.script(Loss.AFTER)
        await town.wired.dispatching.hand_over_due()
        await change(town, Message, state=S.FAILED, reason=R.UNCERTAIN)
        (sid,) = town.gateway.ledger
        theirs(town, sid, 1, state=state)
        await moved_back(town, text_id, 1)
        await reconcile(town)
        assert await state_of(town, text_id) == (state, None)

    async def test_a_copy_is_told_and_the_text_keeps_its_sid(self, town: Town) -> None:
        text = await left(town)
        copy = "SM" + "e" * 32
        town.gateway.ledger[copy] = replace(town.gateway.ledger[text.sid or ""], sid=copy)
        found = await reconcile(town)
        now = await message(town, text.id)
        assert (now.sid, now.doubled) == (text.sid, Doubled.CERTAIN)
        assert (found.remaining, (await the(town, EarlierHandover)).sid) == ({D.COPY: 1}, copy)
        assert {alert.kind for alert in await rows(town, Alert)} == {AlertKind.DOUBLED, AlertKind.DIFFERENCES}

    async def test_the_same_words_on_another_day_are_no_copy(self, town: Town) -> None:
        await left(town, hours=30)
        await unknown(town, hours=5)
        assert (await reconcile(town)).mended == {D.OUTBOUND_MISSING: 1}

    async def test_a_text_that_nobody_here_wrote_is_shown_where_the_family_met_it(self, town: Town) -> None:
        await unknown(town, body="From the console")
        await reconcile(town)
        (shown,), _ = await town.wired.services.inboxes.messages(await town.actor("vera"), await town.school())
        assert (shown.text, shown.outbound, shown.state) == ("From the console", True, "delivered")
        assert shown.author == "Sent from outside this inbox"
        row, *_ = (await town.wired.services.inboxes.threads(await town.actor("vera"), InboxKind.SCHOOL))[0]
        assert (row.preview, row.unread) == ("From the console", 0)

    async def test_one_from_a_persons_number_is_theirs_alone(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        text = await unknown(town, body="From the console")
        theirs(town, text.sid, 5, sender=ALICES_NUMBER)
        await reconcile(town)
        (shown,), _ = await town.wired.services.inboxes.messages(
            await town.actor("alice"), await town.personal("alice")
        )
        assert shown.text == "From the console"
        assert (await the(town, Message)).purpose is Purpose.FOUND

    async def test_one_that_did_not_arrive_is_not_sent_again_by_us(self, town: Town) -> None:
        text = await unknown(town)
        theirs(town, text.sid, 1, state=S.SENT)
        await reconcile(town)
        shown = await the(town, Message)
        await town.wired.reporting.report(report_on(shown, S.UNDELIVERED, R.UNREACHABLE, "30003"))
        assert await state_of(town, shown.id) == (S.UNDELIVERED, R.UNREACHABLE)

    async def test_a_text_to_a_family_that_nobody_knows_makes_its_conversation(self, town: Town) -> None:
        text = await unknown(town)
        theirs(town, text.sid, 5, recipient="+14155550177")
        await reconcile(town)
        assert (await the(town, Message)).recipient == "+14155550177"

    async def test_a_text_from_a_number_that_is_not_ours_is_counted_and_left(self, town: Town) -> None:
        text = await unknown(town)
        theirs(town, text.sid, 5, sender="+19185550100", recipient=STRANGER)
        assert (await reconcile(town)).elsewhere == 1
        assert await rows(town, Message) == []


class TestStandings:
    async def test_a_status_that_never_came_is_told(self, town: Town) -> None:
        text = await left(town, state=S.SENT)
        theirs(town, text.sid or "", 5, state=S.DELIVERED)
        found = await reconcile(town)
        assert (found.mended, await state_of(town, text.id)) == ({D.STATE: 1}, (S.DELIVERED, None))
        assert await rows(town, Alert) == []

    async def test_what_we_know_better_than_the_carriers_list_is_no_difference(self, town: Town) -> None:
        text = await left(town)
        theirs(town, text.sid or "", 5, state=S.SENT)
        assert (await reconcile(town)).mended.total() == 0
        assert await state_of(town, text.id) == (S.DELIVERED, None)

    async def test_failure_18_a_text_that_left_from_another_number_is_told(self, town: Town) -> None:
        text = await left(town)
        theirs(town, text.sid or "", 5, sender=ROOSEVELT_NUMBER)
        assert (await reconcile(town)).remaining == {D.SENDER: 1}
        told = await the(town, Alert, col(Alert.kind) == AlertKind.WRONG_SENDER)
        assert (told.message_id, told.number_id) == (text.id, text.number_id)

    async def test_a_text_that_the_carrier_does_not_have_is_told(self, town: Town) -> None:
        text = await left(town, state=S.SENT)
        del town.gateway.ledger[text.sid or ""]
        assert (await reconcile(town)).remaining == {D.MISSING_THERE: 1}
        assert (await the(town, Difference)).message_id == text.id
        assert "1 difference " in (await the(town, Alert)).sentence

    async def test_what_the_carrier_never_told_of_is_not_missing(self, town: Town) -> None:
        """As the history with which a demonstration begins."""
        await left(town)
        async with town.wired.db.transaction() as session:
            await session.execute(delete(DeliveryEvent))
        town.gateway.ledger.clear()
        assert (await reconcile(town)).remaining.total() == 0

    async def test_a_text_that_left_later_than_it_was_handed_over_is_not_missing(self, town: Town) -> None:
        text = await left(town, hours=5)
        theirs(town, text.sid or "", 3)
        assert (await reconcile(town)).remaining.total() == 0

    async def test_a_text_that_waits_at_the_carrier_is_not_missing(self, town: Town) -> None:
        text = await handed_over(town)
        await moved_back(town, text.id, 5)
        assert (await reconcile(town)).remaining.total() == 0
        assert await state_of(town, text.id) == (S.ACCEPTED, None)


class TestDoubles:
    async def test_a_possible_double_that_the_carrier_has_once_is_none(self, town: Town) -> None:
        text = await left(town)
        await change(town, Message, doubled=Doubled.POSSIBLE)
        assert (await reconcile(town)).cleared == 1
        assert (await message(town, text.id)).doubled is None

    async def test_a_possible_double_that_the_carrier_has_twice_is_certain(self, town: Town) -> None:
        """The copy waits in the carrier's queue: no list by date has it."""
        text = await left(town)
        await change(town, Message, doubled=Doubled.POSSIBLE)
        copy = "SM" + "e" * 32
        town.gateway.ledger[copy] = replace(
            town.gateway.ledger[text.sid or ""], sid=copy, state=S.ACCEPTED, sent_at=None
        )
        assert (await reconcile(town)).remaining == {D.COPY: 1}
        assert (await message(town, text.id)).doubled is Doubled.CERTAIN

    async def test_one_that_was_sent_again_knowingly_is_not_cleared(self, town: Town) -> None:
        text = await handed_over(town)
        await town.wired.reporting.report(report_on(text, S.UNDELIVERED, R.CARRIER_PROBLEM, "30008"))
        await due_now(town)
        await town.wired.dispatching.hand_over_due()
        await moved_back(town, text.id, 2)
        for sid in town.gateway.ledger:
            theirs(town, sid, 2, state=S.UNDELIVERED if sid == text.sid else S.DELIVERED)
        await reconcile(town)
        assert (await message(town, text.id)).doubled is Doubled.POSSIBLE


class TestComparison:
    async def test_one_text_that_cannot_be_compared_keeps_no_other_from_it(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = missed(town, "bad", hours=6)
        missed(town, "good", sender=OMAR, to=ROOSEVELT_NUMBER)
        real = town.wired.receiving.receive

        async def receive(text, source):
            if text.sid == bad.sid:
                raise ValueError
            await real(text, source)

        monkeypatch.setattr(town.wired.receiving, "receive", receive)
        assert (await reconcile(town)).failed == 1
        assert (await the(town, Message)).body == "good"

    async def test_one_that_is_cut_short_is_not_ended_and_goes_on_the_next_time(self, town: Town) -> None:
        town.gateway.away = True
        with pytest.raises(CarrierAway):
            await reconcile(town)
        assert (await the(town, Reconciliation)).ended_at is None

    async def test_a_time_that_has_not_been_cannot_be_compared(self, town: Town) -> None:
        with pytest.raises(Invalid):
            await town.wired.reconciling.reconcile(since=datetime.now(UTC))

    async def test_a_day_begins_on_the_districts_clock(self, town: Town) -> None:
        await change(town, District, time_zone="America/Chicago")
        start = await town.wired.reconciling.start_of(date(2026, 3, 3))
        assert start == datetime(2026, 3, 3, tzinfo=ZoneInfo("America/Chicago"))

    async def test_it_runs_once_a_night_on_the_districts_clock(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        zone = ZoneInfo("America/Chicago")
        afternoon, night = (datetime(2026, 3, 3, hour, 17, tzinfo=zone).astimezone(UTC) for hour in (15, 2))
        for now, runs in ((afternoon, False), (night, True), (night + HOURS, False), (night + 24 * HOURS, True)):
            monkeypatch.setattr(module, "utc_now", lambda now=now: now)
            assert (await town.wired.reconciling.reconcile_at_night() is not None) is runs
            await change(town, Reconciliation, began_at=now)

    async def test_who_manages_schools_reads_what_was_found_and_nobody_else(self, town: Town) -> None:
        missed(town, "Is Mia there?")
        elsewhere = await left(town)
        theirs(town, elsewhere.sid or "", 5, sender=ROOSEVELT_NUMBER)
        await reconcile(town)
        latest = town.wired.services.reconciliations.latest
        (shown,) = await latest(await town.actor("diana"), 5)
        assert (shown.compared, shown.found, shown.remaining, shown.ended_at != "") == (2, 2, 1, True)
        assert [found.kind for found in shown.differences] == [D.SENDER, D.INBOUND_MISSING]
        assert shown.differences[0].message_id == elsewhere.id
        with pytest.raises(NotAllowed):
            await latest(await town.actor("dora"), 5)

    async def test_what_it_found_is_said_in_plain_words(self, town: Town) -> None:
        assert str(await reconcile(town)).endswith("Both ledgers say the same.")
        missed(town, "Is Mia there?")
        missed(town, "Elsewhere", to="+19185550100")
        told = str(await reconcile(town)).splitlines()
        assert told[1].startswith("1 × A family’s text had never come here.")
        assert told[2] == "Texts of numbers that are not ours: 1"
        assert [m.direction for m in await rows(town, Message)] == [Direction.IN]


class TestCommand:
    async def test_a_carrier_that_does_not_answer_is_said_in_a_sentence(self, town: Town) -> None:
        with pytest.raises(Unavailable, match="does not answer"):
            await wiring.run_reconciliation(town.wired.settings)

    async def test_two_do_not_run_at_one_time(self, town: Town) -> None:
        async with locks.held(town.wired.db, RECONCILED):
            assert "running already" in await wiring.run_reconciliation(town.wired.settings, date(2026, 3, 3))
