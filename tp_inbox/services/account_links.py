"""Invitations and password resets: single-use links that an admin hands on, because the product sends no e-mail."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from sqlalchemy import ColumnElement, Select, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Place, PlaceKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import in_order
from tp_inbox.services import actors, audit, passwords
from tp_inbox.services.holdings import KnownRole, known_places, known_roles
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.safeguards import hold_groups
from tp_inbox.services.sessions import NewSession, Sessions, end_sessions_of, forgive, note_attempt
from tp_inbox.services.staff_directory import require_managed
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.database import Database
from tp_inbox.storage.feed import Change, ChangeKind, announce
from tp_inbox.storage.queries.places import HELD, schools_of_staff
from tp_inbox.storage.tables import AccountLink, Assignment, ExternalIdentity, Role, School, Staff
from tp_inbox.storage.tables.staff import LinkPurpose

TOKEN_BYTES = 32
WORKS_FOR: Mapping[LinkPurpose, timedelta] = {
    LinkPurpose.INVITATION: timedelta(days=7),
    LinkPurpose.PASSWORD: timedelta(hours=24),
}
MOST_AT_ONCE = 200
LONGEST_NAME, LONGEST_TITLE, LONGEST_EMAIL = 120, 80, 254

UNKNOWN = "This link is not complete. Open it once more from the message, or ask your admin for a new one."
USED = "This link was used already. Ask your admin for a new one."
EXPIRED = "This link has expired. Ask your admin for a new one."
ENDED = "A newer link has taken the place of this one. Use that, or ask your admin for a new one."
CLOSED = "This account is closed. Ask your admin."
OUTGROWN = "Whoever made this link may not do so for this account any more. Ask your admin for a new one."
NO_EMAIL = "Please write a whole e-mail address, such as ana.ames@school.org."
NO_NAME = "Please write a name."
TOO_LONG = f"A name has at most {LONGEST_NAME} letters, a title {LONGEST_TITLE}."
TAKEN_SEEN = "{name} has an account with this address already."
TAKEN = "There is an account with this address already. Ask a district admin."
TWICE = "This address stands here twice."
NOBODY = "Please write a line for each person: name, e-mail address, title."
TOO_MANY = f"Up to {MOST_AT_ONCE} people can be invited at once."
NO_ROLE = "Please choose a role, and where it is held."
GONE = "This account is deactivated. Reactivate it first."

_EMAIL = re.compile(r"[^\s@,;<>()\"']+@[^\s@,;<>()\"'.]+(\.[^\s@,;<>()\"'.]+)+")
_SEPARATORS = re.compile(r"\t|;|,")


class Taken(Invalid):
    """Somebody has an account with this address; ``staff_id`` when the actor may see who."""

    def __init__(self, name: str = "", staff_id: int = 0) -> None:
        super().__init__(TAKEN_SEEN.format(name=name) if staff_id else TAKEN)
        self.staff_id = staff_id


class Unusable(Invalid):
    """A link that opens nothing, or nothing any more."""


@dataclass(frozen=True)
class Newcomer:
    name: str
    email: str
    title: str = ""


@dataclass(frozen=True)
class NewcomerLine:
    """One of several people to be invited, as they were written down. ``problem``: empty when they can be."""

    name: str
    email: str
    title: str
    problem: str = ""


@dataclass(frozen=True)
class FreshLink:
    """A link that has just been made. It is shown once: only its digest is kept."""

    staff_id: int
    name: str
    email: str
    url: str
    mail: str
    """The address of an e-mail that is written already."""
    expires: str
    invites: bool


@dataclass(frozen=True)
class StandingLink:
    """A link that has been handed out and not used. ``expires``: ISO; empty when there is none."""

    made: str = ""
    expires: str = ""
    by: str = ""
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class LinkOwner:
    """Whose account a link opens."""

    name: str
    email: str
    schools: tuple[str, ...]
    invites: bool


class AccountLinks:
    def __init__(self, db: Database, sessions: Sessions, address: str) -> None:
        """``address``: where the world reaches us, without a slash at the end."""
        self._db = db
        self._sessions = sessions
        self._address = address

    async def invite(self, actor: Actor, people: Sequence[Newcomer], role_id: int, place: Place) -> list[FreshLink]:
        """Makes an account for each, with this role, and a link to hand on: all of them or nobody.

        Raises Taken for an address that is known, Invalid, NotAllowed or NotFound.
        """
        people = [cleaned(person) for person in people]
        _require_some(people)
        async with self._db.transaction() as session:
            actor = await actors.as_of_now(session, actor)
            role = await _role_to_give(session, actor, role_id, place)
            links = [await self._invite(session, actor, person, role, place) for person in people]
            await _refuse_what_opens_nothing(session, actor, links[0].staff_id)
            return links

    async def look_at(self, actor: Actor, pasted: str) -> list[NewcomerLine]:
        """What was pasted, a line for each person, and what keeps each of them from being invited."""
        access.require(access.manages_staff(actor), access.STAFF_ONLY)
        lines = [_read(line) for line in pasted.splitlines() if line.strip()]
        if len(lines) > MOST_AT_ONCE:
            raise Invalid(TOO_MANY)
        async with self._db.reading() as session:
            known = await _known(session, actor, [line.email for line in lines])
        seen: set[str] = set()
        return [_looked_at(line, known, seen) for line in lines]

    async def renew(self, actor: Actor | None, staff_id: int) -> FreshLink:
        """A new link for somebody who has not come yet, or who needs a new password. Older ones end.

        ``actor``: None for whoever runs the server.
        """
        async with self._db.transaction() as session:
            if actor is not None:
                actor = await actors.as_of_now(session, actor)
                await require_managed(session, actor, staff_id)
            person = await session.get_one(Staff, staff_id, with_for_update={"key_share": True})
            if not person.active:
                raise NotAllowed(GONE)
            invites = await _has_never_come(session, person)
            link = await self._link(session, actor, person, invites=invites)
            kind = AuditKind.INVITED if invites else AuditKind.RESET_LINK_MADE
            await audit.record(session, kind, actor, subject=staff_id, names={"subject": person.name})
            await announce(session, Change(ChangeKind.ACCESS, staff=staff_id))
        return link

    async def standing(self, actor: Actor, staff_id: int) -> StandingLink:
        """The newest link that still waits to be used."""
        query = (
            select(AccountLink, col(Staff.name))
            .outerjoin(Staff, col(Staff.id) == col(AccountLink.made_by_id))
            .where(_waits(staff_id))
            .order_by(col(AccountLink.id).desc())
        )
        async with self._db.reading() as session:
            await require_managed(session, actor, staff_id)
            found = (await session.execute(query.limit(1))).one_or_none()
        if found is None:
            return StandingLink()
        link, by = found
        return StandingLink(
            link.created_at.isoformat(), link.expires_at.isoformat(), by or "", link.expires_at <= utc_now()
        )

    async def owner(self, token: str, address: str) -> LinkOwner:
        """Whose account this link opens. Raises Unusable with the reason, and TooMany after many wrong ones."""
        account = hashlib.sha256(b"link " + _digest(token)).digest()
        await note_attempt(self._db, account, address)
        async with self._db.transaction() as session:
            link, person = await _usable(session, token)
            await forgive(session, account)
            names = await _school_names(session, person.id)
        return LinkOwner(person.name, person.email, names, link.purpose is LinkPurpose.INVITATION)

    async def accept(self, token: str, password: str, address: str, browser: str) -> NewSession:
        """Sets the password, uses the link up, ends every other session, and signs in. Raises a Refusal."""
        passwords.require_strong(password)
        await self.owner(token, address)
        hashed = await passwords.hash_password(password)
        async with self._db.transaction() as session:
            link, person = await _usable(session, token, lock=True)
            person.password_hash, link.used_at = hashed, utc_now()
            await _end_links(session, person.id)
            await end_sessions_of(session, person.id)
            await _record_acceptance(session, person, link)
            return await self._sessions.begin(session, person.id, address, browser)

    async def _invite(
        self, session: AsyncSession, actor: Actor, newcomer: Newcomer, role: KnownRole, place: Place
    ) -> FreshLink:
        person = await add_person(session, actor, newcomer)
        await give_role(session, actor, person, role, place)
        where = {"role": role.id, "place": place.kind.value, "place_id": place.id}
        names = {"subject": person.name, "role": role.name}
        await audit.record(session, AuditKind.INVITED, actor, subject=person.id, facts=where, names=names)
        return await self._link(session, actor, person, invites=True)

    async def _link(self, session: AsyncSession, actor: Actor | None, person: Staff, *, invites: bool) -> FreshLink:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        purpose = LinkPurpose.INVITATION if invites else LinkPurpose.PASSWORD
        expires = utc_now() + WORKS_FOR[purpose]
        await _end_links(session, person.id)
        session.add(
            AccountLink(
                staff_id=person.id,
                purpose=purpose,
                token_digest=_digest(token),
                made_by_id=actor.staff_id if actor else None,
                expires_at=expires,
            )
        )
        url = f"{self._address}/welcome#{token}"
        mail = _mail(person, url, actor.name if actor else "", invites=invites)
        return FreshLink(person.id, person.name, person.email, url, mail, expires.isoformat(), invites)


# What an admin writes -------------------------------------------------------------------------------------------


def cleaned(person: Newcomer) -> Newcomer:
    """As it is kept. Raises Invalid."""
    name, title, email = _line(person.name), _line(person.title), _line(person.email).lower()
    if not name:
        raise Invalid(NO_NAME)
    if len(name) > LONGEST_NAME or len(title) > LONGEST_TITLE:
        raise Invalid(TOO_LONG)
    if not _EMAIL.fullmatch(email) or len(email) > LONGEST_EMAIL:
        raise Invalid(NO_EMAIL)
    return Newcomer(name, email, title)


def _line(words: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def _read(line: str) -> Newcomer:
    """Name, e-mail address and title, in whatever order the first two stand; as a spreadsheet copies them, too."""
    parts = [part.strip().strip('"<>') for part in _SEPARATORS.split(line)]
    parts += [""] * (3 - len(parts))
    at = next((i for i, part in enumerate(parts) if "@" in part), 1)
    email = parts.pop(at)
    return Newcomer(parts[0], email, ", ".join(filter(None, parts[1:])))


def _looked_at(line: Newcomer, known: Mapping[str, Taken], seen: set[str]) -> NewcomerLine:
    try:
        person = cleaned(line)
    except Invalid as refusal:
        return NewcomerLine(line.name, line.email, line.title, refusal.sentence)
    problem = known[person.email].sentence if person.email in known else TWICE if person.email in seen else ""
    seen.add(person.email)
    return NewcomerLine(person.name, person.email, person.title, problem)


def _require_some(people: Sequence[Newcomer]) -> None:
    if not people:
        raise Invalid(NOBODY)
    if len(people) > MOST_AT_ONCE:
        raise Invalid(TOO_MANY)


async def _known(session: AsyncSession, actor: Actor, emails: Collection[str]) -> dict[str, Taken]:
    """By address, of those that have an account."""
    wanted = {_line(email).lower() for email in emails}
    query = select(col(Staff.id), col(Staff.email), col(Staff.name)).where(col(Staff.email).in_(wanted))
    rows = (await session.execute(query)).all()
    schools = await schools_of_staff(session, [row.id for row in rows])
    return {r.email: _taken(actor, r.name, r.id, schools.get(r.id, frozenset())) for r in rows}


def _taken(actor: Actor, name: str, staff_id: int, schools: frozenset[int]) -> Taken:
    return Taken(name, staff_id) if access.may_see_person(actor, schools) else Taken()


# A new person ----------------------------------------------------------------------------------------------------


async def add_person(session: AsyncSession, actor: Actor | None, person: Newcomer) -> Staff:
    """An account without a password. Raises Taken when there is one with this address."""
    made = insert(Staff).values(
        email=person.email, name=person.name, title=person.title, signature="", active=True, created_at=utc_now()
    )
    staff_id = await session.scalar(made.on_conflict_do_nothing().returning(col(Staff.id)))
    if staff_id is None:
        known = await _known(session, actor, [person.email]) if actor else {}
        raise known.get(person.email) or Taken()
    await personal_inbox(session, staff_id)
    return await session.get_one(Staff, staff_id)


async def give_role(session: AsyncSession, actor: Actor | None, person: Staff, role: KnownRole, place: Place) -> None:
    """In the transaction that makes the account, so that nobody is ever without a role. Whether the actor may is
    asked before: there is nobody yet whom they could see.
    """
    await hold_groups(session, [place])
    places = await known_places(session)
    if place not in places:
        raise NotFound
    school_id = place.id if place.kind is PlaceKind.SCHOOL else None
    group_id = place.id if place.kind is PlaceKind.GROUP else None
    held = Assignment(staff_id=person.id, role_id=role.id, school_id=school_id, group_id=group_id)
    session.add(held)
    await session.flush()
    await audit.record(
        session,
        AuditKind.ROLE_GIVEN,
        actor,
        subject=person.id,
        facts={"assignment": held.id, "role": role.id, "place": place.kind.value, "place_id": place.id},
        after={"permissions": [p.value for p in in_order(role.permissions)]},
        names={"subject": person.name, "role": role.name, "place": places[place]},
    )
    await announce(session, Change(ChangeKind.ACCESS, staff=person.id))


async def _role_to_give(session: AsyncSession, actor: Actor, role_id: int, place: Place) -> KnownRole:
    """Raises Invalid for a role that is not there, NotAllowed for one that the actor cannot give there. It neither
    changes nor goes until the transaction ends.
    """
    await session.execute(select(col(Role.id)).where(col(Role.id) == role_id).with_for_update(read=True))
    role = (await known_roles(session)).get(role_id)
    if role is None:
        raise Invalid(NO_ROLE)
    if refusal := access.refusal_to_assign(actor, 0, role.permissions, role.level, place):
        raise refusal
    return role


# A link ------------------------------------------------------------------------------------------------------------


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _waits(staff_id: int) -> ColumnElement[bool]:
    return and_(
        col(AccountLink.staff_id) == staff_id, col(AccountLink.used_at).is_(None), col(AccountLink.ended_at).is_(None)
    )


async def _end_links(session: AsyncSession, staff_id: int) -> None:
    await session.execute(update(AccountLink).where(_waits(staff_id)).values(ended_at=utc_now()))


async def _has_never_come(session: AsyncSession, person: Staff) -> bool:
    elsewhere = select(col(ExternalIdentity.id)).where(col(ExternalIdentity.staff_id) == person.id)
    return person.password_hash is None and await session.scalar(elsewhere.limit(1)) is None


async def _usable(session: AsyncSession, token: str, *, lock: bool = False) -> tuple[AccountLink, Staff]:
    """Raises Unusable, with the reason. ``lock``: it is used up in this transaction, by nobody else."""
    link = await session.scalar(_by_token(token))
    if link is None:
        raise Unusable(UNKNOWN)
    person = await session.get_one(Staff, link.staff_id, with_for_update={"key_share": True} if lock else None)
    if lock:  # the person comes first, as for everybody who makes links or ends them
        await session.refresh(link, with_for_update=True)
    if link.used_at is not None:
        raise Unusable(USED)
    if link.ended_at is not None:
        raise Unusable(ENDED)
    if link.expires_at <= utc_now():
        raise Unusable(EXPIRED)
    if not person.active:
        raise Unusable(CLOSED)
    await _refuse_if_outgrown(session, link)
    return link, person


async def _refuse_if_outgrown(session: AsyncSession, link: AccountLink) -> None:
    """Whoever made a link may have kept it: it opens no account that they could not reset now. What the server made
    is nobody's.
    """
    if link.made_by_id is None:
        return
    known = await actors.actors_of(session, [link.made_by_id, link.staff_id])
    if access.refusal_to_manage_account(known[link.made_by_id], known[link.staff_id]):
        raise Unusable(OUTGROWN)


async def _refuse_what_opens_nothing(session: AsyncSession, actor: Actor, staff_id: int) -> None:
    """Nobody makes a link to an account that they may not manage: it would be refused to whoever opens it."""
    if refusal := access.refusal_to_manage_account(actor, (await actors.actors_of(session, [staff_id]))[staff_id]):
        raise refusal


def _by_token(token: str) -> Select[AccountLink]:
    return select(AccountLink).where(col(AccountLink.token_digest) == _digest(token))


async def _record_acceptance(session: AsyncSession, person: Staff, link: AccountLink) -> None:
    kind = AuditKind.INVITATION_ACCEPTED if link.purpose is LinkPurpose.INVITATION else AuditKind.PASSWORD_CHANGED
    await audit.record_own(session, kind, person.id, by="link")
    await announce(session, Change(ChangeKind.ACCESS, staff=person.id))


async def _school_names(session: AsyncSession, staff_id: int) -> tuple[str, ...]:
    at = select(HELD.c.school_id).where(HELD.c.staff_id == staff_id)
    names = select(col(School.name)).where(col(School.id).in_(at)).order_by(func.plain(col(School.name)))
    return tuple(await session.scalars(names))


INVITATION = """Hello {given},

you are invited to our school messaging. Please open this link and choose a password:

{url}

The link works once, for 7 days. If it has expired, write back and I will send a new one.
{by}"""
RESET = """Hello {given},

with this link you choose a new password for our school messaging:

{url}

The link works once, for 24 hours. If you did not ask for it, please tell me.
{by}"""


def _mail(person: Staff, url: str, by: str, *, invites: bool) -> str:
    words = (INVITATION if invites else RESET).format(given=person.name.partition(" ")[0], url=url, by=f"\n{by}")
    subject = "Your invitation to our school messaging" if invites else "Your new password for our school messaging"
    return f"mailto:{quote(person.email, safe='@')}?subject={quote(subject)}&body={quote(words.strip())}"
