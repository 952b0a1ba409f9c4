"""The consent ledger of a family phone: asked before every text, written by every STOP and START."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import consent as domain
from tp_inbox.domain.consent import ConsentKind, ConsentScope, ConsentSource, Line
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.asked import ASKED
from tp_inbox.storage.queries.continued import earlier_numbers
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.queries.places import HELD
from tp_inbox.storage.tables import Campaign, ConsentEvent, FamilyPhone, Inbox, Message, Number, Thread
from tp_inbox.storage.tables.messages import Purpose, StopQuestion


async def lock_phones(session: AsyncSession, phone_ids: Collection[int]) -> list[FamilyPhone]:
    """Consent cannot change between the check and the write that it allows.

    Always before a lock on a thread and, for several phones, by id: so nobody waits in a circle.
    """
    phones = select(FamilyPhone).where(among(col(FamilyPhone.id), phone_ids)).order_by(col(FamilyPhone.id))
    return list(await session.scalars(phones.with_for_update(key_share=True)))


async def lock_many(session: AsyncSession, phone_ids: Collection[int]) -> dict[int, str]:
    """As ``lock_phones``, for thousands: by id the number alone."""
    phones = select(col(FamilyPhone.id), col(FamilyPhone.e164)).where(among(col(FamilyPhone.id), phone_ids))
    rows = await session.execute(phones.order_by(col(FamilyPhone.id)).with_for_update(key_share=True))
    return {row.id: row.e164 for row in rows}


async def lock_free_phones(session: AsyncSession, phone_ids: Collection[int]) -> set[int]:
    """Those that nobody has locked; for who holds other locks already, and must not wait for these."""
    free = select(col(FamilyPhone.id)).where(among(col(FamilyPhone.id), phone_ids))
    return set(await session.scalars(free.with_for_update(key_share=True, skip_locked=True)))


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
    return (await opt_outs_of(session, [phone_id], inbox_id, number_id)).get(phone_id)


async def opt_outs_of(
    session: AsyncSession, phone_ids: Collection[int], inbox_id: int, number_id: int | None
) -> dict[int, domain.ConsentEvent]:
    """By phone, why this number of the inbox may not text it; phones that it may text are left out.

    The same few queries for one phone and for ten thousand.
    """
    closed = await closures_of(session, phone_ids, inbox_id, number_id)
    return {phone_id: found[0] for phone_id, found in closed.items()}


async def closures_of(
    session: AsyncSession, phone_ids: Collection[int], inbox_id: int, number_id: int | None
) -> dict[int, list[domain.ConsentEvent]]:
    """By phone, everything that closes this number of the inbox; phones that are open are left out."""
    ledgers = await ledgers_of(session, phone_ids)
    if not ledgers:
        return {}
    lines = await lines_to(session, ledgers, inbox_id, number_id)
    closed = {phone_id: domain.closures(ledger, lines[phone_id]) for phone_id, ledger in ledgers.items()}
    return {phone_id: found for phone_id, found in closed.items() if found}


async def ledgers_of(session: AsyncSession, phone_ids: Collection[int]) -> Mapping[int, list[domain.ConsentEvent]]:
    """By phone, in the order written; phones of which nothing is written are left out."""
    rows = await session.scalars(
        select(ConsentEvent).where(among(col(ConsentEvent.phone_id), phone_ids)).order_by(col(ConsentEvent.id))
    )
    ledgers: dict[int, list[domain.ConsentEvent]] = defaultdict(list)
    for row in rows:
        ledgers[row.phone_id].append(event_of(row))
    return ledgers


def event_of(row: ConsentEvent) -> domain.ConsentEvent:
    return domain.ConsentEvent(row.kind, row.scope, row.at, row.source, row.number_id, row.school_id)


async def lines_to(
    session: AsyncSession, phone_ids: Collection[int], inbox_id: int, number_id: int | None
) -> dict[int, Line]:
    """By phone, this number of the inbox as consent sees it."""
    schools = await schools_written_for(session, inbox_id)
    campaign = await _campaign_school(session, number_id, schools)
    earlier = await earlier_numbers(session, inbox_id, phone_ids)
    return {i: Line(number_id, campaign, schools, earlier.get(i, ())) for i in phone_ids}


async def holds_back(session: AsyncSession, message: Message, phone_id: int) -> bool:
    """Whether the family's wish keeps this text from leaving. Only what confirms a STOP leaves after it."""
    if message.purpose is Purpose.STOP_CONFIRMED:
        return False
    return await opt_out_of(session, phone_id, message.inbox_id, message.number_id) is not None


async def opt_out(
    session: AsyncSession,
    thread: Thread,
    number_id: int,
    source: ConsentSource,
    message_id: int,
    at: datetime,
    staff_id: int | None = None,
) -> None:
    """A STOP to one number of ours reaches as far as the carrier blocks: all that are in its Messaging Service.

    Said twice it is written twice: the ledger only grows.
    """
    await lock_phones(session, [thread.phone_id])
    school_id = await _campaign_school(session, number_id, ())
    scope = ConsentScope.SHARED if school_id is None else ConsentScope.SCHOOL
    event = domain.ConsentEvent(ConsentKind.OPTED_OUT, scope, at, source, number_id, school_id)
    await write(session, thread.phone_id, [event], message_id=message_id, staff_id=staff_id)


async def opt_in(
    session: AsyncSession, thread: Thread, number_id: int, message_id: int, at: datetime, *, plain_yes: bool = False
) -> list[domain.ConsentEvent]:
    """A family's START, or a YES: opens whatever closed this number to them, and is nothing on an open one.

    What it lifted; a STOP that is newer than it stays, and to a ``plain_yes`` what staff have recorded.
    """
    await lock_phones(session, [thread.phone_id])
    closed = await closures_of(session, [thread.phone_id], thread.inbox_id, number_id)
    said_before = [event for event in closed.get(thread.phone_id, ()) if event.at <= at]
    ended = [event for event in said_before if not (plain_yes and event.source is ConsentSource.STAFF)]
    opened = domain.lifted(ended, at, ConsentSource.FAMILY)
    await write(session, thread.phone_id, opened, message_id=message_id)
    return opened


async def write(
    session: AsyncSession,
    phone_id: int,
    events: Iterable[domain.ConsentEvent],
    *,
    message_id: int | None = None,
    staff_id: int | None = None,
) -> None:
    """Under the phone's lock. What closes a line answers, too, what was asked of the staff there."""
    rows = [
        ConsentEvent(phone_id=phone_id, message_id=message_id, staff_id=staff_id, **asdict(event)) for event in events
    ]
    if rows:
        session.add_all(rows)
        await session.flush()
        await _settle_questions(session, phone_id, staff_id)
        await announce_change(session, phone_id)


async def _settle_questions(session: AsyncSession, phone_id: int, staff_id: int | None) -> None:
    asked = (
        select(Message)
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .where(col(Thread.phone_id) == phone_id, ASKED)
    )
    for question in (await session.scalars(asked)).all():
        if await opt_out_of(session, phone_id, question.inbox_id, question.number_id):
            question.stop_question, question.stop_answered_by = StopQuestion.YES, staff_id


async def announce_change(session: AsyncSession, phone_id: int) -> None:
    """To every thread with the family: a STOP to one number closes the composers of others."""
    threads = select(col(Thread.id), col(Thread.inbox_id)).where(col(Thread.phone_id) == phone_id)
    for thread_id, inbox_id in (await session.execute(threads)).all():
        await announce(session, Change(ChangeKind.CONSENT, inbox=inbox_id, thread=thread_id))


async def schools_written_for(session: AsyncSession, inbox_id: int) -> set[int]:
    """The school of a shared inbox; for a person's own, every school where they hold a role."""
    school = func.coalesce(col(Inbox.school_id), HELD.c.school_id)
    query = (
        select(school)
        .select_from(Inbox)
        .outerjoin(HELD, HELD.c.staff_id == col(Inbox.staff_id))
        .where(col(Inbox.id) == inbox_id, school.is_not(None))
    )
    return set(await session.scalars(query))


async def _campaign_school(session: AsyncSession, number_id: int | None, schools: Collection[int]) -> int | None:
    """Whose Messaging Service the number is in, or will be once it is bought; None for the district's."""
    if number_id is None:
        return next(iter(schools)) if len(schools) == 1 else None
    of_number = select(col(Campaign.school_id)).join(Number, col(Number.campaign_id) == col(Campaign.id))
    return await session.scalar(of_number.where(col(Number.id) == number_id))
