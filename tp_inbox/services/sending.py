"""Writing a text down to be sent. Every check and the write it allows share one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, composing, segments
from tp_inbox.domain.access import Actor, InboxKind, InboxRef, Permission
from tp_inbox.domain.consent import ConsentEvent, opt_out_sentence
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.eligibility import may_text_student
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Refusal
from tp_inbox.services import actors, consent
from tp_inbox.services.inboxes import message_row, status_of
from tp_inbox.services.numbers import number_of
from tp_inbox.services.views import LengthView, MessageRow
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.families import people_at, schools_of
from tp_inbox.storage.queries.scope import own_thread
from tp_inbox.storage.tables import District, Draft, FamilyPhone, Message, Number, School, Staff, Thread
from tp_inbox.storage.tables.messages import Direction

MISSED_ONE = (
    "{name} has written to this family since you last looked. Read it above, then send yours if it is still right."
)


@dataclass(frozen=True, slots=True)
class Wording:
    """What is added to a text: the introduction of a number's first text, and a person's signature."""

    introduction: str | None
    signature: str | None

    def compose(self, written: str) -> str:
        return composing.compose(written, signature=self.signature, introduction=self.introduction)


class Sending:
    def __init__(self, db: Database, personal_number_cap: int) -> None:
        self._db = db
        self._cap = personal_number_cap

    async def send(self, actor: Actor, thread_id: int, written: str, key: UUID, seen: int) -> MessageRow:
        """Queues a text and shows it; the same ``key`` again shows the same text and queues nothing.

        ``seen`` is the newest message id that was on the sender's screen. Raises a Refusal, and then
        nothing was written.
        """
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            thread, inbox = await own_thread(session, actor, thread_id, lock=True)
            message = await _sent_before(session, actor, thread, key)
            if message is None:
                await _refuse_if_one_was_missed(session, actor, thread, seen)
                message = await self._queue(session, actor, thread, inbox, written, key)
            return message_row(message, actor.name)

    async def retry(self, actor: Actor, message_id: int) -> MessageRow:
        """Sends a failed text once more, as a new one, by the same rules; a second click finds nothing to retry."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            failed = await _failed_message(session, actor, message_id)
            thread, inbox = await own_thread(session, actor, failed.thread_id, lock=True)
            failed.retried = True
            message = await self._queue(session, actor, thread, inbox, failed.written, None)
            await announce(session, Change(ChangeKind.STATUS, inbox.id, thread.id, failed.id))
            return message_row(message, actor.name)

    async def measure(self, actor: Actor, thread_id: int, written: str) -> LengthView:
        """What the text would cost as it would be sent, with all that is added to it."""
        async with self._db.reading() as session:
            thread, inbox = await own_thread(session, actor, thread_id)
            wording = await wording_of(session, actor, thread, inbox)
        return length_of(wording, written)

    async def _queue(
        self, session: AsyncSession, actor: Actor, thread: Thread, inbox: InboxRef, written: str, key: UUID | None
    ) -> Message:
        phone = await consent.lock_phone(session, thread.phone_id)
        if refusal := await refusal_now(session, actor, thread, inbox):
            raise refusal
        number = await number_of(session, inbox, self._cap)
        wording = await wording_of(session, actor, thread, inbox)
        message = _message(actor, thread, number, phone, wording, written, key)
        session.add(message)
        await session.flush()
        await _show_in_thread(session, thread, message, introduced=wording.introduction is not None)
        await session.execute(
            delete(Draft).where(col(Draft.staff_id) == actor.staff_id, col(Draft.thread_id) == thread.id)
        )
        await announce(session, Change(ChangeKind.MESSAGE, inbox.id, thread.id, message.id))
        return message


async def refusal_now(session: AsyncSession, actor: Actor, thread: Thread, inbox: InboxRef) -> Refusal | None:
    """Why nothing can be sent in this thread now: access, age, consent. The composer closes with the same words."""
    schools = await schools_of(session, thread.phone_id)
    if refusal := access.refusal_to_send(actor, inbox, schools):
        return refusal
    if sentence := await _too_young(session, thread.phone_id):
        return NotAllowed(sentence)
    number_id = await session.scalar(
        select(col(Number.id)).where(
            col(Number.staff_id) == inbox.staff_id
            if inbox.kind is InboxKind.PERSONAL
            else col(Number.school_id) == inbox.school_id
        )
    )
    opt_out = await consent.opt_out_of(session, thread.phone_id, number_id, schools)
    return NotAllowed(await _why_closed(session, opt_out)) if opt_out else None


async def wording_of(session: AsyncSession, actor: Actor, thread: Thread, inbox: InboxRef) -> Wording:
    if inbox.kind is InboxKind.SCHOOL:
        school = await session.get_one(School, inbox.school_id)
        return Wording(None if thread.introduced_at else composing.introduction_for_school(school.name), None)
    person = await session.get_one(Staff, actor.staff_id)
    if thread.introduced_at:
        return Wording(None, person.signature or None)
    school_name = await _school_written_for(session, actor, thread.phone_id)
    return Wording(composing.introduction_for(person.name, person.title or None, school_name), person.signature or None)


def length_of(wording: Wording, written: str) -> LengthView:
    parts = (wording.introduction, written.strip(), wording.signature)
    body = "\n".join(part for part in parts if part)
    counted = segments.count(body)
    over = composing.excess(body)
    return LengthView(
        segments=counted.segments,
        left=counted.left,
        total=counted.units,
        costly=segments.hint(body) or "",
        too_long=f"{over:,} characters too long" if over else "",
    )


async def _why_closed(session: AsyncSession, opt_out: ConsentEvent) -> str:
    zone = ZoneInfo(await session.scalar(select(col(District.time_zone))) or "UTC")
    return opt_out_sentence(opt_out, zone, datetime.now(zone).date())


async def today_in(session: AsyncSession, school_id: int) -> date:
    """The day where the school is."""
    school = await session.get_one(School, school_id)
    return datetime.now(ZoneInfo(school.time_zone)).date()


async def _too_young(session: AsyncSession, phone_id: int) -> str | None:
    """A phone that only students read is texted only when each of them may be."""
    people = (await people_at(session, [phone_id])).get(phone_id, [])
    if any(not p.is_student for p in people):
        return None
    for person in people:
        pupil = person.pupils[0]
        if ineligible := may_text_student(pupil.birth_date, await today_in(session, pupil.school_id)):
            return ineligible.sentence
    return None


async def _sent_before(session: AsyncSession, actor: Actor, thread: Thread, key: UUID) -> Message | None:
    message = await session.scalar(
        select(Message).where(col(Message.author_id) == actor.staff_id, col(Message.client_key) == key)
    )
    if message is not None and message.thread_id != thread.id:
        raise Invalid("This text was sent in another conversation already.")
    return message


async def _refuse_if_one_was_missed(session: AsyncSession, actor: Actor, thread: Thread, seen: int) -> None:
    """A colleague's text that was not on the screen refuses the send; a family's new text refuses nothing."""
    missed = await session.scalar(
        select(col(Staff.name))
        .join(Message, col(Message.author_id) == col(Staff.id))
        .where(
            col(Message.thread_id) == thread.id,
            col(Message.direction) == Direction.OUT,
            col(Message.author_id) != actor.staff_id,
            col(Message.id) > seen,
        )
        .limit(1)
    )
    if missed:
        raise Invalid(MISSED_ONE.format(name=missed))


async def _failed_message(session: AsyncSession, actor: Actor, message_id: int) -> Message:
    message = await session.get(Message, message_id, with_for_update=True)
    if message is None:
        raise NotFound
    await own_thread(session, actor, message.thread_id)
    if not status_of(message).may_retry:
        raise Invalid("This text cannot be sent again as it is.")
    return message


def _message(
    actor: Actor, thread: Thread, number: Number, phone: FamilyPhone, wording: Wording, written: str, key: UUID | None
) -> Message:
    body = wording.compose(written)
    return Message(
        thread_id=thread.id,
        inbox_id=thread.inbox_id,
        direction=Direction.OUT,
        author_id=actor.staff_id,
        number_id=number.id,
        sender=number.e164 if number.sid else None,
        recipient=phone.e164,
        written=composing.clean_body(written),
        body=body,
        segments=segments.count(body).segments,
        client_key=key,
        state=DeliveryState.QUEUED,
    )


async def _show_in_thread(session: AsyncSession, thread: Thread, message: Message, *, introduced: bool) -> None:
    values: dict = {
        "last_at": message.created_at,
        "last_message_id": message.id,
        "last_direction": Direction.OUT,
        "last_author_id": message.author_id,
        "preview": composing.preview(message.written),
    }
    if introduced:
        values["introduced_at"] = utc_now()
    await session.execute(update(Thread).where(col(Thread.id) == thread.id).values(**values))


async def _school_written_for(session: AsyncSession, actor: Actor, phone_id: int) -> str:
    """For which of their schools a person writes to this family: the first by name that both share."""
    shared = actor.schools_with(Permission.PERSONAL_MESSAGES) & await schools_of(session, phone_id)
    name = await session.scalar(
        select(col(School.name)).where(col(School.id).in_(shared)).order_by(col(School.name)).limit(1)
    )
    return name or "school"


