"""What a family's STOP, START or HELP does, and what it is answered: once, from the number that it wrote to."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, consent_words, segments
from tp_inbox.domain.consent import ConsentEvent as Event, ConsentKind, ConsentSource, Reading, Verdict, read_consent
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import consent
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.asked import ASKED
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.queries.places import schools_worked_at
from tp_inbox.storage.tables import (
    Campaign,
    ConsentEvent,
    District,
    FamilyPhone,
    InboundRequest,
    Inbox,
    Message,
    Number,
    School,
    Staff,
    Thread,
)
from tp_inbox.storage.tables.messages import Direction, NumberState, Purpose, StopQuestion

HELP_ONCE_IN = timedelta(days=1)
TOO_LATE = timedelta(hours=1)
"""Nobody waits for an answer to HELP or START that was found so long after it came."""
STILL_OURS = frozenset({NumberState.ACTIVE, NumberState.STOPPED, NumberState.QUARANTINED})


async def hear(session: AsyncSession, thread: Thread, message: Message, reading: Reading) -> None:
    """What a family's text means for being texted. Under the family phone's lock.

    What the carrier acts on it answers, too; only its answer to HELP, which names nobody, is not enough.
    """
    match reading.verdict:
        case Verdict.STOP_CERTAIN:
            answered = reading.carrier_handles
            await end_texts(session, thread, message, ConsentSource.FAMILY, message.created_at, answered=answered)
        case Verdict.STOP_LIKELY:
            await _ask_staff(session, thread, message)
        case Verdict.START:
            await _begin_again(session, thread, message, reading)
        case Verdict.HELP:
            await _help(session, thread, message)
        case Verdict.NONE:
            pass


async def end_texts(
    session: AsyncSession,
    thread: Thread,
    said: Message,
    source: ConsentSource,
    at: datetime,
    *,
    answered: bool,
    staff_id: int | None = None,
) -> None:
    """A STOP, in the family's words of ``said``. It is confirmed once, until a START: not when the line was closed
    already, and not when the carrier has ``answered``.
    """
    was_open = await is_open(session, thread, said.number_id)
    await consent.opt_out(session, thread, said.number_id, source, said.id, at, staff_id)
    if was_open and not answered and not await is_open(session, thread, said.number_id):
        await confirm_stop(session, thread, said.number_id)


async def confirm_stop(session: AsyncSession, thread: Thread, number_id: int) -> None:
    """The one text that may follow a STOP."""
    phone, number = await _ends_of(session, thread, number_id)
    words = consent_words.stop_confirmation(phone.language, await _sender(session, thread, number))
    await _queue(session, thread, phone, number, Purpose.STOP_CONFIRMED, words)


async def is_open(session: AsyncSession, thread: Thread, number_id: int) -> bool:
    return await consent.opt_out_of(session, thread.phone_id, thread.inbox_id, number_id) is None


def can_send(number: Number) -> bool:
    return number.sid is not None and number.state in STILL_OURS


async def _ask_staff(session: AsyncSession, thread: Thread, message: Message) -> None:
    """Whoever reads it decides; what is closed already needs no decision."""
    if await is_open(session, thread, message.number_id):
        message.stop_question = StopQuestion.OPEN
        await announce(session, Change(ChangeKind.CONSENT, inbox=thread.inbox_id, thread=thread.id))


async def _begin_again(session: AsyncSession, thread: Thread, message: Message, reading: Reading) -> None:
    """The carrier answers its own START where it has blocked. Of what it never heard, "alto" or a yes of the staff, it
    knows nothing, and says nothing. A plain YES may answer any question, so what staff have recorded outlasts it.
    """
    answered = reading.carrier_handles and await _carrier_blocks(session, thread, message.number_id)
    opened = await consent.opt_in(
        session, thread, message.number_id, message.id, message.created_at, plain_yes=reading.only_if_opted_out
    )
    if opened or not reading.only_if_opted_out:
        await _settle_questions(session, thread, message)
    if not opened or answered or _is_late(message):
        return
    if await is_open(session, thread, message.number_id):
        phone, number = await _ends_of(session, thread, message.number_id)
        words = consent_words.start_confirmation(phone.language, await _sender(session, thread, number))
        await _queue(session, thread, phone, number, Purpose.START_CONFIRMED, words)


async def _carrier_blocks(session: AsyncSession, thread: Thread, number_id: int) -> bool:
    """Whether something closes this number that the carrier has heard as a STOP, or has reported itself."""
    closed = await consent.closures_of(session, [thread.phone_id], thread.inbox_id, number_id)
    heard = await _heard_by_carrier(session, thread.phone_id)
    return any(event in heard for event in closed.get(thread.phone_id, ()))


async def _heard_by_carrier(session: AsyncSession, phone_id: int) -> list[Event]:
    """The family's opt-outs in the carrier's own words, or that came with its report, and those of the carrier."""
    reported = col(InboundRequest.form)["opt_out_type"].as_string().label("reported")
    said = (
        select(ConsentEvent, col(Message.body).label("body"), reported)
        .outerjoin(Message, col(Message.id) == col(ConsentEvent.message_id))
        .outerjoin(InboundRequest, col(InboundRequest.sid) == col(Message.sid))
        .where(col(ConsentEvent.phone_id) == phone_id, col(ConsentEvent.kind) == ConsentKind.OPTED_OUT)
    )
    rows = (await session.execute(said)).all()
    return [consent.event_of(row.ConsentEvent) for row in rows if _carrier_heard(*row)]


def _carrier_heard(written: ConsentEvent, body: str | None, reported: str | None) -> bool:
    if written.source is not ConsentSource.FAMILY:
        return written.source is ConsentSource.CARRIER
    return reported is not None or read_consent(body or "").carrier_handles


async def _settle_questions(session: AsyncSession, thread: Thread, message: Message) -> None:
    """Whoever asks for texts has not meant an end of them."""
    before = (col(Message.thread_id) == thread.id, col(Message.created_at) <= message.created_at)
    asked = update(Message).where(*before, ASKED)
    if (await session.execute(asked.values(stop_question=StopQuestion.NO).returning(col(Message.id)))).all():
        await announce(session, Change(ChangeKind.CONSENT, inbox=thread.inbox_id, thread=thread.id))


async def _help(session: AsyncSession, thread: Thread, message: Message) -> None:
    """Once a day, which is also what ends a conversation of two machines."""
    if _is_late(message) or not await is_open(session, thread, message.number_id):
        return
    if await session.scalar(_helped(message)) is not None:
        return
    phone, number = await _ends_of(session, thread, message.number_id)
    school = await _school(session, thread, number)
    office = display_phone(school.office_phone) if school and school.office_phone else ""
    known = await _may_name(session, thread)
    who = await _holder(session, thread, number, school) if known else await _place(session, school)
    words = consent_words.help_answer(phone.language, who, office)
    await _queue(session, thread, phone, number, Purpose.HELP, words)


def _is_late(message: Message) -> bool:
    return message.created_at < utc_now() - TOO_LATE


def _helped(message: Message) -> Select[int]:
    return (
        select(col(Message.id))
        .where(
            col(Message.recipient) == message.sender,
            col(Message.number_id) == message.number_id,
            col(Message.purpose) == Purpose.HELP,
            col(Message.created_at) > utc_now() - HELP_ONCE_IN,
        )
        .limit(1)
    )


async def _ends_of(session: AsyncSession, thread: Thread, number_id: int) -> tuple[FamilyPhone, Number]:
    return await session.get_one(FamilyPhone, thread.phone_id), await session.get_one(Number, number_id)


async def _sender(session: AsyncSession, thread: Thread, number: Number) -> str:
    """For whom the whole campaign writes: its school; of people of several schools, the very person."""
    school = await _school(session, thread, number)
    campaign = await session.get_one(Campaign, number.campaign_id)
    return school.name if school and campaign.school_id else await _holder(session, thread, number, school)


async def _holder(session: AsyncSession, thread: Thread, number: Number, school: School | None) -> str:
    """Whose number it is: the school's, or a person's at the school. Somebody who has left has it no more."""
    inbox = await session.get_one(Inbox, thread.inbox_id)
    gone = number.quarantined_until is not None
    person = await session.get(Staff, inbox.staff_id) if inbox.staff_id and not gone else None
    return ", ".join(name for name in (person.name if person else "", await _place(session, school)) if name)


async def _place(session: AsyncSession, school: School | None) -> str:
    return school.name if school else await session.scalar(select(col(District.name))) or ""


async def _may_name(session: AsyncSession, thread: Thread) -> bool:
    """Whether the family may hear whose personal inbox it writes to: by the rule of calls."""
    inbox = await session.get_one(Inbox, thread.inbox_id)
    works_at = frozenset(await session.scalars(schools_worked_at(inbox.staff_id or 0)))
    return access.may_be_named(works_at, await schools_of(session, thread.phone_id))


async def _school(session: AsyncSession, thread: Thread, number: Number) -> School | None:
    """The campaign's; of somebody who works at several, the first by name where the family is, or the first of all."""
    campaign = await session.get_one(Campaign, number.campaign_id)
    if campaign.school_id is not None:
        return await session.get_one(School, campaign.school_id)
    inbox = await session.get_one(Inbox, thread.inbox_id)
    theirs = col(School.id).in_(await schools_of(session, thread.phone_id))
    worked_at = select(School).where(col(School.id).in_(schools_worked_at(inbox.staff_id or 0)))
    return await session.scalar(worked_at.order_by(theirs.desc(), col(School.name)).limit(1))


async def _queue(
    session: AsyncSession, thread: Thread, phone: FamilyPhone, number: Number, purpose: Purpose, words: str
) -> None:
    """From the number that was written to, by nobody in person; it moves nothing in the list, and introduces nobody."""
    if not can_send(number):
        return
    answer = Message(
        thread_id=thread.id,
        inbox_id=thread.inbox_id,
        direction=Direction.OUT,
        number_id=number.id,
        sender=number.e164,
        recipient=phone.e164,
        written=words,
        body=words,
        segments=segments.count(words).segments,
        purpose=purpose,
        state=DeliveryState.QUEUED,
    )
    session.add(answer)
    await session.flush()
    await announce(session, Change(ChangeKind.MESSAGE, thread.inbox_id, thread.id, answer.id))
