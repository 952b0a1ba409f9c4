"""The standing cast: the same few people in every test, and what each of them may do.

Alice is a counselor at Lincoln and may write for the school too. Bob is Lincoln's nurse and has personal
messages only. Charlie works at Roosevelt and has no access to anything at Lincoln. Dora is Lincoln's School
Admin, Vera its School Viewer, Nora serves both schools, Diana is the District Admin.

Rosa is the mother of Mia (14, Lincoln) and Leo (8, Lincoln). Omar, Rosa's neighbour, is the father of
Sami (Roosevelt). Mia has a phone of her own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from tests.fakes import FakeGateway
from tp_inbox.domain.access import Actor, InboxKind
from tp_inbox.domain.permissions import Level, Permission
from tp_inbox.services.actors import actors_of
from tp_inbox.services.campaigns import campaign_at
from tp_inbox.services.numbers import personal_inbox
from tp_inbox.services.passwords import hash_password
from tp_inbox.services.ports import BoughtNumber
from tp_inbox.services.threads import thread_between
from tp_inbox.storage.tables import (
    Assignment,
    Contact,
    District,
    FamilyPhone,
    Guardianship,
    Inbox,
    Number,
    Role,
    School,
    Staff,
    Student,
)
from tp_inbox.storage.tables.messages import NumberState
from tp_inbox.wiring import Wired

PASSWORD = "correct horse battery"
ROSA, OMAR, MIA, STRANGER = "+13125550142", "+16305550151", "+13125550163", "+17735550190"
LINCOLN_NUMBER, ROOSEVELT_NUMBER = "+13125550100", "+16305550100"
OLD_ENOUGH, TOO_YOUNG = timedelta(days=14 * 365 + 5), timedelta(days=8 * 365)

CUSTOM_ROLES = {
    "Counselor": [Permission.PERSONAL_MESSAGES, Permission.MESSAGE_ON_BEHALF, Permission.SEE_DIRECTORY],
    "Nurse": [Permission.PERSONAL_MESSAGES, Permission.SEE_DIRECTORY],
}
STAFF = (
    ("alice", "Alice Adams", "counselor", [("Counselor", "Lincoln Middle School")]),
    ("bob", "Bob Brown", "nurse", [("Nurse", "Lincoln Middle School")]),
    ("charlie", "Charlie Clark", "coach", [("Counselor", "Roosevelt High School")]),
    ("dora", "Dora Diaz", "principal", [("School Admin", "Lincoln Middle School")]),
    ("vera", "Vera Vance", "secretary", [("School Viewer", "Lincoln Middle School")]),
    (
        "nora",
        "Nora Nash",
        "speech therapist",
        [("Non-Rostered Staff", "Lincoln Middle School"), ("Non-Rostered Staff", "Roosevelt High School")],
    ),
    ("diana", "Diana Drew", "district office", [("District Admin", None)]),
)


@dataclass
class Town:
    """A small district on a real database, wired as in production but for a carrier that is a fake."""

    wired: Wired
    gateway: FakeGateway
    staff: dict[str, int] = field(default_factory=dict)
    schools: dict[str, int] = field(default_factory=dict)
    phones: dict[str, int] = field(default_factory=dict)

    async def actor(self, who: str) -> Actor:
        """The person with the permissions of this moment."""
        async with self.wired.db.reading() as session:
            return (await actors_of(session, [self.staff[who]]))[self.staff[who]]

    async def personal(self, who: str, phone: str = ROSA) -> int:
        """The id of the person's own thread with that phone."""
        async with self.wired.db.transaction() as session:
            inbox = await personal_inbox(session, self.staff[who])
            return await thread_between(session, inbox.id, self.phones[phone])

    async def school(self, school: str = "Lincoln Middle School", phone: str = ROSA) -> int:
        """The id of the school's thread with that phone."""
        async with self.wired.db.transaction() as session:
            inbox = await session.scalar(select(col(Inbox.id)).where(col(Inbox.school_id) == self.schools[school]))
            return await thread_between(session, inbox or 0, self.phones[phone])

    def again(self, wired: Wired, gateway: FakeGateway) -> Town:
        """The same people in a copy of the database."""
        gateway.bought |= self.gateway.bought
        return Town(wired, gateway, dict(self.staff), dict(self.schools), dict(self.phones))

    def email(self, who: str) -> str:
        return f"{who}@district.example"


async def build_town(wired: Wired, gateway: FakeGateway) -> Town:
    town = Town(wired, gateway)
    hashed = await hash_password(PASSWORD)
    async with wired.db.transaction() as session:
        session.add(District(name="Test District", demonstration=False))
        for name, area, number in (
            ("Lincoln Middle School", "312", LINCOLN_NUMBER),
            ("Roosevelt High School", "630", ROOSEVELT_NUMBER),
        ):
            school = School(name=name, area_code=area)
            session.add(school)
            await session.flush()
            town.schools[name] = school.id
            session.add(Inbox(kind=InboxKind.SCHOOL, school_id=school.id))
            session.add(
                Number(
                    e164=number,
                    sid=f"PN{school.id:c>32}",
                    school_id=school.id,
                    area_code=area,
                    campaign_id=await campaign_at(session, school.id),
                    state=NumberState.ACTIVE,
                )
            )
            gateway.bought[number] = BoughtNumber(f"PN{school.id:c>32}", number)
        for name, permissions in CUSTOM_ROLES.items():
            session.add(Role(name=name, level=Level.SCHOOL, permissions=[p.value for p in permissions]))
        await session.flush()
        for key, name, title, roles in STAFF:
            person = Staff(email=town.email(key), name=name, title=title, password_hash=hashed, signature="")
            session.add(person)
            await session.flush()
            town.staff[key] = person.id
            await personal_inbox(session, person.id)
            for role, at in roles:
                await _assign(session, person.id, role, town.schools[at] if at else None)
        for e164 in (ROSA, OMAR, MIA, STRANGER):
            phone = FamilyPhone(e164=e164, language="es" if e164 == ROSA else "en")
            session.add(phone)
            await session.flush()
            town.phones[e164] = phone.id
        lincoln, roosevelt = town.schools["Lincoln Middle School"], town.schools["Roosevelt High School"]
        today = datetime.now(UTC).date()
        mia = Student(
            name="Mia Lopez",
            birth_date=today - OLD_ENOUGH,
            grade="8",
            school_id=lincoln,
            phone_id=town.phones[MIA],
        )
        leo = Student(name="Leo Lopez", birth_date=today - TOO_YOUNG, grade="3", school_id=lincoln)
        sami = Student(name="Sami Haddad", birth_date=today - OLD_ENOUGH, grade="9", school_id=roosevelt)
        rosa = Contact(name="Rosa Lopez", language="es", phone_id=town.phones[ROSA])
        omar = Contact(name="Omar Haddad", language="ar", phone_id=town.phones[OMAR])
        session.add_all([mia, leo, sami, rosa, omar])
        await session.flush()
        session.add_all(
            [
                Guardianship(student_id=mia.id, contact_id=rosa.id, relation="mother"),
                Guardianship(student_id=leo.id, contact_id=rosa.id, relation="mother"),
                Guardianship(student_id=sami.id, contact_id=omar.id, relation="father"),
            ]
        )
    return town


async def _assign(session: AsyncSession, staff_id: int, role: str, school_id: int | None) -> None:
    role_id = (await session.scalars(select(col(Role.id)).where(col(Role.name) == role))).one()
    session.add(Assignment(staff_id=staff_id, role_id=role_id, school_id=school_id))
