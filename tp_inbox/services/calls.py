"""Whose number a family has called: what may be said about it to whoever calls."""

from __future__ import annotations

from sqlalchemy import Row, Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.calling import Called
from tp_inbox.domain.languages import ENGLISH
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.queries.places import schools_worked_at
from tp_inbox.storage.tables import Campaign, District, FamilyPhone, Inbox, Number, Pair, School, Staff, Thread
from tp_inbox.storage.tables.messages import NumberState


class Calls:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def called(self, number: str, caller: str) -> Called | None:
        """Both E.164; a caller may hide theirs. None for a number that is not ours.

        A person is named to whom ``access.may_be_named`` says.
        """
        async with self._db.reading() as session:
            phone = await session.scalar(select(FamilyPhone).where(col(FamilyPhone.e164) == caller))
            found = (await session.execute(_reached(number, phone.id if phone else 0))).one_or_none()
            if found is None:
                return None
            family = await schools_of(session, phone.id) if phone else frozenset[int]()
            schools = await _schools(session, found)
            named = found.Staff if access.may_be_named(schools, family) else None
            school = await _first(session, schools & family or schools or family)
            return Called(
                school=school.name if school else await session.scalar(select(col(District.name))) or "",
                person=named.name if named else "",
                office=await _office(session, school),
                language=phone.language if phone else ENGLISH.code,
            )


def _reached(number: str, phone_id: int) -> Select[Number, Staff, Campaign]:
    """The number with its person: of the pair with this phone, else its owner. Nobody is named who has left."""
    person = or_(
        col(Staff.id) == col(Number.staff_id),
        and_(col(Number.pooled), col(Staff.id) == col(Inbox.staff_id)),
    )
    return (
        select(Number, Staff, Campaign)
        .join(Campaign, col(Campaign.id) == col(Number.campaign_id))
        .outerjoin(Pair, and_(col(Pair.number_id) == col(Number.id), col(Pair.phone_id) == phone_id))
        .outerjoin(Thread, col(Thread.id) == col(Pair.thread_id))
        .outerjoin(Inbox, col(Inbox.id) == col(Thread.inbox_id))
        .outerjoin(Staff, and_(person, col(Staff.active)))
        .where(col(Number.e164) == number, col(Number.state) != NumberState.RELEASED)
    )


async def _schools(session: AsyncSession, found: Row[Number, Staff, Campaign]) -> frozenset[int]:
    """For which schools the number writes, as far as it is known."""
    if found.Staff is not None:
        return frozenset(await session.scalars(schools_worked_at(found.Staff.id)))
    school_id = found.Number.school_id or found.Campaign.school_id
    return frozenset([school_id] if school_id else [])


async def _first(session: AsyncSession, ids: frozenset[int]) -> School | None:
    schools = select(School).where(col(School.id).in_(ids)).order_by(col(School.name))
    return await session.scalar(schools.limit(1))


async def _office(session: AsyncSession, school: School | None) -> str:
    """Not a number of ours by mistake: a call would be put through to itself for ever."""
    if school is None or not school.office_phone:
        return ""
    ours = exists().where(col(Number.e164) == school.office_phone, col(Number.state) != NumberState.RELEASED)
    return "" if await session.scalar(select(ours)) else school.office_phone
