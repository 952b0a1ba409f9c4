"""Finding whom to write to: students and family contacts of the schools where a person may write."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.eligibility import may_text_student
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import consent, people
from tp_inbox.services.threads import choices
from tp_inbox.services.views import RecipientView
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.places import school_names
from tp_inbox.storage.queries.words import asked, named, numbered
from tp_inbox.storage.tables import Contact, FamilyPhone, Guardianship, School, Student

MOST_FOUND = 20
NO_PHONE_STUDENT = "No phone number on file for this student."
NO_PHONE_CONTACT = "No phone number on file."


class Finding:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def recipients(self, actor: Actor, words: str) -> list[RecipientView]:
        """Contacts first, then students, at most 20 of each, by name, number or student.

        A student who may not be texted is shown with the reason, the family's names beside it.
        """
        schools = access.writable_schools(actor)
        words = asked(words)
        if not words or not schools:
            return []
        async with self._db.reading() as session:
            found = [*await _contacts(session, schools, words), *await _students(session, schools, words)]
            return await _with_consent(session, actor, found)


async def _with_consent(session: AsyncSession, actor: Actor, found: list[RecipientView]) -> list[RecipientView]:
    written = await consent.ledgers_of(session, {view.phone_id for view in found if view.phone_id})
    stopped = {phone_id for phone_id in written if await _has_stopped_all(session, actor, phone_id)}
    return [replace(view, unsubscribed=view.phone_id in stopped) for view in found]


async def _has_stopped_all(session: AsyncSession, actor: Actor, phone_id: int) -> bool:
    senders = await choices(session, actor, phone_id)
    return bool(senders) and all(sender.stopped for sender in senders)


async def _contacts(session: AsyncSession, schools: Collection[int], words: str) -> list[RecipientView]:
    """Adults of students at these schools; a student's name finds the family, too."""
    theirs = (
        select(1)
        .select_from(Guardianship)
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(col(Guardianship.contact_id) == col(Contact.id), col(Student.school_id).in_(schools))
    )
    query = (
        select(Contact, col(FamilyPhone.e164))
        .outerjoin(FamilyPhone, col(FamilyPhone.id) == col(Contact.phone_id))
        .where(
            exists(theirs),
            or_(
                named(func.plain(col(Contact.name)), words),
                numbered(words),
                exists(theirs.where(named(func.plain(col(Student.name)), words))),
            ),
        )
        .order_by(col(Contact.name), col(Contact.id))
        .limit(MOST_FOUND)
    )
    found = (await session.execute(query)).all()
    children = await _children_of(session, schools, [contact.id for contact, _ in found])
    names = await school_names(session, schools) if found and len(schools) > 1 else {}
    views = []
    for contact, e164 in found:
        theirs = children.get(contact.id, [])
        through = people.through(schools, {child.school_id for child in theirs}, names)
        views.append(_contact_view(contact, e164, theirs, through))
    return views


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    relation: str
    school_id: int


async def _children_of(
    session: AsyncSession, schools: Collection[int], contact_ids: Collection[int]
) -> dict[int, list[Child]]:
    """By contact; those at other schools are nobody's business here."""
    query = (
        select(col(Guardianship.contact_id), col(Student.name), col(Guardianship.relation), col(Student.school_id))
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(col(Guardianship.contact_id).in_(contact_ids), col(Student.school_id).in_(schools))
        .order_by(col(Student.name))
    )
    children: dict[int, list[Child]] = {}
    for contact_id, name, relation, school_id in await session.execute(query):
        children.setdefault(contact_id, []).append(Child(name, relation, school_id))
    return children


async def _students(session: AsyncSession, schools: Collection[int], words: str) -> list[RecipientView]:
    query: Select[Student, School, str] = (
        select(Student, School, col(FamilyPhone.e164))
        .join(School, col(School.id) == col(Student.school_id))
        .outerjoin(FamilyPhone, col(FamilyPhone.id) == col(Student.phone_id))
        .where(col(Student.school_id).in_(schools), or_(named(func.plain(col(Student.name)), words), numbered(words)))
        .order_by(col(Student.name), col(Student.id))
        .limit(MOST_FOUND)
    )
    found = (await session.execute(query)).all()
    families = await _families_of(session, [student.id for student, _, _ in found])
    return [_student_view(student, school, e164, families.get(student.id, [])) for student, school, e164 in found]


async def _families_of(session: AsyncSession, student_ids: Collection[int]) -> dict[int, list[str]]:
    """The names of those who can be texted, by student."""
    query = (
        select(col(Guardianship.student_id), col(Contact.name))
        .join(Contact, col(Contact.id) == col(Guardianship.contact_id))
        .where(col(Guardianship.student_id).in_(student_ids), col(Contact.phone_id).is_not(None))
        .order_by(col(Contact.name))
    )
    families: dict[int, list[str]] = {}
    for student_id, name in await session.execute(query):
        families.setdefault(student_id, []).append(name)
    return families


def _contact_view(contact: Contact, e164: str | None, children: Sequence[Child], through: str) -> RecipientView:
    relation = (children[0].relation if children else "") or "family"
    return RecipientView(
        key=f"contact-{contact.id}",
        name=contact.name,
        about=f"{relation.capitalize()} of " + ", ".join(child.name for child in children),
        phone=display_phone(e164) if e164 else "",
        phone_id=contact.phone_id or 0,
        initials=people.initials(contact.name),
        hue=people.hue_of(contact.phone_id or 0),
        is_student=False,
        unreachable="" if e164 else NO_PHONE_CONTACT,
        through=through,
    )


def _student_view(student: Student, school: School, e164: str | None, families: list[str]) -> RecipientView:
    unreachable = _why_unreachable(student, school, e164)
    return RecipientView(
        key=f"student-{student.id}",
        name=student.name,
        about=f"{people.student_of(student.grade)}, {school.name}",
        phone="" if unreachable else display_phone(e164 or ""),
        phone_id=0 if unreachable else student.phone_id or 0,
        initials=people.initials(student.name),
        hue=people.hue_of(student.phone_id or student.id),
        is_student=True,
        unreachable=unreachable,
        instead=families if unreachable else [],
    )


def _why_unreachable(student: Student, school: School, e164: str | None) -> str:
    ineligible = may_text_student(student.birth_date, datetime.now(ZoneInfo(school.time_zone)).date())
    if ineligible:
        return ineligible.sentence
    return "" if e164 else NO_PHONE_STUDENT
