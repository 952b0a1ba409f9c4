"""What the carrier reports of our texts, from wherever it comes: webhooks, the poller, the reconciliation."""

from __future__ import annotations

import logging

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.consent import ConsentSource
from tp_inbox.domain.delivery import Delivery, DeliveryState, FailureReason
from tp_inbox.services import consent, redelivering
from tp_inbox.services.handovers import alarm_if_from_elsewhere, keep_copy
from tp_inbox.services.leasing import note_slowed
from tp_inbox.services.outbox import give_sid, keep_event
from tp_inbox.services.ports import StatusReport
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import EarlierHandover, Message, Number, Thread
from tp_inbox.storage.tables.messages import Direction

log = logging.getLogger(__name__)


class Reporting:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def report(self, report: StatusReport, source: str = "webhook") -> None:
        """Takes a report about one text, from wherever it comes. Repeated and late ones change nothing."""
        async with self._db.transaction() as session:
            message = await _reported_message(session, report)
            fresh = await keep_event(session, message, report, source)
            if message is None:
                log.warning("reporting: a report for a text we do not know")
                return
            # What has a SID is with the carrier, whatever word it uses for it.
            told = Delivery(report.state or DeliveryState.ACCEPTED, report.reason, report.code)
            await redelivering.take(session, message, report.sid, told)
            if fresh:
                await _draw_conclusions(session, message, report)


async def _reported_message(session: AsyncSession, report: StatusReport) -> Message | None:
    """By a SID that is or was its own; else by our own id, which a callback may bring before our own write has."""
    known = await _known_by(session, report.sid)
    message = await _locked(session, known or report.message_id, report)
    if message is None or message.direction is Direction.IN:
        return None
    if known is None and report.sid != message.sid and not await _gets_sid(session, message, report):
        return None
    await alarm_if_from_elsewhere(session, message, report.sender)
    return message


async def _known_by(session: AsyncSession, sid: str) -> int | None:
    now = select(col(Message.id)).where(col(Message.sid) == sid)
    earlier = select(col(EarlierHandover.message_id)).where(col(EarlierHandover.sid) == sid)
    return await session.scalar(now.union_all(earlier).limit(1))


async def _locked(session: AsyncSession, message_id: int | None, report: StatusReport) -> Message | None:
    """The family phone is locked before the text where the report may close it."""
    if message_id is None:
        return None
    if report.reason is FailureReason.OPTED_OUT:
        thread_of = select(col(Message.thread_id)).where(col(Message.id) == message_id)
        await consent.lock_phone_of(session, await session.scalar(thread_of) or 0)
    return await session.get(Message, message_id, with_for_update=True)


async def _gets_sid(session: AsyncSession, message: Message, report: StatusReport) -> bool:
    """Whether a SID that only our own id leads to fits the text; it is then the text's, or a copy's."""
    if message.recipient != report.recipient:
        return False
    if message.sid is None:
        give_sid(message, report.sid)
    else:
        await keep_copy(session, message, report.sid)
    return True


async def _draw_conclusions(session: AsyncSession, message: Message, report: StatusReport) -> None:
    """What a report says beyond its text. One that decides about the text has done so when the text failed."""
    if report.reason is FailureReason.TOO_BUSY:
        number = await session.get_one(Number, message.number_id)
        await note_slowed(session, number.campaign_id)
    elif report.reason is FailureReason.OPTED_OUT and message.reason is not FailureReason.OPTED_OUT:
        thread = await session.get_one(Thread, message.thread_id)
        asked = message.handed_over_at or utc_now()  # a START since then is newer, and stays
        await consent.opt_out(session, thread, message.number_id, ConsentSource.CARRIER, message.id, asked)
