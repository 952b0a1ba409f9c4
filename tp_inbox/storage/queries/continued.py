"""Threads of people who have left: in which thread each goes on, and which ones a thread continues."""

from __future__ import annotations

from sqlalchemy import Integer, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.storage.tables import Inbox, Staff, Thread


async def earlier_parts(session: AsyncSession, thread_id: int) -> dict[int, str]:
    """Ids of the threads that go on in this one, theirs included, each with the name of its owner."""
    found = select(col(Thread.id), col(Thread.inbox_id)).where(col(Thread.continued_in_id) == thread_id)
    parts = found.cte("parts", recursive=True)
    before = select(col(Thread.id), col(Thread.inbox_id)).where(col(Thread.continued_in_id) == parts.c.id)
    parts = parts.union(before)
    named = (
        select(parts.c.id, col(Staff.name))
        .join(Inbox, col(Inbox.id) == parts.c.inbox_id)
        .join(Staff, col(Staff.id) == col(Inbox.staff_id))
    )
    return {row[0]: row[1] for row in await session.execute(named)}


async def later_parts(session: AsyncSession, thread_id: int) -> list[int]:
    """Ids of the threads in which this one goes on, one after the other; its own first."""
    begin = select(col(Thread.id), col(Thread.continued_in_id), literal(0, Integer).label("step"))
    parts = begin.where(col(Thread.id) == thread_id).cte("parts", recursive=True)
    after = select(col(Thread.id), col(Thread.continued_in_id), parts.c.step + 1)
    parts = parts.union(after.join(parts, parts.c.continued_in_id == col(Thread.id)))
    return list(await session.scalars(select(parts.c.id).order_by(parts.c.step)))
