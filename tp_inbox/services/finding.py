"""Finding whom to write to: students and family contacts of the schools where a person may write."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import and_, exists, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.eligibility import may_text_student
from tp_inbox.domain.phone import digits, display_phone
from tp_inbox.services import people
from tp_inbox.services.views import RecipientView
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Contact, FamilyPhone, Guardianship, School, Student

MOST_FOUND = 20
LEAST_DIGITS = 3
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
        words = " ".join(words.split())[:80]
        if not words or not schools:
            return []
        async with self._db.reading() as session:
            contacts = await _contacts(session, schools, words)
            students = await _students(session, schools, words)
        return contacts + students


async def _contacts(session: AsyncSession, schools: frozenset[int], words: str) -> list[RecipientView]:
    at_school = (
        select(col(Guardianship.contact_id), Student, col(Guardianship.relation))
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(col(Student.school_id).in_(schools))
    )
    of_student = exists(
        select(1)
        .select_from(Guardianship)
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(
            col(Guardianship.contact_id) == col(Contact.id),
            col(Student.school_id).in_(schools),
            _named(col(Student.name), words),
        )
    )
    attached = exists(
        select(1)
        .select_from(Guardianship)
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(col(Guardianship.contact_id) == col(Contact.id), col(Student.school_id).in_(schools))
    )
    found = (
        await session.execute(
            select(Contact, col(FamilyPhone.e164))
            .outerjoin(FamilyPhone, col(FamilyPhone.id) == col(Contact.phone_id))
            .where(attached, or_(_named(col(Contact.name), words), _numbered(words), of_student))
            .order_by(col(Contact.name), col(Contact.id))
            .limit(MOST_FOUND)
        )
    ).all()
    pupils: dict[int, list[tuple[Student, str]]] = {contact.id: [] for contact, _ in found}
    for contact_id, student, relation in await session.execute(
        at_school.where(col(Guardianship.contact_id).in_(list(pupils))).order_by(col(Student.name))
    ):
        pupils[contact_id].append((student, relation))
    return [_contact_view(contact, e164, pupils[contact.id]) for contact, e164 in found]


async def _students(session: AsyncSession, schools: frozenset[int], words: str) -> list[RecipientView]:
    rows = (
        await session.execute(
            select(Student, School, col(FamilyPhone.e164))
            .join(School, col(School.id) == col(Student.school_id))
            .outerjoin(FamilyPhone, col(FamilyPhone.id) == col(Student.phone_id))
            .where(col(Student.school_id).in_(schools), or_(_named(col(Student.name), words), _numbered(words)))
            .order_by(col(Student.name), col(Student.id))
            .limit(MOST_FOUND)
        )
    ).all()
    families = await _families(session, [student.id for student, _, _ in rows])
    return [_student_view(*row, families.get(row[0].id, [])) for row in rows]


async def _families(session: AsyncSession, student_ids: Iterable[int]) -> dict[int, list[str]]:
    families: dict[int, list[str]] = {}
    for student_id, name in await session.execute(
        select(col(Guardianship.student_id), col(Contact.name))
        .join(Contact, col(Contact.id) == col(Guardianship.contact_id))
        .where(col(Guardianship.student_id).in_(list(student_ids)), col(Contact.phone_id).is_not(None))
        .order_by(col(Contact.name))
    ):
        families.setdefault(student_id, []).append(name)
    return families


def _named(column, words: str):
    """Each word begins some word of the name, whatever its case."""
    return and_(*(column.ilike(f"%{_literal(word)}%") for word in words.split()))


def _numbered(words: str):
    wanted = digits(words)
    typed_a_number = len(wanted) >= LEAST_DIGITS and not any(c.isalpha() for c in words)
    return col(FamilyPhone.e164).like(f"%{wanted}%") if typed_a_number else false()


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _contact_view(contact: Contact, e164: str | None, pupils: list[tuple[Student, str]]) -> RecipientView:
    relation = (pupils[0][1] if pupils else "") or "family"
    about = f"{relation.capitalize()} of " + ", ".join(student.name for student, _ in pupils)
    return RecipientView(
        key=f"contact-{contact.id}",
        name=contact.name,
        about=about,
        phone=display_phone(e164) if e164 else "",
        phone_id=contact.phone_id or 0,
        initials=people.initials(contact.name),
        hue=people.hue_of(contact.phone_id or 0),
        is_student=False,
        unreachable="" if e164 else NO_PHONE_CONTACT,
    )


def _student_view(student: Student, school: School, e164: str | None, families: list[str]) -> RecipientView:
    today = datetime.now(ZoneInfo(school.time_zone)).date()
    ineligible = may_text_student(student.birth_date, today)
    unreachable = ineligible.sentence if ineligible else ("" if e164 else NO_PHONE_STUDENT)
    return RecipientView(
        key=f"student-{student.id}",
        name=student.name,
        about=f"Student, grade {student.grade}, {school.name}",
        phone=display_phone(e164) if e164 and not unreachable else "",
        phone_id=0 if unreachable else student.phone_id or 0,
        initials=people.initials(student.name),
        hue=people.hue_of(student.phone_id or student.id),
        is_student=True,
        unreachable=unreachable,
        instead=families if unreachable else [],
    )
