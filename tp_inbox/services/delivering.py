"""The worker's side of sending: claim, hand over, write the outcome; and what is reported afterwards.

A message is `submitting` in the database before it goes over the network, and no transaction is open
while it does. What may have arrived is looked up before it is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain.consent import ConsentSource
from tp_inbox.domain.delivery import (
    FINAL,
    NOT_ARRIVED,
    WITH_CARRIER,
    Delivery,
    DeliveryState,
    FailureReason,
    advance,
    explain,
)
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import consent
from tp_inbox.services.numbers import record_change
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
from tp_inbox.storage.tables import DeliveryEvent, Message, Number, Staff, Thread, Watermark
from tp_inbox.storage.tables.messages import Direction, NumberState

log = logging.getLogger(__name__)

LATER = frozenset(
    {FailureReason.TOO_BUSY, FailureReason.UNREACHABLE, FailureReason.CARRIER_PROBLEM, FailureReason.EXPIRED}
)
ONCE_MORE = frozenset({FailureReason.UNKNOWN})
STOPS_THE_SENDER = frozenset(
    {FailureReason.ACCOUNT_PROBLEM, FailureReason.SENDER_NOT_READY, FailureReason.NOT_REGISTERED}
)
"""Nothing would leave from this number: the others that wait for it stay queued until an admin has mended it."""

CLAIMED_AT_ONCE = 32
LEASE = timedelta(seconds=90)
"""Longer than a hand-over can take; a claim that is older belongs to a worker that died."""
LOOK_AFTER = timedelta(seconds=60)
"""The carrier's list may lag behind what it accepted."""
MOST_ATTEMPTS = 8
"""Of a text whose hand-over never gets an answer; one that was surely refused is tried until it is too old."""
TOO_OLD = timedelta(hours=4)
"""A text that could not leave for so long is held back: it would come at a strange hour, about what is over."""
POLL_OVERLAP = timedelta(minutes=10)
POLL_FAR = timedelta(hours=12)
UNDATED_A_CYCLE = 50
UNDATED_AFTER = timedelta(seconds=30)
CLOCK_SKEW = timedelta(minutes=5)
SURELY_KNOWN = timedelta(hours=1)
POLLED = "poll delivery status"
A_PAGE = 1_000


class Delivering:
    def __init__(self, db: Database, gateway: SmsGateway, receiving: Receiving) -> None:
        self._db = db
        self._gateway = gateway
        self._receiving = receiving

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

    async def report(self, report: StatusReport, source: str = "webhook") -> None:
        """Takes a report about one text, from wherever it comes. Repeated and late ones change nothing."""
        async with self._db.transaction() as session:
            message = await _reported_message(session, report)
            await _keep_event(session, message, report, source)
            if message is None:
                log.warning("delivering: a report for a text we do not know")
            elif report.state is not None:
                await _advance(session, message, Delivery(report.state, report.reason, report.code))

    async def poll(self) -> None:
        """Asks the carrier for everything recent: statuses whose callback was lost, and texts that never came."""
        began = utc_now()
        news: list[CarrierText] = []
        async for page in _pages(self._gateway.texts_since(await self._since(began))):
            news += await self._news_in(page)
        for text in reversed(news):  # oldest first: a START must not be heard before its STOP
            await self._take(text)
        for sid in await self._undated():
            if text := await self._gateway.fetch(sid):
                await self._take(text)
        await self._came_as_far_as(began)

    async def _claim(self) -> list[OutgoingText]:
        async with self._db.transaction() as session:
            due = (await session.execute(_due())).all()
            await consent.lock_phones(session, {phone_id for _, phone_id in due})
            return [_claimed(m) for m, phone_id in due if await _is_open(session, m, phone_id)]

    async def _hand_over(self, text: OutgoingText) -> None:
        outcome: Handover = await self._gateway.send(text)
        async with self._db.transaction() as session:
            message = (await session.scalars(_locked(text.message_id))).one()
            await _write_outcome(session, message, outcome)

    async def _claim_doubtful(self) -> list[tuple[OutgoingText, datetime]]:
        async with self._db.transaction() as session:
            messages = (await session.scalars(_doubtful())).all()
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
            elif message.attempts >= MOST_ATTEMPTS:
                await _advance(session, message, Delivery(DeliveryState.FAILED, FailureReason.UNCERTAIN))
            else:
                await _requeue(session, message)

    async def _known_sids(self, text: OutgoingText, since: datetime) -> set[str]:
        query = select(col(Message.sid)).where(
            col(Message.recipient) == text.recipient,
            col(Message.sender) == text.sender,
            col(Message.handed_over_at) >= since - SURELY_KNOWN,
            col(Message.sid).is_not(None),
        )
        async with self._db.reading() as session:
            return {sid for sid in await session.scalars(query) if sid}

    async def _since(self, now: datetime) -> datetime:
        """From the oldest text in flight or the last good look on, whichever is earlier."""
        oldest = select(func.min(col(Message.created_at))).where(
            col(Message.state).in_(WITH_CARRIER), col(Message.created_at) > now - POLL_FAR
        )
        async with self._db.reading() as session:
            in_flight = await session.scalar(oldest)
            looked = await session.scalar(select(col(Watermark.at)).where(col(Watermark.name) == POLLED))
        return min(in_flight or now, looked or now) - POLL_OVERLAP

    async def _came_as_far_as(self, at: datetime) -> None:
        mark = insert(Watermark).values(name=POLLED, at=at)
        async with self._db.transaction() as session:
            await session.execute(mark.on_conflict_do_update(index_elements=["name"], set_={"at": mark.excluded.at}))

    async def _news_in(self, page: Sequence[CarrierText]) -> list[CarrierText]:
        """Texts of families that never came, and texts of ours that stand otherwise than we know."""
        stored = await self._receiving.stored([text.sid for text in page if text.inbound])
        known = select(col(Message.sid), col(Message.state)).where(
            col(Message.sid).in_([text.sid for text in page if not text.inbound])
        )
        async with self._db.reading() as session:
            states = {row.sid: row.state for row in await session.execute(known)}
        return [t for t in page if (t.sid not in stored if t.inbound else states.get(t.sid, t.state) is not t.state)]

    async def _undated(self) -> Sequence[str]:
        """The carrier lists by the date of sending, so what it has only accepted is asked for one by one, in turn."""
        async with self._db.transaction() as session:
            asked = (await session.scalars(_accepted_long_ago())).all()
            for message in asked:
                message.next_attempt_at = utc_now() + LEASE  # as a text that was handed over just now
            return [message.sid for message in asked if message.sid]

    async def _take(self, text: CarrierText) -> None:
        """What is wrong with one text keeps nobody else's from being taken."""
        try:
            if text.inbound:
                await self._receiving.receive(_inbound(text))
            else:
                await self.report(_report(None, text), "poll")
        except Unavailable:
            raise
        except Exception:
            log.exception("delivering: %s could not be taken over from the carrier's list", text.sid)


async def _pages(texts: AsyncIterator[CarrierText]) -> AsyncIterator[list[CarrierText]]:
    page: list[CarrierText] = []
    async for text in texts:
        page.append(text)
        if len(page) == A_PAGE:
            yield page
            page = []
    yield page


def _inbound(text: CarrierText) -> InboundText:
    media = tuple(("", "") for _ in range(text.media))
    when = text.sent_at or text.created_at or utc_now()
    return InboundText(text.sid, text.sender, text.recipient, text.body, media, None, {}, when)


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
    if await consent.opt_out_of(session, phone_id, message.inbox_id, message.number_id):
        reason = FailureReason.OPTED_OUT
    elif message.created_at < utc_now() - TOO_OLD:
        reason = FailureReason.EXPIRED
    elif not await _still_stands(session, message):
        reason = FailureReason.CANCELED
    if reason:
        await _advance(session, message, Delivery(DeliveryState.FAILED, reason))
    return reason is None


async def _still_stands(session: AsyncSession, message: Message) -> bool:
    """Whether its author is still here; an automatic reply, whether the owner of its number is still away."""
    if message.author_id is not None:
        return bool(await session.scalar(select(col(Staff.active)).where(col(Staff.id) == message.author_id)))
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
        await _advance(session, message, Delivery(DeliveryState.FAILED, FailureReason.CANCELED))
    return len(held)


def _claimed(message: Message) -> OutgoingText:
    message.state = DeliveryState.SUBMITTING
    message.attempts += 1
    message.handed_over_at = utc_now()
    message.next_attempt_at = utc_now() + LEASE
    return _outgoing(message)


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


def _accepted_long_ago() -> Select[Message]:
    return (
        select(Message)
        .where(
            col(Message.state) == DeliveryState.ACCEPTED,
            col(Message.handed_over_at) < utc_now() - UNDATED_AFTER,
            col(Message.created_at) > utc_now() - POLL_FAR,
        )
        .order_by(col(Message.next_attempt_at))
        .limit(UNDATED_A_CYCLE)
        .with_for_update(skip_locked=True)
    )


def _locked(message_id: int) -> Select[Message]:
    return select(Message).where(col(Message.id) == message_id).with_for_update()


def _outgoing(message: Message) -> OutgoingText:
    return OutgoingText(message.id, message.sender or "", message.recipient, message.body)


async def _write_outcome(session: AsyncSession, message: Message, outcome: Handover) -> None:
    """Unless a callback was faster and told us that the carrier has it."""
    if isinstance(outcome, Accepted):
        await _adopt(session, message, outcome.text, "handover")
    elif message.state is not DeliveryState.SUBMITTING:
        log.warning("delivering: message %s was settled before its answer came", message.id)
    elif isinstance(outcome, Ambiguous):
        await _doubt(session, message)
    elif _is_worth_another_try(message, outcome):
        await _put_back(session, message, outcome)
    else:
        await _advance(session, message, Delivery(DeliveryState.FAILED, outcome.reason, outcome.code))


def _is_worth_another_try(message: Message, outcome: NotAccepted) -> bool:
    if outcome.reason in ONCE_MORE:
        return message.reason is not outcome.reason
    return outcome.reason in LATER


async def _put_back(session: AsyncSession, message: Message, outcome: NotAccepted) -> None:
    """The reason is kept for the next try, and for support."""
    message.reason, message.code = outcome.reason, outcome.code
    await _requeue(session, message, outcome.retry_after)


async def _adopt(session: AsyncSession, message: Message, text: CarrierText, source: str) -> None:
    """The carrier has it: its SID is ours now. A callback may have told us before."""
    _alarm_if_from_elsewhere(message, text.sender)
    if message.sid not in (None, text.sid):
        log.error("delivering: message %s was handed over twice", message.id)
        return
    message.sid = text.sid
    await _keep_event(session, message, _report(message.id, text), source)
    await _advance(session, message, Delivery(text.state, text.reason, text.code))


def _alarm_if_from_elsewhere(message: Message, sender: str) -> None:
    if sender and sender != message.sender:
        log.error("delivering: message %s left from another number than its inbox's", message.id)


def _report(message_id: int | None, text: CarrierText) -> StatusReport:
    return StatusReport(message_id, text.sid, text.sender, text.recipient, text.state, text.reason, text.code, raw={})


async def _requeue(session: AsyncSession, message: Message, retry_after: float | None = None) -> None:
    growing = min(2.0 ** min(message.attempts, 8), 300.0) * random.uniform(0.7, 1.3)  # noqa: S311 - no secret
    message.state = DeliveryState.QUEUED
    message.next_attempt_at = utc_now() + timedelta(seconds=max(growing, retry_after or 0))
    await _announce(session, message)


async def _doubt(session: AsyncSession, message: Message) -> None:
    message.state = DeliveryState.UNKNOWN
    message.next_attempt_at = utc_now() + LOOK_AFTER
    await _announce(session, message)


async def _reported_message(session: AsyncSession, report: StatusReport) -> Message | None:
    """By SID; else by our own id, which a callback may bring before our own write has."""
    message = await session.scalar(select(Message).where(col(Message.sid) == report.sid).with_for_update())
    if message is None and report.message_id is not None:
        message = await session.scalar(_locked(report.message_id))
        if message is None or message.sid is not None or message.recipient != report.recipient:
            return None
        message.sid = report.sid
    if message is not None:
        _alarm_if_from_elsewhere(message, report.sender)
    return message


async def _keep_event(session: AsyncSession, message: Message | None, report: StatusReport, source: str) -> None:
    event = insert(DeliveryEvent).values(
        message_id=message.id if message else None,
        sid=report.sid,
        state=report.state,
        reason=report.reason,
        code=report.code,
        source=source,
        at=utc_now(),
    )
    await session.execute(event.on_conflict_do_nothing())


async def _advance(session: AsyncSession, message: Message, reported: Delivery) -> None:
    before = Delivery(message.state, message.reason, message.code)
    after = advance(before, reported)
    if after == before:
        return
    message.state, message.reason, message.code = after.state, after.reason, after.code
    message.settled_at = utc_now() if after.state in FINAL else None
    if after.state in NOT_ARRIVED:
        await _draw_conclusions(session, message)
    await _announce(session, message)


async def _draw_conclusions(session: AsyncSession, message: Message) -> None:
    """What a failure says about the family, the sender, and the thread."""
    await session.flush()
    thread = await session.get_one(Thread, message.thread_id)
    if message.reason is FailureReason.OPTED_OUT and message.code is not None:
        asked = message.handed_over_at or utc_now()  # a START since then is newer, and stays
        await consent.opt_out(session, thread, message.number_id, ConsentSource.CARRIER, message.id, asked)
    elif message.reason in STOPS_THE_SENDER:
        await _stop_sender(session, message)
    arrived = exists().where(
        col(Message.thread_id) == col(Thread.id),
        col(Message.direction) == Direction.OUT,
        col(Message.author_id).is_not(None),
        col(Message.state).not_in(NOT_ARRIVED),
    )
    nobody_was_introduced = update(Thread).where(col(Thread.id) == message.thread_id, ~arrived)
    await session.execute(nobody_was_introduced.values(introduced_at=None))


async def _stop_sender(session: AsyncSession, message: Message) -> None:
    number = await session.get_one(Number, message.number_id, with_for_update={"key_share": True})
    if number.state is NumberState.ACTIVE:
        number.state = NumberState.STOPPED
        number.problem = explain(message.reason).sentence
        log.error("delivering: number %s is stopped (code %s)", number.id, message.code)
        await record_change(session, number, "stopped", problem=number.problem)
        await announce(session, Change(ChangeKind.CONSENT, message.inbox_id))


async def _announce(session: AsyncSession, message: Message) -> None:
    await session.flush()
    await announce(session, Change(ChangeKind.STATUS, message.inbox_id, message.thread_id, message.id))
