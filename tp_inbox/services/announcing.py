"""One text to many families of a school: the rules of a single one, asked and written for all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access, composing, segments
from tp_inbox.domain.access import Actor, InboxRef
from tp_inbox.domain.delivery import FailureReason, explain
from tp_inbox.domain.eligibility import may_text_student
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.pacing import Rates
from tp_inbox.services import actors, consent
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.numbers import number_of_school, stopped
from tp_inbox.services.queueing import Leaving, leaving
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.queries.scope import inbox_ref
from tp_inbox.storage.tables import Contact, Guardianship, Inbox, Number, School, Student, Thread

NOBODY = "Choose at least one family."
MOST_AT_ONCE = 50_000
TOO_MANY = f"This goes to at most {MOST_AT_ONCE:,} families at once."
OPTED_OUT = explain(FailureReason.OPTED_OUT).sentence


@dataclass(frozen=True, slots=True)
class QueuedMany:
    """How many families it goes to, and by phone id why not to the others. ``done_at``: when the last text will have
    left, by what the rates allow; missing when none waits, and while nobody can say. ``too_old``: how many will wait
    for their turn until they are held back.
    """

    queued: int
    refused: list[tuple[int, str]]
    done_at: datetime | None = field(default=None, compare=False)
    too_old: int = 0


@dataclass(frozen=True, slots=True)
class _Announcement:
    """Who writes what, from where. ``introduced`` is the body for families who know the number, ``first`` that for
    those who do not.
    """

    actor: Actor
    inbox: InboxRef
    number: Number
    written: str
    introduced: str
    first: str
    key: UUID
    at: datetime


class Announcing:
    def __init__(self, db: Database, limits: Limits, rates: Rates) -> None:
        self._db = db
        self._limits = limits
        self._rates = rates

    async def queue(
        self, actor: Actor, inbox_id: int, phone_ids: Collection[int], written: str, key: UUID
    ) -> QueuedMany:
        """Queues a text to each of these phones from the school's inbox, in one transaction; the same ``key`` again
        queues nothing more and answers the same. Raises a Refusal that concerns all of them, and then nothing was
        written.
        """
        if not 0 < len(phone_ids) <= MOST_AT_ONCE:
            raise Invalid(TOO_MANY if phone_ids else NOBODY)
        async with self._db.transaction() as session:
            phones = await consent.lock_many(session, phone_ids)
            announcement = await self._announcement(session, actor, inbox_id, written, key)
            before = await _queued_before(session, announcement, phone_ids)
            refused = await _refusals(session, announcement, set(phone_ids) - before, phones)
            going = {i: phones[i] for i in sorted(set(phone_ids) - before - refused.keys())}
            await _write(session, announcement, going)
            done_at, too_old = await self._leaving(session, announcement, [*before, *going])
            return QueuedMany(len(before) + len(going), sorted(refused.items()), done_at, too_old)

    async def _leaving(self, session: AsyncSession, announcement: _Announcement, phone_ids: Iterable[int]) -> Leaving:
        keys = [_key_of(announcement, phone_id) for phone_id in phone_ids]
        return await leaving(session, self._rates, announcement.number, announcement.actor.staff_id, keys)

    async def _announcement(
        self, session: AsyncSession, actor: Actor, inbox_id: int, written: str, key: UUID
    ) -> _Announcement:
        actor = await actors.as_of_now(session, actor)
        inbox = await _school_inbox(session, actor, inbox_id)
        number = await number_of_school(session, inbox, self._limits)
        if refusal := await stopped(session, number):
            raise refusal
        school = await session.get_one(School, inbox.school_id)
        introduction = composing.introduction_for_school(school.name)
        return _Announcement(
            actor=actor,
            inbox=inbox,
            number=number,
            written=composing.clean_body(written),
            introduced=composing.compose(written),
            first=composing.compose(written, introduction=introduction),
            key=key,
            at=utc_now(),
        )


async def _school_inbox(session: AsyncSession, actor: Actor, inbox_id: int) -> InboxRef:
    row = await session.get(Inbox, inbox_id)
    inbox = inbox_ref(row) if row else None
    if inbox is None or not access.may_read(actor, inbox):
        raise NotFound
    if refusal := access.refusal_to_announce(actor, inbox):
        raise refusal
    return inbox


def _key_of(announcement: _Announcement, phone_id: int) -> UUID:
    return uuid5(announcement.key, str(phone_id))


async def _queued_before(session: AsyncSession, announcement: _Announcement, phone_ids: Iterable[int]) -> set[int]:
    """Phones for which this very announcement is written down already; their locks keep two clicks apart."""
    keys = {_key_of(announcement, phone_id): phone_id for phone_id in phone_ids}
    query = text("SELECT client_key FROM message WHERE author_id = :author AND client_key = ANY(CAST(:keys AS uuid[]))")
    found = await session.scalars(query, {"author": announcement.actor.staff_id, "keys": list(keys)})
    return {keys[key] for key in found}


async def _refusals(
    session: AsyncSession,
    announcement: _Announcement,
    phone_ids: Collection[int],
    phones: Collection[int],
) -> dict[int, str]:
    """By phone, why it gets nothing: the widest reason first."""
    inbox, number = announcement.inbox, announcement.number
    attached = await _attached(session, phone_ids, inbox.school_id or 0)
    too_young = await _too_young(session, phone_ids)
    opted_out = await consent.opt_outs_of(session, phone_ids, inbox.id, number.id)
    refused = dict.fromkeys(opted_out, OPTED_OUT) | too_young
    refused |= {i: access.NOT_AT_SCHOOL for i in phone_ids if i not in attached}
    return refused | {i: NotFound().sentence for i in phone_ids if i not in phones}


async def _attached(session: AsyncSession, phone_ids: Collection[int], school_id: int) -> set[int]:
    """Phones at which somebody of the school is reached: a student of it, or an adult of one."""
    theirs = (
        select(col(Contact.phone_id))
        .join(Guardianship, col(Guardianship.contact_id) == col(Contact.id))
        .join(Student, col(Student.id) == col(Guardianship.student_id))
        .where(among(col(Contact.phone_id), phone_ids), col(Student.school_id) == school_id)
    )
    own = select(col(Student.phone_id)).where(
        among(col(Student.phone_id), phone_ids), col(Student.school_id) == school_id
    )
    return {phone_id for phone_id in await session.scalars(theirs.union(own)) if phone_id}


async def _too_young(session: AsyncSession, phone_ids: Collection[int]) -> dict[int, str]:
    """A phone that only students read is texted only when each of them may be."""
    adult = exists().where(col(Contact.phone_id) == col(Student.phone_id))
    alone = (
        select(col(Student.phone_id), col(Student.birth_date), col(School.time_zone))
        .join(School, col(School.id) == col(Student.school_id))
        .where(among(col(Student.phone_id), phone_ids), ~adult)
    )
    today = cache(_today_in)
    young: dict[int, str] = {}
    for phone_id, birth_date, zone in await session.execute(alone):
        if ineligible := may_text_student(birth_date, today(zone)):
            young[phone_id or 0] = ineligible.sentence
    return young


def _today_in(zone: str) -> date:
    return datetime.now(ZoneInfo(zone)).date()


async def _write(session: AsyncSession, announcement: _Announcement, going: Mapping[int, str]) -> None:
    """``going``: their numbers, by phone."""
    if not going:
        return
    threads = await _threads(session, announcement.inbox, list(going))
    await session.execute(_WRITE, _columns(announcement, going, threads))
    change = Change(ChangeKind.INBOX, inbox=announcement.inbox.id)
    await announce(session, change)  # once: whoever sees the inbox reads it again


async def _threads(session: AsyncSession, inbox: InboxRef, phone_ids: Sequence[int]) -> dict[int, tuple[int, bool]]:
    """By phone, the thread with it, made where there was none, and whether the family knows the number."""
    await session.execute(_MAKE_THREADS, {"inbox": inbox.id, "phones": list(phone_ids)})
    here = col(Thread.inbox_id) == inbox.id
    found = select(col(Thread.phone_id), col(Thread.id), col(Thread.introduced_at).is_not(None))
    rows = await session.execute(found.where(here, among(col(Thread.phone_id), phone_ids)).order_by(col(Thread.id)))
    return {phone_id: (thread_id, introduced) for phone_id, thread_id, introduced in rows}


def _columns(
    announcement: _Announcement, going: Mapping[int, str], threads: Mapping[int, tuple[int, bool]]
) -> dict[str, object]:
    number = announcement.number
    return {
        "threads": [threads[phone_id][0] for phone_id in going],
        "introduced": [threads[phone_id][1] for phone_id in going],
        "recipients": list(going.values()),
        "keys": [_key_of(announcement, phone_id) for phone_id in going],
        "inbox": announcement.inbox.id,
        "author": announcement.actor.staff_id,
        "number": number.id,
        "sender": number.e164 if number.sid else None,
        "written": announcement.written,
        "again": announcement.introduced,
        "first": announcement.first,
        "again_segments": segments.count(announcement.introduced).segments,
        "first_segments": segments.count(announcement.first).segments,
        "preview": composing.preview(announcement.written),
        "at": announcement.at,
    }


_MAKE_THREADS = text("""
INSERT INTO thread (inbox_id, phone_id, preview, inbound_count)
SELECT :inbox, phone_id, '', 0 FROM unnest(CAST(:phones AS bigint[])) AS phone_id ORDER BY phone_id
ON CONFLICT DO NOTHING
""")
_WRITE = text("""
WITH queued AS (
    INSERT INTO message (
        thread_id, inbox_id, direction, author_id, number_id, sender, recipient, written, body, segments, client_key,
        purpose, bulk, state, created_at, next_attempt_at, media, retried, redelivered, attempts
    )
    SELECT
        thread_id, :inbox, 'out', :author, :number, CAST(:sender AS text), recipient, CAST(:written AS text),
        CASE WHEN introduced THEN CAST(:again AS text) ELSE CAST(:first AS text) END,
        CASE WHEN introduced THEN CAST(:again_segments AS integer) ELSE CAST(:first_segments AS integer) END,
        client_key, 'written', true, 'queued', CAST(:at AS timestamptz), CAST(:at AS timestamptz), 0, false, 0, 0
    FROM unnest(
        CAST(:threads AS bigint[]), CAST(:introduced AS boolean[]), CAST(:recipients AS text[]), CAST(:keys AS uuid[])
    ) AS family(thread_id, introduced, recipient, client_key)
    RETURNING id, thread_id
)
UPDATE thread SET
    last_at = CAST(:at AS timestamptz), last_message_id = queued.id, last_direction = 'out', last_author_id = :author,
    preview = CAST(:preview AS text), introduced_at = coalesce(introduced_at, CAST(:at AS timestamptz))
FROM queued WHERE thread.id = queued.thread_id
""")
