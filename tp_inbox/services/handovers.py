"""The SIDs under which one text was handed over: what each has come to, and whether a family may have it twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import Delivery, DeliveryState, advance
from tp_inbox.domain.operating import AlertKind
from tp_inbox.domain.redelivery import arrivals, possible_arrivals
from tp_inbox.services.alerts import alert
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import DeliveryEvent, EarlierHandover, Message
from tp_inbox.storage.tables.messages import Doubled

TWICE = "The carrier has one text of ours twice, so a family got it twice. Nobody has to send it again."
FROM_ELSEWHERE = (
    "A text left from another number than the one it was written from. Look up at the carrier whose number it is: "
    "the family’s answer goes there."
)


async def sids_of(session: AsyncSession, message: Message) -> list[str]:
    """All there are, the latest last."""
    earlier = select(col(EarlierHandover.sid)).where(col(EarlierHandover.message_id) == message.id)
    sids = list(await session.scalars(earlier.order_by(col(EarlierHandover.at), col(EarlierHandover.sid))))
    return [*sids, message.sid] if message.sid else sids


async def known_sids(session: AsyncSession, sender: str, recipient: str, since: datetime) -> set[str]:
    """Of all texts between these two numbers that were handed over since then: no look-up takes them for another's."""
    between = (col(Message.recipient) == recipient, col(Message.sender) == sender, col(Message.handed_over_at) >= since)
    now = select(col(Message.sid)).where(*between, col(Message.sid).is_not(None))
    earlier = select(col(EarlierHandover.sid)).join(Message, col(Message.id) == col(EarlierHandover.message_id))
    return {sid for sid in await session.scalars(now.union_all(earlier.where(*between))) if sid}


async def standings(session: AsyncSession, message: Message) -> list[Delivery]:
    """What has become of each hand-over, the latest last: its reports added up."""
    sids = await sids_of(session, message)
    told: dict[str, list[Delivery]] = defaultdict(list)
    kept = select(DeliveryEvent).where(col(DeliveryEvent.sid).in_(sids), col(DeliveryEvent.state).is_not(None))
    for event in await session.scalars(kept.order_by(col(DeliveryEvent.id))):
        if event.sid and event.state:
            told[event.sid].append(Delivery(event.state, event.reason, event.code))
    return [reduce(advance, told[sid], Delivery(DeliveryState.ACCEPTED)) for sid in sids]


async def mark_doubled(session: AsyncSession, message: Message, handovers: Sequence[Delivery] | None = None) -> None:
    """Of a text that was handed over more than once. A mark is never weakened here: others make it, too."""
    handovers = handovers or await standings(session, message)
    if arrivals(handovers) > 1:
        await _mark(session, message, Doubled.CERTAIN)
    elif message.doubled is None and message.sid is not None and possible_arrivals(handovers) > 1:
        await _mark(session, message, Doubled.POSSIBLE)


async def keep_copy(session: AsyncSession, message: Message, sid: str) -> bool:
    """The carrier has the text once more, which nobody wanted; whether that is news. What we know already stays."""
    row = insert(EarlierHandover).values(sid=sid, message_id=message.id, at=utc_now())
    fresh = await session.scalar(row.on_conflict_do_nothing().returning(col(EarlierHandover.sid)))
    if fresh is None:
        return False
    await _mark(session, message, Doubled.CERTAIN)
    await alert(session, AlertKind.DOUBLED, TWICE, message.id, number_id=message.number_id, message_id=message.id)
    return True


async def alarm_if_from_elsewhere(session: AsyncSession, message: Message, sender: str) -> bool:
    """The carrier names another sender than the text's own; whether it does."""
    if not sender or sender == message.sender:
        return False
    kind, about = AlertKind.WRONG_SENDER, message.id
    await alert(session, kind, FROM_ELSEWHERE, about, number_id=message.number_id, message_id=message.id)
    return True


async def _mark(session: AsyncSession, message: Message, doubled: Doubled) -> None:
    if message.doubled is not doubled:
        message.doubled = doubled
        await session.flush()
        await announce(session, Change(ChangeKind.STATUS, message.inbox_id, message.thread_id, message.id))
