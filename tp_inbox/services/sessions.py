"""Signing in and out. A session is a random token in a cookie and a row that is asked at every event."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Row, and_, any_, bindparam, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.browsers import in_words
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut
from tp_inbox.services import actors, audit, passwords
from tp_inbox.services.staff_directory import require_managed
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.places import schools_of_staff
from tp_inbox.storage.tables import Assignment, AuditEntry, Role, SecondStep, Session, SignInFailure, Staff
from tp_inbox.storage.tables.staff import SessionStage

FAILURES_FOR_FREE = 5
FAILURES_OF_AN_ADDRESS = 200
"""A school is one address, so only a flood is slowed there."""
WINDOW = timedelta(minutes=15)
LONGEST_WAIT = timedelta(minutes=5)
TOUCH_EVERY = timedelta(minutes=1)
TOKEN_BYTES = 32
HALF_WAY = {SessionStage.CODE: timedelta(minutes=10), SessionStage.ENROL: timedelta(minutes=30)}
"""How long a sign-in waits for the second step, or for it to be set up."""

WRONG = "The e-mail address or the password is not right."


class TooMany(Invalid):
    """Another try has to wait; ``seconds`` says how long."""

    def __init__(self, wait: timedelta) -> None:
        self.seconds = max(1, round(wait.total_seconds()))
        super().__init__(f"Too many tries. Please wait {self.seconds} seconds and try again.")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A living session and the person behind it, with the permissions of this moment."""

    session_id: int
    actor: Actor
    address: str = ""
    """From where the session was opened."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """A living session: the browser in words, the address it was opened from, and ISO times."""

    id: int
    browser: str
    address: str
    used: str
    began: str


@dataclass(frozen=True, slots=True)
class NewSession:
    """``token`` goes into the cookie; ``stage`` says what the person is asked for next."""

    token: str
    stage: SessionStage


@dataclass(frozen=True, slots=True)
class HalfSignedIn:
    """A sign-in that has not come to its end. It opens nothing but the second step."""

    session_id: int
    staff_id: int
    name: str
    stage: SessionStage


# Made once: every event of every tab asks one of these.
LIVING = (
    actors.GRANTS.add_columns(col(Session.id).label("session_id"), col(Session.used_at), col(Session.address))
    .join(Session, col(Session.staff_id) == col(Staff.id))
    .where(
        col(Staff.active),
        col(Session.stage) == SessionStage.COMPLETE,
        col(Session.ended_at).is_(None),
        col(Session.expires_at) > bindparam("now"),
        col(Session.used_at) > bindparam("used_since"),
    )
)
BY_TOKEN = LIVING.where(col(Session.token_digest) == bindparam("digest"))
BY_IDS = LIVING.where(col(Session.id) == any_(bindparam("ids", type_=ARRAY(BigInteger))))

HAS_SECOND_STEP = select(col(SecondStep.staff_id)).where(col(SecondStep.confirmed_at).is_not(None))
DEMANDED = (
    select(col(Assignment.staff_id))
    .join(Role, col(Role.id) == col(Assignment.role_id))
    .where(col(Role.two_step_required))
)
"""Who holds a role that demands a second step."""


class Sessions:
    def __init__(self, db: Database, idle: timedelta, absolute: timedelta) -> None:
        self._db = db
        self._idle = idle
        self.absolute = absolute

    async def sign_in(self, email: str, password: str, address: str, browser: str) -> NewSession:
        """Raises Invalid with one sentence, whether or not the account exists."""
        try:
            return await self._sign_in(email, password, address, browser)
        except Invalid as refusal:
            await _record_failure(self._db, email, too_many=isinstance(refusal, TooMany))
            raise

    async def _sign_in(self, email: str, password: str, address: str, browser: str) -> NewSession:
        account = account_of(email)
        await note_attempt(self._db, account, address)
        async with self._db.reading() as session:
            person = await session.scalar(select(Staff).where(col(Staff.email) == _normal(email)))
        right = await passwords.verify(password, person.password_hash if person else None)
        if not (person and right and person.active):
            raise Invalid(WRONG)
        renewed = await _renewed(person, password)
        async with self._db.transaction() as session:
            await _require_unchanged(session, person)
            await forgive(session, account)
            if renewed:
                await session.execute(update(Staff).where(col(Staff.id) == person.id).values(password_hash=renewed))
            return await self.begin(session, person.id, address, browser)

    async def begin(
        self, session: AsyncSession, staff_id: int, address: str, browser: str, *, second_step_done: bool = False
    ) -> NewSession:
        """Opens a session for a person who has just proved who they are. Every session begins here.

        ``second_step_done``: nothing more is asked. Otherwise whoever has a second step is asked for it, and whose
        role demands one has to set it up first.
        """
        stage = SessionStage.COMPLETE if second_step_done else await _stage(session, staff_id)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        session.add(
            Session(
                token_digest=_digest(token),
                staff_id=staff_id,
                stage=stage,
                expires_at=utc_now() + HALF_WAY.get(stage, self.absolute),
                address=address,
                browser=browser[:200],
            )
        )
        if stage is SessionStage.COMPLETE:
            await audit.record_own(session, AuditKind.SIGNED_IN, staff_id)
        return NewSession(token, stage)

    async def look_up(self, token: str, *, own_act: bool) -> SignedIn | None:
        """None when the session is unknown, ended, or too old. ``own_act``: the person did something now."""
        async with self._db.reading() as session:
            rows = (await session.execute(BY_TOKEN, self._living() | {"digest": _digest(token)})).all()
            if not rows:
                return None
            found = _signed_in(rows)[0]
            if own_act and rows[0].used_at < utc_now() - TOUCH_EVERY:
                await _touch(session, found.session_id)
            return found

    async def half_way(self, token: str) -> HalfSignedIn | None:
        """The sign-in behind a token that still lacks its second step."""
        asked = select(col(Session.id), col(Staff.id), col(Staff.name), col(Session.stage)).join(
            Staff, col(Staff.id) == col(Session.staff_id)
        )
        used = col(Session.used_at) > utc_now() - self._idle
        living = (col(Session.ended_at).is_(None), col(Session.expires_at) > utc_now(), used, col(Staff.active))
        unfinished = (col(Session.token_digest) == _digest(token), col(Session.stage) != SessionStage.COMPLETE)
        async with self._db.reading() as session:
            found = (await session.execute(asked.where(*living, *unfinished))).one_or_none()
        return HalfSignedIn(*found) if found else None

    async def resolve(self, session_ids: Collection[int]) -> dict[int, Actor]:
        """The people behind these sessions; ended sessions are left out. One query for any number."""
        async with self._db.reading() as session:
            rows = (await session.execute(BY_IDS, self._living() | {"ids": list(session_ids)})).all()
        return {s.session_id: s.actor for s in _signed_in(rows)}

    async def sign_out(self, token: str) -> None:
        async with self._db.transaction() as session:
            for staff_id in await _end(session, col(Session.token_digest) == _digest(token)):
                await audit.record_own(session, AuditKind.SIGNED_OUT, staff_id)

    async def sign_out_everywhere(self, actor: Actor) -> None:
        async with self._db.transaction() as session:
            ended = await _end(session, col(Session.staff_id) == actor.staff_id)
            if ended:
                facts = {"everywhere": True, "sessions": len(ended)}
                await audit.record_own(session, AuditKind.SIGNED_OUT, actor.staff_id, **facts)

    async def of_person(self, actor: Actor, staff_id: int) -> list[SessionView]:
        """The living sessions of oneself, or of somebody whose account one manages; the last used first."""
        used_since = utc_now() - self._idle
        living = (
            col(Session.ended_at).is_(None),
            col(Session.expires_at) > utc_now(),
            col(Session.used_at) > used_since,
        )
        theirs = (col(Session.staff_id) == staff_id, col(Session.stage) == SessionStage.COMPLETE)
        newest = select(Session).where(*theirs, *living).order_by(col(Session.used_at).desc(), col(Session.id).desc())
        async with self._db.reading() as session:
            await _require_ones_own_or_managed(session, actor, staff_id)
            return [_view(row) for row in await session.scalars(newest)]

    async def end_session(self, actor: Actor, session_id: int) -> None:
        """Signs one browser out. Raises NotFound for a session that the actor has nothing to say about."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            staff_id = await session.scalar(select(col(Session.staff_id)).where(col(Session.id) == session_id))
            try:
                await _require_ones_own_or_managed(session, actor, staff_id or 0)
            except NotAllowed:
                raise NotFound from None
            await _end_and_tell(session, actor, staff_id or 0, col(Session.id) == session_id)

    async def end_all_of_person(self, actor: Actor, staff_id: int, but: int = 0) -> None:
        """Signs a person out everywhere, but for the one session that is named."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            await _require_ones_own_or_managed(session, actor, staff_id)
            theirs = and_(col(Session.staff_id) == staff_id, col(Session.id) != but)
            await _end_and_tell(session, actor, staff_id, theirs)

    async def forget_old_failures(self) -> None:
        async with self._db.transaction() as session:
            await session.execute(delete(SignInFailure).where(col(SignInFailure.at) < utc_now() - timedelta(days=1)))

    def _living(self) -> dict[str, Any]:
        now = utc_now()
        return {"now": now, "used_since": now - self._idle}


async def note_attempt(db: Database, account: bytes, address: str, window: timedelta = WINDOW) -> None:
    """Counts an attempt as failed before it is tried, so that a burst cannot slip through together.

    ``account``: a digest of what is guessed at. Raises TooMany while another try has to wait.
    """
    async with db.transaction() as session:
        await _lock(session, account)
        await _refuse_if_too_many(session, account, address, window)
        session.add(SignInFailure(account=account, address=address))


async def forgive(session: AsyncSession, account: bytes) -> None:
    """It was no guess."""
    await session.execute(delete(SignInFailure).where(col(SignInFailure.account) == account))


async def _stage(session: AsyncSession, staff_id: int) -> SessionStage:
    """What is still asked of a person whose password, or whatever stood for it, was right.

    The person's row stays locked: a role that demands a second step in this moment finds the new session, or is found.
    """
    await session.execute(select(col(Staff.id)).where(col(Staff.id) == staff_id).with_for_update(key_share=True))
    if await session.scalar(select(HAS_SECOND_STEP.where(col(SecondStep.staff_id) == staff_id).exists())):
        return SessionStage.CODE
    demanded = DEMANDED.where(col(Assignment.staff_id) == staff_id).exists()
    return SessionStage.ENROL if await session.scalar(select(demanded)) else SessionStage.COMPLETE


async def _renewed(person: Staff, password: str) -> str | None:
    """A hash by today's rules, when the one on file was made by older ones."""
    return await passwords.hash_password(password) if passwords.is_outdated(person.password_hash or "") else None


async def _require_unchanged(session: AsyncSession, person: Staff) -> None:
    """Nobody comes in on a password that was reset, or an account that was disabled, while it was being checked."""
    same = select(col(Staff.id)).where(
        col(Staff.id) == person.id, col(Staff.active), col(Staff.password_hash) == person.password_hash
    )
    if await session.scalar(same.with_for_update()) is None:
        raise Invalid(WRONG)


async def _touch(session: AsyncSession, session_id: int) -> None:
    await session.execute(update(Session).where(col(Session.id) == session_id).values(used_at=utc_now()))


async def end_half_way(session: AsyncSession, half: HalfSignedIn) -> None:
    """It has come to its end, and a new session follows. Raises SignedOut when somebody else ended it meanwhile."""
    living = (col(Session.id) == half.session_id, col(Session.ended_at).is_(None), col(Session.stage) == half.stage)
    ended = update(Session).where(*living).values(ended_at=utc_now()).returning(col(Session.id))
    if await session.scalar(ended) is None:
        raise SignedOut


async def end_waiting_for_set_up(session: AsyncSession, *whose: ColumnElement[bool]) -> None:
    """What they waited for is there, or is asked of them no more: whoever has begun there signs in."""
    await _end(session, and_(col(Session.stage) == SessionStage.ENROL, *whose))


async def end_sessions_of(session: AsyncSession, staff_id: int, but: int = 0) -> None:
    """``but``: the one session that goes on."""
    await _end(session, and_(col(Session.staff_id) == staff_id, col(Session.id) != but))


async def _end(session: AsyncSession, which: ColumnElement[bool]) -> list[int]:
    """Whose they were, one for each that had been opened; a sign-in that was only half done is nobody's."""
    ended = await session.execute(
        update(Session)
        .where(which, col(Session.ended_at).is_(None))
        .values(ended_at=utc_now())
        .returning(col(Session.staff_id), col(Session.stage))
    )
    rows = ended.all()
    for staff_id in {row.staff_id for row in rows}:
        await announce(session, Change(ChangeKind.SESSION, staff=staff_id))
    return [row.staff_id for row in rows if row.stage is SessionStage.COMPLETE]


async def _require_ones_own_or_managed(session: AsyncSession, actor: Actor, staff_id: int) -> None:
    if staff_id != actor.staff_id:
        await require_managed(session, actor, staff_id)


async def _end_and_tell(session: AsyncSession, actor: Actor, staff_id: int, which: ColumnElement[bool]) -> None:
    if ended := await _end(session, which):
        facts = {"sessions": len(ended)}
        await audit.record(session, AuditKind.SESSION_ENDED, actor, subject=staff_id, facts=facts)


def _view(row: Session) -> SessionView:
    return SessionView(row.id, in_words(row.browser), row.address, row.used_at.isoformat(), row.created_at.isoformat())


async def _record_failure(db: Database, email: str, *, too_many: bool) -> None:
    """On the account's own page of the log, if there is such an account; what was typed is nobody's business.

    Of what is refused for being too much, one entry tells for all of a window. Whether the account exists makes no
    difference in what is done here, so that nobody can learn it from the time that it takes.
    """
    async with db.transaction() as session:
        person = await session.scalar(select(col(Staff.id)).where(col(Staff.email) == _normal(email))) or 0
        if too_many and await _is_told(session, person, account_of(email)):
            return
        schools = (await schools_of_staff(session, [person])).get(person, ())
        facts = {"too_many": True} if too_many else {}
        await audit.record(
            session, AuditKind.SIGN_IN_FAILED, None, subject=person or None, schools=schools, facts=facts
        )


async def _is_told(session: AsyncSession, person: int, account: bytes) -> bool:
    """Under the account's lock, so that a burst is told of once; unknown accounts are one for each address."""
    await _lock(session, account if person else hashlib.sha256(audit.origin.get().encode()).digest())
    whose = (
        col(AuditEntry.subject_id) == person
        if person
        else and_(col(AuditEntry.subject_id).is_(None), col(AuditEntry.address) == audit.origin.get())
    )
    told = select(col(AuditEntry.id)).where(
        col(AuditEntry.kind) == AuditKind.SIGN_IN_FAILED,
        col(AuditEntry.at) > utc_now() - WINDOW,
        col(AuditEntry.facts).contains({"too_many": True}),
        whose,
    )
    return await session.scalar(told.limit(1)) is not None


async def _lock(session: AsyncSession, account: bytes) -> None:
    lock = int.from_bytes(account[:8], "big", signed=True)
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})


async def _refuse_if_too_many(session: AsyncSession, account: bytes, address: str, window: timedelta) -> None:
    count, last, _ = await _failures(session, col(SignInFailure.account) == account, window)
    if (wait := _wait(count, last)) > timedelta():
        raise TooMany(wait)
    from_there, _, first = await _failures(session, col(SignInFailure.address) == address, WINDOW)
    if from_there >= FAILURES_OF_AN_ADDRESS and first is not None:
        raise TooMany(first + WINDOW - utc_now())


async def _failures(
    session: AsyncSession, whose: ColumnElement[bool], window: timedelta
) -> tuple[int, datetime | None, datetime | None]:
    """How many within the window, the last one, and the first."""
    at = col(SignInFailure.at)
    recent = select(func.count(), func.max(at), func.min(at)).where(whose, at > utc_now() - window)
    count, last, first = (await session.execute(recent)).one()
    return count, last, first


def _wait(count: int, last: datetime | None) -> timedelta:
    """Doubles with each failure past the free ones: 1 s, 2 s, 4 s … five minutes."""
    if last is None or count < FAILURES_FOR_FREE:
        return timedelta()
    due = last + min(timedelta(seconds=2 ** min(count - FAILURES_FOR_FREE, 20)), LONGEST_WAIT)
    return due - utc_now()


def _signed_in(rows: Sequence[Row]) -> list[SignedIn]:
    people = actors.group(row[: actors.COLUMNS] for row in rows)
    owners = {row.session_id: row for row in rows}
    return [SignedIn(session_id, people[row.id], row.address) for session_id, row in owners.items()]


def _normal(email: str) -> str:
    """Small letters; what no address holds and no column takes is left out."""
    return "".join(filter(str.isprintable, email)).strip().lower()[:254]


def account_of(email: str) -> bytes:
    """Under which failures for an address are counted, whether or not there is such an account."""
    return hashlib.sha256(_normal(email).encode()).digest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
