"""What is known of people, roles and places, and of who holds which role where."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import DISTRICT, Actor, Place, PlaceKind
from tp_inbox.domain.errors import NotFound
from tp_inbox.domain.permissions import BASE_ROLES, Level, P, Permission, effective, in_order, label
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.queries.places import schools_of_staff
from tp_inbox.storage.tables import Assignment, GroupSchool, Role, School, SchoolGroup, Staff

DISTRICT_NAME = "The whole district"
NO_SCHOOLS = "No schools yet"
_BASE_ORDER: dict[str | None, int] = {role.key: place for place, role in enumerate(BASE_ROLES)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One role, for one person, at one place."""

    staff_id: int
    role_id: int
    place: Place


@dataclass(frozen=True, slots=True)
class KnownRole:
    id: int
    name: str
    level: Level
    base_key: str | None
    permissions: frozenset[Permission]

    @property
    def allows(self) -> str:
        return ", ".join(label(p) for p in in_order(effective(self.permissions, self.level)))

    @property
    def brings_an_inbox(self) -> bool:
        return P.PERSONAL_MESSAGES in effective(self.permissions, self.level)


@dataclass(frozen=True, slots=True)
class KnownPerson:
    name: str
    email: str
    active: bool


def key_of(place: Place) -> str:
    return f"{place.kind.value}:{place.id}"


def place_of(key: str) -> Place | None:
    """The place that a form names; None when it names none."""
    kind, _, number = key.partition(":")
    return Place(PlaceKind(kind), int(number)) if kind in set(PlaceKind) and number.isdecimal() else None


async def require_visible(session: AsyncSession, actor: Actor, staff_ids: Collection[int]) -> None:
    """Raises NotFound unless all of them are in the actor's list of staff."""
    if await visible(session, actor, staff_ids) != set(staff_ids):
        raise NotFound


async def visible(session: AsyncSession, actor: Actor, staff_ids: Collection[int]) -> set[int]:
    """Those of them who are in the actor's list of staff."""
    there = set(await session.scalars(select(col(Staff.id)).where(among(col(Staff.id), staff_ids))))
    schools = await schools_of_staff(session, there)
    return {i for i in there if access.may_see_person(actor, schools.get(i, ()))}


async def known_roles(session: AsyncSession) -> dict[int, KnownRole]:
    """Every role by id: base roles as they are listed everywhere, then custom ones by name."""
    found = [known(r) for r in await session.scalars(select(Role).order_by(func.lower(col(Role.name))))]
    return {r.id: r for r in sorted(found, key=lambda r: _BASE_ORDER.get(r.base_key, len(_BASE_ORDER)))}


async def known_places(session: AsyncSession) -> dict[Place, str]:
    """Every place with its name: the district, then schools, then groups."""
    schools = await session.execute(select(col(School.id), col(School.name)).order_by(col(School.name)))
    groups = await session.execute(select(col(SchoolGroup.id), col(SchoolGroup.name)).order_by(col(SchoolGroup.name)))
    return {
        DISTRICT: DISTRICT_NAME,
        **{Place(PlaceKind.SCHOOL, i): name for i, name in schools},
        **{Place(PlaceKind.GROUP, i): name for i, name in groups},
    }


async def known_people(session: AsyncSession, staff_ids: Collection[int]) -> dict[int, KnownPerson]:
    query = select(col(Staff.id), col(Staff.name), col(Staff.email), col(Staff.active))
    rows = await session.execute(query.where(among(col(Staff.id), staff_ids)))
    return {i: KnownPerson(name, email, active) for i, name, email, active in rows}


async def assignments_of(session: AsyncSession, staff_ids: Collection[int]) -> dict[Wanted, int]:
    rows = await session.scalars(select(Assignment).where(among(col(Assignment.staff_id), staff_ids)))
    return {as_wanted(a): a.id for a in rows}


async def schools_of_groups(session: AsyncSession) -> dict[Place, tuple[int, ...]]:
    """The schools of each group, by name."""
    query = select(col(GroupSchool.group_id), col(School.id)).join(School, col(School.id) == col(GroupSchool.school_id))
    found: dict[Place, tuple[int, ...]] = {}
    for group, school in await session.execute(query.order_by(col(School.name))):
        place = Place(PlaceKind.GROUP, group)
        found[place] = (*found.get(place, ()), school)
    return found


def grants(actor: Actor, role: KnownRole, place: Place) -> bool:
    right_level = place.level is role.level
    return right_level and access.refusal_to_grant(actor, role.permissions, role.level, place) is None


def is_seen(actor: Actor, place: Place, members: Mapping[Place, tuple[int, ...]]) -> bool:
    """Whether the actor is told of roles that are held there."""
    return access.may_see_person(actor, [place.id] if place.kind is PlaceKind.SCHOOL else members.get(place, ()))


def as_wanted(held: Assignment) -> Wanted:
    return Wanted(held.staff_id, held.role_id, place_held(held))


def place_held(held: Assignment) -> Place:
    if held.group_id is not None:
        return Place(PlaceKind.GROUP, held.group_id)
    return Place(PlaceKind.SCHOOL, held.school_id) if held.school_id is not None else DISTRICT


def known(role: Role) -> KnownRole:
    return KnownRole(role.id, role.name, role.level, role.base_key, frozenset(map(Permission, role.permissions)))


def schools_in_words(place: Place, places: Mapping[Place, str], members: Mapping[Place, tuple[int, ...]]) -> str:
    """A group's schools in a line; empty for what is no group."""
    if place.kind is not PlaceKind.GROUP:
        return ""
    return ", ".join(places[Place(PlaceKind.SCHOOL, i)] for i in members.get(place, ())) or NO_SCHOOLS
