"""What an admin has to know or to mend: one row while it lasts, whoever notices it and however often."""

from __future__ import annotations

import logging
from datetime import datetime

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.operating import AlertKind
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import Alert

log = logging.getLogger(__name__)


async def alert(
    session: AsyncSession,
    kind: AlertKind,
    sentence: str,
    about: object = "",
    *,
    number_id: int | None = None,
    campaign_id: int | None = None,
    message_id: int | None = None,
) -> None:
    """Tells the admins. While the same alert stands it is counted, not repeated. ``about`` tells alerts of one kind
    apart; ``sentence`` says what is wrong and what to do, without a family's name, number or words.
    """
    now = utc_now()
    row = insert(Alert).values(
        kind=kind,
        about=str(about),
        sentence=sentence,
        number_id=number_id,
        campaign_id=campaign_id,
        message_id=message_id,
        first_at=now,
        last_at=now,
        times=1,
    )
    again = {"last_at": now, "times": Alert.times + 1, "sentence": row.excluded.sentence}
    standing = {"index_elements": ["kind", "about"], "index_where": text("settled_at IS NULL")}
    times = await session.scalar(row.on_conflict_do_update(**standing, set_=again).returning(col(Alert.times)))
    if times == 1:
        log.error("alerts: %s (%s)", kind.value, about)
        await announce(session, Change(ChangeKind.ALERT))


async def standing_since(session: AsyncSession, kind: AlertKind, about: object = "") -> datetime | None:
    """None when there is none; one that stands is not settled before this transaction ends."""
    standing = (col(Alert.kind) == kind, col(Alert.about) == str(about), col(Alert.settled_at).is_(None))
    return await session.scalar(select(col(Alert.first_at)).where(*standing).with_for_update(read=True))


async def settle(session: AsyncSession, kind: AlertKind, about: object = "", staff_id: int | None = None) -> bool:
    """Ends a standing alert; whether there was one."""
    standing = (col(Alert.kind) == kind, col(Alert.about) == str(about), col(Alert.settled_at).is_(None))
    ended = update(Alert).where(*standing).values(settled_at=func.now(), settled_by=staff_id).returning(col(Alert.id))
    if await session.scalar(ended) is None:
        return False
    await announce(session, Change(ChangeKind.ALERT))
    return True
