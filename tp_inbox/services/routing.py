"""Where a family's text belongs: with the pair, else with our number's owner, else in a school's shared inbox."""

from __future__ import annotations

import logging

from sqlalchemy import Row, Select, and_, bindparam, case, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain import composing
from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.consent import Reading, Verdict, read_consent
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.services import consent, consent_answers, succession
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.ports import InboundText
from tp_inbox.services.threads import thread_between
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.tables import Campaign, FamilyPhone, Inbox, Message, Number, Pair, School, Thread
from tp_inbox.storage.tables.messages import Direction, NumberState

log = logging.getLogger(__name__)


async def routed(session: AsyncSession, text: InboundText) -> Message | None:
    """Puts the text into its thread; None when it came to a number that is not ours.

    What comes for somebody who has left goes to their successor's thread, and an automatic reply may be queued.
    """
    where = await thread_with(session, text.sender, text.recipient)
    if where is None:
        log.error("receiving: %s came to a number that is not ours", text.sid)
        return None
    thread, number, phone = where
    left = await succession.who_has_left(session, number, thread)
    if left is not None:
        thread = await succession.thread_that_goes_on(session, thread)
    message = _message(thread, number, text)
    session.add(message)
    await session.flush()
    _show_in_thread(thread, message)
    was_closed = left is not None and await _is_closed(session, thread, number)
    await announce(session, Change(ChangeKind.MESSAGE, thread.inbox_id, thread.id, message.id))
    await consent_answers.hear(session, thread, message, _reading(text))
    if left is not None:
        await succession.reply_to(session, left, number, phone, message, _reading(text), was_closed=was_closed)
    return message


async def thread_with(session: AsyncSession, family: str, ours: str) -> tuple[Thread, Number, FamilyPhone] | None:
    """Where a family's phone and a number of ours meet, under the phone's lock; made when they never have. None when
    the number is not ours.
    """
    phone = await _phone(session, family)
    found = (await session.execute(WHERE_IT_GOES, {"recipient": ours, "phone": phone.id})).one_or_none()
    return (await _thread(session, found, phone), found.Number, phone) if found else None


_paired = aliased(Thread, name="paired")


def _where_it_goes() -> Select[Number, Pair, Thread, Thread]:
    """Our number with the pair's thread, and with its owner's; a number that was given back is not ours any more."""
    owner = or_(col(Inbox.staff_id) == col(Number.staff_id), col(Inbox.school_id) == col(Number.school_id))
    of_phone = and_(col(Thread.inbox_id) == col(Inbox.id), col(Thread.phone_id) == bindparam("phone"))
    pair = and_(col(Pair.number_id) == col(Number.id), col(Pair.phone_id) == bindparam("phone"))
    return (
        select(Number, Pair, _paired, Thread)
        .outerjoin(Pair, pair)
        .outerjoin(_paired, col(_paired.id) == col(Pair.thread_id))
        .outerjoin(Inbox, owner)
        .outerjoin(Thread, of_phone)
        .where(col(Number.e164) == bindparam("recipient"), col(Number.state) != NumberState.RELEASED)
    )


# Made once: this stands on the way of every text that comes in.
WHERE_IT_GOES = _where_it_goes()
PHONE = select(FamilyPhone).where(col(FamilyPhone.e164) == bindparam("sender")).with_for_update(key_share=True)


async def _phone(session: AsyncSession, e164: str) -> FamilyPhone:
    """Under its lock; made when nobody has written from it before."""
    if found := await session.scalar(PHONE, {"sender": e164}):
        return found
    await session.execute(insert(FamilyPhone).values(e164=e164, language="en").on_conflict_do_nothing())
    return (await session.scalars(PHONE, {"sender": e164})).one()


async def _thread(session: AsyncSession, found: Row[Number, Pair, Thread, Thread], phone: FamilyPhone) -> Thread:
    """Under the family phone's lock. A pair that is used stays for another while."""
    number, pair, paired, owned = found
    if pair is not None:
        pair.used_at = utc_now()
        return paired
    if owned is not None:
        return owned
    thread_id = await thread_between(session, await _inbox_of(session, number, phone), phone.id)
    return await session.get_one(Thread, thread_id)


async def _inbox_of(session: AsyncSession, number: Number, phone: FamilyPhone) -> int:
    if number.staff_id is not None:
        return (await personal_inbox(session, number.staff_id)).id
    school_id = number.school_id or await _school_for(session, number, phone)
    made = insert(Inbox).values(kind=InboxKind.SCHOOL, school_id=school_id)
    await session.execute(made.on_conflict_do_nothing())
    return (await session.scalars(select(col(Inbox.id)).where(col(Inbox.school_id) == school_id))).one()


async def _school_for(session: AsyncSession, number: Number, phone: FamilyPhone) -> int:
    """Who takes a text to a shared number that nobody has written to this family from: the number's school; in the
    district's campaign the family's own, else one with the number's area code, else the first.
    """
    family = await schools_of(session, phone.id)
    nearest = case((col(School.id).in_(family), 0), (col(School.area_code) == number.area_code, 1), else_=2)
    of_campaign = select(col(Campaign.school_id)).where(col(Campaign.id) == number.campaign_id)
    first = select(col(School.id)).order_by(nearest, col(School.name), col(School.id)).limit(1)
    return await session.scalar(of_campaign) or (await session.scalars(first)).one()


async def _is_closed(session: AsyncSession, thread: Thread, number: Number) -> bool:
    return await consent.opt_out_of(session, thread.phone_id, thread.inbox_id, number.id) is not None


def _message(thread: Thread, number: Number, text: InboundText) -> Message:
    return Message(
        thread_id=thread.id,
        inbox_id=thread.inbox_id,
        direction=Direction.IN,
        number_id=number.id,
        sender=text.sender,
        recipient=text.recipient,
        written=text.body,
        body=text.body,
        media=len(text.media),
        sid=text.sid,
        state=DeliveryState.RECEIVED,
        created_at=text.received_at,
    )


def _show_in_thread(thread: Thread, message: Message) -> None:
    """The newest text is what the list shows; one that was found late counts as unread and changes no more."""
    thread.inbound_count += 1
    if thread.last_at is not None and message.created_at < thread.last_at:
        return
    thread.last_at, thread.last_message_id = message.created_at, message.id
    thread.last_direction, thread.last_author_id = Direction.IN, None
    thread.preview = composing.preview_of(message.body, message.media)


def _reading(text: InboundText) -> Reading:
    """What the carrier says it did is believed before our own reading of the words. It reports a START for a plain YES,
    too, whatever that answers.
    """
    said = read_consent(text.body)
    if text.opt_out_type is None:
        return said
    only_if_opted_out = said.only_if_opted_out and text.opt_out_type is Verdict.START
    return Reading(text.opt_out_type, carrier_handles=True, only_if_opted_out=only_if_opted_out)
