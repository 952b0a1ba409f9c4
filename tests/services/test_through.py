"""Through which school: who works at several sees it of each family, and nobody else is bothered with it."""

from __future__ import annotations

import pytest
from sqlalchemy import event, select
from sqlmodel import col

from tests.cast import MIA, OMAR, ROSA, STRANGER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, message, receive, send
from tp_inbox.domain.access import InboxKind
from tp_inbox.services.staff import assign
from tp_inbox.services.views import ThreadRow
from tp_inbox.storage.tables import Contact, Guardianship, Student

BY_LINCOLN, BY_ROOSEVELT = f"through {LINCOLN}", f"through {ROOSEVELT}"
BY_BOTH = f"{BY_LINCOLN} and {ROOSEVELT}"


async def a_child_of_rosas_at_roosevelt(town: Town) -> None:
    async with town.wired.db.transaction() as session:
        rosa = await session.scalar(select(col(Contact.id)).where(col(Contact.name) == "Rosa Lopez"))
        student = Student(name="Nico Lopez", grade="10", school_id=town.schools[ROOSEVELT])
        session.add(student)
        await session.flush()
        session.add(Guardianship(student_id=student.id, contact_id=rosa or 0, relation="mother"))


async def also_works_at(town: Town, who: str, role: str, school: str) -> None:
    async with town.wired.db.transaction() as session:
        await assign(session, town.staff[who], role, school)


async def line_of(town: Town, who: str, phone: str, kind: InboxKind = InboxKind.PERSONAL) -> ThreadRow:
    thread = await (town.personal(who, phone) if kind is InboxKind.PERSONAL else town.school(LINCOLN, phone))
    await send(town, who, thread)
    listed, _ = await town.wired.services.inboxes.threads(await town.actor(who), kind)
    alone = await town.wired.services.inboxes.thread_row(await town.actor(who), thread)
    assert alone in listed
    return alone


async def head_of(town: Town, who: str, thread: int) -> str:
    return (await town.wired.services.threads.head(await town.actor(who), thread)).through


@pytest.mark.parametrize(("phone", "through"), [(ROSA, BY_LINCOLN), (MIA, BY_LINCOLN), (OMAR, BY_ROOSEVELT)])
async def test_who_works_at_two_schools_reads_it_in_the_list_and_in_the_thread(
    town: Town, phone: str, through: str
) -> None:
    assert (await line_of(town, "nora", phone)).through == through
    assert await head_of(town, "nora", await town.personal("nora", phone)) == through


async def test_of_a_family_with_children_at_both_schools_both_are_named(town: Town) -> None:
    await a_child_of_rosas_at_roosevelt(town)
    assert (await line_of(town, "nora", ROSA)).through == BY_BOTH
    assert await head_of(town, "nora", await town.personal("nora", ROSA)) == BY_BOTH
    (rosa,) = await found(town, "nora", "Rosa")
    assert rosa == ("Rosa Lopez", BY_BOTH)


async def test_who_works_at_one_school_reads_nothing_of_it(town: Town) -> None:
    await a_child_of_rosas_at_roosevelt(town)
    assert (await line_of(town, "alice", ROSA)).through == ""
    assert await head_of(town, "alice", await town.personal("alice")) == ""
    assert await head_of(town, "alice", await town.school()) == ""
    assert await found(town, "alice", "Rosa") == [("Rosa Lopez", "")]


async def test_a_school_where_one_has_no_personal_messages_is_not_named_for_them(town: Town) -> None:
    await a_child_of_rosas_at_roosevelt(town)
    await also_works_at(town, "bob", "School Viewer", ROOSEVELT)
    assert (await line_of(town, "bob", ROSA)).through == ""


async def test_who_reads_the_inboxes_of_two_schools_is_told_in_each_thread_which_one_it_is(town: Town) -> None:
    await a_child_of_rosas_at_roosevelt(town)
    await also_works_at(town, "alice", "School Viewer", ROOSEVELT)
    line = await line_of(town, "alice", ROSA, InboxKind.SCHOOL)
    assert (line.inbox_name, line.through) == (LINCOLN, "")
    assert await head_of(town, "alice", await town.school()) == BY_LINCOLN
    assert await head_of(town, "alice", await town.personal("alice")) == ""


async def test_a_number_that_nobody_knows_is_of_no_school_but_the_inboxs(town: Town) -> None:
    await receive(town, "Hello", sender=STRANGER)
    await town.wired.receiving.route_waiting()
    await also_works_at(town, "alice", "School Viewer", ROOSEVELT)
    assert await head_of(town, "alice", await town.school(LINCOLN, STRANGER)) == BY_LINCOLN


async def found(town: Town, who: str, words: str) -> list[tuple[str, str]]:
    people = await town.wired.services.finding.recipients(await town.actor(who), words)
    return [(person.name, person.through) for person in people if not person.is_student]


async def test_the_search_says_it_of_each_family(town: Town) -> None:
    assert await found(town, "nora", "Rosa") == [("Rosa Lopez", BY_LINCOLN)]
    assert await found(town, "nora", "Omar") == [("Omar Haddad", BY_ROOSEVELT)]


@pytest.mark.parametrize(("phone", "school"), [(ROSA, LINCOLN), (OMAR, ROOSEVELT)])
async def test_the_first_text_names_the_school_of_the_family(town: Town, phone: str, school: str) -> None:
    sent = await send(town, "nora", await town.personal("nora", phone))
    assert f"Nora Nash, speech therapist at {school}." in (await message(town, sent.id)).body


async def test_a_longer_list_asks_no_more_of_the_database(town: Town) -> None:
    await line_of(town, "nora", ROSA)
    few = await asked(town)
    await a_child_of_rosas_at_roosevelt(town)
    for phone in (OMAR, MIA):
        await line_of(town, "nora", phone)
    assert await asked(town) == few
    assert few <= 4


async def asked(town: Town) -> int:
    """How many statements one reading of Nora's list takes."""
    actor, said = await town.actor("nora"), list[str]()

    def note(*args: object) -> None:
        said.append(str(args[2]))

    event.listen(town.wired.db.engine.sync_engine, "before_cursor_execute", note)
    await town.wired.services.inboxes.threads(actor, InboxKind.PERSONAL)
    event.remove(town.wired.db.engine.sync_engine, "before_cursor_execute", note)
    return len(said)
