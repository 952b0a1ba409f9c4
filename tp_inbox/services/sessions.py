"""Signing in and out. A session is a random token in a cookie and a row that is asked at every event."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Row, any_, bindparam, delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor
from tp_inbox.domain.errors import Invalid
from tp_inbox.services import actors, passwords
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import Assignment, Role, SecondStep, Session, SignInFailure, Staff
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
        account = _account(email)
        await self._note_attempt(account, address)
        async with self._db.reading() as session:
            person = await session.scalar(select(Staff).where(col(Staff.email) == _normal(email)))
        right = await passwords.verify(password, person.password_hash if person else None)
        if not (person and right and person.active):
            raise Invalid(WRONG)
        renewed = await _renewed(person, password)
        async with self._db.transaction() as session:
            await _require_unchanged(session, person)
            await session.execute(delete(SignInFailure).where(col(SignInFailure.account) == account))
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
        living = (col(Session.ended_at).is_(None), col(Session.expires_at) > utc_now(), col(Staff.active))
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
            await _end(session, col(Session.token_digest) == _digest(token))

    async def sign_out_everywhere(self, actor: Actor) -> None:
        async with self._db.transaction() as session:
            await end_sessions_of(session, actor.staff_id)

    async def forget_old_failures(self) -> None:
        async with self._db.transaction() as session:
            await session.execute(delete(SignInFailure).where(col(SignInFailure.at) < utc_now() - timedelta(days=1)))

    def _living(self) -> dict[str, Any]:
        now = utc_now()
        return {"now": now, "used_since": now - self._idle}

    async def _note_attempt(self, account: bytes, address: str) -> None:
        """Counts the attempt as failed before it is tried, so that a burst cannot slip through together."""
        async with self._db.transaction() as session:
            lock = int.from_bytes(account[:8], "big", signed=True)
            await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
            await _refuse_if_too_many(session, account, address)
            session.add(SignInFailure(account=account, address=address))


async def _stage(session: AsyncSession, staff_id: int) -> SessionStage:
    """What is still asked of a person whose password, or whatever stood for it, was right."""
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


async def end_sessions_of(session: AsyncSession, staff_id: int) -> None:
    await _end(session, col(Session.staff_id) == staff_id)


async def _end(session: AsyncSession, which: ColumnElement[bool]) -> None:
    ended = await session.execute(
        update(Session)
        .where(which, col(Session.ended_at).is_(None))
        .values(ended_at=utc_now())
        .returning(col(Session.staff_id))
    )
    for staff_id in set(ended.scalars()):
        await announce(session, Change(ChangeKind.SESSION, staff=staff_id))


async def _refuse_if_too_many(session: AsyncSession, account: bytes, address: str) -> None:
    count, last, _ = await _failures(session, col(SignInFailure.account) == account)
    if (wait := _wait(count, last)) > timedelta():
        raise TooMany(wait)
    from_there, _, first = await _failures(session, col(SignInFailure.address) == address)
    if from_there >= FAILURES_OF_AN_ADDRESS and first is not None:
        raise TooMany(first + WINDOW - utc_now())


async def _failures(session: AsyncSession, whose: ColumnElement[bool]) -> tuple[int, datetime | None, datetime | None]:
    """How many within the window, the last one, and the first."""
    at = col(SignInFailure.at)
    recent = select(func.count(), func.max(at), func.min(at)).where(whose, at > utc_now() - WINDOW)
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


def _account(email: str) -> bytes:
    return hashlib.sha256(_normal(email).encode()).digest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
