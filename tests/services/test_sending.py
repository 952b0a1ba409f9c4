"""Writing a text down to be sent: who may, to whom, in which words, and once."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, ROSA, STRANGER, Town
from tests.services.steps import (
    ALICES_NUMBER,
    LINCOLN,
    ROOSEVELT,
    add,
    change,
    due_now,
    give_number,
    listening,
    message,
    receive,
    revoke,
    rows,
    send,
    text_from,
    the,
    until_waiting,
    years_before,
)
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut, Unavailable
from tp_inbox.domain.permissions import Permission
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.sending import Sending
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import (
    Contact,
    Draft,
    FamilyPhone,
    Guardianship,
    Message,
    Number,
    Role,
    School,
    Staff,
    Student,
    Thread,
)
from tp_inbox.storage.tables.messages import Direction, NumberState

ONE_NUMBER = Limits(personal=1, per_campaign=49, pool=0, price=1.15)


async def test_a_counselor_sends_and_the_text_is_queued_with_signature_and_introduction(town: Town) -> None:
    alice = await town.actor("alice")
    thread = await town.personal("alice")
    row = await town.wired.services.sending.send(alice, thread, "Mia did well today.", uuid4(), 0)
    assert (row.state, row.text) == ("queued", "Mia did well today.")
    assert "This is Alice Adams, counselor at Lincoln Middle School. Reply STOP" in row.sent_as


async def test_somebody_elses_thread_is_not_there(town: Town) -> None:
    charlie = await town.actor("charlie")
    with pytest.raises(NotFound):
        await town.wired.services.sending.send(charlie, await town.personal("alice"), "Hello", uuid4(), 0)


async def test_a_thread_that_never_was_is_the_same_answer(town: Town) -> None:
    with pytest.raises(NotFound):
        await send(town, "alice", 999_999)


async def test_a_thread_beyond_every_id_is_refused_with_a_sentence(town: Town) -> None:
    with pytest.raises(Invalid):
        await send(town, "alice", 2**70)


class TestOnce:
    async def test_fifty_sends_with_one_key_are_one_text(self, town: Town) -> None:
        thread, key = await town.personal("alice"), uuid4()
        shown = await asyncio.gather(*(send(town, "alice", thread, key=key) for _ in range(50)))
        assert len({row.id for row in shown}) == 1
        assert len(await rows(town, Message)) == 1

    async def test_two_keys_are_two_texts_even_with_the_same_words(self, town: Town) -> None:
        thread = await town.personal("alice")
        await send(town, "alice", thread, "OK")
        await send(town, "alice", thread, "OK")
        assert len(await rows(town, Message)) == 2

    async def test_a_repetition_announces_nothing(self, town: Town) -> None:
        thread, key = await town.personal("alice"), uuid4()
        async with listening(town) as heard:
            await send(town, "alice", thread, key=key)
            await send(town, "alice", thread, key=key)
            assert await heard.kinds() == [ChangeKind.MESSAGE]

    async def test_a_key_that_was_used_in_another_conversation_is_refused(self, town: Town) -> None:
        key = uuid4()
        await send(town, "alice", await town.personal("alice"), key=key)
        with pytest.raises(Invalid, match="another conversation"):
            await send(town, "alice", await town.personal("alice", MIA), key=key)

    async def test_a_key_in_two_conversations_at_the_same_moment_is_one_text_and_one_sentence(self, town: Town) -> None:
        key = uuid4()
        threads = [await town.personal("alice"), await town.personal("alice", MIA)]
        await asyncio.gather(*(send(town, "alice", t) for t in threads))
        results = await asyncio.gather(*(send(town, "alice", t, key=key) for t in threads), return_exceptions=True)
        assert [type(r) for r in results].count(Invalid) == 1
        assert len(await rows(town, Message, col(Message.client_key) == key)) == 1

    async def test_the_same_key_of_two_people_is_two_texts(self, town: Town) -> None:
        key, thread = uuid4(), await town.school()
        await send(town, "alice", thread, key=key)
        await send(town, "dora", thread, key=key)
        assert len(await rows(town, Message)) == 2


class TestWhoMay:
    async def test_a_nurse_writes_from_her_own_inbox(self, town: Town) -> None:
        assert (await send(town, "bob", await town.personal("bob"))).state == "queued"

    async def test_a_nurse_does_not_even_see_the_schools_thread(self, town: Town) -> None:
        with pytest.raises(NotFound):
            await send(town, "bob", await town.school())

    async def test_a_school_admin_writes_on_behalf(self, town: Town) -> None:
        row = await send(town, "dora", await town.school())
        assert "This is Lincoln Middle School. Reply STOP" in row.sent_as

    async def test_a_school_viewer_reads_and_cannot_write(self, town: Town) -> None:
        with pytest.raises(NotAllowed, match="read these messages"):
            await send(town, "vera", await town.school())

    async def test_a_district_admin_has_no_inbox(self, town: Town) -> None:
        with pytest.raises(NotFound):
            await send(town, "diana", await town.school())

    async def test_who_serves_two_schools_writes_to_families_of_both(self, town: Town) -> None:
        for phone in (ROSA, OMAR):
            assert (await send(town, "nora", await town.personal("nora", phone))).state == "queued"

    async def test_a_family_of_another_school_is_refused(self, town: Town) -> None:
        with pytest.raises(NotAllowed, match="no student at a school"):
            await send(town, "alice", await town.personal("alice", OMAR))

    async def test_the_school_cannot_write_to_a_family_of_another_school(self, town: Town) -> None:
        with pytest.raises(NotAllowed, match="any more"):
            await send(town, "alice", await town.school(phone=OMAR))

    async def test_the_school_answers_somebody_unknown(self, town: Town) -> None:
        assert (await send(town, "alice", await town.school(phone=STRANGER))).state == "queued"

    async def test_nobody_answers_somebody_unknown_personally(self, town: Town) -> None:
        with pytest.raises(NotAllowed):
            await send(town, "alice", await town.personal("alice", STRANGER))

    async def test_without_the_personal_permission_the_own_thread_is_gone(self, town: Town) -> None:
        thread = await town.personal("alice")
        permissions = [Permission.MESSAGE_ON_BEHALF.value]
        await change(town, Role, col(Role.name) == "Counselor", permissions=permissions)
        with pytest.raises(NotFound):
            await send(town, "alice", thread)

    async def test_without_on_behalf_the_schools_thread_can_only_be_read(self, town: Town) -> None:
        thread = await town.school()
        permissions = [Permission.PERSONAL_MESSAGES.value, Permission.VIEW_SCHOOL_INBOX.value]
        await change(town, Role, col(Role.name) == "Counselor", permissions=permissions)
        with pytest.raises(NotAllowed):
            await send(town, "alice", thread)

    async def test_who_was_revoked_after_the_page_was_loaded_is_refused(self, town: Town) -> None:
        alice, thread = await town.actor("alice"), await town.personal("alice")
        await revoke(town, "alice")
        with pytest.raises(NotFound):
            await town.wired.services.sending.send(alice, thread, "Hello", uuid4(), 0)
        assert await rows(town, Message) == []

    async def test_who_was_disabled_after_the_page_was_loaded_is_signed_out(self, town: Town) -> None:
        alice, thread = await town.actor("alice"), await town.personal("alice")
        await town.wired.services.staff.disable(town.email("alice"))
        with pytest.raises(SignedOut):
            await town.wired.services.sending.send(alice, thread, "Hello", uuid4(), 0)

    async def test_who_is_revoked_while_the_send_waits_is_refused(self, town: Town) -> None:
        thread = await town.personal("alice")
        async with town.wired.db.transaction() as session:
            await session.get_one(FamilyPhone, town.phones[ROSA], with_for_update=True)
            sending = asyncio.create_task(send(town, "alice", thread))
            await until_waiting(town, 1)
            await revoke(town, "alice")
        with pytest.raises(NotFound):
            await sending


class TestAge:
    async def test_a_student_of_14_with_a_phone_of_her_own_is_texted(self, town: Town) -> None:
        assert (await send(town, "alice", await town.personal("alice", MIA))).state == "queued"

    async def test_a_student_under_13_is_not(self, town: Town) -> None:
        await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=_born(13, days_later=1))
        with pytest.raises(NotAllowed, match="under 13"):
            await send(town, "alice", await town.personal("alice", MIA))

    async def test_a_student_without_a_birth_date_is_not(self, town: Town) -> None:
        await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=None)
        with pytest.raises(NotAllowed, match="no birth date"):
            await send(town, "alice", await town.personal("alice", MIA))

    @pytest.mark.parametrize(("zone", "allowed"), [("Pacific/Kiritimati", True), ("Pacific/Pago_Pago", False)])
    async def test_the_birthday_counts_from_midnight_where_the_school_is(
        self, town: Town, zone: str, allowed: bool
    ) -> None:
        """Kiritimati is 25 hours ahead of Pago Pago: whatever the hour, it is a day later there."""
        today = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
        await change(town, School, time_zone=zone)
        await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=years_before(today, 13))
        try:
            await send(town, "alice", await town.personal("alice", MIA))
        except NotAllowed:
            assert not allowed
        else:
            assert allowed

    async def test_a_childs_phone_that_an_adult_reads_too_is_texted(self, town: Town) -> None:
        leo = (await the(town, Student, col(Student.name) == "Leo Lopez")).id
        await change(town, Student, col(Student.id) == leo, phone_id=town.phones[ROSA])
        assert (await send(town, "alice", await town.personal("alice"))).state == "queued"

    async def test_of_two_students_at_one_phone_the_younger_decides(self, town: Town) -> None:
        await change(town, Student, col(Student.name) == "Leo Lopez", phone_id=town.phones[MIA])
        with pytest.raises(NotAllowed, match="under 13"):
            await send(town, "alice", await town.personal("alice", MIA))


def _born(years: int, days_later: int) -> date:
    return years_before(datetime.now(UTC).date(), years) + timedelta(days=days_later + 1)


class TestConsent:
    async def test_a_family_that_said_stop_is_not_texted_from_that_number(self, town: Town) -> None:
        await receive(town, "STOP")
        with pytest.raises(NotAllowed, match="texted STOP to Lincoln Middle School"):
            await send(town, "alice", await town.school())

    async def test_a_stop_to_the_school_closes_the_numbers_of_its_people_too(self, town: Town) -> None:
        await receive(town, "STOP")
        with pytest.raises(NotAllowed, match="the school’s numbers"):
            await send(town, "alice", await town.personal("alice"))
        assert (await send(town, "nora", await town.personal("nora"))).state == "queued"

    async def test_a_start_opens_it_again(self, town: Town) -> None:
        await receive(town, "STOP")
        await receive(town, "START")
        assert (await send(town, "alice", await town.school())).state == "queued"

    async def test_a_stop_that_comes_while_the_send_waits_refuses_it(self, town: Town) -> None:
        thread = await town.school()
        async with town.wired.db.transaction() as session:
            await session.get_one(FamilyPhone, town.phones[ROSA], with_for_update=True)
            stop = asyncio.create_task(receive(town, "STOP"))
            await until_waiting(town, 1)
            sending = asyncio.create_task(send(town, "alice", thread))
            await until_waiting(town, 2)
        await stop
        with pytest.raises(NotAllowed):
            await sending

    async def test_sends_and_stops_at_the_same_time_never_wait_in_a_circle(self, town: Town) -> None:
        thread = await town.school()
        words = ("STOP", "START", "Thank you")
        results = await asyncio.gather(
            *(send(town, "alice", thread) for _ in range(12)),
            *(receive(town, words[n % 3]) for n in range(12)),
            *(town.wired.dispatching.hand_over_due() for _ in range(3)),
            return_exceptions=True,
        )
        await town.wired.receiving.route_waiting()
        assert {type(r) for r in results if isinstance(r, Exception)} <= {NotAllowed}
        assert len(await rows(town, Message, col(Message.direction) == Direction.IN)) == 12

    async def test_a_queued_text_does_not_leave_after_a_stop(self, town: Town) -> None:
        row = await send(town, "alice", await town.school())
        await receive(town, "STOP")
        await town.wired.dispatching.hand_over_due()
        sent = await message(town, row.id)
        assert (sent.state, sent.reason) == (DeliveryState.FAILED, FailureReason.OPTED_OUT)
        assert town.gateway.sent == []


class TestWords:
    @pytest.mark.parametrize("words", ["", "   \n ", "\u200b"])
    async def test_an_empty_text_is_refused(self, town: Town, words: str) -> None:
        with pytest.raises(Invalid, match="empty"):
            await send(town, "alice", await town.personal("alice"), words)

    @pytest.mark.parametrize("words", ["a\x00b", "a\x07b", "a\ud800b"])
    async def test_control_characters_are_refused(self, town: Town, words: str) -> None:
        with pytest.raises(Invalid, match="control characters"):
            await send(town, "alice", await town.personal("alice"), words)

    async def test_sixteen_hundred_with_introduction_and_signature_fit_and_one_more_does_not(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["alice"], signature="Ms. Adams")
        thread = await town.personal("alice")
        introduction = "This is Alice Adams, counselor at Lincoln Middle School. Reply STOP to end texts."
        room = 1600 - len(introduction) - len("Ms. Adams") - 2
        with pytest.raises(Invalid, match=r"1 character too long .*1,600 with introduction and signature"):
            await send(town, "alice", thread, "x" * (room + 1))
        assert len((await send(town, "alice", thread, "x" * room)).sent_as) == 1600

    async def test_a_refused_text_leaves_nothing_behind(self, town: Town) -> None:
        thread = await town.personal("alice")
        with pytest.raises(Invalid):
            await send(town, "alice", thread, "x" * 1700)
        assert await rows(town, Message) == []
        assert (await the(town, Thread, col(Thread.id) == thread)).introduced_at is None

    async def test_the_introduction_comes_once_in_a_thread(self, town: Town) -> None:
        thread = await town.personal("alice")
        first, second = await send(town, "alice", thread), await send(town, "alice", thread)
        assert ("Reply STOP" in first.sent_as, "Reply STOP" in second.sent_as) == (True, False)

    async def test_of_two_first_texts_at_once_one_introduces(self, town: Town) -> None:
        thread = await town.personal("alice")
        both = await asyncio.gather(send(town, "alice", thread), send(town, "alice", thread))
        assert sum("Reply STOP" in row.sent_as for row in both) == 1

    async def test_when_the_introduction_did_not_arrive_the_next_text_introduces(self, town: Town) -> None:
        thread = await town.school()
        town.gateway.refuse(ROSA, FailureReason.BLOCKED_CONTENT)
        await send(town, "alice", thread)
        await town.wired.dispatching.hand_over_due()
        assert "Reply STOP" in (await send(town, "alice", thread)).sent_as

    async def test_a_colleague_in_the_same_thread_needs_no_introduction(self, town: Town) -> None:
        thread = await town.school()
        await send(town, "alice", thread)
        assert (await send(town, "dora", thread)).sent_as == ""

    async def test_the_signature_goes_under_personal_texts_alone(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["alice"], signature="Ms. Adams")
        personal, school = await town.personal("alice"), await town.school()
        assert (await send(town, "alice", personal)).sent_as.endswith("\nMs. Adams")
        assert "Ms. Adams" not in (await send(town, "alice", school)).sent_as

    async def test_the_measure_counts_what_would_be_sent(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["alice"], signature="Ms. Adams")
        alice, thread = await town.actor("alice"), await town.personal("alice")
        measured = await town.wired.services.sending.measure(alice, thread, "Hello")
        row = await send(town, "alice", thread, "Hello")
        assert measured.segments == (await message(town, row.id)).segments

    async def test_nobody_measures_in_somebody_elses_thread(self, town: Town) -> None:
        with pytest.raises(NotFound):
            await town.wired.services.sending.measure(await town.actor("bob"), await town.personal("alice"), "Hello")


class TestMissedTexts:
    async def test_a_colleagues_text_that_was_not_on_the_screen_refuses(self, town: Town) -> None:
        thread = await town.school()
        seen = (await send(town, "alice", thread)).id
        await send(town, "dora", thread, "I have called them.")
        with pytest.raises(Invalid, match="Dora Diaz has written to this family since you last looked"):
            await send(town, "alice", thread, seen=seen)

    async def test_once_it_was_seen_the_text_goes(self, town: Town) -> None:
        thread = await town.school()
        seen = (await send(town, "dora", thread, "I have called them.")).id
        assert (await send(town, "alice", thread, seen=seen)).state == "queued"

    async def test_a_familys_new_text_refuses_nothing(self, town: Town) -> None:
        thread = await town.school()
        seen = (await send(town, "alice", thread)).id
        await receive(town)
        assert (await send(town, "alice", thread, seen=seen)).state == "queued"

    async def test_ones_own_text_from_another_tab_refuses_nothing(self, town: Town) -> None:
        thread = await town.school()
        await send(town, "alice", thread)
        assert (await send(town, "alice", thread, seen=0)).state == "queued"

    async def test_a_repeated_click_is_answered_though_a_colleague_wrote_in_between(self, town: Town) -> None:
        thread, key = await town.school(), uuid4()
        first = await send(town, "alice", thread, key=key, seen=0)
        await send(town, "dora", thread)
        assert (await send(town, "alice", thread, key=key, seen=0)).id == first.id

    async def test_two_colleagues_at_the_same_moment_and_one_is_told(self, town: Town) -> None:
        thread = await town.school()
        both = await asyncio.gather(
            send(town, "alice", thread, seen=0), send(town, "dora", thread, seen=0), return_exceptions=True
        )
        assert [type(result) for result in both].count(Invalid) == 1


class TestFrozen:
    async def test_a_phone_that_changes_while_the_text_waits_changes_no_recipient(self, town: Town) -> None:
        await send(town, "alice", await town.school())
        await change(town, FamilyPhone, col(FamilyPhone.e164) == ROSA, e164="+13125550199")
        await town.wired.dispatching.hand_over_due()
        (sent,) = town.gateway.sent
        assert (sent.sender, sent.recipient) == (LINCOLN_NUMBER, ROSA)

    async def test_a_signature_that_changes_while_the_text_waits_changes_no_body(self, town: Town) -> None:
        await give_number(town, "alice", ALICES_NUMBER)
        row = await send(town, "alice", await town.personal("alice"))
        await town.wired.services.staff.save_signature(await town.actor("alice"), "Ms. A.")
        await town.wired.dispatching.hand_over_due()
        assert town.gateway.sent[0].body == row.sent_as


class TestDrafts:
    async def test_the_draft_is_gone_when_the_text_is_queued(self, town: Town) -> None:
        alice, thread, key = await town.actor("alice"), await town.personal("alice"), uuid4()
        await town.wired.services.threads.save_draft(alice, thread, key, "Mia did")
        await send(town, "alice", thread, key=key)
        assert await rows(town, Draft) == []

    async def test_a_last_keystroke_that_comes_after_the_click_does_not_bring_it_back(self, town: Town) -> None:
        alice, thread, key = await town.actor("alice"), await town.personal("alice"), uuid4()
        await send(town, "alice", thread, key=key)
        await town.wired.services.threads.save_draft(alice, thread, key, "Mia did well today.")
        assert await rows(town, Draft) == []

    async def test_a_refused_text_keeps_its_draft(self, town: Town) -> None:
        alice, thread, key = await town.actor("alice"), await town.school(), uuid4()
        await town.wired.services.threads.save_draft(alice, thread, key, "Mia did")
        await receive(town, "STOP")
        with pytest.raises(NotAllowed):
            await send(town, "alice", thread, key=key)
        assert (await the(town, Draft)).written == "Mia did"

    async def test_a_colleagues_draft_in_the_same_thread_stays(self, town: Town) -> None:
        dora, thread = await town.actor("dora"), await town.school()
        await town.wired.services.threads.save_draft(dora, thread, uuid4(), "Dear")
        await send(town, "alice", thread)
        assert (await the(town, Draft)).staff_id == town.staff["dora"]


class TestRetry:
    async def _failed(self, town: Town, reason: FailureReason = FailureReason.UNREACHABLE) -> int:
        row = await send(town, "alice", await town.school())
        await change(town, Message, col(Message.id) == row.id, state=DeliveryState.UNDELIVERED, reason=reason)
        return row.id

    async def test_a_failed_text_is_sent_once_more_as_a_new_one(self, town: Town) -> None:
        failed = await self._failed(town)
        again = await town.wired.services.sending.retry(await town.actor("alice"), failed)
        assert (again.state, again.text) == ("queued", "Mia did well today.")
        assert again.id != failed
        assert (await message(town, failed)).state is DeliveryState.UNDELIVERED

    async def test_a_double_click_sends_it_once(self, town: Town) -> None:
        failed, alice = await self._failed(town), await town.actor("alice")
        retry = town.wired.services.sending.retry
        results = await asyncio.gather(*(retry(alice, failed) for _ in range(5)), return_exceptions=True)
        assert [type(r) for r in results].count(Invalid) == 4
        assert len(await rows(town, Message)) == 2

    async def test_a_text_that_was_delivered_is_not_sent_again(self, town: Town) -> None:
        row = await send(town, "alice", await town.school())
        await change(town, Message, state=DeliveryState.DELIVERED)
        with pytest.raises(Invalid, match="cannot be sent again"):
            await town.wired.services.sending.retry(await town.actor("alice"), row.id)

    async def test_a_text_to_a_landline_is_not_sent_again(self, town: Town) -> None:
        failed = await self._failed(town, FailureReason.LANDLINE)
        with pytest.raises(Invalid):
            await town.wired.services.sending.retry(await town.actor("alice"), failed)

    async def test_a_familys_text_is_not_sent_again(self, town: Town) -> None:
        await receive(town)
        received = await the(town, Message)
        with pytest.raises(Invalid):
            await town.wired.services.sending.retry(await town.actor("alice"), received.id)

    async def test_a_colleagues_text_is_hers_to_send_again(self, town: Town) -> None:
        failed = await self._failed(town)
        with pytest.raises(NotAllowed, match="Only the person who wrote"):
            await town.wired.services.sending.retry(await town.actor("dora"), failed)
        assert (await message(town, failed)).retried is False

    @pytest.mark.parametrize("who", ["bob", "charlie", "diana"])
    async def test_a_text_that_one_may_not_read_is_not_there(self, town: Town, who: str) -> None:
        with pytest.raises(NotFound):
            await town.wired.services.sending.retry(await town.actor(who), await self._failed(town))

    async def test_after_a_stop_it_is_not_sent_again(self, town: Town) -> None:
        failed = await self._failed(town)
        await receive(town, "STOP")
        with pytest.raises(NotAllowed):
            await town.wired.services.sending.retry(await town.actor("alice"), failed)
        assert (await message(town, failed)).retried is False


class TestPersonalNumbers:
    async def test_the_first_text_waits_for_its_number_and_leaves_from_it(self, town: Town) -> None:
        row = await send(town, "alice", await town.personal("alice"))
        assert await town.wired.dispatching.hand_over_due() == 0
        await town.wired.numbers.buy_wanted()
        await town.wired.dispatching.hand_over_due()
        number = await the(town, Number, col(Number.staff_id) == town.staff["alice"])
        assert (await message(town, row.id)).sender == number.e164
        assert [text.sender for text in town.gateway.sent] == [number.e164]

    async def test_two_first_texts_to_two_families_at_once_want_one_number(self, town: Town) -> None:
        await asyncio.gather(
            send(town, "alice", await town.personal("alice")), send(town, "alice", await town.personal("alice", MIA))
        )
        before = len(town.gateway.bought)
        await asyncio.gather(town.wired.numbers.buy_wanted(), town.wired.numbers.buy_wanted())
        assert len(town.gateway.bought) == before + 1

    async def test_a_text_written_while_the_number_becomes_ready_gets_its_sender(self, town: Town) -> None:
        thread = await town.personal("alice")
        await send(town, "alice", thread)
        async with asyncio.TaskGroup() as group:
            buying = group.create_task(town.wired.numbers.buy_wanted())
            while not buying.done():
                group.create_task(send(town, "alice", thread))
                await asyncio.sleep(0.005)
        assert None not in {m.sender for m in await rows(town, Message)}

    async def test_beyond_the_cap_nobody_gets_a_number(self, town: Town) -> None:
        sending = Sending(town.wired.db, ONE_NUMBER)
        bob, nora = await town.actor("bob"), await town.actor("nora")
        await sending.send(bob, await town.personal("bob"), "Hello", uuid4(), 0)
        await sending.send(bob, await town.personal("bob"), "Hello again", uuid4(), 0)
        with pytest.raises(Unavailable, match="limit of numbers"):
            await sending.send(nora, await town.personal("nora"), "Hello", uuid4(), 0)

    async def test_two_people_do_not_share_the_last_number_of_the_cap(self, town: Town) -> None:
        sending = Sending(town.wired.db, ONE_NUMBER)
        people = [(await town.actor(who), await town.personal(who)) for who in ("alice", "bob", "dora", "nora")]
        results = await asyncio.gather(
            *(sending.send(actor, thread, "Hello", uuid4(), 0) for actor, thread in people), return_exceptions=True
        )
        assert [type(r) for r in results].count(Unavailable) == 3
        assert len(await rows(town, Number, col(Number.staff_id).is_not(None))) == 1

    async def test_from_a_stopped_number_nothing_is_written(self, town: Town) -> None:
        mine = col(Number.school_id) == town.schools[LINCOLN]
        await change(town, Number, mine, state=NumberState.STOPPED, problem="It is not registered.")
        with pytest.raises(Unavailable, match="It is not registered"):
            await send(town, "alice", await town.school())


async def test_a_family_of_two_schools_reads_the_school_that_the_sender_shares(town: Town) -> None:
    """Rosa has a son at Roosevelt too; Charlie writes for Roosevelt."""
    roosevelt = town.schools[ROOSEVELT]
    son = await add(town, Student(name="Luis Lopez", school_id=roosevelt, birth_date=date(2010, 1, 1)))
    rosa = await the(town, Contact, col(Contact.name) == "Rosa Lopez")
    await add(town, Guardianship(student_id=son.id, contact_id=rosa.id))
    assert "coach at Roosevelt High School" in (await send(town, "charlie", await town.personal("charlie"))).sent_as


async def test_the_row_of_the_list_shows_the_newest_text(town: Town) -> None:
    thread = await town.personal("alice")
    row = await send(town, "alice", thread, "Mia   did\nwell")
    kept = await the(town, Thread, col(Thread.id) == thread)
    assert (kept.last_message_id, kept.last_author_id, kept.preview) == (row.id, town.staff["alice"], "Mia did well")
    await town.wired.receiving.receive(text_from(body="older", at=datetime.now(UTC) - timedelta(hours=1)))
    await due_now(town)
    assert (await the(town, Thread, col(Thread.id) == thread)).preview == "Mia did well"


async def test_other_words_from_the_same_draft_in_another_window_go_out_too_and_once(town: Town) -> None:
    alice, thread, key = await town.actor("alice"), await town.personal("alice"), uuid4()
    send = town.wired.services.sending.send
    first = await send(alice, thread, "See you at 3", key, 0)
    second = await send(alice, thread, "See you at 3:15 instead", key, first.id)
    again = await send(alice, thread, "See you at 3:15 instead", key, first.id)
    assert (second.text, again.id) == ("See you at 3:15 instead", second.id)
    assert second.id != first.id


async def test_a_draft_of_one_conversation_never_leaves_in_another(town: Town) -> None:
    alice, key = await town.actor("alice"), uuid4()
    rosa, mia = await town.personal("alice"), await town.personal("alice", MIA)
    send = town.wired.services.sending.send
    await send(alice, rosa, "For Rosa", key, 0)
    with pytest.raises(Invalid, match="another conversation"):
        await send(alice, mia, "Other words", key, 0)
