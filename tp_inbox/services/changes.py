"""What changed, read once for all the screens that may show it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.services.inboxes import UNREAD, message_row, status_of
from tp_inbox.services.views import MessageRow, StatusView
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind
from tp_inbox.storage.tables import Message, ReadMarker, Staff, Thread

__all__ = ["Change", "ChangeKind", "Changed", "Changes"]


@dataclass(frozen=True, slots=True)
class Changed:
    """A change with the bubble or status it is about, and by staff id how many texts of the thread are unread."""

    change: Change
    message: MessageRow | None = None
    status: StatusView | None = None
    unread: dict[int, int] = field(default_factory=dict)


class Changes:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def read(self, change: Change, staff_ids: Collection[int]) -> Changed:
        match change.kind:
            case ChangeKind.MESSAGE:
                return await self._message(change, staff_ids)
            case ChangeKind.STATUS:
                return await self._status(change)
            case ChangeKind.READ:
                async with self._db.reading() as session:
                    return Changed(change, unread=await _unread(session, change, staff_ids))
        return Changed(change)

    async def _message(self, change: Change, staff_ids: Collection[int]) -> Changed:
        async with self._db.reading() as session:
            message, author = (await session.execute(WRITTEN, {"message": change.message})).one()
            unread = await _unread(session, change, staff_ids)
        return Changed(change, message_row(message, author), status_of(message), unread)

    async def _status(self, change: Change) -> Changed:
        async with self._db.reading() as session:
            message = await session.get_one(Message, change.message)
        return Changed(change, status=status_of(message))


async def _unread(session: AsyncSession, change: Change, staff_ids: Collection[int]) -> dict[int, int]:
    found = await session.execute(COUNTS, {"thread": change.thread, "staff": list(staff_ids)})
    return {row.id: row.unread for row in found}


# Made once: this stands on the way of every text to every screen.
WRITTEN = (
    select(Message, col(Staff.name))
    .outerjoin(Staff, col(Staff.id) == col(Message.author_id))
    .where(col(Message.id) == bindparam("message"))
)
COUNTS = (
    select(col(Staff.id), UNREAD.label("unread"))
    .join(Thread, col(Thread.id) == bindparam("thread"))
    .outerjoin(
        ReadMarker,
        and_(col(ReadMarker.staff_id) == col(Staff.id), col(ReadMarker.thread_id) == col(Thread.id)),
    )
    .where(col(Staff.id).in_(bindparam("staff", expanding=True)))
)
