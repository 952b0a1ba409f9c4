"""Settles the demonstration district: its schools, roles, staff, numbers, inboxes and families as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import product

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from tp_inbox.demo import district
from tp_inbox.demo.district import Member
from tp_inbox.demo.people import FAMILIES, STRANGERS, Family, birth_date
from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.permissions import Permission
from tp_inbox.domain.phone import parse_phone
from tp_inbox.services.campaigns import campaign_of
from tp_inbox.services.ports import BoughtNumber
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.queries.scope import inbox_ref
from tp_inbox.storage.tables import (
    Assignment,
    Contact,
    District,
    FamilyPhone,
    GroupSchool,
    Guardianship,
    Inbox,
    Number,
    Role,
    School,
    SchoolGroup,
    Staff,
    Student,
    Thread,
)
from tp_inbox.storage.tables.messages import NumberState


@dataclass(slots=True)
class Town:
    """The rows, by the names of the data: schools by name, staff by key, inboxes and numbers by either.

    ``reached`` are the family phones by the name of everybody reached there, and by the number of a stranger.
    """

    schools: dict[str, School] = field(default_factory=dict)
    staff: dict[str, Staff] = field(default_factory=dict)
    inboxes: dict[str, Inbox] = field(default_factory=dict)
    numbers: dict[str, Number] = field(default_factory=dict)
    phones: dict[str, FamilyPhone] = field(default_factory=dict)
    reached: dict[str, FamilyPhone] = field(default_factory=dict)

    def inbox_of(self, thread: Thread) -> Inbox:
        return next(inbox for inbox in self.inboxes.values() if inbox.id == thread.inbox_id)

    def number_of(self, inbox: Inbox) -> Number:
        owner = (inbox.staff_id, inbox.school_id)
        return next(number for number in self.numbers.values() if (number.staff_id, number.school_id) == owner)

    def phone_of(self, thread: Thread) -> FamilyPhone:
        return next(phone for phone in self.phones.values() if phone.id == thread.phone_id)


async def settle(
    session: AsyncSession, passwords: Mapping[str, str], numbers: Mapping[str, BoughtNumber], today: date
) -> Town:
    """``passwords`` are the hashes by the key of the staff, ``numbers`` by that or the school's name."""
    town = Town()
    await _found(session, town)
    await _employ(session, town, passwords)
    await _connect(session, town, numbers)
    await _list_phones(session, town)
    await _enrol(session, town, today)
    return town


async def _found(session: AsyncSession, town: Town) -> None:
    session.add(District(name=district.DISTRICT, demonstration=True, time_zone=district.TIME_ZONE))
    town.schools = {
        school.name: School(
            name=school.name,
            area_code=school.area_code,
            time_zone=district.TIME_ZONE,
            office_phone=school.office,
        )
        for school in district.SCHOOLS
    }
    await _keep(session, *town.schools.values())
    for name, school in town.schools.items():
        town.inboxes[name] = Inbox(kind=InboxKind.SCHOOL, school_id=school.id)
    group = SchoolGroup(name=district.ALL_SCHOOLS)
    await _keep(session, group)
    await _keep(session, *(GroupSchool(group_id=group.id, school_id=s.id) for s in town.schools.values()))


async def _employ(session: AsyncSession, town: Town, passwords: Mapping[str, str]) -> None:
    roles = await _roles(session)
    town.staff = {member.key: _person(member, passwords[member.key]) for member in district.STAFF}
    await _keep(session, *town.staff.values())
    for member in district.STAFF:
        person, role = town.staff[member.key], roles[member.role]
        places = [town.schools[name].id for name in member.schools] or [None]
        session.add_all(Assignment(staff_id=person.id, role_id=role.id, school_id=place) for place in places)
        if Permission.PERSONAL_MESSAGES in role.permissions:
            town.inboxes[member.key] = Inbox(kind=InboxKind.PERSONAL, staff_id=person.id)
    await _keep(session, *town.inboxes.values())


def _person(member: Member, hashed: str) -> Staff:
    return Staff(
        email=member.email, name=member.name, title=member.title, password_hash=hashed, signature=member.signature
    )


async def _roles(session: AsyncSession) -> dict[str, Role]:
    """The base roles, which are there already, and the custom ones, by name."""
    custom = [Role(name=r.name, level=r.level, permissions=sorted(r.permissions)) for r in district.CUSTOM_ROLES]
    await _keep(session, *custom)
    base = await session.scalars(select(Role).where(col(Role.base_key).is_not(None)))
    return {role.name: role for role in (*base, *custom)}


async def _connect(session: AsyncSession, town: Town, numbers: Mapping[str, BoughtNumber]) -> None:
    for owner, bought in numbers.items():
        inbox = town.inboxes[owner]
        town.numbers[owner] = Number(
            e164=bought.e164,
            sid=bought.sid,
            staff_id=inbox.staff_id,
            school_id=inbox.school_id,
            area_code=bought.e164[2:5],
            campaign_id=await campaign_of(session, inbox_ref(inbox)),
            bought_at=utc_now(),
            state=NumberState.ACTIVE,
        )
    await _keep(session, *town.numbers.values())


async def _list_phones(session: AsyncSession, town: Town) -> None:
    """A number is one phone, whoever shares it; it speaks the language of its adults."""
    for family in FAMILIES:
        for person in (*family.adults, *family.children):
            _list_phone(town, person.name, person.phone, family.language)
    for number in STRANGERS:
        _list_phone(town, number, number, "en")
    await _keep(session, *town.phones.values())


def _list_phone(town: Town, name: str, number: str, language: str) -> None:
    if number:
        e164 = parse_phone(number)
        town.reached[name] = town.phones.setdefault(e164, FamilyPhone(e164=e164, language=language))


async def _enrol(session: AsyncSession, town: Town, today: date) -> None:
    for family in FAMILIES:
        children = _students(town, family, today)
        adults = _contacts(town, family)
        await _keep(session, *children, *adults)
        for (adult, contact), student in product(zip(family.adults, adults, strict=True), children):
            relation = adult.relation
            session.add(Guardianship(student_id=student.id, contact_id=contact.id, relation=relation))
    await session.flush()


def _students(town: Town, family: Family, today: date) -> list[Student]:
    return [
        Student(
            name=child.name,
            birth_date=birth_date(child.birthday, today) if child.birthday else None,
            grade=str(child.grade),
            school_id=town.schools[child.school].id,
            phone_id=_phone_id(town, child.name),
        )
        for child in family.children
    ]


def _contacts(town: Town, family: Family) -> list[Contact]:
    return [
        Contact(name=adult.name, language=family.language, phone_id=_phone_id(town, adult.name), source=adult.source)
        for adult in family.adults
    ]


def _phone_id(town: Town, name: str) -> int | None:
    return town.reached[name].id if name in town.reached else None


async def _keep(session: AsyncSession, *rows: SQLModel) -> None:
    """Adds rows and gives them their ids."""
    session.add_all(rows)
    await session.flush()
