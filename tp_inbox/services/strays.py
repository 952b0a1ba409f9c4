"""A text that left from our number under a SID that we do not know: whose it is, and what becomes of it here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import composing, segments
from tp_inbox.domain.delivery import CLOCK_SKEW, FINAL, TOO_OLD, Delivery, DeliveryState, FailureReason
from tp_inbox.domain.operating import DifferenceKind
from tp_inbox.services import outbox, redelivering
from tp_inbox.services.handovers import keep_copy
from tp_inbox.services.ports import CarrierText
from tp_inbox.services.routing import PHONE, thread_with
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import EarlierHandover, Message, Number, Thread
from tp_inbox.storage.tables.messages import Direction, Purpose

SOURCE = "reconciliation"
IN_DOUBT = frozenset({DeliveryState.QUEUED, DeliveryState.SUBMITTING, DeliveryState.UNKNOWN})


class Placed(NamedTuple):
    """``message_id`` is None when it could be put nowhere."""

    kind: DifferenceKind
    message_id: int | None
    mended: bool


async def place(session: AsyncSession, text: CarrierText) -> Placed | None:
    """Gives the text to the message that waits for its fate, tells that it is a copy of one, or shows it as found.

    None when somebody else was quicker, and its SID is known by now.
    """
    await session.execute(PHONE, {"sender": text.recipient})  # always before a message's lock
    alike = await _alike(session, text)
    if await _is_known(session, text.sid):
        return None
    if message := next(filter(_waits_for_its_fate, alike), None):
        await outbox.adopt(session, message, text, SOURCE)
        return Placed(DifferenceKind.OUTBOUND_MISSING, message.id, mended=True)
    if message := next((each for each in alike if _was_on_its_way(each, _left_at(text))), None):
        await _tell_copy(session, message, text)
        return Placed(DifferenceKind.COPY, message.id, mended=False)
    found = await _show(session, text)
    return Placed(DifferenceKind.OUTBOUND_MISSING, found and found.id, mended=found is not None)


async def _alike(session: AsyncSession, text: CarrierText) -> Sequence[Message]:
    """Texts of ours with the same sender, recipient and words, written when this one can come of them; locked."""
    left = _left_at(text)
    written = (col(Message.created_at) <= left + CLOCK_SKEW, col(Message.created_at) > left - TOO_OLD - CLOCK_SKEW)
    between = (col(Message.sender) == text.sender, col(Message.recipient) == text.recipient)
    query = select(Message).where(*between, *written, col(Message.direction) == Direction.OUT).order_by(col(Message.id))
    found = await session.scalars(query.with_for_update())
    return [message for message in found if message.body.strip() == text.body.strip()]


async def _is_known(session: AsyncSession, sid: str) -> bool:
    now = select(col(Message.id)).where(col(Message.sid) == sid)
    earlier = select(col(EarlierHandover.message_id)).where(col(EarlierHandover.sid) == sid)
    return await session.scalar(now.union_all(earlier).limit(1)) is not None


def _left_at(text: CarrierText) -> datetime:
    return text.created_at or text.sent_at or utc_now()


def _waits_for_its_fate(message: Message) -> bool:
    """It was handed over at least once, and we do not know what came of it."""
    given_up = message.state is DeliveryState.FAILED and message.reason is FailureReason.UNCERTAIN
    return message.sid is None and message.handed_over_at is not None and (message.state in IN_DOUBT or given_up)


def _was_on_its_way(message: Message, at: datetime) -> bool:
    last = message.handed_over_at
    return last is not None and message.created_at - CLOCK_SKEW <= at <= last + CLOCK_SKEW


async def _tell_copy(session: AsyncSession, message: Message, text: CarrierText) -> None:
    await keep_copy(session, message, text.sid)
    await outbox.keep_event(session, message, outbox.report_of(message.id, text), SOURCE)
    await redelivering.take(session, message, text.sid, Delivery(text.state, text.reason, text.code))
    await outbox.announce_status(session, message)


async def _show(session: AsyncSession, text: CarrierText) -> Message | None:
    """In the conversation where the family met it, so that the staff see what the family has; None without one."""
    where = await thread_with(session, text.recipient, text.sender)
    if where is None:
        return None
    thread, number, _ = where
    message = _message(thread, number, text)
    session.add(message)
    await session.flush()
    if thread.last_at is None or message.created_at >= thread.last_at:
        thread.last_at, thread.last_message_id = message.created_at, message.id
        thread.last_direction, thread.last_author_id = Direction.OUT, None
        thread.preview = composing.preview_of(message.body, message.media)
    await outbox.keep_event(session, message, outbox.report_of(message.id, text), SOURCE)
    await announce(session, Change(ChangeKind.MESSAGE, thread.inbox_id, thread.id, message.id))
    return message


def _message(thread: Thread, number: Number, text: CarrierText) -> Message:
    left = text.sent_at or _left_at(text)
    return Message(
        thread_id=thread.id,
        inbox_id=thread.inbox_id,
        direction=Direction.OUT,
        number_id=number.id,
        sender=text.sender,
        recipient=text.recipient,
        written=text.body,
        body=text.body,
        media=text.media,
        segments=max(1, segments.count(text.body).segments),
        purpose=Purpose.FOUND,
        sid=text.sid,
        state=text.state,
        reason=text.reason,
        code=text.code,
        created_at=left,
        handed_over_at=left,
        settled_at=utc_now() if text.state in FINAL else None,
    )
