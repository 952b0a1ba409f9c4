"""Conversations of others that somebody has opened in oversight and may read for an hour."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor, InboxRef
from tp_inbox.domain.errors import NotAllowed, NotFound
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.queries.scope import overseen_thread, own_thread
from tp_inbox.storage.tables import OversightReading, Thread

OPEN_FOR = timedelta(minutes=60)
"""Long enough to read a long conversation and to look something up in between. Who comes back after that has another
reason, and gives it."""
NOT_OPENED = "An hour has passed since you opened this conversation. Please open it again."


async def is_open(session: AsyncSession, actor: Actor, thread_id: int) -> bool:
    opening = select(col(OversightReading.id)).where(
        col(OversightReading.reader_id) == actor.staff_id,
        col(OversightReading.thread_id) == thread_id,
        col(OversightReading.at) > utc_now() - OPEN_FOR,
    )
    return await session.scalar(opening.limit(1)) is not None


async def opened_thread(session: AsyncSession, actor: Actor, thread_id: int) -> tuple[Thread, InboxRef]:
    """Fetching and checking in one: NotFound when it is not there, or not this person's to oversee; NotAllowed
    unless they have opened it within the hour.
    """
    found = await overseen_thread(session, actor, thread_id)
    if not await is_open(session, actor, thread_id):
        raise NotAllowed(NOT_OPENED)
    return found


async def thread_before(session: AsyncSession, actor: Actor, thread_id: int) -> tuple[Thread, InboxRef]:
    """What this person has before them, whichever way: their own to read, or opened in oversight."""
    try:
        return await own_thread(session, actor, thread_id)
    except NotFound:
        return await opened_thread(session, actor, thread_id)
