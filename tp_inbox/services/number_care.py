"""What numbers need by themselves: a shared one in place of one that is not sold, and an end of what nobody needs.

And the comparison with the carrier: a number that it has no more, webhooks that lead elsewhere, a service without one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, any_, delete, exists, false, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.delivery import Delivery, DeliveryState, FailureReason
from tp_inbox.domain.errors import Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.domain.permissions import Level, P
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import consent, number_limits
from tp_inbox.services.actors import actors_of
from tp_inbox.services.alerts import alert, settle
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.numbers import number_for, record_change
from tp_inbox.services.outbox import advance_message, announce_status
from tp_inbox.services.ports import CarrierAway, CarrierNumber, NumberRefused, ServiceGone, SmsGateway
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.queries.scope import inbox_ref
from tp_inbox.storage.tables import (
    Alert,
    Campaign,
    Inbox,
    Message,
    Number,
    Pair,
    ReadMarker,
    Role,
    School,
    Staff,
    Thread,
    UnknownNumber,
)
from tp_inbox.storage.tables.messages import NumberState

log = logging.getLogger(__name__)

MOVED_AT_ONCE = 100
RETRIED_AFTER = timedelta(minutes=10)
JUST_BOUGHT = timedelta(minutes=5)
"""The carrier's list may lag behind what it has sold."""
THERE = (NumberState.ACTIVE, NumberState.STOPPED, NumberState.QUARANTINED)
NOT_LEFT = (DeliveryState.QUEUED, DeliveryState.SUBMITTING, DeliveryState.UNKNOWN)

SPENT = (
    "The monthly limit for numbers is reached: {count} numbers are {cost} of {cap} dollars. No more are bought; people "
    "who have none text from shared ones. Give numbers back, or raise MONTHLY_SPENDING_CAP."
)
ALL_PERSONAL = (
    "All {count} numbers that people may have are in use. Who has none texts from shared ones. "
    "Raise PERSONAL_NUMBER_CAP if that should not be so."
)
FULL = (
    "{name} has as many numbers as phone companies take in one campaign. Who has none there texts from shared ones. "
    "Ask Twilio for a number pool, then raise NUMBERS_PER_CAMPAIGN."
)
LOST = (
    "Twilio does not have {number} any more, so nothing leaves from it and families reach nobody there. If it was not "
    "given up on purpose, ask Twilio for it at once; otherwise replace it here."
)
NONE_THERE = (
    "Twilio lists none of the district’s numbers. Look whether TWILIO_ACCOUNT_SID is the account that rents them. "
    "Until then nothing is changed here."
)
ASTRAY = (
    "Texts and calls to {number} are led somewhere else, and it could not be changed: {reason} "
    "Set its addresses in Twilio’s console, or find out who changes them."
)
UNREAD = (
    "Families write to {name}, who has an account and may not read personal messages any more, so nobody reads them. "
    "Give back a role that allows it. If colleagues shall go on instead, deactivate the account then, and choose who "
    "takes over."
)
NOT_RELEASED = "{number} could not be given back: {reason} It costs money until then, and is tried again by itself."
OF_A_NUMBER = (
    AlertKind.NUMBER_GONE,
    AlertKind.NUMBER_MISPLACED,
    AlertKind.NUMBER_NOT_BOUGHT,
    AlertKind.NUMBER_STOPPED,
)
DISTRICT = "The district’s campaign"
ALL = "all"


class NumberCare:
    def __init__(self, db: Database, gateway: SmsGateway, limits: Limits) -> None:
        self._db = db
        self._gateway = gateway
        self._limits = limits
        self._compared_at = datetime.min.replace(tzinfo=UTC)

    # What waits for a number --------------------------------------------------------------------------------

    async def help_waiting(self) -> int:
        """Gives a shared number to texts whose own could not be bought; how many texts."""
        moved = 0
        for message_id, phone_id in await self._without_number():
            moved += await self._share(message_id, phone_id)
        return moved

    async def _without_number(self) -> list[tuple[int, int]]:
        refused = and_(col(Number.state) == NumberState.STOPPED, col(Number.sid).is_(None))
        waiting = (
            select(col(Message.id), col(Thread.phone_id))
            .join(Number, col(Number.id) == col(Message.number_id))
            .join(Thread, col(Thread.id) == col(Message.thread_id))
            .where(_WAITS, refused, col(Number.staff_id).is_not(None))
            .order_by(col(Message.id))
            .limit(MOVED_AT_ONCE)
        )
        async with self._db.reading() as session:
            return [(row[0], row[1]) for row in await session.execute(waiting)]

    async def _share(self, message_id: int, phone_id: int) -> bool:
        async with self._db.transaction() as session:
            await consent.lock_phones(session, [phone_id])
            mine = select(Message).where(col(Message.id) == message_id, _WAITS)
            message = await session.scalar(mine.with_for_update(skip_locked=True))
            if message is None:
                return False
            inbox = inbox_ref(await session.get_one(Inbox, message.inbox_id))
            try:
                number = await number_for(session, inbox, phone_id, message.thread_id, self._limits)
            except Unavailable:
                return False  # it waits for an admin, until it is too late
            message.number_id, message.next_attempt_at = number.id, utc_now()
            message.sender = number.e164 if number.sid else None
            await announce_status(session, message)
            return True

    # Limits -------------------------------------------------------------------------------------------------

    async def watch_limits(self) -> None:
        """Tells the admins when a limit is reached, and no more when it is not."""
        async with self._db.transaction() as session:
            await _tell(session, AlertKind.SPENDING_CAP, "", await self._spent(session))
            await _tell(session, AlertKind.NUMBER_CAP, "", await self._all_personal(session))
            for campaign, name in (await session.execute(_CAMPAIGNS)).all():
                full = await self._full(session, campaign, name or DISTRICT)
                await _tell(session, AlertKind.NUMBER_CAP, campaign.id, full, campaign.id)

    async def _spent(self, session: AsyncSession) -> str:
        if await number_limits.is_affordable(session, self._limits):
            return ""
        count = await number_limits.count(session)
        return SPENT.format(count=count, cost=f"{count * self._limits.price:.2f}", cap=f"{self._limits.spending:.2f}")

    async def _all_personal(self, session: AsyncSession) -> str:
        count = await number_limits.count(session, col(Number.staff_id).is_not(None))
        # Without any by intention, nothing needs to be told.
        return ALL_PERSONAL.format(count=count) if 0 < self._limits.personal <= count else ""

    async def _full(self, session: AsyncSession, campaign: Campaign, name: str) -> str:
        own = await number_limits.count(session, col(Number.campaign_id) == campaign.id, ~col(Number.pooled))
        met = campaign.full_at is not None or 0 < self._limits.own_per_campaign <= own
        return FULL.format(name=name) if met else ""

    # Nobody reads ---------------------------------------------------------------------------------------------

    async def watch_unread(self) -> None:
        """Tells the admins of texts that wait for somebody who has an account and may not read them; no more when
        somebody reads them. Not done when a text comes in: then nobody would know that it is over.
        """
        async with self._db.transaction() as session:
            waiting = {row[0]: row[1] for row in await session.execute(_UNREAD)}
            people = await actors_of(session, waiting)
            cut_off = [person for person in people.values() if not access.has_personal_inbox(person)]
            for person in cut_off:
                sentence = UNREAD.format(name=person.name)
                await _tell(session, _NOBODY, person.staff_id, sentence, number_id=waiting[person.staff_id])
            await _settle_others(session, _NOBODY, {str(person.staff_id) for person in cut_off})

    # The carrier's list ---------------------------------------------------------------------------------------

    async def compare_with_carrier(self) -> None:
        """What the carrier has no more is gone; what leads elsewhere is led here again; who left a service joins it
        again. Raises CarrierAway, and then nothing was changed.
        """
        began = utc_now()
        theirs = {number.sid: number for number in await self._gateway.our_numbers()}
        await self._note_unknown(theirs.values())
        ours = await self._ours(before=began - JUST_BOUGHT)
        missing = [number for number in ours if number.sid not in theirs]
        if missing and len(missing) == len(ours) > 1:
            await self._tell_none_is_there()
            return
        await self._lose(missing)
        await self._find_again(theirs.keys())
        await self._lead_here([theirs[number.sid] for number in ours if number.sid in theirs])
        await self._compare_services()

    async def compare_where_stopped(self) -> None:
        """A number that has just been stopped may not be the carrier's any more: then it is to be replaced, and not to
        be resumed.
        """
        standing = (col(Alert.kind) == AlertKind.NUMBER_STOPPED, col(Alert.settled_at).is_(None))
        async with self._db.reading() as session:
            stopped_at = await session.scalar(select(func.max(col(Alert.last_at))).where(*standing))
        if stopped_at is not None and stopped_at > self._compared_at:
            now = utc_now()
            await self.compare_with_carrier()
            self._compared_at = now

    async def _ours(self, before: datetime) -> list[Number]:
        bought_before = or_(col(Number.bought_at).is_(None), col(Number.bought_at) < before)
        query = select(Number).where(col(Number.sid).is_not(None), col(Number.state).in_(THERE), bought_before)
        async with self._db.reading() as session:
            return list(await session.scalars(query))

    async def _note_unknown(self, theirs: Iterable[CarrierNumber]) -> None:
        """What costs money and is not used here: of another product, or left over."""
        async with self._db.transaction() as session:
            known = select(col(Number.e164), col(Number.sid)).where(col(Number.state) != NumberState.RELEASED)
            ours = {word for row in await session.execute(known) for word in row}
            await session.execute(delete(UnknownNumber))
            session.add_all(
                UnknownNumber(sid=n.sid, e164=n.e164, label=n.label) for n in theirs if not {n.sid, n.e164} & ours
            )

    async def _tell_none_is_there(self) -> None:
        async with self._db.transaction() as session:
            await _tell(session, AlertKind.NUMBER_GONE, ALL, NONE_THERE)

    async def _lose(self, missing: Iterable[Number]) -> None:
        async with self._db.transaction() as session:
            await settle(session, AlertKind.NUMBER_GONE, ALL)
        for number in missing:
            async with self._db.transaction() as session:
                row = await session.get_one(Number, number.id, with_for_update={"key_share": True})
                if row.state in THERE:
                    await _lose(session, row)

    async def _find_again(self, sids: Collection[str]) -> None:
        """Somebody has got it back from the carrier."""
        async with self._db.transaction() as session:
            back = and_(col(Number.state) == NumberState.GONE, col(Number.sid).in_(sids))
            for number in await session.scalars(select(Number).where(back).with_for_update(key_share=True)):
                left = number.quarantined_until is not None
                number.state = NumberState.QUARANTINED if left else NumberState.ACTIVE
                number.problem, number.joined_id, number.join_at = "", None, utc_now()
                await settle(session, AlertKind.NUMBER_GONE, number.id)
                await _open_and_close(session, number)

    async def _lead_here(self, numbers: Iterable[CarrierNumber]) -> None:
        for number in numbers:
            if number.leads_here:
                continue
            reason = ""
            try:
                await self._gateway.lead_here(number.sid)
                log.warning("numbers: the webhooks of %s led elsewhere, and are set again", number.sid)
            except NumberRefused as refused:
                reason = refused.reason
            async with self._db.transaction() as session:
                sentence = ASTRAY.format(number=display_phone(number.e164), reason=reason) if reason else ""
                await _tell(session, AlertKind.NUMBER_MISPLACED, f"webhooks of {number.sid}", sentence)

    async def _compare_services(self) -> None:
        async with self._db.reading() as session:
            query = select(col(Campaign.id), col(Campaign.sid)).where(col(Campaign.sid).is_not(None))
            services = [(row[0], row[1] or "") for row in await session.execute(query)]
        for campaign_id, service in services:
            try:
                members = await self._gateway.numbers_in(service)
            except ServiceGone:
                members = frozenset[str]()
            await self._join_again(campaign_id, members)

    async def _join_again(self, campaign_id: int, members: Collection[str]) -> None:
        left = and_(col(Number.joined_id) == campaign_id, col(Number.sid).not_in(members))
        async with self._db.transaction() as session:
            values = {"joined_id": None, "join_at": utc_now(), "join_attempts": 0}
            await session.execute(update(Number).where(left, col(Number.state).in_(THERE)).values(values))

    # Giving back ----------------------------------------------------------------------------------------------

    async def give_back_due(self) -> int:
        """Gives back what has been in quarantine for its time, and what an admin gave up; how many numbers.

        The order is: ``releasing`` committed, then the carrier, then ``released``. Before the first nothing has
        happened; from then on nobody can take the number into use again, so none is given back that is in use. After a
        crash the carrier is simply asked again, and does not mind, so none is rented for ever.
        """
        await self._end_quarantines()
        given_back = 0
        for number in await self._releasing():
            given_back += await self._give_back(number)
        return given_back

    async def _end_quarantines(self) -> None:
        async with self._db.transaction() as session:
            for number in await session.scalars(_ended()):
                await record_change(session, number, "released")
                if number.sid is None:
                    await released(session, number)
                else:
                    number.state, number.next_attempt_at = NumberState.RELEASING, utc_now()

    async def _releasing(self) -> list[Number]:
        due = and_(col(Number.state) == NumberState.RELEASING, col(Number.next_attempt_at) <= utc_now())
        async with self._db.reading() as session:
            return list(await session.scalars(select(Number).where(due).order_by(col(Number.id))))

    async def _give_back(self, number: Number) -> bool:
        try:
            await self._gateway.release_number(number.sid or "")
        except CarrierAway:
            return False
        except NumberRefused as refused:
            await self._tell_not_released(number, refused.reason)
            return False
        async with self._db.transaction() as session:
            row = await session.get_one(Number, number.id, with_for_update={"key_share": True})
            await released(session, row)
        return True

    async def _tell_not_released(self, number: Number, reason: str) -> None:
        async with self._db.transaction() as session:
            row = await session.get_one(Number, number.id, with_for_update={"key_share": True})
            row.problem, row.next_attempt_at = reason, utc_now() + RETRIED_AFTER
            sentence = NOT_RELEASED.format(number=display_phone(number.e164 or ""), reason=reason)
            await alert(session, AlertKind.NUMBER_MISPLACED, sentence, row.id, number_id=row.id)


async def released(session: AsyncSession, number: Number) -> None:
    """It is nobody's any more. Families meet the next number of the same person or school as a new one."""
    number.state, number.released_at, number.problem = NumberState.RELEASED, utc_now(), ""
    for kind in OF_A_NUMBER:
        await settle(session, kind, number.id)
    await session.execute(update(Campaign).where(col(Campaign.id) == number.joined_id).values(full_at=None))
    await introduce_again(session, number)


async def introduce_again(session: AsyncSession, number: Number) -> None:
    """The next text in each of its threads says who writes. Pairs are locked before threads, as by a family's text."""
    pairs = select(col(Pair.id)).where(col(Pair.number_id) == number.id).order_by(col(Pair.id))
    await session.execute(pairs.with_for_update())
    paired = exists().where(col(Pair.thread_id) == col(Thread.id))
    theirs = col(Thread.inbox_id).in_(_inboxes_of(number))
    shared = col(Thread.id).in_(select(col(Pair.thread_id)).where(col(Pair.number_id) == number.id))
    await session.execute(update(Thread).where(or_(and_(theirs, ~paired), shared)).values(introduced_at=None))


async def _lose(session: AsyncSession, number: Number) -> None:
    number.state, number.problem, number.joined_id = NumberState.GONE, "Twilio does not have it any more.", None
    sentence = LOST.format(number=display_phone(number.e164 or ""))
    await settle(session, AlertKind.NUMBER_STOPPED, number.id)
    await alert(session, AlertKind.NUMBER_GONE, sentence, number.id, number_id=number.id)
    await record_change(session, number, "gone")
    waiting = select(Message).where(col(Message.number_id) == number.id, col(Message.state) == DeliveryState.QUEUED)
    for message in await session.scalars(waiting.with_for_update(skip_locked=True)):
        await advance_message(session, message, Delivery(DeliveryState.FAILED, FailureReason.SENDER_NOT_READY))
    await _open_and_close(session, number)


async def _open_and_close(session: AsyncSession, number: Number) -> None:
    """Composers of whose number it is."""
    await session.flush()
    for inbox_id in await session.scalars(_inboxes_of(number)):
        await announce(session, Change(ChangeKind.CONSENT, inbox=inbox_id))


def _inboxes_of(number: Number) -> Select[int]:
    """Its owner's; a shared number has none."""
    owners = {"staff_id": number.staff_id, "school_id": number.school_id}
    owner = (getattr(Inbox, name) == owner_id for name, owner_id in owners.items() if owner_id is not None)
    return select(col(Inbox.id)).where(or_(false(), *owner))


async def _settle_others(session: AsyncSession, kind: AlertKind, still: Collection[str]) -> None:
    """Ends the standing alerts of this kind that are about nothing of ``still``."""
    standing = select(col(Alert.about)).where(col(Alert.kind) == kind, col(Alert.settled_at).is_(None))
    for about in set(await session.scalars(standing)).difference(still):
        await settle(session, kind, about)


async def _tell(
    session: AsyncSession,
    kind: AlertKind,
    about: object,
    sentence: str,
    campaign_id: int | None = None,
    number_id: int | None = None,
) -> None:
    """While it stands it is told once; without a sentence it is over."""
    if not sentence:
        await settle(session, kind, about)
        return
    standing = (col(Alert.kind) == kind, col(Alert.about) == str(about), col(Alert.settled_at).is_(None))
    if not await session.scalar(select(exists().where(*standing))):
        await alert(session, kind, sentence, about, campaign_id=campaign_id, number_id=number_id)


_WAITS = and_(col(Message.state) == DeliveryState.QUEUED, col(Message.sender).is_(None))
_CAMPAIGNS = select(Campaign, col(School.name)).outerjoin(School, col(School.id) == col(Campaign.school_id))


def _unread() -> Select[int, int]:
    """Who has an account, texts that they have not seen, and no role with personal messages; each with a number."""
    may_read = exists().where(
        HELD.c.staff_id == col(Staff.id),
        HELD.c.school_id.is_not(None),
        col(Role.id) == HELD.c.role_id,
        col(Role.level) == Level.SCHOOL,
        literal(P.PERSONAL_MESSAGES.value) == any_(col(Role.permissions)),
    )
    seen = (col(ReadMarker.staff_id) == col(Staff.id), col(ReadMarker.thread_id) == col(Thread.id))
    has_unread = exists(
        select(col(Thread.id))
        .outerjoin(ReadMarker, and_(*seen))
        .where(col(Thread.inbox_id) == col(Inbox.id), col(Thread.inbound_count) > func.coalesce(ReadMarker.seen, 0))
        .correlate(Staff, Inbox)
    )
    number = select(func.max(Number.id)).where(
        col(Number.staff_id) == col(Staff.id), col(Number.state) != NumberState.RELEASED
    )
    return (
        select(col(Staff.id), number.scalar_subquery())
        .join(Inbox, col(Inbox.staff_id) == col(Staff.id))
        .where(col(Staff.active), ~may_read, has_unread)
    )


_NOBODY = AlertKind.NOBODY_READS
_UNREAD = _unread()


def _ended() -> Select[Number]:
    """Quarantined for its time, and nothing on its way from there."""
    leaving = exists().where(col(Message.number_id) == col(Number.id), col(Message.state).in_(NOT_LEFT))
    never_bought = and_(col(Number.sid).is_(None), col(Number.state) != NumberState.BUYING)
    return (
        select(Number)
        .where(
            col(Number.quarantined_until) < func.now(),
            or_(col(Number.state).in_([NumberState.QUARANTINED, NumberState.STOPPED, NumberState.GONE]), never_bought),
            col(Number.state) != NumberState.RELEASED,
            ~leaving,
        )
        .order_by(col(Number.id))
        .limit(MOVED_AT_ONCE)
        .with_for_update(skip_locked=True, key_share=True)
    )


def is_unused() -> ColumnElement[bool]:
    """A shared number that no family knows, and from which nothing is on its way."""
    known = exists().where(col(Pair.number_id) == col(Number.id))
    leaving = exists().where(col(Message.number_id) == col(Number.id), col(Message.state).in_(NOT_LEFT))
    return and_(col(Number.pooled), ~known, ~leaving)
