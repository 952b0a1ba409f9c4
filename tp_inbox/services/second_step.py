"""The second step of signing in: set up, asked for, taken once, reset."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyotp import random_base32
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut
from tp_inbox.domain.second_step import (
    RECOVERY_CODES,
    app_link,
    in_groups,
    is_from_an_app,
    new_recovery_code,
    recovery_digest,
    step_of,
)
from tp_inbox.services import actors, audit, sessions
from tp_inbox.services.sessions import HalfSignedIn, NewSession, Sessions, SessionStage
from tp_inbox.services.vault import CannotOpen, Vault
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.ids import among
from tp_inbox.storage.queries.places import schools_of_staff
from tp_inbox.storage.tables import (
    Assignment,
    ExternalIdentity,
    RecoveryCode,
    SecondStep,
    Session,
    SignInFailure,
    Staff,
)

FEW_CODES = 3
SET_UP_WITHIN = timedelta(minutes=30)
GUESSES_OF_A_SIGN_IN = 10
REMEMBERED = timedelta(days=1)
"""Wrong codes count for longer than wrong passwords: there are only a million codes."""

WRONG = "This code is not right. Codes change every 30 seconds; please try the one that your app shows now."
WRONG_FOR_SET_UP = (
    "This code is not right. Please check that your phone sets its clock by itself, and try the next code."
)
DEMANDED_BY_ROLE = "One of your roles asks for two-step sign-in, so it cannot be turned off."
NONE_SET_UP = "Two-step sign-in is not set up."

log = logging.getLogger(__name__)


class KeyIsLost(Invalid):
    def __init__(self) -> None:
        super().__init__(
            "Codes of your app cannot be checked, because this server's key has changed. "
            "Use a recovery code, or ask your admin to reset your second step."
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's second step, as they see it themselves."""

    on: bool
    demanded: bool
    codes_left: int
    ready: bool
    """Whether this server can keep secrets at all."""

    @property
    def few_codes(self) -> bool:
        return self.on and self.codes_left <= FEW_CODES


@dataclass(frozen=True, slots=True)
class SetUp:
    """What an authenticator app is given. ``ticket`` stands for it until the first code proves that it arrived."""

    uri: str
    secret: str
    ticket: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The new session, and the recovery codes, which are shown this once."""

    session: NewSession
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Connected:
    """An identity at a provider that vouches for the person."""

    id: int
    issuer: str


@dataclass(frozen=True, slots=True)
class SignInWays:
    """How a person signs in, as those who manage the account see it."""

    on: bool = False
    demanded: bool = False
    codes_left: int = 0
    identities: tuple[Connected, ...] = ()
    refusal: str = ""
    """Why whoever asks cannot reset or disconnect anything."""


class SecondSteps:
    """``secrets_vault`` closes what is kept, ``tickets`` what a browser carries while an app is being set up."""

    def __init__(
        self,
        db: Database,
        signing_in: Sessions,
        secrets_vault: Vault,
        tickets: Vault,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._sessions = signing_in
        self._vault = secrets_vault
        self._tickets = tickets
        self._now = now

    def require_ready(self) -> None:
        """Raises Unavailable with what has to be done while nobody could set up a second step here."""
        self._vault.require_key()

    async def standing(self, staff_id: int) -> Standing:
        async with self._db.reading() as session:
            return Standing(
                on=await _confirmed(session, staff_id) is not None,
                demanded=await _is_demanded(session, staff_id),
                codes_left=await _codes_left(session, staff_id),
                ready=self._vault.has_key,
            )

    # Setting up ------------------------------------------------------------------------------------------

    async def begin_set_up(self, staff_id: int, typed: str = "", address: str = "") -> SetUp:
        """A new secret for an app. Who has a second step already proves it first: ``typed`` is one of its codes."""
        self._vault.require_key()
        async with self._db.reading() as session:
            email = (await session.get_one(Staff, staff_id)).email
            present = await _confirmed(session, staff_id)
        if present:
            async with self._proven(staff_id, typed, address):
                pass
        secret = random_base32()
        carried = json.dumps({"staff": staff_id, "secret": secret, "replaces": _mark(present)})
        return SetUp(app_link(secret, email), in_groups(secret, " "), self._tickets.close(carried).decode())

    async def confirm(self, staff_id: int, ticket: str, typed: str) -> tuple[str, ...]:
        """The app shows the right code, so it is asked for from now on. The recovery codes, shown this once."""
        async with self._db.transaction() as session:
            return await self._confirm(session, await _locked(session, staff_id), ticket, typed)

    async def enrol(self, token: str, ticket: str, typed: str, address: str, browser: str) -> Enrolled:
        """As ``confirm``, at the end of a sign-in that a role keeps waiting for it."""
        half = await self._require(token, SessionStage.ENROL)
        async with self._db.transaction() as session:
            person = await _locked(session, half.staff_id)
            opened = await self._finish(session, half, address, browser)
            return Enrolled(opened, await self._confirm(session, person, ticket, typed))

    async def _confirm(self, session: AsyncSession, person: Actor, ticket: str, typed: str) -> tuple[str, ...]:
        present = await _confirmed(session, person.staff_id)
        secret = self._secret_of(ticket, person.staff_id, present)
        step = step_of(secret, typed, self._now())
        if step is None:
            raise Invalid(WRONG_FOR_SET_UP)
        await session.execute(delete(SecondStep).where(col(SecondStep.staff_id) == person.staff_id))
        closed = self._vault.close(secret)
        session.add(SecondStep(staff_id=person.staff_id, secret=closed, confirmed_at=utc_now(), last_step=step))
        facts = {"replaced": present is not None}
        await audit.record(session, AuditKind.TWO_STEP_ON, person, subject=person.staff_id, facts=facts)
        await sessions.end_waiting_for_set_up(session, col(Session.staff_id) == person.staff_id)
        return await _make_codes(session, person.staff_id)

    def _secret_of(self, ticket: str, staff_id: int, present: SecondStep | None) -> str:
        """Only this person's, and only while nothing else has been set up since."""
        carried = json.loads(self._tickets.open(ticket.encode(errors="replace"), within=SET_UP_WITHIN))
        if (carried["staff"], carried["replaces"]) != (staff_id, _mark(present)):
            raise CannotOpen
        return carried["secret"]

    # Signing in ------------------------------------------------------------------------------------------

    async def finish_sign_in(self, token: str, typed: str, address: str, browser: str) -> NewSession:
        """The sign-in behind the token ends, and a session with a new token begins. Raises Invalid for a wrong code,
        SignedOut when there is no such sign-in, or no more.
        """
        half = await self._require(token, SessionStage.CODE)
        try:
            async with self._proven(half.staff_id, typed, address) as (session, _):
                return await self._finish(session, half, address, browser)
        except Invalid:
            await self._end_after_many_guesses(half)
            raise

    async def _require(self, token: str, stage: SessionStage) -> HalfSignedIn:
        half = await self._sessions.half_way(token)
        if half is None or half.stage is not stage:
            raise SignedOut
        return half

    async def _finish(self, session: AsyncSession, half: HalfSignedIn, address: str, browser: str) -> NewSession:
        await sessions.end_half_way(session, half)
        return await self._sessions.begin(session, half.staff_id, address, browser, second_step_done=True)

    async def _end_after_many_guesses(self, half: HalfSignedIn) -> None:
        since = select(col(Session.created_at)).where(col(Session.id) == half.session_id).scalar_subquery()
        guesses = select(func.count()).where(
            col(SignInFailure.account) == _account(half.staff_id), col(SignInFailure.at) > since
        )
        async with self._db.transaction() as session:
            if (await session.scalar(guesses) or 0) >= GUESSES_OF_A_SIGN_IN:
                await sessions.end_half_way(session, half)

    # One's own -------------------------------------------------------------------------------------------

    async def turn_off(self, staff_id: int, typed: str, address: str) -> None:
        async with self._db.reading() as session:
            await _refuse_while_demanded(session, staff_id)
        async with self._proven(staff_id, typed, address) as (session, person):
            await _refuse_while_demanded(session, staff_id)
            await _remove(session, staff_id)
            await audit.record(session, AuditKind.TWO_STEP_OFF, person, subject=staff_id)

    async def new_recovery_codes(self, staff_id: int, typed: str, address: str) -> tuple[str, ...]:
        """Ten new ones; those from before are of no use any more."""
        async with self._proven(staff_id, typed, address) as (session, person):
            await audit.record(session, AuditKind.RECOVERY_CODES_MADE, person, subject=staff_id)
            return await _make_codes(session, staff_id)

    @asynccontextmanager
    async def _proven(self, staff_id: int, typed: str, address: str) -> AsyncIterator[tuple[AsyncSession, Actor]]:
        """A transaction of a person who has just given a right code; without one it is noted, and Invalid is raised."""
        await sessions.note_attempt(self._db, _account(staff_id), address, REMEMBERED)
        async with self._db.transaction() as session:
            person = await _locked(session, staff_id)
            refusal = await self._take(session, person, typed)
            if refusal is None:
                await sessions.forgive(session, _account(staff_id))
                yield session, person
            else:
                await audit.record(session, AuditKind.TWO_STEP_FAILED, person, subject=staff_id)
        if refusal:
            raise refusal

    async def _take(self, session: AsyncSession, person: Actor, typed: str) -> Invalid | None:
        """Takes a code, so that it is never taken again; why not, when it is not right."""
        present = await _confirmed(session, person.staff_id)
        if present is None:
            return Invalid(NONE_SET_UP)
        if not is_from_an_app(typed):
            return None if await _take_recovery_code(session, person, typed) else Invalid(WRONG)
        try:
            secret = self._vault.open(present.secret)
        except CannotOpen:
            log.warning("second step: the secret of staff %s cannot be opened with SECRET_KEY", person.staff_id)
            return KeyIsLost()
        step = step_of(secret, typed, self._now(), after=present.last_step)
        present.last_step = step or present.last_step
        return None if step else Invalid(WRONG)

    # Other people's --------------------------------------------------------------------------------------

    async def ways_of(self, actor: Actor, staff_id: int) -> SignInWays:
        """Raises NotFound for a person who is not in the actor's list of staff."""
        async with self._db.reading() as session:
            person = await _visible(session, actor, staff_id)
            refusal = access.refusal_to_manage_account(actor, person)
            mine = select(ExternalIdentity).where(col(ExternalIdentity.staff_id) == staff_id)
            found = await session.scalars(mine.order_by(col(ExternalIdentity.id)))
            return SignInWays(
                on=await _confirmed(session, staff_id) is not None,
                demanded=await _is_demanded(session, staff_id),
                codes_left=await _codes_left(session, staff_id),
                identities=tuple(Connected(row.id, row.issuer) for row in found),
                refusal=refusal.sentence if refusal else "",
            )

    async def reset(self, actor: Actor, staff_id: int) -> None:
        """For a person whose phone is gone: ends their sessions; whoever has to have a second step sets it up anew."""
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            person = await _visible(session, actor, staff_id)
            if refusal := access.refusal_to_manage_account(actor, person):
                raise refusal
            await _reset(session, actor, staff_id)

    async def reset_by_the_server(self, email: str) -> None:
        """For the last district admin, whom nobody else could help."""
        async with self._db.transaction() as session:
            found = await session.scalar(select(col(Staff.id)).where(col(Staff.email) == email.strip().lower()))
            if found is None:
                raise Invalid("There is no account with this e-mail address.")
            await _reset(session, None, found)

    # The server's key ------------------------------------------------------------------------------------

    async def renew_secrets(self) -> None:
        """Closes with the newest key what an older one has closed, and says aloud what no key opens."""
        async with self._db.transaction() as session:
            kept = list(await session.scalars(select(SecondStep).with_for_update(skip_locked=True)))
            lost = sum(not self._renew(step) for step in kept)
        if lost:
            log.error(
                "second step: SECRET_KEY does not open the secrets of %s of %s people, who need a recovery code or a "
                "reset. If the key was changed, set it to the new and the old one with a comma between.",
                lost,
                len(kept),
            )

    def _renew(self, step: SecondStep) -> bool:
        if self._vault.is_by_the_newest_key(step.secret):
            return True
        try:
            step.secret = self._vault.close(self._vault.open(step.secret))
        except CannotOpen:
            return False
        return True


async def enforce(session: AsyncSession, staff_ids: Collection[int] | None = None) -> None:
    """A role has begun to demand a second step, does so no more, or was given: call it in the same transaction,
    after the change.

    Whoever must have one and has none is led to set it up, in all of their sessions at once; whoever need not have
    one any more signs in again without. ``staff_ids``: whom it may concern; None is everybody.
    """
    await session.flush()
    await _release(session, staff_ids)
    missing = select(col(Staff.id)).where(
        col(Staff.id).in_(sessions.DEMANDED), col(Staff.id).not_in(sessions.HAS_SECOND_STEP)
    )
    if staff_ids is not None:
        missing = missing.where(among(col(Staff.id), staff_ids))
    locked = list(await session.scalars(missing.order_by(col(Staff.id)).with_for_update(key_share=True)))
    open_now = (col(Session.stage) == SessionStage.COMPLETE, col(Session.ended_at).is_(None))
    led = (
        update(Session)
        .where(among(col(Session.staff_id), locked), *open_now)
        .values(
            stage=SessionStage.ENROL,
            expires_at=func.least(col(Session.expires_at), utc_now() + sessions.HALF_WAY[SessionStage.ENROL]),
        )
        .returning(col(Session.staff_id))
    )
    for staff_id in set(await session.scalars(led)) if locked else ():
        await announce(session, Change(ChangeKind.SESSION, staff=staff_id))


async def _release(session: AsyncSession, staff_ids: Collection[int] | None) -> None:
    """Nobody stays before the page that sets up what nothing demands of them any more."""
    whom: list[ColumnElement[bool]] = [col(Session.staff_id).not_in(sessions.DEMANDED)]
    if staff_ids is not None:
        whom.append(among(col(Session.staff_id), staff_ids))
    await sessions.end_waiting_for_set_up(session, *whom)


async def _locked(session: AsyncSession, staff_id: int) -> Actor:
    """The person, whose second step nobody else changes or asks meanwhile. Raises SignedOut for who has left."""
    await session.execute(select(col(Staff.id)).where(col(Staff.id) == staff_id).with_for_update(key_share=True))
    person = (await actors.actors_of(session, [staff_id])).get(staff_id)
    if person is None or not person.active:
        raise SignedOut
    return person


async def _visible(session: AsyncSession, actor: Actor, staff_id: int) -> Actor:
    person = (await actors.actors_of(session, [staff_id])).get(staff_id)
    schools = (await schools_of_staff(session, [staff_id])).get(staff_id, frozenset())
    if person is None or not access.may_see_person(actor, schools):
        raise NotFound
    return person


async def _confirmed(session: AsyncSession, staff_id: int) -> SecondStep | None:
    return await session.scalar(
        select(SecondStep).where(col(SecondStep.staff_id) == staff_id, col(SecondStep.confirmed_at).is_not(None))
    )


async def _is_demanded(session: AsyncSession, staff_id: int) -> bool:
    demanded = sessions.DEMANDED.where(col(Assignment.staff_id) == staff_id)
    return bool(await session.scalar(select(demanded.exists())))


async def _refuse_while_demanded(session: AsyncSession, staff_id: int) -> None:
    if await _is_demanded(session, staff_id):
        raise NotAllowed(DEMANDED_BY_ROLE)


async def _codes_left(session: AsyncSession, staff_id: int) -> int:
    unused = select(func.count()).where(col(RecoveryCode.staff_id) == staff_id, col(RecoveryCode.used_at).is_(None))
    return await session.scalar(unused) or 0


async def _make_codes(session: AsyncSession, staff_id: int) -> tuple[str, ...]:
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    await session.execute(delete(RecoveryCode).where(col(RecoveryCode.staff_id) == staff_id))
    session.add_all(RecoveryCode(staff_id=staff_id, digest=recovery_digest(staff_id, code)) for code in codes)
    return tuple(in_groups(code, "-") for code in codes)


async def _take_recovery_code(session: AsyncSession, person: Actor, typed: str) -> bool:
    mine = (col(RecoveryCode.staff_id) == person.staff_id, col(RecoveryCode.used_at).is_(None))
    taken = (
        update(RecoveryCode)
        .where(*mine, col(RecoveryCode.digest) == recovery_digest(person.staff_id, typed))
        .values(used_at=utc_now())
        .returning(col(RecoveryCode.id))
    )
    if await session.scalar(taken) is None:
        return False
    left = {"left": await _codes_left(session, person.staff_id)}
    await audit.record(session, AuditKind.RECOVERY_CODE_USED, person, subject=person.staff_id, facts=left)
    return True


async def _remove(session: AsyncSession, staff_id: int) -> bool:
    """Whether there was anything."""
    await session.execute(delete(RecoveryCode).where(col(RecoveryCode.staff_id) == staff_id))
    gone = delete(SecondStep).where(col(SecondStep.staff_id) == staff_id).returning(col(SecondStep.staff_id))
    return await session.scalar(gone) is not None


async def _reset(session: AsyncSession, by: Actor | None, staff_id: int) -> None:
    await session.execute(select(col(Staff.id)).where(col(Staff.id) == staff_id).with_for_update(key_share=True))
    if not await _remove(session, staff_id):
        raise Invalid(NONE_SET_UP)
    await sessions.forgive(session, _account(staff_id))
    await sessions.end_sessions_of(session, staff_id)
    await audit.record(session, AuditKind.TWO_STEP_OFF, by, subject=staff_id, facts={"reset": True})


def _mark(present: SecondStep | None) -> str:
    """Tells one second step of a person from the next; it tells nothing about its secret."""
    return hashlib.sha256(present.secret).hexdigest() if present else ""


def _account(staff_id: int) -> bytes:
    """Apart from the password's, or whoever knows that could guess codes without an end by signing in again."""
    return hashlib.sha256(f"second step of {staff_id}".encode()).digest()
