"""Why somebody can see something: the assignments that allow it, or what is missing and which roles would give it.

Nothing is decided here. Each answer is what ``access`` says about the person, about each of their assignments alone,
and about each role that they could be given.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Grant, InboxKind, InboxRef, Overseen, actor_from
from tp_inbox.domain.errors import NotFound
from tp_inbox.domain.permissions import Level, P, Permission, label
from tp_inbox.services import actors, people
from tp_inbox.services.oversight import Oversight, Question
from tp_inbox.services.staff_directory import require_seen
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.families import people_at, schools_of
from tp_inbox.storage.queries.places import HELD, schools_of_staff
from tp_inbox.storage.queries.scope import inbox_ref, overseen_threads, readable_inboxes
from tp_inbox.storage.queries.words import asked, named
from tp_inbox.storage.tables import FamilyPhone, Inbox, Role, School, SchoolGroup, Staff, Thread

MOST_OF_A_KIND = 6
MANY_PLACES = 3
"""More schools than these are not named one by one."""
OF_A_THREAD = re.compile(r"(?:.*/(?:messages/(?:personal|school)|oversight)/)?(\d{1,15})/?")
"""A thread's address, copied from a browser, or its number alone."""
ELSEWHERE = "a school that you do not manage"
DEACTIVATED = (
    "This account is deactivated, so nothing is open to them. Their roles stay on file, and count again when the"
    " account is reactivated."
)


class Kind(StrEnum):
    """What can be asked about: a person's own inbox, a school's inbox, or one conversation."""

    PERSON = "person"
    SCHOOL = "school"
    THREAD = "thread"


class Way(StrEnum):
    READ = "read"
    WRITE = "write"
    OVERSEE = "oversee"


QUESTIONS = {
    Way.READ: "Read as their own work",
    Way.WRITE: "Write from here",
    Way.OVERSEE: "Read in Oversight",
}


@dataclass(frozen=True, slots=True)
class Askable:
    """Something that can be asked about. ``id``: of the person, the school, or the thread."""

    kind: str
    id: int
    name: str
    about: str
    initials: str
    hue: int


@dataclass(frozen=True, slots=True)
class Because:
    """An assignment that alone allows it. ``role_id`` is 0 where the asker does not manage it."""

    role: str
    role_id: int
    where: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A role that would allow it, and where it would have to be held."""

    role: str
    role_id: int
    custom: bool
    where: str


@dataclass(frozen=True, slots=True)
class Answer:
    """``missing``: the permission that is lacking; empty when it is allowed, or when none would change it."""

    way: str
    question: str
    allowed: bool
    sentence: str
    permission: str = ""
    because: list[Because] = field(default_factory=list)
    missing: str = ""
    offers: list[Offer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explanation:
    """``note``: what goes before all answers; empty when there is nothing to say."""

    about: str
    note: str
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about, as access sees it.

    ``families``: the schools of the family, for one conversation; for a whole inbox those of every family there is.
    """

    inbox: InboxRef
    name: str
    owner: str
    owner_schools: frozenset[int]
    families: tuple[frozenset[int], ...]
    is_thread: bool = False


class Explaining:
    def __init__(self, db: Database, oversight: Oversight) -> None:
        self._db = db
        self._oversight = oversight

    async def find(self, actor: Actor, staff_id: int, words: str) -> list[Askable]:
        """What can be asked about this person: inboxes of people and schools that the actor manages, and, by the
        name of a family or an address, conversations that the actor may read or oversee.
        """
        words = asked(words)
        reach = access.schools_of_seen_staff(actor)
        async with self._db.reading() as session:
            await require_seen(session, actor, staff_id)
            found = await _people(session, reach, staff_id, words) + await _schools(session, reach, words)
            if numbered := OF_A_THREAD.fullmatch(words):
                found += await _thread(session, actor, int(numbered[1]))
        return found + await self._families(actor, words)

    async def why(self, actor: Actor, staff_id: int, kind: Kind, about_id: int) -> Explanation:
        """Raises NotFound for a person, an inbox or a conversation that is not the actor's to ask about."""
        async with self._db.reading() as session:
            await require_seen(session, actor, staff_id)
            person = (await actors.actors_of(session, [staff_id])).get(staff_id)
            if person is None:
                raise NotFound
            subject = await _SUBJECTS[kind](session, actor, about_id)
            reach = access.schools_of_seen_staff(actor)
            case = _Case(
                person,
                subject,
                await _holdings(session, staff_id, reach),
                list(await session.scalars(_roles_in_order())),
                await _school_names(session, reach),
            )
        answers = [case.answer(way) for way in Way]
        return Explanation(subject.name, "" if person.active else DEACTIVATED, answers)

    async def _families(self, actor: Actor, words: str) -> list[Askable]:
        if not words or not access.oversees(actor):
            return []
        rows, _ = await self._oversight.threads(actor, Question(family=words))
        return [
            Askable(Kind.THREAD.value, r.id, r.title, f"Conversation in {_inbox_of(r.whose)}", r.initials, r.hue)
            for r in rows[:MOST_OF_A_KIND]
        ]


def allowed(way: Way, person: Actor, subject: Subject) -> bool:
    """Asks ``access``, and nothing else."""
    match way:
        case Way.READ:
            return access.may_read(person, subject.inbox)
        case Way.WRITE:
            return any(access.may_send(person, subject.inbox, family) for family in subject.families)
        case Way.OVERSEE:
            return any(access.may_oversee(person, overseen) for overseen in _as_overseen(subject))


def _as_overseen(subject: Subject) -> Iterable[Overseen]:
    return (Overseen(subject.inbox, subject.owner_schools, family) for family in subject.families)


# What can be asked about -------------------------------------------------------------------------------------


async def _people(session: AsyncSession, reach: frozenset[int] | None, staff_id: int, words: str) -> list[Askable]:
    """Without words only the person themselves."""
    query = select(col(Staff.id), col(Staff.name)).order_by(func.plain(col(Staff.name)), col(Staff.id))
    query = query.where(named(col(Staff.found_by), words) if words else col(Staff.id) == staff_id)
    if reach is not None:
        query = query.where(col(Staff.id).in_(select(HELD.c.staff_id).where(HELD.c.school_id.in_(reach))))
    return [
        Askable(Kind.PERSON.value, i, _inbox_of(name), "Personal messages", people.initials(name), people.hue_of(i))
        for i, name in await session.execute(query.limit(MOST_OF_A_KIND))
    ]


async def _schools(session: AsyncSession, reach: frozenset[int] | None, words: str) -> list[Askable]:
    query = select(col(School.id), col(School.name)).order_by(func.plain(col(School.name)), col(School.id))
    if words:
        query = query.where(named(func.plain(col(School.name)), words))
    if reach is not None:
        query = query.where(col(School.id).in_(reach))
    return [
        Askable(Kind.SCHOOL.value, i, _inbox_of(name), "School messages", people.initials(name), people.hue_of(i))
        for i, name in await session.execute(query.limit(MOST_OF_A_KIND))
    ]


async def _thread(session: AsyncSession, actor: Actor, thread_id: int) -> list[Askable]:
    """One, or none when it is not the actor's to ask about."""
    try:
        subject = await _thread_subject(session, actor, thread_id)
    except NotFound:
        return []
    family = subject.name.partition(" in ")[0]
    about = f"Conversation in {_inbox_of(subject.owner)}"
    return [Askable(Kind.THREAD.value, thread_id, family, about, people.initials(family), people.hue_of(thread_id))]


async def _person_subject(session: AsyncSession, actor: Actor, owner_id: int) -> Subject:
    await require_seen(session, actor, owner_id)
    name = await session.scalar(select(col(Staff.name)).where(col(Staff.id) == owner_id))
    if name is None:
        raise NotFound
    works = (await schools_of_staff(session, [owner_id])).get(owner_id, frozenset())
    inbox = InboxRef(0, InboxKind.PERSONAL, owner_id, None)
    return Subject(inbox, _inbox_of(name), name, works, await _every_family(session))


async def _school_subject(session: AsyncSession, actor: Actor, school_id: int) -> Subject:
    reach = access.schools_of_seen_staff(actor)
    name = await session.scalar(select(col(School.name)).where(col(School.id) == school_id))
    if name is None or (reach is not None and school_id not in reach):
        raise NotFound
    inbox = InboxRef(0, InboxKind.SCHOOL, None, school_id)
    return Subject(inbox, _inbox_of(name), name, frozenset(), await _every_family(session))


async def _thread_subject(session: AsyncSession, actor: Actor, thread_id: int) -> Subject:
    """Only of conversations that the asker may read or oversee: the family is named here."""
    query = (
        select(Thread, Inbox, col(FamilyPhone.e164), func.coalesce(col(Staff.name), col(School.name)).label("owner"))
        .join(Inbox, col(Inbox.id) == col(Thread.inbox_id))
        .join(FamilyPhone, col(FamilyPhone.id) == col(Thread.phone_id))
        .outerjoin(Staff, col(Staff.id) == col(Inbox.staff_id))
        .outerjoin(School, col(School.id) == col(Inbox.school_id))
        .where(col(Thread.id) == thread_id, or_(readable_inboxes(actor), overseen_threads(actor)))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    reached = (await people_at(session, [row.Thread.phone_id])).get(row.Thread.phone_id, [])
    owner_id = row.Inbox.staff_id
    works = (await schools_of_staff(session, [owner_id])).get(owner_id, frozenset()) if owner_id else frozenset()
    family = await schools_of(session, row.Thread.phone_id)
    name = f"{people.title_of(reached, row.e164)} in {_inbox_of(row.owner)}"
    return Subject(inbox_ref(row.Inbox), name, row.owner, works, (family,), is_thread=True)


_SUBJECTS = {Kind.PERSON: _person_subject, Kind.SCHOOL: _school_subject, Kind.THREAD: _thread_subject}


async def _every_family(session: AsyncSession) -> tuple[frozenset[int], ...]:
    schools = await session.scalars(select(col(School.id)))
    return tuple(frozenset({school_id}) for school_id in schools) or (frozenset(),)


def _inbox_of(owner: str) -> str:
    return f"{owner}’s inbox"


# Answers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Holding:
    """An assignment, with what it grants at each of its places."""

    because: Because
    grants: list[Grant]


@dataclass(frozen=True, slots=True)
class _Case:
    """A person and what is asked about them. ``schools``: names by id, of those that the asker manages."""

    person: Actor
    subject: Subject
    holdings: Sequence[_Holding]
    roles: Sequence[Role]
    schools: dict[int, str]

    def answer(self, way: Way) -> Answer:
        may = allowed(way, self.person, self.subject)
        said = Answer(way.value, QUESTIONS[way], may, _sentence(way, self, may=may))
        if may:
            because = [h.because for h in self.holdings if self._alone(way, h.grants)]
            return replace(said, permission=label(_needed(way, self.subject)), because=because)
        if not self.person.active or self.is_out_of_question(way):
            return said
        return replace(said, missing=label(_needed(way, self.subject)), offers=self._offers(way))

    def is_out_of_question(self, way: Way) -> bool:
        """Whether no permission would change it: other people's own inboxes, oversight of oneself, a family that
        has left the school, and a number that nobody knows.
        """
        if way is Way.OVERSEE:
            return self.is_own
        return self.is_anothers or (way is Way.WRITE and (self.has_left or (self.is_own and self.is_unknown)))

    @property
    def is_own(self) -> bool:
        return self.subject.inbox.staff_id == self.person.staff_id

    @property
    def is_anothers(self) -> bool:
        return self.subject.inbox.kind is InboxKind.PERSONAL and not self.is_own

    @property
    def has_left(self) -> bool:
        """The family has students, and none of them at the school whose inbox this is."""
        school, family = self.subject.inbox.school_id, frozenset().union(*self.subject.families)
        return bool(school and family and school not in family)

    @property
    def is_unknown(self) -> bool:
        return not any(self.subject.families)

    def _alone(self, way: Way, grants: Iterable[Grant], subject: Subject | None = None) -> bool:
        return allowed(way, actor_from(self.person.staff_id, "", True, grants), subject or self.subject)

    def _offers(self, way: Way) -> list[Offer]:
        found = [(role, self._places(way, role)) for role in self.roles]
        return [Offer(role.name, role.id, role.base_key is None, where) for role, where in found if where]

    def _places(self, way: Way, role: Role) -> str:
        """Where this role would have to be held, in words; empty when it would not help anywhere."""
        permissions = frozenset(map(Permission, role.permissions))
        if role.level is Level.DISTRICT:
            return "the district" if self._alone(way, [Grant(permissions, role.level, None)]) else ""
        helping = [i for i in self.schools if self._alone(way, [Grant(permissions, role.level, i)], self._at(i))]
        return _in_words([self.schools[i] for i in helping])

    def _at(self, school_id: int) -> Subject:
        """Of a whole inbox the families of one school: what is held there says nothing about others."""
        if self.subject.is_thread:
            return self.subject
        return replace(self.subject, families=(frozenset({school_id}),))


def _needed(way: Way, subject: Subject) -> Permission:
    if way is Way.OVERSEE:
        return P.VIEW_ALL_MESSAGES
    if subject.inbox.kind is InboxKind.PERSONAL:
        return P.PERSONAL_MESSAGES
    return P.VIEW_SCHOOL_INBOX if way is Way.READ else P.MESSAGE_ON_BEHALF


def _sentence(way: Way, case: _Case, *, may: bool) -> str:
    if not case.person.active:
        return "No. The account is deactivated."
    return _SENTENCES[way](case) if not may else _yes(way, case)


def _yes(way: Way, case: _Case) -> str:
    name, subject = case.person.name, case.subject
    if way is Way.WRITE:
        return f"Yes. {name} may write to {'this family' if subject.is_thread else 'families'} from here."
    if way is Way.READ:
        return "Yes. It is their own inbox." if case.is_own else f"Yes. {name} sees everything in this school’s inbox."
    if case.is_anothers:
        return f"Yes, after giving a reason, which {subject.owner} is shown. Each reading is logged."
    return "Yes. Each reading is logged."


def _no_reading(case: _Case) -> str:
    if case.is_anothers:
        return f"No. {case.subject.owner} alone reads this inbox at work, whatever roles others hold."
    if case.is_own:
        return f"No. {case.person.name} may not have personal messages at any school."
    return f"No. {case.person.name} does not see this school’s inbox."


def _no_writing(case: _Case) -> str:
    if case.is_anothers:
        return "No. Nobody writes from another person’s inbox."
    if case.has_left:
        return "No. This family has no student at this school any more, so nobody writes to it from here."
    if case.is_own and case.is_unknown:
        return "No. Nobody knows this number, so it is answered from a school’s inbox."
    if case.is_own and access.has_personal_inbox(case.person):
        return f"No. This family has no student at a school where {case.person.name} may write."
    return f"No. {case.person.name} may not write from here."


def _no_oversight(case: _Case) -> str:
    if case.is_own:
        return "No. Nobody oversees their own conversations."
    return f"No. {case.person.name} may not look in here."


_SENTENCES = {Way.READ: _no_reading, Way.WRITE: _no_writing, Way.OVERSEE: _no_oversight}


async def _holdings(session: AsyncSession, staff_id: int, reach: frozenset[int] | None) -> list[_Holding]:
    """Each assignment of the person; of those that the asker does not manage only that there is one."""
    query = (
        select(
            HELD.c.assignment_id,
            HELD.c.school_id,
            Role,
            func.coalesce(col(SchoolGroup.name), col(School.name), "the district").label("place"),
        )
        .join(Role, col(Role.id) == HELD.c.role_id)
        .outerjoin(School, col(School.id) == HELD.c.school_id)
        .outerjoin(SchoolGroup, col(SchoolGroup.id) == HELD.c.group_id)
        .where(HELD.c.staff_id == staff_id)
        .order_by(col(Role.level), col(Role.name), HELD.c.assignment_id)
    )
    lines: dict[int, list] = {}
    for row in await session.execute(query):
        lines.setdefault(row.assignment_id, []).append(row)
    return [_holding(rows, reach) for rows in lines.values()]


def _holding(rows: Sequence, reach: frozenset[int] | None) -> _Holding:
    """``rows``: of one assignment, a line for each school."""
    role: Role = rows[0].Role
    known = reach is None or any(row.school_id in reach for row in rows)
    because = Because(role.name, role.id, rows[0].place) if known else Because("A role", 0, ELSEWHERE)
    permissions = frozenset(map(Permission, role.permissions))
    return _Holding(because, [Grant(permissions, role.level, row.school_id) for row in rows])


def _roles_in_order() -> Select[Role]:
    return select(Role).order_by(col(Role.base_key).is_(None), col(Role.level), col(Role.id))


async def _school_names(session: AsyncSession, reach: Collection[int] | None) -> dict[int, str]:
    query = select(col(School.id), col(School.name)).order_by(func.plain(col(School.name)))
    if reach is not None:
        query = query.where(col(School.id).in_(reach))
    return {row.id: row.name for row in await session.execute(query)}


def _in_words(places: Sequence[str]) -> str:
    if len(places) > MANY_PLACES:
        return f"any of {len(places)} schools"
    return " or ".join(places)
