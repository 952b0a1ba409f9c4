"""Signing in through an OpenID provider that vouches for a person. It lets in only people who are here already."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotFound
from tp_inbox.services import actors, audit
from tp_inbox.services.actors import actors_of
from tp_inbox.services.safeguards import hold_people, require_a_district_admin_stays
from tp_inbox.services.sessions import NewSession, Sessions, end_sessions_of
from tp_inbox.services.staff_directory import require_managed
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import AccountLink, ExternalIdentity, Staff
from tp_inbox.storage.tables.staff import LinkPurpose


@dataclass(frozen=True, slots=True)
class VouchedFor:
    """What a provider has said, and proved. ``issuer`` and ``subject`` name the person there, and never change."""

    issuer: str
    subject: str
    email: str
    """Empty unless the provider knows that it is this person's."""
    second_step_done: bool
    """Whether the provider has asked for a second step itself."""


class NotLetIn(Invalid):
    """``staff_id``: whose account it would have been; 0 for nobody's."""

    staff_id = 0


class NoAccount(NotLetIn):
    def __init__(self) -> None:
        super().__init__("There is no account for this e-mail address here. Ask your admin to invite you.")


class NoAddress(NotLetIn):
    def __init__(self) -> None:
        super().__init__("Your e-mail address is not confirmed there. Ask your admin for help.")


class NotActive(NotLetIn):
    def __init__(self, staff_id: int) -> None:
        super().__init__("This account has been deactivated. Ask your admin for help.")
        self.staff_id = staff_id


class ConnectedElsewhere(NotLetIn):
    """Addresses are given to other people once somebody has left; a subject never is."""

    def __init__(self, staff_id: int) -> None:
        super().__init__("This account is connected to another sign-in there. Ask your admin.")
        self.staff_id = staff_id


class Identities:
    def __init__(self, db: Database, signing_in: Sessions) -> None:
        self._db = db
        self._sessions = signing_in

    async def sign_in(self, vouched: VouchedFor, address: str, browser: str) -> NewSession:
        """Who has signed in this way before is known by it, whatever their address is by now; anybody else by a
        confirmed address, unless that account is connected to another subject of the same issuer. Raises NotLetIn,
        and then nothing is kept but that it was tried.
        """
        try:
            return await self._sign_in(vouched, address, browser)
        except NotLetIn as refusal:
            await self._record_failure(vouched, refusal)
            raise

    async def disconnect(self, actor: Actor, staff_id: int, identity_id: int) -> None:
        """The person's sessions end; who signs in there next with their address is connected anew. Raises a
        Refusal.
        """
        async with self._db.transaction() as session:
            await hold_people(session, [staff_id])
            person = await require_managed(session, await actors.as_of_now(session, actor), staff_id)
            await _unlink(session, actor, person, identity_id)
            if person.district:
                await require_a_district_admin_stays(session)

    async def _sign_in(self, vouched: VouchedFor, address: str, browser: str) -> NewSession:
        async with self._db.transaction() as session:
            found = await _known(session, vouched) or await _of_address(session, vouched)
            person = await _active(session, found)
            if await _known(session, vouched) is None:
                await _link(session, person, vouched)
            await _accept_invitation(session, person)
            done = vouched.second_step_done
            return await self._sessions.begin(session, person.staff_id, address, browser, second_step_done=done)

    async def _record_failure(self, vouched: VouchedFor, refusal: NotLetIn) -> None:
        """On the account's own page of the log, if there is one; the address is nobody's business."""
        facts, subject = {"issuer": vouched.issuer}, refusal.staff_id or None
        async with self._db.transaction() as session:
            await audit.record(session, AuditKind.SIGN_IN_FAILED, None, subject=subject, facts=facts)


async def _known(session: AsyncSession, vouched: VouchedFor) -> int | None:
    same = (col(ExternalIdentity.issuer) == vouched.issuer, col(ExternalIdentity.subject) == vouched.subject)
    return await session.scalar(select(col(ExternalIdentity.staff_id)).where(*same))


async def _of_address(session: AsyncSession, vouched: VouchedFor) -> int:
    if not vouched.email:
        raise NoAddress
    found = await session.scalar(select(col(Staff.id)).where(col(Staff.email) == vouched.email.strip().lower()))
    if found is None:
        raise NoAccount
    return found


async def _active(session: AsyncSession, staff_id: int) -> Actor:
    """Nobody deactivates them meanwhile, and no second sign-in links them at the same time."""
    await session.execute(select(col(Staff.id)).where(col(Staff.id) == staff_id).with_for_update(key_share=True))
    person = (await actors_of(session, [staff_id]))[staff_id]
    if not person.active:
        raise NotActive(staff_id)
    return person


async def _link(session: AsyncSession, person: Actor, vouched: VouchedFor) -> None:
    """From now on for good: an identity never moves to another person. The account is still the one of the address."""
    if await _of_address(session, vouched) != person.staff_id:
        raise NoAccount
    if await _is_connected(session, person.staff_id, vouched.issuer):
        raise ConnectedElsewhere(person.staff_id)
    session.add(ExternalIdentity(staff_id=person.staff_id, issuer=vouched.issuer, subject=vouched.subject))
    facts, names = {"issuer": vouched.issuer}, {"identity": vouched.subject}
    await audit.record(session, AuditKind.IDENTITY_LINKED, person, subject=person.staff_id, facts=facts, names=names)


async def _is_connected(session: AsyncSession, staff_id: int, issuer: str) -> bool:
    there = (col(ExternalIdentity.staff_id) == staff_id, col(ExternalIdentity.issuer) == issuer)
    return bool(await session.scalar(select(exists().where(*there))))


async def _unlink(session: AsyncSession, actor: Actor, person: Actor, identity_id: int) -> None:
    this = (col(ExternalIdentity.id) == identity_id, col(ExternalIdentity.staff_id) == person.staff_id)
    gone = delete(ExternalIdentity).where(*this)
    deleted = await session.execute(gone.returning(col(ExternalIdentity.issuer), col(ExternalIdentity.subject)))
    which = deleted.one_or_none()
    if which is None:
        raise NotFound
    await end_sessions_of(session, person.staff_id)
    facts, names = {"issuer": which.issuer}, {"identity": which.subject, "subject": person.name}
    await audit.record(session, AuditKind.IDENTITY_UNLINKED, actor, subject=person.staff_id, facts=facts, names=names)


async def _accept_invitation(session: AsyncSession, person: Actor) -> None:
    waiting = (
        col(AccountLink.staff_id) == person.staff_id,
        col(AccountLink.purpose) == LinkPurpose.INVITATION,
        col(AccountLink.used_at).is_(None),
        col(AccountLink.ended_at).is_(None),
    )
    accepted = update(AccountLink).where(*waiting).values(ended_at=utc_now()).returning(col(AccountLink.id))
    if list(await session.scalars(accepted)):
        await audit.record(session, AuditKind.INVITATION_ACCEPTED, person, subject=person.staff_id)
