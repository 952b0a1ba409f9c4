"""An open thread: who reads it, what closes its composer, From, and drafts."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import MIA, OMAR, ROSA, STRANGER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, change, inbox_id, receive, revoke, rows, send, the
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut
from tp_inbox.services.views import ThreadHead
from tp_inbox.storage.tables import Contact, Draft, FamilyPhone, Inbox, Student, Thread


async def head(town: Town, who: str, thread: int) -> ThreadHead:
    return await town.wired.services.threads.head(await town.actor(who), thread)


async def school_inbox(town: Town, school: str = LINCOLN) -> int:
    return (await the(town, Inbox, col(Inbox.school_id) == town.schools[school])).id


class TestHead:
    async def test_everyone_at_the_phone_is_named_with_what_they_are(self, town: Town) -> None:
        shown = await head(town, "alice", await town.school())
        assert (shown.title, shown.phone, shown.language) == ("Rosa Lopez", "(312) 555-0142", "Spanish")
        assert [(p.name, p.about, p.is_student) for p in shown.people] == [
            ("Rosa Lopez", "Mother of Leo and Mia", False)
        ]
        assert shown.schools == [LINCOLN]

    async def test_a_shared_phone_names_both_parents_and_the_child(self, town: Town) -> None:
        await change(town, Contact, phone_id=town.phones[ROSA])
        await change(town, Student, col(Student.name) == "Mia Lopez", phone_id=town.phones[ROSA])
        assert (await head(town, "alice", await town.school())).title == "Omar Haddad, Rosa Lopez & Mia Lopez"

    async def test_an_open_thread_says_who_sees_the_answer(self, town: Town) -> None:
        assert (await head(town, "alice", await town.personal("alice"))).audience == "The answer comes to you alone."
        shown = await head(town, "alice", await town.school())
        assert shown.audience == f"Everyone with access to {LINCOLN}’s inbox sees the answer."

    @pytest.mark.parametrize(
        ("who", "phone", "why"),
        [
            ("alice", ROSA, ""),
            ("vera", ROSA, "permission to write"),
            ("alice", OMAR, "any more"),
            ("dora", STRANGER, ""),
        ],
    )
    async def test_the_composer_is_closed_with_the_reason(self, town: Town, who: str, phone: str, why: str) -> None:
        closed = (await head(town, who, await town.school(phone=phone))).closed
        assert (why in closed) if why else (closed == "")

    async def test_a_stop_closes_it_and_a_start_opens_it(self, town: Town) -> None:
        thread = await town.school()
        await receive(town, "STOP")
        assert "texted STOP to Lincoln Middle School" in (await head(town, "alice", thread)).closed
        await receive(town, "START")
        assert (await head(town, "alice", thread)).closed == ""

    async def test_a_child_closes_it(self, town: Town) -> None:
        await change(town, Student, birth_date=None)
        assert "no birth date" in (await head(town, "alice", await town.personal("alice", MIA))).closed

    async def test_what_closes_the_composer_refuses_the_send_with_the_same_words(self, town: Town) -> None:
        await receive(town, "STOP")
        for who, phone in (("alice", ROSA), ("vera", MIA), ("alice", OMAR)):
            thread = await town.school(phone=phone)
            with pytest.raises(NotAllowed) as refused:
                await send(town, who, thread)
            assert refused.value.sentence == (await head(town, who, thread)).closed

    async def test_it_says_whether_the_first_text_will_introduce(self, town: Town) -> None:
        thread = await town.school()
        assert (await head(town, "alice", thread)).introduces
        await send(town, "alice", thread)
        assert not (await head(town, "alice", thread)).introduces


class TestFrom:
    async def test_the_counselor_chooses_between_herself_and_the_school(self, town: Town) -> None:
        shown = await head(town, "alice", await town.personal("alice"))
        assert [(s.label, s.chosen) for s in shown.senders] == [("Alice Adams (personal)", True), (LINCOLN, False)]

    async def test_the_nurse_sees_no_from_at_all(self, town: Town) -> None:
        assert (await head(town, "bob", await town.personal("bob"))).senders == []

    async def test_who_may_not_write_sees_no_from(self, town: Town) -> None:
        assert (await head(town, "vera", await town.school())).senders == []

    async def test_for_a_new_message_the_same_choices_are_offered(self, town: Town) -> None:
        senders = town.wired.services.threads.senders
        assert len(await senders(await town.actor("alice"), town.phones[ROSA])) == 2
        assert len(await senders(await town.actor("bob"), town.phones[ROSA])) == 1
        for who in ("charlie", "vera", "diana"):
            assert await senders(await town.actor(who), town.phones[ROSA]) == []

    async def test_choosing_the_other_moves_to_its_thread_with_the_draft(self, town: Town) -> None:
        alice, threads = await town.actor("alice"), town.wired.services.threads
        mine, key = await town.personal("alice"), uuid4()
        await threads.save_draft(alice, mine, key, "Mia did")
        target, box = await threads.choose_sender(alice, mine, await school_inbox(town))
        assert (target, box) == (await town.school(), "school")
        draft = await the(town, Draft)
        assert (draft.thread_id, draft.written, draft.client_key != key) == (target, "Mia did", True)

    async def test_choosing_without_a_draft_leaves_the_one_that_is_there(self, town: Town) -> None:
        alice, threads = await town.actor("alice"), town.wired.services.threads
        await threads.save_draft(alice, await town.school(), uuid4(), "from the school")
        await threads.choose_sender(alice, await town.personal("alice"), await school_inbox(town))
        assert (await the(town, Draft)).written == "from the school"

    async def test_choosing_what_is_chosen_changes_nothing(self, town: Town) -> None:
        alice, threads = await town.actor("alice"), town.wired.services.threads
        await threads.save_draft(alice, await town.school(), uuid4(), "from the school")
        assert (await threads.choose_sender(alice, await town.school(), await school_inbox(town)))[1] == "school"
        assert (await the(town, Draft)).written == "from the school"

    async def test_what_from_would_not_show_is_refused(self, town: Town) -> None:
        choose = town.wired.services.threads.choose_sender
        others = [await school_inbox(town, ROOSEVELT), await inbox_id(town, "bob"), 999_999]
        for inbox in others:
            with pytest.raises(NotAllowed):
                await choose(await town.actor("alice"), await town.personal("alice"), inbox)
        with pytest.raises(NotAllowed):
            await choose(await town.actor("bob"), await town.personal("bob"), await school_inbox(town))

    async def test_from_somebody_elses_thread_nothing_is_chosen(self, town: Town) -> None:
        with pytest.raises(NotFound):
            await town.wired.services.threads.choose_sender(
                await town.actor("charlie"), await town.personal("alice"), await school_inbox(town, ROOSEVELT)
            )


class TestOpening:
    async def test_the_first_choice_is_the_personal_inbox(self, town: Town) -> None:
        thread, box = await town.wired.services.threads.open(await town.actor("alice"), town.phones[ROSA])
        assert (thread, box) == (await town.personal("alice"), "personal")

    async def test_another_choice_is_opened_when_it_is_named(self, town: Town) -> None:
        opened = await town.wired.services.threads.open(
            await town.actor("alice"), town.phones[ROSA], await school_inbox(town)
        )
        assert opened == (await town.school(), "school")

    @pytest.mark.parametrize("who", ["charlie", "vera", "diana"])
    async def test_who_may_not_write_to_the_family_opens_nothing(self, town: Town, who: str) -> None:
        with pytest.raises(NotAllowed):
            await town.wired.services.threads.open(await town.actor(who), town.phones[ROSA])
        assert await rows(town, Thread) == []

    async def test_a_phone_that_is_not_there_is_the_same_answer_as_one_out_of_reach(self, town: Town) -> None:
        alice, sentences = await town.actor("alice"), set()
        for phone in (town.phones[OMAR], 999_999):
            with pytest.raises(NotAllowed) as refused:
                await town.wired.services.threads.open(alice, phone)
            sentences.add(refused.value.sentence)
        assert len(sentences) == 1

    async def test_a_stranger_who_wrote_to_another_school_is_out_of_reach(self, town: Town) -> None:
        await town.school(ROOSEVELT, STRANGER)
        with pytest.raises(NotAllowed):
            await town.wired.services.threads.open(await town.actor("alice"), town.phones[STRANGER])
        assert await town.wired.services.threads.senders(await town.actor("alice"), town.phones[STRANGER]) == []

    async def test_a_stranger_who_wrote_to_the_school_is_answered_from_there(self, town: Town) -> None:
        await receive(town, sender=STRANGER)
        opened = await town.wired.services.threads.open(await town.actor("alice"), town.phones[STRANGER])
        assert opened == (await town.school(phone=STRANGER), "school")

    async def test_who_was_revoked_or_disabled_opens_nothing(self, town: Town) -> None:
        alice, bob = await town.actor("alice"), await town.actor("bob")
        await revoke(town, "alice")
        await town.wired.services.staff.disable(town.email("bob"))
        with pytest.raises(NotAllowed):
            await town.wired.services.threads.open(alice, town.phones[ROSA])
        with pytest.raises(SignedOut):
            await town.wired.services.threads.open(bob, town.phones[ROSA])


class TestDrafts:
    async def test_a_draft_belongs_to_its_thread(self, town: Town) -> None:
        alice, threads = await town.actor("alice"), town.wired.services.threads
        key = uuid4()
        await threads.save_draft(alice, await town.personal("alice"), key, "Dear Rosa")
        kept = await threads.draft(alice, await town.personal("alice"))
        assert (kept.written, kept.key) == ("Dear Rosa", str(key))
        for thread in (await town.personal("alice", MIA), await town.school()):
            assert (await threads.draft(alice, thread)).written == ""

    async def test_a_draft_belongs_to_its_author(self, town: Town) -> None:
        threads, thread = town.wired.services.threads, await town.school()
        await threads.save_draft(await town.actor("alice"), thread, uuid4(), "Dear Rosa")
        assert (await threads.draft(await town.actor("dora"), thread)).written == ""

    async def test_every_new_draft_has_a_key_of_its_own(self, town: Town) -> None:
        alice, threads, thread = await town.actor("alice"), town.wired.services.threads, await town.school()
        assert (await threads.draft(alice, thread)).key != (await threads.draft(alice, thread)).key

    @pytest.mark.parametrize("empty", ["", "  \n", "\x00"])
    async def test_an_emptied_draft_is_forgotten(self, town: Town, empty: str) -> None:
        alice, threads, thread = await town.actor("alice"), town.wired.services.threads, await town.school()
        await threads.save_draft(alice, thread, uuid4(), "Dear Rosa")
        await threads.save_draft(alice, thread, uuid4(), empty)
        assert await rows(town, Draft) == []

    async def test_a_draft_that_no_text_can_hold_is_refused(self, town: Town) -> None:
        with pytest.raises(Invalid, match="much longer"):
            await town.wired.services.threads.save_draft(
                await town.actor("alice"), await town.school(), uuid4(), "x" * 3201
            )

    async def test_half_a_surrogate_pair_is_a_sentence(self, town: Town) -> None:
        with pytest.raises(Invalid):
            await town.wired.services.threads.save_draft(
                await town.actor("alice"), await town.school(), uuid4(), "a\ud800"
            )

    async def test_a_phone_that_changed_hands_keeps_its_thread(self, town: Town) -> None:
        thread = await town.school()
        await change(town, FamilyPhone, col(FamilyPhone.id) == town.phones[ROSA], language="ar")
        assert (await head(town, "alice", thread)).language == "Arabic"
