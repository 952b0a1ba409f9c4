"""District groups: named sets of schools. A role held at a group is held at each of its schools."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.schools import clean_name
from tp_inbox.services import actors, audit, people, regrouping
from tp_inbox.services.csv_files import read_table, write_table
from tp_inbox.services.group_files import COLUMNS, ImportReport, Mode, Reading, fingerprint, report_of
from tp_inbox.services.regrouping import Group, GroupFields, Move, Preview, members_of, names_of, some
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import Assignment, GroupSchool, Role, School, SchoolGroup, Staff

TAKEN = "There is a group of this name already."
CHANGED_MEANWHILE = "Somebody else has just changed this group. Look at what is there now, then save again."
CHECK_AGAIN = "The schools or groups have changed since you checked this list. Please check it again."
HAS_PROBLEMS = "Some lines of this list cannot be used, so nothing was changed. Correct them, then check it again."
NO_SUCH_SCHOOL = "One of these schools is not there any more. Please reload the page."
STILL_HELD = (
    "{people} at this group: {names}. Take these roles away, or give them somewhere else, then delete the group."
)


@dataclass(frozen=True)
class SchoolOption:
    id: int
    name: str


@dataclass(frozen=True)
class GroupLine:
    """A line of the list of groups. ``people``: how many hold a role there."""

    id: int
    name: str
    schools: list[str]
    people: int
    roles: list[str]


@dataclass(frozen=True)
class HolderView:
    """Somebody who holds a role at the group. ``address``: of the person's page, for those who may open it."""

    key: str
    name: str
    title: str
    initials: str
    hue: int
    role: str
    active: bool
    address: str


@dataclass(frozen=True)
class GroupView:
    """One group, and all schools to choose from. ``members``: ids of those that belong to it."""

    id: int = 0
    name: str = ""
    members: list[int] = field(default_factory=list)
    schools: list[SchoolOption] = field(default_factory=list)
    holders: list[HolderView] = field(default_factory=list)


class Groups:
    """A long list is read in a thread, so that nobody else waits for it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def all(self, actor: Actor) -> list[GroupLine]:
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            groups = await _all_groups(session)
            names = await _school_names(session)
            held = await _held(session)
        return [_line(g, names, held.get(g.id, (0, []))) for g in groups.values()]

    async def group(self, actor: Actor, group_id: int) -> GroupView:
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            group = (await _all_groups(session, [group_id])).get(group_id)
            if group is None:
                raise NotFound
            names = await _school_names(session)
            holders = await _holders(session, actor, group)
        return GroupView(group.id, group.name, [i for i in names if i in group.schools], _options(names), holders)

    async def none_yet(self, actor: Actor) -> GroupView:
        """What a new group is made from."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            return GroupView(schools=_options(await _school_names(session)))

    async def create(self, actor: Actor, wanted: GroupFields) -> int:
        name = clean_name(wanted.name, "group")
        try:
            async with self._db.transaction() as session:
                actor = await _require_manager_now(session, actor)
                await _require_schools(session, wanted.schools)
                return await _create(session, actor, name, wanted.schools)
        except IntegrityError as error:
            raise Invalid(TAKEN) from error

    async def preview(self, actor: Actor, group_id: int, schools: frozenset[int]) -> Preview:
        """What changes for whom, were these the schools of the group."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            group = (await _all_groups(session, [group_id])).get(group_id)
            if group is None:
                raise NotFound
            names = await _school_names(session)
            return await regrouping.preview(session, actor, [Move(group, frozenset(schools & names.keys()))], names)

    async def change(self, actor: Actor, group_id: int, wanted: GroupFields, seen: GroupFields) -> None:
        """``seen``: the group as it stood on the screen. Raises Invalid when somebody else was quicker, and
        NotAllowed where the actor may not give and take the roles that are held there.
        """
        name = clean_name(wanted.name, "group")
        try:
            async with self._db.transaction() as session:
                actor = await _require_manager_now(session, actor)
                group = (await _locked(session, [group_id])).get(group_id)
                if group is None:
                    raise NotFound
                if group.fields not in (seen, replace(wanted, name=name)):
                    raise Invalid(CHANGED_MEANWHILE)
                await _require_schools(session, wanted.schools)
                await _apply(session, actor, Move(group, wanted.schools), name)
        except IntegrityError as error:
            raise Invalid(TAKEN) from error

    async def delete(self, actor: Actor, group_id: int) -> None:
        """Refused while anybody holds a role there."""
        async with self._db.transaction() as session:
            actor = await _require_manager_now(session, actor)
            group = (await _locked(session, [group_id])).get(group_id)
            if group is None:
                raise NotFound
            if holders := await _holders(session, actor, group):
                raise Invalid(_still_held(holders))
            await session.execute(delete(GroupSchool).where(col(GroupSchool.group_id) == group_id))
            await session.execute(delete(SchoolGroup).where(col(SchoolGroup.id) == group_id))
            await _record(session, AuditKind.GROUP_DELETED, actor, group.id, group.name, before=group.schools)

    async def as_csv(self, actor: Actor) -> str:
        """A line for each group and school, as the import reads them; one without a school for an empty group."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        async with self._db.reading() as session:
            groups, names = await _all_groups(session), await _school_names(session)
        lines = [(g.name, name) for g in groups.values() for name in names_of(names, g.schools) or [""]]
        return write_table(list(COLUMNS), lines)

    async def dry_run(self, actor: Actor, text: str, mode: Mode) -> ImportReport:
        """What the list would do, line by line, and for whom. Changes nothing."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        lines = await asyncio.to_thread(read_table, text, COLUMNS, {})
        async with self._db.reading() as session:
            reading = Reading(await _all_groups(session), await _school_names(session))
            reports = await asyncio.to_thread(reading.read, lines)
            moves = reading.moves(mode)
            changes = await regrouping.preview(session, actor, [m for m in moves if m.group.id], reading.names)
        return report_of(reports, reading, moves, changes)

    async def apply(self, actor: Actor, text: str, mode: Mode, plan: str) -> int:
        """Does what the dry run told, all of it or nothing; how many groups changed. Raises Invalid when it would
        do something else by now, and NotAllowed as ``change`` does.
        """
        lines = await asyncio.to_thread(read_table, text, COLUMNS, {})
        try:
            async with self._db.transaction() as session:
                actor = await _require_manager_now(session, actor)
                reading = Reading(await _locked(session), await _school_names(session))
                reports = await asyncio.to_thread(reading.read, lines)
                if any(report.kind == "bad" for report in reports):
                    raise Invalid(HAS_PROBLEMS)
                moves = reading.moves(mode)
                if fingerprint(moves) != plan:
                    raise Invalid(CHECK_AGAIN)
                for move in moves:
                    await _apply(session, actor, move, move.group.name)
        except IntegrityError as error:
            raise Invalid(CHECK_AGAIN) from error
        return len(moves)


async def _require_manager_now(session: AsyncSession, actor: Actor) -> Actor:
    actor = await actors.as_of_now(session, actor)
    access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
    return actor


async def _all_groups(session: AsyncSession, ids: Collection[int] | None = None) -> dict[int, Group]:
    """By id, in the order of their names; all of them unless ``ids`` are named."""
    query = select(SchoolGroup).order_by(func.lower(col(SchoolGroup.name)))
    query = query if ids is None else query.where(col(SchoolGroup.id).in_(ids))
    return await _with_schools(session, list(await session.scalars(query)))


async def _locked(session: AsyncSession, ids: Collection[int] | None = None) -> dict[int, Group]:
    """Two that change one group come one after the other, and nobody is given a role there in between."""
    query = select(SchoolGroup).order_by(col(SchoolGroup.id)).with_for_update()
    query = query if ids is None else query.where(col(SchoolGroup.id).in_(ids))
    return await _with_schools(session, list(await session.scalars(query)))


async def _with_schools(session: AsyncSession, rows: Sequence[SchoolGroup]) -> dict[int, Group]:
    members = await members_of(session, [row.id for row in rows])
    return {row.id: Group(row.id, row.name, members[row.id]) for row in rows}


async def _school_names(session: AsyncSession) -> dict[int, str]:
    """By id, in the order of the names."""
    found = await session.execute(select(col(School.id), col(School.name)).order_by(func.lower(col(School.name))))
    return {row.id: row.name for row in found}


async def _require_schools(session: AsyncSession, ids: frozenset[int]) -> None:
    if ids - (await _school_names(session)).keys():
        raise Invalid(NO_SUCH_SCHOOL)


async def _apply(session: AsyncSession, actor: Actor, move: Move, name: str) -> None:
    """Writes what differs. The rows are locked, and the actor is as of now."""
    if not move.group.id:
        await _create(session, actor, name, move.schools)
        return
    if move.changes and (refusal := await regrouping.refusal_to_move(session, actor, move.group)):
        raise refusal
    if move.changes or name != move.group.name:
        await _write(session, move, name)
        renamed = {"previous_name": move.group.name} if name != move.group.name else {}
        before, after = move.group.schools, move.schools
        await _record(session, AuditKind.GROUP_CHANGED, actor, move.group.id, name, before, after, renamed)


async def _create(session: AsyncSession, actor: Actor, name: str, schools: frozenset[int]) -> int:
    group = SchoolGroup(name=name)
    session.add(group)
    await session.flush()
    session.add_all(GroupSchool(group_id=group.id, school_id=i) for i in sorted(schools))
    await _record(session, AuditKind.GROUP_CREATED, actor, group.id, name, after=schools)
    return group.id


async def _write(session: AsyncSession, move: Move, name: str) -> None:
    group_id = move.group.id
    (await session.get_one(SchoolGroup, group_id)).name = name
    gone = (col(GroupSchool.group_id) == group_id, col(GroupSchool.school_id).in_(move.removed))
    await session.execute(delete(GroupSchool).where(*gone))
    session.add_all(GroupSchool(group_id=group_id, school_id=i) for i in sorted(move.added))
    await session.flush()
    if move.changes:
        await announce(session, Change(ChangeKind.ACCESS))


async def _record(
    session: AsyncSession,
    kind: AuditKind,
    actor: Actor,
    group_id: int,
    name: str,
    before: frozenset[int] | None = None,
    after: frozenset[int] | None = None,
    more_names: Mapping[str, str] | None = None,
) -> None:
    await audit.record(
        session,
        kind,
        actor,
        schools=(before or frozenset()) | (after or frozenset()),
        facts={"group": group_id},
        before={} if before is None else {"schools": sorted(before)},
        after={} if after is None else {"schools": sorted(after)},
        names={"group": name, **(more_names or {})},
    )


# What it shows ---------------------------------------------------------------------------------------------


async def _held(session: AsyncSession) -> dict[int, tuple[int, list[str]]]:
    """By group id, how many people hold a role there, and which roles."""
    query = (
        select(
            col(Assignment.group_id),
            func.count(col(Assignment.staff_id).distinct()),
            func.array_agg(col(Role.name).distinct()),
        )
        .join(Role, col(Role.id) == col(Assignment.role_id))
        .where(col(Assignment.group_id).is_not(None))
        .group_by(col(Assignment.group_id))
    )
    return {group_id or 0: (count, sorted(roles)) for group_id, count, roles in await session.execute(query)}


async def _holders(session: AsyncSession, actor: Actor, group: Group) -> list[HolderView]:
    query = (
        select(Staff, col(Role.name), col(Assignment.id))
        .join(Assignment, col(Assignment.staff_id) == col(Staff.id))
        .join(Role, col(Role.id) == col(Assignment.role_id))
        .where(col(Assignment.group_id) == group.id)
        .order_by(col(Staff.name), col(Role.name))
    )
    opens = access.may_see_person(actor, group.schools)
    return [_holder(row, role, i, opens) for row, role, i in await session.execute(query)]


def _holder(row: Staff, role: str, assignment_id: int, opens: bool) -> HolderView:
    return HolderView(
        key=str(assignment_id),
        name=row.name,
        title=row.title,
        initials=people.initials(row.name),
        hue=people.hue_of(row.id),
        role=role,
        active=row.active,
        address=f"/admin/staff/{row.id}" if opens else "",
    )


def _line(group: Group, names: Mapping[int, str], held: tuple[int, list[str]]) -> GroupLine:
    count, roles = held
    return GroupLine(group.id, group.name, names_of(names, group.schools), count, roles)


def _options(names: Mapping[int, str]) -> list[SchoolOption]:
    return [SchoolOption(i, name) for i, name in names.items()]


def _still_held(holders: Sequence[HolderView]) -> str:
    names = list(dict.fromkeys(holder.name for holder in holders))
    people = "One person holds a role" if len(names) == 1 else f"{len(names)} people hold roles"
    return STILL_HELD.format(people=people, names=some(names))
