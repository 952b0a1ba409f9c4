"""What whoever runs the server does to accounts, by the functions of the web, and what a person does to their own."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain.access import DISTRICT, Actor, Place, PlaceKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.composing import clean_signature
from tp_inbox.domain.errors import Invalid
from tp_inbox.domain.permissions import Level
from tp_inbox.services import actors, audit, passwords
from tp_inbox.services.account_links import AccountLinks, FreshLink, Newcomer, add_person, cleaned, give_role
from tp_inbox.services.holdings import KnownRole, known_roles
from tp_inbox.services.leaving import Leaving, Plan
from tp_inbox.services.second_step import enforce
from tp_inbox.services.sessions import end_sessions_of
from tp_inbox.storage.database import Database
from tp_inbox.storage.tables import Assignment, School, Staff

NO_ACCOUNT = "There is no account with this e-mail address."
HAS_IT = "This person has this role there already."


class StaffAccounts:
    def __init__(self, db: Database, links: AccountLinks, leaving: Leaving) -> None:
        self._db = db
        self._links = links
        self._leaving = leaving

    async def add(
        self, email: str, name: str, title: str, role: str, school: str | None, password: str | None = None
    ) -> str:
        """Makes an account with its first role; the password, a random one unless given."""
        password = password or new_password()
        passwords.require_strong(password)
        newcomer, hashed = cleaned(Newcomer(name, email, title)), await passwords.hash_password(password)
        async with self._db.transaction() as session:
            given, place = await _role_and_place(session, role, school)
            person = await add_person(session, None, newcomer)
            person.password_hash = hashed
            await give_role(session, None, person, given, place)
            facts = {"role": given.id, "place": place.kind.value, "place_id": place.id}
            names = {"subject": person.name, "role": given.name}
            await audit.record(session, AuditKind.INVITED, None, subject=person.id, facts=facts, names=names)
        return password

    async def give(self, email: str, role: str, school: str | None) -> None:
        """One more role for somebody who has an account."""
        async with self._db.transaction() as session:
            person = await _find(session, email)
            await assign(session, person.id, role, school)
            await enforce(session, {person.id})

    async def link(self, email: str) -> FreshLink:
        """A single-use link with which this person sets a password."""
        return await self._links.renew(None, await self._id_of(email))

    async def disable(self, email: str) -> None:
        """Signs the person out everywhere and lets nobody sign in; their conversations stay with them."""
        await self._leaving.deactivate(None, await self._id_of(email), Plan())

    async def enable(self, email: str) -> None:
        """As it was before the account was disabled."""
        await self._leaving.reactivate(None, await self._id_of(email))

    async def reset_password(self, email: str, password: str | None = None) -> str:
        """Gives a new password and signs the person out everywhere; the password."""
        password = password or new_password()
        passwords.require_strong(password)
        hashed = await passwords.hash_password(password)
        async with self._db.transaction() as session:
            person = await _find(session, email)
            person.password_hash = hashed
            await end_sessions_of(session, person.id)
            names = {"subject": person.name}
            await audit.record(session, AuditKind.PASSWORD_CHANGED, None, subject=person.id, names=names)
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

    async def _id_of(self, email: str) -> int:
        async with self._db.reading() as session:
            return (await _find(session, email)).id


async def assign(session: AsyncSession, staff_id: int, role_name: str, school_name: str | None) -> None:
    """Gives a role, at a school or at the district as the role's level asks. Raises Invalid with the choices."""
    role, place = await _role_and_place(session, role_name, school_name)
    person = await session.get_one(Staff, staff_id)
    school_id = place.id if place.kind is PlaceKind.SCHOOL else None
    same = (
        col(Assignment.staff_id) == staff_id,
        col(Assignment.role_id) == role.id,
        col(Assignment.school_id).is_not_distinct_from(school_id),
        col(Assignment.group_id).is_(None),
    )
    if await session.scalar(select(col(Assignment.id)).where(*same)):
        raise Invalid(HAS_IT)
    await give_role(session, None, person, role, place)


def new_password() -> str:
    return secrets.token_urlsafe(15)


async def _role_and_place(session: AsyncSession, role_name: str, school_name: str | None) -> tuple[KnownRole, Place]:
    roles = {role.name: role for role in (await known_roles(session)).values()}
    role = roles.get(role_name)
    if role is None:
        raise Invalid(f"There is no role of that name. There are: {', '.join(sorted(roles))}.")
    if role.level is Level.DISTRICT and school_name:
        raise Invalid("This role is held at the district, not at one school.")
    if role.level is Level.DISTRICT:
        return role, DISTRICT
    return role, Place(PlaceKind.SCHOOL, await _school_id(session, school_name))


async def _school_id(session: AsyncSession, name: str | None) -> int:
    found = await session.scalar(select(col(School.id)).where(col(School.name) == (name or "")))
    if found is None:
        names = ", ".join(await session.scalars(select(col(School.name)).order_by(col(School.name))))
        raise Invalid(f"This role is held at a school. Name one of: {names}.")
    return found


async def _find(session: AsyncSession, email: str) -> Staff:
    person = await session.scalar(select(Staff).where(col(Staff.email) == email.strip().lower()))
    if person is None:
        raise Invalid(NO_ACCOUNT)
    return person
