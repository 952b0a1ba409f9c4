"""Oversight: finding and reading conversations that are not one's own, never unseen by whoever they belong to.

Nothing here marks anything as read, and nobody writes to a family from here. Whoever manages students and contacts
may stop texts to the family whose conversation they have opened, which ``unsubscribing`` does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, func, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Overseen
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.permissions import P
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, audit, consent_panel, people
from tp_inbox.services.inboxes import page_of_messages
from tp_inbox.services.opened import is_open, opened_thread
from tp_inbox.services.unsubscribing import places
from tp_inbox.services.views import NEVER_READ, UNKNOWN_CONSENT, ConsentView, MessageRow, Reading
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.families import Reached, people_at
from tp_inbox.storage.queries.places import school_names, schools_of_staff
from tp_inbox.storage.queries.scope import concerning_schools, inbox_ref, overseen_threads
from tp_inbox.storage.queries.words import asked, named, numbered
from tp_inbox.storage.tables import (
    Contact,
    FamilyPhone,
    Guardianship,
    Inbox,
    OversightReading,
    School,
    Staff,
    Student,
    Thread,
)

THREADS_A_PAGE = 50
READINGS_A_PAGE = 20
LEAST_REASON, MOST_REASON = 10, 500
"""Characters: more than a word, and no longer than what the person concerned will read."""

NO_REASON = f"Please say in a few words why you need to read this, in {LEAST_REASON} characters or more."
LONG_REASON = f"Please say it in {MOST_REASON} characters or fewer."


@dataclass(frozen=True, slots=True)
class Question:
    """What conversations are looked for: a family by name or number, a person by name, and a school's id, or 0."""

    family: str = ""
    person: str = ""
    school: int = 0


@dataclass(frozen=True)
class SchoolChoice:
    id: int
    name: str


@dataclass(frozen=True)
class OverseenRow:
    """A line of the list. It says whose conversation it is and when it was written last, and nothing of what."""

    id: int
    title: str
    about: str
    initials: str
    hue: int
    personal: bool
    whose: str
    whose_initials: str
    whose_hue: int
    through: str
    at: str


@dataclass(frozen=True)
class OverseenHead:
    """All about a conversation but its messages. ``opened``: they may be read now. ``own``: this person has the
    school's inbox under Messages, and needs no oversight to read there. ``manages``: they may stop texts to the
    family; ``consent`` is for them alone, while it is open.
    """

    id: int
    title: str
    about: str
    initials: str
    hue: int
    phone: str
    at: str
    personal: bool
    whose: str
    whose_initials: str
    whose_hue: int
    whose_title: str
    has_left: bool
    through: str
    needs_reason: bool
    opened: bool
    own: bool
    manages: bool = False
    consent: ConsentView = UNKNOWN_CONSENT


@dataclass(frozen=True, slots=True)
class _Found:
    """A thread that this person may oversee, with all that says whose it is."""

    thread: Thread
    place: Overseen
    e164: str
    owner: Staff | None
    school: str
    reached: Sequence[Reached] = field(default_factory=list)

    @property
    def title(self) -> str:
        return people.title_of(self.reached, self.e164)

    @property
    def whose(self) -> str:
        return self.owner.name if self.owner else self.school


class Oversight:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def threads(
        self, actor: Actor, question: Question, before: tuple[datetime, int] | None = None
    ) -> tuple[list[OverseenRow], bool]:
        """A page of what this person may oversee, newest first, and whether older ones remain. ``before`` is the
        last row's time and id.
        """
        access.require(access.oversees(actor), access.OVERSIGHT_ONLY)
        query = _query(actor).where(col(Thread.last_at).is_not(None), *_conditions(question))
        if before is not None:
            query = query.where(tuple_(col(Thread.last_at), col(Thread.id)) < tuple_(*before))
        query = query.order_by(col(Thread.last_at).desc(), col(Thread.id).desc()).limit(THREADS_A_PAGE + 1)
        async with self._db.reading() as session:
            found = await _complete(session, (await session.execute(query)).all())
            names = await _school_names(session, actor, found)
        rows = [_row(each, names[each.thread.id]) for each in found]
        return rows[:THREADS_A_PAGE], len(rows) > THREADS_A_PAGE

    async def schools(self, actor: Actor) -> list[SchoolChoice]:
        """The schools of whose conversations this person may see some."""
        access.require(access.oversees(actor), access.OVERSIGHT_ONLY)
        query = select(School).order_by(col(School.name), col(School.id))
        if not actor.at_district(P.VIEW_ALL_MESSAGES):
            query = query.where(col(School.id).in_(actor.schools_with(P.VIEW_ALL_MESSAGES)))
        async with self._db.reading() as session:
            return [SchoolChoice(school.id, school.name) for school in await session.scalars(query)]

    async def head(self, actor: Actor, thread_id: int) -> OverseenHead:
        """NotFound when it is not there, or not this person's to oversee."""
        async with self._db.reading() as session:
            found = await _find(session, actor, thread_id)
            names = await _school_names(session, actor, [found])
            opened = await is_open(session, actor, thread_id)
            manages = opened and await _manages(session, actor, found)
            told = await _consent(session, actor, found) if manages else UNKNOWN_CONSENT
        head = _head(actor, found, names[thread_id], opened=opened)
        return replace(head, manages=manages, consent=told)

    async def open(self, actor: Actor, thread_id: int, reason: str = "") -> None:
        """Writes down that this person reads here from now on, and why, for an hour.

        Another person's own conversation is opened with a reason, which that person is shown. Raises Invalid
        without one, NotFound as ``head`` does.
        """
        reason = " ".join(reason.replace("\0", " ").encode("utf-8", "ignore").decode().split())
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            found = await _find(session, actor, thread_id)
            _require_reason(actor, found, reason)
            owner_id = found.place.inbox.staff_id
            session.add(
                OversightReading(reader_id=actor.staff_id, thread_id=thread_id, owner_id=owner_id, reason=reason)
            )
            await audit.record(
                session,
                AuditKind.OVERSIGHT_OPENED,
                actor,
                subject=owner_id,
                schools=found.place.schools,
                facts={"thread": thread_id, "inbox": found.place.inbox.kind.value},
                names=_named_in_the_log(found, reason),
            )

    async def messages(self, actor: Actor, thread_id: int, before: int | None = None) -> tuple[list[MessageRow], bool]:
        """A page of bubbles as ``Inboxes.messages`` gives it, none of which can be tried again from here. What a
        colleague handed over to the owner is that colleague's conversation, and opened on its own.

        Raises NotAllowed unless this person has opened the thread within the hour, NotFound as ``head`` does.
        """
        async with self._db.reading() as session:
            await opened_thread(session, actor, thread_id)
            rows, older = await page_of_messages(session, {thread_id: ""}, before)
        return [replace(row, may_retry=False) for row in rows], older

    async def readings(self, actor: Actor, before: int | None = None) -> tuple[list[Reading], bool]:
        """Who has read this person's own conversations, newest first, and whether there are older ones. ``before``
        is the last one's id.
        """
        query = _readings_of(actor).limit(READINGS_A_PAGE + 1)
        if before is not None:
            query = query.where(col(OversightReading.id) < before)
        async with self._db.reading() as session:
            read = (await session.execute(query)).all()
            reached = await people_at(session, [row.phone_id for row in read])
        views = [_reading(row, people.title_of(reached.get(row.phone_id, []), row.e164)) for row in read]
        if not access.has_personal_inbox(actor):
            views = [replace(view, family="") for view in views]
        return views[:READINGS_A_PAGE], len(views) > READINGS_A_PAGE


async def newest_reading(session: AsyncSession, actor: Actor, thread_id: int) -> tuple[Reading, int]:
    """Who read this thread of the person's own last, and how often it has been read."""
    query = _readings_of(actor).where(col(Thread.id) == thread_id).add_columns(func.count().over().label("times"))
    row = (await session.execute(query.limit(1))).one_or_none()
    return (_reading(row, ""), row.times) if row else (NEVER_READ, 0)


# Finding ---------------------------------------------------------------------------------------------------


def _query(actor: Actor) -> Select:
    return (
        select(Thread, Inbox, Staff, col(FamilyPhone.e164).label("e164"), col(School.name).label("school"))
        .join(Inbox, col(Inbox.id) == col(Thread.inbox_id))
        .join(FamilyPhone, col(FamilyPhone.id) == col(Thread.phone_id))
        .outerjoin(Staff, col(Staff.id) == col(Inbox.staff_id))
        .outerjoin(School, col(School.id) == col(Inbox.school_id))
        .where(overseen_threads(actor))
    )


def _conditions(question: Question) -> list[ColumnElement[bool]]:
    """They narrow what may be overseen, and never widen it."""
    family, person = asked(question.family), asked(question.person)
    conditions = []
    if family:
        conditions.append(col(Thread.phone_id).in_(_phones_of(family)))
    if person:
        words = col(Staff.found_by)
        conditions.append(col(Inbox.staff_id).in_(select(col(Staff.id)).where(named(words, person))))
    if question.school:
        conditions.append(concerning_schools([question.school]))
    return conditions


def _phones_of(words: str) -> Select[int]:
    """Of contacts and students with these words in their names, of the adults of such students, and by number."""
    contact, student = named(func.plain(col(Contact.name)), words), named(func.plain(col(Student.name)), words)
    through_a_student = (
        select(col(Contact.phone_id))
        .join(Guardianship, col(Guardianship.contact_id) == col(Contact.id))
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(student)
    )
    found = union(
        select(col(Contact.phone_id)).where(contact),
        through_a_student,
        select(col(Student.phone_id)).where(student),
        select(col(FamilyPhone.id)).where(numbered(words)),
    ).subquery()
    return select(found.c.phone_id).where(found.c.phone_id.is_not(None))


async def _find(session: AsyncSession, actor: Actor, thread_id: int) -> _Found:
    """Fetching and checking in one: NotFound when it is not there, or not this person's to oversee."""
    row = (await session.execute(_query(actor).where(col(Thread.id) == thread_id))).one_or_none()
    if row is None:
        raise NotFound
    return (await _complete(session, [row]))[0]


async def _complete(session: AsyncSession, rows: Sequence[Row]) -> list[_Found]:
    reached = await people_at(session, [row.Thread.phone_id for row in rows])
    works = await schools_of_staff(session, [row.Staff.id for row in rows if row.Staff])
    return [_found(row, reached.get(row.Thread.phone_id, []), works) for row in rows]


def _found(row: Row, reached: Sequence[Reached], works: dict[int, frozenset[int]]) -> _Found:
    owner: Staff | None = row.Staff
    family = frozenset(pupil.school_id for person in reached for pupil in person.pupils)
    place = Overseen(inbox_ref(row.Inbox), works.get(owner.id, frozenset()) if owner else frozenset(), family)
    return _Found(row.Thread, place, row.e164, owner, row.school or "", reached)


async def _school_names(session: AsyncSession, actor: Actor, found: Collection[_Found]) -> dict[int, str]:
    """By thread id, through which schools it concerns this person."""
    mine = None if actor.at_district(P.VIEW_ALL_MESSAGES) else actor.schools_with(P.VIEW_ALL_MESSAGES)
    through = {f.thread.id: f.place.schools if mine is None else f.place.schools & mine for f in found}
    query = select(School).where(col(School.id).in_(frozenset().union(*through.values()))).order_by(col(School.name))
    names = {school.id: school.name for school in await session.scalars(query)}
    return {thread_id: ", ".join(names[i] for i in names if i in schools) for thread_id, schools in through.items()}


# Opening ---------------------------------------------------------------------------------------------------


def _require_reason(actor: Actor, found: _Found, reason: str) -> None:
    if len(reason) > MOST_REASON:
        raise Invalid(LONG_REASON)
    if access.oversight_needs_reason(actor, found.place.inbox) and len(reason) < LEAST_REASON:
        raise Invalid(NO_REASON)


def _named_in_the_log(found: _Found, reason: str) -> dict[str, str]:
    """Whose conversation, and not with which family: who views the log need not know the families."""
    whose = {"subject": found.whose} if found.owner else {"school": found.whose}
    return whose | ({"reason": reason} if reason else {})


# Showing ---------------------------------------------------------------------------------------------------


def _row(found: _Found, through: str) -> OverseenRow:
    return OverseenRow(
        id=found.thread.id,
        title=found.title,
        about=people.about(found.reached),
        initials=people.initials(found.title),
        hue=people.hue_of(found.thread.phone_id),
        personal=found.owner is not None,
        whose=found.whose,
        whose_initials=people.initials(found.whose),
        whose_hue=people.hue_of(found.owner.id if found.owner else 0),
        through=through,
        at=found.thread.last_at.isoformat() if found.thread.last_at else "",
    )


def _head(actor: Actor, found: _Found, through: str, *, opened: bool) -> OverseenHead:
    """The number is shown with the messages, and not before."""
    row, inbox = _row(found, through), found.place.inbox
    return OverseenHead(
        id=row.id,
        title=row.title,
        about=row.about,
        initials=row.initials,
        hue=row.hue,
        phone=display_phone(found.e164) if opened else "",
        at=row.at,
        personal=row.personal,
        whose=row.whose,
        whose_initials=row.whose_initials,
        whose_hue=row.whose_hue,
        whose_title=found.owner.title if found.owner else "",
        has_left=found.owner is not None and not found.owner.active,
        through=through,
        needs_reason=access.oversight_needs_reason(actor, inbox),
        opened=opened,
        own=access.may_read(actor, inbox),
    )


async def _manages(session: AsyncSession, actor: Actor, found: _Found) -> bool:
    return bool(await places(session, actor, found.place.inbox, found.thread.phone_id))


async def _consent(session: AsyncSession, actor: Actor, found: _Found) -> ConsentView:
    theirs = await school_names(session, found.place.family_schools)
    return await consent_panel.panel(session, actor, found.thread, found.place.inbox, theirs)


# Being read ------------------------------------------------------------------------------------------------


def _readings_of(actor: Actor) -> Select:
    return (
        select(
            col(OversightReading.id).label("id"),
            col(OversightReading.at).label("at"),
            col(OversightReading.reason).label("reason"),
            col(Staff.name).label("reader"),
            col(Thread.phone_id).label("phone_id"),
            col(FamilyPhone.e164).label("e164"),
        )
        .join(Staff, col(Staff.id) == col(OversightReading.reader_id))
        .join(Thread, col(Thread.id) == col(OversightReading.thread_id))
        .join(FamilyPhone, col(FamilyPhone.id) == col(Thread.phone_id))
        .where(col(OversightReading.owner_id) == actor.staff_id)
        .order_by(col(OversightReading.id).desc())
    )


def _reading(row: Row, family: str) -> Reading:
    return Reading(row.id, row.reader, row.at.isoformat(), row.reason, family)
