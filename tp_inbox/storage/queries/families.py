"""Who is reached at a phone, and at which schools their students are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.storage.tables import Contact, Guardianship, Student


@dataclass(frozen=True, slots=True)
class Pupil:
    name: str
    grade: str
    school_id: int
    birth_date: date | None
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """One person at a phone: an adult with the students they belong to, or a student with a phone of their own."""

    name: str
    language: str
    pupils: tuple[Pupil, ...]
    is_student: bool


async def people_at(session: AsyncSession, phone_ids: Collection[int]) -> dict[int, list[Reached]]:
    """By phone id, adults first, then students; two queries for any number of phones."""
    people: dict[int, list[Reached]] = defaultdict(list)
    for phone_id, adult in await _adults_at(session, phone_ids):
        people[phone_id].append(adult)
    for student in await session.scalars(
        select(Student).where(col(Student.phone_id).in_(phone_ids)).order_by(col(Student.name))
    ):
        people[student.phone_id or 0].append(Reached(student.name, "", (_pupil(student),), True))
    return people


async def schools_of(session: AsyncSession, phone_id: int) -> frozenset[int]:
    """Where the students of everybody reached at this phone are; empty when nobody is known there."""
    by_contact = (
        select(col(Student.school_id))
        .join(Guardianship, col(Guardianship.student_id) == col(Student.id))
        .join(Contact, col(Contact.id) == col(Guardianship.contact_id))
        .where(col(Contact.phone_id) == phone_id)
    )
    own = select(col(Student.school_id)).where(col(Student.phone_id) == phone_id)
    return frozenset((await session.execute(union(by_contact, own))).scalars())


async def schools_of_contacts(session: AsyncSession, contact_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """By contact, the schools of all their students; who has no student is left out."""
    schools: dict[int, set[int]] = defaultdict(set)
    query = (
        select(col(Guardianship.contact_id), col(Student.school_id))
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(col(Guardianship.contact_id).in_(contact_ids))
    )
    for contact_id, school_id in await session.execute(query):
        schools[contact_id].add(school_id)
    return {contact_id: frozenset(theirs) for contact_id, theirs in schools.items()}


async def _adults_at(session: AsyncSession, phone_ids: Collection[int]) -> list[tuple[int, Reached]]:
    rows = await session.execute(
        select(Contact, col(Guardianship.relation), Student)
        .outerjoin(Guardianship, col(Guardianship.contact_id) == col(Contact.id))
        .outerjoin(Student, col(Student.id) == col(Guardianship.student_id))
        .where(col(Contact.phone_id).in_(phone_ids))
        .order_by(col(Contact.name), col(Contact.id), col(Student.name))
    )
    contacts: dict[int, Contact] = {}
    pupils: dict[int, list[Pupil]] = defaultdict(list)
    for contact, relation, student in rows:
        contacts[contact.id] = contact
        if student is not None:
            pupils[contact.id].append(_pupil(student, relation))
    return [(c.phone_id or 0, Reached(c.name, c.language, tuple(pupils[c.id]), False)) for c in contacts.values()]


def _pupil(student: Student, relation: str = "") -> Pupil:
    return Pupil(student.name, student.grade, student.school_id, student.birth_date, relation)
