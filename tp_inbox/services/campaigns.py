"""Campaigns: which numbers travel together. A school's, or the district's for people of several schools."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import InboxRef
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services import alerts
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.queries.places import schools_worked_at
from tp_inbox.storage.tables import Campaign


async def campaign_of(session: AsyncSession, inbox: InboxRef) -> int:
    """Where the number of this inbox belongs: with its school; a person's with the one school where they work, or with
    the district's."""
    return await campaign_at(session, inbox.school_id or await only_school_of(session, inbox.staff_id or 0))


async def campaign_at(session: AsyncSession, school_id: int | None) -> int:
    """The campaign of a school, or of the district; made when first asked for."""
    there = select(col(Campaign.id)).where(col(Campaign.school_id).is_not_distinct_from(school_id))
    if campaign_id := await session.scalar(there):
        return campaign_id
    made = insert(Campaign).values(
        school_id=school_id,
        problem="",
        attempts=0,
        next_attempt_at=utc_now(),
        stopped_at=await stopped_from_the_first(session),
    )
    await session.execute(made.on_conflict_do_nothing())
    return (await session.scalars(there)).one()


async def stopped_from_the_first(session: AsyncSession) -> datetime | None:
    """Since when whatever campaign is made now is stopped: the whole account is, until an admin lets it go on."""
    return await alerts.standing_since(session, AlertKind.ACCOUNT_STOPPED)


async def only_school_of(session: AsyncSession, staff_id: int) -> int | None:
    """Where a person works, if that is one school."""
    schools = (await session.scalars(schools_worked_at(staff_id).limit(2))).all()
    return schools[0] if len(schools) == 1 else None
