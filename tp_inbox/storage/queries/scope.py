"""Access as SQL: the only conditions by which inboxes and threads are found for a person."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind, InboxRef
from tp_inbox.domain.errors import NotFound
from tp_inbox.storage.tables import Inbox, Thread


def readable_inboxes(actor: Actor, kind: InboxKind | None = None) -> ColumnElement[bool]:
    """The SQL twin of ``access.may_read``; a test holds the two against each other."""
    own = col(Inbox.staff_id) == actor.staff_id if access.has_personal_inbox(actor) else false()
    shared = col(Inbox.school_id).in_(access.readable_school_inboxes(actor))
    return {InboxKind.PERSONAL: own, InboxKind.SCHOOL: shared, None: or_(own, shared)}[kind]


async def own_thread(session: AsyncSession, actor: Actor, thread_id: int) -> tuple[Thread, InboxRef]:
    """Fetching and checking in one: raises NotFound when it is not there, or not this person's to read."""
    query = (
        select(Thread, Inbox)
        .join(Inbox, col(Inbox.id) == col(Thread.inbox_id))
        .where(col(Thread.id) == thread_id, readable_inboxes(actor))
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], inbox_ref(row[1])


def inbox_ref(inbox: Inbox) -> InboxRef:
    return InboxRef(inbox.id, inbox.kind, inbox.staff_id, inbox.school_id)
