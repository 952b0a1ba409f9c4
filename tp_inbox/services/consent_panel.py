"""What is said of a family's consent: why a composer is closed, and what the panel about the family tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, consent as domain
from tp_inbox.domain.access import Actor, InboxRef
from tp_inbox.domain.consent import ConsentEvent as Event, ConsentKind, ConsentScope, ConsentSource, Line, Told
from tp_inbox.services import consent
from tp_inbox.services.numbers import number_in
from tp_inbox.services.unsubscribing import places, refusal_to_take_back
from tp_inbox.services.views import NOTHING_ASKED, ConsentEntry, ConsentView, StopAsked, StopPlace
from tp_inbox.storage.queries.asked import ASKED
from tp_inbox.storage.queries.continued import earlier_parts
from tp_inbox.storage.tables import ConsentEvent, District, Message, School, Staff, Thread

MOST_ENTRIES = 10
LONGEST_WORDS = 200


async def why_closed(session: AsyncSession, phone_id: int, inbox_id: int, number_id: int | None) -> str:
    """In a sentence, and what opens it; empty when this number may text the phone."""
    ledger = (await consent.ledgers_of(session, [phone_id])).get(phone_id)
    if not ledger:
        return ""
    line = (await consent.lines_to(session, [phone_id], inbox_id, number_id))[phone_id]
    opt_out = domain.standing(ledger, line)
    if opt_out is None:
        return ""
    own_line = replace(line, earlier_number_ids=())
    told = await _told(session, opt_out)
    return domain.opt_out_sentence(opt_out, told, to_earlier_number=not own_line.is_reached_by(opt_out))


async def asked_here(session: AsyncSession, actor: Actor, thread: Thread, inbox: InboxRef) -> StopAsked:
    """The newest text of this conversation that may mean STOP and that nobody has answered."""
    parts = [thread.id, *await earlier_parts(session, thread.id)]
    here = (col(Message.thread_id).in_(parts), ASKED)
    question = await session.scalar(select(Message).where(*here).order_by(col(Message.id).desc()).limit(1))
    if question is None:
        return NOTHING_ASKED
    words = question.body if len(question.body) <= LONGEST_WORDS else question.body[:LONGEST_WORDS].rstrip() + "…"
    return StopAsked(question.id, words, access.may_answer_stop(actor, inbox))


async def panel(
    session: AsyncSession, actor: Actor, thread: Thread, inbox: InboxRef, family_schools: Mapping[int, str]
) -> ConsentView:
    """``family_schools``: by id, where the family's students are."""
    offered = [StopPlace(i, name) for i, name in (await places(session, actor, inbox, thread.phone_id)).items()]
    ledger = await _ledger(session, thread.phone_id)
    if not ledger:
        return ConsentView(places=offered)
    number = await number_in(session, inbox, thread.id)
    lines = await consent.lines_to(session, [thread.phone_id], inbox.id, number.id if number else None)
    line = lines[thread.phone_id]
    closed = domain.closures([event for _, event, _ in ledger], line)
    recorded = {event.target for event in closed if event.number_id is None}
    return ConsentView(
        stopped=await _stopped(session, closed, ledger, family_schools),
        history=_history(ledger, line),
        places=[place for place in offered if _target(place.id) not in recorded],
        may_take_back=refusal_to_take_back(actor, closed) is None,
    )


def _target(school_id: int) -> tuple[ConsentScope, int | None, bool]:
    return (ConsentScope.SCHOOL, school_id, False) if school_id else (ConsentScope.ALL, None, False)


Written = tuple[int, Event, str]
"""An entry of the ledger: its id, the event, and the name of whoever of the staff recorded it."""


async def _ledger(session: AsyncSession, phone_id: int) -> list[Written]:
    rows = await session.execute(
        select(ConsentEvent, col(Staff.name))
        .outerjoin(Staff, col(Staff.id) == col(ConsentEvent.staff_id))
        .where(col(ConsentEvent.phone_id) == phone_id)
        .order_by(col(ConsentEvent.id))
    )
    return [(row.id, consent.event_of(row), name or "") for row, name in rows]


async def _stopped(
    session: AsyncSession, closed: Collection[Event], ledger: Collection[Written], family_schools: Mapping[int, str]
) -> list[str]:
    """A sentence for each thing that is stopped, by its newest entry; the newest first."""
    newest = {event.target: event for event in sorted(closed, key=lambda event: event.at)}
    said = []
    for event in sorted(newest.values(), key=lambda event: event.at, reverse=True):
        elsewhere = [name for i, name in family_schools.items() if i != event.school_id]
        by = next((name for _, written, name in ledger if written == event), "")
        said.append(domain.coverage_sentence(event, await _told(session, event, elsewhere, by)))
    return said


def _history(ledger: Collection[Written], line: Line) -> list[ConsentEntry]:
    """The newest first, and of others' numbers nothing."""
    here = [written for written in ledger if line.is_reached_by(written[1])]
    return [ConsentEntry(i, _words(event, by), event.at.isoformat()) for i, event, by in here[: -MOST_ENTRIES - 1 : -1]]


def _words(event: Event, by: str) -> str:
    out = event.kind is ConsentKind.OPTED_OUT
    if event.source is ConsentSource.STAFF:
        return f"{by or 'A colleague'} {'stopped texts' if out else 'allowed texts again'}"
    if event.source is ConsentSource.CARRIER:
        return "The phone company reported a STOP" if out else "The phone company reported a START"
    return "The family asked for no more texts" if out else "The family asked for texts again"


async def _told(session: AsyncSession, opt_out: Event, elsewhere: Collection[str] = (), by: str = "") -> Told:
    zone = ZoneInfo(await session.scalar(select(col(District.time_zone))) or "UTC")
    school = await session.scalar(select(col(School.name)).where(col(School.id) == opt_out.school_id))
    return Told(zone, datetime.now(zone).date(), school or "", by, tuple(elsewhere))
