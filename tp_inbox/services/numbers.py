"""Numbers of ours: one for each person and school that writes, bought when first needed."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, Text, and_, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import InboxKind, InboxRef
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import audit
from tp_inbox.services.campaigns import campaign_of
from tp_inbox.services.ports import BoughtNumber, CarrierAway, NumberRefused, SmsGateway
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.places import schools_worked_at
from tp_inbox.storage.tables import Campaign, Inbox, Message, Number, School, Staff
from tp_inbox.storage.tables.messages import NumberState

log = logging.getLogger(__name__)

CAP_REACHED = (
    "The district has reached its limit of personal numbers, so yours cannot be bought. "
    "Ask your district administrator."
)
STOPPED = "Texts from this number are stopped: {problem} Your district administrator has to mend it."
CAMPAIGN_STOPPED = "Texts from this school’s numbers are stopped. Your district administrator has to mend it."
LONGEST_WAIT = timedelta(minutes=10)
LEASE = timedelta(minutes=2)
TAKEN = "Another number of ours has just taken the one that was chosen."
LABEL_LENGTH = 64
_CAP_LOCK = 7_100_001


async def number_of(session: AsyncSession, inbox: InboxRef, cap: int) -> Number:
    """The inbox's number, wanted from now on if there was none. Two that ask at once get the same one.

    Raises Unavailable when the cap on personal numbers is reached, or the number is stopped.
    """
    number = await _held(session, inbox)
    if number is None:
        await _want(session, inbox, cap)
        number = await _held(session, inbox)
    assert number is not None
    if refusal := await stopped(session, number):
        raise refusal
    return number


async def _held(session: AsyncSession, inbox: InboxRef) -> Number | None:
    """Cannot become ready between this and the text that is written with it: the text would stay without a sender."""
    return await session.scalar(owned_by(inbox).with_for_update(read=True))


async def stopped(session: AsyncSession, number: Number) -> Unavailable | None:
    """Why nothing leaves from this number until an admin has mended it, or its campaign; None when it works."""
    if number.state is NumberState.STOPPED:
        return Unavailable(STOPPED.format(problem=number.problem))
    stopped_at = select(col(Campaign.stopped_at)).where(col(Campaign.id) == number.campaign_id)
    return Unavailable(CAMPAIGN_STOPPED) if await session.scalar(stopped_at) else None


def owned_by(inbox: InboxRef) -> Select[Number]:
    """Its own number; one that was given back is its own no more."""
    owner = col(Number.staff_id) == inbox.staff_id if inbox.staff_id else col(Number.school_id) == inbox.school_id
    return select(Number).where(owner, col(Number.state) != NumberState.RELEASED)


class Numbers:
    """Buying, which the worker does: no person waits for it, and no crash buys twice."""

    def __init__(self, db: Database, gateway: SmsGateway) -> None:
        self._db = db
        self._gateway = gateway

    async def buy_wanted(self) -> int:
        """Buys what is wanted and due; how many were bought."""
        bought = 0
        while (number := await self._claim()) is not None:
            bought += await self._buy(number)
        return bought

    async def _claim(self) -> Number | None:
        async with self._db.transaction() as session:
            number = await session.scalar(_due())
            if number is not None:
                number.next_attempt_at = utc_now() + LEASE
                number.attempts += 1
        return number

    async def _buy(self, number: Number) -> bool:
        try:
            candidate = number.e164 or await self._choose(number)
            if candidate is None:
                return False
            await self._finish(number, await self._gateway.buy_number(candidate, await self._label(number)))
        except NumberRefused as refused:
            await self._put_off(number, refused.reason, stop=not refused.retry)
            return False
        except CarrierAway:
            await self._put_off(number, "", stop=False)
            return False
        return True

    async def _choose(self, number: Number) -> str | None:
        """Writes down which number we are about to buy before buying it; None when another took it first."""
        candidate = await self._gateway.available_number(number.area_code or None)
        try:
            async with self._db.transaction() as session:
                await self._change(session, number, e164=candidate, state=NumberState.BUYING)
        except IntegrityError:
            await self._put_off(number, TAKEN, stop=False)
            return None
        return candidate

    async def _finish(self, number: Number, bought: BoughtNumber) -> None:
        async with self._db.transaction() as session:
            await self._change(
                session,
                number,
                e164=bought.e164,
                sid=bought.sid,
                state=NumberState.ACTIVE,
                problem="",
                attempts=0,
                bought_at=utc_now(),
            )
            await record_change(session, number, "bought", bought.e164)
            await _let_go(session, number.id, bought.e164)
        log.info("numbers: number %s is ready", number.id)

    async def _put_off(self, number: Number, problem: str, *, stop: bool) -> None:
        """Without a problem nothing is known of what we tried to buy, so that very number is tried again."""
        changes: dict[str, Any] = {"state": NumberState.STOPPED} if stop else {}
        if problem and not stop:
            changes = {"state": NumberState.WANTED, "e164": None}
        log.warning("numbers: number %s cannot be bought yet (%s)", number.id, problem or "no answer")
        wait = min(timedelta(seconds=2 ** min(number.attempts, 10)), LONGEST_WAIT)
        async with self._db.transaction() as session:
            await self._change(session, number, problem=problem, next_attempt_at=utc_now() + wait, **changes)
            if stop:
                await record_change(session, number, "not_bought", problem=problem)

    async def _change(self, session: AsyncSession, number: Number, **values: Any) -> None:
        row = await session.get_one(Number, number.id)
        for name, value in values.items():
            setattr(row, name, value)
        await session.flush()

    async def _label(self, number: Number) -> str:
        """What an admin reads in the carrier's console."""
        owner = select(func.coalesce(col(Staff.name), col(School.name))).select_from(Number)
        owner = owner.outerjoin(Staff, col(Staff.id) == col(Number.staff_id))
        owner = owner.outerjoin(School, col(School.id) == col(Number.school_id))
        async with self._db.reading() as session:
            name = await session.scalar(owner.where(col(Number.id) == number.id))
        return f"tp-inbox {number.id}: {name}"[:LABEL_LENGTH]


async def record_change(session: AsyncSession, number: Number, change: str, e164: str = "", problem: str = "") -> None:
    """What happened to a number by itself, for the audit log. ``change``: "bought", "not_bought" or "stopped"."""
    names = {"number": e164 or number.e164 or "", "problem": problem}
    await audit.record(
        session,
        AuditKind.NUMBER_CHANGED,
        None,
        subject=number.staff_id,
        schools=[number.school_id] if number.school_id else None,
        facts={"number": number.id, "change": change} | ({"school": number.school_id} if number.school_id else {}),
        names={name: words for name, words in names.items() if words},
    )


def _due() -> Select[Number]:
    """Nothing is bought for somebody who has left; what was begun is brought to its end."""
    left = and_(col(Number.state) == NumberState.WANTED, col(Number.quarantined_until).is_not(None))
    wanted = col(Number.state).in_([NumberState.WANTED, NumberState.BUYING])
    return (
        select(Number)
        .where(wanted, ~left, col(Number.next_attempt_at) <= utc_now())
        .order_by(col(Number.next_attempt_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )


async def _let_go(session: AsyncSession, number_id: int, e164: str) -> None:
    """Texts that waited for their number leave from it now."""
    waiting = select(Message).where(col(Message.number_id) == number_id, col(Message.sender).is_(None))
    for message in await session.scalars(waiting):
        message.sender = e164
        message.next_attempt_at = utc_now()
        await announce(session, Change(ChangeKind.STATUS, message.inbox_id, message.thread_id, message.id))


async def _want(session: AsyncSession, inbox: InboxRef, cap: int) -> None:
    if inbox.kind is InboxKind.PERSONAL:
        await _require_room(session, inbox, cap)
    wanted = insert(Number).values(
        staff_id=inbox.staff_id,
        school_id=inbox.school_id,
        area_code=await _area_code(session, inbox),
        campaign_id=await campaign_of(session, inbox),
        pooled=False,
        state=NumberState.WANTED,
        problem="",
        attempts=0,
        next_attempt_at=utc_now(),
        join_attempts=0,
        join_at=utc_now(),
    )
    await session.execute(wanted.on_conflict_do_nothing())


async def _require_room(session: AsyncSession, inbox: InboxRef, cap: int) -> None:
    """Under a lock, so that two people do not share the last number that the cap allows."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CAP_LOCK})
    held = await session.scalar(select(func.count()).where(col(Number.staff_id).is_not(None)))
    if (held or 0) >= cap and not await session.scalar(owned_by(inbox)):
        raise Unavailable(CAP_REACHED)


async def _area_code(session: AsyncSession, inbox: InboxRef) -> str:
    """The school's; for a person that of the first of their schools by name."""
    from_school = select(col(School.area_code)).where(col(School.id) == inbox.school_id)
    return await session.scalar(from_school if inbox.school_id else _of_first_school(inbox.staff_id or 0)) or ""


def _of_first_school(staff_id: int) -> Select[str]:
    return (
        select(col(School.area_code))
        .where(col(School.id).in_(schools_worked_at(staff_id)))
        .order_by(col(School.name))
        .limit(1)
    )


async def personal_inbox(session: AsyncSession, staff_id: int) -> Inbox:
    """A person's one inbox, made when first asked for."""
    await session.execute(insert(Inbox).values(kind=InboxKind.PERSONAL, staff_id=staff_id).on_conflict_do_nothing())
    return (await session.scalars(select(Inbox).where(col(Inbox.staff_id) == staff_id))).one()


async def personal_inboxes(session: AsyncSession, staff_ids: Collection[int]) -> None:
    """The inboxes of many people, made where there are none yet."""
    ids = func.unnest(literal(list(staff_ids), ARRAY(BigInteger))).column_valued("staff_id")
    rows = select(literal(InboxKind.PERSONAL.value, Text), ids)
    await session.execute(insert(Inbox).from_select(["kind", "staff_id"], rows).on_conflict_do_nothing())
