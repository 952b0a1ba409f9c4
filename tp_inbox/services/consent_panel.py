"""What is said of a family's consent: why a composer is closed, and what the panel about the family tells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import consent as domain
from tp_inbox.domain.consent import ConsentEvent as Event, Told
from tp_inbox.services import consent
from tp_inbox.storage.tables import District, School


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


async def _told(session: AsyncSession, opt_out: Event, elsewhere: Collection[str] = (), by: str = "") -> Told:
    zone = ZoneInfo(await session.scalar(select(col(District.time_zone))) or "UTC")
    school = await session.scalar(select(col(School.name)).where(col(School.id) == opt_out.school_id))
    return Told(zone, datetime.now(zone).date(), school or "", by, tuple(elsewhere))
