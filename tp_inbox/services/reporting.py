"""What the carrier reports of our texts, from wherever it comes: webhooks, the poller, the reconciliation."""

from __future__ import annotations

import logging

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import Delivery
from tp_inbox.services.outbox import advance_message, alarm_if_from_elsewhere, keep_event, locked
from tp_inbox.services.ports import StatusReport
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Message

log = logging.getLogger(__name__)


class Reporting:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def report(self, report: StatusReport, source: str = "webhook") -> None:
        """Takes a report about one text, from wherever it comes. Repeated and late ones change nothing."""
        async with self._db.transaction() as session:
            message = await _reported_message(session, report)
            await keep_event(session, message, report, source)
            if message is None:
                log.warning("reporting: a report for a text we do not know")
            elif report.state is not None:
                await advance_message(session, message, Delivery(report.state, report.reason, report.code))


async def _reported_message(session: AsyncSession, report: StatusReport) -> Message | None:
    """By SID; else by our own id, which a callback may bring before our own write has."""
    message = await session.scalar(select(Message).where(col(Message.sid) == report.sid).with_for_update())
    if message is None and report.message_id is not None:
        message = await session.scalar(locked(report.message_id))
        if message is None or message.sid is not None or message.recipient != report.recipient:
            return None
        message.sid = report.sid
    if message is not None:
        alarm_if_from_elsewhere(message, report.sender)
    return message
