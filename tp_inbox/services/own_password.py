"""Changing one's own password."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import col

from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, SignedOut
from tp_inbox.services import audit, passwords, sessions
from tp_inbox.services.sessions import SignedIn
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Staff

NONE_SET = "This account has no password; you sign in through your district. Ask your admin for a link to set one."
WRONG = "Your present password is not right."
DIFFERENT = "The two new passwords are not the same."
SAME = "This is the password that you have now."


class OwnPassword:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def change(self, who: SignedIn, present: str, new: str, again: str) -> None:
        """Ends every other session. Raises Invalid; a wrong present password counts as a failed sign-in."""
        if new != again:
            raise Invalid(DIFFERENT)
        passwords.require_strong(new)
        account, hashed = await self._require_right(who, present)
        if present == new:
            raise Invalid(SAME)
        renewed = await passwords.hash_password(new)
        async with self._db.transaction() as session:
            mine = (col(Staff.id) == who.actor.staff_id, col(Staff.active), col(Staff.password_hash) == hashed)
            person = await session.scalar(select(Staff).where(*mine).with_for_update(key_share=True))
            if person is None:
                raise SignedOut
            person.password_hash = renewed
            await sessions.forgive(session, account)
            await sessions.end_sessions_of(session, person.id, but=who.session_id)
            await audit.record(session, AuditKind.PASSWORD_CHANGED, who.actor, subject=person.id)

    async def _require_right(self, who: SignedIn, present: str) -> tuple[bytes, str]:
        """What the guesses at it are counted under, and the hash that is on file."""
        if not present:
            raise Invalid(WRONG)
        async with self._db.reading() as session:
            person = await session.get_one(Staff, who.actor.staff_id)
        if person.password_hash is None:
            raise Invalid(NONE_SET)
        account = sessions.account_of(person.email)
        await sessions.note_attempt(self._db, account, who.address)
        if not await passwords.verify(present, person.password_hash):
            await self._record_failure(who)
            raise Invalid(WRONG)
        return account, person.password_hash

    async def _record_failure(self, who: SignedIn) -> None:
        """By somebody who is signed in: whoever sits at an open browser may be another person."""
        async with self._db.transaction() as session:
            facts = {"present_password": True}
            await audit.record(session, AuditKind.SIGN_IN_FAILED, who.actor, subject=who.actor.staff_id, facts=facts)
