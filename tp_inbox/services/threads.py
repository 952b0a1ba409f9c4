"""One open thread: who reads it, what closes its composer, From, and the draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind, InboxRef
from tp_inbox.domain.composing import MAX_BODY
from tp_inbox.domain.errors import Invalid, NotAllowed
from tp_inbox.domain.languages import language
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, consent, consent_panel, people
from tp_inbox.services.numbers import number_in
from tp_inbox.services.oversight import newest_reading
from tp_inbox.services.sending import refusal_now
from tp_inbox.services.untying import tied_here
from tp_inbox.services.views import DraftView, SenderChoice, ThreadHead
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.families import Reached, people_at, schools_of
from tp_inbox.storage.queries.places import school_names
from tp_inbox.storage.queries.scope import inbox_ref, own_thread, readable_inboxes
from tp_inbox.storage.tables import Draft, FamilyPhone, Inbox, Message, School, Thread

AUDIENCE_PERSONAL = "The answer comes to you alone."
AUDIENCE_SCHOOL = "Everyone with access to {school}’s inbox sees the answer."


class Threads:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def head(self, actor: Actor, thread_id: int) -> ThreadHead:
        """NotFound when the thread is not there, or not this person's to read."""
        async with self._db.reading() as session:
            thread, inbox = await own_thread(session, actor, thread_id)
            phone = await session.get_one(FamilyPhone, thread.phone_id)
            reached = (await people_at(session, [phone.id])).get(phone.id, [])
            schools = await schools_of(session, phone.id)
            names = await school_names(session, schools | ({inbox.school_id} if inbox.school_id else set()))
            refusal = await refusal_now(session, actor, thread, inbox)
            senders = await choices(session, actor, phone.id, inbox)
            read_by, times_read = await newest_reading(session, actor, thread_id)
            asked = await consent_panel.asked_here(session, actor, thread, inbox)
            theirs = {i: name for i, name in names.items() if i in schools}
            told = await consent_panel.panel(session, actor, thread, inbox, theirs)
            tied = await tied_here(session, actor, phone.id)
        may_tie = not reached and access.manages_families(actor)
        head = _head(thread, inbox, phone, reached, schools, names, refusal.sentence if refusal else "", senders)
        through = people.through(access.schools_met(actor, inbox.kind), _reached_by(inbox, schools), names)
        return replace(
            head,
            through=through,
            read_by=read_by,
            times_read=times_read,
            may_tie=may_tie,
            tied=tied,
            asked=asked,
            consent=told,
        )

    async def open(self, actor: Actor, phone_id: int, inbox_id: int | None = None) -> tuple[int, str]:
        """The thread with that family from that inbox, or from the first one allowed: its id and its tab."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            inbox = await _allowed_inbox(session, actor, phone_id, inbox_id)
            return await thread_between(session, inbox.id, phone_id), inbox.kind.value

    async def choose_sender(self, actor: Actor, thread_id: int, inbox_id: int) -> tuple[int, str]:
        """Moves to the same family's thread in another inbox, and the draft with it; that thread's id and tab."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            thread, _ = await own_thread(session, actor, thread_id)
            inbox = await _allowed_inbox(session, actor, thread.phone_id, inbox_id)
            target = await thread_between(session, inbox.id, thread.phone_id)
            await _move_draft(session, actor, thread_id, target)
        return target, inbox.kind.value

    async def senders(self, actor: Actor, phone_id: int) -> list[SenderChoice]:
        """From which inboxes the actor may write to that family."""
        async with self._db.reading() as session:
            return await choices(session, actor, phone_id)

    async def draft(self, actor: Actor, thread_id: int) -> DraftView:
        """What was begun here; with a fresh key when nothing was."""
        async with self._db.reading() as session:
            await own_thread(session, actor, thread_id)
            draft = await session.get(Draft, (actor.staff_id, thread_id))
        return DraftView(str(draft.client_key), draft.written) if draft else DraftView(str(uuid4()), "")

    async def save_draft(self, actor: Actor, thread_id: int, key: UUID, written: str) -> None:
        """Keeps what is being written; an empty draft is forgotten, and one that was sent a moment ago is not kept."""
        if len(written) > 2 * MAX_BODY:
            raise Invalid("This is much longer than a text can be.")
        written = written.replace("\x00", "")
        async with self._db.transaction() as session:
            await own_thread(session, actor, thread_id)
            if not written.strip():
                await _forget(session, actor.staff_id, thread_id)
            elif not await _is_sent(session, actor, key):
                await _keep(session, actor.staff_id, thread_id, key, written)


async def thread_between(session: AsyncSession, inbox_id: int, phone_id: int) -> int:
    """The one thread of an inbox and a family phone, made when first asked for."""
    made = insert(Thread).values(inbox_id=inbox_id, phone_id=phone_id, preview="", inbound_count=0)
    await session.execute(made.on_conflict_do_nothing())
    query = select(col(Thread.id)).where(col(Thread.inbox_id) == inbox_id, col(Thread.phone_id) == phone_id)
    return (await session.scalars(query)).one()


async def choices(
    session: AsyncSession, actor: Actor, phone_id: int, chosen: InboxRef | None = None
) -> list[SenderChoice]:
    """From which inboxes the actor may write to that phone, as From shows them."""
    schools = await schools_of(session, phone_id)
    query = (
        select(Inbox, col(School.name))
        .outerjoin(School, col(School.id) == col(Inbox.school_id))
        .where(readable_inboxes(actor))
        .order_by(col(Inbox.kind), col(School.name))
    )
    if not schools:
        query = query.where(_was_written_to_from(phone_id))
    rows = (await session.execute(query)).all()
    names = {inbox.id: name for inbox, name in rows}
    options = access.sender_options(actor, [inbox_ref(inbox) for inbox, _ in rows], schools)
    shown = [_choice(actor, i, names[i.id], chosen is not None and chosen.id == i.id) for i in options]
    stopped = await _stopped(session, options, phone_id)
    return [replace(choice, stopped=choice.inbox_id in stopped) for choice in shown]


async def _stopped(session: AsyncSession, options: Sequence[InboxRef], phone_id: int) -> set[int]:
    """Ids of the inboxes from which the family wants no texts."""
    if not await consent.ledgers_of(session, [phone_id]):
        return set()
    here = select(col(Thread.inbox_id), col(Thread.id)).where(col(Thread.phone_id) == phone_id)
    threads = {row.inbox_id: row.id for row in await session.execute(here)}
    stopped = set()
    for inbox in options:
        number = await number_in(session, inbox, threads.get(inbox.id, 0))
        if await consent.opt_out_of(session, phone_id, inbox.id, number.id if number else None):
            stopped.add(inbox.id)
    return stopped


def _was_written_to_from(phone_id: int) -> ColumnElement[bool]:
    """Whom nobody knows is answered from the inbox that they wrote to, and from no other."""
    return exists().where(col(Thread.inbox_id) == col(Inbox.id), col(Thread.phone_id) == phone_id)


def _choice(actor: Actor, inbox: InboxRef, school: str | None, chosen: bool) -> SenderChoice:
    if inbox.kind is InboxKind.PERSONAL:
        return SenderChoice(inbox.id, f"{actor.name} (personal)", AUDIENCE_PERSONAL, chosen)
    return SenderChoice(inbox.id, school or "School", AUDIENCE_SCHOOL.format(school=school or "the school"), chosen)


async def _allowed_inbox(session: AsyncSession, actor: Actor, phone_id: int, inbox_id: int | None) -> InboxRef:
    allowed = [choice.inbox_id for choice in await choices(session, actor, phone_id)]
    if not allowed:
        raise NotAllowed(access.NOT_ATTACHED)
    if inbox_id is not None and inbox_id not in allowed:
        raise NotAllowed("You cannot write to this family from there.")
    return inbox_ref(await session.get_one(Inbox, inbox_id or allowed[0]))


def _reached_by(inbox: InboxRef, schools: frozenset[int]) -> frozenset[int]:
    """A school's inbox belongs to that school alone, wherever else the family's students are."""
    return frozenset({inbox.school_id}) if inbox.school_id else schools


def _head(
    thread: Thread,
    inbox: InboxRef,
    phone: FamilyPhone,
    reached: list[Reached],
    schools: frozenset[int],
    names: dict[int, str],
    closed: str,
    senders: list[SenderChoice],
) -> ThreadHead:
    title = people.title_of(reached, phone.e164)
    school = names.get(inbox.school_id or 0, "")
    personal = inbox.kind is InboxKind.PERSONAL
    return ThreadHead(
        id=thread.id,
        box=inbox.kind.value,
        inbox_id=inbox.id,
        title=title,
        about=people.about(reached),
        initials=people.initials(title),
        hue=people.hue_of(phone.id),
        phone=display_phone(phone.e164),
        language=language(phone.language).name,
        people=people.views_of(reached),
        schools=[name for i, name in names.items() if i in schools],
        closed=closed,
        senders=senders if len(senders) > 1 else [],
        audience=AUDIENCE_PERSONAL if personal else AUDIENCE_SCHOOL.format(school=school),
        introduces=thread.introduced_at is None,
    )


async def _keep(session: AsyncSession, staff_id: int, thread_id: int, key: UUID, written: str) -> None:
    kept = insert(Draft).values(staff_id=staff_id, thread_id=thread_id, client_key=key, written=written, at=utc_now())
    fresh = {"client_key": kept.excluded.client_key, "written": kept.excluded.written, "at": kept.excluded.at}
    await session.execute(kept.on_conflict_do_update(index_elements=["staff_id", "thread_id"], set_=fresh))


async def _forget(session: AsyncSession, staff_id: int, thread_id: int) -> None:
    await session.execute(delete(Draft).where(col(Draft.staff_id) == staff_id, col(Draft.thread_id) == thread_id))


async def _is_sent(session: AsyncSession, actor: Actor, key: UUID) -> bool:
    sent = select(col(Message.id)).where(col(Message.author_id) == actor.staff_id, col(Message.client_key) == key)
    return await session.scalar(sent) is not None


async def _move_draft(session: AsyncSession, actor: Actor, source: int, target: int) -> None:
    """With a new key: what is sent from the other inbox is another text. A draft there already is replaced."""
    draft = await session.get(Draft, (actor.staff_id, source))
    if draft is None or source == target:
        return
    await _keep(session, actor.staff_id, target, uuid4(), draft.written)
    await _forget(session, actor.staff_id, source)
