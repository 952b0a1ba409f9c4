"""The worker's side of sending: claim, hand over, write the outcome; and what is reported afterwards.

A message is `submitting` in the database before it goes over the network, and no transaction is open
while it does. What may have arrived is looked up before it is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain.consent import ConsentSource
from tp_inbox.domain.delivery import FINAL, WITH_CARRIER, Delivery, DeliveryState, FailureReason, advance
from tp_inbox.services import consent
from tp_inbox.services.ports import (
    Accepted,
    Ambiguous,
    CarrierAway,
    CarrierText,
    Handover,
    InboundText,
    NotAccepted,
    OutgoingText,
    SmsGateway,
    StatusReport,
)
from tp_inbox.services.receiving import Receiving
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.tables import DeliveryEvent, Message, Number, Thread
from tp_inbox.storage.tables.messages import Direction, NumberState

log = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 32
LEASE = timedelta(seconds=90)
"""Longer than a hand-over can take; a claim that is older belongs to a worker that died."""
LOOK_AFTER = timedelta(seconds=60)
"""The carrier's list may lag behind what it accepted."""
MOST_ATTEMPTS = 8
POLL_OVERLAP = timedelta(minutes=10)
POLL_FAR = timedelta(hours=12)
UNDATED_A_CYCLE = 5
CLOCK_SKEW = timedelta(minutes=5)


class Delivering:
    def __init__(self, db: Database, gateway: SmsGateway, receiving: Receiving) -> None:
        self._db = db
        self._gateway = gateway
        self._receiving = receiving

    async def hand_over_due(self) -> int:
        """Hands over what is due, several at once; how many were handed over."""
        texts = await self._claim()
        await asyncio.gather(*(self._hand_over(text) for text in texts))
        return len(texts)

    async def look_up_doubtful(self) -> int:
        """Settles what may have reached the carrier: adopts what it has, queues again what it has not."""
        doubtful = await self._claim_doubtful()
        for text, since in doubtful:
            await self._look_up(text, since)
        return len(doubtful)

    async def report(self, report: StatusReport, source: str = "webhook") -> None:
        """Takes a report about one text, from wherever it comes. Repeated and late ones change nothing."""
        if report.state is None:
            return
        async with self._db.transaction() as session:
            message = await _reported_message(session, report)
            if message is None:
                log.warning("delivering: a report for a text we do not know")
            new = await _keep_event(session, message, report, source)
            if message is not None and (new or report.state is not message.state):
                await _advance(session, message, Delivery(report.state, report.reason, report.code))

    async def poll(self) -> None:
        """Asks the carrier for everything recent: statuses whose callback was lost, and texts that never came."""
        since = await self._watermark()
        async for text in self._gateway.texts_since(since):
            await self._take(text)
        for sid in await self._undated():
            if text := await self._gateway.fetch(sid):
                await self._take(text)

    async def _claim(self) -> list[OutgoingText]:
        async with self._db.transaction() as session:
            claimed = []
            for message in await session.scalars(_due()):
                if await self._may_go(session, message):
                    claimed.append(_outgoing(message))
        return claimed

    async def _may_go(self, session: AsyncSession, message: Message) -> bool:
        """Asks for consent once more, under the same lock as STOP; then the claim is written."""
        thread = await session.get_one(Thread, message.thread_id)
        await consent.lock_phone(session, thread.phone_id)
        schools = await schools_of(session, thread.phone_id)
        if await consent.opt_out_of(session, thread.phone_id, message.number_id, schools):
            await _advance(session, message, Delivery(DeliveryState.FAILED, FailureReason.OPTED_OUT))
            return False
        message.state = DeliveryState.SUBMITTING
        message.attempts += 1
        message.handed_over_at = utc_now()
        message.next_attempt_at = utc_now() + LEASE
        return True

    async def _hand_over(self, text: OutgoingText) -> None:
        outcome: Handover = await self._gateway.send(text)
        async with self._db.transaction() as session:
            message = (await session.scalars(_locked(text.message_id))).one()
            await _write_outcome(session, message, outcome)

    async def _claim_doubtful(self) -> list[tuple[OutgoingText, datetime]]:
        query = (
            select(Message)
            .where(
                col(Message.state).in_([DeliveryState.SUBMITTING, DeliveryState.UNKNOWN]),
                col(Message.next_attempt_at) <= utc_now(),
            )
            .order_by(col(Message.next_attempt_at))
            .limit(CLAIMED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        async with self._db.transaction() as session:
            messages = (await session.scalars(query)).all()
            for message in messages:
                message.state = DeliveryState.UNKNOWN
                message.next_attempt_at = utc_now() + LEASE
            return [(_outgoing(m), (m.handed_over_at or m.created_at) - CLOCK_SKEW) for m in messages]

    async def _look_up(self, text: OutgoingText, since: datetime) -> None:
        try:
            found = await self._gateway.find(text, since, await self._known_sids(text, since))
        except CarrierAway:
            return
        async with self._db.transaction() as session:
            message = (await session.scalars(_locked(text.message_id))).one()
            if message.sid is not None or message.state is not DeliveryState.UNKNOWN:
                return
            if found is not None:
                await _adopt(session, message, found, "poll")
            else:
                await _requeue(session, message, None)

    async def _known_sids(self, text: OutgoingText, since: datetime) -> set[str]:
        query = select(col(Message.sid)).where(
            col(Message.recipient) == text.recipient,
            col(Message.sender) == text.sender,
            col(Message.handed_over_at) >= since,
            col(Message.sid).is_not(None),
        )
        async with self._db.reading() as session:
            return {sid for sid in await session.scalars(query) if sid}

    async def _watermark(self) -> datetime:
        now = utc_now()
        oldest = select(col(Message.created_at)).where(
            col(Message.state).in_(WITH_CARRIER), col(Message.created_at) > now - POLL_FAR
        )
        async with self._db.reading() as session:
            in_flight = await session.scalar(oldest.order_by(col(Message.created_at)).limit(1))
        return min(in_flight or now, now) - POLL_OVERLAP

    async def _undated(self) -> Sequence[str]:
        """The carrier lists by the date of sending, so what it has only accepted is asked for one by one."""
        query = (
            select(col(Message.sid))
            .where(
                col(Message.state) == DeliveryState.ACCEPTED,
                col(Message.created_at) < utc_now() - timedelta(seconds=30),
                col(Message.created_at) > utc_now() - POLL_FAR,
            )
            .order_by(col(Message.created_at))
            .limit(UNDATED_A_CYCLE)
        )
        async with self._db.reading() as session:
            return [sid for sid in await session.scalars(query) if sid]

    async def _take(self, text: CarrierText) -> None:
        if text.inbound:
            media = tuple(("", "") for _ in range(text.media))
            when = text.sent_at or text.created_at or utc_now()
            await self._receiving.receive(
                InboundText(text.sid, text.sender, text.recipient, text.body, media, None, {}, when)
            )
        elif await self._is_news(text):
            await self.report(_report(None, text), "poll")

    async def _is_news(self, text: CarrierText) -> bool:
        async with self._db.reading() as session:
            state = await session.scalar(select(col(Message.state)).where(col(Message.sid) == text.sid))
        return state is not None and state is not text.state


def _due():
    """Queued, due, from a number that is bought; in one thread one text after the other."""
    earlier = aliased(Message)
    before_it = exists().where(
        col(earlier.thread_id) == col(Message.thread_id),
        col(earlier.id) < col(Message.id),
        col(earlier.state).in_([DeliveryState.QUEUED, DeliveryState.SUBMITTING, DeliveryState.UNKNOWN]),
    )
    return (
        select(Message)
        .join(Number, col(Number.id) == col(Message.number_id))
        .where(
            col(Message.state) == DeliveryState.QUEUED,
            col(Message.next_attempt_at) <= utc_now(),
            col(Message.direction) == Direction.OUT,
            col(Number.state) == NumberState.ACTIVE,
            ~before_it,
        )
        .order_by(col(Message.next_attempt_at), col(Message.id))
        .limit(CLAIMED_AT_ONCE)
        .with_for_update(of=Message, skip_locked=True)
    )


def _locked(message_id: int):
    return select(Message).where(col(Message.id) == message_id).with_for_update()


def _outgoing(message: Message) -> OutgoingText:
    return OutgoingText(message.id, message.sender or "", message.recipient, message.body)


async def _write_outcome(session: AsyncSession, message: Message, outcome: Handover) -> None:
    match outcome:
        case Accepted(text=text):
            await _adopt(session, message, text, "handover")
        case NotAccepted(retry=False, stop_sender=False):
            await _advance(session, message, Delivery(DeliveryState.FAILED, outcome.reason, outcome.code))
        case NotAccepted():
            await _wait(session, message, outcome)
        case Ambiguous() if message.sid is None:
            await _doubt(session, message)


async def _adopt(session: AsyncSession, message: Message, text: CarrierText, source: str) -> None:
    """The carrier has it: its SID is ours now. A callback may have told us before."""
    if text.sender != message.sender:
        log.error("delivering: message %s left from another number than its inbox's", message.id)
    message.sid = text.sid
    await _keep_event(session, message, _report(message.id, text), source)
    await _advance(session, message, Delivery(text.state, text.reason, text.code))


def _report(message_id: int | None, text: CarrierText) -> StatusReport:
    return StatusReport(
        message_id, text.sid, text.sender, text.recipient, text.state, text.reason, text.code, raw={}
    )


async def _wait(session: AsyncSession, message: Message, outcome: NotAccepted) -> None:
    if outcome.stop_sender:
        number = await session.get_one(Number, message.number_id)
        number.state = NumberState.STOPPED
        number.problem = f"The carrier refuses it (code {outcome.code})."
        log.error("delivering: number %s is stopped (code %s)", number.id, outcome.code)
        await _advance(session, message, Delivery(DeliveryState.FAILED, outcome.reason, outcome.code))
    elif message.attempts >= MOST_ATTEMPTS:
        await _advance(session, message, Delivery(DeliveryState.FAILED, outcome.reason, outcome.code))
    else:
        await _requeue(session, message, outcome.retry_after)


async def _requeue(session: AsyncSession, message: Message, retry_after: float | None) -> None:
    growing = min(2.0 ** min(message.attempts, 8), 300.0) * random.uniform(0.7, 1.3)
    message.state = DeliveryState.QUEUED
    message.next_attempt_at = utc_now() + timedelta(seconds=max(growing, retry_after or 0))
    await _announce(session, message)


async def _doubt(session: AsyncSession, message: Message) -> None:
    message.state = DeliveryState.UNKNOWN
    message.next_attempt_at = utc_now() + LOOK_AFTER
    await _announce(session, message)


async def _reported_message(session: AsyncSession, report: StatusReport) -> Message | None:
    """By SID; else by our own id, which a callback may bring before our own write has."""
    by_sid = await session.scalar(select(Message).where(col(Message.sid) == report.sid).with_for_update())
    if by_sid is not None or report.message_id is None:
        return by_sid
    message = await session.scalar(_locked(report.message_id))
    if message is None or message.sid is not None or message.recipient != report.recipient:
        return None
    message.sid = report.sid
    return message


async def _keep_event(session: AsyncSession, message: Message | None, report: StatusReport, source: str) -> bool:
    event = insert(DeliveryEvent).values(
        message_id=message.id if message else None,
        sid=report.sid,
        state=report.state,
        reason=report.reason,
        code=report.code,
        source=source,
        at=utc_now(),
    )
    kept = await session.execute(event.on_conflict_do_nothing().returning(col(DeliveryEvent.id)))
    return kept.scalar_one_or_none() is not None


async def _advance(session: AsyncSession, message: Message, reported: Delivery) -> None:
    before = Delivery(message.state, message.reason, message.code)
    after = advance(before, reported)
    if after == before:
        return
    message.state, message.reason, message.code = after.state, after.reason, after.code
    message.settled_at = utc_now() if after.state in FINAL else None
    if after.reason is FailureReason.OPTED_OUT and reported.code is not None:
        thread = await session.get_one(Thread, message.thread_id)
        await consent.opt_out(session, thread, message.number_id, ConsentSource.CARRIER, message.id)
    await _announce(session, message)


async def _announce(session: AsyncSession, message: Message) -> None:
    await session.flush()
    await announce(session, Change(ChangeKind.STATUS, message.inbox_id, message.thread_id, message.id))
