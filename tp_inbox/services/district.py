"""The district at a glance, for those who manage it: schools, staff, and who holds which role where."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import people
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Assignment, District, Number, Role, School, Staff, Student
from tp_inbox.storage.tables.messages import NumberState


@dataclass(frozen=True)
class SchoolView:
    id: int
    name: str
    number: str
    students: int
    staff: int


@dataclass(frozen=True)
class HeldRole:
    role: str
    where: str


@dataclass(frozen=True)
class StaffView:
    id: int
    name: str
    email: str
    title: str
    initials: str
    hue: int
    active: bool
    number: str
    roles: list[HeldRole] = field(default_factory=list)


@dataclass(frozen=True)
class DistrictView:
    name: str
    schools: list[SchoolView]
    staff: list[StaffView]


class DistrictOverview:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def overview(self, actor: Actor) -> DistrictView:
        access.require_district_overview(actor)
        async with self._db.reading() as session:
            name = await session.scalar(select(col(District.name))) or ""
            numbers = await _numbers(session)
            held = await _held_roles(session)
            schools = await _schools(session, numbers)
            people = (await session.scalars(select(Staff).order_by(col(Staff.name)))).all()
        return DistrictView(
            name=name,
            schools=schools,
            staff=[_staff_view(p, numbers.get((p.id, None), ""), held.get(p.id, [])) for p in people],
        )


async def _numbers(session: AsyncSession) -> dict[tuple[int | None, int | None], str]:
    """As shown, by staff id and school id of the owner."""
    return {(n.staff_id, n.school_id): _shown(n) for n in await session.scalars(select(Number))}


async def _held_roles(session: AsyncSession) -> dict[int, list[HeldRole]]:
    """By staff id."""
    query = (
        select(col(Assignment.staff_id), col(Role.name), col(School.name))
        .join(Role, col(Role.id) == col(Assignment.role_id))
        .outerjoin(School, col(School.id) == col(Assignment.school_id))
        .order_by(col(Role.name), col(School.name))
    )
    held: dict[int, list[HeldRole]] = {}
    for staff_id, role, school in await session.execute(query):
        held.setdefault(staff_id, []).append(HeldRole(role, school or "The district"))
    return held


async def _schools(session: AsyncSession, numbers: dict[tuple[int | None, int | None], str]) -> list[SchoolView]:
    students = select(func.count()).where(col(Student.school_id) == col(School.id)).scalar_subquery()
    people = select(func.count(col(Assignment.staff_id).distinct())).where(col(Assignment.school_id) == col(School.id))
    rows = await session.execute(select(School, students, people.scalar_subquery()).order_by(col(School.name)))
    return [SchoolView(s.id, s.name, numbers.get((None, s.id), ""), pupils, staff) for s, pupils, staff in rows]


def _staff_view(person: Staff, number: str, roles: list[HeldRole]) -> StaffView:
    return StaffView(
        id=person.id,
        name=person.name,
        email=person.email,
        title=person.title,
        initials=people.initials(person.name),
        hue=people.hue_of(person.id),
        active=person.active,
        number=number,
        roles=roles,
    )


def _shown(number: Number) -> str:
    if number.state is NumberState.ACTIVE:
        return display_phone(number.e164 or "")
    return "stopped" if number.state is NumberState.STOPPED else "being bought"
