"""What staff do: saying what a family's words meant, recording that it wants no more texts, and taking that back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, ROSA, STRANGER, Town
from tests.services.steps import (
    ALICES_NUMBER,
    BOBS_NUMBER,
    LINCOLN,
    ROOSEVELT,
    add,
    change,
    give_number,
    listening,
    receive,
    revoke,
    rows,
    send,
    the,
)
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Refusal
from tp_inbox.services.leaving import Plan
from tp_inbox.services.opened import NOT_OPENED, OPEN_FOR
from tp_inbox.services.unsubscribing import (
    ANSWERED,
    CLOSED_ALREADY,
    LONGEST_NOTE,
    NO_NUMBER,
    NOT_CLOSED,
    THEIR_OWN_WORD,
    WHOLE_DISTRICT,
)
from tp_inbox.services.views import UNKNOWN_CONSENT
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Assignment, AuditEntry, ConsentEvent, Message, OversightReading, Role
from tp_inbox.storage.tables.messages import Purpose, StopQuestion

LIKELY = "Please stop texting me"
NOON = datetime(2026, 3, 10, 18, tzinfo=UTC)  # in Chicago 13:00


async def closed(town: Town, who: str, thread: int) -> str:
    return (await town.wired.services.threads.head(await town.actor(who), thread)).closed


async def asked(town: Town, body: str = LIKELY, to: str = LINCOLN_NUMBER, sender: str = ROSA) -> Message:
    """A text of a family that sounds like STOP."""
    await receive(town, body, sender, to)
    return (await rows(town, Message, col(Message.stop_question) == StopQuestion.OPEN))[-1]


async def answer(town: Town, who: str, question: Message, *, stop: bool, thread: int = 0) -> None:
    acts = town.wired.services.unsubscribing
    await acts.answer(await town.actor(who), thread or question.thread_id, question.id, stop=stop)


async def unsubscribe(
    town: Town, who: str, thread: int, at: str | None = LINCOLN, note: str = "", *, tell: bool = False
) -> None:
    school = town.schools[at] if at else WHOLE_DISTRICT
    await town.wired.services.unsubscribing.unsubscribe(await town.actor(who), thread, school, note, tell=tell)


async def take_back(town: Town, who: str, thread: int) -> None:
    await town.wired.services.unsubscribing.take_back(await town.actor(who), thread)


async def confirmations(town: Town) -> int:
    return len(await rows(town, Message, col(Message.purpose) == Purpose.STOP_CONFIRMED))


async def question_now(town: Town, question: Message) -> tuple[StopQuestion | None, int | None]:
    found = await the(town, Message, col(Message.id) == question.id)
    return found.stop_question, found.stop_answered_by


async def serves_lincoln_too(town: Town, who: str, role: str = "School Admin") -> None:
    found = await the(town, Role, col(Role.name) == role)
    await add(town, Assignment(staff_id=town.staff[who], role_id=found.id, school_id=town.schools[LINCOLN]))


class TestAnswering:
    async def test_yes_closes_the_line_like_a_stop_and_confirms_it_once(self, town: Town) -> None:
        question = await asked(town)
        await answer(town, "alice", question, stop=True)
        event = await the(town, ConsentEvent)
        assert (event.scope, event.source, event.message_id, event.staff_id) == (
            ConsentScope.SCHOOL,
            ConsentSource.STAFF,
            question.id,
            town.staff["alice"],
        )
        assert await question_now(town, question) == (StopQuestion.YES, town.staff["alice"])
        assert "asked for no more texts" in await closed(town, "alice", question.thread_id)
        await town.wired.dispatching.hand_over_due()
        assert [t.body[:22] for t in town.gateway.sent] == ["Lincoln Middle School:"]

    async def test_no_changes_nothing_and_remembers_who_said_so(self, town: Town) -> None:
        question = await asked(town)
        await answer(town, "alice", question, stop=False)
        assert await question_now(town, question) == (StopQuestion.NO, town.staff["alice"])
        assert (await rows(town, ConsentEvent), await confirmations(town)) == ([], 0)
        assert (await send(town, "alice", question.thread_id)).state == "queued"

    async def test_one_answer_answers_all_that_is_open_in_the_conversation(self, town: Town) -> None:
        first, second = await asked(town), await asked(town, "take me off this list")
        await answer(town, "alice", second, stop=False)
        assert (await question_now(town, first))[0] is StopQuestion.NO

    async def test_a_stop_to_the_school_answers_what_was_asked_of_its_people(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        question = await asked(town, to=BOBS_NUMBER)
        await receive(town, "STOP")
        assert await question_now(town, question) == (StopQuestion.YES, None)

    async def test_of_two_who_answer_at_once_one_is_heard(self, town: Town) -> None:
        question = await asked(town)
        said = await asyncio.gather(
            answer(town, "alice", question, stop=True),
            answer(town, "dora", question, stop=False),
            return_exceptions=True,
        )
        assert sorted(str(s) for s in said if s) == [ANSWERED]
        assert len(await rows(town, AuditEntry, col(AuditEntry.kind) == AuditKind.STOP_ANSWERED)) == 1

    async def test_whoever_only_reads_does_not_answer(self, town: Town) -> None:
        question = await asked(town)
        with pytest.raises(NotAllowed):
            await answer(town, "vera", question, stop=True)

    @pytest.mark.parametrize("who", ["bob", "charlie", "diana"])
    async def test_whoever_does_not_read_the_conversation_finds_nothing(self, town: Town, who: str) -> None:
        question = await asked(town)
        with pytest.raises(NotFound):
            await answer(town, who, question, stop=True)

    async def test_a_text_of_another_conversation_is_not_there(self, town: Town) -> None:
        question = await asked(town)
        with pytest.raises(NotFound):
            await answer(town, "alice", question, stop=True, thread=await town.personal("alice"))

    async def test_a_text_that_asks_nothing_is_not_there(self, town: Town) -> None:
        await receive(town)
        text = await the(town, Message)
        with pytest.raises(NotFound):
            await answer(town, "alice", text, stop=True)

    async def test_an_unknown_senders_wish_is_answered_too(self, town: Town) -> None:
        question = await asked(town, sender=STRANGER)
        await answer(town, "alice", question, stop=True)
        assert "no more texts" in await closed(town, "alice", question.thread_id)

    async def test_the_successor_answers_what_was_asked_of_the_one_who_has_left(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        await send(town, "bob", await town.personal("bob"))
        question = await asked(town, to=BOBS_NUMBER)
        plan = Plan(successor_id=town.staff["alice"])
        await town.wired.services.leaving.deactivate(await town.actor("diana"), town.staff["bob"], plan)
        thread = await town.personal("alice")
        await answer(town, "alice", question, stop=True, thread=thread)
        assert "no more texts" in await closed(town, "alice", thread)

    async def test_everyone_who_reads_it_hears_of_the_question_and_of_the_answer(self, town: Town) -> None:
        async with listening(town) as heard:
            question = await asked(town)
            assert ChangeKind.CONSENT in await heard.kinds()
            before = len(await heard.all())
            await answer(town, "alice", question, stop=False)
            assert [c.thread for c in (await heard.all())[before:]] == [question.thread_id]

    @pytest.mark.parametrize("stop", [True, False])
    async def test_both_answers_are_in_the_audit_log(self, town: Town, *, stop: bool) -> None:
        question = await asked(town)
        await answer(town, "alice", question, stop=stop)
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.STOP_ANSWERED)
        assert (entry.actor_id, entry.facts["stop"], entry.schools) == (
            town.staff["alice"],
            stop,
            [town.schools[LINCOLN]],
        )


class TestSilence:
    async def old(self, town: Town, age: timedelta) -> Message:
        question = await asked(town)
        await change(town, Message, col(Message.id) == question.id, created_at=NOON - age)
        return question

    async def test_after_a_week_it_counts_as_the_familys_own_word_and_is_confirmed(self, town: Town) -> None:
        question = await self.old(town, timedelta(days=7, minutes=1))
        assert await town.wired.services.unsubscribing.take_silence_as_yes(NOON) == 1
        assert await question_now(town, question) == (StopQuestion.YES, None)
        assert (await the(town, ConsentEvent)).source is ConsentSource.FAMILY
        assert await confirmations(town) == 1
        assert await town.wired.services.unsubscribing.take_silence_as_yes(NOON) == 0

    async def test_before_that_the_staff_are_waited_for(self, town: Town) -> None:
        question = await self.old(town, timedelta(days=6, hours=23))
        assert await town.wired.services.unsubscribing.take_silence_as_yes(NOON) == 0
        assert (await question_now(town, question))[0] is StopQuestion.OPEN

    async def test_by_night_nobody_is_texted_about_it(self, town: Town) -> None:
        await self.old(town, timedelta(days=8))
        assert await town.wired.services.unsubscribing.take_silence_as_yes(NOON + timedelta(hours=12)) == 0

    async def test_the_log_says_that_nobody_had_answered(self, town: Town) -> None:
        await self.old(town, timedelta(days=8))
        await town.wired.services.unsubscribing.take_silence_as_yes(NOON)
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.STOP_ANSWERED)
        assert (entry.actor_id, entry.facts["stop"]) == (None, True)


class TestRecording:
    async def test_a_school_admin_stops_the_texts_of_everybody_at_the_school(self, town: Town) -> None:
        await unsubscribe(town, "dora", await town.school())
        event = await the(town, ConsentEvent)
        assert (event.scope, event.source, event.staff_id) == (
            ConsentScope.SCHOOL,
            ConsentSource.STAFF,
            town.staff["dora"],
        )
        for who in ("alice", "bob", "nora"):
            assert LINCOLN in await closed(town, who, await town.personal(who))

    async def test_nobody_is_told_unless_it_is_asked_for(self, town: Town) -> None:
        await unsubscribe(town, "dora", await town.school())
        assert await confirmations(town) == 0

    async def test_the_family_is_told_by_one_text(self, town: Town) -> None:
        await unsubscribe(town, "dora", await town.school(), tell=True)
        assert await confirmations(town) == 1
        await town.wired.dispatching.hand_over_due()
        assert [t.sender for t in town.gateway.sent] == [LINCOLN_NUMBER]

    async def test_without_a_number_nobody_can_be_told(self, town: Town) -> None:
        with pytest.raises(Invalid) as refusal:
            await unsubscribe(town, "dora", await town.personal("dora"), tell=True)
        assert refusal.value.sentence == NO_NUMBER
        assert await rows(town, ConsentEvent) == []

    async def test_what_the_family_has_stopped_itself_is_not_confirmed_again(self, town: Town) -> None:
        await receive(town, "STOP")
        await unsubscribe(town, "dora", await town.school(), tell=True)
        assert await confirmations(town) == 0

    async def test_twice_is_once(self, town: Town) -> None:
        await unsubscribe(town, "dora", await town.school())
        with pytest.raises(Invalid) as refusal:
            await unsubscribe(town, "dora", await town.school())
        assert refusal.value.sentence == CLOSED_ALREADY

    @pytest.mark.parametrize("at", [ROOSEVELT, None])
    async def test_a_school_admin_decides_for_no_other_school_and_not_for_the_district(
        self, town: Town, at: str | None
    ) -> None:
        with pytest.raises(NotAllowed):
            await unsubscribe(town, "dora", await town.school(), at)

    async def test_whoever_manages_the_directory_of_the_district_stops_everything(self, town: Town) -> None:
        await serves_lincoln_too(town, "diana")
        await unsubscribe(town, "diana", await town.school(), None)
        assert "the district" in await closed(town, "nora", await town.personal("nora"))

    @pytest.mark.parametrize("who", ["alice", "vera"])
    async def test_whoever_manages_no_directory_does_not(self, town: Town, who: str) -> None:
        with pytest.raises(NotAllowed):
            await unsubscribe(town, who, await town.school())

    async def test_nobody_does_it_in_a_conversation_that_is_not_theirs(self, town: Town) -> None:
        await serves_lincoln_too(town, "nora", "Technical School Admin")
        with pytest.raises(NotFound):
            await unsubscribe(town, "nora", await town.personal("alice"))

    async def test_the_note_is_in_the_audit_log_and_the_family_is_not(self, town: Town) -> None:
        await unsubscribe(town, "dora", await town.school(), note=" She called the office. ")
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.UNSUBSCRIBED)
        assert entry.names["reason"] == "She called the office."
        assert "Lopez" not in str((entry.names, entry.facts))
        with pytest.raises(Invalid):
            await unsubscribe(town, "dora", await town.school(), note="x" * (LONGEST_NOTE + 1))


class TestTakingBack:
    async def test_what_staff_have_recorded_is_taken_back(self, town: Town) -> None:
        await unsubscribe(town, "dora", await town.school())
        await take_back(town, "dora", await town.school())
        assert [e.kind for e in await rows(town, ConsentEvent)] == [ConsentKind.OPTED_OUT, ConsentKind.OPTED_IN]
        assert (await send(town, "alice", await town.school())).state == "queued"
        assert await rows(town, AuditEntry, col(AuditEntry.kind) == AuditKind.RESUBSCRIBED)

    async def test_an_answer_that_was_yes_is_taken_back_too(self, town: Town) -> None:
        await answer(town, "alice", await asked(town), stop=True)
        await take_back(town, "dora", await town.school())
        assert await closed(town, "dora", await town.school()) == ""

    async def test_what_the_family_has_said_itself_ends_by_its_start_alone(self, town: Town) -> None:
        await unsubscribe(town, "dora", await town.school())
        await receive(town, "STOP")
        with pytest.raises(NotAllowed) as refusal:
            await take_back(town, "dora", await town.school())
        assert refusal.value.sentence == THEIR_OWN_WORD
        await receive(town, "START")
        assert await closed(town, "alice", await town.school()) == ""

    async def test_an_open_line_has_nothing_to_take_back(self, town: Town) -> None:
        with pytest.raises(NotAllowed) as refusal:
            await take_back(town, "dora", await town.school())
        assert refusal.value.sentence == NOT_CLOSED

    async def test_what_was_recorded_for_the_district_is_not_a_schools_to_take_back(self, town: Town) -> None:
        await serves_lincoln_too(town, "diana")
        await unsubscribe(town, "diana", await town.school(), None)
        with pytest.raises(NotAllowed):
            await take_back(town, "dora", await town.school())
        await take_back(town, "diana", await town.school())
        assert await closed(town, "alice", await town.school()) == ""


class TestInOversight:
    """Dora oversees Lincoln and Diana the district; neither reads Alice's conversation with Rosa as their own."""

    @pytest.fixture
    async def alices(self, town: Town) -> int:
        await give_number(town, "alice", ALICES_NUMBER)
        return await town.personal("alice")

    @pytest.mark.parametrize(("who", "at"), [("dora", LINCOLN), ("diana", LINCOLN), ("diana", None)])
    async def test_whoever_has_opened_it_stops_texts_and_takes_it_back(
        self, town: Town, alices: int, who: str, at: str | None
    ) -> None:
        await opens(town, who, alices)
        await unsubscribe(town, who, alices, at, "The family called.")
        assert "stopped texts" in await history(town, who, alices)
        assert await closed(town, "alice", alices) != ""
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.UNSUBSCRIBED)
        assert (entry.actor_id, entry.names["reason"]) == (town.staff[who], "The family called.")
        await take_back(town, who, alices)
        assert await closed(town, "alice", alices) == ""

    async def test_before_it_is_opened_and_an_hour_later_nothing_is_done(self, town: Town, alices: int) -> None:
        with pytest.raises(NotAllowed, match=NOT_OPENED):
            await unsubscribe(town, "diana", alices)
        await opens(town, "diana", alices)
        await unsubscribe(town, "diana", alices)
        await change(town, OversightReading, at=utc_now() - OPEN_FOR)
        with pytest.raises(NotAllowed, match=NOT_OPENED):
            await take_back(town, "diana", alices)
        assert len(await rows(town, ConsentEvent)) == 1

    async def test_a_school_admin_decides_for_no_other_school_there_either(self, town: Town, alices: int) -> None:
        await opens(town, "dora", alices)
        for at in (ROOSEVELT, None):
            with pytest.raises(NotAllowed):
                await unsubscribe(town, "dora", alices, at)

    async def test_whoever_only_reads_is_shown_nothing_of_it_and_does_nothing(self, town: Town, alices: int) -> None:
        await opens(town, "vera", alices)
        head = await town.wired.services.oversight.head(await town.actor("vera"), alices)
        assert (head.opened, head.manages, head.consent) == (True, False, UNKNOWN_CONSENT)
        with pytest.raises(NotAllowed, match="manage students and contacts"):
            await unsubscribe(town, "vera", alices)

    async def test_who_has_lost_the_right_to_oversee_does_nothing_in_what_is_open_still(
        self, town: Town, alices: int
    ) -> None:
        actor = await town.actor("dora")
        await opens(town, "dora", alices)
        await revoke(town, "dora")
        with pytest.raises(Refusal):
            await town.wired.services.unsubscribing.unsubscribe(actor, alices, town.schools[LINCOLN], "", tell=False)
        assert await rows(town, ConsentEvent) == []

    async def test_the_family_is_told_by_the_conversations_own_number_in_nobodys_name(
        self, town: Town, alices: int
    ) -> None:
        await opens(town, "diana", alices)
        await unsubscribe(town, "diana", alices, tell=True)
        confirmation = await the(town, Message, col(Message.purpose) == Purpose.STOP_CONFIRMED)
        assert (confirmation.thread_id, confirmation.sender, confirmation.author_id) == (alices, ALICES_NUMBER, None)

    async def test_what_the_familys_words_meant_is_not_said_from_there(self, town: Town, alices: int) -> None:
        question = await asked(town, to=ALICES_NUMBER)
        await opens(town, "diana", alices)
        with pytest.raises(NotFound):
            await answer(town, "diana", question, stop=True)


async def opens(town: Town, who: str, thread: int) -> None:
    await town.wired.services.oversight.open(await town.actor(who), thread, "The family has called the office.")


async def history(town: Town, who: str, thread: int) -> str:
    head = await town.wired.services.oversight.head(await town.actor(who), thread)
    return " ".join(entry.words for entry in head.consent.history)
