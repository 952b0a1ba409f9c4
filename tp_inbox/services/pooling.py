"""Shared numbers: which of them a family knows somebody by, and that it stays so.

When no more numbers of their own are bought, people of one campaign share a few. To each family they write from
different ones, so that an answer finds its way by the pair of the family's phone and our number.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Select, and_, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.services import number_limits
from tp_inbox.services.number_limits import Limits
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Number, Pair
from tp_inbox.storage.tables.messages import NumberState

REUSED_AFTER = timedelta(days=180)
"""A family may answer an old text. Until then nobody else gets the pair."""
SERVES = (NumberState.ACTIVE, NumberState.BUYING, NumberState.WANTED)


async def paired(session: AsyncSession, thread_id: int) -> Number | None:
    """The shared number of this thread; one that could not be bought is none."""
    return await session.scalar(_of_thread(thread_id))


async def use_pair(session: AsyncSession, thread_id: int) -> Number | None:
    """The shared number from which a text is written now: the pair stays for another while."""
    number = await session.scalar(_of_thread(thread_id).with_for_update(of=Number, read=True))
    if number is not None:
        await session.execute(update(Pair).where(col(Pair.thread_id) == thread_id).values(used_at=utc_now()))
    return number


async def pair(
    session: AsyncSession, campaign_id: int, phone_id: int, thread_id: int, area_code: str, limits: Limits
) -> Number | None:
    """A shared number of the campaign for this thread, wanted from now on when the others are taken with this family;
    None when no more may be bought. Under the family phone's lock.
    """
    number = await _free(session, campaign_id, phone_id) or await _another(
        session, campaign_id, phone_id, area_code, limits
    )
    if number is not None:
        await _write(session, phone_id, number.id, thread_id)
    return number


async def unbought(session: AsyncSession, campaign_id: int) -> str:
    """Why the campaign has no shared number, if one was tried for and refused; empty while it has, or nobody tried."""
    of_campaign = and_(col(Number.campaign_id) == campaign_id, col(Number.pooled))
    if await session.scalar(select(exists().where(of_campaign, col(Number.state).in_(SERVES)))):
        return ""
    refused = and_(of_campaign, col(Number.state) == NumberState.STOPPED, col(Number.sid).is_(None))
    return await session.scalar(select(col(Number.problem)).where(refused).limit(1)) or ""


def _of_thread(thread_id: int) -> Select[Number]:
    never_bought = and_(col(Number.state) == NumberState.STOPPED, col(Number.sid).is_(None))
    pair = and_(col(Pair.number_id) == col(Number.id), col(Pair.thread_id) == thread_id)
    return select(Number).join(Pair, pair).where(col(Number.state) != NumberState.RELEASED, ~never_bought)


async def _free(session: AsyncSession, campaign_id: int, phone_id: int) -> Number | None:
    """The one with the fewest families of those that nobody uses with this one; bought ones first."""
    theirs = and_(col(Pair.number_id) == col(Number.id), col(Pair.phone_id) == phone_id)
    taken = exists().where(theirs, col(Pair.used_at) > utc_now() - REUSED_AFTER)
    families = select(func.count()).where(col(Pair.number_id) == col(Number.id)).scalar_subquery()
    found = (
        select(Number)
        .where(
            col(Number.pooled),
            col(Number.campaign_id) == campaign_id,
            col(Number.state).in_(SERVES),
            ~taken.correlate(Number),
        )
        .order_by(col(Number.state) != NumberState.ACTIVE, families, col(Number.id))
        .limit(1)
    )
    # It cannot become ready between this and the text that is written with it: that would stay without a sender.
    return await session.scalar(found.with_for_update(of=Number, read=True))


async def _another(
    session: AsyncSession, campaign_id: int, phone_id: int, area_code: str, limits: Limits
) -> Number | None:
    await number_limits.hold(session)
    if (found := await _free(session, campaign_id, phone_id)) is not None:
        return found
    of_pool = (col(Number.pooled), col(Number.campaign_id) == campaign_id)
    if await unbought(session, campaign_id) or await number_limits.count(session, *of_pool) >= limits.pool:
        return None
    if not await number_limits.is_affordable(session, limits):
        return None
    number = Number(pooled=True, campaign_id=campaign_id, area_code=area_code)
    session.add(number)
    await session.flush()
    return number


async def _write(session: AsyncSession, phone_id: int, number_id: int, thread_id: int) -> None:
    """In place of a pair that nobody has used for so long, and of the thread's own with a number that is no more."""
    stale = and_(col(Pair.phone_id) == phone_id, col(Pair.number_id) == number_id, col(Pair.thread_id) != thread_id)
    await session.execute(delete(Pair).where(stale))
    row = insert(Pair).values(phone_id=phone_id, number_id=number_id, thread_id=thread_id, used_at=utc_now())
    fresh = {"number_id": row.excluded.number_id, "used_at": row.excluded.used_at}
    await session.execute(row.on_conflict_do_update(index_elements=["thread_id"], set_=fresh))
