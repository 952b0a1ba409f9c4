"""Access as SQL: the only conditions by which inboxes and threads are found for a person."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind, InboxRef
from tp_inbox.domain.errors import NotFound
from tp_inbox.domain.permissions import P
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.tables import Contact, Guardianship, Inbox, Student, Thread


def readable_inboxes(actor: Actor, kind: InboxKind | None = None) -> ColumnElement[bool]:
    """The SQL twin of ``access.may_read``; a test holds the two against each other."""
    own = col(Inbox.staff_id) == actor.staff_id if access.has_personal_inbox(actor) else false()
    shared = col(Inbox.school_id).in_(access.readable_school_inboxes(actor))
    return {InboxKind.PERSONAL: own, InboxKind.SCHOOL: shared, None: or_(own, shared)}[kind]


def overseen_threads(actor: Actor) -> ColumnElement[bool]:
    """The SQL twin of ``access.may_oversee``, for threads with their inboxes; a test holds the two together."""
    anothers = col(Inbox.staff_id).is_distinct_from(actor.staff_id)
    if actor.at_district(P.VIEW_ALL_MESSAGES):
        return anothers
    return and_(anothers, concerning_schools(actor.schools_with(P.VIEW_ALL_MESSAGES)))


def concerning_schools(schools: Collection[int]) -> ColumnElement[bool]:
    """Threads of these schools' inboxes, and what people who work there write to families of the same school; a
    family of no school follows the person.
    """
    if not schools:
        return false()
    here = and_(
        HELD.c.staff_id == col(Inbox.staff_id),
        HELD.c.school_id.in_(schools),
        or_(_enrolled(HELD.c.school_id), ~_enrolled()),
    )
    works_here = select(HELD.c.staff_id).where(HELD.c.school_id.in_(schools))
    personal = and_(col(Inbox.staff_id).in_(works_here), exists().where(here))
    return or_(col(Inbox.school_id).in_(schools), personal)


def _enrolled(school: ColumnElement[int] | None = None) -> ColumnElement[bool]:
    """Whether the family at the thread's phone has a student at this school, or at any."""
    there = true() if school is None else col(Student.school_id) == school
    of_contact = (
        select(col(Student.id))
        .join(Guardianship, col(Guardianship.student_id) == col(Student.id))
        .join(Contact, col(Contact.id) == col(Guardianship.contact_id))
        .where(col(Contact.phone_id) == col(Thread.phone_id), there)
    )
    own = select(col(Student.id)).where(col(Student.phone_id) == col(Thread.phone_id), there)
    return or_(_correlated(own), _correlated(of_contact))


def _correlated(students: Select[int]) -> ColumnElement[bool]:
    return students.correlate(Thread, HELD).exists()


async def own_thread(session: AsyncSession, actor: Actor, thread_id: int) -> tuple[Thread, InboxRef]:
    """Fetching and checking in one: raises NotFound when it is not there, or not this person's to read."""
    return await _thread(session, thread_id, readable_inboxes(actor))


async def overseen_thread(session: AsyncSession, actor: Actor, thread_id: int) -> tuple[Thread, InboxRef]:
    """As ``own_thread``, for what this person may oversee, opened or not."""
    return await _thread(session, thread_id, overseen_threads(actor))


async def _thread(session: AsyncSession, thread_id: int, allowed: ColumnElement[bool]) -> tuple[Thread, InboxRef]:
    query = (
        select(Thread, Inbox)
        .join(Inbox, col(Inbox.id) == col(Thread.inbox_id))
        .where(col(Thread.id) == thread_id, allowed)
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], inbox_ref(row[1])


def inbox_ref(inbox: Inbox) -> InboxRef:
    return InboxRef(inbox.id, inbox.kind, inbox.staff_id, inbox.school_id)
