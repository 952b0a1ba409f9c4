"""Somebody leaves: who may do it, what becomes of conversations, number and queue, and how it is when they are back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import col

from tests.cast import LINCOLN_NUMBER, MIA, OMAR, PASSWORD, ROSA, STRANGER, Town
from tests.services.steps import (
    ALICES_NUMBER,
    BOBS_NUMBER,
    CHARLIES_NUMBER,
    LINCOLN,
    change,
    give_number,
    listening,
    receive,
    revoke,
    rows,
    send,
    text_from,
    the,
    until_waiting,
)
from tp_inbox.domain.access import NO_SUCCESSOR, OWN_SUCCESSION, InboxKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.delivery import DeliveryState as S, FailureReason as R
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Refusal, SignedOut
from tp_inbox.domain.permissions import Permission
from tp_inbox.services.consent import lock_phones
from tp_inbox.services.handing_over import OPEN_FOR, REASON
from tp_inbox.services.inboxes import AUTOMATIC, MESSAGES_A_PAGE, OWN, THEIRS
from tp_inbox.services.leaving import MOST_CHARACTERS, QUARANTINE, Left, Plan
from tp_inbox.services.views import MessageRow, ThreadRow
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind
from tp_inbox.storage.tables import (
    Assignment,
    AuditEntry,
    ConsentEvent,
    Draft,
    HandOver,
    Message,
    Number,
    OversightReading,
    Role,
    Staff,
    Student,
    Thread,
)
from tp_inbox.storage.tables.messages import Direction, NumberState, Purpose

GONE = "Bob Brown is no longer here. Please contact the school office."


async def bob_writes(town: Town, phone: str = ROSA, words: str = "Please bring the inhaler.") -> int:
    """Bob has a number, and a conversation with that family; the thread's id."""
    if not await rows(town, Number, col(Number.staff_id) == town.staff["bob"]):
        await give_number(town, "bob", BOBS_NUMBER)
    thread = await town.personal("bob", phone)
    await send(town, "bob", thread, words)
    await town.wired.dispatching.hand_over_due()
    return thread


async def leave(
    town: Town,
    whom: str = "bob",
    successor: str = "",
    by: str = "diana",
    staying: frozenset[int] = frozenset(),
    reply: str = "",
) -> Left:
    plan = Plan(town.staff[successor] if successor else 0, staying, reply)
    return await town.wired.services.leaving.deactivate(await town.actor(by), town.staff[whom], plan)


async def come_back(town: Town, whom: str = "bob", by: str = "diana") -> None:
    await town.wired.services.leaving.reactivate(await town.actor(by), town.staff[whom])


async def listed(town: Town, who: str) -> list[ThreadRow]:
    found, _ = await town.wired.services.inboxes.threads(await town.actor(who), InboxKind.PERSONAL)
    return found


async def read(town: Town, who: str, thread: int, before: int | None = None) -> list[MessageRow]:
    found, _ = await town.wired.services.inboxes.messages(await town.actor(who), thread, before)
    return found


async def replies(town: Town) -> list[Message]:
    return await rows(town, Message, col(Message.purpose) == Purpose.AUTOMATIC)


async def number(town: Town) -> Number:
    return await the(town, Number, col(Number.staff_id) == town.staff["bob"])


async def entries(town: Town, kind: AuditKind) -> list[AuditEntry]:
    return await rows(town, AuditEntry, col(AuditEntry.kind) == kind)


class TestTheAccount:
    async def test_it_signs_out_at_once_and_nobody_signs_in(self, town: Town) -> None:
        sessions = town.wired.services.sessions
        begun = await sessions.sign_in(town.email("bob"), PASSWORD, "192.0.2.1", "")
        async with listening(town) as heard:
            await leave(town)
            assert {ChangeKind.SESSION, ChangeKind.ACCESS} <= set(await heard.kinds())
        assert await sessions.look_up(begun.token, own_act=False) is None
        with pytest.raises(Invalid):
            await sessions.sign_in(town.email("bob"), PASSWORD, "192.0.2.1", "")

    async def test_roles_drafts_and_texts_stay_as_a_record(self, town: Town) -> None:
        thread = await bob_writes(town)
        await town.wired.services.threads.save_draft(await town.actor("bob"), thread, uuid4(), "half a thought")
        await leave(town)
        assert len(await rows(town, Assignment, col(Assignment.staff_id) == town.staff["bob"])) == 1
        assert (await the(town, Draft)).written == "half a thought"
        assert (await town.actor("bob")).schools_with(Permission.PERSONAL_MESSAGES) == frozenset()

    async def test_it_is_written_down(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, successor="alice")
        (gone,) = await entries(town, AuditKind.DEACTIVATED)
        (handed,) = await entries(town, AuditKind.HANDED_OVER)
        (kept,) = await entries(town, AuditKind.NUMBER_CHANGED)
        assert {e.subject_id for e in (gone, handed, kept)} == {town.staff["bob"]}
        assert {e.actor_id for e in (gone, handed, kept)} == {town.staff["diana"]}
        assert handed.facts["successor"] == town.staff["alice"]
        assert len(handed.facts["threads"]) == 1
        assert (kept.before, kept.after) == ({"state": "active"}, {"state": "quarantined"})
        assert "Bob" not in str([gone.facts, handed.facts, kept.facts])

    async def test_a_principal_does_it_at_her_own_school(self, town: Town) -> None:
        assert await leave(town, by="dora") == Left(0, 0, 0)

    @pytest.mark.parametrize(
        ("by", "whom", "error"),
        [
            ("dora", "charlie", NotFound),
            ("dora", "nora", NotAllowed),
            ("dora", "diana", NotFound),
            ("alice", "bob", NotAllowed),
            ("diana", "diana", NotAllowed),
            ("dora", "dora", NotAllowed),
        ],
    )
    async def test_nobody_ends_an_account_that_they_do_not_manage(
        self, town: Town, by: str, whom: str, error: type[Refusal]
    ) -> None:
        leaving, actor = town.wired.services.leaving, await town.actor(by)
        for ask in (
            leave(town, whom, by=by),
            leaving.departure(actor, town.staff[whom]),
            leaving.candidates(actor, town.staff[whom], "a"),
        ):
            with pytest.raises(error):
                await ask
        assert await rows(town, Staff, ~col(Staff.active)) == []

    async def test_somebody_who_is_not_there_is_not_found(self, town: Town) -> None:
        with pytest.raises(NotFound):
            await town.wired.services.leaving.deactivate(await town.actor("diana"), 10**9, Plan())

    async def test_the_last_district_admin_stays_even_for_the_server(self, town: Town) -> None:
        with pytest.raises(NotAllowed, match="last one"):
            await town.wired.services.staff.disable(town.email("diana"))
        assert (await the(town, Staff, col(Staff.id) == town.staff["diana"])).active

    async def test_it_is_done_once(self, town: Town) -> None:
        await leave(town)
        with pytest.raises(Invalid, match="already"):
            await leave(town)

    async def test_an_admin_who_has_just_lost_the_right_does_nothing(self, town: Town) -> None:
        dora = await town.actor("dora")
        viewer = await the(town, Role, col(Role.name) == "School Viewer")
        await change(town, Assignment, col(Assignment.staff_id) == town.staff["dora"], role_id=viewer.id)
        with pytest.raises(NotAllowed):
            await town.wired.services.leaving.deactivate(dora, town.staff["bob"], Plan())


class TestTheNumber:
    async def test_it_is_kept_for_ninety_days_and_nobody_else_gets_it(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town)
        kept = await number(town)
        assert (kept.state, kept.e164) == (NumberState.QUARANTINED, BOBS_NUMBER)
        assert kept.quarantined_until is not None
        assert abs(kept.quarantined_until - utc_now() - QUARANTINE) < timedelta(minutes=1)

    async def test_none_is_bought_for_somebody_who_has_left(self, town: Town) -> None:
        await send(town, "bob", await town.personal("bob"))
        await leave(town)
        assert await town.wired.numbers.buy_wanted() == 0
        await come_back(town)
        assert await town.wired.numbers.buy_wanted() == 1

    async def test_what_waits_in_the_queue_is_held_back_with_the_reason_and_counted(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        thread = await town.personal("bob")
        await send(town, "bob", thread)
        departure = await town.wired.services.leaving.departure(await town.actor("diana"), town.staff["bob"])
        assert departure.queued == 1
        assert (await leave(town, successor="alice")).held_back == 1
        held = await the(town, Message)
        assert (held.state, held.reason) == (S.FAILED, R.CANCELED)
        assert await town.wired.dispatching.hand_over_due() == 0

    async def test_what_a_worker_had_taken_up_in_that_moment_is_not_lost_either(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        await send(town, "bob", await town.personal("bob"))
        await leave(town)
        await change(town, Message, state=S.QUEUED, reason=None)
        assert await town.wired.dispatching.hand_over_due() == 0
        held = await the(town, Message)
        assert (held.state, held.reason) == (S.FAILED, R.CANCELED)

    async def test_a_text_that_bob_sends_while_he_is_deactivated_goes_out_or_is_refused(self, town: Town) -> None:
        thread = await bob_writes(town)
        bob = await town.actor("bob")
        sending = town.wired.services.sending
        done = await asyncio.gather(
            leave(town, successor="alice"),
            sending.send(bob, thread, "One more thing.", uuid4(), 2**62),
            return_exceptions=True,
        )
        assert isinstance(done[0], Left)
        assert isinstance(done[1], MessageRow | SignedOut | NotFound)
        await town.wired.dispatching.hand_over_due()
        assert not await rows(town, Message, col(Message.state) == S.QUEUED)


class TestStopInAConversationThatGoesOn:
    """A STOP ends the conversation, whoever has it now; a START to either number begins it again."""

    @pytest.fixture
    async def handed_over(self, town: Town) -> int:
        await bob_writes(town)
        await give_number(town, "alice", ALICES_NUMBER)
        await leave(town, successor="alice")
        return (await listed(town, "alice"))[0].id

    async def closed(self, town: Town, thread: int) -> str:
        return (await town.wired.services.threads.head(await town.actor("alice"), thread)).closed

    async def test_a_stop_to_the_old_number_closes_it_for_the_successor(self, town: Town, handed_over: int) -> None:
        assert await self.closed(town, handed_over) == ""
        await receive(town, "STOP", to=BOBS_NUMBER)
        assert "texted STOP to Lincoln Middle School" in await self.closed(town, handed_over)
        with pytest.raises(NotAllowed, match="STOP"):
            await send(town, "alice", handed_over)

    async def test_a_stop_from_before_goes_along(self, town: Town) -> None:
        await bob_writes(town)
        await receive(town, "STOP", to=BOBS_NUMBER)
        await leave(town, successor="alice")
        assert "STOP" in await self.closed(town, (await listed(town, "alice"))[0].id)

    async def test_what_was_queued_meanwhile_is_held_back(self, town: Town, handed_over: int) -> None:
        sent = await send(town, "alice", handed_over)
        await receive(town, "STOP", to=BOBS_NUMBER)
        await town.wired.dispatching.hand_over_due()
        assert (await the(town, Message, col(Message.id) == sent.id)).state is S.FAILED

    @pytest.mark.parametrize("to", [BOBS_NUMBER, ALICES_NUMBER])
    async def test_a_start_to_either_number_opens_it(self, town: Town, handed_over: int, to: str) -> None:
        await receive(town, "STOP", to=BOBS_NUMBER)
        await receive(town, "START", to=to)
        assert await self.closed(town, handed_over) == ""


class TestTheSuccessor:
    async def test_the_conversation_is_in_the_successors_list_and_reads_on(self, town: Town) -> None:
        await bob_writes(town)
        await receive(town, "Yes, I will.", to=BOBS_NUMBER)
        async with listening(town) as heard:
            assert (await leave(town, successor="alice")).handed_over == 1
            assert ChangeKind.INBOX in await heard.kinds()
        (row,) = await listed(town, "alice")
        assert (row.title, row.preview, row.unread) == ("Rosa Lopez", "Yes, I will.", 1)
        found = await read(town, "alice", row.id)
        assert [(m.text, m.author, m.owner) for m in found] == [
            ("Please bring the inhaler.", "Bob Brown", "Bob Brown"),
            ("Yes, I will.", "", "Bob Brown"),
        ]
        assert [m.turn for m in found] == [THEIRS, ""]

    async def test_the_successor_writes_from_their_own_number_and_says_who_they_are(self, town: Town) -> None:
        await bob_writes(town)
        await give_number(town, "alice", ALICES_NUMBER)
        await leave(town, successor="alice")
        thread = (await listed(town, "alice"))[0].id
        sent = await send(town, "alice", thread, "I am the counselor.")
        kept = await the(town, Message, col(Message.id) == sent.id)
        assert kept.sender == ALICES_NUMBER
        assert kept.body.startswith("This is Alice Adams, counselor at Lincoln Middle School. Reply STOP")
        assert [m.turn for m in await read(town, "alice", thread)] == [THEIRS, OWN]

    async def test_what_the_successor_had_written_before_stands_in_its_place(self, town: Town) -> None:
        await send(town, "alice", await town.personal("alice"), "First, from Alice.")
        await bob_writes(town, words="Then, from Bob.")
        await send(town, "alice", await town.personal("alice"), "Last, from Alice.")
        await leave(town, successor="alice")
        found = await read(town, "alice", await town.personal("alice"))
        assert [m.text for m in found] == ["First, from Alice.", "Then, from Bob.", "Last, from Alice."]
        assert [m.turn for m in found] == ["", THEIRS, OWN]

    async def test_pages_go_on_over_the_join(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        for count in range(MESSAGES_A_PAGE):
            await receive(town, f"to Bob {count}", to=BOBS_NUMBER)
        await leave(town, successor="alice")
        for count in range(3):
            await receive(town, f"to Alice {count}", to=BOBS_NUMBER)
        thread = (await listed(town, "alice"))[0].id
        newest = await read(town, "alice", thread)
        oldest = await read(town, "alice", thread, before=newest[0].id)
        assert (len(newest), len(oldest)) == (MESSAGES_A_PAGE, 3)
        assert [m.text for m in oldest + newest][:2] == ["to Bob 0", "to Bob 1"]
        assert [m.id for m in oldest + newest] == sorted(m.id for m in oldest + newest)

    async def test_a_conversation_that_was_not_chosen_stays(self, town: Town) -> None:
        rosas, mias = await bob_writes(town), await bob_writes(town, MIA)
        assert await leave(town, successor="alice", staying=frozenset({mias})) == Left(1, 1, 0)
        assert {t.continued_in_id is not None for t in await rows(town, Thread, col(Thread.id) == rosas)} == {True}
        assert [row.title for row in await listed(town, "alice")] == ["Rosa Lopez"]

    async def test_an_old_conversation_stays(self, town: Town) -> None:
        thread = await bob_writes(town)
        await change(town, Thread, col(Thread.id) == thread, last_at=utc_now() - OPEN_FOR - timedelta(days=1))
        departure = await town.wired.services.leaving.departure(await town.actor("diana"), town.staff["bob"])
        assert (departure.open, departure.older, departure.conversations) == (0, 1, [])
        assert await leave(town, successor="alice") == Left(0, 0, 0)

    async def test_a_family_that_the_successor_may_not_text_is_named_with_the_reason(self, town: Town) -> None:
        """Nora wrote to Omar's family as a therapist at both schools; Alice works at Lincoln alone."""
        await give_number(town, "nora", BOBS_NUMBER)
        for phone in (OMAR, ROSA):
            await send(town, "nora", await town.personal("nora", phone))
        await town.wired.dispatching.hand_over_due()
        diana, nora = await town.actor("diana"), town.staff["nora"]
        departure = await town.wired.services.leaving.departure(diana, nora, town.staff["alice"])
        assert {c.title: bool(c.stays) for c in departure.conversations} == {"Omar Haddad": True, "Rosa Lopez": False}
        assert await leave(town, "nora", "alice") == Left(1, 1, 0)
        assert [row.title for row in await listed(town, "alice")] == ["Rosa Lopez"]

    @pytest.mark.parametrize("successor", ["charlie", "vera", "diana", "bob"])
    async def test_who_shares_no_school_with_personal_messages_is_no_successor(
        self, town: Town, successor: str
    ) -> None:
        await bob_writes(town)
        with pytest.raises(NotAllowed, match=NO_SUCCESSOR):
            await leave(town, successor=successor)
        names = [c.name for c in await candidates(town)]
        assert names == ["Alice Adams", "Dora Diaz", "Nora Nash"]

    async def test_whoever_has_never_signed_in_is_offered_last(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["alice"], password_hash=None)
        offered = [(c.name, c.has_come) for c in await candidates(town)]
        assert offered == [("Dora Diaz", True), ("Nora Nash", True), ("Alice Adams", False)]

    async def test_somebody_who_has_left_succeeds_nobody(self, town: Town) -> None:
        await leave(town, "alice")
        with pytest.raises(NotAllowed, match=NO_SUCCESSOR):
            await leave(town, "bob", "alice")
        assert "Alice Adams" not in [c.name for c in await candidates(town)]

    async def test_two_who_name_each_other_at_once_do_not_both_go(self, town: Town) -> None:
        done = await asyncio.gather(leave(town, "bob", "alice"), leave(town, "alice", "bob"), return_exceptions=True)
        assert sorted(type(d).__name__ for d in done) == ["Left", "NotAllowed"]

    async def test_nobody_hands_to_themselves(self, town: Town) -> None:
        """Dora may oversee Bob: with a reason, which he is shown. Another admin may give his work to her."""
        await bob_writes(town)
        with pytest.raises(NotAllowed, match=OWN_SUCCESSION):
            await leave(town, successor="dora", by="dora")
        assert (await leave(town, successor="dora")).handed_over == 1

    async def test_who_may_not_know_the_families_hands_over_without_their_names(self, town: Town) -> None:
        await bob_writes(town)
        role = await the(town, Role, col(Role.name) == "School Admin")
        kept = [p for p in role.permissions if p not in ("view_all_messages", "see_directory")]
        await change(town, Role, col(Role.id) == role.id, permissions=kept)
        await change(town, Role, col(Role.name) == "Nurse", permissions=["personal_messages"])
        departure = await town.wired.services.leaving.departure(await town.actor("dora"), town.staff["bob"])
        assert [c.title for c in departure.conversations] == ["A family"]

    async def test_oversight_reads_each_part_by_itself_and_the_first_under_its_own_name(self, town: Town) -> None:
        old = await bob_writes(town)
        await leave(town, successor="alice")
        own = await town.personal("alice")
        await send(town, "alice", own, "From Alice.")
        oversight, diana = town.wired.services.oversight, await town.actor("diana")
        for thread, words in ((old, "Please bring the inhaler."), (own, "From Alice.")):
            await oversight.open(diana, thread, "A parent has complained.")
            found, _ = await oversight.messages(diana, thread)
            assert [m.text for m in found] == [words]

    async def test_nobody_but_the_successor_reads_it(self, town: Town) -> None:
        thread = await bob_writes(town)
        await leave(town, successor="alice")
        own = await town.personal("alice")
        for who in ("charlie", "dora", "vera", "nora", "diana"):
            for each in (thread, own):
                with pytest.raises(NotFound):
                    await read(town, who, each)
        with pytest.raises(NotFound):
            await read(town, "alice", thread)


async def candidates(town: Town):
    return await town.wired.services.leaving.candidates(await town.actor("diana"), town.staff["bob"], "")


class TestTextsOfTheSameMoment:
    """A family's text takes the lock of its phone, then writes in the thread: leaving and coming back do the same."""

    async def test_leaving_waits_for_a_family_that_writes_where_a_text_is_held_back(self, town: Town) -> None:
        thread = await bob_writes(town)
        await send(town, "bob", thread, "Not sent yet.")
        async with town.wired.db.transaction() as session:
            await lock_phones(session, [town.phones[ROSA]])
            leaving = asyncio.create_task(leave(town, successor="alice"))
            await until_waiting(town, 1)
            (await session.get_one(Thread, thread)).inbound_count += 1
        assert (await leaving).held_back == 1

    async def test_coming_back_keeps_no_family_from_being_answered(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, successor="alice")
        number_id = (await number(town)).id
        async with town.wired.db.transaction() as session:
            await lock_phones(session, [town.phones[ROSA]])
            coming = asyncio.create_task(come_back(town))
            await until_waiting(town, 1)
            refers_to_it = {"read": True, "key_share": True}
            await session.get_one(Number, number_id, with_for_update=refers_to_it)
        await coming


class TestWhatFamiliesWriteAfterwards:
    async def test_it_comes_to_the_successor_unread_and_at_once(self, town: Town) -> None:
        old = await bob_writes(town)
        await leave(town, successor="alice")
        own = await town.personal("alice")
        async with listening(town) as heard:
            await receive(town, "She has a fever.", to=BOBS_NUMBER)
            found = [c for c in await heard.all() if c.kind is ChangeKind.MESSAGE]
        assert [c.thread for c in found] == [own]
        assert (await listed(town, "alice"))[0].unread == 1
        assert (await the(town, Thread, col(Thread.id) == old)).inbound_count == 0
        assert [m.text for m in await read(town, "alice", own)][-1] == "She has a fever."

    async def test_a_family_that_had_no_open_conversation_comes_to_the_successor_too(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        await leave(town, successor="alice")
        async with listening(town) as heard:
            text = await receive(town, "She has a fever.", to=BOBS_NUMBER)
            found = [c for c in await heard.all() if c.kind is ChangeKind.MESSAGE]
        await town.wired.receiving.receive(text)
        own = await town.personal("alice")
        assert [c.thread for c in found] == [own]
        assert [row.unread for row in await listed(town, "alice")] == [1]
        assert [m.text for m in await read(town, "alice", own)] == ["She has a fever."]
        assert len(await entries(town, AuditKind.HANDED_OVER)) == 2

    async def test_an_old_conversation_is_handed_over_when_the_family_writes_again(self, town: Town) -> None:
        old = await bob_writes(town)
        long_ago = utc_now() - timedelta(days=91)
        await change(town, Message, created_at=long_ago)
        await change(town, Thread, col(Thread.id) == old, last_at=long_ago)
        assert (await leave(town, successor="alice")).handed_over == 0
        await receive(town, "She has a fever.", to=BOBS_NUMBER)
        found = await read(town, "alice", await town.personal("alice"))
        assert [m.text for m in found] == ["Please bring the inhaler.", "She has a fever."]

    async def test_a_family_that_the_successor_may_not_text_reaches_nobody_as_before(self, town: Town) -> None:
        await give_number(town, "bob", BOBS_NUMBER)
        await leave(town, successor="alice")
        await receive(town, "Hello?", sender=STRANGER, to=BOBS_NUMBER)
        assert await listed(town, "alice") == []

    async def test_who_comes_back_sees_who_took_over(self, town: Town) -> None:
        old = await bob_writes(town)
        await leave(town, successor="alice")
        reading = await the(town, OversightReading)
        who = (reading.reader_id, reading.owner_id, reading.thread_id)
        assert who == (town.staff["alice"], town.staff["bob"], old)
        await come_back(town)
        seen, _ = await town.wired.services.oversight.readings(await town.actor("bob"))
        assert [(r.reader, r.reason) for r in seen] == [("Alice Adams", REASON)]

    async def test_without_a_successor_it_stays_in_the_old_conversation(self, town: Town) -> None:
        old = await bob_writes(town)
        await leave(town)
        await receive(town, "She has a fever.", to=BOBS_NUMBER)
        assert (await the(town, Message, col(Message.direction) == Direction.IN)).thread_id == old
        assert await listed(town, "alice") == []

    async def test_a_family_that_was_not_handed_over_stays_too(self, town: Town) -> None:
        await bob_writes(town)
        mias = await bob_writes(town, MIA)
        await leave(town, successor="alice", staying=frozenset({mias}))
        await receive(town, "Hello?", sender=MIA, to=BOBS_NUMBER)
        assert (await the(town, Message, col(Message.direction) == Direction.IN)).thread_id == mias

    async def test_it_goes_on_over_two_hand_overs(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, "bob", "alice")
        await give_number(town, "alice", ALICES_NUMBER)
        await send(town, "alice", await town.personal("alice"), "From Alice.")
        await town.wired.dispatching.hand_over_due()
        await leave(town, "alice", "nora")
        await receive(town, "To Bob.", to=BOBS_NUMBER)
        await receive(town, "To Alice.", to=ALICES_NUMBER)
        found = await read(town, "nora", await town.personal("nora"))
        assert [(m.text, m.owner) for m in found] == [
            ("Please bring the inhaler.", "Bob Brown"),
            ("From Alice.", "Alice Adams"),
            ("To Bob.", ""),
            ("To Alice.", ""),
        ]
        assert [m.turn for m in found] == [THEIRS, THEIRS, OWN, ""]

    async def test_two_who_leave_may_have_one_successor(self, town: Town) -> None:
        await bob_writes(town)
        await give_number(town, "nora", CHARLIES_NUMBER)
        await send(town, "nora", await town.personal("nora"), "From Nora.")
        await leave(town, "bob", "alice")
        await leave(town, "nora", "alice")
        found = await read(town, "alice", await town.personal("alice"))
        assert {m.owner for m in found} == {"Bob Brown", "Nora Nash"}

    async def test_a_successor_who_reads_no_more_gets_nothing(self, town: Town) -> None:
        old = await bob_writes(town)
        await leave(town, successor="alice")
        viewer = await the(town, Role, col(Role.name) == "School Viewer")
        await change(town, Assignment, col(Assignment.staff_id) == town.staff["alice"], role_id=viewer.id)
        await receive(town, "She has a fever.", to=BOBS_NUMBER)
        assert (await the(town, Message, col(Message.direction) == Direction.IN)).thread_id == old

    async def test_a_text_at_the_very_moment_is_in_one_of_the_two(self, town: Town) -> None:
        await bob_writes(town)
        await asyncio.gather(leave(town, successor="alice"), receive(town, "At once.", to=BOBS_NUMBER))
        found = await read(town, "alice", await town.personal("alice"))
        assert [m.text for m in found].count("At once.") == 1


class TestTheAutomaticReply:
    async def test_it_is_sent_from_the_old_number_by_nobody_and_arrives(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, successor="alice", reply=GONE)
        town.gateway.sent.clear()
        await receive(town, "She has a fever.", to=BOBS_NUMBER)
        assert await town.wired.dispatching.hand_over_due() == 1
        assert [(t.sender, t.recipient, t.body) for t in town.gateway.sent] == [(BOBS_NUMBER, ROSA, GONE)]
        (reply,) = await replies(town)
        assert reply.state is S.ACCEPTED
        assert [m.author for m in await read(town, "alice", await town.personal("alice"))][-1] == AUTOMATIC

    async def test_the_list_goes_on_showing_what_the_family_wrote(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, successor="alice", reply=GONE)
        await receive(town, "She has a fever.", to=BOBS_NUMBER)
        (row,) = await listed(town, "alice")
        assert (row.preview, row.outbound, row.unread) == ("She has a fever.", False, 1)

    async def test_a_family_gets_it_once_a_day(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        for words in ("One.", "Two.", "Three."):
            await receive(town, words, to=BOBS_NUMBER)
        (first,) = await replies(town)
        await change(town, Message, col(Message.id) == first.id, created_at=utc_now() - timedelta(days=1, minutes=1))
        await receive(town, "Four.", to=BOBS_NUMBER)
        assert len(await replies(town)) == 2

    async def test_it_goes_without_a_successor_and_to_those_who_stayed(self, town: Town) -> None:
        await bob_writes(town, MIA)
        await leave(town, reply=GONE)
        await receive(town, "Hello?", sender=MIA, to=BOBS_NUMBER)
        assert [r.recipient for r in await replies(town)] == [MIA]

    async def test_a_family_that_never_heard_from_this_number_is_told_which_school_it_is(self, town: Town) -> None:
        await bob_writes(town, MIA)
        await leave(town, reply=GONE)
        await receive(town, "Hello?", to=BOBS_NUMBER)
        (reply,) = await replies(town)
        assert reply.body == f"This is {LINCOLN}. Reply STOP to end texts.\n{GONE}"

    @pytest.mark.parametrize("words", ["STOP", "Stop. Thank you", "please stop texting me", "START", "HELP"])
    async def test_stop_start_and_help_are_never_answered(self, town: Town, words: str) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        await receive(town, words, to=BOBS_NUMBER)
        assert await replies(town) == []

    async def test_a_plain_yes_is_answered_and_one_that_lifts_a_stop_is_not(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        await receive(town, "STOP", to=BOBS_NUMBER)
        await receive(town, "Yes", to=BOBS_NUMBER)
        assert await replies(town) == []
        await receive(town, "Yes", to=BOBS_NUMBER)
        assert len(await replies(town)) == 1

    async def test_a_family_that_has_opted_out_gets_none(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        await receive(town, "STOP", to=BOBS_NUMBER)
        assert await rows(town, ConsentEvent)
        await receive(town, "Is anybody there?", to=BOBS_NUMBER)
        assert await replies(town) == []

    async def test_a_stop_before_it_is_handed_over_holds_it_back(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        await receive(town, "Hello?", to=BOBS_NUMBER)
        await receive(town, "STOP", to=BOBS_NUMBER)
        assert await town.wired.dispatching.hand_over_due() == 0
        (reply,) = await replies(town)
        assert (reply.state, reply.reason) == (S.FAILED, R.OPTED_OUT)

    @pytest.mark.parametrize("sender", [STRANGER, OMAR])
    async def test_who_is_no_family_of_bobs_school_gets_none(self, town: Town, sender: str) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        await receive(town, "Who is this?", sender=sender, to=BOBS_NUMBER)
        assert await replies(town) == []

    async def test_a_student_under_13_gets_none(self, town: Town) -> None:
        await bob_writes(town, MIA)
        await change(
            town, Student, col(Student.name) == "Mia Lopez", birth_date=utc_now().date() - timedelta(days=4000)
        )
        await leave(town, reply=GONE)
        await receive(town, "Hello?", sender=MIA, to=BOBS_NUMBER)
        assert await replies(town) == []

    async def test_a_text_that_was_found_late_is_not_answered_at_a_strange_hour(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        late = text_from(ROSA, "Hello?", BOBS_NUMBER, at=utc_now() - timedelta(hours=3))
        await town.wired.receiving.receive(late)
        assert await replies(town) == []

    async def test_texts_to_others_are_not_answered(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        await receive(town, "Hello?", to=LINCOLN_NUMBER)
        assert await replies(town) == []

    async def test_it_waits_behind_nobody_and_nobody_waits_behind_it(self, town: Town) -> None:
        """Two numbers write in the successor's thread, and the trouble of one is not the other's."""
        await bob_writes(town)
        await give_number(town, "alice", ALICES_NUMBER)
        await leave(town, successor="alice", reply=GONE)
        await receive(town, "Hello?", to=BOBS_NUMBER)
        await change(town, Number, col(Number.e164) == BOBS_NUMBER, state=NumberState.STOPPED)
        sent = await send(town, "alice", await town.personal("alice"), "I am here.")
        await town.wired.dispatching.hand_over_due()
        assert (await the(town, Message, col(Message.id) == sent.id)).state is S.ACCEPTED

    async def test_a_successor_whose_first_text_fails_is_introduced_again(self, town: Town) -> None:
        await bob_writes(town)
        await give_number(town, "alice", ALICES_NUMBER)
        await leave(town, successor="alice", reply=GONE)
        await receive(town, "Hello?", to=BOBS_NUMBER)
        await town.wired.dispatching.hand_over_due()
        sent = await send(town, "alice", await town.personal("alice"), "I am here.")
        await change(town, Message, col(Message.id) == sent.id, created_at=utc_now() - timedelta(hours=5))
        await town.wired.dispatching.hand_over_due()
        again = await send(town, "alice", await town.personal("alice"), "I am here!")
        assert again.sent_as.startswith("This is Alice Adams")

    @pytest.mark.parametrize("words", ["x" * (MOST_CHARACTERS + 1), "a\x07b", "   ", " \n"])
    async def test_what_cannot_be_sent_is_refused_and_nobody_has_left(self, town: Town, words: str) -> None:
        with pytest.raises(Invalid):
            await leave(town, reply=words)
        assert (await the(town, Staff, col(Staff.id) == town.staff["bob"])).active

    async def test_the_suggested_words_name_the_school_and_its_number_in_one_text(self, town: Town) -> None:
        departure = await town.wired.services.leaving.departure(await town.actor("diana"), town.staff["bob"])
        assert departure.auto_reply == (
            "Thank you for your text. Bob Brown is no longer at Lincoln Middle School. "
            "For an answer, please contact the school office at (312) 555-0100."
        )
        assert len(departure.auto_reply) <= 160


def bare(change: Change) -> Change:
    return replace(change, id="")


class TestComingBack:
    async def test_everything_is_as_it_was_but_for_the_sessions(self, town: Town) -> None:
        await bob_writes(town)
        begun = await town.wired.services.sessions.sign_in(town.email("bob"), PASSWORD, "192.0.2.1", "")
        before = await town.actor("bob")
        await leave(town, successor="alice", reply=GONE)
        async with listening(town) as heard:
            await come_back(town)
            assert Change(ChangeKind.ACCESS, staff=town.staff["bob"]) in [bare(c) for c in await heard.all()]
        assert await town.actor("bob") == before
        kept = await number(town)
        assert (kept.state, kept.quarantined_until) == (NumberState.ACTIVE, None)
        assert await town.wired.services.sessions.look_up(begun.token, own_act=False) is None
        assert (await the(town, HandOver)).ended_at is not None
        (entry,) = await entries(town, AuditKind.REACTIVATED)
        assert (entry.actor_id, entry.subject_id) == (town.staff["diana"], town.staff["bob"])

    async def test_texts_reach_the_person_again_and_what_came_meanwhile_stays(self, town: Town) -> None:
        old = await bob_writes(town)
        await leave(town, successor="alice", reply=GONE)
        await receive(town, "Meanwhile.", to=BOBS_NUMBER)
        await come_back(town)
        await receive(town, "Welcome back!", to=BOBS_NUMBER)
        bobs = [m.text for m in await read(town, "bob", old)]
        alices = [m.text for m in await read(town, "alice", await town.personal("alice"))]
        assert bobs == ["Please bring the inhaler.", "Welcome back!"]
        assert alices == ["Meanwhile.", GONE]

    async def test_the_successors_list_forgets_what_was_never_theirs(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, successor="alice")
        assert len(await listed(town, "alice")) == 1
        await come_back(town)
        assert await listed(town, "alice") == []

    async def test_a_reply_that_had_not_gone_out_is_not_sent_any_more(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, reply=GONE)
        await receive(town, "Hello?", to=BOBS_NUMBER)
        await come_back(town)
        assert await town.wired.dispatching.hand_over_due() == 0
        (reply,) = await replies(town)
        assert (reply.state, reply.reason) == (S.FAILED, R.CANCELED)

    async def test_one_can_leave_again(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, successor="alice")
        await come_back(town)
        assert (await leave(town, successor="nora")).handed_over == 1
        assert len(await listed(town, "nora")) == 1
        assert await listed(town, "alice") == []

    async def test_without_a_role_nobody_comes_back(self, town: Town) -> None:
        await leave(town)
        async with town.wired.db.transaction() as session:
            for held in await rows(town, Assignment, col(Assignment.staff_id) == town.staff["bob"]):
                await session.delete(held)
        with pytest.raises(NotAllowed, match="at least one role"):
            await come_back(town)

    @pytest.mark.parametrize(("by", "error"), [("alice", NotAllowed), ("charlie", NotAllowed)])
    async def test_who_manages_nobody_brings_nobody_back(self, town: Town, by: str, error: type[Refusal]) -> None:
        await leave(town)
        with pytest.raises(error):
            await come_back(town, by=by)

    async def test_somebody_who_is_here_does_not_come_back(self, town: Town) -> None:
        with pytest.raises(Invalid, match="active already"):
            await come_back(town)

    async def test_the_page_says_how_it_stands(self, town: Town) -> None:
        await bob_writes(town)
        await leave(town, successor="alice", reply=GONE)
        leaving, diana = town.wired.services.leaving, await town.actor("diana")
        gone = await leaving.absence(diana, town.staff["bob"])
        assert (gone.by, gone.successor, gone.handed_over, gone.auto_reply) == ("Diana Drew", "Alice Adams", 1, GONE)
        assert (gone.number, bool(gone.kept_until)) == ("(312) 555-0112", True)
        with pytest.raises(NotFound):
            await leaving.absence(await town.actor("dora"), town.staff["charlie"])

    async def test_a_successor_is_named_by_id_to_those_who_see_them_in_the_list(self, town: Town) -> None:
        await leave(town, successor="alice")
        leaving, dora = town.wired.services.leaving, await town.actor("dora")
        assert (await leaving.absence(dora, town.staff["bob"])).successor_id == town.staff["alice"]
        await revoke(town, "alice")
        gone = await leaving.absence(dora, town.staff["bob"])
        assert (gone.successor, gone.successor_id) == ("Alice Adams", 0)
