"""The worker's side of sending: claim, hand over, write the outcome.

A message is `submitting` in the database before it goes over the network, and no transaction is open
while it does. What may have arrived is looked up before it is sent again.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain.delivery import Delivery, DeliveryState, FailureReason
from tp_inbox.services import consent
from tp_inbox.services.outbox import adopt, advance_message, doubt, locked, outgoing, requeue
from tp_inbox.services.ports import (
    Accepted,
    Ambiguous,
    CarrierAway,
    Handover,
    NotAccepted,
    OutgoingText,
    SmsGateway,
)
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Message, Number, Staff, Thread
from tp_inbox.storage.tables.messages import NumberState, Purpose

log = logging.getLogger(__name__)

LATER = frozenset(
    {FailureReason.TOO_BUSY, FailureReason.UNREACHABLE, FailureReason.CARRIER_PROBLEM, FailureReason.EXPIRED}
)
ONCE_MORE = frozenset({FailureReason.UNKNOWN})

CLAIMED_AT_ONCE = 32
LEASE = timedelta(seconds=90)
"""Longer than a hand-over can take; a claim that is older belongs to a worker that died."""
MOST_ATTEMPTS = 8
"""Of a text whose hand-over never gets an answer; one that was surely refused is tried until it is too old."""
TOO_OLD = timedelta(hours=4)
"""A text that could not leave for so long is held back: it would come at a strange hour, about what is over."""
CLOCK_SKEW = timedelta(minutes=5)
SURELY_KNOWN = timedelta(hours=1)


class Dispatching:
    def __init__(self, db: Database, gateway: SmsGateway) -> None:
        self._db = db
        self._gateway = gateway

    async def hand_over_due(self) -> int:
        """Hands over what is due, several at once; how many were handed over."""
        texts = await self._claim()
        outcomes = await asyncio.gather(*(self._hand_over(text) for text in texts), return_exceptions=True)
        for failure in filter(None, outcomes):
            raise failure  # the others are written down all the same
        return len(texts)

    async def look_up_doubtful(self) -> int:
        """Settles what may have reached the carrier: adopts what it has, queues again what it has not."""
        doubtful = await self._claim_doubtful()
        for text, since in doubtful:
            await self._look_up(text, since)
        return len(doubtful)

    async def _claim(self) -> list[OutgoingText]:
        async with self._db.transaction() as session:
            due = (await session.execute(_due())).all()
            await consent.lock_phones(session, {phone_id for _, phone_id in due})
            return [_claimed(m) for m, phone_id in due if await _is_open(session, m, phone_id)]

    async def _hand_over(self, text: OutgoingText) -> None:
        outcome: Handover = await self._gateway.send(text)
        async with self._db.transaction() as session:
            message = (await session.scalars(locked(text.message_id))).one()
            await _write_outcome(session, message, outcome)

    async def _claim_doubtful(self) -> list[tuple[OutgoingText, datetime]]:
        async with self._db.transaction() as session:
            messages = (await session.scalars(_doubtful())).all()
            for message in messages:
                message.state = DeliveryState.UNKNOWN
                message.next_attempt_at = utc_now() + LEASE
            return [(outgoing(m), (m.handed_over_at or m.created_at) - CLOCK_SKEW) for m in messages]

    async def _look_up(self, text: OutgoingText, since: datetime) -> None:
        try:
            found = await self._gateway.find(text, since, await self._known_sids(text, since))
        except CarrierAway:
            return
        async with self._db.transaction() as session:
            message = (await session.scalars(locked(text.message_id))).one()
            if message.sid is not None or message.state is not DeliveryState.UNKNOWN:
                return
            if found is not None:
                await adopt(session, message, found, "poll")
            elif message.attempts >= MOST_ATTEMPTS:
                await advance_message(session, message, Delivery(DeliveryState.FAILED, FailureReason.UNCERTAIN))
            else:
                await requeue(session, message)

    async def _known_sids(self, text: OutgoingText, since: datetime) -> set[str]:
        query = select(col(Message.sid)).where(
            col(Message.recipient) == text.recipient,
            col(Message.sender) == text.sender,
            col(Message.handed_over_at) >= since - SURELY_KNOWN,
            col(Message.sid).is_not(None),
        )
        async with self._db.reading() as session:
            return {sid for sid in await session.scalars(query) if sid}


def _due() -> Select[Message, int]:
    """With the family phone: queued, due, from a number that is bought; in one thread one text after the other.

    A number in quarantine sends automatic replies; what its owner had queued is taken up to be held back.
    """
    earlier = aliased(Message)
    before_it = exists().where(
        col(earlier.thread_id) == col(Message.thread_id),
        col(earlier.number_id) == col(Message.number_id),
        col(earlier.id) < col(Message.id),
        col(earlier.state).in_([DeliveryState.QUEUED, DeliveryState.SUBMITTING, DeliveryState.UNKNOWN]),
    )
    return (
        select(Message, col(Thread.phone_id))
        .join(Number, col(Number.id) == col(Message.number_id))
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .where(
            col(Message.state) == DeliveryState.QUEUED,
            col(Message.next_attempt_at) <= utc_now(),
            col(Message.sender).is_not(None),
            col(Number.state).in_([NumberState.ACTIVE, NumberState.QUARANTINED]),
            ~before_it,
        )
        .order_by(col(Message.next_attempt_at), col(Message.id))
        .limit(CLAIMED_AT_ONCE)
        .with_for_update(of=Message, skip_locked=True)
    )


async def _is_open(session: AsyncSession, message: Message, phone_id: int) -> bool:
    """Asks once more before it leaves: for consent, under the same lock as STOP; for its age; and for its author."""
    reason = None
    if await consent.holds_back(session, message, phone_id):
        reason = FailureReason.OPTED_OUT
    elif message.created_at < utc_now() - TOO_OLD:
        reason = FailureReason.EXPIRED
    elif not await _still_stands(session, message):
        reason = FailureReason.CANCELED
    if reason:
        await advance_message(session, message, Delivery(DeliveryState.FAILED, reason))
    return reason is None


async def _still_stands(session: AsyncSession, message: Message) -> bool:
    """Whether its author is still here; an automatic reply, whether the owner of its number is still away."""
    if message.author_id is not None:
        return bool(await session.scalar(select(col(Staff.active)).where(col(Staff.id) == message.author_id)))
    if message.purpose is not Purpose.AUTOMATIC:
        return True
    return (await session.get_one(Number, message.number_id)).quarantined_until is not None


async def hold_back(session: AsyncSession, staff_id: int) -> int:
    """What this person has queued and nobody hands over at this moment fails, with the reason; how many texts."""
    waiting = (
        select(Message)
        .where(col(Message.author_id) == staff_id, col(Message.state) == DeliveryState.QUEUED)
        .with_for_update(skip_locked=True)
    )
    held = (await session.scalars(waiting)).all()
    for message in held:
        await advance_message(session, message, Delivery(DeliveryState.FAILED, FailureReason.CANCELED))
    return len(held)


def _claimed(message: Message) -> OutgoingText:
    message.state = DeliveryState.SUBMITTING
    message.attempts += 1
    message.handed_over_at = utc_now()
    message.next_attempt_at = utc_now() + LEASE
    return outgoing(message)


def _doubtful() -> Select[Message]:
    return (
        select(Message)
        .where(
            col(Message.state).in_([DeliveryState.SUBMITTING, DeliveryState.UNKNOWN]),
            col(Message.next_attempt_at) <= utc_now(),
        )
        .order_by(col(Message.next_attempt_at))
        .limit(CLAIMED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )


async def _write_outcome(session: AsyncSession, message: Message, outcome: Handover) -> None:
    """Unless a callback was faster and told us that the carrier has it."""
    if isinstance(outcome, Accepted):
        await adopt(session, message, outcome.text, "handover")
    elif message.state is not DeliveryState.SUBMITTING:
        log.warning("dispatching: message %s was settled before its answer came", message.id)
    elif isinstance(outcome, Ambiguous):
        await doubt(session, message)
    elif _is_worth_another_try(message, outcome):
        await _put_back(session, message, outcome)
    else:
        await advance_message(session, message, Delivery(DeliveryState.FAILED, outcome.reason, outcome.code))


def _is_worth_another_try(message: Message, outcome: NotAccepted) -> bool:
    if outcome.reason in ONCE_MORE:
        return message.reason is not outcome.reason
    return outcome.reason in LATER


async def _put_back(session: AsyncSession, message: Message, outcome: NotAccepted) -> None:
    """The reason is kept for the next try, and for support."""
    message.reason, message.code = outcome.reason, outcome.code
    await requeue(session, message, outcome.retry_after)
