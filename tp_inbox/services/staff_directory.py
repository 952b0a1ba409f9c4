"""The people who work in the district, as those who manage them see them: the list, one of them, and a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Row,
    Select,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, audit, people
from tp_inbox.services.csv_files import write_table
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.places import HELD, schools_of_staff
from tp_inbox.storage.queries.words import asked as as_asked, named
from tp_inbox.storage.tables import (
    AccountLink,
    Assignment,
    ExternalIdentity,
    GroupSchool,
    Inbox,
    Number,
    Pair,
    Role,
    School,
    SchoolGroup,
    SecondStep,
    Session,
    Staff,
    Thread,
)
from tp_inbox.storage.tables.messages import NumberState
from tp_inbox.storage.tables.staff import LinkPurpose, SessionStage

PEOPLE_A_PAGE = 50
SHOWN_AT_ONCE = 2
"""Roles and places of a line; the others are counted."""
LONGEST_NAME = 120
LONGEST_TITLE = 80
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
THE_DISTRICT = "The district"
NO_SUCH_CHOICE = "There is no such choice. Please reload the page."
W = TypeVar("W", bound=StrEnum)


class StaffState(StrEnum):
    ACTIVE = "active"
    INVITED = "invited"
    EXPIRED = "expired"
    WAITING = "waiting"
    DEACTIVATED = "deactivated"


STATE_LABELS = {
    StaffState.ACTIVE: "Active",
    StaffState.INVITED: "Invited",
    StaffState.EXPIRED: "Invitation expired",
    StaffState.WAITING: "Not invited yet",
    StaffState.DEACTIVATED: "Deactivated",
}
NUMBER_STATES = {
    NumberState.WANTED: "Being bought",
    NumberState.BUYING: "Being bought",
    NumberState.ACTIVE: "In use",
    NumberState.STOPPED: "Stopped",
    NumberState.QUARANTINED: "Kept, after the person has left",
    NumberState.GONE: "Lost at the phone company",
    NumberState.RELEASING: "Being given back",
}


SHARED = "Shared number"
SHARED_STATE = "Texts families from numbers that several people use"


class SortBy(StrEnum):
    NAME = "name"
    SEEN = "seen"
    ADDED = "added"


class OnOff(StrEnum):
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list is narrowed to and sorted by. Ids are 0 and words empty where nothing is asked.

    ``state``: a StaffState. ``two_step``: an OnOff. ``sort``: a SortBy, by name when empty.
    """

    words: str = ""
    school: int = 0
    group: int = 0
    role: int = 0
    state: str = ""
    two_step: str = ""
    sort: str = ""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """Where a page ends: the last line's value of the column that is sorted by, and its id."""

    value: Any
    id: int


@dataclass(frozen=True, slots=True)
class StaffRow:
    """A line of the list. Roles and places are those that the reader manages; times are ISO, empty for never."""

    id: int
    name: str
    title: str
    email: str
    initials: str
    hue: int
    state: str
    state_label: str
    two_step: bool
    number: str
    seen: str
    roles: list[str] = field(default_factory=list)
    more_roles: int = 0
    places: list[str] = field(default_factory=list)
    more_places: int = 0
    held: str = ""
    """Every role with its place, in words."""


@dataclass(frozen=True, slots=True)
class StaffPage:
    """``next``: where the following page begins; None on the last one."""

    rows: list[StaffRow]
    total: int
    next: Key | None


@dataclass(frozen=True, slots=True)
class Choice:
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Choices:
    """By what the list can be narrowed."""

    schools: list[Choice]
    groups: list[Choice]
    roles: list[Choice]


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A member of staff. ``refusal``: why the reader manages this account in no way; empty when they do."""

    id: int
    name: str
    title: str
    email: str
    initials: str
    hue: int
    state: str
    state_label: str
    added: str
    seen: str
    two_step: bool
    has_personal: bool
    number: str
    number_state: str
    number_problem: str
    signature: str
    is_self: bool
    refusal: str


class StaffDirectory:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def page(self, actor: Actor, asked: Asked, after: Key | None = None) -> StaffPage:
        """A page of the people whom the actor manages. ``after``: the key that the page before ended with."""
        access.require(access.manages_staff(actor), access.STAFF_ONLY)
        reach = access.schools_of_seen_staff(actor)
        narrowed = _narrowed(asked, reach)
        async with self._db.reading() as session:
            total = await session.scalar(select(func.count()).select_from(Staff).where(*narrowed)) or 0
            found = (await session.execute(_list(asked, narrowed, after).limit(PEOPLE_A_PAGE + 1))).all()
            rows = await _rows(session, found[:PEOPLE_A_PAGE], reach)
        last = found[PEOPLE_A_PAGE - 1] if len(found) > PEOPLE_A_PAGE else None
        return StaffPage(rows, total, Key(last.sorted_by, last.id) if last else None)

    async def choices(self, actor: Actor) -> Choices:
        access.require(access.manages_staff(actor), access.STAFF_ONLY)
        reach = access.schools_of_seen_staff(actor)
        schools = select(col(School.id), col(School.name)).where(_among(col(School.id), reach))
        groups = select(col(SchoolGroup.id), col(SchoolGroup.name)).where(_group_reached(col(SchoolGroup.id), reach))
        held = exists(select(1).where(col(Assignment.role_id) == col(Role.id), _held_within(reach)))
        roles = select(col(Role.id), col(Role.name)).where(held)
        async with self._db.reading() as session:
            return Choices(
                [Choice(*row) for row in await session.execute(schools.order_by(func.plain(col(School.name))))],
                [Choice(*row) for row in await session.execute(groups.order_by(func.plain(col(SchoolGroup.name))))],
                [Choice(*row) for row in await session.execute(roles.order_by(func.plain(col(Role.name))))],
            )

    async def as_file(self, actor: Actor, asked: Asked) -> str:
        """The whole list as a CSV: of the people whom the actor manages where they may export."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            access.require(access.exports_staff(actor), access.STAFF_EXPORT_ONLY)
            reach = access.schools_of_exported_staff(actor)
            found = (await session.execute(_list(asked, _narrowed(asked, reach)))).all()
            rows = await _rows(session, found, reach)
            facts = {"what": "staff", "people": len(rows)}
            await audit.record(session, AuditKind.EXPORTED, actor, schools=reach or (), facts=facts)
        return write_table(HEADS, [_line(row) for row in rows])

    async def person(self, actor: Actor, staff_id: int) -> StaffMember:
        """Raises NotFound for a person whom the actor does not see in the list."""
        async with self._db.reading() as session:
            await require_seen(session, actor, staff_id)
            found = (await session.execute(_list(Asked(), [col(Staff.id) == staff_id]))).one_or_none()
            if found is None:
                raise NotFound
            person = (await actors.actors_of(session, [staff_id]))[staff_id]
            number = await session.scalar(
                select(Number).where(col(Number.staff_id) == staff_id, col(Number.state) != NumberState.RELEASED)
            )
            signature = await session.scalar(select(col(Staff.signature)).where(col(Staff.id) == staff_id))
        return _member(actor, person, found, number, signature or "")

    async def rename(self, actor: Actor, staff_id: int, name: str, title: str) -> None:
        """Changes how a person is called, and what families read as their title."""
        name, title = _clean(name), _clean(title)
        _require_name(name, title)
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            await require_managed(session, actor, staff_id)
            person = await session.get_one(Staff, staff_id, with_for_update=True)
            names = _changes(person, name, title)
            if not names:
                return
            person.name, person.title = name, title
            changed = sorted({key.partition("_")[0] for key in names})
            await audit.record(
                session, AuditKind.PERSON_CHANGED, actor, subject=staff_id, facts={"changed": changed}, names=names
            )


HEADS = ("Name", "E-mail", "Title", "State", "Roles", "Number", "Two-step sign-in", "Last seen (UTC)")


async def require_seen(session: AsyncSession, actor: Actor, staff_id: int) -> None:
    """Raises NotAllowed for those who manage nobody, and NotFound for a person who is not in the actor's list."""
    access.require(access.manages_staff(actor), access.STAFF_ONLY)
    schools = (await schools_of_staff(session, [staff_id])).get(staff_id, frozenset())
    if not access.may_see_person(actor, schools):
        raise NotFound


async def require_managed(session: AsyncSession, actor: Actor, staff_id: int) -> Actor:
    """The person, when the actor may manage their account. Raises NotFound when they are not even seen."""
    await require_seen(session, actor, staff_id)
    person = (await actors.actors_of(session, [staff_id])).get(staff_id)
    if person is None:
        raise NotFound
    if refusal := access.refusal_to_manage_account(actor, person):
        raise refusal
    return person


# The list as SQL --------------------------------------------------------------------------------------------

_links = select(1).where(col(AccountLink.staff_id) == col(Staff.id), col(AccountLink.purpose) == LinkPurpose.INVITATION)
_proves_otherwise = select(1).where(col(ExternalIdentity.staff_id) == col(Staff.id))
STATE = case(
    (~col(Staff.active), StaffState.DEACTIVATED.value),
    (or_(col(Staff.password_hash).is_not(None), exists(_proves_otherwise)), StaffState.ACTIVE.value),
    (
        exists(
            _links.where(
                col(AccountLink.used_at).is_(None),
                col(AccountLink.ended_at).is_(None),
                col(AccountLink.expires_at) > func.now(),
            )
        ),
        StaffState.INVITED.value,
    ),
    (exists(_links), StaffState.EXPIRED.value),
    else_=StaffState.WAITING.value,
)
TWO_STEP = exists(select(1).where(col(SecondStep.staff_id) == col(Staff.id), col(SecondStep.confirmed_at).is_not(None)))
SEEN = (
    select(func.max(col(Session.used_at)))
    .where(col(Session.staff_id) == col(Staff.id), col(Session.stage) == SessionStage.COMPLETE)
    .correlate(Staff)
    .scalar_subquery()
)
_pairs = select(1).join_from(Pair, Thread, col(Thread.id) == col(Pair.thread_id))
_pairs = _pairs.join(Inbox, col(Inbox.id) == col(Thread.inbox_id)).where(col(Inbox.staff_id) == col(Staff.id))
NUMBER = case(
    (col(Number.sid).is_not(None), col(Number.e164)),
    (exists(_pairs), SHARED),
    else_="",
)
"""A number of their own, or that they share some."""
SORTS: dict[SortBy, Any] = {
    SortBy.NAME: func.plain(col(Staff.name)),
    SortBy.SEEN: func.coalesce(SEEN, literal(NEVER)),
    SortBy.ADDED: col(Staff.created_at),
}


def _narrowed(asked: Asked, reach: frozenset[int] | None) -> list[ColumnElement[bool]]:
    """``reach``: the schools whose people are listed; None for everybody."""
    theirs = col(Assignment.staff_id) == col(Staff.id)
    wanted: list[ColumnElement[bool]] = []
    if reach is not None:
        wanted.append(col(Staff.id).in_(select(HELD.c.staff_id).where(HELD.c.school_id.in_(reach))))
    if asked.school:
        here = and_(HELD.c.school_id == asked.school, _among(HELD.c.school_id, reach))
        wanted.append(col(Staff.id).in_(select(HELD.c.staff_id).where(here)))
    if asked.group:
        wanted.append(exists(select(1).where(theirs, col(Assignment.group_id) == asked.group, _held_within(reach))))
    if asked.role:
        wanted.append(exists(select(1).where(theirs, col(Assignment.role_id) == asked.role, _held_within(reach))))
    if asked.state:
        wanted.append(STATE == _one_of(StaffState, asked.state).value)  # noqa: SIM300 - an expression of SQL
    if asked.two_step:
        wanted.append(TWO_STEP if _one_of(OnOff, asked.two_step) is OnOff.ON else ~TWO_STEP)
    if words := as_asked(asked.words):
        wanted.append(named(col(Staff.found_by), words))
    return wanted


def _list(asked: Asked, narrowed: Collection[ColumnElement[bool]], after: Key | None = None) -> Select:
    sorted_by = SORTS[_one_of(SortBy, asked.sort or SortBy.NAME)]
    query = (
        select(
            col(Staff.id),
            col(Staff.name),
            col(Staff.title),
            col(Staff.email),
            col(Staff.created_at),
            STATE.label("state"),
            TWO_STEP.label("two_step"),
            SEEN.label("seen"),
            NUMBER.label("number"),
            sorted_by.label("sorted_by"),
        )
        .outerjoin(Number, and_(col(Number.staff_id) == col(Staff.id), col(Number.state) != NumberState.RELEASED))
        .where(*narrowed)
    )
    if after is not None:
        place, edge = tuple_(sorted_by, col(Staff.id)), tuple_(literal(after.value), literal(after.id))
        query = query.where(place < edge if asked.descending else place > edge)
    keys = (sorted_by, col(Staff.id))
    return query.order_by(*(key.desc() if asked.descending else key for key in keys))


def _among(school_id: Any, reach: frozenset[int] | None) -> ColumnElement[bool]:
    return literal(True) if reach is None else school_id.in_(reach)


def _group_reached(group_id: Any, reach: frozenset[int] | None) -> ColumnElement[bool]:
    if reach is None:
        return literal(True)
    return group_id.in_(select(col(GroupSchool.group_id)).where(col(GroupSchool.school_id).in_(reach)))


def _held_within(reach: frozenset[int] | None) -> ColumnElement[bool]:
    """Assignments that the reader manages: where else a person works is not told."""
    if reach is None:
        return literal(True)
    return or_(col(Assignment.school_id).in_(reach), _group_reached(col(Assignment.group_id), reach))


def _one_of(words: type[W], said: str) -> W:
    try:
        return words(said)
    except ValueError:
        raise Invalid(NO_SUCH_CHOICE) from None


# Lines --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Held:
    role: str
    place: str


async def _rows(session: AsyncSession, found: Sequence[Row], reach: frozenset[int] | None) -> list[StaffRow]:
    held = await _held_by(session, [row.id for row in found], reach)
    return [_row(row, held[row.id]) for row in found]


async def _held_by(
    session: AsyncSession, staff_ids: Collection[int], reach: frozenset[int] | None
) -> dict[int, list[_Held]]:
    """Roles and places of all these people, in one query."""
    query = (
        select(
            col(Assignment.staff_id),
            col(Role.name),
            func.coalesce(col(School.name), col(SchoolGroup.name), THE_DISTRICT),
        )
        .join(Role, col(Role.id) == col(Assignment.role_id))
        .outerjoin(School, col(School.id) == col(Assignment.school_id))
        .outerjoin(SchoolGroup, col(SchoolGroup.id) == col(Assignment.group_id))
        .where(
            col(Assignment.staff_id) == any_(bindparam("people", list(staff_ids), ARRAY(BigInteger))),
            _held_within(reach),
        )
        .order_by(col(Role.level), col(Role.name), col(School.name), col(Assignment.id))
    )
    held: dict[int, list[_Held]] = defaultdict(list)
    for staff_id, role, place in await session.execute(query):
        held[staff_id].append(_Held(role, place))
    return held


def _row(found: Row, held: Sequence[_Held]) -> StaffRow:
    roles = list(dict.fromkeys(h.role for h in held))
    places = list(dict.fromkeys(h.place for h in held))
    return StaffRow(
        **_who(found),
        number=display_phone(found.number),
        roles=roles[:SHOWN_AT_ONCE],
        more_roles=max(0, len(roles) - SHOWN_AT_ONCE),
        places=places[:SHOWN_AT_ONCE],
        more_places=max(0, len(places) - SHOWN_AT_ONCE),
        held="; ".join(f"{h.role}: {h.place}" for h in held),
    )


def _who(found: Row) -> dict[str, Any]:
    """What a line and a person's page have in common."""
    state = StaffState(found.state)
    return {
        "id": found.id,
        "name": found.name,
        "title": found.title,
        "email": found.email,
        "initials": people.initials(found.name),
        "hue": people.hue_of(found.id),
        "state": state.value,
        "state_label": STATE_LABELS[state],
        "two_step": found.two_step,
        "seen": found.seen.isoformat() if found.seen else "",
    }


def _line(row: StaffRow) -> tuple[str, ...]:
    seen = datetime.fromisoformat(row.seen).strftime("%Y-%m-%d %H:%M") if row.seen else ""
    two_step = "on" if row.two_step else "off"
    return (row.name, row.email, row.title, row.state_label, row.held, row.number, two_step, seen)


# A person ------------------------------------------------------------------------------------------------------


def _member(actor: Actor, person: Actor, found: Row, number: Number | None, signature: str) -> StaffMember:
    refusal = access.refusal_to_manage_account(actor, person)
    return StaffMember(
        **_who(found),
        added=found.created_at.isoformat(),
        has_personal=access.has_personal_inbox(person),
        number=display_phone(found.number),
        number_state=SHARED_STATE if found.number == SHARED else _number_state(number),
        number_problem=number.problem if number else "",
        signature=signature,
        is_self=person.staff_id == actor.staff_id,
        refusal=refusal.sentence if refusal else "",
    )


def _number_state(number: Number | None) -> str:
    if number is None:
        return "None yet; one is bought with the first text"
    if number.state is NumberState.QUARANTINED and number.quarantined_until:
        return f"Kept until {number.quarantined_until:%B %-d, %Y}"
    return NUMBER_STATES[number.state]


def _clean(words: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def _require_name(name: str, title: str) -> None:
    if not name:
        raise Invalid("Please write a name.")
    if len(name) > LONGEST_NAME or len(title) > LONGEST_TITLE:
        raise Invalid(f"A name has at most {LONGEST_NAME} letters, a title {LONGEST_TITLE}.")


def _changes(person: Staff, name: str, title: str) -> dict[str, str]:
    """What differs, as it was and as it will be."""
    pairs = {"name": (person.name, name), "title": (person.title, title)}
    return {
        f"{what}_{when}": said
        for what, (old, new) in pairs.items()
        if old != new
        for when, said in (("before", old), ("after", new))
    }
