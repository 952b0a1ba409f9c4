"""Numbers of ours: one for each person and school that writes, bought when first needed."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, Text, and_, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import InboxKind, InboxRef
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.services import audit, number_limits, pooling
from tp_inbox.services.alerts import alert, settle
from tp_inbox.services.campaigns import campaign_of
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.ports import BoughtNumber, CarrierAway, NumberRefused, SmsGateway
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.places import schools_worked_at
from tp_inbox.storage.tables import Campaign, Inbox, Message, Number, School, Staff
from tp_inbox.storage.tables.messages import NumberState

log = logging.getLogger(__name__)

NO_NUMBER = "You cannot send texts yet: {why} Your district administrator has to mend it."
CAP_REACHED = "the district has reached its limit of numbers, and no shared number is free for this family."
NOT_BOUGHT = "no number could be bought for you. {problem}"
SCHOOL_HAS_NONE = (
    "The school has no number, and the district’s monthly limit for numbers is reached. "
    "Your district administrator can raise it."
)
GONE = "The phone company does not have this number any more. Your district administrator has to replace it."
RELEASING = "The number of earlier is being given back. A new one can be had in a few minutes; please try again then."
STOPPED = "Texts from this number are stopped. {problem} Your district administrator has to mend it."
CAMPAIGN_STOPPED = "Texts from this school’s numbers are stopped. Your district administrator has to mend it."
LONGEST_WAIT = timedelta(minutes=10)
LEASE = timedelta(minutes=2)
SPENT = "The monthly limit for numbers is reached."
TAKEN = "Another number of ours has just taken the one that was chosen."
LABEL_LENGTH = 64
WORTH_AN_ALERT = 8
"""Attempts, some ten minutes: what is not bought by then may need somebody."""
NOT_FOR_SALE = "A number could not be bought: {problem} Mend that, then press Buy again."
NOT_YET = "A number could not be bought yet: {problem} It is tried again and again."
NO_ANSWER = "the carrier does not answer."
SHARED_LABEL = "shared"


async def number_for(session: AsyncSession, inbox: InboxRef, phone_id: int, thread_id: int, limits: Limits) -> Number:
    """From which number this inbox texts this phone, wanted from now on if there was none: the shared one that the
    family knows already, else the inbox's own, else a shared one. Under the family phone's lock.

    Raises Unavailable when none can be had, or it is stopped.
    """
    number = await pooling.use_pair(session, thread_id) or await _own(session, inbox, limits)
    if number is None:
        number = await _shared(session, inbox, phone_id, thread_id, limits)
    if refusal := await stopped(session, number):
        raise refusal
    return number


async def number_in(session: AsyncSession, inbox: InboxRef, thread_id: int) -> Number | None:
    """From which number this inbox has texted in this thread, or would; None while nobody knows."""
    return await pooling.paired(session, thread_id) or await session.scalar(owned_by(inbox))


async def refusal_of(session: AsyncSession, inbox: InboxRef, number: Number | None) -> Unavailable | None:
    """Why nothing can leave from there now, as far as is known without trying."""
    if number is None:
        return None
    if not was_refused(number) or inbox.kind is InboxKind.SCHOOL:
        return await stopped(session, number)
    problem = await pooling.unbought(session, number.campaign_id)
    return _no_number(NOT_BOUGHT.format(problem=problem)) if problem else None


async def number_of_school(session: AsyncSession, inbox: InboxRef, limits: Limits) -> Number:
    """The school's own, wanted from now on if there was none. Raises Unavailable when it cannot be paid for."""
    number = await _own(session, inbox, limits)
    assert number is not None
    return number


async def _own(session: AsyncSession, inbox: InboxRef, limits: Limits) -> Number | None:
    """Two that ask at once get the same one. None for a person for whom none can be bought."""
    number = await _held(session, inbox)
    if number is None and await _may_want(session, inbox, limits):
        await _want(session, inbox)
        number = await _held(session, inbox)
    is_none = number is None or was_refused(number)
    return None if is_none and inbox.kind is InboxKind.PERSONAL else number


async def _held(session: AsyncSession, inbox: InboxRef) -> Number | None:
    """Cannot become ready between this and the text that is written with it: the text would stay without a sender."""
    return await session.scalar(owned_by(inbox).with_for_update(read=True))


async def _shared(session: AsyncSession, inbox: InboxRef, phone_id: int, thread_id: int, limits: Limits) -> Number:
    campaign_id = await campaign_of(session, inbox)
    area_code = await _area_code(session, inbox)
    number = await pooling.pair(session, campaign_id, phone_id, thread_id, area_code, limits)
    if number is None:
        raise _no_number(await _why_none(session, inbox, campaign_id))
    return number


async def _why_none(session: AsyncSession, inbox: InboxRef, campaign_id: int) -> str:
    own = await session.scalar(owned_by(inbox))
    problem = await pooling.unbought(session, campaign_id) or (own.problem if own else "")
    return NOT_BOUGHT.format(problem=problem) if problem else CAP_REACHED


def _no_number(why: str) -> Unavailable:
    return Unavailable(NO_NUMBER.format(why=why))


def was_refused(number: Number) -> bool:
    """The carrier would not sell it, so nobody has it."""
    return number.state is NumberState.STOPPED and number.sid is None


async def stopped(session: AsyncSession, number: Number) -> Unavailable | None:
    """Why nothing leaves from this number until an admin has mended it, or its campaign; None when it works."""
    if number.state is NumberState.STOPPED:
        return Unavailable(STOPPED.format(problem=number.problem))
    if number.state in LOST:
        return Unavailable(LOST[number.state])
    stopped_at = select(col(Campaign.stopped_at)).where(col(Campaign.id) == number.campaign_id)
    return Unavailable(CAMPAIGN_STOPPED) if await session.scalar(stopped_at) else None


LOST = {NumberState.GONE: GONE, NumberState.RELEASING: RELEASING}


def owned_by(inbox: InboxRef) -> Select[Number]:
    """Its own number; one that was given back is its own no more."""
    owner = col(Number.staff_id) == inbox.staff_id if inbox.staff_id else col(Number.school_id) == inbox.school_id
    return select(Number).where(owner, col(Number.state) != NumberState.RELEASED)


class Numbers:
    """Buying, which the worker does: no person waits for it, and no crash buys twice."""

    def __init__(self, db: Database, gateway: SmsGateway, limits: Limits) -> None:
        self._db = db
        self._gateway = gateway
        self._limits = limits

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
        """Writes down which number we are about to buy before buying it; None when it may not, or another took it."""
        if not await self._may_buy():
            await self._put_off(number, SPENT, stop=False)
            return None
        candidate = await self._gateway.available_number(number.area_code or None)
        try:
            async with self._db.transaction() as session:
                await self._change(session, number, e164=candidate, state=NumberState.BUYING)
        except IntegrityError:
            await self._put_off(number, TAKEN, stop=False)
            return None
        return candidate

    async def _may_buy(self) -> bool:
        """The limit may have been lowered since the number was wanted."""
        async with self._db.reading() as session:
            return await number_limits.is_affordable(session, self._limits, bought_only=True)

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
            await settle(session, AlertKind.NUMBER_NOT_BOUGHT, number.id)
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
            if stop or number.attempts >= WORTH_AN_ALERT:
                await _alert_unbought(session, number, problem, stop=stop)

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
        return f"tp-inbox {number.id}: {name or SHARED_LABEL}"[:LABEL_LENGTH]


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


async def _alert_unbought(session: AsyncSession, number: Number, problem: str, *, stop: bool) -> None:
    sentence = (NOT_FOR_SALE if stop else NOT_YET).format(problem=problem or NO_ANSWER)
    await alert(session, AlertKind.NUMBER_NOT_BOUGHT, sentence, number.id, number_id=number.id)


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


async def _want(session: AsyncSession, inbox: InboxRef) -> None:
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


async def _may_want(session: AsyncSession, inbox: InboxRef, limits: Limits) -> bool:
    """Raises Unavailable for a school, which never shares; for a person it is no when a limit is met."""
    await number_limits.hold(session)
    if await session.scalar(owned_by(inbox)):
        return True
    affordable = await number_limits.is_affordable(session, limits)
    if inbox.kind is InboxKind.PERSONAL:
        return affordable and await number_limits.has_room(session, limits, await campaign_of(session, inbox))
    if not affordable:
        raise Unavailable(SCHOOL_HAS_NONE)
    return True


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
