"""Turns the demonstration's conversations into threads and messages, worded as the product words them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import NAMESPACE_DNS, UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from tp_inbox.demo.conversations import Conversation, Said
from tp_inbox.demo.district import EMAIL_DOMAIN, ZONE
from tp_inbox.demo.town import Town
from tp_inbox.domain import composing, segments
from tp_inbox.domain.access import InboxKind, may_read
from tp_inbox.domain.consent import ConsentSource, Verdict, read_consent
from tp_inbox.domain.delivery import DeliveryState, FailureReason
from tp_inbox.services import consent
from tp_inbox.services.actors import actors_of
from tp_inbox.services.sending import wording_of
from tp_inbox.storage.queries.scope import inbox_ref
from tp_inbox.storage.tables import DeliveryEvent, Draft, Message, ReadMarker, Thread
from tp_inbox.storage.tables.messages import Direction

CODES = {FailureReason.UNREACHABLE: "30003", FailureReason.LANDLINE: "30006"}
MORNING = time(7, 30), time(12, 0)
FIRST_LOOK = time(8, 30)
"""From then on a school day has a morning to tell of."""
BREATH = timedelta(minutes=3)
"""Between the newest text and now."""
HANDED_OVER, SETTLED = timedelta(seconds=1), timedelta(seconds=4)


class SchoolClock:
    """Turns "3 school days ago at 9:05" into a moment that is never in the future.

    Day 0 is today, its morning pressed into what has passed of it; or the last school day, when today is
    none or has hardly begun. Holidays are not known.
    """

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        local = now.astimezone(zone)
        self._zone = zone
        self._newest = local.date() if local.time() >= FIRST_LOOK else local.date() - timedelta(days=1)
        while self._newest.weekday() > 4:
            self._newest -= timedelta(days=1)
        self._latest = local - BREATH

    def at(self, days_ago: int, clock: time) -> datetime:
        told = self._on(self._day(days_ago), clock)
        return self._pressed(told) if days_ago == 0 else told

    def _day(self, days_ago: int) -> date:
        weeks, days = divmod(days_ago, 5)
        back = days + 2 if days > self._newest.weekday() else days
        return self._newest - timedelta(weeks=weeks, days=back)

    def _pressed(self, told: datetime) -> datetime:
        begins, ends = (self._on(self._newest, hour) for hour in MORNING)
        share = min(1.0, (self._latest - begins) / (ends - begins))
        return begins + (told - begins) * share

    def _on(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self._zone)


@dataclass(frozen=True, slots=True)
class Told:
    """One text with its moment and the thread that it belongs to."""

    at: datetime
    said: Said
    thread: Thread


async def write_history(
    session: AsyncSession, town: Town, conversations: tuple[Conversation, ...], now: datetime
) -> None:
    """Threads, messages and ledgers, oldest text first, then who has read what and one begun draft."""
    clock = SchoolClock(now, ZONE)
    threads = [_thread(town, conversation) for conversation in conversations]
    session.add_all(threads)
    await session.flush()
    pairs = list(zip(conversations, threads, strict=True))
    told = [Told(clock.at(said.days_ago, said.at), said, thread) for c, thread in pairs for said in c.texts]
    for text in sorted(told, key=lambda text: text.at):
        await _tell(session, town, text)
    for conversation, thread in pairs:
        await _leave_unread(session, town, conversation, thread, now)
        _begin_draft(session, town, conversation, thread, now)


def _thread(town: Town, conversation: Conversation) -> Thread:
    return Thread(
        inbox_id=town.inboxes[conversation.inbox].id,
        phone_id=town.reached[conversation.family].id,
        inbound_count=0,
        preview="",
    )


async def _tell(session: AsyncSession, town: Town, told: Told) -> None:
    message = await _outgoing(session, town, told) if told.said.by else _incoming(town, told)
    session.add(message)
    await session.flush()
    _show_in_thread(told.thread, message)
    await _keep_in_ledgers(session, told.thread, message)


async def _outgoing(session: AsyncSession, town: Town, told: Told) -> Message:
    author, inbox, failed = town.staff[told.said.by], town.inbox_of(told.thread), told.said.failed
    actor = (await actors_of(session, [author.id]))[author.id]
    wording = await wording_of(session, actor, told.thread, inbox_ref(inbox))
    body = wording.compose(told.said.text)
    return Message(
        direction=Direction.OUT,
        author_id=author.id,
        sender=town.number_of(inbox).e164,
        recipient=town.phone_of(told.thread).e164,
        written=composing.clean_body(told.said.text),
        body=body,
        segments=segments.count(body).segments,
        client_key=_id("key", told),
        state=DeliveryState.UNDELIVERED if failed else DeliveryState.DELIVERED,
        reason=failed,
        code=CODES[failed] if failed else None,
        attempts=1,
        handed_over_at=told.at + HANDED_OVER,
        settled_at=told.at + SETTLED,
        **_place(town, told),
    )


def _incoming(town: Town, told: Told) -> Message:
    return Message(
        direction=Direction.IN,
        sender=town.phone_of(told.thread).e164,
        recipient=town.number_of(town.inbox_of(told.thread)).e164 or "",
        written=told.said.text,
        body=told.said.text,
        segments=segments.count(told.said.text).segments,
        state=DeliveryState.RECEIVED,
        **_place(town, told),
    )


def _place(town: Town, told: Told) -> dict:
    return {
        "thread_id": told.thread.id,
        "inbox_id": told.thread.inbox_id,
        "number_id": town.number_of(town.inbox_of(told.thread)).id,
        "sid": f"SM{_id('sid', told).hex}",
        "created_at": told.at,
        "next_attempt_at": told.at,
    }


def _id(kind: str, told: Told) -> UUID:
    """The same at every seeding, and another for every text."""
    where = f"{told.thread.inbox_id}.{told.thread.phone_id}"
    return uuid5(NAMESPACE_DNS, f"{kind}.{where}.{told.said.days_ago}.{told.said.at}.{told.said.by}.{EMAIL_DOMAIN}")


def _show_in_thread(thread: Thread, message: Message) -> None:
    """What sending and receiving leave on the thread's row."""
    outbound = message.direction is Direction.OUT
    thread.last_at, thread.last_message_id = message.created_at, message.id
    thread.last_direction, thread.last_author_id = message.direction, message.author_id
    thread.preview = composing.preview(message.written)
    thread.inbound_count += not outbound
    if outbound and thread.introduced_at is None:
        thread.introduced_at = message.created_at


async def _keep_in_ledgers(session: AsyncSession, thread: Thread, message: Message) -> None:
    if message.direction is Direction.OUT:
        session.add_all(_reports(message))
    elif read_consent(message.body).verdict is Verdict.STOP_CERTAIN:
        source, said = ConsentSource.FAMILY, message.created_at
        await consent.opt_out(session, thread, message.number_id, source, message.id, said)


def _reports(message: Message) -> tuple[DeliveryEvent, DeliveryEvent]:
    same = {"message_id": message.id, "sid": message.sid}
    return (
        DeliveryEvent(**same, state=DeliveryState.ACCEPTED, source="handover", at=message.created_at + HANDED_OVER),
        DeliveryEvent(
            **same,
            state=message.state,
            reason=message.reason,
            code=message.code,
            source="webhook",
            at=message.created_at + SETTLED,
        ),
    )


async def _leave_unread(
    session: AsyncSession, town: Town, conversation: Conversation, thread: Thread, now: datetime
) -> None:
    """Everybody who may read the thread has seen all of it, but for whom the last words of the family wait."""
    inbox = inbox_ref(town.inbox_of(thread))
    waiting = {town.staff[key].id for key in conversation.unread_by}
    readers = await actors_of(session, [member.id for member in town.staff.values()])
    for actor in readers.values():
        seen = thread.inbound_count - (_last_words(conversation) if actor.staff_id in waiting else 0)
        if seen and may_read(actor, inbox):
            session.add(ReadMarker(staff_id=actor.staff_id, thread_id=thread.id, seen=seen, at=now))


def _last_words(conversation: Conversation) -> int:
    """How many texts of the family came after the school's last one."""
    spoken = [bool(said.by) for said in conversation.texts]
    return spoken[::-1].index(True) if any(spoken) else len(spoken)


def _begin_draft(session: AsyncSession, town: Town, conversation: Conversation, thread: Thread, now: datetime) -> None:
    if conversation.draft and town.inbox_of(thread).kind is InboxKind.PERSONAL:
        owner = town.staff[conversation.inbox]
        key = uuid5(NAMESPACE_DNS, f"draft.{thread.id}.{EMAIL_DOMAIN}")
        session.add(Draft(staff_id=owner.id, thread_id=thread.id, client_key=key, written=conversation.draft, at=now))
