"""Comparing our ledger with the carrier's. What one has and the other has not is mended where it can be, and told.

It goes through the time that is compared an hour at a time, oldest first, so that what is found late takes its place in
order, and no more than an hour of texts is held at once. Done again, it changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import CLOCK_SKEW, NOT_ARRIVED, SURELY_KNOWN, TOO_OLD
from tp_inbox.domain.errors import Invalid, Unavailable
from tp_inbox.domain.operating import AlertKind, DifferenceKind
from tp_inbox.services.alerts import alert
from tp_inbox.services.comparing import Known, OurSide, inbound_of, our_side
from tp_inbox.services.handovers import alarm_if_from_elsewhere, known_sids
from tp_inbox.services.outbox import announce_status, locked, outgoing, report_of
from tp_inbox.services.polling import A_PAGE
from tp_inbox.services.ports import CarrierAway, CarrierText, SmsGateway
from tp_inbox.services.receiving import Receiving
from tp_inbox.services.reconciliations import sentence_of
from tp_inbox.services.reporting import Reporting
from tp_inbox.services.strays import SOURCE, place
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import (
    DeliveryEvent,
    Difference,
    District,
    EarlierHandover,
    InboundRequest,
    Message,
    Number,
    Reconciliation,
)
from tp_inbox.storage.tables.messages import Direction, Doubled, NumberState

log = logging.getLogger(__name__)

RECONCILED = "reconcile with the carrier"
COMPARED = timedelta(days=2)
STILL_MOVING = timedelta(minutes=15)
"""Texts that are younger are not judged: their callbacks and webhooks may be on their way."""
AT_ONCE = timedelta(hours=1)
TO_THE_SECOND = timedelta(seconds=1)
"""The carrier's times are whole seconds, and both ends of a time that is asked for count."""
NIGHT = range(2, 5)
"""Hours on the district's clock. One turn an hour, until one has come to its end."""
ONCE_A_NIGHT = timedelta(hours=20)
FETCHED_AT_MOST, FETCHED_A_SECOND = 500, 5
DOUBTED_AT_MOST = 200

IN_THE_FUTURE = "Only texts from the past can be compared. Please give a day before today."
REMAINING = (
    "A comparison with the carrier’s records found {count} that could not be put right by itself. "
    "Look at them under Admin, Numbers."
)
DIFFERENCES = ("1 difference", "{count:,} differences")


@dataclass(slots=True)
class Found:
    """What one comparison has come to. ``elsewhere``: texts of numbers that are not ours. ``cleared``: texts that were
    taken for possible doubles, and are none. ``failed``: texts that could not be compared.
    """

    since: datetime
    until: datetime
    id: int = 0
    compared: int = 0
    elsewhere: int = 0
    cleared: int = 0
    failed: int = 0
    mended: Counter[DifferenceKind] = field(default_factory=Counter)
    remaining: Counter[DifferenceKind] = field(default_factory=Counter)

    def __str__(self) -> str:
        span = f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"
        lines = [f"Compared {self.compared:,} texts, from {span}."]
        for counted, mended in ((self.mended, True), (self.remaining, False)):
            lines += [f"{count:,} × {sentence_of(kind, mended=mended)}" for kind, count in sorted(counted.items())]
        if self.elsewhere:
            lines.append(f"Texts of numbers that are not ours: {self.elsewhere:,}")
        if self.failed:
            lines.append(f"Texts that could not be compared: {self.failed:,}. The log says why.")
        return "\n".join(lines if len(lines) > 1 else [*lines, "Both ledgers say the same."])


@dataclass(slots=True)
class _Run:
    """``numbers``: since when each is ours; what was before is somebody else's. ``unseen``: texts of ours that the
    carrier has not listed so far, by SID, with their ids.
    """

    found: Found
    numbers: Mapping[str, datetime | None]
    unseen: dict[str, int] = field(default_factory=dict)

    def is_ours(self, text: CarrierText) -> bool:
        number = text.recipient if text.inbound else text.sender
        since = self.numbers.get(number)
        return number in self.numbers and (since is None or text.sent_at is None or text.sent_at >= since)


class Reconciling:
    def __init__(self, db: Database, gateway: SmsGateway, reporting: Reporting, receiving: Receiving) -> None:
        self._db = db
        self._gateway = gateway
        self._reporting = reporting
        self._receiving = receiving

    async def reconcile_at_night(self) -> Found | None:
        """Once a night on the district's clock; asked every hour. None when it is not time."""
        return await self.reconcile() if await self._is_time() else None

    async def reconcile(self, since: datetime | None = None, until: datetime | None = None) -> Found:
        """Compares everything between these times, or of the last two days.

        Raises Invalid for a time that has not been yet, and CarrierAway when the carrier does not answer.
        """
        latest = utc_now() - STILL_MOVING
        until = min(until or latest, latest)
        since = since or until - COMPARED
        if since >= until:
            raise Invalid(IN_THE_FUTURE)
        run = await self._begin(since, until)
        for start, end in _hours(since, until):
            await self._compare(run, start, end)
        await self._look_for_unseen(run)
        await self._look_for_doubles(run)
        await self._end(run)
        return run.found

    async def start_of(self, day: date) -> datetime:
        """On the district's clock."""
        return datetime.combine(day, time.min, await self._zone()).astimezone(UTC)

    async def _is_time(self) -> bool:
        now = utc_now()
        done = exists().where(
            col(Reconciliation.began_at) > now - ONCE_A_NIGHT, col(Reconciliation.ended_at).is_not(None)
        )
        if now.astimezone(await self._zone()).hour not in NIGHT:
            return False
        async with self._db.reading() as session:
            return not await session.scalar(select(done))

    async def _zone(self) -> ZoneInfo:
        async with self._db.reading() as session:
            return ZoneInfo(await session.scalar(select(col(District.time_zone)).limit(1)) or "UTC")

    async def _begin(self, since: datetime, until: datetime) -> _Run:
        numbers = select(col(Number.e164), col(Number.bought_at)).where(col(Number.state) != NumberState.RELEASED)
        comparison = Reconciliation(since=since, until=until)
        async with self._db.transaction() as session:
            session.add(comparison)
            ours = {row.e164: row.bought_at for row in await session.execute(numbers) if row.e164}
        return _Run(Found(since, until, comparison.id), ours)

    async def _compare(self, run: _Run, start: datetime, end: datetime) -> None:
        listed = [text async for text in self._gateway.texts_since(start, end - TO_THE_SECOND)]
        listed.reverse()
        async with self._db.reading() as session:
            run.unseen |= {row.sid: row.id for row in await session.execute(_handed_over(start, end)) if row.sid}
        for first in range(0, len(listed), A_PAGE):
            page = listed[first : first + A_PAGE]
            ours = await our_side(self._db, self._receiving, page)
            for text in page:
                run.unseen.pop(text.sid, None)
                await self._take(run, ours, text)

    async def _take(self, run: _Run, ours: OurSide, text: CarrierText) -> None:
        """What is wrong with one text keeps no other from being compared."""
        run.found.compared += 1
        try:
            if run.is_ours(text) or text.sid in ours.known:
                await self._settle(run, ours, text)
            else:
                run.found.elsewhere += 1
        except (Unavailable, CarrierAway):
            raise
        except Exception:
            run.found.failed += 1
            log.exception("reconciling: %s could not be compared", text.sid)

    async def _settle(self, run: _Run, ours: OurSide, text: CarrierText) -> None:
        known = ours.known.get(text.sid)
        if text.inbound:
            if ours.is_news(text):
                await self._receive(run, text)
        elif known is None:
            await self._place(run, text)
        else:
            await self._compare_sender(run, known, text)
            if ours.is_news(text):
                await self._report(run, known.id, text)

    async def _receive(self, run: _Run, text: CarrierText) -> None:
        await self._receiving.receive(inbound_of(text), SOURCE)
        stored = select(col(InboundRequest.message_id)).where(col(InboundRequest.sid) == text.sid)
        async with self._db.transaction() as session:
            message_id = await session.scalar(stored)
            await _note(session, run, DifferenceKind.INBOUND_MISSING, text.sid, message_id, mended=bool(message_id))

    async def _place(self, run: _Run, text: CarrierText) -> None:
        async with self._db.transaction() as session:
            if placed := await place(session, text):
                await _note(session, run, placed.kind, text.sid, placed.message_id, mended=placed.mended)

    async def _compare_sender(self, run: _Run, known: Known, text: CarrierText) -> None:
        if not text.sender or text.sender == known.sender:
            return
        async with self._db.transaction() as session:
            message = (await session.scalars(locked(known.id))).one()
            if await _note(session, run, DifferenceKind.SENDER, text.sid, known.id, mended=False):
                await alarm_if_from_elsewhere(session, message, text.sender)

    async def _report(self, run: _Run, message_id: int, text: CarrierText) -> None:
        """It counts as a difference when it changes what we tell."""
        before = await self._standing(message_id)
        await self._reporting.report(report_of(None, text), SOURCE)
        if await self._standing(message_id) != before:
            async with self._db.transaction() as session:
                await _note(session, run, DifferenceKind.STATE, text.sid, message_id, mended=True)

    async def _standing(self, message_id: int) -> tuple[object, ...]:
        standing = select(col(Message.state), col(Message.reason), col(Message.redelivered))
        async with self._db.reading() as session:
            return tuple((await session.execute(standing.where(col(Message.id) == message_id))).one())

    async def _look_for_unseen(self, run: _Run) -> None:
        """The list goes by the date of sending: what it does not have may wait there still, and is asked for singly."""
        if len(run.unseen) > FETCHED_AT_MOST:
            log.warning("reconciling: %s texts are not listed; asking for the oldest of them", len(run.unseen))
        for place_in_line, (sid, message_id) in enumerate(list(run.unseen.items())[:FETCHED_AT_MOST]):
            await asyncio.sleep(1 / FETCHED_A_SECOND if place_in_line else 0)
            text = await self._gateway.fetch(sid)
            if text is not None:
                await self._take(run, await our_side(self._db, self._receiving, [text]), text)
                continue
            async with self._db.transaction() as session:
                await _note(session, run, DifferenceKind.MISSING_THERE, sid, message_id, mended=False)

    async def _look_for_doubles(self, run: _Run) -> None:
        """A text that may have been sent twice, and of which the carrier has one alone, was not."""
        async with self._db.reading() as session:
            doubted = (await session.scalars(_possible_doubles(run.found.since, run.found.until))).all()
        for message in doubted:
            since = message.created_at - CLOCK_SKEW
            async with self._db.reading() as session:
                known = await known_sids(session, message.sender or "", message.recipient, since - SURELY_KNOWN)
            if copy := await self._gateway.find(outgoing(message), since, known):
                await self._place(run, copy)
            else:
                await self._clear(run, message.id)

    async def _clear(self, run: _Run, message_id: int) -> None:
        async with self._db.transaction() as session:
            message = (await session.scalars(locked(message_id))).one()
            if message.doubled is Doubled.POSSIBLE:
                message.doubled = None
                run.found.cleared += 1
                await announce_status(session, message)

    async def _end(self, run: _Run) -> None:
        ended = update(Reconciliation).where(col(Reconciliation.id) == run.found.id)
        remaining = run.found.remaining.total()
        async with self._db.transaction() as session:
            await session.execute(ended.values(ended_at=func.now(), compared=run.found.compared))
            if remaining:
                count = DIFFERENCES[min(remaining, 2) - 1].format(count=remaining)
                await alert(session, AlertKind.DIFFERENCES, REMAINING.format(count=count))


def _hours(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        yield since, min(since + AT_ONCE, until)
        since += AT_ONCE


def _handed_over(start: datetime, end: datetime) -> Select[str | None, int]:
    """What the carrier took then, and what must therefore be on its list; what failed need not. Of each it has told us
    something, if only that it took it; what a demonstration begins with it never saw.
    """
    told = exists().where(col(DeliveryEvent.sid) == col(Message.sid))
    return select(col(Message.sid), col(Message.id)).where(
        col(Message.created_at) > start - TOO_OLD - CLOCK_SKEW,
        col(Message.created_at) < end,
        col(Message.handed_over_at) >= start,
        col(Message.handed_over_at) < end,
        col(Message.direction) == Direction.OUT,
        col(Message.sid).is_not(None),
        col(Message.state).not_in(NOT_ARRIVED),
        told,
    )


def _possible_doubles(since: datetime, until: datetime) -> Select[Message]:
    """Of those that were sent again knowingly the carrier has two, and nothing can be cleared."""
    sent_again = exists().where(col(EarlierHandover.message_id) == col(Message.id))
    within = (col(Message.created_at) >= since, col(Message.created_at) < until, col(Message.handed_over_at) < until)
    doubted = select(Message).where(col(Message.doubled) == Doubled.POSSIBLE, col(Message.sid).is_not(None), *within)
    return doubted.where(~sent_again).order_by(col(Message.id)).limit(DOUBTED_AT_MOST)


async def _note(
    session: AsyncSession, run: _Run, kind: DifferenceKind, sid: str, message_id: int | None, *, mended: bool
) -> bool:
    """Whether it is a new one: the same difference is found once, however often it is looked for."""
    row = insert(Difference).values(
        reconciliation_id=run.found.id, kind=kind, sid=sid, message_id=message_id, mended=mended, at=utc_now()
    )
    if await session.scalar(row.on_conflict_do_nothing().returning(col(Difference.id))) is None:
        return False
    (run.found.mended if mended else run.found.remaining)[kind] += 1
    return True
