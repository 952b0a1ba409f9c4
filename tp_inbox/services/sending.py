"""Writing a text down to be sent. Every check and the write it allows share one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, composing, segments
from tp_inbox.domain.access import Actor, InboxKind, InboxRef
from tp_inbox.domain.delivery import Delivery, DeliveryState, FailureReason
from tp_inbox.domain.eligibility import may_text_student
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, Refusal
from tp_inbox.domain.permissions import Permission
from tp_inbox.services import actors, consent, consent_panel
from tp_inbox.services.inboxes import is_waiting, message_row, status_of
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.numbers import number_for, number_in, refusal_of
from tp_inbox.services.outbox import advance_message
from tp_inbox.services.views import LengthView, MessageRow, StatusView
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.families import people_at, schools_of
from tp_inbox.storage.queries.scope import own_thread
from tp_inbox.storage.tables import Draft, FamilyPhone, Message, Number, School, Staff, Thread
from tp_inbox.storage.tables.messages import Direction

MISSED_ONE = (
    "{name} has written to this family since you last looked. Read it above, then send yours if it is still right."
)


SENT_ELSEWHERE = "This text was sent in another conversation already."
NOT_THE_AUTHOR = "Only the person who wrote this text can send it again."
GONE_OUT = "This text has already gone out."
CANCELED_ALREADY = "This text is canceled already."
NOT_RETRYABLE = "This text cannot be sent again as it is."


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes where, as it stands under the family phone's lock."""

    actor: Actor
    thread: Thread
    inbox: InboxRef
    phone: FamilyPhone


@dataclass(frozen=True, slots=True)
class Wording:
    """What is added to a text: the introduction of a number's first text, and a person's signature."""

    introduction: str | None
    signature: str | None

    def compose(self, written: str) -> str:
        return composing.compose(written, signature=self.signature, introduction=self.introduction)


class Sending:
    def __init__(self, db: Database, limits: Limits) -> None:
        self._db = db
        self._limits = limits

    async def send(self, actor: Actor, thread_id: int, written: str, key: UUID, seen: int) -> MessageRow:
        """Queues a text and shows it; the same ``key`` again shows the same text and queues nothing.

        ``seen`` is the newest message id that was on the sender's screen. Raises a Refusal, and then
        nothing was written.
        """
        try:
            async with self._db.transaction() as session:
                writing = await _writing(session, actor, thread_id)
                key = await _key_of_these_words(session, writing, key, written)
                message = await _sent_before(session, writing, key)
                if message is None:
                    await _refuse_if_one_was_missed(session, writing, seen)
                    message = await self._queue(session, writing, written, key)
                return message_row(message, writing.actor.name)
        except IntegrityError as error:  # the same key in two conversations at the same moment
            raise Invalid(SENT_ELSEWHERE) from error

    async def retry(self, actor: Actor, message_id: int) -> MessageRow:
        """Sends a failed text once more, as a new one, by the same rules; a second click finds nothing to retry."""
        async with self._db.transaction() as session:
            thread_id = await session.scalar(select(col(Message.thread_id)).where(col(Message.id) == message_id))
            if thread_id is None:
                raise NotFound
            writing = await _writing(session, actor, thread_id)
            failed = await session.get_one(Message, message_id, with_for_update=True)
            _require_retryable(writing.actor, failed)
            failed.retried = True
            message = await self._queue(session, writing, failed.written, None)
            await announce(session, Change(ChangeKind.STATUS, failed.inbox_id, failed.thread_id, failed.id))
            return message_row(message, writing.actor.name)

    async def cancel(self, actor: Actor, message_id: int) -> StatusView:
        """Holds back a text that nobody has begun to hand over. Raises Invalid when it is too late: who is first at
        the text's row, this or the worker's claim, decides.
        """
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            message = await session.get(Message, message_id, with_for_update=True)
            if message is None:
                raise NotFound
            _, inbox = await own_thread(session, actor, message.thread_id)
            access.require(access.may_cancel(actor, inbox, message.author_id), access.CANNOT_CANCEL)
            if not is_waiting(message):
                raise Invalid(CANCELED_ALREADY if message.reason is FailureReason.CANCELED else GONE_OUT)
            await advance_message(session, message, Delivery(DeliveryState.CANCELED, FailureReason.CANCELED))
            return status_of(message)

    async def measure(self, actor: Actor, thread_id: int, written: str) -> LengthView:
        """What the text would cost as it would be sent, with all that is added to it."""
        async with self._db.reading() as session:
            thread, inbox = await own_thread(session, actor, thread_id)
            wording = await wording_of(session, actor, thread, inbox)
        return length_of(wording, written)

    async def _queue(self, session: AsyncSession, writing: Writing, written: str, key: UUID | None) -> Message:
        actor, thread, inbox = writing.actor, writing.thread, writing.inbox
        if refusal := await refusal_now(session, actor, thread, inbox):
            raise refusal
        number = await number_for(session, inbox, thread.phone_id, thread.id, self._limits)
        wording = await wording_of(session, actor, thread, inbox)
        message = _message(writing, number, wording, written, key)
        session.add(message)
        await session.flush()
        _show_in_thread(thread, message, introduced=wording.introduction is not None)
        await session.execute(delete(Draft).where(_draft_in(actor, thread)))
        await announce(session, Change(ChangeKind.MESSAGE, inbox.id, thread.id, message.id))
        return message


async def _writing(session: AsyncSession, actor: Actor, thread_id: int) -> Writing:
    """Takes the family phone's lock first, so that all that is asked afterwards holds until the text is written."""
    phone = await consent.lock_phone_of(session, thread_id)
    if phone is None:
        raise NotFound
    actor = await actors.as_of_now(session, actor)
    thread, inbox = await own_thread(session, actor, thread_id)
    return Writing(actor, thread, inbox, phone)


async def refusal_now(session: AsyncSession, actor: Actor, thread: Thread, inbox: InboxRef) -> Refusal | None:
    """Why nothing can be sent in this thread now: access, age, consent, our number.

    The composer closes with the same words.
    """
    schools = await schools_of(session, thread.phone_id)
    if refusal := access.refusal_to_send(actor, inbox, schools):
        return refusal
    if sentence := await too_young(session, thread.phone_id):
        return NotAllowed(sentence)
    number = await number_in(session, inbox, thread.id)
    if sentence := await consent_panel.why_closed(session, thread.phone_id, inbox.id, number.id if number else None):
        return NotAllowed(sentence)
    return await refusal_of(session, inbox, number)


async def wording_of(session: AsyncSession, actor: Actor, thread: Thread, inbox: InboxRef) -> Wording:
    """What goes with a text that this person writes there now."""
    if inbox.kind is InboxKind.SCHOOL:
        return Wording(None if thread.introduced_at else await _introduction_of_school(session, inbox), None)
    person = await session.get_one(Staff, actor.staff_id)
    introduction = None if thread.introduced_at else await _introduction_of(session, actor, person, thread.phone_id)
    return Wording(introduction, person.signature or None)


async def _introduction_of_school(session: AsyncSession, inbox: InboxRef) -> str:
    return composing.introduction_for_school((await session.get_one(School, inbox.school_id)).name)


async def _introduction_of(session: AsyncSession, actor: Actor, person: Staff, phone_id: int) -> str:
    school = await _school_written_for(session, actor, phone_id)
    return composing.introduction_for(person.name, person.title or None, school)


async def _school_written_for(session: AsyncSession, actor: Actor, phone_id: int) -> str:
    """For which of their schools a person writes to this family: the first by name that both share."""
    shared = actor.schools_with(Permission.PERSONAL_MESSAGES) & await schools_of(session, phone_id)
    names = select(col(School.name)).where(col(School.id).in_(shared)).order_by(col(School.name))
    return await session.scalar(names.limit(1)) or "school"


def length_of(wording: Wording, written: str) -> LengthView:
    parts = (wording.introduction, written.strip(), wording.signature)
    body = "\n".join(part for part in parts if part)
    counted = segments.count(body)
    over = composing.excess(body)
    return LengthView(
        segments=counted.segments,
        left=counted.left,
        costly=segments.hint(body) or "",
        too_long=f"{over:,} characters too long" if over else "",
    )


async def too_young(session: AsyncSession, phone_id: int) -> str | None:
    """A phone that only students read is texted only when each of them may be."""
    people = (await people_at(session, [phone_id])).get(phone_id, [])
    if any(not p.is_student for p in people):
        return None
    for pupil in (pupil for person in people for pupil in person.pupils):
        if ineligible := may_text_student(pupil.birth_date, await _today_in(session, pupil.school_id)):
            return ineligible.sentence
    return None


async def _today_in(session: AsyncSession, school_id: int) -> date:
    """The day where the school is."""
    school = await session.get_one(School, school_id)
    return datetime.now(ZoneInfo(school.time_zone)).date()


async def _key_of_these_words(session: AsyncSession, writing: Writing, key: UUID, written: str) -> UUID:
    """The draft's key; where other words have gone out from that draft, in another window, one of these words' own."""
    gone = select(col(Message.written)).where(
        col(Message.author_id) == writing.actor.staff_id,
        col(Message.client_key) == key,
        col(Message.thread_id) == writing.thread.id,
    )
    words = composing.clean_body(written)
    return key if await session.scalar(gone) in (None, words) else uuid5(key, words)


async def _sent_before(session: AsyncSession, writing: Writing, key: UUID) -> Message | None:
    same = select(Message).where(col(Message.author_id) == writing.actor.staff_id, col(Message.client_key) == key)
    message = await session.scalar(same)
    if message is not None and message.thread_id != writing.thread.id:
        raise Invalid(SENT_ELSEWHERE)
    return message


async def _refuse_if_one_was_missed(session: AsyncSession, writing: Writing, seen: int) -> None:
    """A colleague's text that was not on the screen refuses the send; a family's new text refuses nothing."""
    missed = (
        select(col(Staff.name))
        .join(Message, col(Message.author_id) == col(Staff.id))
        .where(
            col(Message.thread_id) == writing.thread.id,
            col(Message.author_id) != writing.actor.staff_id,
            col(Message.id) > seen,
        )
    )
    if name := await session.scalar(missed.order_by(col(Message.id).desc()).limit(1)):
        raise Invalid(MISSED_ONE.format(name=name))


def _require_retryable(actor: Actor, message: Message) -> None:
    if message.direction is Direction.OUT and message.author_id != actor.staff_id:
        raise NotAllowed(NOT_THE_AUTHOR)
    if not status_of(message).may_retry:
        raise Invalid(NOT_RETRYABLE)


def _message(writing: Writing, number: Number, wording: Wording, written: str, key: UUID | None) -> Message:
    body = wording.compose(written)
    return Message(
        thread_id=writing.thread.id,
        inbox_id=writing.thread.inbox_id,
        direction=Direction.OUT,
        author_id=writing.actor.staff_id,
        number_id=number.id,
        sender=number.e164 if number.sid else None,
        recipient=writing.phone.e164,
        written=composing.clean_body(written),
        body=body,
        segments=segments.count(body).segments,
        client_key=key,
        state=DeliveryState.QUEUED,
    )


def _show_in_thread(thread: Thread, message: Message, *, introduced: bool) -> None:
    thread.last_at, thread.last_message_id = message.created_at, message.id
    thread.last_direction, thread.last_author_id = Direction.OUT, message.author_id
    thread.preview = composing.preview(message.written)
    if introduced:
        thread.introduced_at = message.created_at


def _draft_in(actor: Actor, thread: Thread) -> ColumnElement[bool]:
    return and_(col(Draft.staff_id) == actor.staff_id, col(Draft.thread_id) == thread.id)
