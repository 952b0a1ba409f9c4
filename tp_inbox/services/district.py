"""The district at a glance, for those who manage it: schools, staff, and who holds which role where."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select
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
            numbers = (await session.scalars(select(Number).where(col(Number.e164).is_not(None)))).all()
            schools = (await session.scalars(select(School).order_by(col(School.name)))).all()
            staff = (await session.scalars(select(Staff).order_by(col(Staff.name)))).all()
            students = await session.execute(select(col(Student.school_id), func.count()).group_by(col(Student.school_id)))
            pupils = {school_id: count for school_id, count in students.all()}
            held = (
                await session.execute(
                    select(col(Assignment.staff_id), col(Assignment.school_id), col(Role.name))
                    .join(Role, col(Role.id) == col(Assignment.role_id))
                    .order_by(col(Role.name))
                )
            ).all()
        of_school = {n.school_id: _shown(n) for n in numbers if n.school_id}
        of_staff = {n.staff_id: _shown(n) for n in numbers if n.staff_id}
        names = {s.id: s.name for s in schools}
        return DistrictView(
            name=name,
            schools=[
                SchoolView(
                    s.id,
                    s.name,
                    of_school.get(s.id, ""),
                    pupils.get(s.id, 0),
                    len({staff_id for staff_id, school_id, _ in held if school_id == s.id}),
                )
                for s in schools
            ],
            staff=[_staff_view(p, of_staff.get(p.id, ""), _roles_of(p.id, held, names)) for p in staff],
        )


def _roles_of(staff_id: int, held, schools: dict[int, str]) -> list[HeldRole]:
    return [HeldRole(role, schools.get(school_id, "The district")) for owner, school_id, role in held if owner == staff_id]


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
    return display_phone(number.e164 or "") if number.state is NumberState.ACTIVE else "being bought"
