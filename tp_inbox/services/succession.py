"""What a family meets that writes to somebody who has left: the successor's thread, and an automatic reply."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, composing, segments
from tp_inbox.domain.consent import Reading, Verdict
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import consent, handing_over
from tp_inbox.services.actors import actors_of
from tp_inbox.services.handing_over import OPEN_FOR, Handed, why_it_stays
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.sending import too_young
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.continued import earlier_parts, later_parts
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.queries.places import schools_worked_at
from tp_inbox.storage.queries.scope import inbox_ref
from tp_inbox.storage.tables import FamilyPhone, HandOver, Inbox, Message, Number, Pair, School, Staff, Thread
from tp_inbox.storage.tables.messages import Direction, Purpose

CHANGING = "The successor’s account is being changed. Please try again in a moment."
ONE_REPLY_IN = timedelta(days=1)
TOO_LATE = timedelta(hours=1)
"""A text that was found so long after it came is answered by nobody at that hour."""


async def who_has_left(session: AsyncSession, number: Number, thread: Thread) -> int | None:
    """To whom the family wrote that is not here any more: the number's owner or, where several people share it, the
    thread's. None for everybody else.
    """
    if not number.pooled:
        return number.staff_id if number.quarantined_until else None
    owner = select(col(Inbox.staff_id)).where(col(Inbox.id) == thread.inbox_id).scalar_subquery()
    return await session.scalar(select(col(HandOver.staff_id)).where(STANDS, col(HandOver.staff_id) == owner))


async def still_answered(session: AsyncSession, reply: Message) -> bool:
    """Whether the person for whom this automatic reply speaks is still away."""
    number = await session.get_one(Number, reply.number_id)
    if not number.pooled:
        return number.quarantined_until is not None
    paired = (
        select(Thread)
        .join(Pair, col(Pair.thread_id) == col(Thread.id))
        .join(FamilyPhone, col(FamilyPhone.id) == col(Pair.phone_id))
        .where(col(Pair.number_id) == number.id, col(FamilyPhone.e164) == reply.recipient)
    )
    thread = await session.scalar(paired)
    return thread is not None and await who_has_left(session, number, thread) is not None


async def thread_that_goes_on(session: AsyncSession, thread: Thread) -> Thread:
    """Where a family's text to somebody who has left is read: the furthest thread whose owner reads it; without
    one, the thread itself. A conversation that nobody decided about, because it was not open when they left, is
    handed over now. Under the family phone's lock. Raises Unavailable while the successor's account is changing.
    """
    later = [await session.get_one(Thread, i) for i in await later_parts(session, thread.id)]
    if (new := await _handed_over_now(session, later[-1])) is not None:
        return new
    for each in reversed(later[1:]):
        if await _is_read(session, each):
            return each
    return thread


async def reply_to(
    session: AsyncSession,
    staff_id: int,
    number: Number,
    phone: FamilyPhone,
    message: Message,
    reading: Reading,
    *,
    was_closed: bool,
) -> None:
    """Queues the automatic reply to a family's text, under the family phone's lock, unless something forbids it.

    ``staff_id``: who has left.
    """
    hand_over = await session.scalar(STANDING.where(col(HandOver.staff_id) == staff_id))
    if hand_over is None or not hand_over.auto_reply or not _asks_for_a_person(reading, was_closed=was_closed):
        return
    if message.created_at < utc_now() - TOO_LATE or await _was_answered(session, number, phone):
        return
    if not await _may_be_texted(session, staff_id, number, phone):
        return
    reply = await _reply(session, staff_id, number, message, hand_over.auto_reply)
    session.add(reply)
    await session.flush()
    await announce(session, Change(ChangeKind.MESSAGE, reply.inbox_id, reply.thread_id, reply.id))


STANDS = col(HandOver.ended_at).is_(None)
STANDING = select(HandOver).where(STANDS)


async def _handed_over_now(session: AsyncSession, thread: Thread) -> Thread | None:
    """The successor's thread; None where nothing is handed over, or no more."""
    owner_id = (await session.get_one(Inbox, thread.inbox_id)).staff_id or 0
    standing = STANDING.where(col(HandOver.staff_id) == owner_id)
    hand_over = await session.scalar(standing.with_for_update(read=True, skip_locked=True))
    if hand_over is None or hand_over.successor_id is None or await _was_open(session, thread, hand_over):
        return None
    await _hold_successor(session, hand_over.successor_id)
    known = await actors_of(session, [owner_id, hand_over.successor_id])
    person, successor = known[owner_id], known[hand_over.successor_id]
    schools = await schools_of(session, thread.phone_id)
    if not access.may_succeed(person, successor) or why_it_stays(successor, schools):
        return None
    inbox = await personal_inbox(session, successor.staff_id)
    new = await handing_over.go_on(session, person, thread, successor, inbox.id)
    await handing_over.record(session, None, person, successor, Handed({thread.id: new}))
    return await session.get_one(Thread, new)


async def _was_open(session: AsyncSession, thread: Thread, hand_over: HandOver) -> bool:
    """Whether it was among those that were handed over or stayed, as somebody decided."""
    parts = [thread.id, *await earlier_parts(session, thread.id)]
    then = (col(Message.created_at) > hand_over.at - OPEN_FOR, col(Message.created_at) <= hand_over.at)
    return bool(await session.scalar(select(exists().where(col(Message.thread_id).in_(parts), *then))))


async def _hold_successor(session: AsyncSession, staff_id: int) -> None:
    """Nobody deactivates them meanwhile. Accounts are locked before phones everywhere else, so this does not wait."""
    held = select(col(Staff.id)).where(col(Staff.id) == staff_id).with_for_update(read=True, skip_locked=True)
    if await session.scalar(held) is None:
        raise Unavailable(CHANGING)


async def _is_read(session: AsyncSession, thread: Thread) -> bool:
    inbox = inbox_ref(await session.get_one(Inbox, thread.inbox_id))
    owner = (await actors_of(session, [inbox.staff_id or 0])).get(inbox.staff_id or 0)
    return owner is not None and access.may_read(owner, inbox)


def _asks_for_a_person(reading: Reading, *, was_closed: bool) -> bool:
    """STOP, START and HELP are between the family and the carrier; a plain "Yes" is an answer like any other."""
    return reading.verdict is Verdict.NONE or (reading.only_if_opted_out and not was_closed)


async def _was_answered(session: AsyncSession, number: Number, phone: FamilyPhone) -> bool:
    """Once a day is also what ends a conversation of two machines."""
    answered = select(col(Message.id)).where(
        col(Message.recipient) == phone.e164,
        col(Message.number_id) == number.id,
        col(Message.purpose) == Purpose.AUTOMATIC,
        col(Message.created_at) > utc_now() - ONE_REPLY_IN,
    )
    return await session.scalar(answered.limit(1)) is not None


async def _may_be_texted(session: AsyncSession, staff_id: int, number: Number, phone: FamilyPhone) -> bool:
    """As if the person who has left wrote: families of their schools, old enough, and not opted out."""
    inbox = (await session.scalars(select(Inbox).where(col(Inbox.staff_id) == staff_id))).one()
    person = (await actors_of(session, [staff_id]))[staff_id]
    schools = await schools_of(session, phone.id)
    if not access.may_send(replace(person, active=True), inbox_ref(inbox), schools):
        return False
    closed = await consent.opt_out_of(session, phone.id, inbox.id, number.id)
    return closed is None and await too_young(session, phone.id) is None


async def _reply(session: AsyncSession, staff_id: int, number: Number, message: Message, words: str) -> Message:
    """In the thread where the family's text is read, from the number that it came to, and from nobody in person."""
    body = composing.compose(words, introduction=await _introduction(session, staff_id, number, message))
    return Message(
        thread_id=message.thread_id,
        inbox_id=message.inbox_id,
        direction=Direction.OUT,
        number_id=number.id,
        sender=number.e164,
        recipient=message.sender or "",
        written=words,
        body=body,
        segments=segments.count(body).segments,
        purpose=Purpose.AUTOMATIC,
        state=DeliveryState.QUEUED,
    )


async def _introduction(session: AsyncSession, staff_id: int, number: Number, message: Message) -> str | None:
    """For a family that never got a text from this number: which school it is, and how to end texts."""
    before = select(col(Message.id)).where(
        col(Message.number_id) == number.id,
        col(Message.recipient) == message.sender,
        col(Message.purpose).in_([Purpose.WRITTEN, Purpose.AUTOMATIC]),
        col(Message.direction) == Direction.OUT,
    )
    if await session.scalar(before.limit(1)) is not None:
        return None
    school = select(col(School.name)).where(col(School.id).in_(schools_worked_at(staff_id)))
    return composing.introduction_for_school(await session.scalar(school.order_by(col(School.name)).limit(1)) or "")
