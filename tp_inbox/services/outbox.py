"""What becomes of a text of ours after it was queued: the writes that handing over and reports have in common."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Select, exists, select, text, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.consent import ConsentSource
from tp_inbox.domain.delivery import FINAL, NOT_ARRIVED, Delivery, DeliveryState, FailureReason, advance
from tp_inbox.services import consent, figures, lanes
from tp_inbox.services.handovers import alarm_if_from_elsewhere, keep_copy, mark_doubled, sids_of
from tp_inbox.services.ports import CarrierText, OutgoingText, StatusReport
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce, announce_all
from tp_inbox.storage.tables import DeliveryEvent, Message, Thread
from tp_inbox.storage.tables.messages import Direction

log = logging.getLogger(__name__)


def locked(message_id: int) -> Select[Message]:
    return select(Message).where(col(Message.id) == message_id).with_for_update()


def outgoing(message: Message, valid_seconds: int | None = None) -> OutgoingText:
    return OutgoingText(message.id, message.sender or "", message.recipient, message.body, valid_seconds)


async def advance_message(session: AsyncSession, message: Message, reported: Delivery) -> None:
    before = Delivery(message.state, message.reason, message.code)
    after = advance(before, reported)
    if after == before:
        return
    message.state, message.reason, message.code = after.state, after.reason, after.code
    message.settled_at = utc_now() if after.state in FINAL else None
    if after.state in FINAL:
        figures.settled(after)
    if after.state in NOT_ARRIVED:
        await _draw_conclusions(session, message)
    await announce_status(session, message)


async def requeue(session: AsyncSession, message: Message, retry_after: float | None = None) -> None:
    growing = min(2.0 ** min(message.attempts, 8), 300.0) * random.uniform(0.7, 1.3)  # noqa: S311 - no secret
    message.state = DeliveryState.QUEUED
    message.next_attempt_at = utc_now() + timedelta(seconds=max(growing, retry_after or 0))
    await announce_status(session, message)


async def doubt(session: AsyncSession, message: Message, look_after: timedelta) -> None:
    """``look_after``: the carrier's list may lag so far behind what it has accepted."""
    message.state = DeliveryState.UNKNOWN
    message.next_attempt_at = utc_now() + look_after
    await announce_status(session, message)


async def adopt(session: AsyncSession, message: Message, text: CarrierText, source: str) -> None:
    """The carrier has it: its SID is ours now. A callback may have told us before."""
    await alarm_if_from_elsewhere(session, message, text.sender)
    await keep_event(session, message, report_of(message.id, text), source)
    if message.redelivered and text.sid in await sids_of(session, message):
        return  # a callback was faster, and told that it did not arrive: it waits for its next try
    if message.sid not in (None, text.sid):
        await keep_copy(session, message, text.sid)
        return
    give_sid(message, text.sid)
    if message.redelivered:
        await mark_doubled(session, message)
    await advance_message(session, message, Delivery(text.state, text.reason, text.code))


def give_sid(message: Message, sid: str) -> None:
    """The carrier has it, whatever we have concluded without having been told by it."""
    ours = message.state is DeliveryState.FAILED and message.code is None
    if message.sid is None and ours and not message.redelivered:
        message.state, message.reason = DeliveryState.UNKNOWN, None
    message.sid = sid


async def adopt_all(session: AsyncSession, taken: Sequence[tuple[OutgoingText, CarrierText]], source: str) -> set[int]:
    """As ``adopt``, in three statements for all that the carrier has just taken and of which nothing else is to be
    said; their message ids. The others are left to ``adopt``.
    """
    plain = [t for ours, t in taken if t.state is DeliveryState.ACCEPTED and t.sender == ours.sender]
    ids = {t.sid: ours.message_id for ours, t in taken}
    moved = (await session.execute(_ADOPT, {"ids": [ids[t.sid] for t in plain], "sids": [t.sid for t in plain]})).all()
    adopted = {row.id: row for row in moved}
    reports = [report_of(ids[t.sid], t) for t in plain if ids[t.sid] in adopted]
    if reports:
        await session.execute(_event(reports, source))
        await announce_all(session, [Change(ChangeKind.STATUS, r.inbox_id, r.thread_id, r.id) for r in moved])
    return set(adopted)


async def keep_event(session: AsyncSession, message: Message | None, report: StatusReport, source: str) -> bool:
    """Whether it is news; a repeated report is one event."""
    about = replace(report, message_id=message.id if message else None)
    return await session.scalar(_event([about], source).returning(col(DeliveryEvent.id))) is not None


def _event(reports: Sequence[StatusReport], source: str) -> Insert:
    """About texts of ours, by the message id of each, or about nobody's."""
    rows = [
        {
            "message_id": report.message_id,
            "sid": report.sid,
            "state": report.state,
            "reason": report.reason,
            "code": report.code,
            "source": source,
            "at": utc_now(),
        }
        for report in reports
    ]
    return insert(DeliveryEvent).values(rows).on_conflict_do_nothing()


def report_of(message_id: int | None, text: CarrierText) -> StatusReport:
    return StatusReport(message_id, text.sid, text.sender, text.recipient, text.state, text.reason, text.code, raw={})


async def _draw_conclusions(session: AsyncSession, message: Message) -> None:
    """What a failure says about the family, the sender, and the thread."""
    await session.flush()
    thread = await session.get_one(Thread, message.thread_id)
    if message.reason is FailureReason.OPTED_OUT and message.code is not None:
        asked = message.handed_over_at or utc_now()  # a START since then is newer, and stays
        await consent.opt_out(session, thread, message.number_id, ConsentSource.CARRIER, message.id, asked)
    elif message.reason in lanes.STOPS:
        await lanes.stop_for(session, message)
    arrived = exists().where(
        col(Message.thread_id) == col(Thread.id),
        col(Message.direction) == Direction.OUT,
        col(Message.author_id).is_not(None),
        col(Message.state).not_in(NOT_ARRIVED),
    )
    nobody_was_introduced = update(Thread).where(col(Thread.id) == message.thread_id, ~arrived)
    await session.execute(nobody_was_introduced.values(introduced_at=None))


async def announce_status(session: AsyncSession, message: Message) -> None:
    await session.flush()
    await announce(session, Change(ChangeKind.STATUS, message.inbox_id, message.thread_id, message.id))


_ADOPT = text("""
UPDATE message SET sid = taken.sid, state = 'accepted', reason = NULL, code = NULL, settled_at = NULL
FROM unnest(CAST(:ids AS bigint[]), CAST(:sids AS text[])) AS taken(id, sid)
WHERE message.id = taken.id AND message.state = 'submitting' AND message.sid IS NULL AND message.redelivered = 0
RETURNING message.id, message.inbox_id, message.thread_id
""")
