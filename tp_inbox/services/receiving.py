"""A family's text: stored as it came before anything is made of it, then routed to its thread, once."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import composing
from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.consent import ConsentSource, Reading, Verdict, read_consent
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.services import consent
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.ports import InboundText
from tp_inbox.services.threads import thread_between
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.tables import FamilyPhone, InboundRequest, Inbox, Message, Number, Thread
from tp_inbox.storage.tables.messages import Direction

log = logging.getLogger(__name__)

ROUTED_AT_ONCE = 100


class Receiving:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def receive(self, text: InboundText) -> None:
        """Stores the text; the same SID again stores nothing. Routing that fails is tried again by a job.

        Raises Unavailable when nothing could be stored, so that the sender tries again.
        """
        if await self._store(text):
            try:
                await self.route_waiting()
            except Exception:
                log.exception("receiving: %s is stored and waits to be routed", text.sid)

    async def route_waiting(self) -> int:
        """Routes what is stored and not routed yet, in the order of arrival; how many were routed."""
        routed = 0
        while routed < ROUTED_AT_ONCE and await self._route_next():
            routed += 1
        return routed

    async def _store(self, text: InboundText) -> bool:
        row = insert(InboundRequest).values(sid=text.sid, form=_form(text), received_at=utc_now(), problem="")
        async with self._db.transaction() as session:
            stored = await session.execute(row.on_conflict_do_nothing().returning(col(InboundRequest.id)))
            return stored.scalar_one_or_none() is not None

    async def _route_next(self) -> bool:
        next_one = (
            select(InboundRequest)
            .where(col(InboundRequest.routed_at).is_(None))
            .order_by(col(InboundRequest.received_at), col(InboundRequest.id))
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._db.transaction() as session:
            request = await session.scalar(next_one)
            if request is None:
                return False
            message = await _route(session, _text(request.form))
            request.routed_at = utc_now()
            request.message_id = message.id if message else None
            request.problem = "" if message else "not a number of ours"
            return True


async def _route(session: AsyncSession, text: InboundText) -> Message | None:
    """By our number's owner: a person's own inbox, or the school's, where unknown senders are shown as such."""
    number = await session.scalar(select(Number).where(col(Number.e164) == text.recipient))
    if number is None:
        log.error("receiving: %s came to a number that is not ours", text.sid)
        return None
    if found := await session.scalar(select(Message).where(col(Message.sid) == text.sid)):
        return found
    phone = await _phone(session, text.sender)
    inbox = await _inbox_of(session, number)
    thread_id = await thread_between(session, inbox.id, phone.id)
    thread = (await session.scalars(select(Thread).where(col(Thread.id) == thread_id).with_for_update())).one()
    message = _message(thread, number, text)
    session.add(message)
    await session.flush()
    await _show_in_thread(session, thread, message)
    await _hear_consent(session, thread, number, message, text)
    await announce(session, Change(ChangeKind.MESSAGE, inbox.id, thread.id, message.id))
    return message


async def _phone(session: AsyncSession, e164: str) -> FamilyPhone:
    await session.execute(insert(FamilyPhone).values(e164=e164, language="en").on_conflict_do_nothing())
    query = select(FamilyPhone).where(col(FamilyPhone.e164) == e164).with_for_update()
    return (await session.scalars(query)).one()


async def _inbox_of(session: AsyncSession, number: Number) -> Inbox:
    if number.staff_id is not None:
        return await personal_inbox(session, number.staff_id)
    made = insert(Inbox).values(kind=InboxKind.SCHOOL, school_id=number.school_id)
    await session.execute(made.on_conflict_do_nothing())
    return (await session.scalars(select(Inbox).where(col(Inbox.school_id) == number.school_id))).one()


def _message(thread: Thread, number: Number, text: InboundText) -> Message:
    return Message(
        thread_id=thread.id,
        inbox_id=thread.inbox_id,
        direction=Direction.IN,
        number_id=number.id,
        sender=text.sender,
        recipient=text.recipient,
        written=text.body,
        body=text.body,
        media=len(text.media),
        sid=text.sid,
        state=DeliveryState.RECEIVED,
        created_at=text.received_at,
    )


async def _show_in_thread(session: AsyncSession, thread: Thread, message: Message) -> None:
    """The newest text is what the list shows; one that was found late counts as unread and changes no more."""
    values: dict = {"inbound_count": col(Thread.inbound_count) + 1}
    if thread.last_at is None or message.created_at >= thread.last_at:
        values |= {
            "last_at": message.created_at,
            "last_message_id": message.id,
            "last_direction": Direction.IN,
            "last_author_id": None,
            "preview": composing.preview(message.body) or "Picture",
        }
    await session.execute(update(Thread).where(col(Thread.id) == thread.id).values(**values))


async def _hear_consent(
    session: AsyncSession, thread: Thread, number: Number, message: Message, text: InboundText
) -> None:
    reading = _reading(text)
    if reading.verdict is Verdict.STOP_CERTAIN:
        await consent.opt_out(session, thread, number.id, ConsentSource.FAMILY, message.id)
    elif reading.verdict is Verdict.START:
        schools = await schools_of(session, thread.phone_id)
        await consent.opt_in(session, thread, number.id, schools, message.id)


def _reading(text: InboundText) -> Reading:
    """What the carrier says it did is believed before our own reading of the words."""
    return Reading(text.opt_out_type, carrier_handles=True) if text.opt_out_type else read_consent(text.body)


def _form(text: InboundText) -> dict:
    return asdict(text) | {"raw": dict(text.raw), "received_at": text.received_at.isoformat()}


def _text(form: dict) -> InboundText:
    return InboundText(
        **form
        | {
            "media": tuple(tuple(m) for m in form["media"]),
            "opt_out_type": Verdict(form["opt_out_type"]) if form["opt_out_type"] else None,
            "received_at": datetime.fromisoformat(form["received_at"]),
        }
    )
