"""How many numbers a district rents: counted under one lock, so that two who ask at once do not share the last."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped
from sqlmodel import col

from tp_inbox.storage.tables import Campaign, Number
from tp_inbox.storage.tables.messages import NumberState

_CAP_LOCK = 7_100_001
HALF_A_CENT = 0.005


@dataclass(frozen=True, slots=True)
class Limits:
    """``personal``: numbers of people, in the district. ``per_campaign``: all numbers of one campaign, of which
    ``pool`` places are kept for shared ones. ``spending`` and ``price``: dollars a month, for all and for one.
    """

    personal: int
    per_campaign: int
    pool: int
    price: float
    spending: float | None = None

    @property
    def own_per_campaign(self) -> int:
        return self.per_campaign - self.pool


def is_rented() -> ColumnElement[bool]:
    """Paid for, or about to be: not what was never bought, and is not being bought."""
    bought = and_(col(Number.sid).is_not(None), col(Number.state).not_in([NumberState.GONE, NumberState.RELEASED]))
    wanted = col(Number.state).in_([NumberState.WANTED, NumberState.BUYING]) & col(Number.quarantined_until).is_(None)
    return or_(bought, wanted)


async def hold(session: AsyncSession) -> None:
    """Until the transaction ends nobody else counts, and nobody wants another number."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CAP_LOCK})


async def count(session: AsyncSession, *conditions: ColumnElement[bool] | Mapped[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(Number).where(is_rented(), *conditions)) or 0


async def is_affordable(session: AsyncSession, limits: Limits, *, bought_only: bool = False) -> bool:
    """Whether one more number stays within the spending cap: beside all that are wanted, or that are bought."""
    if limits.spending is None:
        return True
    among = [col(Number.state) != NumberState.WANTED] if bought_only else []
    return (await count(session, *among) + 1) * limits.price <= limits.spending + HALF_A_CENT


async def has_room(session: AsyncSession, limits: Limits, campaign_id: int) -> bool:
    """Whether one more person of the campaign may have a number of their own."""
    if await count(session, col(Number.staff_id).is_not(None)) >= limits.personal:
        return False
    full_at = await session.scalar(select(col(Campaign.full_at)).where(col(Campaign.id) == campaign_id))
    own = await count(session, col(Number.campaign_id) == campaign_id, ~col(Number.pooled))
    return full_at is None and own < limits.own_per_campaign
