"""The consent ledger of a family phone: asked before every text, written by every STOP and START."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import consent as domain
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import ConsentEvent, FamilyPhone, Thread


async def lock_phone(session: AsyncSession, phone_id: int) -> FamilyPhone:
    """Consent cannot change between the check and the write that it allows."""
    return (
        await session.scalars(select(FamilyPhone).where(col(FamilyPhone.id) == phone_id).with_for_update())
    ).one()


async def opt_out_of(
    session: AsyncSession, phone_id: int, number_id: int | None, school_ids: Collection[int]
) -> domain.ConsentEvent | None:
    """Why our number may not text this phone; None when it may."""
    return domain.standing(await _ledger(session, phone_id), number_id=number_id, school_ids=school_ids)


async def opt_out(
    session: AsyncSession, thread: Thread, number_id: int, source: ConsentSource, message_id: int
) -> None:
    """A family's STOP to one number of ours. Said twice it is written twice: the ledger only grows."""
    now = utc_now()
    event = domain.ConsentEvent(ConsentKind.OPTED_OUT, ConsentScope.NUMBER, now, source, number_id=number_id)
    await _write(session, thread, [event], message_id)


async def opt_in(
    session: AsyncSession, thread: Thread, number_id: int, school_ids: Collection[int], message_id: int
) -> None:
    """A family's START, or a YES: opens whatever closed this number to them, and is nothing on an open one."""
    closed = domain.closures(
        await _ledger(session, thread.phone_id), number_id=number_id, school_ids=school_ids
    )
    await _write(session, thread, domain.lifted(closed, utc_now(), ConsentSource.FAMILY), message_id)


async def _ledger(session: AsyncSession, phone_id: int) -> list[domain.ConsentEvent]:
    rows = await session.scalars(
        select(ConsentEvent).where(col(ConsentEvent.phone_id) == phone_id).order_by(col(ConsentEvent.id))
    )
    return [domain.ConsentEvent(r.kind, r.scope, r.at, r.source, r.number_id, r.school_id) for r in rows]


async def _write(
    session: AsyncSession, thread: Thread, events: Iterable[domain.ConsentEvent], message_id: int
) -> None:
    for event in events:
        session.add(ConsentEvent(phone_id=thread.phone_id, message_id=message_id, **asdict(event)))
        await announce(session, Change(ChangeKind.CONSENT, inbox=thread.inbox_id, thread=thread.id))
