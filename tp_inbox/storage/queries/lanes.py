"""What may leave next. A lane is what waits at one number: its conversations, or what is one of many.

Each statement reads a few entries of an index for every lane, however long the queues are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import Message, Number, Thread

NOT_IN_LINE = timedelta(hours=1)
"""Whatever the carrier has had for so long waits in no queue of its any more."""


class Lane(NamedTuple):
    """Something waits there and is due. ``held_by``: the worker with a valid lease on its campaign."""

    campaign_id: int
    number_id: int
    bulk: bool
    held_by: UUID | None


class Due(NamedTuple):
    """A text whose turn it is, locked, with its campaign and family phone."""

    message: Message
    campaign_id: int
    phone_id: int


async def due_lanes(session: AsyncSession) -> list[Lane]:
    """Conversations first. Of numbers that send and of campaigns that are not stopped.

    A number in quarantine sends automatic replies; what its owner had queued is taken up to be held back.
    """
    return [Lane(*row) for row in await session.execute(_LANES, {"now": utc_now()})]


async def take_up(session: AsyncSession, lanes: Mapping[Lane, int]) -> list[Due]:
    """Of each of these lanes up to so many texts, locked, taking turns between the lanes; skips what another worker has
    locked. In one thread one text goes after the other, but no answer waits for what is one of many, and nothing waits
    for a text that did not arrive and is tried again later.
    """
    query = (
        select(Message, col(Number.campaign_id), col(Thread.phone_id))
        .join(_CANDIDATES, _CANDIDATES.c.id == col(Message.id))
        .join(Number, col(Number.id) == col(Message.number_id))
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .order_by(col(Message.bulk), _CANDIDATES.c.place, col(Message.next_attempt_at), col(Message.id))
    )
    asked = {
        "numbers": [lane.number_id for lane in lanes],
        "bulks": [lane.bulk for lane in lanes],
        "most": list(lanes.values()),
        "now": utc_now(),
    }
    return [Due(*row) for row in await session.execute(query, asked)]


async def segments_at_carrier(session: AsyncSession, campaigns: Sequence[int]) -> dict[tuple[int, int], int]:
    """By campaign and number, what the carrier has taken and not yet sent on."""
    since: datetime = utc_now() - NOT_IN_LINE
    waiting = (
        select(col(Number.campaign_id), col(Number.id), func.sum(col(Message.segments)))
        .join(Message, col(Message.number_id) == col(Number.id))
        .where(
            col(Number.campaign_id).in_(campaigns),
            col(Message.state).in_([DeliveryState.ACCEPTED, DeliveryState.SENDING]),
            col(Message.handed_over_at) > since,
        )
        .group_by(col(Number.campaign_id), col(Number.id))
    )
    return {(campaign, number): segments for campaign, number, segments in await session.execute(waiting)}


# A walk from lane to lane: PostgreSQL has no skip scan over a partial index, and DISTINCT would read all that waits.
_LANES = text("""
WITH RECURSIVE lane AS (
    (
        SELECT number_id, bulk, next_attempt_at FROM message
        WHERE state = 'queued' ORDER BY number_id, bulk, next_attempt_at, id LIMIT 1
    )
    UNION ALL
    SELECT following.* FROM lane CROSS JOIN LATERAL (
        SELECT number_id, bulk, next_attempt_at FROM message
        WHERE state = 'queued' AND (number_id, bulk) > (lane.number_id, lane.bulk)
        ORDER BY number_id, bulk, next_attempt_at, id LIMIT 1
    ) AS following
)
SELECT number.campaign_id, number.id, lane.bulk, CASE WHEN campaign.held_until > now() THEN campaign.held_by END
FROM lane
JOIN number ON number.id = lane.number_id AND number.state IN ('active', 'quarantined')
JOIN campaign ON campaign.id = number.campaign_id AND campaign.stopped_at IS NULL
WHERE lane.next_attempt_at <= :now
ORDER BY lane.bulk, lane.next_attempt_at
""")

_CANDIDATES = (
    text("""
SELECT found.id, found.place
FROM unnest(
    CAST(:numbers AS bigint[]), CAST(:bulks AS boolean[]), CAST(:most AS bigint[])
) AS lane(number_id, bulk, most)
CROSS JOIN LATERAL (
    SELECT locked.id, row_number() OVER (ORDER BY locked.next_attempt_at, locked.id) AS place FROM (
        SELECT message.id, message.next_attempt_at FROM message
        WHERE message.state = 'queued' AND message.number_id = lane.number_id AND message.bulk = lane.bulk
        AND message.next_attempt_at <= :now AND message.sender IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM message AS earlier
            WHERE earlier.thread_id = message.thread_id AND earlier.number_id = message.number_id
            AND earlier.id < message.id AND earlier.state IN ('queued', 'submitting', 'unknown')
            AND (earlier.state <> 'queued' OR earlier.redelivered = 0)
            AND (message.bulk OR NOT earlier.bulk)
        )
        ORDER BY message.next_attempt_at, message.id
        LIMIT lane.most
        FOR UPDATE OF message SKIP LOCKED
    ) AS locked
) AS found
""")
    .columns(id=BigInteger, place=BigInteger)
    .subquery("candidate")
)
