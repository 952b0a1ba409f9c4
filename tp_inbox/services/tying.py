"""Saying who an unknown sender is: a family contact with a new number, a new contact, or a student."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.eligibility import may_text_student
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, audit, people, untying
from tp_inbox.services.consent import lock_phones
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.families import people_at, schools_of_contacts
from tp_inbox.storage.queries.scope import own_thread
from tp_inbox.storage.queries.words import asked, named
from tp_inbox.storage.tables import Contact, FamilyPhone, Guardianship, School, Student, Thread, Tie

MOST_FOUND = 20
LONGEST_NAME, LONGEST_RELATION = 80, 40
KNOWN_BY_NOW = "Somebody is on file with this number already."
CHANGED = "This was changed by somebody else a moment ago. Please look again."
NO_NAME = "Please write the name of this person."
TOO_LONG = "This is longer than a name can be."


@dataclass(frozen=True)
class ContactChoice:
    """An adult of a student; ``phone`` is the number that is on file now, if there is one.

    ``refused``: why the reader cannot give this adult another number; empty when they can.
    """

    id: int
    name: str
    relation: str
    phone: str
    refused: str = ""


@dataclass(frozen=True)
class StudentChoice:
    """``ineligible``: why the student may not be texted, and has no phone here; empty when they may."""

    id: int
    name: str
    about: str
    initials: str
    hue: int
    phone: str
    ineligible: str
    contacts: list[ContactChoice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A number that nobody is on file with, locked, with a student of whose family it shall be."""

    actor: Actor
    thread_id: int
    phone: FamilyPhone
    student: Student


class Tying:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def students(self, actor: Actor, words: str) -> list[StudentChoice]:
        """Students by name, at the schools where the actor manages students and contacts, with their adults."""
        words = asked(words)
        if not words or not access.manages_families(actor):
            return []
        query = (
            select(Student, School, col(FamilyPhone.e164))
            .join(School, col(School.id) == col(Student.school_id))
            .outerjoin(FamilyPhone, col(FamilyPhone.id) == col(Student.phone_id))
            .where(_managed_by(actor), named(func.plain(col(Student.name)), words))
            .order_by(col(Student.name), col(Student.id))
            .limit(MOST_FOUND)
        )
        async with self._db.reading() as session:
            found = (await session.execute(query)).all()
            adults = await _adults_of(session, actor, [student.id for student, _, _ in found])
        return [_choice(student, school, e164, adults) for student, school, e164 in found]

    async def to_contact(self, actor: Actor, thread_id: int, student_id: int, contact_id: int) -> None:
        """It is the new number of an adult of this student. Texts that are queued keep theirs.

        Raises NotFound, NotAllowed, also where the adult has a student elsewhere, and Invalid when somebody is on file
        with this number already.
        """
        async with self._db.transaction() as session:
            contact = await session.get(Contact, contact_id)
            old = contact.phone_id if contact else None
            unknown = await _unknown(session, actor, thread_id, student_id, old)
            if contact is None or await session.get(Guardianship, (student_id, contact_id)) is None:
                raise NotFound
            await session.refresh(contact, with_for_update=True)
            if contact.phone_id != old:
                raise Invalid(CHANGED)
            await _require_everywhere(session, unknown.actor, contact_id)
            contact.phone_id = unknown.phone.id
            await _record(session, unknown, contact=contact_id, before=old)
            unknown.phone.language = contact.language
            await _announce(session, unknown.phone.id, old)

    async def to_somebody_new(self, actor: Actor, thread_id: int, student_id: int, name: str, relation: str) -> None:
        """It is the number of an adult who was not on file. Raises as ``to_contact``, and Invalid without a name."""
        name, relation = _tidy(name, LONGEST_NAME), _tidy(relation, LONGEST_RELATION).lower()
        if not name:
            raise Invalid(NO_NAME)
        async with self._db.transaction() as session:
            unknown = await _unknown(session, actor, thread_id, student_id)
            phone = unknown.phone
            contact = Contact(name=name, language=phone.language, phone_id=phone.id, source="hand")
            session.add(contact)
            await session.flush()
            session.add(Guardianship(student_id=student_id, contact_id=contact.id, relation=relation))
            await _record(session, unknown, contact=contact.id, fresh=True)
            await _announce(session, phone.id)

    async def to_student(self, actor: Actor, thread_id: int, student_id: int) -> None:
        """It is the student's own number. Raises as ``to_contact``, and Invalid for who is under 13."""
        async with self._db.transaction() as session:
            student = await session.get(Student, student_id)
            old = student.phone_id if student else None
            unknown = await _unknown(session, actor, thread_id, student_id, old)
            await session.refresh(unknown.student, with_for_update=True)
            if unknown.student.phone_id != old:
                raise Invalid(CHANGED)
            await _require_old_enough(session, unknown.student)
            unknown.student.phone_id = unknown.phone.id
            await _record(session, unknown, before=old)
            await _announce(session, unknown.phone.id, old)

    async def untie(self, actor: Actor, thread_id: int) -> None:
        """The sender is unknown again: what was said here last is undone. Raises as ``untying.undo``."""
        async with self._db.transaction() as session:
            await _announce(session, *await untying.undo(session, actor, thread_id))


def _managed_by(actor: Actor) -> ColumnElement[bool]:
    schools = access.schools_of_managed_families(actor)
    return true() if schools is None else col(Student.school_id).in_(schools)


async def _adults_of(
    session: AsyncSession, actor: Actor, student_ids: Collection[int]
) -> dict[int, list[ContactChoice]]:
    query = (
        select(col(Guardianship.student_id), col(Guardianship.relation), Contact, col(FamilyPhone.e164))
        .join(Contact, col(Contact.id) == col(Guardianship.contact_id))
        .outerjoin(FamilyPhone, col(FamilyPhone.id) == col(Contact.phone_id))
        .where(col(Guardianship.student_id).in_(student_ids))
        .order_by(col(Contact.name), col(Contact.id))
    )
    rows = (await session.execute(query)).all()
    schools = await schools_of_contacts(session, {contact.id for _, _, contact, _ in rows})
    adults: dict[int, list[ContactChoice]] = defaultdict(list)
    for student_id, relation, contact, e164 in rows:
        refusal = access.refusal_to_move_contact(actor, schools[contact.id])
        phone, refused = display_phone(e164) if e164 else "", refusal.sentence if refusal else ""
        adults[student_id].append(ContactChoice(contact.id, contact.name, relation, phone, refused))
    return adults


def _choice(
    student: Student, school: School, e164: str | None, adults: Mapping[int, list[ContactChoice]]
) -> StudentChoice:
    ineligible = may_text_student(student.birth_date, datetime.now(ZoneInfo(school.time_zone)).date())
    return StudentChoice(
        id=student.id,
        name=student.name,
        about=f"{people.student_of(student.grade)}, {school.name}",
        initials=people.initials(student.name),
        hue=people.hue_of(student.phone_id or student.id),
        phone=display_phone(e164) if e164 else "",
        ineligible=ineligible.sentence if ineligible else "",
        contacts=adults.get(student.id, []),
    )


async def _unknown(
    session: AsyncSession, actor: Actor, thread_id: int, student_id: int, old_phone_id: int | None = None
) -> Unknown:
    """Locks the thread's phone, with the one that is given up, and asks everything again under the lock."""
    actor = await actors.as_of_now(session, actor)
    thread, _ = await own_thread(session, actor, thread_id)
    phones = await lock_phones(session, {thread.phone_id, old_phone_id or thread.phone_id})
    student = await session.get(Student, student_id)
    access.require(access.manages_families(actor), access.FAMILIES_ONLY)
    if student is None or not access.may_manage_family(actor, student.school_id):
        raise NotFound
    if (await people_at(session, [thread.phone_id])).get(thread.phone_id):
        raise Invalid(KNOWN_BY_NOW)
    phone = next(phone for phone in phones if phone.id == thread.phone_id)
    return Unknown(actor, thread_id, phone, student)


async def _require_everywhere(session: AsyncSession, actor: Actor, contact_id: int) -> None:
    """Asked under the contact's lock, which nobody who gives them a student can pass."""
    schools = (await schools_of_contacts(session, [contact_id])).get(contact_id, ())
    if refusal := access.refusal_to_move_contact(actor, schools):
        raise refusal


async def _require_old_enough(session: AsyncSession, student: Student) -> None:
    school = await session.get_one(School, student.school_id)
    ineligible = may_text_student(student.birth_date, datetime.now(ZoneInfo(school.time_zone)).date())
    if ineligible:
        raise Invalid(ineligible.sentence)


def _tidy(words: str, longest: int) -> str:
    words = " ".join(words.replace("\x00", " ").split())
    return words if len(words) <= longest else _too_long()


def _too_long() -> NoReturn:
    raise Invalid(TOO_LONG)


async def _record(
    session: AsyncSession,
    unknown: Unknown,
    *,
    contact: int | None = None,
    fresh: bool = False,
    before: int | None = None,
) -> None:
    """For the log, and for whoever takes it back. Not which family: whoever views the log need not know them."""
    phone, student = unknown.phone, unknown.student
    made = {"contact_id": contact, "fresh": fresh, "before_id": before, "language": phone.language, "at": utc_now()}
    await session.merge(Tie(phone_id=phone.id, student_id=student.id, **made))
    facts = {"thread": unknown.thread_id, "phone": unknown.phone.id, "student": unknown.student.id}
    facts |= {"contact": contact, "new": fresh} if contact else {}
    facts |= {"phone_before": before} if before else {}
    schools = [unknown.student.school_id]
    await audit.record(session, AuditKind.SENDER_NAMED, unknown.actor, schools=schools, facts=facts)


async def _announce(session: AsyncSession, *phone_ids: int | None) -> None:
    """Every list and every open thread with this family shows its name at once."""
    with_them = select(col(Thread.inbox_id)).where(col(Thread.phone_id).in_([i for i in phone_ids if i]))
    for inbox_id in await session.scalars(with_them.distinct()):
        await announce(session, Change(ChangeKind.INBOX, inbox=inbox_id))
