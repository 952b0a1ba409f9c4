"""A family's text: stored as it came before anything is made of it, then routed to its thread, once."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Select, and_, bindparam, exists, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.consent import Verdict
from tp_inbox.domain.errors import NotFound, Unavailable
from tp_inbox.domain.operating import AlertKind
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, audit
from tp_inbox.services.alerts import alert, settle
from tp_inbox.services.ports import InboundText
from tp_inbox.services.routing import routed
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import InboundRequest

log = logging.getLogger(__name__)

ROUTED_AT_ONCE = 100
ROUTED_WITH_IT = 5
"""What waits besides is left to the job."""
MOST_TRIES = 5
NOT_OURS = "not a number of ours"
NOT_ASIDE = "This text is in its conversation already."
MOST_LEFT_ASIDE = 100
LEFT_ASIDE = (
    "A family’s text could not be put into any conversation. Under Admin, Numbers, you see which number it came to and"
    " what was wrong, and can try it again."
)
WHAT_IS_WRONG = {NOT_OURS: "It came to a number that is not one of ours, or not any more."}
FAILED = "Something went wrong on our side each time. Please tell whoever runs the server, then try it again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stored request."""

    request_id: int
    routed: bool


@dataclass(frozen=True)
class AsideView:
    """A family's text that is in no conversation: its words are for those whose conversation it would be."""

    id: int
    received_at: str
    sender: str
    recipient: str
    media: int
    problem: str


class Receiving:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, text: InboundText, source: str = "webhook") -> int | None:
        """Stores the text as it came; the new row's id, or None when this SID is there already. Whoever routes it
        finds it there. Raises Unavailable when it could not be stored.
        """
        async with self._db.connection() as connection:
            return (await connection.execute(STORE, _row(text, source))).scalar_one_or_none()

    async def receive(self, text: InboundText, source: str = "webhook") -> None:
        """Stores the text and routes it; the same SID again does nothing. Routing that fails is tried again by a job.

        Raises Unavailable when nothing could be stored.
        """
        request_id = await self.keep(text, source)
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
        count = 0
        for _ in range(at_most):
            if (outcome := await self.route_next()) is None:
                break
            count += outcome.routed
        return count

    async def route_next(self) -> Outcome | None:
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

    async def stored(self, sids: Collection[str]) -> set[str]:
        """Which of these texts have come already."""
        query = select(col(InboundRequest.sid)).where(col(InboundRequest.sid).in_(sids))
        async with self._db.reading() as session:
            return set(await session.scalars(query))

    async def left_aside(self, actor: Actor) -> list[AsideView]:
        """The newest texts of families that could be put into no conversation, for those who manage numbers."""
        access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
        query = select(InboundRequest).where(IS_ASIDE).order_by(col(InboundRequest.id).desc()).limit(MOST_LEFT_ASIDE)
        async with self._db.reading() as session:
            return [_aside_view(request) for request in await session.scalars(query)]

    async def try_again(self, actor: Actor, request_id: int) -> bool:
        """Whether it is in its conversation now. Raises NotFound for what is not left aside."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            access.require(access.manages_schools(actor), access.SCHOOLS_ONLY)
            asked = select(InboundRequest).where(IS_ASIDE, col(InboundRequest.id) == request_id).with_for_update()
            request = await session.scalar(asked)
            if request is None:
                raise NotFound(NOT_ASIDE)
            request.routed_at, request.problem, request.attempts = None, "", 0
            request.next_attempt_at = utc_now()
            await audit.record(session, AuditKind.TEXT_TRIED_AGAIN, actor, schools=[], facts={"request": request_id})
        await self._route_up_to(request_id, request.sender)
        return await self._arrived(request_id)

    async def _arrived(self, request_id: int) -> bool:
        """The alert ends with the last of what was left aside."""
        async with self._db.transaction() as session:
            if not await session.scalar(select(exists().where(IS_ASIDE))):
                await settle(session, AlertKind.LEFT_ASIDE)
            return (await session.get_one(InboundRequest, request_id)).message_id is not None

    async def _route_up_to(self, request_id: int, sender: str) -> None:
        """This one, what waits before it, and what the same phone sent meanwhile and could not overtake it."""
        waits = True
        for _ in range(ROUTED_WITH_IT):
            if not waits and not await self._more_from(sender):
                return
            outcome = await self.route_next()
            waits = waits and outcome is not None and outcome.request_id != request_id

    async def _more_from(self, sender: str) -> bool:
        async with self._db.reading() as session:
            return bool(await session.scalar(MORE_FROM, {"sender": sender, "now": utc_now()}))

    async def _put_off(self, request_id: int, problem: str) -> None:
        async with self._db.transaction() as session:
            request = await session.get_one(InboundRequest, request_id, with_for_update=True)
            request.attempts += 1
            request.problem = problem
            request.next_attempt_at = utc_now() + timedelta(seconds=2**request.attempts)
            if request.attempts >= MOST_TRIES:
                await _leave_aside(session, request)


WAITS = and_(col(InboundRequest.routed_at).is_(None), col(InboundRequest.attempts) < MOST_TRIES)
IS_ASIDE = and_(
    literal_column("inbound_request.problem <> ''", Boolean),  # as its index says it; a parameter would hide it
    or_(col(InboundRequest.routed_at).is_not(None), col(InboundRequest.attempts) >= MOST_TRIES),
)


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
        .where(WAITS, col(InboundRequest.next_attempt_at) <= bindparam("now"), ~waits_behind)
        .order_by(col(InboundRequest.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )


# Made once: these stand on the way of every text that comes in.
NEXT_WAITING = _next_waiting()
MORE_FROM = select(
    exists().where(
        WAITS,
        col(InboundRequest.sender) == bindparam("sender"),
        col(InboundRequest.next_attempt_at) <= bindparam("now"),
    )
)


STORE = (
    insert(InboundRequest)
    .values({name: bindparam(name) for name in ("sid", "sender", "form", "received_at", "source", "next_attempt_at")})
    .values(problem="", attempts=0)
    .on_conflict_do_nothing()
    .returning(col(InboundRequest.id))
)


async def _settle(session: AsyncSession, request: InboundRequest) -> None:
    message = await routed(session, _text(request.form))
    request.routed_at = utc_now()
    request.message_id = message.id if message else None
    request.problem = "" if message else NOT_OURS
    if message is None:
        await _leave_aside(session, request)


async def _leave_aside(session: AsyncSession, request: InboundRequest) -> None:
    log.error("receiving: request %s is left aside", request.id)
    await alert(session, AlertKind.LEFT_ASIDE, LEFT_ASIDE)


def _aside_view(request: InboundRequest) -> AsideView:
    text = _text(request.form)
    return AsideView(
        id=request.id,
        received_at=text.received_at.isoformat(),
        sender=display_phone(text.sender),
        recipient=display_phone(text.recipient),
        media=len(text.media),
        problem=WHAT_IS_WRONG.get(request.problem, FAILED),
    )


def _row(text: InboundText, source: str) -> dict[str, Any]:
    return {
        "sid": text.sid,
        "sender": text.sender,
        "form": _form(text),
        "received_at": text.received_at,
        "source": source,
        "next_attempt_at": utc_now(),
    }


def _form(text: InboundText) -> dict[str, Any]:
    """As JSON can hold it: half a surrogate pair, which no database can, becomes a question mark."""
    form = {
        "sid": text.sid,
        "sender": text.sender,
        "recipient": text.recipient,
        "body": text.body,
        "media": [list(one) for one in text.media],
        "opt_out_type": text.opt_out_type,
        "raw": dict(text.raw),
        "received_at": text.received_at.isoformat(),
    }
    written = json.dumps(form, ensure_ascii=False)
    return form if written.isascii() else json.loads(written.encode(errors="replace"))


def _text(form: dict[str, Any]) -> InboundText:
    return InboundText(
        **form
        | {
            "media": tuple(tuple(m) for m in form["media"]),
            "opt_out_type": Verdict(form["opt_out_type"]) if form["opt_out_type"] else None,
            "received_at": datetime.fromisoformat(form["received_at"]),
        }
    )
