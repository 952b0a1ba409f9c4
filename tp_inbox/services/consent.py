"""The consent ledger of a family phone: asked before every text, written by every STOP and START."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import consent as domain
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.continued import earlier_parts
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.tables import ConsentEvent, FamilyPhone, Inbox, Number, Thread


async def lock_phones(session: AsyncSession, phone_ids: Collection[int]) -> list[FamilyPhone]:
    """Consent cannot change between the check and the write that it allows.

    Always before a lock on a thread and, for several phones, by id: so nobody waits in a circle.
    """
    phones = select(FamilyPhone).where(col(FamilyPhone.id).in_(phone_ids)).order_by(col(FamilyPhone.id))
    return list(await session.scalars(phones.with_for_update(key_share=True)))


async def lock_phone_of(session: AsyncSession, thread_id: int) -> FamilyPhone | None:
    """The phone of a thread; None when there is no such thread."""
    phone = (
        select(FamilyPhone).join(Thread, col(Thread.phone_id) == col(FamilyPhone.id)).where(col(Thread.id) == thread_id)
    )
    return await session.scalar(phone.with_for_update(of=FamilyPhone, key_share=True))


async def opt_out_of(
    session: AsyncSession, phone_id: int, inbox_id: int, number_id: int | None
) -> domain.ConsentEvent | None:
    """Why our number may not text this phone; None when it may."""
    return next(iter(await _closures(session, phone_id, inbox_id, number_id)), None)


async def opt_out(
    session: AsyncSession, thread: Thread, number_id: int, source: ConsentSource, message_id: int, at: datetime
) -> None:
    """A STOP to one number of ours. Said twice it is written twice: the ledger only grows."""
    await lock_phones(session, [thread.phone_id])
    event = domain.ConsentEvent(ConsentKind.OPTED_OUT, ConsentScope.NUMBER, at, source, number_id=number_id)
    await _write(session, thread, [event], message_id)


async def opt_in(session: AsyncSession, thread: Thread, number_id: int, message_id: int, at: datetime) -> None:
    """A family's START, or a YES: opens whatever closed this number to them, and is nothing on an open one."""
    await lock_phones(session, [thread.phone_id])
    closed = await _closures(session, thread.phone_id, thread.inbox_id, number_id)
    said_before = [event for event in closed if event.at <= at]
    await _write(session, thread, domain.lifted(said_before, at, ConsentSource.FAMILY), message_id)


async def _closures(
    session: AsyncSession, phone_id: int, inbox_id: int, number_id: int | None
) -> list[domain.ConsentEvent]:
    ledger = await _ledger(session, phone_id)
    if not ledger:
        return []
    schools = await _schools_written_for(session, inbox_id)
    earlier = await _earlier_numbers(session, phone_id, inbox_id)
    return domain.closures(ledger, number_id=number_id, school_ids=schools, earlier_number_ids=earlier)


async def _earlier_numbers(session: AsyncSession, phone_id: int, inbox_id: int) -> set[int]:
    """Numbers of colleagues who have left, from which the conversation of this inbox and phone was handed over."""
    here = select(col(Thread.id)).where(col(Thread.inbox_id) == inbox_id, col(Thread.phone_id) == phone_id)
    thread_id = await session.scalar(here)
    parts = await earlier_parts(session, thread_id) if thread_id else {}
    owners = (
        select(col(Number.id))
        .join(Inbox, col(Inbox.staff_id) == col(Number.staff_id))
        .join(Thread, col(Thread.inbox_id) == col(Inbox.id))
    )
    return set(await session.scalars(owners.where(col(Thread.id).in_(parts)))) if parts else set()


async def _ledger(session: AsyncSession, phone_id: int) -> list[domain.ConsentEvent]:
    rows = await session.scalars(
        select(ConsentEvent).where(col(ConsentEvent.phone_id) == phone_id).order_by(col(ConsentEvent.id))
    )
    return [domain.ConsentEvent(r.kind, r.scope, r.at, r.source, r.number_id, r.school_id) for r in rows]


async def _schools_written_for(session: AsyncSession, inbox_id: int) -> set[int]:
    """The school of a shared inbox; for a person's own, every school where they hold a role."""
    school = func.coalesce(col(Inbox.school_id), HELD.c.school_id)
    query = (
        select(school)
        .select_from(Inbox)
        .outerjoin(HELD, HELD.c.staff_id == col(Inbox.staff_id))
        .where(col(Inbox.id) == inbox_id, school.is_not(None))
    )
    return set(await session.scalars(query))


async def _write(session: AsyncSession, thread: Thread, events: Iterable[domain.ConsentEvent], message_id: int) -> None:
    for event in events:
        session.add(ConsentEvent(phone_id=thread.phone_id, message_id=message_id, **asdict(event)))
        await announce(session, Change(ChangeKind.CONSENT, inbox=thread.inbox_id, thread=thread.id))
