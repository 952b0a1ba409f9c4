"""Each number in its campaign's service at the carrier: a school's own, or the district's for people of several.

STOP and rates reach as far as a service, so a number follows its owner when the owner's schools change. No text waits
for that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, literal, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.operating import AlertKind
from tp_inbox.domain.phone import display_phone
from tp_inbox.services.alerts import alert, settle
from tp_inbox.services.campaigns import stopped_from_the_first
from tp_inbox.services.ports import CarrierAway, ServiceFull, ServiceGone, ServiceRefused, SmsGateway
from tp_inbox.storage.base import IN_UTC, utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.tables import Campaign, Number, School
from tp_inbox.storage.tables.messages import NumberState

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
LONGEST_WAIT = timedelta(hours=1)
WORTH_AN_ALERT = 6
"""Attempts, some minutes: a carrier that is away for longer may need somebody."""
RENTED = (NumberState.ACTIVE, NumberState.STOPPED, NumberState.QUARANTINED)
DISTRICT = "people of several schools"
MISPLACED = (
    "{number} is not in the Messaging Service of {name}: {reason} Until it is, a STOP to it may reach further, or less "
    "far, than families are told. It is tried again by itself."
)
NO_ANSWER = "the carrier does not answer."


@dataclass(frozen=True, slots=True)
class Move:
    """A number that is to be in its campaign's service, as it was claimed."""

    number_id: int
    sid: str
    e164: str
    campaign_id: int
    name: str
    service: str | None
    attempts: int


class Joining:
    def __init__(self, db: Database, gateway: SmsGateway) -> None:
        self._db = db
        self._gateway = gateway

    async def place(self) -> int:
        """Lets the numbers of people follow them: to the one school where they work, else to the district's campaign;
        how many moved. What belongs to somebody who has left stays where families know it.
        """
        async with self._db.transaction() as session:
            await session.execute(_every_campaign(await stopped_from_the_first(session)))
            moved = await session.scalars(_FOLLOW)
            return len(moved.all())

    async def join_due(self) -> int:
        """Puts what is due into its service; how many numbers."""
        joined = 0
        while (move := await self._claim()) is not None:
            joined += await self._join(move)
        return joined

    async def _claim(self) -> Move | None:
        async with self._db.transaction() as session:
            row = (await session.execute(_due())).one_or_none()
            if row is None:
                return None
            number, campaign, school = row
            number.join_at, number.join_attempts = utc_now() + LEASE, number.join_attempts + 1
            return Move(
                number_id=number.id,
                sid=number.sid or "",
                e164=number.e164 or "",
                campaign_id=campaign.id,
                name=school or DISTRICT,
                service=campaign.sid,
                attempts=number.join_attempts,
            )

    async def _join(self, move: Move) -> bool:
        try:
            service = move.service or await self._make_service(move)
            await self._gateway.put_into_service(service, move.sid, await self._services())
        except CarrierAway:
            await self._put_off(move, NO_ANSWER, tell=move.attempts >= WORTH_AN_ALERT)
            return False
        except ServiceRefused as refused:
            await self._refused(move, refused)
            return False
        await self._joined(move)
        return True

    async def _make_service(self, move: Move) -> str:
        """Looked for by its label before it is made, so that a crash in between makes no second one."""
        service = await self._gateway.make_service(f"tp-inbox {move.campaign_id}: {move.name}")
        async with self._db.transaction() as session:
            campaign = await session.get_one(Campaign, move.campaign_id, with_for_update={"key_share": True})
            campaign.sid, campaign.problem = service, ""
        return service

    async def _services(self) -> list[str]:
        async with self._db.reading() as session:
            return [sid for sid in await session.scalars(select(col(Campaign.sid))) if sid]

    async def _joined(self, move: Move) -> None:
        async with self._db.transaction() as session:
            number = await session.get_one(Number, move.number_id, with_for_update={"key_share": True})
            number.joined_id, number.join_attempts = move.campaign_id, 0
            there = update(Campaign).where(col(Campaign.id) == move.campaign_id)
            await session.execute(there.values(full_at=None))
            if number.campaign_id == move.campaign_id:
                await settle(session, AlertKind.NUMBER_MISPLACED, number.id)

    async def _refused(self, move: Move, refused: ServiceRefused) -> None:
        async with self._db.transaction() as session:
            campaign = await session.get_one(Campaign, move.campaign_id, with_for_update={"key_share": True})
            if isinstance(refused, ServiceFull):
                campaign.full_at = utc_now()
            if isinstance(refused, ServiceGone):
                await _forget_service(session, campaign)
            elif move.service is None:
                campaign.problem = refused.reason
        await self._put_off(move, refused.reason, tell=not isinstance(refused, ServiceGone))

    async def _put_off(self, move: Move, reason: str, *, tell: bool) -> None:
        wait = min(timedelta(seconds=2.0 ** min(move.attempts, 12)), LONGEST_WAIT)
        log.warning("joining: number %s is not in its service yet", move.number_id)
        async with self._db.transaction() as session:
            number = await session.get_one(Number, move.number_id, with_for_update={"key_share": True})
            number.join_at = utc_now() + wait
            if tell:
                sentence = MISPLACED.format(number=display_phone(move.e164), name=move.name, reason=reason)
                await alert(session, AlertKind.NUMBER_MISPLACED, sentence, number.id, number_id=number.id)


async def _forget_service(session: AsyncSession, campaign: Campaign) -> None:
    """Somebody has deleted it in the carrier's console: another is made, and its numbers join that one."""
    campaign.sid, campaign.full_at = None, None
    there = update(Number).where(col(Number.joined_id) == campaign.id)
    await session.execute(there.values(joined_id=None, join_at=utc_now(), join_attempts=0))


def _due() -> Select[Number, Campaign, str]:
    return (
        select(Number, Campaign, col(School.name))
        .join(Campaign, col(Campaign.id) == col(Number.campaign_id))
        .outerjoin(School, col(School.id) == col(Campaign.school_id))
        .where(
            col(Number.campaign_id).is_distinct_from(col(Number.joined_id)),
            col(Number.sid).is_not(None),
            col(Number.state).in_(RENTED),
            col(Number.join_at) <= utc_now(),
        )
        .order_by(col(Number.join_at), col(Number.id))
        .limit(1)
        .with_for_update(of=Number, skip_locked=True, key_share=True)
    )


_ALONE = (
    select(HELD.c.staff_id, func.min(HELD.c.school_id).label("school_id"))
    .where(HELD.c.school_id.is_not(None))
    .group_by(HELD.c.staff_id)
    .having(func.count(HELD.c.school_id.distinct()) == 1)
    .cte("alone")
)
"""People with the one school where they work."""
_BELONGS = (
    select(col(Number.id).label("number_id"), col(Campaign.id).label("campaign_id"))
    .outerjoin(_ALONE, _ALONE.c.staff_id == col(Number.staff_id))
    .join(Campaign, col(Campaign.school_id).is_not_distinct_from(_ALONE.c.school_id))
    .where(
        col(Number.staff_id).is_not(None),
        col(Number.quarantined_until).is_(None),
        col(Number.state).not_in([NumberState.GONE, NumberState.RELEASING, NumberState.RELEASED]),
        col(Campaign.id) != col(Number.campaign_id),
    )
    .cte("belongs")
)
_FOLLOW = (
    update(Number)
    .where(col(Number.id) == _BELONGS.c.number_id)
    .values(campaign_id=_BELONGS.c.campaign_id, join_at=func.now(), join_attempts=0)
    .returning(col(Number.id))
)
_WANTED = (
    select(_ALONE.c.school_id, literal(""), func.now(), literal(0))
    .select_from(Number)
    .outerjoin(_ALONE, _ALONE.c.staff_id == col(Number.staff_id))
    .where(col(Number.staff_id).is_not(None))
    .distinct()
)


def _every_campaign(stopped_at: datetime | None) -> Insert:
    """Makes those that are wanted and not there."""
    wanted = _WANTED.add_columns(literal(stopped_at, IN_UTC))
    columns = ["school_id", "problem", "next_attempt_at", "attempts", "stopped_at"]
    return insert(Campaign).from_select(columns, wanted).on_conflict_do_nothing()
