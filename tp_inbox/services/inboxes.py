"""Reading: the tabs, the list, a thread and its messages, and what has been read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind, InboxRef
from tp_inbox.domain.delivery import NOT_ARRIVED, DeliveryState, explain
from tp_inbox.domain.errors import NotFound
from tp_inbox.services import people
from tp_inbox.services.views import InboxTabs, MessageRow, StatusView, ThreadRow
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.asked import ASKED
from tp_inbox.storage.queries.continued import earlier_parts
from tp_inbox.storage.queries.families import Reached, people_at
from tp_inbox.storage.queries.places import school_names
from tp_inbox.storage.queries.scope import inbox_ref, own_thread, readable_inboxes
from tp_inbox.storage.tables import Draft, FamilyPhone, Inbox, Message, ReadMarker, School, Staff, Thread
from tp_inbox.storage.tables.messages import Direction, Purpose

THREADS_A_PAGE = 50
MESSAGES_A_PAGE = 50
AUTOMATIC = "Automatic reply"
"""Stands in the place of an author on what nobody wrote in person."""
ELSEWHERE = "Sent from outside this inbox"
"""And on what left from our number without our knowing."""
THEIRS, OWN = "theirs", "own"
ONE_GROUP = timedelta(minutes=5)
"""Messages of one author within this time are one group of bubbles."""

ASKS_STOP = exists().where(col(Message.thread_id) == col(Thread.id), ASKED)
UNREAD = func.greatest(col(Thread.inbound_count) - func.coalesce(col(ReadMarker.seen), 0), 0)


class Inboxes:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._refs: dict[int, InboxRef] = {}

    async def tabs(self, actor: Actor) -> InboxTabs:
        unread = (
            select(col(Inbox.kind), func.count().label("threads"))
            .select_from(Thread)
            .join(Inbox, col(Inbox.id) == col(Thread.inbox_id))
            .outerjoin(ReadMarker, _marker_of(actor))
            .where(readable_inboxes(actor), col(Thread.last_at).is_not(None), UNREAD > 0)
            .group_by(col(Inbox.kind))
        )
        async with self._db.reading() as session:
            counts = {row.kind: row.threads for row in await session.execute(unread)}
        return InboxTabs(
            personal=access.has_personal_inbox(actor),
            school=bool(access.readable_school_inboxes(actor)),
            personal_unread=counts.get(InboxKind.PERSONAL, 0),
            school_unread=counts.get(InboxKind.SCHOOL, 0),
        )

    async def threads(
        self, actor: Actor, kind: InboxKind, before: tuple[datetime, int] | None = None
    ) -> tuple[list[ThreadRow], bool]:
        """A page of the list, newest first, and whether older ones remain. ``before`` is the last row's key."""
        query = _list_query(actor).where(readable_inboxes(actor, kind), col(Thread.last_at).is_not(None))
        if before is not None:
            query = query.where(tuple_(col(Thread.last_at), col(Thread.id)) < tuple_(*before))
        query = query.order_by(col(Thread.last_at).desc(), col(Thread.id).desc()).limit(THREADS_A_PAGE + 1)
        async with self._db.reading() as session:
            rows = await _thread_rows(session, actor, (await session.execute(query)).all())
        return rows[:THREADS_A_PAGE], len(rows) > THREADS_A_PAGE

    async def thread_row(self, actor: Actor, thread_id: int) -> ThreadRow:
        """One line of the list; NotFound when it is not this person's to see."""
        query = _list_query(actor).where(readable_inboxes(actor), col(Thread.id) == thread_id)
        async with self._db.reading() as session:
            rows = await _thread_rows(session, actor, (await session.execute(query)).all())
        if not rows:
            raise NotFound
        return rows[0]

    async def messages(self, actor: Actor, thread_id: int, before: int | None = None) -> tuple[list[MessageRow], bool]:
        """A page of bubbles in reading order, and whether older ones remain. ``before`` is a message id.

        What colleagues who have left wrote with this family, and handed over, stands among them.
        """
        async with self._db.reading() as session:
            await own_thread(session, actor, thread_id)
            parts = await earlier_parts(session, thread_id)
            return await page_of_messages(session, {thread_id: "", **parts}, before)

    async def mark_read(self, actor: Actor, thread_id: int) -> None:
        """All that is in the thread now has been seen by this person, in each of their tabs."""
        async with self._db.transaction() as session:
            thread, inbox = await own_thread(session, actor, thread_id)
            if await self._move_marker(session, actor, thread):
                change = Change(ChangeKind.READ, inbox=inbox.id, thread=thread_id, staff=actor.staff_id)
                await announce(session, change)

    async def inbox_ref(self, inbox_id: int) -> InboxRef:
        """Whose inbox this is, which never changes; for those who pass changes on, not for showing."""
        if inbox_id not in self._refs:
            async with self._db.reading() as session:
                inbox = await session.get(Inbox, inbox_id)
            if inbox is None:
                raise NotFound
            self._refs[inbox_id] = inbox_ref(inbox)
        return self._refs[inbox_id]

    async def _move_marker(self, session: AsyncSession, actor: Actor, thread: Thread) -> bool:
        marked = insert(ReadMarker).values(
            staff_id=actor.staff_id, thread_id=thread.id, seen=thread.inbound_count, at=utc_now()
        )
        moved = await session.execute(
            marked.on_conflict_do_update(
                index_elements=["staff_id", "thread_id"],
                set_={"seen": marked.excluded.seen, "at": marked.excluded.at},
                where=col(ReadMarker.seen) < marked.excluded.seen,
            ).returning(col(ReadMarker.seen))
        )
        return moved.scalar_one_or_none() is not None and thread.inbound_count > 0


async def page_of_messages(
    session: AsyncSession, threads: Mapping[int, str], before: int | None = None
) -> tuple[list[MessageRow], bool]:
    """Of these threads, in reading order, and whether older ones remain. Whoever calls it has asked whether they may
    be read. ``threads``: by id, whose it is when it is another one's than the thread in which they are shown.
    """
    newest_first = (await session.execute(_page_of(list(threads), before))).all()
    rows = in_groups([message_row(m, author, threads[m.thread_id]) for m, author in reversed(newest_first)])
    return rows[-MESSAGES_A_PAGE:], len(rows) > MESSAGES_A_PAGE


def message_row(message: Message, author: str | None, owner: str = "") -> MessageRow:
    """``owner``: of the conversation in which it was written, when that is another one than it is shown in."""
    status = status_of(message)
    outbound = message.direction is Direction.OUT
    return MessageRow(
        id=message.id,
        key=str(message.client_key or message.id),
        outbound=outbound,
        author_id=message.author_id or 0,
        author=author or (_author_of_none(message) if outbound else ""),
        text=message.written,
        sent_as=message.body if message.body != message.written else "",
        media=message.media,
        at=message.created_at.isoformat(),
        state=status.state,
        reason=status.reason,
        advice=status.advice,
        may_retry=status.may_retry,
        owner=owner,
        turn=THEIRS if owner else "",
        again_at=status.again_at,
        doubled=status.doubled,
        may_cancel=status.may_cancel,
    )


def _author_of_none(message: Message) -> str:
    return ELSEWHERE if message.purpose is Purpose.FOUND else AUTOMATIC


def status_of(message: Message) -> StatusView:
    if message.state not in NOT_ARRIVED:
        again_at = message.next_attempt_at.isoformat() if _is_tried_again(message) else ""
        doubled = message.doubled.value if message.doubled and message.sid else ""
        return StatusView(
            message.state.value,
            reason="",
            advice="",
            may_retry=False,
            again_at=again_at,
            doubled=doubled,
            may_cancel=is_waiting(message),
        )
    explanation = explain(message.reason)
    may_retry = explanation.may_retry and not message.retried
    return StatusView(message.state.value, explanation.sentence, explanation.advice, may_retry)


def is_waiting(message: Message) -> bool:
    """Whether it was written by somebody and has never been on its way: until then it can be canceled."""
    untouched = message.state is DeliveryState.QUEUED and message.doubled is None and message.redelivered == 0
    return untouched and message.author_id is not None


def _is_tried_again(message: Message) -> bool:
    return message.state is DeliveryState.QUEUED and message.redelivered > 0


def in_groups(rows: Sequence[MessageRow], above: MessageRow | None = None) -> list[MessageRow]:
    """Tells each bubble what stands above it, so that the screen can group them and draw the days.

    The first one keeps what it knows already, unless ``above`` is given.
    """
    aboves = [above, *rows]
    return [_below(above, row) for above, row in zip(aboves, rows, strict=False)]


def _below(above: MessageRow | None, row: MessageRow) -> MessageRow:
    if above is None:
        return row
    turn = "" if above.owner == row.owner else THEIRS if row.owner else OWN
    return replace(row, before=above.at, joined=_joined(above, row), turn=turn)


def _joined(above: MessageRow, row: MessageRow) -> bool:
    same = (above.owner, above.outbound, above.author_id) == (row.owner, row.outbound, row.author_id)
    return same and datetime.fromisoformat(row.at) - datetime.fromisoformat(above.at) <= ONE_GROUP


def _marker_of(actor: Actor) -> ColumnElement[bool]:
    return and_(col(ReadMarker.thread_id) == col(Thread.id), col(ReadMarker.staff_id) == actor.staff_id)


def _list_query(actor: Actor) -> Select:
    drafted = and_(col(Draft.thread_id) == col(Thread.id), col(Draft.staff_id) == actor.staff_id)
    return (
        select(
            Thread,
            col(Inbox.kind).label("kind"),
            col(School.name).label("school"),
            col(FamilyPhone.e164).label("e164"),
            col(Staff.name).label("author"),
            UNREAD.label("unread"),
            col(Draft.written).label("draft"),
            ASKS_STOP.label("asks_stop"),
        )
        .join(Inbox, col(Inbox.id) == col(Thread.inbox_id))
        .join(FamilyPhone, col(FamilyPhone.id) == col(Thread.phone_id))
        .outerjoin(School, col(School.id) == col(Inbox.school_id))
        .outerjoin(Staff, col(Staff.id) == col(Thread.last_author_id))
        .outerjoin(ReadMarker, _marker_of(actor))
        .outerjoin(Draft, drafted)
    )


async def _thread_rows(session: AsyncSession, actor: Actor, rows: Sequence[Row]) -> list[ThreadRow]:
    """What every line of a school's inbox has in common is said by the inbox's name."""
    reached = await people_at(session, [row.Thread.phone_id for row in rows])
    met = access.schools_met(actor, InboxKind.PERSONAL)
    names = await school_names(session, met) if len(met) > 1 and any(_is_personal(row) for row in rows) else {}
    return [_thread_row(row, reached.get(row.Thread.phone_id, []), met, names) for row in rows]


def _is_personal(row: Row) -> bool:
    return row.kind is InboxKind.PERSONAL


def _thread_row(row: Row, reached: Sequence[Reached], met: Collection[int], names: Mapping[int, str]) -> ThreadRow:
    thread: Thread = row.Thread
    title = people.title_of(reached, row.e164)
    return ThreadRow(
        id=thread.id,
        box=row.kind.value,
        title=title,
        about=people.about(reached),
        initials=people.initials(title),
        hue=people.hue_of(thread.phone_id),
        preview=row.draft or thread.preview,
        at=thread.last_at.isoformat() if thread.last_at else "",
        outbound=thread.last_direction is Direction.OUT,
        author_id=thread.last_author_id or 0,
        author=row.author or "",
        unread=row.unread,
        draft=bool(row.draft),
        inbox_name=row.school or "",
        through=people.through(met, people.schools_of(reached), names) if _is_personal(row) else "",
        asks_stop=row.asks_stop,
    )


def _messages_query() -> Select[Message, str]:
    return select(Message, col(Staff.name)).outerjoin(Staff, col(Staff.id) == col(Message.author_id))


def _page_of(thread_ids: Sequence[int], before: int | None) -> Select[Message, str]:
    """Newest first, and one more than a page: it stands above the page's first bubble."""
    position = tuple_(col(Message.created_at), col(Message.id))
    query = _messages_query().where(col(Message.thread_id).in_(thread_ids))
    if before is not None:
        edge = select(col(Message.created_at), col(Message.id))
        edge = edge.where(col(Message.id) == before, col(Message.thread_id).in_(thread_ids)).subquery()
        query = query.join(edge, position < tuple_(edge.c.created_at, edge.c.id))
    return query.order_by(col(Message.created_at).desc(), col(Message.id).desc()).limit(MESSAGES_A_PAGE + 1)
