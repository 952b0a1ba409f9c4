"""Asking the carrier what has become of our texts, and which texts of families never came."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services.comparing import inbound_of, our_side
from tp_inbox.services.outbox import report_of
from tp_inbox.services.ports import CarrierText, SmsGateway
from tp_inbox.services.receiving import Receiving
from tp_inbox.services.reporting import Reporting
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Message, Watermark

log = logging.getLogger(__name__)

POLL_OVERLAP = timedelta(minutes=10)
POLL_NEAR = timedelta(hours=1)
"""How far back each look goes for texts that have left and are not settled: nearly all are within minutes."""
POLL_FAR = timedelta(hours=12)
"""And one look an hour. A text that stays "sent" for ever costs no more than that."""
WEBHOOK_GRACE = timedelta(seconds=30)
"""A family's text that is younger is on its way to us, with more than the list tells of it."""
UNDATED_A_CYCLE = 50
UNDATED_A_SECOND = 5
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
        async for page in pages(self._gateway.texts_since(await self._since(began))):
            news += await self._news_in(page, began)
        for text in reversed(news):  # oldest first: a START must not be heard before its STOP
            await self._take(text)
        await self._ask_for_undated()
        await self._came_as_far_as(began)

    async def _since(self, now: datetime) -> datetime:
        """From the oldest text that has left and may still arrive, or the last good look on, whichever is earlier."""
        async with self._db.reading() as session:
            looked = await session.scalar(select(col(Watermark.at)).where(col(Watermark.name) == POLLED))
            far = looked is None or looked.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) <= now
            left = await _oldest_that_left(session, now - (POLL_FAR if far else POLL_NEAR))
        return min(left or now, looked or now) - POLL_OVERLAP

    async def _came_as_far_as(self, at: datetime) -> None:
        mark = insert(Watermark).values(name=POLLED, at=at)
        async with self._db.transaction() as session:
            await session.execute(mark.on_conflict_do_update(index_elements=["name"], set_={"at": mark.excluded.at}))

    async def _news_in(self, page: Sequence[CarrierText], now: datetime) -> list[CarrierText]:
        ours = await our_side(self._db, self._receiving, page)
        return [text for text in page if ours.is_news(text) and not _is_coming(text, now)]

    async def _ask_for_undated(self) -> None:
        """The carrier lists by the date of sending, so what it has only accepted is asked for one by one, in turn."""
        for place, sid in enumerate(await self._undated()):
            await asyncio.sleep(1 / UNDATED_A_SECOND if place else 0)
            if text := await self._gateway.fetch(sid):
                await self._take(text)

    async def _undated(self) -> Sequence[str]:
        async with self._db.transaction() as session:
            asked = (await session.scalars(_accepted_long_ago())).all()
            for message in asked:
                message.next_attempt_at = utc_now() + UNDATED_AGAIN  # as a text that was handed over just now
            return [message.sid for message in asked if message.sid]

    async def _take(self, text: CarrierText) -> None:
        """What is wrong with one text keeps nobody else's from being taken."""
        try:
            if text.inbound:
                await self._receiving.receive(inbound_of(text), "poll")
            else:
                await self._reporting.report(report_of(None, text), "poll")
        except Unavailable:
            raise
        except Exception:
            log.exception("polling: %s could not be taken over from the carrier's list", text.sid)


async def pages(texts: AsyncIterator[CarrierText]) -> AsyncIterator[list[CarrierText]]:
    """A thousand at a time, and the rest."""
    page: list[CarrierText] = []
    async for text in texts:
        page.append(text)
        if len(page) == A_PAGE:
            yield page
            page = []
    yield page


def _is_coming(text: CarrierText, now: datetime) -> bool:
    """Its webhook may be on its way; the overlap finds it at the next look if it is not."""
    return text.inbound and text.sent_at is not None and text.sent_at > now - WEBHOOK_GRACE


async def _oldest_that_left(session: AsyncSession, since: datetime) -> datetime | None:
    """The list tells nothing of what the carrier has only accepted; once that leaves, its date is newer than the last
    look.
    """
    oldest = select(func.min(col(Message.handed_over_at))).where(
        col(Message.state).in_([DeliveryState.SENDING, DeliveryState.SENT]),
        col(Message.created_at) > since - POLL_FAR,
        col(Message.handed_over_at) > since,
    )
    return await session.scalar(oldest)


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
