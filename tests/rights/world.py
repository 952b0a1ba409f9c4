"""A district of chance: schools, groups, roles, people and conversations, and what the rules say about them.

The rules are asked about what was made up here, never about what the product has read from its database.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain
from uuid import uuid4

from sqlalchemy import select
from sqlmodel import col

from tests.fakes import FakeGateway
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, Grant, InboxKind, InboxRef, Overseen, Place, PlaceKind, actor_from
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.permissions import BASE_ROLES, PERMISSIONS_OF, Level, Permission
from tp_inbox.services.campaigns import campaign_at
from tp_inbox.services.ports import BoughtNumber
from tp_inbox.storage.tables import (
    Assignment,
    Contact,
    District,
    FamilyPhone,
    GroupSchool,
    Guardianship,
    Inbox,
    Message,
    Number,
    Role,
    School,
    SchoolGroup,
    Staff,
    Student,
    Thread,
)
from tp_inbox.storage.tables.messages import Direction, NumberState
from tp_inbox.wiring import Wired

SCHOOLS, GROUPS, ROLES, PEOPLE, FAMILIES = 3, 2, 7, 9, 8
THREADS_AN_INBOX = 3
OLD_ENOUGH = timedelta(days=15 * 366)


@dataclass(frozen=True)
class MadeUpRole:
    id: int
    level: Level
    permissions: frozenset[Permission]


@dataclass
class Person:
    id: int
    name: str
    active: bool
    inbox: InboxRef
    held: list[tuple[MadeUpRole, Place]] = field(default_factory=list)


@dataclass(frozen=True)
class Family:
    phone_id: int
    name: str
    e164: str
    schools: frozenset[int]
    contact_id: int | None = None
    pupils: tuple[tuple[int, int], ...] = ()
    """Each with the school: their ids."""


@dataclass(frozen=True)
class Talk:
    """A conversation with one text of the family, which holds ``secret``; ``ours`` is the inbox's number."""

    id: int
    inbox: InboxRef
    family: Family
    ours: str
    message_id: int
    secret: str


@dataclass
class World:
    schools: list[int] = field(default_factory=list)
    groups: dict[int, frozenset[int]] = field(default_factory=dict)
    roles: list[MadeUpRole] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    families: list[Family] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    school_inboxes: list[InboxRef] = field(default_factory=list)

    def actor(self, person: Person) -> Actor:
        """As the rules add up what the person holds."""
        grants = chain.from_iterable(self._grants(role, place) for role, place in person.held)
        return actor_from(person.id, person.name, person.active, grants)

    def _grants(self, role: MadeUpRole, place: Place) -> list[Grant]:
        if place.kind is PlaceKind.GROUP:
            return [Grant(role.permissions, role.level, school) for school in self.groups[place.id]]
        return [Grant(role.permissions, role.level, place.id or None)]

    def works_at(self, person: Person) -> frozenset[int]:
        places = [p for _, p in person.held]
        groups = chain.from_iterable(self.groups[p.id] for p in places if p.kind is PlaceKind.GROUP)
        return frozenset(groups) | {p.id for p in places if p.kind is PlaceKind.SCHOOL}

    def overseen(self, talk: Talk) -> Overseen:
        owner = next((p for p in self.people if p.id == talk.inbox.staff_id), None)
        return Overseen(talk.inbox, self.works_at(owner) if owner else frozenset(), talk.family.schools)

    @cached_property
    def inboxes(self) -> list[InboxRef]:
        return [*self.school_inboxes, *(p.inbox for p in self.people)]

    def senders(self, person: Person, family: Family) -> set[int]:
        """Ids of the inboxes that From offers: whom nobody knows is answered from where they wrote to alone."""
        options = access.sender_options(self.actor(person), [*self.school_inboxes, person.inbox], family.schools)
        written_to = {t.inbox.id for t in self.talks if t.family is family}
        return {o.id for o in options if family.schools or o.id in written_to}

    @property
    def places(self) -> list[Place]:
        schools = [Place(PlaceKind.SCHOOL, s) for s in self.schools]
        return [*schools, *(Place(PlaceKind.GROUP, g) for g in self.groups), Place(PlaceKind.DISTRICT)]


async def build_world(wired: Wired, gateway: FakeGateway, chance: random.Random) -> World:
    """Writes it into an empty database, past the services whose rules it is to test."""
    world = World()
    async with wired.db.transaction() as session:
        await _Builder(session, gateway, chance, world).build()
    return world


class _Builder:
    def __init__(self, session, gateway: FakeGateway, chance: random.Random, world: World) -> None:
        self._session, self._gateway, self._chance, self._world = session, gateway, chance, world

    async def build(self) -> None:
        await self._keep(District(name="A District"))
        await self._found_schools()
        await self._make_roles()
        await self._employ()
        await self._enrol()
        await self._talk()

    async def _keep(self, row):
        self._session.add(row)
        await self._session.flush()
        return row

    async def _found_schools(self) -> None:
        for number in range(SCHOOLS):
            school = await self._keep(School(name=f"School {number}", area_code="312"))
            inbox = await self._keep(Inbox(kind=InboxKind.SCHOOL, school_id=school.id))
            await self._buy(school_id=school.id)
            self._world.schools.append(school.id)
            self._world.school_inboxes.append(InboxRef(inbox.id, InboxKind.SCHOOL, None, school.id))
        for number in range(GROUPS):
            group = await self._keep(SchoolGroup(name=f"Group {number}"))
            members = frozenset(self._chance.sample(self._world.schools, self._chance.randint(0, SCHOOLS)))
            self._session.add_all(GroupSchool(group_id=group.id, school_id=s) for s in members)
            self._world.groups[group.id] = members

    async def _make_roles(self) -> None:
        for number in range(ROLES):
            level = self._chance.choice([Level.SCHOOL, Level.SCHOOL, Level.DISTRICT])
            allowed = sorted(PERMISSIONS_OF[level])
            held = frozenset(self._chance.sample(allowed, self._chance.randint(1, 4)))
            row = await self._keep(Role(name=f"Role {number}", level=level, permissions=sorted(held)))
            self._world.roles.append(MadeUpRole(row.id, level, held))
        for base in BASE_ROLES:
            row = (await self._session.scalars(_base(base.key))).one()
            self._world.roles.append(MadeUpRole(row.id, base.level, base.permissions))

    async def _employ(self) -> None:
        for number in range(PEOPLE):
            active = self._chance.random() < 0.85
            name = f"Person {number}"
            row = await self._keep(Staff(email=f"person{number}@x.example", name=name, active=active))
            inbox = await self._keep(Inbox(kind=InboxKind.PERSONAL, staff_id=row.id))
            await self._buy(staff_id=row.id)
            person = Person(row.id, name, active, InboxRef(inbox.id, InboxKind.PERSONAL, row.id, None))
            for role in self._chance.sample(self._world.roles, self._chance.randint(1, 3)):
                place = self._chance.choice([p for p in self._world.places if self._fits(role, p)])
                await self._keep(assignment(person.id, role.id, place))
                person.held.append((role, place))
            self._world.people.append(person)

    def _fits(self, role: MadeUpRole, place: Place) -> bool:
        """Now and then a role stands where it cannot be held, as an old database might have it."""
        return place.level is role.level or self._chance.random() < 0.1

    async def _enrol(self) -> None:
        today = datetime.now(UTC).date()
        for number in range(FAMILIES):
            e164, name = f"+1312555{1000 + number}", f"Family {number:02}"
            phone = await self._keep(FamilyPhone(e164=e164))
            schools = frozenset(self._chance.sample(self._world.schools, self._chance.choice([0, 1, 1, 2])))
            if not schools:
                self._world.families.append(Family(phone.id, name, e164, schools))
                continue
            contact, pupils = await self._keep(Contact(name=name, phone_id=phone.id)), []
            for school in schools:
                student = await self._keep(Student(name="Pupil", birth_date=today - OLD_ENOUGH, school_id=school))
                await self._keep(Guardianship(student_id=student.id, contact_id=contact.id, relation="mother"))
                pupils.append((student.id, school))
            self._world.families.append(Family(phone.id, name, e164, schools, contact.id, tuple(pupils)))

    async def _talk(self) -> None:
        for inbox in self._world.inboxes:
            for family in self._chance.sample(self._world.families, THREADS_AN_INBOX):
                self._world.talks.append(await self._said(inbox, family))

    async def _said(self, inbox: InboxRef, family: Family) -> Talk:
        secret, now = f"secret {uuid4().hex}", datetime.now(UTC)
        thread = await self._keep(Thread(inbox_id=inbox.id, phone_id=family.phone_id))
        number = self._numbers[inbox.staff_id, inbox.school_id]
        message = await self._keep(
            Message(
                thread_id=thread.id,
                inbox_id=inbox.id,
                direction=Direction.IN,
                number_id=number.id,
                sender=family.e164,
                recipient=number.e164 or "",
                written=secret,
                body=secret,
                sid=f"SM{uuid4().hex}",
                state=DeliveryState.RECEIVED,
            )
        )
        thread.last_at, thread.last_message_id, thread.last_direction = now, message.id, Direction.IN
        thread.preview, thread.inbound_count = secret, 1
        return Talk(thread.id, inbox, family, number.e164 or "", message.id, secret)

    @cached_property
    def _numbers(self) -> dict[tuple[int | None, int | None], Number]:
        return {}

    async def _campaign(self, school_id: int | None) -> int:
        return await campaign_at(self._session, school_id)

    async def _buy(self, staff_id: int | None = None, school_id: int | None = None) -> None:
        e164 = f"+1312556{1000 + len(self._numbers)}"
        sid = f"PN{len(self._numbers):032x}"
        number = Number(
            e164=e164,
            sid=sid,
            staff_id=staff_id,
            school_id=school_id,
            campaign_id=await self._campaign(school_id),
            state=NumberState.ACTIVE,
        )
        self._numbers[staff_id, school_id] = await self._keep(number)
        self._gateway.bought[e164] = BoughtNumber(sid, e164)


def assignment(staff_id: int, role_id: int, place: Place) -> Assignment:
    school = place.id if place.kind is PlaceKind.SCHOOL else None
    group = place.id if place.kind is PlaceKind.GROUP else None
    return Assignment(staff_id=staff_id, role_id=role_id, school_id=school, group_id=group)


def _base(key: str):
    return select(Role).where(col(Role.base_key) == key)
