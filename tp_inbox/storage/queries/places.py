"""Where roles are held: assignments with those at groups spread over their schools."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.storage.tables import Assignment, GroupSchool, School

HELD = (
    select(
        col(Assignment.id).label("assignment_id"),
        col(Assignment.staff_id),
        col(Assignment.role_id),
        col(Assignment.group_id),
        func.coalesce(col(Assignment.school_id), col(GroupSchool.school_id)).label("school_id"),
    )
    .outerjoin(GroupSchool, col(GroupSchool.group_id) == col(Assignment.group_id))
    .subquery("held")
)
"""A line for each assignment and school; ``school_id`` is missing at the district, and for a group without schools."""


def schools_worked_at(staff_id: int) -> Select[int]:
    """Ids of the schools where a person holds any role."""
    return select(HELD.c.school_id).where(HELD.c.staff_id == staff_id, HELD.c.school_id.is_not(None)).distinct()


async def schools_of_staff(session: AsyncSession, staff_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """By staff id, where each of them holds any role; people without a school are left out."""
    rows = await session.execute(
        select(HELD.c.staff_id, func.array_agg(HELD.c.school_id.distinct()))
        .where(HELD.c.staff_id.in_(staff_ids), HELD.c.school_id.is_not(None))
        .group_by(HELD.c.staff_id)
    )
    return {staff_id: frozenset(schools) for staff_id, schools in rows}


async def school_names(session: AsyncSession, ids: Collection[int]) -> dict[int, str]:
    """By id, in the order of the names."""
    query = select(col(School.id), col(School.name)).where(col(School.id).in_(ids)).order_by(col(School.name))
    return {row.id: row.name for row in await session.execute(query)}
