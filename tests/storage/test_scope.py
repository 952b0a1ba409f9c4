"""Access as SQL: the database finds for a person exactly what the rules say."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

import pytest
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tests.cast import ROSA, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Grant, InboxKind, InboxRef, Overseen, actor_from
from tp_inbox.domain.errors import NotFound
from tp_inbox.domain.permissions import Level, Permission
from tp_inbox.services.actors import actors_of
from tp_inbox.storage.queries.scope import concerning_schools, inbox_ref, overseen_threads, own_thread, readable_inboxes
from tp_inbox.storage.tables import (
    Assignment,
    Contact,
    FamilyPhone,
    GroupSchool,
    Guardianship,
    Inbox,
    Role,
    School,
    SchoolGroup,
    Staff,
    Student,
    Thread,
)


async def test_the_database_and_the_rules_agree_about_every_inbox(town: Town) -> None:
    chance = random.Random(13)
    async with town.wired.db.reading() as session:
        inboxes = [inbox_ref(inbox) for inbox in await session.scalars(select(Inbox))]
        for _ in range(150):
            actor = _somebody(chance, list(town.staff.values()), list(town.schools.values()))
            for kind in (None, *InboxKind):
                found = await session.scalars(select(col(Inbox.id)).where(readable_inboxes(actor, kind)))
                assert set(found) == _by_the_rules(actor, inboxes, kind)


def _somebody(chance: random.Random, staff: list[int], schools: list[int]) -> Actor:
    def permissions() -> frozenset[Permission]:
        return frozenset(chance.sample(list(Permission), chance.randint(0, 4)))

    places = [*schools, None]
    grants = [
        Grant(permissions(), chance.choice(list(Level)), chance.choice(places)) for _ in range(chance.randint(0, 4))
    ]
    return actor_from(chance.choice(staff), "Somebody", chance.random() < 0.8, grants)


def _by_the_rules(actor: Actor, inboxes: list[InboxRef], kind: InboxKind | None) -> set[int]:
    return {i.id for i in inboxes if access.may_read(actor, i) and kind in (None, i.kind)}


@pytest.mark.parametrize("seed", [3, 17, 51])
async def test_the_database_and_the_rules_agree_about_oversight(town: Town, seed: int) -> None:
    chance = random.Random(seed)
    async with town.wired.db.transaction() as session:
        await _random_district(session, chance)
    async with town.wired.db.reading() as session:
        threads = await _as_oversight_sees_them(session)
        schools = list(await session.scalars(select(col(School.id))))
        people = await actors_of(session, list(await session.scalars(select(col(Staff.id)))))
        some = [_somebody(chance, list(people), schools) for _ in range(60)]
        sights = [await _hold_together(session, actor, threads) for actor in [*people.values(), *some]]
        assert await _found(session, concerning_schools([])) == set()
    assert any(0 < seen < len(threads) for seen in sights), "some see something, and not everything"


async def _random_district(session: AsyncSession, chance: random.Random) -> None:
    """Schools, groups (an empty one, too), families of no school, people who have left, roles of both levels."""
    schools = [School(name=f"School {n}", area_code="612") for n in range(6)]
    groups = [SchoolGroup(name=f"Group {n}") for n in range(3)]
    roles = [
        Role(name=f"Role {n}", level=level, permissions=[p.value for p in permissions])
        for n, (level, permissions) in enumerate(
            (level, chance.sample(list(Permission), 3) + watches)
            for level in Level
            for watches in ([], [Permission.VIEW_ALL_MESSAGES])
        )
    ]
    staff = [Staff(email=f"p{n}@x.example", name=f"P {n}", active=chance.random() < 0.8) for n in range(30)]
    phones = [FamilyPhone(e164=f"+1612555{n:04}") for n in range(40)]
    session.add_all([*schools, *groups, *roles, *staff, *phones])
    await session.flush()
    for group in groups[1:]:
        session.add_all(GroupSchool(group_id=group.id, school_id=s.id) for s in chance.sample(schools, 3))
    for person in staff:
        _employ(session, chance, person, roles, schools, groups)
    for phone in phones:
        await _settle_family(session, chance, phone, schools)
    inboxes = [Inbox(kind=InboxKind.PERSONAL, staff_id=person.id) for person in staff]
    inboxes += [Inbox(kind=InboxKind.SCHOOL, school_id=school.id) for school in schools]
    session.add_all(inboxes)
    await session.flush()
    pairs = chance.sample([(inbox.id, phone.id) for inbox in inboxes for phone in phones], 400)
    session.add_all(Thread(inbox_id=inbox, phone_id=phone) for inbox, phone in pairs)


def _employ(session: AsyncSession, chance: random.Random, person: Staff, roles: list, schools: list, groups: list):
    for role in chance.sample(roles, chance.randint(0, 3)):
        if role.level is Level.DISTRICT:
            session.add(Assignment(staff_id=person.id, role_id=role.id))
        elif chance.random() < 0.5:
            session.add(Assignment(staff_id=person.id, role_id=role.id, group_id=chance.choice(groups).id))
        else:
            session.add(Assignment(staff_id=person.id, role_id=role.id, school_id=chance.choice(schools).id))


async def _settle_family(session: AsyncSession, chance: random.Random, phone: FamilyPhone, schools: list) -> None:
    for child in range(chance.randint(0, 3)):
        own = chance.random() < 0.3
        student = Student(name=f"S {child}", school_id=chance.choice(schools).id, phone_id=phone.id if own else None)
        contact = Contact(name=f"C {child}", phone_id=phone.id)
        session.add_all([student, contact])
        await session.flush()
        if not own:
            session.add(Guardianship(student_id=student.id, contact_id=contact.id))


async def _as_oversight_sees_them(session: AsyncSession) -> dict[int, Overseen]:
    """By thread id, put together row by row, and not in the way in which the product's queries do it."""
    groups: dict[int, set[int]] = defaultdict(set)
    for member in await session.scalars(select(GroupSchool)):
        groups[member.group_id].add(member.school_id)
    works: dict[int, set[int]] = defaultdict(set)
    for held in await session.scalars(select(Assignment)):
        works[held.staff_id] |= ({held.school_id} if held.school_id else set()) | groups[held.group_id or 0]
    students = {student.id: student for student in await session.scalars(select(Student))}
    phones = {contact.id: contact.phone_id for contact in await session.scalars(select(Contact))}
    enrolled: dict[int | None, set[int]] = defaultdict(set)
    for student in students.values():
        enrolled[student.phone_id].add(student.school_id)
    for guardianship in await session.scalars(select(Guardianship)):
        enrolled[phones[guardianship.contact_id]].add(students[guardianship.student_id].school_id)
    inboxes = {inbox.id: inbox_ref(inbox) for inbox in await session.scalars(select(Inbox))}
    return {
        thread.id: Overseen(
            inboxes[thread.inbox_id],
            frozenset(works[inboxes[thread.inbox_id].staff_id or 0]),
            frozenset(enrolled[thread.phone_id]),
        )
        for thread in await session.scalars(select(Thread))
    }


async def _hold_together(session: AsyncSession, actor: Actor, threads: dict[int, Overseen]) -> int:
    found = await _found(session, overseen_threads(actor))
    assert found == {i for i, thread in threads.items() if access.may_oversee(actor, thread)}
    return len(found)


async def _found(session: AsyncSession, condition: ColumnElement[bool]) -> set[int]:
    query = select(col(Thread.id)).join(Inbox, col(Inbox.id) == col(Thread.inbox_id)).where(condition)
    return set(await session.scalars(query))


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("alice", {"alice", LINCOLN}),
        ("bob", {"bob"}),
        ("charlie", {"charlie", ROOSEVELT}),
        ("dora", {"dora", LINCOLN}),
        ("vera", {LINCOLN}),
        ("nora", {"nora"}),
        ("diana", set()),
    ],
)
async def test_what_each_of_the_cast_may_read(town: Town, who: str, sees: set[str]) -> None:
    threads = {name: await town.personal(name) for name in town.staff} | {s: await town.school(s) for s in town.schools}
    actor, found = await town.actor(who), set()
    async with town.wired.db.reading() as session:
        for name, thread in threads.items():
            try:
                await own_thread(session, actor, thread)
                found.add(name)
            except NotFound:
                continue
    assert found == sees


async def test_a_districts_role_at_a_school_gives_nothing(town: Town) -> None:
    """Nothing writes such a row; if one stands there, it gives no more than none."""
    charlie = town.staff["charlie"]
    async with town.wired.db.reading() as session:
        admin = await session.scalar(select(col(Role.id)).where(col(Role.base_key) == "district_admin"))
    await add(town, Assignment(staff_id=charlie, role_id=admin or 0, school_id=town.schools[LINCOLN]))
    assert town.schools[LINCOLN] not in (await town.actor("charlie")).schools


async def test_a_schools_role_at_the_district_gives_nothing(town: Town) -> None:
    charlie = town.staff["charlie"]
    async with town.wired.db.reading() as session:
        admin = await session.scalar(select(col(Role.id)).where(col(Role.base_key) == "school_admin"))
    await add(town, Assignment(staff_id=charlie, role_id=admin or 0, school_id=None))
    assert (await town.actor("charlie")).district == frozenset()


async def test_one_query_finds_any_number_of_people(town: Town) -> None:
    async with town.wired.db.reading() as session:
        found = await actors_of(session, [*town.staff.values(), 999_999])
    assert set(found) == set(town.staff.values())


async def test_who_holds_nothing_is_a_person_without_permissions(town: Town) -> None:
    nobody = await add(town, Staff(email="new@district.example", name="New", signature=""))
    async with town.wired.db.reading() as session:
        found = (await actors_of(session, [nobody.id]))[nobody.id]
    assert (found.schools, found.district, found.active) == ({}, frozenset(), True)


async def test_a_custom_role_holds_what_its_row_says(town: Town) -> None:
    await change(town, Role, col(Role.name) == "Nurse", permissions=["message_on_behalf", "manage_roles"])
    held = (await town.actor("bob")).schools[town.schools[LINCOLN]]
    assert held == {Permission.MESSAGE_ON_BEHALF, Permission.VIEW_SCHOOL_INBOX}
    assert Level.SCHOOL is (await _level(town, "Nurse"))


async def _level(town: Town, name: str) -> Level:
    async with town.wired.db.reading() as session:
        return (await session.scalars(select(Role).where(col(Role.name) == name))).one().level


async def test_rosas_thread_is_one_however_often_it_is_asked_for(town: Town) -> None:
    assert len(set(await asyncio.gather(*(town.personal("alice", ROSA) for _ in range(20))))) == 1
