"""Asking the carrier what has become of our texts, and which texts of families never came."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from tp_inbox.domain.delivery import WITH_CARRIER, DeliveryState
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.outbox import report_of
from tp_inbox.services.ports import CarrierText, InboundText, SmsGateway
from tp_inbox.services.receiving import Receiving
from tp_inbox.services.reporting import Reporting
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Message, Watermark

log = logging.getLogger(__name__)

POLL_OVERLAP = timedelta(minutes=10)
POLL_FAR = timedelta(hours=12)
UNDATED_A_CYCLE = 50
UNDATED_AFTER = timedelta(seconds=30)
UNDATED_AGAIN = timedelta(seconds=90)
POLLED = "poll delivery status"
A_PAGE = 1_000


class Polling:
    def __init__(self, db: Database, gateway: SmsGateway, reporting: Reporting, receiving: Receiving) -> None:
        self._db = db
        self._gateway = gateway
        self._reporting = reporting
        self._receiving = receiving

    async def poll(self) -> None:
        """Asks the carrier for everything recent: statuses whose callback was lost, and texts that never came."""
        began = utc_now()
        news: list[CarrierText] = []
        async for page in _pages(self._gateway.texts_since(await self._since(began))):
            news += await self._news_in(page)
        for text in reversed(news):  # oldest first: a START must not be heard before its STOP
            await self._take(text)
        for sid in await self._undated():
            if text := await self._gateway.fetch(sid):
                await self._take(text)
        await self._came_as_far_as(began)

    async def _since(self, now: datetime) -> datetime:
        """From the oldest text in flight or the last good look on, whichever is earlier."""
        oldest = select(func.min(col(Message.created_at))).where(
            col(Message.state).in_(WITH_CARRIER), col(Message.created_at) > now - POLL_FAR
        )
        async with self._db.reading() as session:
            in_flight = await session.scalar(oldest)
            looked = await session.scalar(select(col(Watermark.at)).where(col(Watermark.name) == POLLED))
        return min(in_flight or now, looked or now) - POLL_OVERLAP

    async def _came_as_far_as(self, at: datetime) -> None:
        mark = insert(Watermark).values(name=POLLED, at=at)
        async with self._db.transaction() as session:
            await session.execute(mark.on_conflict_do_update(index_elements=["name"], set_={"at": mark.excluded.at}))

    async def _news_in(self, page: Sequence[CarrierText]) -> list[CarrierText]:
        """Texts of families that never came, and texts of ours that stand otherwise than we know."""
        stored = await self._receiving.stored([text.sid for text in page if text.inbound])
        known = select(col(Message.sid), col(Message.state)).where(
            col(Message.sid).in_([text.sid for text in page if not text.inbound])
        )
        async with self._db.reading() as session:
            states = {row.sid: row.state for row in await session.execute(known)}
        return [t for t in page if (t.sid not in stored if t.inbound else states.get(t.sid, t.state) is not t.state)]

    async def _undated(self) -> Sequence[str]:
        """The carrier lists by the date of sending, so what it has only accepted is asked for one by one, in turn."""
        async with self._db.transaction() as session:
            asked = (await session.scalars(_accepted_long_ago())).all()
            for message in asked:
                message.next_attempt_at = utc_now() + UNDATED_AGAIN  # as a text that was handed over just now
            return [message.sid for message in asked if message.sid]

    async def _take(self, text: CarrierText) -> None:
        """What is wrong with one text keeps nobody else's from being taken."""
        try:
            if text.inbound:
                await self._receiving.receive(_inbound(text), "poll")
            else:
                await self._reporting.report(report_of(None, text), "poll")
        except Unavailable:
            raise
        except Exception:
            log.exception("polling: %s could not be taken over from the carrier's list", text.sid)


async def _pages(texts: AsyncIterator[CarrierText]) -> AsyncIterator[list[CarrierText]]:
    page: list[CarrierText] = []
    async for text in texts:
        page.append(text)
        if len(page) == A_PAGE:
            yield page
            page = []
    yield page


def _inbound(text: CarrierText) -> InboundText:
    media = tuple(("", "") for _ in range(text.media))
    when = text.sent_at or text.created_at or utc_now()
    return InboundText(text.sid, text.sender, text.recipient, text.body, media, None, {}, when)


def _accepted_long_ago() -> Select[Message]:
    return (
        select(Message)
        .where(
            col(Message.state) == DeliveryState.ACCEPTED,
            col(Message.handed_over_at) < utc_now() - UNDATED_AFTER,
            col(Message.created_at) > utc_now() - POLL_FAR,
        )
        .order_by(col(Message.next_attempt_at))
        .limit(UNDATED_A_CYCLE)
        .with_for_update(skip_locked=True)
    )
