"""A family's text: stored as it came before anything is made of it, then routed to its thread, once."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain import composing
from tp_inbox.domain.access import InboxKind
from tp_inbox.domain.consent import ConsentSource, Reading, Verdict, read_consent
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.errors import Unavailable
from tp_inbox.services import consent, succession
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.ports import InboundText
from tp_inbox.services.threads import thread_between
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import FamilyPhone, InboundRequest, Inbox, Message, Number, Thread
from tp_inbox.storage.tables.messages import Direction, NumberState

log = logging.getLogger(__name__)

ROUTED_AT_ONCE = 100
ROUTED_WHILE_ANSWERING = 5
"""What waits besides is left to the job: the carrier wants its answer within a second."""
MOST_TRIES = 5
NOT_OURS = "not a number of ours"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stored request."""

    request_id: int
    routed: bool


class Receiving:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def receive(self, text: InboundText, source: str = "webhook") -> None:
        """Stores the text; the same SID again stores nothing. Routing that fails is tried again by a job.

        Raises Unavailable when nothing could be stored, so that the sender tries again.
        """
        request_id = await self._store(text, source)
        if request_id is None:
            return
        try:
            await self._route_up_to(request_id, text.sender)
        except Unavailable:
            log.warning("receiving: %s is stored and waits to be routed", text.sid)

    async def route_waiting(self, at_most: int = ROUTED_AT_ONCE) -> int:
        """Routes what is stored and not routed yet, in the order of arrival; how many were routed.

        One that cannot be routed is put off and, after some tries, left aside with its problem noted; it holds up
        nobody but, until then, later texts from the same phone.
        """
        routed = 0
        for _ in range(at_most):
            if (outcome := await self._route_next()) is None:
                break
            routed += outcome.routed
        return routed

    async def stored(self, sids: Collection[str]) -> set[str]:
        """Which of these texts have come already."""
        query = select(col(InboundRequest.sid)).where(col(InboundRequest.sid).in_(sids))
        async with self._db.reading() as session:
            return set(await session.scalars(query))

    async def _route_up_to(self, request_id: int, sender: str) -> None:
        """This one, what waits before it, and what the same phone sent meanwhile and could not overtake it.

        Only these, while the carrier waits for its answer.
        """
        waits = True
        for _ in range(ROUTED_WHILE_ANSWERING):
            if not waits and not await self._more_from(sender):
                return
            outcome = await self._route_next()
            waits = waits and outcome is not None and outcome.request_id != request_id

    async def _more_from(self, sender: str) -> bool:
        async with self._db.reading() as session:
            return bool(await session.scalar(MORE_FROM, {"sender": sender, "now": utc_now()}))

    async def _store(self, text: InboundText, source: str) -> int | None:
        """The new row's id; None when this SID is there already."""
        now = utc_now()
        row = insert(InboundRequest).values(
            sid=text.sid,
            sender=text.sender,
            form=_form(text),
            received_at=text.received_at,
            source=source,
            problem="",
            attempts=0,
            next_attempt_at=now,
        )
        async with self._db.transaction() as session:
            stored = await session.execute(row.on_conflict_do_nothing().returning(col(InboundRequest.id)))
            return stored.scalar_one_or_none()

    async def _route_next(self) -> Outcome | None:
        """None when nothing waits; the next one is routed, or put off when it cannot be."""
        taken: list[int] = []
        try:
            async with self._db.transaction() as session:
                request = await session.scalar(NEXT_WAITING, {"now": utc_now()})
                if request is None:
                    return None
                taken.append(request.id)
                await _settle(session, request)
        except Unavailable:
            raise
        except Exception as error:
            if not taken:
                raise
            log.exception("receiving: request %s could not be routed", taken[0])
            await self._put_off(taken[0], type(error).__name__)
            return Outcome(taken[0], routed=False)
        return Outcome(taken[0], routed=True)

    async def _put_off(self, request_id: int, problem: str) -> None:
        async with self._db.transaction() as session:
            request = await session.get_one(InboundRequest, request_id, with_for_update=True)
            request.attempts += 1
            request.problem = problem
            request.next_attempt_at = utc_now() + timedelta(seconds=2**request.attempts)
            if request.attempts >= MOST_TRIES:
                log.error("receiving: request %s is left aside", request_id)


def _next_waiting() -> Select[InboundRequest]:
    """The oldest that is due and behind no other from the same phone: STOP and START keep their order."""
    earlier = aliased(InboundRequest)
    waits_behind = exists().where(
        col(earlier.routed_at).is_(None),
        col(earlier.attempts) < MOST_TRIES,
        col(earlier.sender) == col(InboundRequest.sender),
        col(earlier.id) < col(InboundRequest.id),
    )
    return (
        select(InboundRequest)
        .where(
            col(InboundRequest.routed_at).is_(None),
            col(InboundRequest.attempts) < MOST_TRIES,
            col(InboundRequest.next_attempt_at) <= bindparam("now"),
            ~waits_behind,
        )
        .order_by(col(InboundRequest.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _where_it_goes() -> Select[Number, Thread]:
    owner = or_(col(Inbox.staff_id) == col(Number.staff_id), col(Inbox.school_id) == col(Number.school_id))
    of_phone = and_(col(Thread.inbox_id) == col(Inbox.id), col(Thread.phone_id) == bindparam("phone"))
    return (
        select(Number, Thread)
        .outerjoin(Inbox, owner)
        .outerjoin(Thread, of_phone)
        .where(col(Number.e164) == bindparam("recipient"), col(Number.state) != NumberState.RELEASED)
    )


# Made once: these stand on the way of every text that comes in.
NEXT_WAITING, WHERE_IT_GOES = _next_waiting(), _where_it_goes()
MORE_FROM = select(
    exists().where(
        col(InboundRequest.routed_at).is_(None),
        col(InboundRequest.attempts) < MOST_TRIES,
        col(InboundRequest.sender) == bindparam("sender"),
        col(InboundRequest.next_attempt_at) <= bindparam("now"),
    )
)
PHONE = select(FamilyPhone).where(col(FamilyPhone.e164) == bindparam("sender")).with_for_update(key_share=True)


async def _settle(session: AsyncSession, request: InboundRequest) -> None:
    message = await _routed(session, _text(request.form))
    request.routed_at = utc_now()
    request.message_id = message.id if message else None
    request.problem = "" if message else NOT_OURS


async def _routed(session: AsyncSession, text: InboundText) -> Message | None:
    """By our number's owner: a person's own inbox, or the school's, where unknown senders are shown as such. What
    comes for somebody who has left goes to their successor's.
    """
    phone = await _phone(session, text.sender)
    found = (await session.execute(WHERE_IT_GOES, {"recipient": text.recipient, "phone": phone.id})).one_or_none()
    if found is None:
        log.error("receiving: %s came to a number that is not ours", text.sid)
        return None
    number, thread = found
    thread = thread or await _new_thread(session, number, phone)
    owner_has_left = number.quarantined_until is not None
    if owner_has_left:
        thread = await succession.thread_that_goes_on(session, thread)
    message = _message(thread, number, text)
    session.add(message)
    await session.flush()
    _show_in_thread(thread, message)
    was_closed = owner_has_left and await _is_closed(session, thread, number)
    await _hear_consent(session, thread, message, text)
    await announce(session, Change(ChangeKind.MESSAGE, thread.inbox_id, thread.id, message.id))
    if owner_has_left:
        await succession.reply_to(session, number, phone, message, _reading(text), was_closed=was_closed)
    return message


async def _is_closed(session: AsyncSession, thread: Thread, number: Number) -> bool:
    return await consent.opt_out_of(session, thread.phone_id, thread.inbox_id, number.id) is not None


async def _new_thread(session: AsyncSession, number: Number, phone: FamilyPhone) -> Thread:
    """Under the family phone's lock."""
    thread_id = await thread_between(session, await _inbox_of(session, number), phone.id)
    return await session.get_one(Thread, thread_id)


async def _phone(session: AsyncSession, e164: str) -> FamilyPhone:
    """Under its lock; made when nobody has written from it before."""
    if found := await session.scalar(PHONE, {"sender": e164}):
        return found
    await session.execute(insert(FamilyPhone).values(e164=e164, language="en").on_conflict_do_nothing())
    return (await session.scalars(PHONE, {"sender": e164})).one()


async def _inbox_of(session: AsyncSession, number: Number) -> int:
    if number.staff_id is not None:
        return (await personal_inbox(session, number.staff_id)).id
    made = insert(Inbox).values(kind=InboxKind.SCHOOL, school_id=number.school_id)
    await session.execute(made.on_conflict_do_nothing())
    return (await session.scalars(select(col(Inbox.id)).where(col(Inbox.school_id) == number.school_id))).one()


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


def _show_in_thread(thread: Thread, message: Message) -> None:
    """The newest text is what the list shows; one that was found late counts as unread and changes no more."""
    thread.inbound_count += 1
    if thread.last_at is not None and message.created_at < thread.last_at:
        return
    thread.last_at, thread.last_message_id = message.created_at, message.id
    thread.last_direction, thread.last_author_id = Direction.IN, None
    thread.preview = composing.preview_of(message.body, message.media)


async def _hear_consent(session: AsyncSession, thread: Thread, message: Message, text: InboundText) -> None:
    verdict, at = _reading(text).verdict, text.received_at
    if verdict is Verdict.STOP_CERTAIN:
        await consent.opt_out(session, thread, message.number_id, ConsentSource.FAMILY, message.id, at)
    elif verdict is Verdict.START:
        await consent.opt_in(session, thread, message.number_id, message.id, at)


def _reading(text: InboundText) -> Reading:
    """What the carrier says it did is believed before our own reading of the words."""
    return Reading(text.opt_out_type, carrier_handles=True) if text.opt_out_type else read_consent(text.body)


def _form(text: InboundText) -> dict[str, Any]:
    """As JSON can hold it: half a surrogate pair, which no database can, becomes a question mark."""
    form = asdict(replace(text, raw={})) | {"raw": dict(text.raw), "received_at": text.received_at.isoformat()}
    return json.loads(json.dumps(form, ensure_ascii=False).encode(errors="replace"))


def _text(form: dict[str, Any]) -> InboundText:
    return InboundText(
        **form
        | {
            "media": tuple(tuple(m) for m in form["media"]),
            "opt_out_type": Verdict(form["opt_out_type"]) if form["opt_out_type"] else None,
            "received_at": datetime.fromisoformat(form["received_at"]),
        }
    )
