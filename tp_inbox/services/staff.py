"""Staff accounts: added, disabled and given a new password by whoever runs the server; the signature by its owner."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import Actor
from tp_inbox.domain.composing import clean_signature
from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.permissions import Level
from tp_inbox.services import actors, passwords
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.sessions import end_sessions_of
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.tables import Assignment, Role, School, Staff


class StaffAccounts:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self, email: str, name: str, title: str, role: str, school: str | None, password: str | None = None
    ) -> str:
        """Makes an account with its first assignment; the password, a random one unless given."""
        password = password or new_password()
        passwords.require_strong(password)
        hashed = await passwords.hash_password(password)
        async with self._db.transaction() as session:
            await _require_new(session, email)
            person = Staff(
                email=email.strip().lower(), name=name.strip(), title=title.strip(), password_hash=hashed, signature=""
            )
            session.add(person)
            await session.flush()
            await assign(session, person.id, role, school)
            await personal_inbox(session, person.id)
        return password

    async def disable(self, email: str) -> None:
        """Signs the person out everywhere and lets nobody sign in; what was written stays."""
        async with self._db.transaction() as session:
            person = await _find(session, email)
            person.active = False
            await end_sessions_of(session, person.id)
            await announce(session, Change(ChangeKind.ACCESS, staff=person.id))

    async def reset_password(self, email: str, password: str | None = None) -> str:
        """Gives a new password and signs the person out everywhere; the password."""
        password = password or new_password()
        passwords.require_strong(password)
        hashed = await passwords.hash_password(password)
        async with self._db.transaction() as session:
            person = await _find(session, email)
            person.password_hash = hashed
            await end_sessions_of(session, person.id)
        return password

    async def signature(self, actor: Actor) -> str:
        async with self._db.reading() as session:
            return (await session.get_one(Staff, actor.staff_id)).signature

    async def save_signature(self, actor: Actor, text: str) -> str:
        """What goes under each personal message from now on; what is queued already keeps the old one."""
        signature = clean_signature(text)
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            (await session.get_one(Staff, actor.staff_id)).signature = signature
        return signature


async def assign(session: AsyncSession, staff_id: int, role_name: str, school_name: str | None) -> None:
    """Gives a role, at a school or at the district as the role's level asks. Raises Invalid with the choices."""
    role = await session.scalar(select(Role).where(col(Role.name) == role_name))
    if role is None:
        names = ", ".join(await session.scalars(select(col(Role.name)).order_by(col(Role.name))))
        raise Invalid(f"There is no role of that name. There are: {names}.")
    if role.level is Level.DISTRICT and school_name:
        raise Invalid("This role is held at the district, not at one school.")
    school_id = await _school_id(session, school_name) if role.level is Level.SCHOOL else None
    session.add(Assignment(staff_id=staff_id, role_id=role.id, school_id=school_id))
    await announce(session, Change(ChangeKind.ACCESS, staff=staff_id))


def new_password() -> str:
    return secrets.token_urlsafe(15)


async def _school_id(session: AsyncSession, name: str | None) -> int:
    found = await session.scalar(select(col(School.id)).where(col(School.name) == (name or "")))
    if found is None:
        names = ", ".join(await session.scalars(select(col(School.name)).order_by(col(School.name))))
        raise Invalid(f"This role is held at a school. Name one of: {names}.")
    return found


async def _require_new(session: AsyncSession, email: str) -> None:
    if "@" not in email:
        raise Invalid("This is not an e-mail address.")
    if await session.scalar(select(col(Staff.id)).where(col(Staff.email) == email.strip().lower())):
        raise Invalid("There is an account with this e-mail address already.")


async def _find(session: AsyncSession, email: str) -> Staff:
    person = await session.scalar(select(Staff).where(col(Staff.email) == email.strip().lower()))
    if person is None:
        raise Invalid("There is no account with this e-mail address.")
    return person
