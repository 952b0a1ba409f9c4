"""What our ledger has of texts that the carrier lists, and what of the list is news to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.services.ports import CarrierText, InboundText
from tp_inbox.services.receiving import Receiving
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import DeliveryEvent, EarlierHandover, Message


@dataclass(frozen=True, slots=True)
class Known:
    """A text of ours under one SID. ``current``: it has not been handed over again since."""

    id: int
    sender: str
    state: DeliveryState
    code: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class OurSide:
    """``known``: texts of ours, by SID. ``told``: (SID, state, code) of every report that is kept. ``stored``: SIDs of
    families' texts that have come.
    """

    known: Mapping[str, Known]
    told: frozenset[tuple[str, DeliveryState, str | None]]
    stored: frozenset[str]

    def is_news(self, text: CarrierText) -> bool:
        """A family's text that never came, or one of ours that stands otherwise than we know. What we do not know to be
        ours is none.
        """
        if text.inbound:
            return text.sid not in self.stored
        ours = self.known.get(text.sid)
        if ours is None or (text.sid, text.state, text.code) in self.told:
            return False
        return not ours.current or ours.state is not text.state or text.code not in (None, ours.code)


async def our_side(db: Database, receiving: Receiving, texts: Sequence[CarrierText]) -> OurSide:
    ours = [text.sid for text in texts if not text.inbound]
    stored = await receiving.stored([text.sid for text in texts if text.inbound])
    async with db.reading() as session:
        return OurSide(await _known(session, ours), await _told(session, ours), frozenset(stored))


def inbound_of(text: CarrierText) -> InboundText:
    """A family's text as a webhook would have brought it, with its own time, but without the addresses of pictures."""
    media = tuple(("", "") for _ in range(text.media))
    when = text.sent_at or text.created_at or utc_now()
    return InboundText(text.sid, text.sender, text.recipient, text.body, media, None, {}, when)


async def _known(session: AsyncSession, sids: Sequence[str]) -> dict[str, Known]:
    columns = (col(Message.id), col(Message.sender), col(Message.state), col(Message.code))
    now = select(col(Message.sid).label("sid"), *columns, literal_column("true").label("current"))
    earlier = select(col(EarlierHandover.sid), *columns, literal_column("false").label("current"))
    earlier = earlier.join(Message, col(Message.id) == col(EarlierHandover.message_id))
    found = now.where(col(Message.sid).in_(sids)).union_all(earlier.where(col(EarlierHandover.sid).in_(sids)))
    return {
        row.sid: Known(row.id, row.sender or "", row.state, row.code, row.current)
        for row in await session.execute(found)
    }


async def _told(session: AsyncSession, sids: Sequence[str]) -> frozenset[tuple[str, DeliveryState, str | None]]:
    columns = (col(DeliveryEvent.sid), col(DeliveryEvent.state), col(DeliveryEvent.code))
    kept = await session.execute(select(*columns).where(col(DeliveryEvent.sid).in_(sids)))
    return frozenset((row.sid, row.state, row.code) for row in kept)
