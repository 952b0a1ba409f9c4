"""What the tests of the services do again and again, said once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from sqlalchemy import select, text, update
from sqlmodel import SQLModel, col

from tests.cast import LINCOLN_NUMBER, ROSA, Town
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services.campaigns import campaign_at, only_school_of
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.ports import BoughtNumber, InboundText, StatusReport
from tp_inbox.services.views import MessageRow
from tp_inbox.storage.feed import Change, ChangeKind, Feed, announce
from tp_inbox.storage.tables import Assignment, Message, Number
from tp_inbox.storage.tables.messages import NumberState

LINCOLN, ROOSEVELT = "Lincoln Middle School", "Roosevelt High School"
ALICES_NUMBER, BOBS_NUMBER, CHARLIES_NUMBER = "+13125550111", "+13125550112", "+16305550113"

Row = TypeVar("Row", bound=SQLModel)
_sids = itertools.count(1_000_000)  # the fake carrier counts its own from 1


async def send(
    town: Town, who: str, thread: int, words: str = "Mia did well today.", key: UUID | None = None, seen: int = 2**62
) -> MessageRow:
    return await town.wired.services.sending.send(await town.actor(who), thread, words, key or uuid4(), seen)


def text_from(
    sender: str = ROSA, body: str = "Thank you", to: str = LINCOLN_NUMBER, *, sid: str = "", at: datetime | None = None
) -> InboundText:
    sid = sid or f"SM{next(_sids):032x}"
    return InboundText(sid, sender, to, body, (), None, {"Body": body}, at or datetime.now(UTC))


async def receive(town: Town, body: str = "Thank you", sender: str = ROSA, to: str = LINCOLN_NUMBER) -> InboundText:
    received = text_from(sender, body, to)
    await town.wired.receiving.receive(received)
    return received


def report_on(
    message: Message, state: DeliveryState | None, reason: FailureReason | None = None, code: str | None = None
) -> StatusReport:
    """As a callback brings it: with our own id, and the SID if the carrier has given one already."""
    sid = message.sid or "SM" + "9" * 32
    return StatusReport(message.id, sid, message.sender or "", message.recipient, state, reason, code, {})


async def rows(town: Town, table: type[Row], *conditions: object) -> list[Row]:
    query = select(table).where(*conditions).order_by(*table.__table__.primary_key)
    async with town.wired.db.reading() as session:
        return list(await session.scalars(query))


async def the(town: Town, table: type[Row], *conditions: object) -> Row:
    (row,) = await rows(town, table, *conditions)
    return row


async def message(town: Town, message_id: int) -> Message:
    return await the(town, Message, col(Message.id) == message_id)


async def change(town: Town, table: type[SQLModel], *conditions: object, **values: object) -> None:
    async with town.wired.db.transaction() as session:
        await session.execute(update(table).where(*conditions).values(**values))


async def add(town: Town, row: Row) -> Row:
    async with town.wired.db.transaction() as session:
        session.add(row)
    return row


async def revoke(town: Town, who: str) -> None:
    """Takes every assignment from a person."""
    async with town.wired.db.transaction() as session:
        for held in await session.scalars(select(Assignment).where(col(Assignment.staff_id) == town.staff[who])):
            await session.delete(held)


async def give_number(town: Town, who: str, e164: str) -> Number:
    """A personal number that is bought already."""
    sid = f"PN{e164[1:]:0>32}"
    town.gateway.bought[e164] = BoughtNumber(sid, e164)
    campaign_id = await campaign_of_person(town, who)
    number = Number(
        e164=e164,
        sid=sid,
        staff_id=town.staff[who],
        area_code="312",
        campaign_id=campaign_id,
        state=NumberState.ACTIVE,
    )
    return await add(town, number)


async def campaign_of_person(town: Town, who: str) -> int:
    """Where the person's number belongs."""
    async with town.wired.db.transaction() as session:
        return await campaign_at(session, await only_school_of(session, town.staff[who]))


async def inbox_id(town: Town, who: str) -> int:
    async with town.wired.db.transaction() as session:
        return (await personal_inbox(session, town.staff[who])).id


async def until_waiting(town: Town, count: int) -> None:
    """Until so many transactions wait for a lock that somebody else holds."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while True:
            async with town.wired.db.reading() as session:
                if await session.scalar(text(query)) == count:
                    return
            await asyncio.sleep(0.01)


async def due_now(town: Town) -> None:
    """Time passes until everything that waits is due."""
    await change(town, Message, next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))


def years_before(day: date, years: int) -> date:
    """The birth date of who turns so many years old on that day."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return date(day.year - years, 3, 1)


class Heard:
    """What the feed brought, in order."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.changes: list[Change] = []
        self._caught_up = asyncio.Event()

    async def take(self, change: Change) -> None:
        if change.staff == -1:
            self._caught_up.set()
        else:
            self.changes.append(change)

    async def kinds(self) -> list[ChangeKind]:
        return [c.kind for c in await self.all()]

    async def all(self) -> list[Change]:
        """Everything that was announced until now."""
        self._caught_up.clear()
        async with self._town.wired.db.transaction() as session:
            await announce(session, Change(ChangeKind.ACCESS, staff=-1))
        await asyncio.wait_for(self._caught_up.wait(), 5)
        return self.changes


@asynccontextmanager
async def listening(town: Town) -> AsyncIterator[Heard]:
    heard = Heard(town)

    async def lost() -> None:
        raise AssertionError("the feed was lost")

    feed = Feed(town.wired.db.url, heard.take, lost)
    task = asyncio.create_task(feed.run())
    await asyncio.wait_for(feed.listening.wait(), 5)
    try:
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def queued(town: Town, words: str = "Mia did well today.", phone: str = ROSA) -> int:
    return (await send(town, "alice", await town.school(phone=phone), words)).id


async def handed_over(town: Town, words: str = "Mia did well today.") -> Message:
    """A text that the carrier has."""
    text_id = await queued(town, words)
    await town.wired.dispatching.hand_over_due()
    return await message(town, text_id)


async def state_of(town: Town, text_id: int) -> tuple[DeliveryState, FailureReason | None]:
    now = await message(town, text_id)
    return now.state, now.reason
