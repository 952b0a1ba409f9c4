"""Saying who an unknown sender is: by whom, to whom, and what everybody sees of it."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.cast import MIA, OMAR, ROSA, Town
from tests.services.steps import LINCOLN, add, inbox_id, listening, queued, receive, rows, send, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import Permission
from tp_inbox.services import tying as module
from tp_inbox.services.audit_log import Asked
from tp_inbox.services.tying import StudentChoice, Tying
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import (
    Assignment,
    AuditEntry,
    Contact,
    FamilyPhone,
    Guardianship,
    Inbox,
    Message,
    Role,
    Student,
    Thread,
)

NEW_NUMBER = "+12025550123"


@pytest.fixture
def tying(town: Town) -> Tying:
    return town.wired.services.tying


@pytest.fixture
async def unknown(town: Town) -> int:
    """Somebody whom nobody knows has written to Lincoln; the thread."""
    await receive(town, "This is my new number.", sender=NEW_NUMBER)
    return (await the(town, Thread, col(Thread.last_at).is_not(None))).id


async def student(town: Town, name: str = "Mia Lopez") -> Student:
    return await the(town, Student, col(Student.name) == name)


async def contact(town: Town, name: str = "Rosa Lopez") -> Contact:
    return await the(town, Contact, col(Contact.name) == name)


async def found(town: Town, who: str, words: str) -> list[StudentChoice]:
    return await town.wired.services.tying.students(await town.actor(who), words)


async def tie_rosa(town: Town, thread: int, who: str = "dora") -> None:
    mia, rosa = await student(town), await contact(town)
    await town.wired.services.tying.to_contact(await town.actor(who), thread, mia.id, rosa.id)


async def head(town: Town, thread: int, who: str = "dora"):
    return await town.wired.services.threads.head(await town.actor(who), thread)


class TestWho:
    async def test_who_manages_contacts_is_asked_and_who_does_not_is_not(self, town: Town, unknown: int) -> None:
        assert {who: (await head(town, unknown, who)).may_tie for who in ("dora", "alice", "vera")} == {
            "dora": True,
            "alice": False,
            "vera": False,
        }

    async def test_nobody_is_asked_about_a_family_that_is_known(self, town: Town) -> None:
        assert not (await head(town, await town.school())).may_tie

    @pytest.mark.parametrize("who", ["alice", "vera"])
    async def test_who_reads_the_inbox_and_manages_no_contacts_is_refused(
        self, town: Town, unknown: int, who: str
    ) -> None:
        with pytest.raises(NotAllowed, match="manage students and contacts"):
            await tie_rosa(town, unknown, who)
        assert (await contact(town)).phone_id == town.phones[ROSA]

    @pytest.mark.parametrize("who", ["charlie", "diana", "bob"])
    async def test_to_who_does_not_read_the_inbox_the_thread_is_not_there(
        self, town: Town, unknown: int, who: str
    ) -> None:
        with pytest.raises(NotFound):
            await tie_rosa(town, unknown, who)

    async def test_a_student_of_another_school_is_not_there(self, town: Town, unknown: int, tying: Tying) -> None:
        sami, omar = await student(town, "Sami Haddad"), await contact(town, "Omar Haddad")
        dora = await town.actor("dora")
        for attempt in (
            tying.to_contact(dora, unknown, sami.id, omar.id),
            tying.to_somebody_new(dora, unknown, sami.id, "Amal Haddad", "mother"),
            tying.to_student(dora, unknown, sami.id),
        ):
            with pytest.raises(NotFound):
                await attempt

    async def test_a_contact_of_another_student_is_not_there(self, town: Town, unknown: int, tying: Tying) -> None:
        mia, omar = await student(town), await contact(town, "Omar Haddad")
        with pytest.raises(NotFound):
            await tying.to_contact(await town.actor("dora"), unknown, mia.id, omar.id)

    async def test_in_ones_own_inbox_the_schools_count_where_one_manages(self, town: Town, tying: Tying) -> None:
        manager = await add(town, Role(name="Registrar", level="school", permissions=[Permission.MANAGE_DIRECTORY]))
        await add(town, Assignment(staff_id=town.staff["bob"], role_id=manager.id, school_id=town.schools[LINCOLN]))
        phone = await add(town, FamilyPhone(e164=NEW_NUMBER))
        thread = await add(town, Thread(inbox_id=await inbox_id(town, "bob"), phone_id=phone.id))
        await tie_rosa(town, thread.id, "bob")
        assert (await head(town, thread.id, "bob")).title == "Rosa Lopez"


class TestAnAdultWithStudentsAtSeveralSchools:
    @pytest.fixture
    async def rosa_elsewhere(self, town: Town) -> None:
        """Rosa has a part in bringing up Sami, who is at Roosevelt."""
        sami, rosa = await student(town, "Sami Haddad"), await contact(town)
        await add(town, Guardianship(student_id=sami.id, contact_id=rosa.id, relation="aunt"))

    @pytest.mark.usefixtures("rosa_elsewhere")
    async def test_gets_no_new_number_from_who_manages_one_of_these_schools(self, town: Town, unknown: int) -> None:
        with pytest.raises(NotAllowed, match="also has a student at a school"):
            await tie_rosa(town, unknown)
        assert (await contact(town)).phone_id == town.phones[ROSA]
        assert (await head(town, unknown)).may_tie

    @pytest.mark.usefixtures("rosa_elsewhere")
    @pytest.mark.parametrize(("who", "refused"), [("dora", True), ("diana", False)])
    async def test_is_offered_with_the_reason_why_not(self, town: Town, who: str, refused: bool) -> None:
        (mia,) = await found(town, who, "Mia")
        assert [c.refused.startswith("This person also has a student") for c in mia.contacts] == [refused]

    @pytest.mark.usefixtures("rosa_elsewhere")
    async def test_gets_it_from_who_manages_all_of_them(self, town: Town, unknown: int) -> None:
        admin = await the(town, Role, col(Role.name) == "School Admin")
        roosevelt = town.schools["Roosevelt High School"]
        await add(town, Assignment(staff_id=town.staff["dora"], role_id=admin.id, school_id=roosevelt))
        await tie_rosa(town, unknown)
        assert (await head(town, unknown)).title == "Rosa Lopez"


class TestFinding:
    async def test_a_student_is_found_with_the_adults_on_file(self, town: Town) -> None:
        (mia,) = await found(town, "dora", "mia lo")
        assert (mia.name, mia.about, mia.ineligible) == ("Mia Lopez", f"Student, grade 8, {LINCOLN}", "")
        assert [(c.name, c.relation, c.phone) for c in mia.contacts] == [("Rosa Lopez", "mother", "(312) 555-0142")]

    async def test_a_child_says_why_it_has_no_phone_here(self, town: Town) -> None:
        (leo,) = await found(town, "dora", "Leo")
        assert leo.ineligible.startswith("This student is under 13")

    @pytest.mark.parametrize(("who", "names"), [("dora", []), ("alice", []), ("diana", ["Sami Haddad"])])
    async def test_only_students_of_schools_where_one_manages_are_found(
        self, town: Town, who: str, names: list[str]
    ) -> None:
        assert [s.name for s in await found(town, who, "Sami")] == names

    async def test_without_a_word_nobody_is_found(self, town: Town) -> None:
        assert await found(town, "dora", "  ") == []


class TestANewNumber:
    async def test_the_thread_has_its_name_and_the_contact_the_number(self, town: Town, unknown: int) -> None:
        await tie_rosa(town, unknown)
        shown = await head(town, unknown)
        assert (shown.title, shown.about) == ("Rosa Lopez", "Family of Leo (grade 3) and Mia (grade 8)")
        assert (shown.language, shown.may_tie, shown.schools) == ("Spanish", False, [LINCOLN])

    async def test_it_can_be_written_to_from_now_on(self, town: Town, unknown: int) -> None:
        phone = await the(town, FamilyPhone, col(FamilyPhone.e164) == NEW_NUMBER)
        alice = await town.actor("alice")
        assert len(await town.wired.services.threads.senders(alice, phone.id)) == 1
        await tie_rosa(town, unknown)
        assert len(await town.wired.services.threads.senders(alice, phone.id)) == 2

    async def test_a_text_that_is_queued_keeps_the_number_it_was_written_to(self, town: Town, unknown: int) -> None:
        text = await queued(town)
        await tie_rosa(town, unknown)
        assert (await the(town, Message, col(Message.id) == text)).recipient == ROSA

    async def test_every_inbox_with_the_old_or_the_new_number_is_told(self, town: Town, unknown: int) -> None:
        bobs = await inbox_id(town, "bob")
        await town.personal("bob")
        lincoln = (await the(town, Inbox, col(Inbox.school_id) == town.schools[LINCOLN])).id
        async with listening(town) as heard:
            await tie_rosa(town, unknown)
            changes = await heard.all()
        assert {c.kind for c in changes} == {ChangeKind.INBOX}
        assert sorted(c.inbox or 0 for c in changes) == sorted([bobs, lincoln])

    async def test_it_is_in_the_audit_log_without_the_family(self, town: Town, unknown: int) -> None:
        await tie_rosa(town, unknown)
        entry = await the(town, AuditEntry)
        rosa, mia = await contact(town), await student(town)
        assert (entry.kind, entry.actor_id, entry.schools) == (
            AuditKind.SENDER_NAMED,
            town.staff["dora"],
            [town.schools[LINCOLN]],
        )
        assert (entry.facts["contact"], entry.facts["student"], entry.facts["phone_before"]) == (
            rosa.id,
            mia.id,
            town.phones[ROSA],
        )
        assert "Rosa" not in str(entry.names)
        page = await town.wired.services.audit_log.page(await town.actor("diana"), Asked())
        assert "unknown sender is the new number of a family contact" in str(page)

    async def test_a_number_that_is_known_meanwhile_is_refused(self, town: Town, unknown: int, tying: Tying) -> None:
        await tie_rosa(town, unknown)
        mia = await student(town)
        with pytest.raises(Invalid, match="on file"):
            await tying.to_somebody_new(await town.actor("dora"), unknown, mia.id, "Ana Lopez", "aunt")
        assert len(await rows(town, Contact)) == 2


class TestSomebodyNew:
    async def test_they_are_on_file_as_an_adult_of_the_student(self, town: Town, unknown: int, tying: Tying) -> None:
        leo = await student(town, "Leo Lopez")
        await tying.to_somebody_new(await town.actor("dora"), unknown, leo.id, "  Ana \x00 Lopez ", "Aunt")
        ana = await contact(town, "Ana Lopez")
        assert ana.source == "hand"
        bond = await the(town, Guardianship, col(Guardianship.contact_id) == ana.id)
        assert (bond.student_id, bond.relation) == (leo.id, "aunt")
        shown = await head(town, unknown)
        assert (shown.title, shown.people[0].about) == ("Ana Lopez", "Aunt of Leo")

    @pytest.mark.parametrize("name", ["", "  ", "\x00", "x" * 81])
    async def test_a_name_is_needed_and_has_an_end(self, town: Town, unknown: int, tying: Tying, name: str) -> None:
        leo = await student(town, "Leo Lopez")
        with pytest.raises(Invalid):
            await tying.to_somebody_new(await town.actor("dora"), unknown, leo.id, name, "aunt")
        assert (await head(town, unknown)).may_tie


class TestAStudent:
    async def test_from_their_13th_birthday_on_it_is_their_own(self, town: Town, unknown: int, tying: Tying) -> None:
        mia = await student(town)
        await tying.to_student(await town.actor("dora"), unknown, mia.id)
        shown = await head(town, unknown)
        assert (shown.title, shown.people[0].is_student) == ("Mia Lopez", True)
        assert (await student(town)).phone_id != town.phones[MIA]

    async def test_before_it_is_refused(self, town: Town, unknown: int, tying: Tying) -> None:
        leo = await student(town, "Leo Lopez")
        with pytest.raises(Invalid, match="under 13"):
            await tying.to_student(await town.actor("dora"), unknown, leo.id)
        assert (await head(town, unknown)).may_tie


async def untie(town: Town, thread: int, who: str = "dora") -> None:
    await town.wired.services.tying.untie(await town.actor(who), thread)


class TestNotThisFamily:
    async def test_the_number_is_unknown_again_and_the_contact_has_the_one_before(
        self, town: Town, unknown: int
    ) -> None:
        await tie_rosa(town, unknown)
        tied = (await head(town, unknown)).tied
        assert (tied.name, tied.then) == ("Rosa Lopez", "They get back the number (312) 555-0142.")
        await untie(town, unknown)
        shown = await head(town, unknown)
        assert (shown.title, shown.people, shown.may_tie, shown.tied.name) == ("(202) 555-0123", [], True, "")
        assert shown.language == "English"
        assert (await contact(town)).phone_id == town.phones[ROSA]

    async def test_a_contact_who_was_written_down_is_no_longer_on_file(
        self, town: Town, unknown: int, tying: Tying
    ) -> None:
        leo = await student(town, "Leo Lopez")
        await tying.to_somebody_new(await town.actor("dora"), unknown, leo.id, "Ana Lopez", "aunt")
        assert (await head(town, unknown)).tied.then == "They are no longer on file."
        await untie(town, unknown)
        assert {c.name for c in await rows(town, Contact)} == {"Rosa Lopez", "Omar Haddad"}
        assert (await head(town, unknown)).may_tie

    async def test_a_student_has_the_number_before(self, town: Town, unknown: int, tying: Tying) -> None:
        await tying.to_student(await town.actor("dora"), unknown, (await student(town)).id)
        await untie(town, unknown)
        assert (await student(town)).phone_id == town.phones[MIA]

    async def test_a_number_that_is_somebody_elses_by_now_is_not_given_back(
        self, town: Town, unknown: int, tying: Tying
    ) -> None:
        await tie_rosa(town, unknown)
        olds, leo = await town.school(), await student(town, "Leo Lopez")
        await tying.to_somebody_new(await town.actor("dora"), olds, leo.id, "Ana Lopez", "aunt")
        await untie(town, unknown)
        assert (await contact(town)).phone_id is None
        assert (await head(town, olds)).title == "Ana Lopez"

    async def test_a_text_that_is_queued_keeps_its_number(self, town: Town, unknown: int) -> None:
        await tie_rosa(town, unknown)
        text = (await send(town, "alice", unknown, "See you on Friday.")).id
        await untie(town, unknown)
        assert (await the(town, Message, col(Message.id) == text)).recipient == NEW_NUMBER

    async def test_every_inbox_with_either_number_is_told_and_the_log_knows(self, town: Town, unknown: int) -> None:
        bobs = await inbox_id(town, "bob")
        await town.personal("bob")
        await tie_rosa(town, unknown)
        async with listening(town) as heard:
            await untie(town, unknown)
            assert bobs in {c.inbox for c in await heard.all()}
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.SENDER_UNNAMED)
        assert (entry.actor_id, entry.facts["phone_back"]) == (town.staff["dora"], town.phones[ROSA])
        page = await town.wired.services.audit_log.page(await town.actor("diana"), Asked())
        assert "took back who an unknown sender is" in str(page)

    @pytest.mark.parametrize("who", ["alice", "vera"])
    async def test_who_manages_no_contacts_is_not_offered_it_and_refused(
        self, town: Town, unknown: int, who: str
    ) -> None:
        await tie_rosa(town, unknown)
        assert (await head(town, unknown, who)).tied.name == ""
        with pytest.raises(NotAllowed, match="manage students and contacts"):
            await untie(town, unknown, who)

    async def test_to_who_does_not_read_the_inbox_it_is_not_there(self, town: Town, unknown: int) -> None:
        await tie_rosa(town, unknown)
        with pytest.raises(NotFound):
            await untie(town, unknown, "charlie")

    async def test_an_adult_with_students_elsewhere_stays(self, town: Town, unknown: int) -> None:
        await tie_rosa(town, unknown)
        sami, rosa = await student(town, "Sami Haddad"), await contact(town)
        await add(town, Guardianship(student_id=sami.id, contact_id=rosa.id, relation="aunt"))
        assert (await head(town, unknown)).tied.name == ""
        with pytest.raises(NotAllowed, match="also has a student at a school"):
            await untie(town, unknown)

    async def test_a_family_that_was_not_named_here_cannot_be_removed(self, town: Town) -> None:
        thread = await town.school()
        assert (await head(town, thread)).tied.name == ""
        with pytest.raises(Invalid, match="not said in the product"):
            await untie(town, thread)

    async def test_it_is_undone_once(self, town: Town, unknown: int) -> None:
        await tie_rosa(town, unknown)
        await untie(town, unknown)
        with pytest.raises(Invalid):
            await untie(town, unknown)


async def test_a_contact_who_is_changed_at_this_moment_is_left_as_they_are(
    town: Town, unknown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.lock_phones

    async def late(session, phone_ids):
        locked = await real(session, phone_ids)
        async with town.wired.db.transaction() as other:
            (await other.get_one(Contact, (await contact(town)).id)).phone_id = town.phones[OMAR]
        return locked

    monkeypatch.setattr(module, "lock_phones", late)
    with pytest.raises(Invalid, match="somebody else"):
        await tie_rosa(town, unknown)
    assert (await contact(town)).phone_id == town.phones[OMAR]
