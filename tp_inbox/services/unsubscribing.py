"""What staff do about a family's wish to be texted: what its words meant, and what it has told them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, consent as domain
from tp_inbox.domain.access import Actor, InboxRef
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services import actors, audit, consent, consent_answers
from tp_inbox.services.numbers import number_in
from tp_inbox.services.opened import thread_before
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.asked import ASKED
from tp_inbox.storage.queries.continued import earlier_parts
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.queries.scope import own_thread
from tp_inbox.storage.tables import District, Message, Number, School, Thread
from tp_inbox.storage.tables.messages import StopQuestion

SILENCE_MEANS_YES = timedelta(days=7)
"""Well within the ten business days of 47 CFR 64.1200(a)(10)."""
DAYTIME = range(9, 19)
"""Hours in which a family may be sent what nobody has just asked for."""
LONGEST_NOTE = 300
WHOLE_DISTRICT = 0
"""Stands for the district where a school is chosen."""

ANSWERED = "This has been answered already."
CLOSED_ALREADY = "Texts to this family are stopped there already."
NOT_CLOSED = "Nothing that staff have recorded stops texts to this family."
THEIR_OWN_WORD = "The family has stopped these texts itself. Only the family can undo that, by texting START."
NO_NUMBER = "There is no number yet from which the family could be told. Untick that they are told by text."
TOO_LONG = f"A note has at most {LONGEST_NOTE} characters."


Reading = Callable[[AsyncSession, Actor, int], Awaitable[tuple[Thread, InboxRef]]]
"""How a thread comes to be before somebody; raises a Refusal when it does not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who acts in which thread, as it stands under the family phone's lock. ``parts``: threads that go on in it."""

    actor: Actor
    thread: Thread
    inbox: InboxRef
    parts: Collection[int]


class Unsubscribing:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def answer(self, actor: Actor, thread_id: int, message_id: int, *, stop: bool) -> None:
        """What the family's words meant, as whoever writes there reads them. Stopping is confirmed to the family."""
        async with self._db.transaction() as session:
            asked = await _asked(session, actor, thread_id, own_thread)
            access.require(access.may_answer_stop(asked.actor, asked.inbox), access.CANNOT_ANSWER_STOP)
            question = await _question(session, asked, message_id)
            if stop:
                await _take_as_stop(session, asked.thread, question, ConsentSource.STAFF, asked.actor.staff_id)
            else:
                await _take_as_talk(session, asked)
            await _record_answer(session, asked.actor, asked.thread, question, stop=stop)

    async def unsubscribe(self, actor: Actor, thread_id: int, school_id: int, note: str, *, tell: bool) -> None:
        """Records that a family wants no more texts from a school, or with ``WHOLE_DISTRICT`` from anybody.

        In one's own threads, and in those that one has opened in oversight. ``note``: for the audit log. ``tell``: one
        text confirms it to the family.
        """
        if len(note) > LONGEST_NOTE:
            raise Invalid(TOO_LONG)
        async with self._db.transaction() as session:
            asked = await _asked(session, actor, thread_id)
            if school_id not in await places(session, asked.actor, asked.inbox, asked.thread.phone_id):
                raise NotAllowed(access.CANNOT_UNSUBSCRIBE)
            event = _recorded(school_id)
            number = await _number_of(session, asked) if tell else None
            was_open = number and await consent_answers.is_open(session, asked.thread, number.id)
            await _refuse_twice(session, asked, event)
            await consent.write(session, asked.thread.phone_id, [event], staff_id=asked.actor.staff_id)
            if number and was_open:
                await consent_answers.confirm_stop(session, asked.thread, number.id)
            await _record_change(session, AuditKind.UNSUBSCRIBED, asked, school_id, note)

    async def take_back(self, actor: Actor, thread_id: int) -> None:
        """Opens what staff have recorded and nothing that the family has said itself. Where ``unsubscribe`` does."""
        async with self._db.transaction() as session:
            asked = await _asked(session, actor, thread_id)
            closed = await standing_here(session, asked.thread, asked.inbox)
            if refusal := refusal_to_take_back(asked.actor, closed):
                raise refusal
            opened = domain.lifted(closed, utc_now(), ConsentSource.STAFF)
            await consent.write(session, asked.thread.phone_id, opened, staff_id=asked.actor.staff_id)
            await _record_change(session, AuditKind.RESUBSCRIBED, asked, closed[0].school_id or WHOLE_DISTRICT)

    async def take_silence_as_yes(self, now: datetime | None = None) -> int:
        """What sounded like STOP and nobody has answered for a week is taken for one; how many texts.

        By day only, because each is confirmed to its family.
        """
        now = now or utc_now()
        if not await self._is_daytime(now):
            return 0
        taken = 0
        for message_id in await self._unanswered(now):
            taken += await self._take_silence(message_id)
        return taken

    async def _is_daytime(self, now: datetime) -> bool:
        async with self._db.reading() as session:
            zone = ZoneInfo(await session.scalar(select(col(District.time_zone))) or "UTC")
        return now.astimezone(zone).hour in DAYTIME

    async def _unanswered(self, now: datetime) -> Collection[int]:
        asked = select(col(Message.id)).where(ASKED, col(Message.created_at) < now - SILENCE_MEANS_YES)
        async with self._db.reading() as session:
            return (await session.scalars(asked.order_by(col(Message.id)))).all()

    async def _take_silence(self, message_id: int) -> bool:
        """The family has said it, and nobody has said otherwise: it counts as the family's own word."""
        async with self._db.transaction() as session:
            thread_id = await session.scalar(select(col(Message.thread_id)).where(col(Message.id) == message_id))
            await consent.lock_phone_of(session, thread_id or 0)
            question = await session.scalar(_open_question(message_id))
            if question is None:
                return False
            thread = await session.get_one(Thread, question.thread_id)
            await _take_as_stop(session, thread, question, ConsentSource.FAMILY)
            await _record_answer(session, None, thread, question, stop=True)
            return True


async def standing_here(session: AsyncSession, thread: Thread, inbox: InboxRef) -> list[domain.ConsentEvent]:
    """What closes this thread."""
    number = await number_in(session, inbox, thread.id)
    closed = await consent.closures_of(session, [thread.phone_id], inbox.id, number.id if number else None)
    return closed.get(thread.phone_id, [])


def refusal_to_take_back(actor: Actor, closed: Collection[domain.ConsentEvent]) -> NotAllowed | None:
    """Why the actor cannot open what stands closed; None when it is allowed."""
    if not closed:
        return NotAllowed(NOT_CLOSED)
    if not domain.may_be_taken_back(closed):
        return NotAllowed(THEIR_OWN_WORD)
    if all(access.may_unsubscribe(actor, event.school_id) for event in closed):
        return None
    return NotAllowed(access.CANNOT_UNSUBSCRIBE)


async def places(session: AsyncSession, actor: Actor, inbox: InboxRef, phone_id: int) -> dict[int, str]:
    """By id, for which schools the actor may record that the family wants no more texts; ``WHOLE_DISTRICT`` first."""
    concerned = await schools_of(session, phone_id) | ({inbox.school_id} if inbox.school_id else set())
    named = select(col(School.id), col(School.name)).where(col(School.id).in_(concerned)).order_by(col(School.name))
    rows = (await session.execute(named)).all() if access.unsubscribes(actor) else []
    district = {WHOLE_DISTRICT: "The whole district"} if access.may_unsubscribe(actor, None) else {}
    return {row.id: row.name for row in rows if access.may_unsubscribe(actor, row.id)} | district


async def _asked(session: AsyncSession, actor: Actor, thread_id: int, find: Reading = thread_before) -> Asked:
    """Takes the family phone's lock first, so that all that is asked afterwards holds until it is written."""
    if await consent.lock_phone_of(session, thread_id) is None:
        raise NotFound
    actor = await actors.as_of_now(session, actor)
    thread, inbox = await find(session, actor, thread_id)
    return Asked(actor, thread, inbox, [thread_id, *await earlier_parts(session, thread_id)])


async def _question(session: AsyncSession, asked: Asked, message_id: int) -> Message:
    question = await session.get(Message, message_id, with_for_update=True)
    if question is None or question.thread_id not in asked.parts or question.stop_question is None:
        raise NotFound
    if question.stop_question is not StopQuestion.OPEN:
        raise Invalid(ANSWERED)
    return question


def _open_question(message_id: int) -> Select[Message]:
    asked = select(Message).where(col(Message.id) == message_id, ASKED)
    return asked.with_for_update()


async def _take_as_stop(
    session: AsyncSession, thread: Thread, question: Message, source: ConsentSource, staff_id: int | None = None
) -> None:
    """As if the family had said it in a clear word; the carrier knows nothing of it and confirms nothing."""
    question.stop_question, question.stop_answered_by = StopQuestion.YES, staff_id
    await consent_answers.end_texts(session, thread, question, source, utc_now(), answered=False, staff_id=staff_id)


async def _take_as_talk(session: AsyncSession, asked: Asked) -> None:
    """Everything that was asked in this conversation."""
    open_here = (col(Message.thread_id).in_(asked.parts), ASKED)
    for question in (await session.scalars(select(Message).where(*open_here))).all():
        question.stop_question, question.stop_answered_by = StopQuestion.NO, asked.actor.staff_id
    await session.flush()
    await consent.announce_change(session, asked.thread.phone_id)


def _recorded(school_id: int) -> domain.ConsentEvent:
    scope = ConsentScope.SCHOOL if school_id else ConsentScope.ALL
    return domain.ConsentEvent(
        ConsentKind.OPTED_OUT, scope, utc_now(), ConsentSource.STAFF, school_id=school_id or None
    )


async def _refuse_twice(session: AsyncSession, asked: Asked, event: domain.ConsentEvent) -> None:
    ledger = (await consent.ledgers_of(session, [asked.thread.phone_id])).get(asked.thread.phone_id, ())
    if event.target in {standing.target for standing in domain.not_lifted(ledger)}:
        raise Invalid(CLOSED_ALREADY)


async def _number_of(session: AsyncSession, asked: Asked) -> Number:
    """From which the family knows this conversation: that of its last text, else the inbox's own."""
    last = select(Number).join(Message, col(Message.number_id) == col(Number.id))
    last = last.where(col(Message.id) == asked.thread.last_message_id)
    number = await session.scalar(last) or await number_in(session, asked.inbox, asked.thread.id)
    if number is None or not consent_answers.can_send(number):
        raise Invalid(NO_NUMBER)
    return number


async def _record_answer(
    session: AsyncSession, actor: Actor | None, thread: Thread, question: Message, *, stop: bool
) -> None:
    """Not which family: whoever views the log need not know the families."""
    schools = await consent.schools_written_for(session, thread.inbox_id)
    facts = {"message": question.id, "thread": thread.id, "stop": stop}
    await audit.record(session, AuditKind.STOP_ANSWERED, actor, schools=schools, facts=facts)


async def _record_change(session: AsyncSession, kind: AuditKind, asked: Asked, school_id: int, note: str = "") -> None:
    schools = [school_id] if school_id else await consent.schools_written_for(session, asked.inbox.id)
    facts = {"thread": asked.thread.id} | ({"school": school_id} if school_id else {"everywhere": True})
    names = {"reason": note.strip()} if note.strip() else {}
    await audit.record(session, kind, asked.actor, schools=schools, facts=facts, names=names)
