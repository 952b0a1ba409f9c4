"""Threads of people who have left: in which thread each goes on, and which ones a thread continues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Integer, exists, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.tables import Inbox, Number, Pair, Staff, Thread


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


async def earlier_numbers(session: AsyncSession, inbox_id: int, phone_ids: Collection[int]) -> dict[int, set[int]]:
    """By family phone, ids of the numbers of colleagues who have left, from which its conversation in this inbox was
    handed over. Phones without such a conversation are left out.
    """
    here = select(col(Thread.id)).where(col(Thread.inbox_id) == inbox_id, among(col(Thread.phone_id), phone_ids))
    handed = select(col(Thread.id), col(Thread.inbox_id), col(Thread.phone_id))
    parts = handed.where(col(Thread.continued_in_id).in_(here)).cte("parts", recursive=True)
    parts = parts.union(handed.where(col(Thread.continued_in_id) == parts.c.id))
    paired = exists().where(col(Pair.thread_id) == parts.c.id, col(Pair.number_id) == col(Number.id))
    owned = (
        select(parts.c.phone_id, col(Number.id))
        .join(Inbox, col(Inbox.id) == parts.c.inbox_id)
        .join(Number, or_(col(Number.staff_id) == col(Inbox.staff_id), paired))
    )
    numbers: dict[int, set[int]] = defaultdict(set)
    for phone_id, number_id in await session.execute(owned):
        numbers[phone_id].add(number_id)
    return numbers
