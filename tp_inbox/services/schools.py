"""The district's schools: their names, time zones and area codes, their numbers, and who reads their inboxes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind, InboxRef
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.permissions import Permission
from tp_inbox.domain.phone import display_phone
from tp_inbox.domain.schools import clean_area_code, clean_name, clean_office_phone, clean_zone, zone_label
from tp_inbox.services import actors, audit, people
from tp_inbox.services.lanes import NOT_STOPPED, let_go_on
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.numbers import number_of_school, owned_by
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.tables import District, GroupSchool, Inbox, Number, School, SchoolGroup, Staff, Student
from tp_inbox.storage.tables.messages import NumberState

TAKEN = "There is a school of this name already."
CHANGED_MEANWHILE = "Somebody else has just changed this school. Look at what is there now, then save again."
NO_DISTRICT = "There is no district yet. Name it first, with: tp-inbox district"
NO_NUMBER = "No number yet"


@dataclass(frozen=True)
class SchoolFields:
    """What an admin decides about a school."""

    name: str = ""
    time_zone: str = ""
    area_code: str = ""
    office_phone: str = ""

    def cleaned(self) -> SchoolFields:
        """With the office's phone, if any, as E.164. Raises Invalid with a sentence about what cannot be used."""
        return SchoolFields(
            clean_name(self.name, "school"),
            clean_zone(self.time_zone),
            clean_area_code(self.area_code),
            clean_office_phone(self.office_phone),
        )


@dataclass(frozen=True)
class NumberView:
    """A number, and in words how it is doing. ``kind``: "ok", "wait" or "bad", and empty without a number."""

    number: str = ""
    said: str = ""
    kind: str = ""
    advice: str = ""


@dataclass(frozen=True)
class SchoolLine:
    """A line of the list of schools."""

    id: int
    name: str
    time_zone: str
    zone: str
    area_code: str
    number: NumberView
    students: int
    staff: int
    groups: list[str]


@dataclass(frozen=True)
class ReaderView:
    """Somebody who may read a school's inbox. ``address``: of the person's page, for those who may open it."""

    id: int
    name: str
    title: str
    initials: str
    hue: int
    writes: bool
    address: str


@dataclass(frozen=True)
class GroupRef:
    id: int
    name: str


@dataclass(frozen=True)
class SchoolView:
    """All about one school."""

    id: int = 0
    fields: SchoolFields = SchoolFields()
    zone: str = ""
    number: NumberView = NumberView()
    students: int = 0
    staff: int = 0
    groups: list[GroupRef] = field(default_factory=list)
    readers: list[ReaderView] = field(default_factory=list)


class Schools:
    def __init__(self, db: Database, limits: Limits) -> None:
        self._db = db
        self._limits = limits

    async def all(self, actor: Actor) -> list[SchoolLine]:
        """Every school by name, in a few queries for any number of them."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            schools = list(await session.scalars(select(School).order_by(func.lower(col(School.name)))))
            ids = [school.id for school in schools]
            numbers, counts = await _numbers_of(session, ids), await _counts(session, ids)
            groups = await _groups_of(session, ids)
        return [_line(s, numbers.get(s.id), counts, [g.name for g in groups.get(s.id, [])]) for s in schools]

    async def school(self, actor: Actor, school_id: int) -> SchoolView:
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            school = await session.get(School, school_id)
            if school is None:
                raise NotFound
            numbers, counts = await _numbers_of(session, [school_id]), await _counts(session, [school_id])
            groups = (await _groups_of(session, [school_id])).get(school_id, [])
            readers = await _readers(session, actor, school_id)
        return _view(school, _number_view(numbers.get(school_id)), counts, groups, readers)

    async def none_yet(self, actor: Actor) -> SchoolView:
        """What a new school begins with: the district's time zone."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        return SchoolView(fields=SchoolFields(time_zone=await self.usual_zone()))

    async def usual_zone(self) -> str:
        """The district's. Raises Invalid while there is no district."""
        async with self._db.reading() as session:
            zone = await session.scalar(select(col(District.time_zone)).limit(1))
        if zone is None:
            raise Invalid(NO_DISTRICT)
        return zone

    async def create(self, actor: Actor | None, wanted: SchoolFields) -> int:
        """Makes a school with its shared inbox; its id. Without an actor, whoever runs the server does it."""
        fields = wanted.cleaned()
        try:
            async with self._db.transaction() as session:
                actor = await _manager_now(session, actor)
                school = School(**asdict(fields))
                session.add(school)
                await session.flush()
                session.add(Inbox(kind=InboxKind.SCHOOL, school_id=school.id))
                await _record(session, AuditKind.SCHOOL_CREATED, actor, school, after=fields)
                return school.id
        except IntegrityError as error:
            raise Invalid(TAKEN) from error

    async def change(self, actor: Actor, school_id: int, wanted: SchoolFields, seen: SchoolFields) -> None:
        """``seen``: what stood on the screen. Raises Invalid when somebody else was quicker."""
        fields = wanted.cleaned()
        try:
            async with self._db.transaction() as session:
                actor = await _require_manager_now(session, actor)
                school = await _locked(session, school_id)
                before = fields_of(school)
                if before not in (seen, fields):
                    raise Invalid(CHANGED_MEANWHILE)
                if before != fields:
                    await _write(session, actor, school, before, fields)
        except IntegrityError as error:
            raise Invalid(TAKEN) from error

    async def want_number(self, actor: Actor, school_id: int) -> None:
        """The school gets a number as soon as one can be bought; when it has one, nothing changes."""
        async with self._db.transaction() as session:
            actor = await _require_manager_now(session, actor)
            school = await _locked(session, school_id)
            inbox = await _inbox_of(session, school_id)
            if await session.scalar(owned_by(inbox)) is None:
                number = await number_of_school(session, inbox, self._limits)
                await _record_number(session, actor, school, number)

    async def mend_number(self, actor: Actor, school_id: int) -> None:
        """What had stopped the number is mended, so it is used, or bought, again."""
        async with self._db.transaction() as session:
            actor = await _require_manager_now(session, actor)
            school = await _locked(session, school_id)
            inbox = await _inbox_of(session, school_id)
            number = await session.scalar(owned_by(inbox).with_for_update())
            if number is None:
                raise Invalid(NOT_STOPPED)
            await let_go_on(session, actor, number)
            await _record_number(session, actor, school, number, before=NumberState.STOPPED)

    async def found_district(self, name: str, time_zone: str) -> bool:
        """Names the district and its time zone, by whoever runs the server; whether it is a new one."""
        name, time_zone = clean_name(name, "district"), clean_zone(time_zone)
        async with self._db.transaction() as session:
            district = await session.scalar(select(District).with_for_update())
            if district is None:
                session.add(District(name=name, time_zone=time_zone))
                return True
            district.name, district.time_zone = name, time_zone
            return False


def fields_of(school: School) -> SchoolFields:
    return SchoolFields(school.name, school.time_zone, school.area_code, school.office_phone)


async def _manager_now(session: AsyncSession, actor: Actor | None) -> Actor | None:
    return await _require_manager_now(session, actor) if actor else None


async def _require_manager_now(session: AsyncSession, actor: Actor) -> Actor:
    actor = await actors.as_of_now(session, actor)
    access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
    return actor


async def _locked(session: AsyncSession, school_id: int) -> School:
    """Two that change one school come one after the other."""
    school = await session.get(School, school_id, with_for_update=True)
    if school is None:
        raise NotFound
    return school


async def _write(
    session: AsyncSession, actor: Actor, school: School, before: SchoolFields, after: SchoolFields
) -> None:
    for name, value in asdict(after).items():
        setattr(school, name, value)
    await session.flush()
    await _record(session, AuditKind.SCHOOL_CHANGED, actor, school, before=before, after=after)


async def _record(
    session: AsyncSession,
    kind: AuditKind,
    actor: Actor | None,
    school: School,
    before: SchoolFields | None = None,
    after: SchoolFields | None = None,
) -> None:
    renamed = {"previous_name": before.name} if before and after and before.name != after.name else {}
    await audit.record(
        session,
        kind,
        actor,
        schools=[school.id],
        facts={"school": school.id},
        before=_kept(before),
        after=_kept(after),
        names={"school": school.name, **renamed},
    )


def _kept(fields: SchoolFields | None) -> dict[str, str]:
    """The name is apart, among what retention may remove."""
    if fields is None:
        return {}
    return {"time_zone": fields.time_zone, "area_code": fields.area_code, "office_phone": fields.office_phone}


async def _record_number(
    session: AsyncSession, actor: Actor, school: School, number: Number, before: NumberState | None = None
) -> None:
    await audit.record(
        session,
        AuditKind.NUMBER_CHANGED,
        actor,
        schools=[school.id],
        facts={"school": school.id, "number": number.id},
        before={"state": before.value} if before else {},
        after={"state": number.state.value, "area_code": number.area_code},
        names={"school": school.name},
    )


async def _inbox_of(session: AsyncSession, school_id: int) -> InboxRef:
    inbox_id = await session.scalar(select(col(Inbox.id)).where(col(Inbox.school_id) == school_id))
    if inbox_id is None:
        raise NotFound
    return InboxRef(inbox_id, InboxKind.SCHOOL, None, school_id)


@dataclass(frozen=True, slots=True)
class Counts:
    """By school id."""

    students: Mapping[int, int]
    staff: Mapping[int, int]


async def _counts(session: AsyncSession, ids: Collection[int]) -> Counts:
    students = select(col(Student.school_id), func.count()).where(col(Student.school_id).in_(ids))
    staff = (
        select(HELD.c.school_id, func.count(HELD.c.staff_id.distinct()))
        .join(Staff, col(Staff.id) == HELD.c.staff_id)
        .where(HELD.c.school_id.in_(ids), col(Staff.active))
    )
    students, staff = students.group_by(col(Student.school_id)), staff.group_by(HELD.c.school_id)
    return Counts(await _by_school(session, students), await _by_school(session, staff))


async def _by_school(session: AsyncSession, query: Select[int, int]) -> dict[int, int]:
    return {row[0]: row[1] for row in await session.execute(query)}


async def _numbers_of(session: AsyncSession, ids: Collection[int]) -> dict[int, Number]:
    found = await session.scalars(
        select(Number).where(col(Number.school_id).in_(ids), col(Number.state) != NumberState.RELEASED)
    )
    return {number.school_id or 0: number for number in found}


async def _groups_of(session: AsyncSession, ids: Collection[int]) -> dict[int, list[GroupRef]]:
    query = (
        select(col(GroupSchool.school_id), col(SchoolGroup.id), col(SchoolGroup.name))
        .join(SchoolGroup, col(SchoolGroup.id) == col(GroupSchool.group_id))
        .where(col(GroupSchool.school_id).in_(ids))
        .order_by(func.lower(col(SchoolGroup.name)))
    )
    groups: dict[int, list[GroupRef]] = {}
    for school_id, group_id, name in await session.execute(query):
        groups.setdefault(school_id, []).append(GroupRef(group_id, name))
    return groups


async def _readers(session: AsyncSession, actor: Actor, school_id: int) -> list[ReaderView]:
    """Of a person's roles only those that are held at this school decide about its inbox."""
    here = (await session.execute(actors.GRANTS.where(HELD.c.school_id == school_id))).all()
    readers = [p for p in actors.group(here).values() if school_id in access.readable_school_inboxes(p)]
    rows = await session.scalars(select(Staff).where(col(Staff.id).in_([p.staff_id for p in readers])))
    staff = {row.id: row for row in rows}
    readers.sort(key=lambda person: person.name)
    return [_reader(actor, person, staff[person.staff_id], school_id) for person in readers]


def _reader(actor: Actor, person: Actor, row: Staff, school_id: int) -> ReaderView:
    return ReaderView(
        id=row.id,
        name=row.name,
        title=row.title,
        initials=people.initials(row.name),
        hue=people.hue_of(row.id),
        writes=school_id in person.schools_with(Permission.MESSAGE_ON_BEHALF),
        address=f"/admin/staff/{row.id}" if access.may_see_person(actor, person.schools) else "",
    )


def _line(school: School, number: Number | None, counts: Counts, groups: list[str]) -> SchoolLine:
    return SchoolLine(
        id=school.id,
        name=school.name,
        time_zone=school.time_zone,
        zone=zone_label(school.time_zone),
        area_code=school.area_code,
        number=_number_view(number),
        students=counts.students.get(school.id, 0),
        staff=counts.staff.get(school.id, 0),
        groups=groups,
    )


def _view(
    school: School, number: NumberView, counts: Counts, groups: list[GroupRef], readers: list[ReaderView]
) -> SchoolView:
    return SchoolView(
        id=school.id,
        fields=fields_of(school),
        zone=zone_label(school.time_zone),
        number=number,
        students=counts.students.get(school.id, 0),
        staff=counts.staff.get(school.id, 0),
        groups=groups,
        readers=readers,
    )


def _number_view(number: Number | None) -> NumberView:
    if number is None:
        return NumberView(said=NO_NUMBER)
    shown = display_phone(number.e164) if number.e164 and number.sid else ""
    match number.state:
        case NumberState.ACTIVE:
            return NumberView(shown, "In use", "ok")
        case NumberState.STOPPED:
            return NumberView(shown, "Stopped", "bad", number.problem)
        case NumberState.QUARANTINED:
            return NumberView(shown, "Not in use", "wait")
        case NumberState.GONE:
            return NumberView(shown, "Lost at the phone company", "bad", number.problem)
    return NumberView(shown, "On its way", "wait", number.problem and f"Not bought yet: {number.problem}")
