"""What the pages about roles show: lines, one role, its holders, and somebody made up who holds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, Select, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, permissions as words
from tp_inbox.domain.access import Actor, Grant, InboxKind, InboxRef, actor_from
from tp_inbox.domain.permissions import Level, Permission
from tp_inbox.services import people
from tp_inbox.services.finding import named
from tp_inbox.services.role_effects import counted, labels, listed
from tp_inbox.storage.tables import Assignment, GroupSchool, Role, School, SchoolGroup, Staff

MOST_PLACES_NAMED = 2
PERSONAL_SENDER = "Personal number"
LACKED = "You do not have this permission yourself."


@dataclass(frozen=True)
class RoleView:
    """``permissions`` are words, those that others bring too, ``allows`` the same as labels, ``where`` the places at
    which it is held. ``locked``, asked for one role alone: why it cannot be changed, empty when it can.
    """

    id: int = 0
    name: str = ""
    level: str = ""
    base: bool = False
    permissions: list[str] = field(default_factory=list)
    allows: list[str] = field(default_factory=list)
    two_step: bool = False
    holders: int = 0
    where: str = ""
    locked: str = ""


@dataclass(frozen=True)
class PermissionChoice:
    """``refused``: why it cannot be put into a role by this person; empty when it can."""

    word: str
    label: str
    sentence: str
    brings: list[str]
    refused: str = ""


@dataclass(frozen=True)
class PermissionGroup:
    name: str
    permissions: list[PermissionChoice]


@dataclass(frozen=True)
class ComparedPermission:
    """``allowed``: by each role of the comparison, in their order."""

    label: str
    sentence: str
    allowed: list[bool]


@dataclass(frozen=True)
class ComparedGroup:
    name: str
    permissions: list[ComparedPermission]


@dataclass(frozen=True)
class Comparison:
    """The roles of one level side by side."""

    level: str
    roles: list[RoleView]
    groups: list[ComparedGroup]


@dataclass(frozen=True)
class HolderView:
    """One assignment of the role. ``own``: it is held by the person who looks."""

    id: int
    staff_id: int
    name: str
    title: str
    initials: str
    hue: int
    where: str
    since: str
    active: bool
    own: bool


@dataclass(frozen=True)
class Named:
    """Something to choose, by its id."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Holder:
    """Nobody: somebody made up who holds one role at one place. ``senders``: what From would offer them."""

    actor: Actor
    place: str
    senders: tuple[str, ...]


async def views_of(session: AsyncSession, roles: Sequence[Role], locked: str = "") -> list[RoleView]:
    """In their order, each with how many people who work here hold it, and where."""
    counts, places = await _counts(session), await _places(session)
    return [_view(role, counts.get(role.id, 0), _where(places.get(role.id, [])), locked) for role in roles]


async def _counts(session: AsyncSession) -> dict[int, int]:
    """By role id."""
    query = (
        select(col(Assignment.role_id), func.count(col(Assignment.staff_id).distinct()))
        .join(Staff, col(Staff.id) == col(Assignment.staff_id))
        .where(col(Staff.active))
        .group_by(col(Assignment.role_id))
    )
    return {role: count for role, count in await session.execute(query)}  # noqa: C416 - rows are no pairs to a checker


async def _places(session: AsyncSession) -> dict[int, list[tuple[str | None, str | None]]]:
    """By role id, the names of the schools and of the groups."""
    query = (
        select(col(Assignment.role_id), col(School.name), col(SchoolGroup.name))
        .join(Staff, col(Staff.id) == col(Assignment.staff_id))
        .outerjoin(School, col(School.id) == col(Assignment.school_id))
        .outerjoin(SchoolGroup, col(SchoolGroup.id) == col(Assignment.group_id))
        .where(col(Staff.active))
        .distinct()
        .order_by(col(SchoolGroup.name), col(School.name))
    )
    found: dict[int, list[tuple[str | None, str | None]]] = {}
    for role, school, group in await session.execute(query):
        found.setdefault(role, []).append((school, group))
    return found


def _where(places: Sequence[tuple[str | None, str | None]]) -> str:
    """The places themselves when they are few, else how many."""
    if places == [(None, None)]:
        return "The district"
    groups, schools = [g for _, g in places if g], [s for s, _ in places if s]
    if len(places) <= MOST_PLACES_NAMED:
        return listed([*groups, *schools])
    counts = [counted(len(groups), "group", "groups")] if groups else []
    return " and ".join([*counts, *([counted(len(schools), "school", "schools")] if schools else [])])


def _view(role: Role, holders: int, where: str, locked: str) -> RoleView:
    allowed = allowed_by(role)
    return RoleView(
        role.id,
        role.name,
        role.level,
        role.base_key is not None,
        allowed,
        labels(allowed),
        role.two_step_required,
        holders,
        where,
        locked,
    )


def allowed_by(role: Role) -> list[str]:
    """With what its permissions bring, as a screen shows them."""
    return ordered(words.effective(map(Permission, role.permissions), role.level))


def ordered(permissions: Iterable[str]) -> list[str]:
    """Words as a screen shows them."""
    return [p.value for p in words.in_order(map(Permission, permissions))]


def groups_of(actor: Actor, level: Level) -> list[PermissionGroup]:
    """What a role of this level can allow, in groups."""
    return [PermissionGroup(name, [_choice(actor, p, level) for p in group]) for name, group in _groups(level)]


def compared(roles: Sequence[RoleView], level: Level) -> Comparison:
    columns = [role for role in roles if role.level == level]
    lines = [ComparedGroup(name, [_compared(p, columns, level) for p in group]) for name, group in _groups(level)]
    return Comparison(level, columns, lines)


def _groups(level: Level) -> list[tuple[str, list[Permission]]]:
    groups = [(name, [p for p in group if p in words.PERMISSIONS_OF[level]]) for name, group in words.GROUPS]
    return [(name, group) for name, group in groups if group]


def _compared(permission: Permission, roles: Sequence[RoleView], level: Level) -> ComparedPermission:
    meaning = words.MEANINGS[permission]
    return ComparedPermission(meaning.label, meaning.at(level), [permission in role.permissions for role in roles])


def _choice(actor: Actor, permission: Permission, level: Level) -> PermissionChoice:
    meaning = words.MEANINGS[permission]
    refusal = access.refusal_to_define(actor, [permission], level, holds_it=False)
    brings = ordered(words.BRINGS.get(permission, ()))
    return PermissionChoice(permission.value, meaning.label, meaning.at(level), brings, LACKED if refusal else "")


def holders_query(role_id: int, search: str, after: int) -> Select:
    """Assignments of a role by the names of people, those after the assignment ``after``; all of them for 0."""
    query = (
        select(Assignment, Staff, col(School.name), col(SchoolGroup.name), _size_of_group())
        .join(Staff, col(Staff.id) == col(Assignment.staff_id))
        .outerjoin(School, col(School.id) == col(Assignment.school_id))
        .outerjoin(SchoolGroup, col(SchoolGroup.id) == col(Assignment.group_id))
        .where(col(Assignment.role_id) == role_id)
        .order_by(col(Staff.name), col(Assignment.id))
    )
    if search.strip():
        query = query.where(named(func.plain(col(Staff.name)), search))
    if not after:
        return query
    last = select(col(Staff.name)).join(Assignment, col(Assignment.staff_id) == col(Staff.id))
    name = last.where(col(Assignment.id) == after).scalar_subquery()
    return query.where(tuple_(col(Staff.name), col(Assignment.id)) > tuple_(name, after))


def _size_of_group() -> Any:
    schools = select(func.count()).where(col(GroupSchool.group_id) == col(Assignment.group_id))
    return schools.correlate(Assignment).scalar_subquery()


def holder_view(row: Row, actor: Actor) -> HolderView:
    assignment, person, school, group, size = row
    where = f"{group} ({counted(size, 'school', 'schools')})" if group else school or "The district"
    return HolderView(
        assignment.id,
        person.id,
        person.name,
        person.title,
        people.initials(person.name),
        people.hue_of(person.id),
        where,
        assignment.created_at.isoformat(),
        person.active,
        person.id == actor.staff_id,
    )


def made_up_holder(permissions: frozenset[Permission], level: Level, school: School | None) -> Holder:
    """``school``: None at the district."""
    held = actor_from(0, "", True, [Grant(permissions, level, school.id if school else None)])
    return Holder(held, school.name if school else "the district", _senders(held, school) if school else ())


def _senders(held: Actor, school: School) -> tuple[str, ...]:
    """What From offers for a family of this school."""
    own = InboxRef(0, InboxKind.PERSONAL, held.staff_id, None)
    shared = InboxRef(0, InboxKind.SCHOOL, None, school.id)
    options = access.sender_options(held, [own, shared], frozenset({school.id}))
    return tuple(PERSONAL_SENDER if inbox is own else school.name for inbox in options)
