"""Somebody leaves, and perhaps comes back: the account, the number, and who goes on with the conversations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from tp_inbox.domain import access, composing, segments
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.domain.phone import display_phone
from tp_inbox.services import actors, audit, consent, handing_over, people
from tp_inbox.services.actors import actors_of
from tp_inbox.services.dispatching import hold_back
from tp_inbox.services.handing_over import OPEN_FOR, Handed, why_it_stays
from tp_inbox.services.inboxes import UNREAD
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.safeguards import require_a_district_admin_stays, require_a_role_stays
from tp_inbox.services.sessions import end_sessions_of
from tp_inbox.services.staff_directory import require_managed, require_seen
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.families import people_at, schools_of
from tp_inbox.storage.queries.places import HELD, schools_of_staff, schools_worked_at
from tp_inbox.storage.queries.words import asked, named
from tp_inbox.storage.tables import (
    AccountLink,
    ExternalIdentity,
    FamilyPhone,
    HandOver,
    Inbox,
    Message,
    Number,
    ReadMarker,
    School,
    Staff,
    Thread,
)
from tp_inbox.storage.tables.messages import NumberState

QUARANTINE = timedelta(days=90)
MOST_LISTED = 200
MOST_SUCCESSORS = 8
MOST_CHARACTERS = 480
"""Of an automatic reply: three texts of plain letters."""

ALREADY_GONE = "{name}’s account is deactivated already."
STILL_HERE = "{name}’s account is active already."
SOMEBODY = "A family"
"""Stands for one that the admin may not know."""
NOT_YET = ", has not signed in yet"
NO_REPLY = "Please write the automatic reply, or choose not to answer."
REPLY = "Thank you for your text. {name} is no longer at {school}. For an answer, please contact the school office{at}."
"""As true with a successor as without one."""


@dataclass(frozen=True)
class Conversation:
    """An open conversation of somebody who leaves. ``stays``: why it cannot go to the successor; empty when it can."""

    id: int
    title: str
    at: str
    unread: int
    stays: str = ""


@dataclass(frozen=True)
class Departure:
    """What deactivating somebody means. ``open``: how many conversations are, of which some are listed."""

    staff_id: int = 0
    name: str = ""
    number: str = ""
    open: int = 0
    older: int = 0
    queued: int = 0
    auto_reply: str = ""
    conversations: list[Conversation] = field(default_factory=list)


@dataclass(frozen=True)
class Candidate:
    """A colleague who may go on with the conversations."""

    id: int
    name: str
    about: str
    initials: str
    hue: int
    has_come: bool = True
    """Whether they have ever signed in."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an admin has decided. ``staying``: open conversations that are not handed over."""

    successor_id: int = 0
    staying: frozenset[int] = frozenset()
    auto_reply: str = ""


@dataclass(frozen=True)
class Absence:
    """How it stands with somebody who has left. ``successor``: empty when there is none; ``successor_id``: 0, too, for
    one whom the reader does not see. Times are ISO.
    """

    since: str = ""
    by: str = ""
    successor: str = ""
    successor_id: int = 0
    handed_over: int = 0
    auto_reply: str = ""
    number: str = ""
    kept_until: str = ""


@dataclass(frozen=True)
class Left:
    """What came of it."""

    handed_over: int
    stayed: int
    held_back: int


class Leaving:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def departure(self, actor: Actor, staff_id: int, successor_id: int = 0) -> Departure:
        """What deactivating this person means, and with that successor. Raises NotFound or NotAllowed."""
        async with self._db.reading() as session:
            person = await require_managed(session, actor, staff_id)
            inbox = await _inbox_of(session, staff_id)
            successor = await _successor(session, actor, person, successor_id) if successor_id else None
            threads = await _open_threads(session, inbox, MOST_LISTED)
            return Departure(
                staff_id=staff_id,
                name=person.name,
                number=await _number_of(session, staff_id),
                open=await _count(session, inbox, still_open=True),
                older=await _count(session, inbox, still_open=False),
                queued=await _queued(session, staff_id),
                auto_reply=await _suggested_reply(session, person),
                conversations=[await _conversation(session, actor, successor, t, n) for t, n in threads],
            )

    async def candidates(self, actor: Actor, staff_id: int, words: str) -> list[Candidate]:
        """Colleagues who may succeed this person and whose name, title or address has these words; first those who have
        signed in before.
        """
        async with self._db.reading() as session:
            person = await require_managed(session, actor, staff_id)
            found = (await session.execute(_colleagues(person, words))).all()
            known = await actors_of(session, [s.id for s, _ in found])
        allowed = [x for x in found if access.refusal_to_appoint(actor, person, known[x[0].id]) is None]
        return [_candidate(s, has_come) for s, has_come in allowed[:MOST_SUCCESSORS]]

    async def absence(self, actor: Actor, staff_id: int) -> Absence:
        """What was decided when this person left. Raises NotFound for somebody whom the actor does not see."""
        async with self._db.reading() as session:
            await require_seen(session, actor, staff_id)
            found = (await session.execute(_standing(staff_id))).one_or_none()
            number = await session.scalar(_numbers(staff_id))
            handed = await session.scalar(select(func.count()).select_from(Thread).where(_goes_on(staff_id)))
            about = _absence(found, number, handed or 0)
            at = (await schools_of_staff(session, [about.successor_id])).get(about.successor_id, frozenset())
        return about if access.may_see_person(actor, at) else replace(about, successor_id=0)

    async def deactivate(self, actor: Actor | None, staff_id: int, plan: Plan) -> Left:
        """Ends the account: nobody signs in with it any more, and everybody who wrote with this person is told or
        taken over as the plan says. Raises a Refusal, and then nothing has changed.
        """
        auto_reply = clean_reply(plan.auto_reply)
        async with self._db.transaction() as session:
            await _hold(session, [staff_id, plan.successor_id])
            person = await _managed_now(session, actor, staff_id)
            if not person.active:
                raise Invalid(ALREADY_GONE.format(name=person.name))
            await _close_account(session, staff_id)
            if person.district:
                await require_a_district_admin_stays(session)
            await _hold_families(session, staff_id)
            held_back = await hold_back(session, staff_id)
            handed = await _hand_over(session, actor, person, plan)
            made_by, successor = (actor.staff_id if actor else None), plan.successor_id or None
            session.add(HandOver(staff_id=staff_id, successor_id=successor, auto_reply=auto_reply, made_by_id=made_by))
            await _record_leaving(session, actor, person, held_back)
            await announce(session, Change(ChangeKind.ACCESS, staff=staff_id))
        return Left(len(handed.gone), len(handed.stayed), held_back)

    async def reactivate(self, actor: Actor | None, staff_id: int) -> None:
        """As it was: the roles, the number, and the conversations, from now on. Sessions stay ended."""
        async with self._db.transaction() as session:
            await _hold(session, [staff_id])
            person = await _managed_now(session, actor, staff_id)
            if person.active:
                raise Invalid(STILL_HERE.format(name=person.name))
            await require_a_role_stays(session, [staff_id])
            await session.execute(update(Staff).where(col(Staff.id) == staff_id).values(active=True))
            await _give_number_back(session, actor, staff_id)
            await _end_hand_over(session, staff_id)
            await audit.record(session, AuditKind.REACTIVATED, actor, subject=staff_id, names={"subject": person.name})
            await announce(session, Change(ChangeKind.ACCESS, staff=staff_id))


def clean_reply(words: str) -> str:
    """An automatic reply as it is sent; empty for none. Raises Invalid for blanks alone, and for what is too long."""
    if not words:
        return ""
    if not words.strip():
        raise Invalid(NO_REPLY)
    reply = composing.clean_body(words)
    if len(reply) > MOST_CHARACTERS:
        raise Invalid(f"The automatic reply may have {MOST_CHARACTERS} characters.")
    return reply


def length_of_reply(words: str) -> str:
    """What it costs, in words; empty without one."""
    counted = segments.count(words.strip())
    texts = "1 text" if counted.segments == 1 else f"{counted.segments} texts"
    return f"{texts}, {len(words.strip())} of {MOST_CHARACTERS} characters" if counted.segments else ""


# Who may, under which locks ----------------------------------------------------------------------------------


async def _hold(session: AsyncSession, staff_ids: Collection[int]) -> None:
    """Nobody deactivates this person or the successor at the same moment; in one order, so that none waits for ever."""
    rows = select(col(Staff.id)).where(col(Staff.id).in_(staff_ids)).order_by(col(Staff.id))
    await session.execute(rows.with_for_update(key_share=True))


async def _hold_families(session: AsyncSession, staff_id: int) -> None:
    """Those whose threads are about to change, all at once: phones are locked before threads, everywhere."""
    inbox = await _inbox_of(session, staff_id)
    queued = select(col(Message.thread_id)).where(*_queued_by(staff_id))
    theirs = or_(and_(col(Thread.inbox_id) == inbox, _is_open()), col(Thread.id).in_(queued))
    await consent.lock_phones(session, list(await session.scalars(select(col(Thread.phone_id)).where(theirs))))


async def _managed_now(session: AsyncSession, actor: Actor | None, staff_id: int) -> Actor:
    """With the permissions of this transaction; whoever runs the server manages everybody."""
    if actor is None:
        return (await actors_of(session, [staff_id]))[staff_id]
    return await require_managed(session, await actors.as_of_now(session, actor), staff_id)


async def _successor(session: AsyncSession, actor: Actor | None, person: Actor, staff_id: int) -> Actor:
    found = (await actors_of(session, [staff_id])).get(staff_id)
    if found is None:
        raise NotFound
    if actor is not None and (refusal := access.refusal_to_appoint(actor, person, found)):
        raise refusal
    return found


# The account, and the number -----------------------------------------------------------------------------------


async def _close_account(session: AsyncSession, staff_id: int) -> None:
    await session.execute(update(Staff).where(col(Staff.id) == staff_id).values(active=False))
    await end_sessions_of(session, staff_id)
    standing = and_(col(AccountLink.staff_id) == staff_id, col(AccountLink.used_at).is_(None))
    await session.execute(update(AccountLink).where(standing).values(ended_at=utc_now()))


async def _record_leaving(session: AsyncSession, actor: Actor | None, person: Actor, held_back: int) -> None:
    names = {"subject": person.name}
    facts = {"held_back": held_back}
    await audit.record(session, AuditKind.DEACTIVATED, actor, subject=person.staff_id, facts=facts, names=names)
    number = await session.scalar(_numbers(person.staff_id).with_for_update(key_share=True))
    if number is None:
        return
    before = number.state
    number.quarantined_until = utc_now() + QUARANTINE
    if number.state is NumberState.ACTIVE:
        number.state = NumberState.QUARANTINED
    await _record_number(session, actor, number, before)


async def _give_number_back(session: AsyncSession, actor: Actor | None, staff_id: int) -> None:
    number = await session.scalar(_numbers(staff_id).with_for_update(key_share=True))
    if number is None:
        return
    before = number.state
    number.quarantined_until = None
    if number.state is NumberState.QUARANTINED:
        number.state = NumberState.ACTIVE
    await _record_number(session, actor, number, before)


async def _record_number(session: AsyncSession, actor: Actor | None, number: Number, before: NumberState) -> None:
    if number.state is before:
        return
    change = "quarantined" if number.state is NumberState.QUARANTINED else "given_back"
    await audit.record(
        session,
        AuditKind.NUMBER_CHANGED,
        actor,
        subject=number.staff_id,
        facts={"number": number.id, "change": change},
        before={"state": before.value},
        after={"state": number.state.value},
        names={"number": number.e164 or ""},
    )


def _numbers(staff_id: int) -> Select[Number]:
    return select(Number).where(col(Number.staff_id) == staff_id, col(Number.state) != NumberState.RELEASED)


async def _number_of(session: AsyncSession, staff_id: int) -> str:
    number = await session.scalar(_numbers(staff_id))
    return display_phone(number.e164) if number and number.sid and number.e164 else ""


# Handing over ----------------------------------------------------------------------------------------------------


async def _hand_over(session: AsyncSession, actor: Actor | None, person: Actor, plan: Plan) -> Handed:
    inbox = await _inbox_of(session, person.staff_id)
    threads = [thread for thread, _ in await _open_threads(session, inbox)]
    if not plan.successor_id:
        return Handed(stayed=tuple(t.id for t in threads))
    successor = await _successor(session, actor and await actors.as_of_now(session, actor), person, plan.successor_id)
    target = (await personal_inbox(session, successor.staff_id)).id
    await consent.lock_phones(session, [t.phone_id for t in threads])
    handed: dict[int, int] = {}
    for thread in threads:
        if thread.id not in plan.staying and not why_it_stays(successor, await schools_of(session, thread.phone_id)):
            handed[thread.id] = await handing_over.go_on(session, person, thread, successor, target)
    stayed = tuple(t.id for t in threads if t.id not in handed)
    await handing_over.record(session, actor, person, successor, Handed(handed, stayed))
    await announce(session, Change(ChangeKind.INBOX, inbox=target))
    return Handed(handed, stayed)


async def _end_hand_over(session: AsyncSession, staff_id: int) -> None:
    """From now on texts reach the person again. What came meanwhile stays with the successor; what was before does
    not.
    """
    await session.execute(
        update(HandOver)
        .where(col(HandOver.staff_id) == staff_id, col(HandOver.ended_at).is_(None))
        .values(ended_at=utc_now())
    )
    old = (await session.scalars(select(Thread).where(_goes_on(staff_id)))).all()
    await consent.lock_phones(session, [t.phone_id for t in old])
    for thread in old:
        await _part(session, thread)


def _goes_on(staff_id: int) -> ColumnElement[bool]:
    """Threads of this person that go on in another's."""
    theirs = select(col(Inbox.id)).where(col(Inbox.staff_id) == staff_id).scalar_subquery()
    return and_(col(Thread.inbox_id) == theirs, col(Thread.continued_in_id).is_not(None))


async def _part(session: AsyncSession, old: Thread) -> None:
    new = await session.get_one(Thread, old.continued_in_id)
    old.continued_in_id = None
    await session.flush()
    await _show_own_newest(session, new)
    await announce(session, Change(ChangeKind.INBOX, inbox=new.inbox_id))


async def _show_own_newest(session: AsyncSession, thread: Thread) -> None:
    """What the list shows of a thread is its own again, and nothing where it has nothing of its own."""
    own = select(Message).where(col(Message.thread_id) == thread.id)
    newest = await session.scalar(own.order_by(col(Message.created_at).desc(), col(Message.id).desc()).limit(1))
    thread.last_at, thread.last_message_id = (newest.created_at, newest.id) if newest else (None, None)
    thread.last_direction = newest.direction if newest else None
    thread.last_author_id = newest.author_id if newest else None
    thread.preview = composing.preview_of(newest.written, newest.media) if newest else ""


# Reading -----------------------------------------------------------------------------------------------------------


async def _inbox_of(session: AsyncSession, staff_id: int) -> int:
    return await session.scalar(select(col(Inbox.id)).where(col(Inbox.staff_id) == staff_id)) or 0


def _is_open() -> ColumnElement[bool]:
    return col(Thread.last_at) > utc_now() - OPEN_FOR


async def _open_threads(session: AsyncSession, inbox_id: int, at_most: int | None = None) -> list[tuple[Thread, int]]:
    """Newest first, each with how many of its texts its owner has not read."""
    marker = and_(col(ReadMarker.thread_id) == col(Thread.id), col(ReadMarker.staff_id) == col(Inbox.staff_id))
    query = (
        select(Thread, UNREAD)
        .join(Inbox, col(Inbox.id) == col(Thread.inbox_id))
        .outerjoin(ReadMarker, marker)
        .where(col(Thread.inbox_id) == inbox_id, _is_open())
        .order_by(col(Thread.last_at).desc(), col(Thread.id).desc())
        .limit(at_most)
    )
    return [(thread, unread) for thread, unread in await session.execute(query)]


async def _count(session: AsyncSession, inbox_id: int, *, still_open: bool) -> int:
    theirs = (col(Thread.inbox_id) == inbox_id, col(Thread.last_at).is_not(None))
    wanted = _is_open() if still_open else ~_is_open()
    return await session.scalar(select(func.count()).select_from(Thread).where(*theirs, wanted)) or 0


async def _queued(session: AsyncSession, staff_id: int) -> int:
    return await session.scalar(select(func.count()).select_from(Message).where(*_queued_by(staff_id))) or 0


def _queued_by(staff_id: int) -> tuple[ColumnElement[bool], ...]:
    return col(Message.author_id) == staff_id, col(Message.state) == DeliveryState.QUEUED


async def _conversation(
    session: AsyncSession, actor: Actor, successor: Actor | None, thread: Thread, unread: int
) -> Conversation:
    schools = await schools_of(session, thread.phone_id)
    title = await _title(session, thread.phone_id) if access.may_name_family(actor, schools) else SOMEBODY
    at = thread.last_at.isoformat() if thread.last_at else ""
    return Conversation(thread.id, title, at, unread, why_it_stays(successor, schools) if successor else "")


async def _title(session: AsyncSession, phone_id: int) -> str:
    phone = await session.get_one(FamilyPhone, phone_id)
    return people.title_of((await people_at(session, [phone_id])).get(phone_id, []), phone.e164)


def _colleagues(person: Actor, words: str) -> Select[Staff, bool]:
    """Active people at the schools of this person who have these words in name, address or title."""
    found_by = col(Staff.found_by)
    words = asked(words)
    near = select(HELD.c.staff_id).where(HELD.c.school_id.in_(list(person.schools)))
    elsewhere = select(ExternalIdentity).where(col(ExternalIdentity.staff_id) == col(Staff.id)).exists()
    has_come = or_(col(Staff.password_hash).is_not(None), elsewhere)
    return (
        select(Staff, has_come)
        .where(col(Staff.active), col(Staff.id).in_(near), named(found_by, words) if words else true())
        .order_by(has_come.desc(), col(Staff.name), col(Staff.id))
        .limit(MOST_LISTED)
    )


def _candidate(person: Staff, has_come: bool) -> Candidate:
    about = (person.title or person.email) + ("" if has_come else NOT_YET)
    return Candidate(person.id, person.name, about, people.initials(person.name), people.hue_of(person.id), has_come)


def _standing(staff_id: int) -> Select[HandOver, str, str]:
    by, successor = aliased(Staff), aliased(Staff)
    return (
        select(HandOver, col(by.name), col(successor.name))
        .outerjoin(by, col(by.id) == col(HandOver.made_by_id))
        .outerjoin(successor, col(successor.id) == col(HandOver.successor_id))
        .where(col(HandOver.staff_id) == staff_id, col(HandOver.ended_at).is_(None))
    )


def _absence(found: Row | None, number: Number | None, handed_over: int) -> Absence:
    kept = number if number and number.sid and number.quarantined_until else None
    about = Absence(
        handed_over=handed_over,
        number=display_phone(kept.e164 or "") if kept else "",
        kept_until=kept.quarantined_until.isoformat() if kept and kept.quarantined_until else "",
    )
    if found is None:
        return about
    hand_over, by, successor = found
    return replace(
        about,
        since=hand_over.at.isoformat(),
        by=by or "",
        successor=successor or "",
        successor_id=hand_over.successor_id or 0,
        auto_reply=hand_over.auto_reply,
    )


async def _suggested_reply(session: AsyncSession, person: Actor) -> str:
    """Names the one school where the person worked, and its number; of several, the names alone."""
    schools = (
        await session.execute(
            select(col(School.name), col(Number.e164))
            .outerjoin(Number, and_(col(Number.school_id) == col(School.id), col(Number.state) == NumberState.ACTIVE))
            .where(col(School.id).in_(schools_worked_at(person.staff_id)))
            .order_by(col(School.name))
        )
    ).all()
    number = schools[0][1] if len(schools) == 1 else None
    names = " and ".join(name for name, _ in schools) or "this school"
    return REPLY.format(name=person.name, school=names, at=f" at {display_phone(number)}" if number else "")
