"""Which worker paces which campaign: leases that are renewed while the worker lives, and taken over when it does not.

A lease decides who paces, never who may hand a text over: that is the claim's row. So two that both believe to hold a
campaign double nothing.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.operating import ProcessKind
from tp_inbox.services.processes import is_alive
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Campaign, Message, Number, Process
from tp_inbox.storage.tables.messages import NumberState

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
RENEWED_EVERY = 5.0
"""Seconds; two renewals may fail."""
OTHERS_FIRST = timedelta(seconds=6)
"""So long a campaign waits for a worker that has less than its share, before one that has enough takes it too."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a worker holds after a renewal. ``workers``: how many share the account. ``slowed_at``: by campaign, when
    the carrier was last too busy for it, and how many seconds ago.
    """

    workers: int = 1
    slowed: dict[int, float] = field(default_factory=dict)

    @property
    def campaigns(self) -> frozenset[int]:
        return frozenset(self.slowed)


NOTHING_HELD = Holding()
NEVER = float("inf")


class Leasing:
    """The leases of one worker process. All times are the database's: the clocks of two hosts differ."""

    def __init__(self, db: Database, process_id: UUID) -> None:
        self._db = db
        self._id = process_id

    async def renew(self) -> Holding:
        """Renews what is held, takes what nobody holds up to a fair share, and lets go what is beyond it.

        A campaign that nobody has taken for some seconds, and that has something to send, is taken whatever the share:
        the worker that should have it may be dead.
        """
        async with self._db.transaction() as session:
            workers = await self._live_workers(session)
            mine = set(await session.scalars(self._renewed()))
            share = math.ceil(await _in_use(session) / workers)
            if len(mine) > share:
                await self._let_go_of(session, sorted(mine)[share:])
            else:
                await self._take(session, _free().limit(share - len(mine)))
                await self._take(session, _forsaken())
            return Holding(workers, await self._held(session))

    async def let_go(self) -> None:
        """This worker stops; the others need not wait until its leases have run out."""
        async with self._db.transaction() as session:
            await session.execute(update(Campaign).where(self._is_mine()).values(held_by=None, held_until=func.now()))

    def _is_mine(self) -> ColumnElement[bool]:
        return col(Campaign.held_by) == self._id

    def _renewed(self):  # noqa: ANN202 - SQLAlchemy's own type says nothing more
        mine = update(Campaign).where(self._is_mine())
        return mine.values(held_until=func.now() + LEASE).returning(col(Campaign.id))

    async def _live_workers(self, session: AsyncSession) -> int:
        """Those that beat, those that hold a lease, and this one, which may not have beaten yet."""
        beating = select(col(Process.id)).where(col(Process.kind) == ProcessKind.WORKER, is_alive())
        holding = select(col(Campaign.held_by)).where(_is_held())
        return len({*await session.scalars(beating.union(holding)), self._id})

    async def _take(self, session: AsyncSession, free: Select[int]) -> None:
        ids = list(await session.scalars(free.with_for_update(skip_locked=True)))
        if ids:
            taken = update(Campaign).where(col(Campaign.id).in_(ids))
            await session.execute(taken.values(held_by=self._id, held_until=func.now() + LEASE))
            log.info("leasing: campaigns taken: %s", ids)

    async def _let_go_of(self, session: AsyncSession, ids: list[int]) -> None:
        given = update(Campaign).where(self._is_mine(), col(Campaign.id).in_(ids))
        await session.execute(given.values(held_by=None, held_until=func.now()))
        log.info("leasing: campaigns left to others: %s", ids)

    async def _held(self, session: AsyncSession) -> dict[int, float]:
        ago = func.extract("epoch", func.now() - col(Campaign.slowed_at))
        rows = await session.execute(select(col(Campaign.id), ago).where(self._is_mine()))
        return {campaign_id: NEVER if seconds is None else float(seconds) for campaign_id, seconds in rows}


async def note_slowed(session: AsyncSession, campaign_id: int) -> None:
    """The carrier is too busy for this campaign; whoever paces it hears of it at the next renewal."""
    await session.execute(update(Campaign).where(col(Campaign.id) == campaign_id).values(slowed_at=func.now()))


def _is_held() -> ColumnElement[bool]:
    return col(Campaign.held_until) > func.now()


def _free() -> Select[int]:
    return (
        select(col(Campaign.id))
        .where(func.coalesce(col(Campaign.held_until), func.now()) <= func.now(), _has_numbers())
        .order_by(_has_work().desc(), col(Campaign.id))
    )


def _forsaken() -> Select[int]:
    """Of one that nobody has ever taken it is known only how long something waits there."""
    since = func.coalesce(col(Campaign.held_until), _longest_due())
    return _free().where(_has_work(), since <= func.now() - OTHERS_FIRST)


def _has_numbers() -> ColumnElement[bool]:
    return exists().where(col(Number.campaign_id) == col(Campaign.id), col(Number.state) != NumberState.RELEASED)


def _has_work() -> ColumnElement[bool]:
    queued = exists().where(col(Message.number_id) == col(Number.id), col(Message.state) == DeliveryState.QUEUED)
    return exists().where(col(Number.campaign_id) == col(Campaign.id), queued)


def _longest_due() -> ScalarSelect[datetime]:
    queued = select(func.min(col(Message.next_attempt_at))).join(Number, col(Number.id) == col(Message.number_id))
    there = (col(Number.campaign_id) == col(Campaign.id), col(Message.state) == DeliveryState.QUEUED)
    return queued.where(*there).correlate(Campaign).scalar_subquery()


async def _in_use(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(Campaign).where(_has_numbers())) or 0
