"""What waits to leave: how much, since when, and when it will be gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Select, case, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.delivery import TOO_OLD, DeliveryState
from tp_inbox.domain.pacing import Rates
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Campaign, Message, Number, School
from tp_inbox.storage.tables.messages import NumberState

DISTRICT = "The district"
SENDS = frozenset({NumberState.ACTIVE, NumberState.QUARANTINED})


@dataclass(frozen=True)
class NumberQueue:
    """What waits to leave from one number. ``e164`` is empty while it is being bought; ``stopped`` when nothing leaves
    from it. ``bulk`` of the texts are one of many. ``done_at`` is missing while nobody can say.
    """

    number_id: int
    e164: str
    waiting: int
    bulk: int
    segments: int
    oldest_at: datetime
    done_at: datetime | None
    stopped: bool


@dataclass(frozen=True)
class CampaignQueue:
    """What waits in a campaign that has something waiting. ``name``: the school's, or the district. ``numbers`` with
    the longest queue first.
    """

    campaign_id: int
    name: str
    waiting: int
    segments: int
    oldest_at: datetime
    done_at: datetime | None
    stopped: bool
    numbers: list[NumberQueue] = field(default_factory=list)


class Leaving(NamedTuple):
    """When the last of some texts will have left one number, and how many will be too old before their turn comes.
    ``done_at`` is missing when none of them waits, and while nobody can say.
    """

    done_at: datetime | None
    too_old: int


class Queues:
    def __init__(self, db: Database, rates: Rates) -> None:
        self._db = db
        self._rates = rates

    async def standing(self) -> list[CampaignQueue]:
        """Of every campaign in which something waits, the longest queue first; for the server's own figures.

        The time of finishing is what the rates allow when nothing else is written; by what carriers let through
        it may be later.
        """
        async with self._db.reading() as session:
            rows = [_Row(*row) for row in await session.execute(_waiting())]
        by_campaign: dict[int, list[_Row]] = defaultdict(list)
        for row in rows:
            by_campaign[row.campaign_id].append(row)
        rates = self._rates.shared_by(len(by_campaign))
        queues = [_campaign_queue(found, rates, utc_now()) for found in by_campaign.values()]
        return sorted(queues, key=lambda queue: -queue.segments)

    async def shown_to(self, actor: Actor) -> list[CampaignQueue]:
        """The same, for whoever manages numbers."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        return await self.standing()


class _Row(NamedTuple):
    campaign_id: int
    school: str | None
    stopped_at: datetime | None
    number_id: int
    e164: str | None
    state: NumberState
    waiting: int
    bulk: int
    segments: int
    oldest_at: datetime


async def leaving(session: AsyncSession, rates: Rates, number: Number, author_id: int, keys: Sequence[UUID]) -> Leaving:
    """Of the texts that this author has written under these keys: by what the rates allow when nothing else is written,
    as for the queues.
    """
    if number.state not in SENDS:
        return Leaving(None, 0)
    campaigns = await session.scalar(_CAMPAIGNS_AT_WORK) or 0
    rate = min(rates.sender, rates.shared_by(campaigns).campaign)
    given = {"number": number.id, "author": author_id, "keys": list(keys), "rate": rate, "too_old": TOO_OLD}
    seconds, too_old = (await session.execute(_LEAVING, given)).one()
    return Leaving(None if seconds is None else utc_now() + timedelta(seconds=seconds), too_old)


_CAMPAIGNS_AT_WORK = (
    select(func.count(col(Number.campaign_id).distinct()))
    .join(Message, col(Message.number_id) == col(Number.id))
    .where(col(Message.state) == DeliveryState.QUEUED)
)
_LEAVING = text("""
WITH waiting AS (
    SELECT
        author_id, client_key, created_at, sum(segments) OVER turns / CAST(:rate AS float) AS gone_after,
        (sum(segments) OVER turns - segments) / CAST(:rate AS float) AS begun_after
    FROM message WHERE number_id = :number AND state = 'queued'
    WINDOW turns AS (ORDER BY bulk, next_attempt_at, id)
)
SELECT
    max(gone_after),
    count(*) FILTER (WHERE now() + make_interval(secs => begun_after) > created_at + CAST(:too_old AS interval))
FROM waiting WHERE author_id = :author AND client_key = ANY(CAST(:keys AS uuid[]))
""")


def _waiting() -> Select:
    """By number. What did not arrive waits on purpose until it is tried again, and in the queue only from then on."""
    tried_again = col(Message.redelivered) > 0
    since = case((tried_again, col(Message.next_attempt_at)), else_=col(Message.created_at))
    one_of_many = func.count().filter(col(Message.bulk))
    queued = (
        select(
            col(Message.number_id),
            func.count().label("waiting"),
            one_of_many.label("bulk"),
            func.sum(col(Message.segments)).label("segments"),
            func.min(since).label("oldest_at"),
        )
        .where(col(Message.state) == DeliveryState.QUEUED, or_(~tried_again, since <= utc_now()))
        .group_by(col(Message.number_id))
        .subquery()
    )
    return (
        select(
            col(Campaign.id),
            col(School.name),
            col(Campaign.stopped_at),
            col(Number.id),
            col(Number.e164),
            col(Number.state),
            queued.c.waiting,
            queued.c.bulk,
            queued.c.segments,
            queued.c.oldest_at,
        )
        .select_from(queued)
        .join(Number, col(Number.id) == queued.c.number_id)
        .join(Campaign, col(Campaign.id) == col(Number.campaign_id))
        .outerjoin(School, col(School.id) == col(Campaign.school_id))
    )


def _campaign_queue(rows: Sequence[_Row], rates: Rates, now: datetime) -> CampaignQueue:
    first = rows[0]
    stopped = first.stopped_at is not None
    numbers = [_number_queue(row, rates, now, stopped) for row in sorted(rows, key=lambda row: -row.segments)]
    ends = [number.done_at for number in numbers if number.done_at]
    leaving = sum(number.segments for number in numbers if number.done_at)
    return CampaignQueue(
        campaign_id=first.campaign_id,
        name=first.school or DISTRICT,
        waiting=sum(row.waiting for row in rows),
        segments=sum(row.segments for row in rows),
        oldest_at=min(row.oldest_at for row in rows),
        done_at=max([*ends, now + timedelta(seconds=leaving / rates.campaign)]) if ends else None,
        stopped=stopped,
        numbers=numbers,
    )


def _number_queue(row: _Row, rates: Rates, now: datetime, stopped: bool) -> NumberQueue:
    leaves = row.state in SENDS and not stopped
    return NumberQueue(
        number_id=row.number_id,
        e164=row.e164 or "",
        waiting=row.waiting,
        bulk=row.bulk,
        segments=row.segments,
        oldest_at=row.oldest_at,
        done_at=now + timedelta(seconds=row.segments / min(rates.sender, rates.campaign)) if leaves else None,
        stopped=stopped or row.state in (NumberState.STOPPED, NumberState.GONE),
    )
